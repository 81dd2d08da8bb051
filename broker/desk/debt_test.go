package desk

import (
	"sync/atomic"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestALateExecutionIsNotCountedTwice: a position that was taken over from the
// broker has the executions in it that are told later.
func TestALateExecutionIsNotCountedTwice(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		k.venue(func() {
			k.held = heldAt("10")
			k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)}
		}) // the position is told, the execution not yet
		time.Sleep(40 * time.Second)
		if q := r.position(); q != market.Shares(10) || len(r.out.findings) != 1 || r.out.findings[0].Explained {
			t.Fatalf("position %v, findings %+v", q, r.out.findings)
		}
		first, second := executed(151, "a", "x.01", "4"), executed(151, "a", "y.01", "6")
		k.venue(func() { k.fills, k.open = []broker.ExecutionReport{first, second}, nil })
		r.send(first)
		r.send(second)
		if q, o := r.position(), r.order("a"); q != market.Shares(10) || o.Filled != market.Shares(10) || o.State != order.Filled {
			t.Errorf("the broker holds 10, the books %v; order %v, %v filled", q, o.State, o.Filled)
		}
		later := executed(152, "b", "z.01", "1")
		later.Fill.At = day.Add(2 * time.Minute)
		k.venue(func() { k.fills, k.held = append(k.fills, later), heldAt("11") })
		time.Sleep(5 * time.Minute)
		if q := r.position(); q != market.Shares(11) || len(r.out.findings) != 3+1 {
			t.Errorf("with one that is new: %v, findings %+v", q, r.out.findings)
		}
	})
}

// TestLateExecutionsOfOthersAreNotCountedTwice: of those that another client
// made, the ones from before the position was taken over are in it.
func TestLateExecutionsOfOthersAreNotCountedTwice(t *testing.T) {
	hand := func(id, qty string, at time.Time) broker.ExecutionReport {
		f := executed(0, "", id, qty)
		f.Fill.ClientID, f.Fill.At = 0, at
		return f
	}
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("all executions", broker.ErrNoAnswer)
		k.venue(func() { k.held = heldAt("30") })
		time.Sleep(time.Minute)
		if q := r.position(); q != market.Shares(30) {
			t.Fatalf("position %v", q)
		}
		k.fails("all executions", nil)
		k.venue(func() {
			k.foreign = []broker.ExecutionReport{hand("h1.01", "30", day.Add(10*time.Second)), hand("h2.01", "5", day.Add(70*time.Second))}
			k.held = heldAt("35")
		})
		for range 90 {
			time.Sleep(time.Second)
			if q := r.position(); market.Shares(35).Less(q) {
				t.Fatalf("the broker holds 35, the books %v", q)
			}
		}
		if q := r.position(); q != market.Shares(35) {
			t.Errorf("the broker holds 35, the books %v", q)
		}
	})
}

// TestACorrectionOfAnUnknownExecutionMovesNothing: its first version is in the
// position since long; the broker is asked.
func TestACorrectionOfAnUnknownExecutionMovesNothing(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		x := executed(51, "old", "x.02", "9") // of yesterday; the position of 10 holds its first version
		x.Fill.At = day.Add(-24 * time.Hour)
		var asked atomic.Int32
		k.asking(func(what string) {
			if what == "positions" {
				asked.Add(1)
			}
		})
		if r.send(x); r.position() != market.Shares(10) {
			t.Errorf("position %v", r.position())
		}
		if time.Sleep(2 * lookSoonAfter); asked.Load() == 0 {
			t.Error("the broker was not asked")
		}
		x.Fill.ExecID, x.Fill.Qty = "x.01", market.Shares(10)
		if r.send(x); r.position() != market.Shares(10) {
			t.Errorf("after its first version: position %v", r.position())
		}
	}, func(r *rig, _ *Config) { r.session.held = heldAt("10") })
}

// TestALateExecutionIsNotCountedTwiceOverARestart: the program was killed between
// the position that was taken over and the executions of it.
func TestALateExecutionIsNotCountedTwiceOverARestart(t *testing.T) {
	late, later := executed(51, "a", "x.01", "10"), executed(52, "b", "y.01", "1")
	late.Fill.At, later.Fill.At = day.Add(-time.Minute), day.Add(time.Second)
	for name, tt := range map[string]struct {
		taken time.Time
		want  string
	}{
		"taken over":     {day.Add(-30 * time.Second), "11"},
		"not taken over": {time.Time{}, "21"}, // until a look finds the difference
		"taken over in another run of a simulated market": {day.Add(time.Hour), "21"},
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				if q := r.position(); q != market.Shares(10) {
					t.Fatalf("it begins with %v", q)
				}
				k.venue(func() { k.fills, k.held, k.open = []broker.ExecutionReport{late, later}, heldAt("11"), nil })
				r.send(late, later)
				if q, o := r.position(), r.order("a"); q != market.MustQty(tt.want) || o.State != order.Filled {
					t.Errorf("the broker holds 11, the books %v; order %v", q, o.State)
				}
				time.Sleep(2 * time.Minute)
				restricted := r.mode() != broker.Active
				if q := r.position(); q != market.Shares(11) || restricted != (tt.want != "11") {
					t.Errorf("after some looks the books have %v, mode %s; findings %+v", q, r.mode(), r.out.findings)
				}
			}, func(r *rig, _ *Config) {
				o := described(51, "a", 0).Order
				o.State, o.Created = order.Working, day.Add(-2*time.Minute)
				r.journal.past.Orders = []order.Order{o}
				r.session.open = []broker.OrderReport{described(51, "a", order.WorkingNow)}
				r.session.held = heldAt("10")
				if !tt.taken.IsZero() {
					r.journal.past.Adopted = map[market.Symbol]time.Time{"AAPL": tt.taken}
				}
			})
		})
	}
}
