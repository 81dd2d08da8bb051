package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// holds sets what the broker shows of AAPL, before the session is served.
func holds(shares int64) func(*rig, *Config) {
	return func(r *rig, _ *Config) {
		r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(shares)}}
	}
}

func sell(id string, shares int64) order.Intent {
	in := buy(id)
	in.Side, in.Qty = order.Sell, market.Shares(shares)
	return in
}

// own asks as the desk itself does.
func (r *rig) own(in order.Intent) event.OrderReply {
	r.desk.turn <- struct{}{}
	defer r.desk.give()
	in.Strategy = books.OwnStrategy
	return r.desk.handle(context.Background(), in, true)
}

// sent returns the numbers whose cancels went out, in order, once nothing moves.
func (r *rig) sent() []int64 {
	synctest.Wait()
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	return slices.Clone(r.session.cancelled)
}

func (r *rig) orders() []broker.Ticket {
	synctest.Wait()
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	return slices.Clone(r.session.placed)
}

func (r *rig) modeNow() event.ModeChange { return r.desk.State(context.Background()).Mode }

func halt(t *testing.T, r *rig) event.ModeChange {
	t.Helper()
	c, err := r.desk.Halt(context.Background(), "a person", "a test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHaltCancelsEntriesAndLeavesWhatReduces(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("entry"))      // 151
		r.ask(sell("exit", 6))   // 152
		r.ask(sell("beyond", 6)) // 153: together they would turn the position over
		c := halt(t, r)
		if got := r.sent(); !slices.Equal(got, []int64{151, 153}) {
			t.Fatalf("cancelled %v", got)
		}
		if len(c.Pending) != 2 || c.Pending[0] != (event.Ending{OrderID: 151, Ref: "entry", Symbol: "AAPL", Cancel: event.CancelWritten}) {
			t.Errorf("pending %+v", c.Pending)
		}
		if c.Mode != broker.Halted || c.Reason != "halted by a person: a test" {
			t.Errorf("%+v", c)
		}
		if o := r.order("entry"); o.State != order.Cancelling || o.Note != c.Reason {
			t.Errorf("%+v", o)
		}
		r.send(status(151, order.CancelDone), status(153, order.CancelDone))
		time.Sleep(holdEvery)
		synctest.Wait()
		if left := r.modeNow().Pending; len(left) != 0 {
			t.Errorf("still pending: %+v", left)
		}
		if told := r.out.modes[len(r.out.modes)-1]; len(told.Pending) != 0 || told.Mode != broker.Halted {
			t.Errorf("told last: %+v", told)
		}
		time.Sleep(time.Minute)
		if got := r.sent(); len(got) != 2 {
			t.Errorf("cancelled again: %v", got)
		}
	}, holds(10))
}

func TestHaltLeavesOneGroupThatTogetherReduces(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		for i, id := range []string{"target", "second", "third"} {
			in := sell(id, 10)
			in.OCA = "pair"
			r.ask(in)
			e := r.desk.books.ByRef[id]
			if e.OCA = "pair"; i == 2 { // another group
				e.OCA = "other"
			}
		}
		halt(t, r)
		if got := r.sent(); !slices.Equal(got, []int64{153}) {
			t.Errorf("cancelled %v", got)
		}
	}, holds(10))
}

// TestHaltInDoubt: with the position unknown nothing is known to reduce it, and
// only the desk's own orders stay.
func TestHaltInDoubt(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(sell("exit", 6))
		r.own(sell("stop", 10))
		r.desk.turn <- struct{}{}
		r.desk.books.Positions = nil
		r.desk.give()
		halt(t, r)
		if got := r.sent(); !slices.Equal(got, []int64{151}) {
			t.Errorf("cancelled %v", got)
		}
	}, holds(10))
}

// TestHaltWithoutALink: the latch is answered at once, and the cancels go out
// when the link is ready: over the next session, and in the next life, too.
func TestHaltWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		r.ask(buy("a"))
		r.ask(buy("b"))
		open := []broker.OrderReport{described(151, "a", order.WorkingNow), described(152, "b", order.WorkingNow)}
		r.send(open[0], open[1])
		_ = r.session.Close(context.Background())
		<-r.served
		r.desk.LinkChanged(broker.Link{State: broker.Waiting})
		c := halt(t, r)
		if len(c.Pending) != 2 || c.Pending[0].Cancel != event.CancelWaits || len(r.sent()) != 0 {
			t.Fatalf("without a link: %+v, cancelled %v", c.Pending, r.session.cancelled)
		}
		r.session = newSession(r.trace)
		r.session.open = open
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") } // ends when the batch is read
		r.serve()
		r.climb(t)
		if got := r.sent(); !slices.Equal(got, []int64{151, 152}) {
			t.Errorf("on ready, cancelled %v", got)
		}
		r.stop(t)

		latch := lastMode(r)
		next := ready(t, func(n *rig, _ *Config) {
			n.journal.past = broker.Books{Mode: latch, Orders: []order.Order{r.order("a"), r.order("b")}}
			n.session.open = open
		})
		if got := next.sent(); !slices.Equal(got, []int64{151, 152}) {
			t.Errorf("in the next life, cancelled %v", got)
		}
		next.stop(t)
	})
}

