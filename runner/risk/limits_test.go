package risk

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// row is one question, and the rule that is to refuse it, "" for none.
type row struct {
	name   string
	in     order.Intent
	change func(*broker.View)
	want   string
}

func ask(t *testing.T, g *Gate, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			v := good()
			if tt.change != nil {
				tt.change(&v)
			}
			if d := g.Decide(v, tt.in); d.Rule != tt.want || d.Allowed != (tt.want == "") {
				t.Errorf("rule %q (%s), want %q; saw %v", d.Rule, d.Reason, tt.want, d.Saw)
			}
		})
	}
}

// named is an open order of another strategy, so that it is no duplicate.
func named(ref string, o order.Order) order.Order {
	o.Ref, o.Strategy = ref, "other"
	return o
}

// in makes an order a stop of a group.
func in(oca string, o order.Order) order.Order { o.OCA, o.Type = oca, order.Stop; return o }

func opens(list ...order.Order) func(*broker.View) {
	return func(v *broker.View) { v.Open = list }
}

func TestPositionNotionalAtItsBound(t *testing.T) {
	short := func(n int64, list ...order.Order) func(*broker.View) {
		return func(v *broker.View) { v.Position, v.Open = shares(n), list }
	}
	ask(t, gate(t), []row{
		{"held 100, 399 more", intent(order.Buy, 399), nil, ""},
		{"held 100, 400 more", intent(order.Buy, 400), nil, ""},
		{"held 100, 401 more", intent(order.Buy, 401), nil, RulePositionNotional},
		{"300 are open, 100 more", intent(order.Buy, 100), opens(named("a", working(order.Buy, 300, 0))), ""},
		{"300 are open, 101 more", intent(order.Buy, 101), opens(named("a", working(order.Buy, 300, 0))), RulePositionNotional},
		{"of 301 one is filled, 100 more", intent(order.Buy, 100), opens(named("a", working(order.Buy, 301, 1))), ""},
		{"open sales make no room", intent(order.Buy, 401), opens(named("a", working(order.Sell, 100, 0))), RulePositionNotional},
		{"a limit above the market counts", limit(intent(order.Buy, 400), "100.01"), nil, RulePositionNotional},
		{"an open limit above the market counts", intent(order.Buy, 390), opens(named("a", func() order.Order {
			o := working(order.Buy, 10, 0)
			o.Limit = dollars("100.01")
			return o
		}())), RulePositionNotional},
		{"short 100, 400 more", intent(order.Sell, 400), short(-100), ""},
		{"short 100, 401 more", intent(order.Sell, 401), short(-100), RulePositionNotional},
		{"turned over to 500 short", intent(order.Sell, 500), short(0), ""},
		{"turned over to 400 long", intent(order.Buy, 500), short(-100), ""},
		{"of a group the largest counts", intent(order.Buy, 100), opens(
			in("g", named("a", working(order.Buy, 300, 0))), in("g", named("b", working(order.Buy, 200, 0))), in("g", named("c", working(order.Buy, 300, 0)))), ""},
		{"of a group the largest counts, and it is one too many", intent(order.Buy, 101), opens(
			in("g", named("a", working(order.Buy, 200, 0))), in("g", named("b", working(order.Buy, 300, 0)))), RulePositionNotional},
		{
			"in its own group the larger counts", func() order.Intent { i := intent(order.Buy, 400); i.OCA = "g"; return i }(),
			opens(in("g", named("a", working(order.Buy, 300, 0)))), "",
		},
		{
			"the open one of its own group is larger", func() order.Intent { i := intent(order.Buy, 10); i.OCA = "g"; return i }(),
			opens(in("g", named("a", working(order.Buy, 401, 0)))), RulePositionNotional,
		},
	})
}

