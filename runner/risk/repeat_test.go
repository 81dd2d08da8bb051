package risk

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

func TestDuplicatesAtTheirBounds(t *testing.T) {
	twin := func(id string, ago time.Duration) func(*broker.View) {
		return func(v *broker.View) { v.Twin = broker.Twin{ID: id, At: noon.Add(-ago)} }
	}
	mine := func(o order.Order) order.Order { o.Ref, o.Strategy = "x-0", "test"; return o }
	buy, sell := intent(order.Buy, 10), intent(order.Sell, 10)
	ask(t, gate(t), []row{
		{"at the same time", buy, twin("x-0", 0), RuleDuplicate},
		{"just within 2 s", buy, twin("x-0", 2*time.Second-1), RuleDuplicate},
		{"2 s later", buy, twin("x-0", 2*time.Second), ""},
		{"of a later day's replay", buy, twin("x-0", -1), ""},
		{"the same id", buy, twin("x-1", 0), ""},
		{"a reduction", sell, twin("x-0", 0), ""},
		{"the desk's own", buy, func(v *broker.View) { twin("x-0", 0)(v); v.Own = true }, ""},
		{"an entry is open", buy, opens(mine(working(order.Buy, 1, 0))), RuleDuplicate},
		{"its outcome is unknown", buy, opens(func() order.Order {
			o := mine(working(order.Buy, 1, 0))
			o.State = order.Unknown
			return o
		}()), RuleDuplicate},
		{"it is done", buy, opens(func() order.Order {
			o := mine(working(order.Buy, 1, 0))
			o.State = order.Filled
			return o
		}()), ""},
		{"another strategy's is open", buy, opens(named("x-0", working(order.Buy, 1, 0))), ""},
		{"one made by hand is open", buy, opens(working(order.Buy, 1, 0)), ""},
		{"an exit is open", buy, opens(mine(working(order.Sell, 1, 0))), ""},
		{"a short entry is open", buy, func(v *broker.View) {
			v.Position, v.Open = shares(0), []order.Order{mine(working(order.Sell, 1, 0))}
		}, RuleDuplicate},
		{"a reduction while an entry is open", sell, opens(mine(working(order.Buy, 1, 0))), ""},
	})
}

// TestNoBuyRightAfterTheSale: sold and bought back at once, again and again,
// pays the spread each time.
func TestNoBuyRightAfterTheSale(t *testing.T) {
	exit := func(ago time.Duration) func(*broker.View) {
		return func(v *broker.View) { v.LastExit = noon.Add(-ago) }
	}
	buy, sell := intent(order.Buy, 10), intent(order.Sell, 10)
	ask(t, gate(t), []row{
		{"at once", buy, exit(0), RuleChurn},
		{"just within a minute", buy, exit(time.Minute - 1), RuleChurn},
		{"a minute later", buy, exit(time.Minute), ""},
		{"of a later day's replay", buy, exit(-1), ""},
		{"never", buy, nil, ""},
		{"another reduction", sell, exit(0), ""},
		{"the desk's own", buy, func(v *broker.View) { exit(0)(v); v.Own = true }, ""},
	})
}
