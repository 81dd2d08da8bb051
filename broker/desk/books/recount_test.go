package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// A crash between an execution's record and its order's leaves an order that
// knows less than its executions.
func TestRestartCountsExecutionsThatTheOrderMissed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fills []string // execution id and quantity by turns
		want  string
		state order.State
	}{
		{"all of it", []string{"a.01.01", "10"}, "10", order.Filled},
		{"a part", []string{"a.01.01", "4"}, "4", order.Partial},
		{"two", []string{"a.01.01", "4", "b.01.01", "3"}, "7", order.Partial},
		{"a correction in place of the first version", []string{"a.01.01", "4", "a.01.02", "3"}, "3", order.Partial},
		{"none", nil, "0", order.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := described(7, "x", order.Acked).Order
			past := broker.Books{Orders: []order.Order{o}}
			past.Orders[0].State = order.Intended // as Intend stored it
			for i := 0; i < len(tt.fills); i += 2 {
				past.Fills = append(past.Fills, executed(7, "x", tt.fills[i], tt.fills[i+1]).Fill)
			}
			b := New(time.UTC)
			b.Load(past, day)
			e := b.ByRef["x"]
			if e.Filled != market.MustQty(tt.want) || e.State != tt.state {
				t.Errorf("%v filled and %v, want %s and %v", e.Filled, e.State, tt.want, tt.state)
			}
			if len(tt.fills) > 0 && (e.AvgPrice == nil || *e.AvgPrice != market.MustPrice("187.25")) {
				t.Errorf("average %v, want 187.25", e.AvgPrice)
			}
		})
	}
}

// An order that has ended and knows more than the executions that were loaded
// keeps it.
func TestRestartBelievesNoLess(t *testing.T) {
	o := described(7, "x", order.Acked).Order
	o.State, o.Filled, o.AvgPrice = order.Cancelled, market.Shares(8), market.MustPrice("187.25").Ptr()
	b := New(time.UTC)
	b.Load(broker.Books{Orders: []order.Order{o}, Fills: []order.Fill{executed(7, "x", "a.01.01", "4").Fill}}, day)
	if e := b.ByRef["x"]; e.Filled != market.Shares(8) || e.State != order.Cancelled {
		t.Errorf("%v filled and %v, want 8 and cancelled", e.Filled, e.State)
	}
}

// A crash between a correction and its order's record leaves an order that
// counts the first version.
func TestRestartFollowsACorrectionThatTheOrderMissed(t *testing.T) {
	for _, qty := range []string{"3", "0"} {
		o := described(7, "x", order.Acked).Order
		o.State, o.Qty, o.Filled, o.AvgPrice = order.Filled, market.Shares(10), market.Shares(10), market.MustPrice("187.25").Ptr()
		b := New(time.UTC)
		b.Load(broker.Books{Orders: []order.Order{o}, Fills: []order.Fill{
			executed(7, "x", "a.01.01", "4").Fill, executed(7, "x", "b.01.01", "6").Fill, executed(7, "x", "a.01.02", qty).Fill,
		}}, day)
		if e, want := b.ByRef["x"], market.MustQty(qty).Add(market.Shares(6)); e.Filled != want || e.State != order.Filled {
			t.Errorf("corrected to %s: %v filled and %v, want %v and filled", qty, e.Filled, e.State, want)
		}
	}
}

// An order that is asked for before the clock must not make the desk forget
// what an earlier life sent: the limits a minute and a day hold over a restart.
func TestRatesOutlastARestart(t *testing.T) {
	b := New(time.UTC)
	b.Load(broker.Books{Sent: []broker.SentRecord{
		{At: day.Add(-50 * time.Second), Notional: market.MustMoney("100")},
		{At: day.Add(300 * time.Millisecond), Notional: market.MustMoney("20")}, // the clock was a part of a second ahead
	}}, day)
	for _, now := range []time.Time{{}, day} {
		if sent, sum := b.Rates(now); len(sent) != 2 || sum != market.MustMoney("120") {
			t.Errorf("at %v: %d sent worth %v, want 2 worth 120", now, len(sent), sum)
		}
	}
	if sent, _ := b.Rates(day.Add(-time.Hour)); len(sent) != 0 {
		t.Errorf("%d sent, an hour before all of them", len(sent))
	}
}
