package desk

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// The versions of one execution.
const (
	firstVersion  = "0000e0d5.6560d3c8.01.01"
	secondVersion = "0000e0d5.6560d3c8.01.02"
	thirdVersion  = "0000e0d5.6560d3c8.01.03"
)

func at(x broker.ExecutionReport, price string) broker.ExecutionReport {
	x.Fill.Price = market.MustPrice(price)
	return x
}

// TestTheNewestVersionOfAnExecutionCounts: a correction or a bust replaces what
// it corrects, in whatever order and however often the versions come, in the
// order, the position and for those who listen; the journal keeps all.
func TestTheNewestVersionOfAnExecutionCounts(t *testing.T) {
	one := executed(151, "a", firstVersion, "10")
	dearer := at(executed(151, "a", secondVersion, "10"), "187.30")
	fewer := at(executed(151, "a", thirdVersion, "4"), "187.40")
	bust := executed(151, "a", secondVersion, "0")
	for _, tt := range []struct {
		name    string
		reports []broker.Event
		filled  string
		price   string // "" = none
		state   order.State
		stored  int // executions in the journal
	}{
		{"another price", []broker.Event{one, dearer}, "10", "187.3", order.Filled, 2},
		{"told again, as after a reconnection", []broker.Event{one, dearer, dearer, one}, "10", "187.3", order.Filled, 2},
		{"the first version late", []broker.Event{dearer, one}, "10", "187.3", order.Filled, 2},
		{"fewer shares", []broker.Event{one, fewer}, "4", "187.4", order.Filled, 2}, // what has ended has ended
		{"a version is missed", []broker.Event{one, fewer, dearer}, "4", "187.4", order.Filled, 3},
		{"taken back", []broker.Event{one, bust}, "0", "", order.Filled, 2},
		{"taken back before it came", []broker.Event{bust, one}, "0", "", order.Working, 2},
		{"more of an order that is open", []broker.Event{executed(151, "a", firstVersion, "4"), executed(151, "a", secondVersion, "10")}, "10", "187.25", order.Filled, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.ask(buy("a"))
				r.send(described(151, "a", order.WorkingNow))
				for _, e := range tt.reports {
					r.send(e)
				}
				o := r.order("a")
				if o.State != tt.state || o.Filled != market.MustQty(tt.filled) || (o.AvgPrice == nil) != (tt.price == "") ||
					o.AvgPrice != nil && o.AvgPrice.String() != tt.price {
					t.Errorf("order is %v, %v filled at %v", o.State, o.Filled, o.AvgPrice)
				}
				s := r.desk.State(context.Background())
				var held, sum market.Qty
				for _, p := range s.Positions {
					held = held.Add(p.Qty)
				}
				for _, f := range s.Fills {
					sum = sum.Add(f.Qty)
				}
				if held != market.MustQty(tt.filled) || sum != held || len(s.Fills) > 1 {
					t.Errorf("fills %+v, positions %+v", s.Fills, s.Positions)
				}
				if tt.price != "" && s.Positions[0].AvgCost.String() != tt.price {
					t.Errorf("position costs %v", s.Positions[0].AvgCost)
				}
				stored := 0
				for _, rec := range r.journal.records {
					if rec.Fill != nil {
						stored++
					}
				}
				if stored != tt.stored || r.out.named("reconciliation_difference")+r.out.named("report_absurd") != 0 {
					t.Errorf("%d executions stored, notices %+v", stored, r.out.notices)
				}
				// Whoever listens has what the books have.
				told := map[string]market.Qty{}
				for _, f := range r.out.fills {
					delete(told, f.Replaces)
					told[f.ExecID] = f.Qty
				}
				sum = market.Qty{}
				for _, q := range told {
					sum = sum.Add(q)
				}
				if sum != held {
					t.Errorf("told %+v", r.out.fills)
				}
			})
		})
	}
}

// TestACorrectionWithoutReasonIsNotApplied: another side or symbol is no
// version of the same execution.
func TestACorrectionWithoutReasonIsNotApplied(t *testing.T) {
	sold := executed(151, "a", secondVersion, "10")
	sold.Fill.Side = order.Sell
	other := executed(151, "a", secondVersion, "10")
	other.Fill.Symbol = "MSFT"
	for i, x := range []broker.ExecutionReport{sold, other, executed(151, "a", secondVersion, "-1"), executed(151, "a", secondVersion, "90000000000")} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.ask(buy("a"))
				r.send(described(151, "a", order.WorkingNow), executed(151, "a", firstVersion, "10"))
				r.send(x)
				r.send(x)
				if o := r.order("a"); o.Filled != market.Shares(10) || r.out.named("report_absurd") != 1 {
					t.Errorf("%v filled, notices %+v", o.Filled, r.out.notices)
				}
			})
		})
	}
}

// TestTheCommissionOfACorrection: as long as none is told for the new version,
// that of the old one stands.
func TestTheCommissionOfACorrection(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow), executed(151, "a", firstVersion, "10"), cost(firstVersion))
		r.send(at(executed(151, "a", secondVersion, "10"), "187.30"))
		commission := func() string { return r.desk.State(context.Background()).Fills[0].Commission.String() }
		if got := commission(); got != "1" {
			t.Errorf("the new version costs %s", got)
		}
		c := cost(secondVersion)
		c.Commission = market.MustMoney("1.5")
		r.send(c, cost(firstVersion))
		if got := commission(); got != "1.5" {
			t.Errorf("after its own commission it costs %s", got)
		}
	})
}

// TestARestartKnowsTheNewestVersion: the journal has both, and the broker tells
// both again.
func TestARestartKnowsTheNewestVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := executed(11, "a", firstVersion, "10"), at(executed(11, "a", secondVersion, "6"), "187.30")
		r := ready(t, func(r *rig, _ *Config) {
			o := described(11, "a", 0).Order
			o.State, o.Filled = order.Partial, market.Shares(10)
			o.Qty = market.Shares(20)
			r.journal.past = broker.Books{Orders: []order.Order{o}, Fills: []order.Fill{one.Fill, two.Fill}}
			open := described(11, "a", order.WorkingNow)
			open.Order.Qty = o.Qty
			r.session.open = []broker.OrderReport{open}
			r.session.fills = []broker.ExecutionReport{one, two}
		})
		s := r.desk.State(context.Background())
		if o := r.order("a"); o.Filled != market.Shares(6) || o.AvgPrice.String() != "187.3" || len(s.Fills) != 1 || s.Fills[0].ExecID != secondVersion {
			t.Errorf("%v filled at %v, fills %+v", o.Filled, o.AvgPrice, s.Fills)
		}
		r.stop(t)
	})
}
