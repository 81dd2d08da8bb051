package desk

import (
	"context"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// byHand is an order that somebody gave in the broker's own window.
func byHand(perm int64, sig order.Signal) broker.OrderReport {
	o := described(0, "", sig)
	o.Order.ClientID, o.Order.PermID, o.Order.Side, o.Order.Qty = 0, perm, order.Sell, market.Shares(100)
	return o
}

// TestOrdersOfOthersEnd: what another client made is asked for as our own is, and
// ends with what the broker tells, so that no ghost of it keeps the position
// without a stop, or a flatten from its end.
func TestOrdersOfOthersEnd(t *testing.T) {
	state := func(r *rig) order.State {
		for _, o := range r.desk.State(context.Background()).Orders {
			if o.PermID == 77 {
				return o.State
			}
		}
		return order.Dropped
	}
	for name, tt := range map[string]struct {
		answer func(*knowing)
		want   order.State
	}{
		"it is open": {func(k *knowing) { k.others = []broker.OrderReport{byHand(77, order.WorkingNow)} }, order.Working},
		"it was cancelled": {func(k *knowing) {
			o := byHand(77, 0).Order
			o.ClientID = 0
			k.completed = []broker.CompletedReport{{Order: o, Status: "Cancelled", Signal: order.CancelDone, Known: true}}
		}, order.Cancelled},
		"nobody tells":       {func(*knowing) {}, order.Unknown},
		"it cannot be asked": {func(k *knowing) { k.fail["all open orders"] = errRefused }, order.Working},
		"only ours are open": {func(k *knowing) { k.open = []broker.OrderReport{described(9, "x", order.WorkingNow)} }, order.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
				r.send(byHand(77, order.WorkingNow))
				r.again(t, tt.answer)
				time.Sleep(3 * time.Minute)
				if got := state(r); got != tt.want {
					t.Errorf("the order by hand is %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// TestAnIntentOfAnotherClientIDIsProvenAbsent: the program was started once with
// another client id, and died around a write.
func TestAnIntentOfAnotherClientIDIsProvenAbsent(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
		if o := r.order("a"); o.State != order.Unknown {
			t.Fatalf("order is %v", o.State)
		}
		time.Sleep(3 * time.Minute)
		if o := r.order("a"); o.State != order.Dropped {
			t.Errorf("order is %v (%s)", o.State, o.Note)
		}
	}, func(r *rig, _ *Config) {
		o := described(11, "a", 0).Order
		o.State, o.PermID, o.ClientID, o.Created = order.Intended, 0, 9, day
		r.journal.past.Orders = []order.Order{o}
	})
}

// TestTwoOrdersByHandAreTwo: a gateway tells 0 or -1 for the number of an order
// that no client has bound to itself, and bound ones may share a number over days.
func TestTwoOrdersByHandAreTwo(t *testing.T) {
	for _, number := range []int64{0, -1, 5} { // some number comes again
		in(t, func(t *testing.T, r *rig) {
			one, two := byHand(77, order.WorkingNow), byHand(78, order.WorkingNow)
			one.Order.OrderID, two.Order.OrderID = number, number
			end := status(number, order.CancelDone)
			end.ClientID, end.PermID = 0, 78
			r.send(one, two, end)
			orders := r.desk.State(t.Context()).Orders
			if len(orders) != 2 || orders[0].State == orders[1].State || r.out.named("report_quarantined") != 0 {
				t.Errorf("number %d: orders %+v", number, orders)
			}
		})
	}
}