func TestGrossAndLeverageAtTheirBounds(t *testing.T) {
	others := func(s string) func(*broker.View) { return func(v *broker.View) { v.Others = amount(s) } }
	ask(t, gate(t), []row{
		{"below", intent(order.Buy, 10), others("188999.99"), ""},
		{"at", intent(order.Buy, 10), others("189000"), ""},
		{"above", intent(order.Buy, 10), others("189000.01"), RuleGrossNotional},
		{"unknown", intent(order.Buy, 10), func(v *broker.View) { v.Others, v.OthersNote = nil, "no price of MSFT is known" }, RuleGrossNotional},
		{"the other side counts when it is larger", intent(order.Buy, 10), func(v *broker.View) {
			others("189000")(v)
			v.Open = []order.Order{named("a", working(order.Sell, 211, 0))}
		}, RuleGrossNotional},
	})
	equity := func(s string) func(*broker.View) {
		return func(v *broker.View) {
			v.Standing.Equity, v.Standing.DayStart, v.Standing.Peak = amount(s), amount(s), amount(s)
		}
	}
	ask(t, gate(t), []row{
		{"equity below the gross", intent(order.Buy, 10), equity("10999.99"), RuleLeverage},
		{"equity at the gross", intent(order.Buy, 10), equity("11000"), ""},
		{"equity above the gross", intent(order.Buy, 10), equity("11000.01"), ""},
		{"equity unknown", intent(order.Buy, 10), func(v *broker.View) { v.Standing.Equity = nil }, RuleEquity},
		{"debts", intent(order.Buy, 10), equity("-20000"), RuleDrawdown},
		{"another currency", intent(order.Buy, 10), func(v *broker.View) {
			v.Details.Contract.Currency, v.Standing.Currency = "USD", "EUR"
		}, RuleLeverage},
		{"a reduction asks for none of it", intent(order.Sell, 10), func(v *broker.View) {
			v.Others, v.Standing = nil, broker.Standing{}
		}, ""},
	})
	ask(t, gate(t, off(RuleEquity)), []row{
		{"without the equity rule leverage still wants it", intent(order.Buy, 10), func(v *broker.View) { v.Standing.Equity = nil }, RuleLeverage},
	})
	half := gate(t, func(c *Config) { c.MaxLeverage = market.MustQty("0.5") })
	ask(t, half, []row{
		{"half of 22,000", intent(order.Buy, 10), equity("22000"), ""},
		{"half of 21,999", intent(order.Buy, 10), equity("21999"), RuleLeverage},
	})
}

// A modification is judged like the order that results, without what the order
// takes that it changes.
func TestModify(t *testing.T) {
	target := named("t", working(order.Buy, 300, 100))
	modify := func(side order.Side, n int64) order.Intent {
		i := intent(side, n)
		i.Action, i.Target = order.Modify, "t"
		return i
	}
	with := func(o order.Order, more ...func(*broker.View)) func(*broker.View) {
		return func(v *broker.View) {
			v.Target, v.Open = &o, []order.Order{o}
			for _, f := range more {
				f(v)
			}
		}
	}
	stop := named("s", working(order.Sell, 100, 0))
	stop.Type, stop.StopPrice = order.Stop, dollars("95")
	restop := func(p string, n int64) order.Intent {
		i := modify(order.Sell, n)
		i.Type, i.Stop = order.Stop, dollars(p)
		return i
	}
	jumped := func(v *broker.View) {
		v.Quote.Bid, v.Quote.Ask = dollars("100.02"), dollars("99.98")
		v.Mode = broker.Halted
		v.Own = true
	}
	ask(t, gate(t), []row{
		{"to 500, of which 100 are held", modify(order.Buy, 500), with(target), ""},
		{"to 501", modify(order.Buy, 501), with(target), RulePositionNotional},
		{"no target", modify(order.Buy, 10), nil, RuleIntent},
		{"another side", modify(order.Sell, 10), with(target), RuleIntent},
		{"the day has room for what it grows by", modify(order.Buy, 310), with(target, func(v *broker.View) { v.SentNotional = market.MustMoney("499000") }), ""},
		{"the day has no room for one more", modify(order.Buy, 311), with(target, func(v *broker.View) { v.SentNotional = market.MustMoney("499000") }), RuleNotionalPerDay},
		{"it shrinks", modify(order.Buy, 200), with(target, func(v *broker.View) { v.SentNotional = market.MustMoney("500000") }), ""},
		{"a stop of all that is held", restop("96", 100), with(stop), ""},
		{"a stop of one more", restop("96", 101), with(stop, func(v *broker.View) { v.Mode = broker.ReduceOnly }), RuleMode},
		{"the desk's stop while halted", restop("96", 100), with(stop, func(v *broker.View) { v.Mode, v.Own = broker.Halted, true }), ""},
		{"a stop is not moved by a crossed market", restop("96", 100), with(stop, jumped), RuleTickSanity},
		{"its size may follow the position", restop("95", 50), with(stop, jumped), ""},
		{"it is no duplicate", modify(order.Buy, 10), with(target, func(v *broker.View) { v.Twin = broker.Twin{ID: "y", At: noon} }), ""},
		{"it is no re-entry", modify(order.Buy, 10), with(target, func(v *broker.View) { v.LastExit = noon }), ""},
	})
}

