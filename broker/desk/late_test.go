package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// cancelledAt tells that an order was cancelled when so much of it had filled.
func cancelledAt(id int64, filled int64) broker.StatusReport {
	r := status(id, order.CancelDone)
	r.Filled = market.Shares(filled)
	return r
}

// TestAnEndWaitsForItsExecutions: a cancel crosses a fill, and the end is told
// before the execution. Till this is counted the order still takes its room.
func TestAnEndWaitsForItsExecutions(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		r.send(cancelledAt(151, 4))
		if o := r.order("a"); o.State.Final() || o.Remaining() != market.Shares(10) {
			t.Errorf("before the execution: %+v", o)
		}
		r.send(executed(151, "a", "x.01", "4"))
		if o := r.order("a"); o.State != order.Cancelled || o.Filled != market.Shares(4) {
			t.Errorf("with it: %+v", o)
		}
	}, unlooked)
}

// TestAnEndDoesNotWaitForEver: the execution was lost. The order ends, and it is
// told that more had filled than was counted.
func TestAnEndDoesNotWaitForEver(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		r.send(cancelledAt(151, 4))
		later(3 * time.Second)
		if o := r.order("a"); o.State != order.Cancelled {
			t.Errorf("%+v", o)
		}
		if list := r.found(); len(list) != 1 || list[0].Ref != "a" || list[0].Theirs != "4 filled" {
			t.Errorf("findings %+v", list)
		}
	}, unlooked)
}

// TestAnEndWithoutItsExecutionsBarsTheSymbol: more of the order has filled
// than executions tell of. The position is too small until a look has counted it: no
// entry passes, and nothing on the side on which it may be smaller already.
func TestAnEndWithoutItsExecutionsBarsTheSymbol(t *testing.T) {
	sells := func(id string) order.Intent {
		s := buy(id)
		s.Side, s.Qty = order.Sell, market.Shares(1)
		return s
	}
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		k.fails("positions", errors.New("no answer"))
		r.send(cancelledAt(151, 4))
		later(3 * time.Second)
		if o := r.order("a"); o.State != order.Cancelled {
			t.Fatalf("%+v", o)
		}
		if reply := r.ask(buy("b")); reply.Result != event.Refused || reply.Rule != "reconciling" || !strings.Contains(reply.Reason, `"a"`) {
			t.Errorf("an entry: %+v", reply)
		}
		if reply := r.ask(sells("c")); reply.Result != event.Written {
			t.Errorf("a sale of what was held before a purchase: %+v", reply)
		}
		k.fails("positions", nil)
		k.venue(func() { k.held = heldAt("24") })
		time.Sleep(time.Minute)
		if reply := r.ask(buy("d")); reply.Rule == "reconciling" || r.position() != market.Shares(24) {
			t.Errorf("counted, %v are held: %+v", r.position(), reply)
		}
	}, func(r *rig, c *Config) {
		r.session.held = heldAt("20")
	})
}

// TestAFlattenWaitsForWhatAnExitFilled: it had the exit cancelled, which had filled
// 15 of 20 by the broker's word, and no execution told. An order for 20 would turn
// the position over.
func TestAFlattenWaitsForWhatAnExitFilled(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(sell("a", 15))
		works := described(151, "a", order.WorkingNow)
		works.Order.Side, works.Order.Qty = order.Sell, market.Shares(15)
		r.send(works)
		k.venue(func() { k.open = []broker.OrderReport{works} })
		flatten(t, r)
		later(3 * time.Second)
		k.fails("positions", errors.New("no answer"))
		k.venue(func() { k.open, k.held = nil, heldAt("5") })
		r.send(cancelledAt(151, 15))
		later(5 * time.Second)
		if placed := r.orders(); len(placed) != 1 {
			t.Fatalf("while nobody can count the position: %+v", placed[1:])
		}
		k.fails("positions", nil)
		later(time.Minute)
		if placed := r.orders(); len(placed) < 2 || placed[1].Intent.Qty != market.Shares(5) || placed[1].Intent.Side != order.Sell {
			t.Errorf("counted, %v are held: %+v", r.position(), placed[1:])
		}
	}, func(r *rig, c *Config) {
		r.session.held = heldAt("20")
	})
}
