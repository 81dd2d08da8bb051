package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestAFastMarketKeepsNoLinkFromBeingReady: executions come between each of the
// answers for positions. What works can be cancelled meanwhile, positions stay
// unknown, and are counted when it is calm.
func TestAFastMarketKeepsNoLinkFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := &knowing{fakeSession: r.session}
		k.open = []broker.OrderReport{described(77, "old", order.WorkingNow)}
		fast, n := atomic.Bool{}, 0
		fast.Store(true)
		k.between = func(q string) { // with the venue's lock held
			if q == "positions" && fast.Load() {
				n++
				f := executed(0, "", fmt.Sprint("e", n), "1")
				f.Fill.OrderID, f.Fill.PermID, f.Fill.At = 0, 0, r.desk.floor.Now(time.Now()).Truncate(time.Second)
				k.fills = append(slices.Clone(k.fills), f)
				k.held = heldAt(fmt.Sprint(n))
			}
		}
		r.serveAs(k)
		r.climbAs(t, k)
		synctest.Wait()
		if p := r.desk.State(context.Background()).Positions; p != nil || n != positionTries {
			t.Errorf("positions %+v after %d answers", p, n)
		}
		r.ask(buy("a"))
		if v := r.views[len(r.views)-1]; v.Position != nil { // the gate refuses an entry then
			t.Errorf("the gate sees a position of %v", v.Position)
		}
		if reply := r.ask(cancelOf("c", "old")); reply.Result != event.Written {
			t.Errorf("a cancel: %+v", reply)
		}
		time.Sleep(lookSoonAfter + time.Second)
		if r.out.named("reconciliation_failed") != 1 || r.desk.sight() != nil {
			t.Errorf("told %d times, %+v", r.out.named("reconciliation_failed"), r.desk.sight())
		}
		time.Sleep(blindAfter + time.Minute) // books that drift are no ground for new risk
		if r.desk.sight() == nil {
			t.Error("positions that nobody could count for minutes degrade nothing")
		}
		fast.Store(false)
		time.Sleep(lookSoonAfter + time.Second)
		synctest.Wait()
		if p := r.desk.State(context.Background()).Positions; len(p) != 1 || p[0].Qty != heldAt(fmt.Sprint(n))[0].Qty || r.desk.sight() != nil || r.mode() != broker.Active {
			t.Errorf("when it is calm: %+v, %+v, mode %s", p, r.desk.sight(), r.mode())
		}
		r.stop(t)
	})
}

// TestAListThatGrowsByOldExecutionsIsNotWhole: nobody traded meanwhile, so the
// gateway had not got them all.
func TestAListThatGrowsByOldExecutionsIsNotWhole(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.between = func(q string) {
			if q == "positions" {
				f := executed(77, "", "old", "1")
				f.Fill.At = day.Add(-time.Minute)
				r.session.fills = append(slices.Clone(r.session.fills), f)
			}
		}
		if _, err := r.desk.recover(context.Background(), r.session); err == nil || !strings.Contains(err.Error(), "ask the positions") {
			t.Errorf("%v", err)
		}
	})
}

// TestNoOrderIsProvenAbsentWhilePositionsAreNotCounted: what it filled, the
// position tells, and a fast market keeps that from being counted.
func TestNoOrderIsProvenAbsentWhilePositionsAreNotCounted(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		fast, n := true, 0
		k.venue(func() {
			k.between = func(q string) {
				if q == "positions" && fast {
					n++
					f := executed(0, "", fmt.Sprint("e", n), "1")
					f.Fill.OrderID, f.Fill.PermID, f.Fill.Symbol, f.Fill.At = 0, 0, "MSFT", r.desk.floor.Now(time.Now()).Truncate(time.Second)
					k.fills = append(slices.Clone(k.fills), f)
					p := heldAt(fmt.Sprint(n))
					p[0].Symbol = "MSFT"
					k.held = p
				}
			}
		})
		r.ask(buy("a"))
		time.Sleep(20 * time.Minute)
		if o := r.order("a"); o.State != order.Unknown || n == 0 {
			t.Errorf("order is %v (%s) after %d answers that count nothing", o.State, o.Note, n)
		}
		k.venue(func() { fast = false })
		time.Sleep(20 * time.Minute)
		if o := r.order("a"); o.State != order.Dropped {
			t.Errorf("when it is calm: order is %v (%s)", o.State, o.Note)
		}
	})
}
