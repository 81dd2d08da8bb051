package desk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

func cancelling(_ *rig, c *Config) { c.OnStop = CancelWorking }

func TestWindDownCancelsWhatWorksAndWaits(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"a", "b"} {
			r.ask(buy(id))
		}
		r.send(described(151, "a", order.WorkingNow), described(152, "b", order.WorkingNow))
		done := make(chan error, 1)
		go func() { done <- r.desk.WindDown(context.Background()) }()
		synctest.Wait()
		if len(r.session.cancelled) != 2 {
			t.Fatalf("cancels of %v went out, want both orders", r.session.cancelled)
		}
		r.send(status(151, order.CancelDone))
		select {
		case err := <-done:
			t.Fatalf("wound down while an order works: %v", err)
		default:
		}
		r.send(status(152, order.CancelDone))
		if err := <-done; err != nil {
			t.Error(err)
		}
	}, cancelling)
}

func TestWindDownNamesWhatStillWorks(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.desk.WindDown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a venue that does not answer: %v", err)
		}
		r.send(status(151, order.CancelDone))
	}, cancelling)
}

// TestWindDownOfADeskThatStands: when nobody can look at the books, they are
// not empty.
func TestWindDownOfADeskThatStands(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		r.desk.turn <- struct{}{} // as while the disk stands still
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := r.desk.WindDown(ctx)
		r.desk.give()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wound down with %v", err)
		}
		r.send(status(151, order.CancelDone))
	}, cancelling)
}

// TestOrdersOfAnotherAccountAreLeftAlone has a folder in which another account,
// such as a simulated one, left an order behind, and an order of another client
// id. Their numbers are other orders' here.
func TestOrdersOfAnotherAccountAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		elsewhere, other := described(90, "old", 0).Order, described(91, "their", 0).Order
		elsewhere.Account, elsewhere.State = "DUSIM", order.Working
		other.ClientID, other.State = 3, order.Working
		r := ready(t, cancelling, func(r *rig, _ *Config) {
			r.journal.past = broker.Books{Orders: []order.Order{elsewhere, other}}
		})
		r.ask(buy("a"))
		if open := r.views[0].Open; len(open) != 1 || open[0].Ref != "their" {
			t.Errorf("the gate saw %+v", open)
		}
		for _, ref := range []string{"old", "their"} {
			if reply := r.ask(cancelOf("c-"+ref, ref)); reply.Rule != "unknown_target" {
				t.Errorf("cancel of %s: %+v", ref, reply)
			}
		}
		r.send(status(151, order.CancelDone))
		if err := r.desk.WindDown(context.Background()); err != nil || len(r.session.cancelled) != 0 {
			t.Errorf("%v, cancelled %v", err, r.session.cancelled)
		}
		r.stop(t)
	})
}

func TestWindDownMayLeaveOrders(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		if err := r.desk.WindDown(context.Background()); err != nil || len(r.session.cancelled) != 0 {
			t.Errorf("%v, cancelled %v", err, r.session.cancelled)
		}
		r.send(status(151, order.CancelDone))
	}, func(_ *rig, c *Config) { c.OnStop = LeaveWorking })
}

// TestWindDownEndsEntriesByDefault: what they fill when the trader has gone would
// have no stop. What leaves a position stays, and nobody waits for an order that
// may not be there.
func TestWindDownEndsEntriesByDefault(t *testing.T) {
	for _, qty := range []int64{10, -10} {
		in(t, func(t *testing.T, r *rig) {
			entry, exit, lost := buy("entry"), sell("exit", 10), buy("lost")
			if qty < 0 {
				entry.Side, exit.Side, lost.Side = order.Sell, order.Buy, order.Sell
			}
			for i, in := range []order.Intent{entry, exit, lost} {
				r.ask(in)
				if in.ID != "lost" {
					d := described(int64(151+i), in.ID, order.WorkingNow)
					d.Order.Side = in.Side
					r.send(d)
				}
			}
			later(6 * time.Second)
			done := make(chan error, 1)
			go func() { done <- r.desk.WindDown(context.Background()) }()
			synctest.Wait()
			if got := r.sent(); len(got) != 2 || got[0] != 151 || got[1] != 153 {
				t.Fatalf("cancelled %v", got)
			}
			r.send(status(151, order.CancelDone))
			later(time.Second)
			if err := <-done; err != nil {
				t.Error(err)
			}
		}, holds(qty), unlooked)
	}
}