func lastMode(r *rig) (m *broker.ModeRecord) {
	for _, rec := range r.journal.records {
		if rec.Mode != nil {
			m = rec.Mode
		}
	}
	return m
}

func TestACancelWithoutEffectIsWrittenAgain(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(status(151, order.WorkingNow))
		r.session.cancel = fmt.Errorf("no room: %w", broker.ErrNotWritten)
		if c := halt(t, r); c.Pending[0].Cancel != event.CancelNext {
			t.Errorf("%+v", c.Pending)
		}
		r.session.mu.Lock()
		r.session.cancel = nil
		r.session.mu.Unlock()
		time.Sleep(holdEvery)
		if got := r.sent(); len(got) != 1 {
			t.Fatalf("a cancel that did not go out: %v", got)
		}
		r.send(status(151, order.CancelFail))
		time.Sleep(books.CancelAgain + holdEvery)
		if got := r.sent(); len(got) != 2 {
			t.Errorf("a cancel that the venue refused: %v", got)
		}
	})
}

// TestLatchedKillSwitchIsVisible is of field-lessons §1, number 13: a switch
// that latched looked like a program that started again and again. Ours is told
// with who, why and since when, on every start, and what it refuses says so.
func TestLatchedKillSwitchIsVisible(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		m := r.modeNow()
		if m.Mode != broker.Halted || m.Reason != "halted by a person: why" || !m.Since.Equal(day) {
			t.Errorf("%+v", m)
		}
		time.Sleep(holdEvery)
		synctest.Wait()
		if len(r.out.modes) == 0 || r.out.modes[0].Mode != broker.Halted {
			t.Errorf("told %+v", r.out.modes)
		}
		if reply := r.ask(buy("a")); reply.Rule != "halted" || reply.Reason != "trading is halted: halted by a person: why; resume to trade" {
			t.Errorf("%+v", reply)
		}
		if _, err := r.desk.Resume(context.Background(), "a person", ""); err != nil {
			t.Fatal(err)
		}
		if m := r.modeNow(); m.Mode != broker.Active || m.Reason != "resumed by a person" || lastMode(r).Mode != broker.Active {
			t.Errorf("%+v", m)
		}
		if reply := r.ask(buy("b")); reply.Result != event.Written {
			t.Errorf("after resume: %+v", reply)
		}
	}, func(r *rig, _ *Config) {
		r.journal.past.Mode = &broker.ModeRecord{Mode: broker.Halted, Reason: "halted by a person: why", Since: day}
	})
}

// TestAHaltIsNotUndoneByAChangeBeforeIt: a change to reduce_only that began
// before the halt and has its turn after it leaves the halt in force.
func TestAHaltIsNotUndoneByAChangeBeforeIt(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		r.desk.turn <- struct{}{} // a command that takes its time
		softer := make(chan error, 1)
		go func() { _, err := r.desk.SetMode(ctx, broker.ReduceOnly, "a difference"); softer <- err }()
		synctest.Wait()
		harder := make(chan error, 1)
		go func() { _, err := r.desk.Halt(ctx, "a person", ""); harder <- err }()
		synctest.Wait()
		r.desk.give()
		if err := errors.Join(<-softer, <-harder); err != nil {
			t.Fatal(err)
		}
		if m := r.modeNow(); m.Mode != broker.Halted || lastMode(r).Mode != broker.Halted {
			t.Errorf("%+v, stored %+v", m, lastMode(r))
		}
	})
}

// TestAHaltLeavesUnknownUnknown: the cancel of an order whose outcome nobody
// knows goes out once, and makes it no better known.
func TestAHaltLeavesUnknownUnknown(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.venue(func() {
			r.session.placing = func(broker.Ticket) error { return broker.ErrOutcomeUnknown }
		})
		r.ask(buy("a"))
		halt(t, r)
		time.Sleep(time.Minute)
		if got := r.sent(); !slices.Equal(got, []int64{151}) || r.order("a").State != order.Unknown {
			t.Errorf("cancelled %v, %+v", got, r.order("a"))
		}
	})
}

// TestReduceOnlyDoesNotUndoAHalt: a script that asks for reduce_only wants less
// to go out, never more.
func TestReduceOnlyDoesNotUndoAHalt(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		was := halt(t, r)
		m, err := r.desk.SetMode(context.Background(), broker.ReduceOnly, "a script")
		if err != nil || m.Mode != broker.Halted || m.Reason != was.Reason {
			t.Errorf("%+v, %v; want the halt as it was", m, err)
		}
		if m, err = r.desk.Resume(context.Background(), "a person", ""); err != nil || m.Mode != broker.Active {
			t.Errorf("%+v, %v", m, err)
		}
	}, unlooked)
}