// exitOf is an exit that works in a group.
func exitOf(oca string, n int64) order.Order {
	o := in(oca, working(order.Sell, n, 0))
	o.Type = order.Limit
	return o
}

func TestGroupsShareTheRoomToReduce(t *testing.T) {
	exit := func(n int64, oca string) order.Intent {
		i := intent(order.Sell, n)
		i.OCA = oca
		return i
	}
	reduceOnly := func(list ...order.Order) func(*broker.View) {
		return func(v *broker.View) { v.Mode, v.Open = broker.ReduceOnly, list }
	}
	stop := in("g", working(order.Sell, 100, 0))
	ask(t, gate(t), []row{
		{"an exit beside its stop", exit(100, "g"), reduceOnly(stop), ""},
		{"an exit beside another group's stop", exit(100, "h"), reduceOnly(stop), RuleMode},
		{"an exit of no group", exit(1, ""), reduceOnly(stop), RuleMode},
		{"an exit of more than is held", exit(101, "g"), reduceOnly(stop), RuleMode},
		{"two of a group, the larger counts", exit(40, ""), reduceOnly(in("g", working(order.Sell, 60, 0)), in("g", working(order.Sell, 50, 0))), ""},
		{"two of a group, one too many", exit(41, ""), reduceOnly(in("g", working(order.Sell, 50, 0)), in("g", working(order.Sell, 60, 0))), RuleMode},
		{"equal ones of a group count once", exit(40, ""), reduceOnly(in("g", working(order.Sell, 60, 0)), in("g", working(order.Sell, 60, 0))), ""},
		{"another exit of the stop's group counts for itself", exit(41, "g"), reduceOnly(stop, exitOf("g", 60)), RuleMode},
		{"as far as it leaves room", exit(40, "g"), reduceOnly(stop, exitOf("g", 60)), ""},
		{"a stop takes what an exit of its group leaves", exit(1, ""), reduceOnly(stop, exitOf("g", 60)), RuleMode},
		{"those without a group all count", exit(40, ""), reduceOnly(working(order.Sell, 60, 0), working(order.Sell, 1, 0)), RuleMode},
		{"an ended one of the group", exit(40, ""), reduceOnly(func() order.Order {
			o := in("g", working(order.Sell, 100, 0))
			o.State = order.Cancelled
			return o
		}(), in("g", working(order.Sell, 60, 0))), ""},
	})
}

// Halted, only what the desk asks itself and what reduces passes.
func TestHalted(t *testing.T) {
	halted := func(own bool, why string) func(*broker.View) {
		return func(v *broker.View) { v.Mode, v.ModeReason, v.Own = broker.Halted, why, own }
	}
	ask(t, gate(t), []row{
		{"the desk closes", intent(order.Sell, 100), halted(true, ""), ""},
		{"the desk would turn over", intent(order.Sell, 101), halted(true, ""), RuleMode},
		{"the desk would enter", intent(order.Buy, 1), halted(true, ""), RuleMode},
		{"a strategy closes", intent(order.Sell, 100), halted(false, ""), RuleMode},
	})
	v := good()
	halted(false, "a person said so")(&v)
	if d := gate(t).Decide(v, intent(order.Sell, 100)); d.Reason != "the mode is halted (a person said so); resume to trade" {
		t.Errorf("reason %q", d.Reason)
	}
}

func TestRatesLookAtEntriesAlone(t *testing.T) {
	v := good()
	v.Sent, v.SentNotional = make([]time.Time, 40), market.MustMoney("900000")
	for i := range v.Sent {
		v.Sent[i] = noon
	}
	if d := gate(t).Decide(v, intent(order.Sell, 100)); !d.Allowed {
		t.Errorf("a reduction is refused by %s", d.Rule)
	}
}
