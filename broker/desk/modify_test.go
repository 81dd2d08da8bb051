package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// changeOf is a change of the limit order that resting places.
func changeOf(id, target, qty, limit string) order.Intent {
	in := buy(id)
	in.Action, in.Target, in.Type = order.Modify, target, order.Limit
	in.Qty, in.Limit = market.MustQty(qty), market.MustPrice(limit).Ptr()
	return in
}

// restingReport is the venue's description of it.
func restingReport(qty, limit string) broker.OrderReport {
	r := described(151, "a", order.WorkingNow)
	r.Order.Type, r.Order.Qty, r.Order.Limit = order.Limit, market.MustQty(qty), market.MustPrice(limit).Ptr()
	return r
}

// resting places a limit order for 10 at 180 and has the venue confirm it.
func resting(t *testing.T, r *rig) {
	t.Helper()
	in := buy("a")
	in.Type, in.Limit = order.Limit, market.MustPrice("180").Ptr()
	if reply := r.ask(in); reply.Result != event.Written || reply.OrderID != 151 {
		t.Fatalf("%+v", reply)
	}
	r.send(restingReport("10", "180"))
	r.take()
}

func (r *rig) terms(t *testing.T, qty, limit string, state order.State) {
	t.Helper()
	if o := r.order("a"); o.Qty != market.MustQty(qty) || *o.Limit != market.MustPrice(limit) || o.State != state {
		t.Errorf("order %+v, want %s at %s, %v", o, qty, limit, state)
	}
}

// modifying runs a test with an order that rests.
func modifying(t *testing.T, run func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		resting(t, r)
		run(t, r)
		r.stop(t)
	})
}

func TestChangeCountsWhenTheBrokerShowsIt(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		reply := r.ask(changeOf("m1", "a", "20", "181"))
		if reply.Result != event.Written || reply.OrderID != 151 {
			t.Fatalf("%+v", reply)
		}
		if calls := strings.Join(r.take(), ", "); calls != "gate, journal, order working, wire" {
			t.Errorf("calls %s: the change is durable, and noted with its order, before it is written", calls)
		}
		if c := r.journal.intents["m1"].Changed; c == nil || c.Ref != "a" || c.Change == nil || c.Change.Qty != market.Shares(20) || c.Qty != market.Shares(10) {
			t.Errorf("the intent says of the order: %+v", c)
		}
		if v := r.views[len(r.views)-1]; v.Target == nil || v.Target.Ref != "a" {
			t.Errorf("the gate saw %+v", v.Target)
		}
		last := r.session.placed[len(r.session.placed)-1]
		if last.OrderID != 151 || last.Ref() != "a" || last.Intent.Qty != market.Shares(20) {
			t.Errorf("ticket %+v", last)
		}
		r.terms(t, "10", "180", order.Working)
		r.send(restingReport("10", "180")) // it crossed the change
		if reply := r.ask(changeOf("m2", "a", "30", "181")); reply.Result != event.Refused || reply.Rule != "change_in_flight" || !strings.Contains(reply.Reason, "m1") {
			t.Errorf("second change: %+v", reply)
		}
		r.send(restingReport("20", "181"))
		r.terms(t, "20", "181", order.Working)
		if o := r.out.orders[len(r.out.orders)-1]; o.Qty != market.Shares(20) {
			t.Errorf("told %+v", o)
		}
		if reply := r.ask(changeOf("m1", "a", "20", "181")); !reply.Known {
			t.Errorf("asked twice: %+v", reply)
		}
		if reply := r.ask(changeOf("m3", "a", "30", "182")); reply.Result != event.Written {
			t.Errorf("the next change: %+v", reply)
		}
	})
}

func TestChangesThatAreRefused(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		r.send(executed(151, "a", "x.01", "4"))
		sell := changeOf("s", "a", "20", "181")
		sell.Side = order.Sell
		for _, tt := range []struct {
			in   order.Intent
			rule string
		}{
			{changeOf("f", "a", "4", "181"), "below_filled"},
			{changeOf("u", "nobody", "20", "181"), "unknown_target"},
			{sell, "mismatch"},
		} {
			if reply := r.ask(tt.in); reply.Result != event.Refused || reply.Rule != tt.rule || reply.Reason == "" {
				t.Errorf("%s: %+v", tt.rule, reply)
			}
		}
		if reply := r.ask(buy("b")); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		in := changeOf("n", "b", "20", "181")
		in.Type, in.Limit = order.Market, nil
		if reply := r.ask(in); reply.Rule != "not_proven" {
			t.Errorf("a change of an order that nobody has answered for: %+v", reply)
		}
		r.ask(cancelOf("c", "a"))
		if reply := r.ask(changeOf("x", "a", "20", "181")); reply.Rule != "not_proven" {
			t.Errorf("a change beside a cancel: %+v", reply)
		}
		r.send(status(151, order.CancelDone))
		if reply := r.ask(changeOf("y", "a", "20", "181")); reply.Rule != "already_ended" {
			t.Errorf("a change of an order that ended: %+v", reply)
		}
		if n := len(r.session.placed); n != 2 {
			t.Errorf("%d orders were written", n)
		}
	})
}

