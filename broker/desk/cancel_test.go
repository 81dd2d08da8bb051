package desk

import (
	"context"
	"slices"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// worksOn has an order a for 10 that the broker lists as Submitted, whatever is
// asked of it.
func worksOn(r *rig, k *knowing) {
	r.ask(buy("a"))
	r.send(described(151, "a", order.WorkingNow))
	k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} })
}

// TestACancelThatIsLostWithItsSessionIsNoticed is field-lessons §2.3 for cancels:
// the order that the next session lists is not called cancelling any more, and
// whoever asked may ask again.
func TestACancelThatIsLostWithItsSessionIsNoticed(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		worksOn(r, k)
		r.ask(cancelOf("c", "a"))
		if o := r.order("a"); o.State != order.Cancelling {
			t.Fatalf("%+v", o)
		}
		_ = r.session.Close(t.Context())
		time.Sleep(time.Second)
		if o := r.order("a"); o.State != order.Unknown || r.out.named("cancel_unknown") != 1 {
			t.Errorf("without a session it is %v: %s", o.State, o.Note)
		}
		next := r.again(t, func(next *knowing) { next.open, next.fills, next.held = k.open, k.fills, k.held }) // as the one before did
		if o := r.order("a"); o.State != order.Working || r.out.named("cancel_lost") != 1 {
			t.Errorf("listed as open, it is %v: %s", o.State, o.Note)
		}
		if reply := r.ask(cancelOf("c2", "a")); reply.Result != "written" || len(next.cancelled) != 1 {
			t.Errorf("asked again: %+v", reply)
		}
	})
}

// TestACancelOfAnEarlierLifeIsNoBelief: what an earlier life cancelled and the
// broker lists works.
func TestACancelOfAnEarlierLifeIsNoBelief(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		if o := r.order("a"); o.State != order.Working {
			t.Errorf("listed as open, it is %v: %s", o.State, o.Note)
		}
	}, func(r *rig, _ *Config) {
		o := described(151, "a", 0).Order
		o.State = order.Cancelling
		r.journal.past = broker.Books{Orders: []order.Order{o}}
		r.session.open = []broker.OrderReport{described(151, "a", order.WorkingNow)}
	})
}

// TestACancelThatTheGatewaySwallowsIsWrittenAgain: a halt has not ended an order
// before the broker says so.
func TestACancelThatTheGatewaySwallowsIsWrittenAgain(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		worksOn(r, k)
		halt(t, r)
		time.Sleep(10 * time.Minute)
		if n := len(r.sent()); n < 30 || r.out.named("cancel_silent") != 1 || r.out.named("cancel_lost") == 0 {
			t.Errorf("%d cancels in ten minutes, %d and %d notices", n, r.out.named("cancel_silent"), r.out.named("cancel_lost"))
		}
		if len(r.modeNow().Pending) != 1 {
			t.Errorf("pending %+v", r.modeNow().Pending)
		}
	})
}

// TestACancelThatTheBrokerWorksOnIsNotRepeated: PendingCancel may last.
func TestACancelThatTheBrokerWorksOnIsNotRepeated(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		worksOn(r, k)
		k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.CancelSent)} })
		halt(t, r)
		r.send(status(151, order.CancelSent))
		time.Sleep(10 * time.Minute)
		if got := r.sent(); !slices.Equal(got, []int64{151}) || r.order("a").State != order.Cancelling || r.out.named("cancel_silent") != 0 {
			t.Errorf("cancelled %v, it is %v", got, r.order("a").State)
		}
	})
}

// TestARefusalFasterThanItsCancelIsNotForgotten: the refusal of a halt's cancel
// is folded before the halt has noted that it was written.
func TestARefusalFasterThanItsCancelIsNotForgotten(t *testing.T) {
	for _, n := range []broker.Notice{
		{Kind: broker.NoticeNoCancel, Code: 161, OrderID: 151, Text: "not cancellable"},
		{Kind: broker.NoticeReadOnly, Code: 321, OrderID: 151, Text: "read-only"},
	} {
		reconciling(t, func(t *testing.T, r *rig, k *knowing) {
			worksOn(r, k)
			s := &fastRefusal{knowing: k, r: r, with: n}
			r.desk.held.Load().trader = s
			halt(t, r)
			time.Sleep(5 * time.Minute)
			if o := r.order("a"); s.n < 10 || o.State != order.Working {
				t.Errorf("code %d: written %d times in five minutes, state %v", n.Code, s.n, o.State)
			}
		})
	}
}

type fastRefusal struct {
	*knowing
	r    *rig
	with broker.Notice
	n    int
}

func (f *fastRefusal) Cancel(context.Context, int64) error {
	f.n++
	f.r.session.batches <- broker.Batch{Events: []broker.Event{f.with}}
	time.Sleep(time.Millisecond) // the fold has its turn
	return nil
}

// TestAFlattenBehindALostCancelGoesOn: the emergency exit is not shut by one
// cancel that the gateway swallowed.
func TestAFlattenBehindALostCancelGoesOn(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		worksOn(r, k)
		if _, err := r.desk.Flatten(t.Context(), "a person", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if n := len(r.sent()); n < 2 {
			t.Fatalf("%d cancels", n)
		}
		k.venue(func() { k.open = nil })
		r.send(status(151, order.CancelDone)) // one of the later ones did it
		time.Sleep(time.Second)
		if placed := r.orders(); len(placed) != 2 || placed[1].Intent.Side != order.Sell || placed[1].Intent.Qty != market.Shares(100) {
			t.Errorf("placed %+v, closing %+v", placed, r.modeNow().Closing)
		}
	}, holds(100))
}

// TestACancelMakesAnUnknownOrderNoBetterKnown: it goes out, and the order's
// symbol stays barred.
func TestACancelMakesAnUnknownOrderNoBetterKnown(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("completed", errRefused)
		r.ask(buy("a"))
		time.Sleep(6 * time.Second)
		if reply := r.ask(cancelOf("c", "a")); reply.Result != "written" || r.order("a").State != order.Unknown {
			t.Errorf("%+v, the order is %v", reply, r.order("a").State)
		}
		if reply := r.ask(buy("b")); reply.Rule != "unknown_order" {
			t.Errorf("an entry: %+v", reply)
		}
	})
}

// TestARefusedCancelProvesNothingOfASilentOrder: the gateway does not find what it
// is to cancel, and never described it. It may be on its way behind a dialog.
func TestARefusedCancelProvesNothingOfASilentOrder(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.ask(cancelOf("c", "a"))
		r.send(broker.Notice{Kind: broker.NoticeNoCancel, Code: 10147, OrderID: 151, Text: "not found"})
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("right after the refusal it is %v", o.State)
		}
		if reply := r.ask(buy("b")); reply.Rule != "unknown_order" {
			t.Errorf("an entry beside it: %+v", reply)
		}
		k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} })
		time.Sleep(time.Minute)
		if o := r.order("a"); o.State != order.Working {
			t.Errorf("listed as open it is %v", o.State)
		}
	})
}
