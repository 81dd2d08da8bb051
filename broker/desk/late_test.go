package desk

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
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