// TestRefusedChangeLeavesTheOldVersion: whatever word the venue uses.
func TestRefusedChangeLeavesTheOldVersion(t *testing.T) {
	for _, n := range []broker.Notice{
		{Kind: broker.NoticeReject, Code: 201},
		{Kind: broker.NoticeWarning, Code: 104},
		{Kind: broker.NoticeWarning, Code: 105},
		{Kind: broker.NoticeWarning, Code: 2102},
	} {
		modifying(t, func(t *testing.T, r *rig) {
			r.ask(changeOf("m1", "a", "20", "181"))
			r.session.open = []broker.OrderReport{restingReport("10", "180")}
			n.OrderID, n.Text = 151, "no"
			r.send(n)
			r.terms(t, "10", "180", order.Working)
			if reply := r.ask(changeOf("m2", "a", "15", "180")); reply.Result != event.Written {
				t.Errorf("code %d: the next change: %+v", n.Code, reply)
			}
		})
	}
}

// TestFieldLessonChangeDuringAnOutageLeavesOneOrder: §2 number 13, a change
// written into an outage left two live orders. The outcome is unknown until the
// broker shows one version or the other, under the one number; nothing is
// written meanwhile.
func TestFieldLessonChangeDuringAnOutageLeavesOneOrder(t *testing.T) {
	for name, tt := range map[string]struct{ qty, limit string }{
		"the change arrived": {"20", "181"}, "the change was lost": {"10", "180"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready(t)
				resting(t, r)
				r.session.mu.Lock()
				r.session.placing = func(broker.Ticket) error {
					return &broker.Error{Kind: broker.ErrOutcomeUnknown, Err: errors.New("cut")}
				}
				r.session.mu.Unlock()
				if reply := r.ask(changeOf("m1", "a", "20", "181")); reply.Result != event.Unknown {
					t.Fatalf("%+v", reply)
				}
				r.terms(t, "10", "180", order.Unknown)
				_ = r.session.Close(context.Background())
				<-r.served
				r.desk.LinkChanged(broker.Link{State: broker.Waiting})
				next := newSession(r.trace)
				next.open = []broker.OrderReport{restingReport(tt.qty, tt.limit)}
				next.onSub = r.session.onSub
				r.session = next
				next.onSub = func(s market.Symbol) { go r.tick(s, "187.25") } // ends when the batch is read
				r.serve()
				synctest.Wait()
				r.desk.LinkChanged(broker.Link{State: broker.Ready})
				if reply := r.ask(changeOf("m2", "a", "30", "182")); reply.Result != event.Refused || reply.Rule != "change_in_flight" {
					t.Errorf("before the broker is asked: %+v", reply)
				}
				r.climb(t)
				r.terms(t, tt.qty, tt.limit, order.Working)
				if n := len(r.desk.books.Live["AAPL"]); n != 1 || len(next.placed) != 0 {
					t.Errorf("%d live orders, %d written", n, len(next.placed))
				}
				if reply := r.ask(changeOf("m3", "a", "30", "182")); reply.Result != event.Written {
					t.Errorf("after: %+v", reply)
				}
				r.stop(t)
			})
		})
	}
}

// TestSilenceAboutAChange: the order is unknown, and the broker is asked.
func TestSilenceAboutAChange(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		r.ask(changeOf("m1", "a", "20", "181"))
		r.session.fails("open orders", errors.New("not now"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		r.terms(t, "10", "180", order.Unknown)
		if n := r.out.named("change_unknown"); n != 1 {
			t.Errorf("%d notices", n)
		}
		r.session.open = []broker.OrderReport{restingReport("20", "181")}
		r.session.fails("open orders", nil)
		time.Sleep(2 * choreRetry)
		synctest.Wait()
		r.terms(t, "20", "181", order.Working)
	})
}

// TestGroupMakesAnOrderSmaller: what the venue shows is taken over, without a
// change of ours.
func TestGroupMakesAnOrderSmaller(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		r.send(restingReport("6", "180"))
		r.terms(t, "6", "180", order.Working)
		r.send(executed(151, "a", "x.01", "6"))
		r.terms(t, "6", "180", order.Filled)
	})
}
