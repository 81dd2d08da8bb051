package desk

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// covered checks that stops at the venue hold so much, in so many orders, that
// the guard says so, and that none of them is beyond the position.
func (s *shop) covered(pos, orders int64) {
	s.t.Helper()
	held := market.Qty{}
	for _, o := range s.stops() {
		held = held.Add(o.Remaining())
	}
	g := s.state().Guards
	if s.position() != market.Shares(pos) || held != market.Shares(pos).Abs() || int64(len(s.stops())) != orders || len(g) != 1 || !g[0].Covered {
		s.t.Fatalf("position %v, stops %+v, guards %+v", s.position(), s.stops(), g)
	}
}

// wait lets minutes pass over a market that stands still.
func (s *shop) wait(minutes int) {
	for range minutes {
		s.quote("100")
		time.Sleep(time.Minute)
	}
	s.turn()
}

// TestAnAdditionBesideARestingExitIsProtected: a take-profit rests for the first
// part, for a long and a short position; when it has ended one stop is left.
func TestAnAdditionBesideARestingExitIsProtected(t *testing.T) {
	for _, long := range []bool{true, false} {
		play(t, func(t *testing.T, s *shop) {
			in, out, far, sign := order.Buy, order.Sell, "130", int64(1)
			if !long {
				in, out, far, sign = order.Sell, order.Buy, "70", -1
			}
			s.trade(in, 10, "")
			if r := s.trade(out, 10, far); r.Result != event.Written {
				t.Fatalf("%+v", r)
			}
			if r := s.trade(in, 100, ""); r.Result != event.Written {
				t.Fatalf("%+v", r)
			}
			s.covered(110*sign, 2)
			s.wait(1)
			s.covered(110*sign, 2)
			if r := s.request(out, 110, ""); r.Rule != "group_split" {
				t.Errorf("an exit of all beside two stops: %+v", r)
			}
			if r := s.trade(out, 100, ""); r.Result != event.Written {
				t.Errorf("an exit of what one of them holds: %+v", r)
			}
			s.wait(1)
			s.covered(10*sign, 1)
		})
	}
}

// TestTwoStopsBecomeOneWhenTheExitEnds, and then all can be closed.
func TestTwoStopsBecomeOneWhenTheExitEnds(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 10, "")
		s.trade(order.Sell, 10, "130")
		s.trade(order.Buy, 100, "")
		s.covered(110, 2)
		s.desk.request(context.Background(), cancelOf("c", "t-2"))
		for range 4 {
			s.turn()
		}
		s.covered(110, 1)
		if r := s.trade(order.Sell, 110, ""); r.Result != event.Written {
			t.Errorf("%+v", r)
		}
		s.holds(0, "")
	})
}

// TestWhatAPartOfAnExitLeavesIsProtected: the broker takes the same share off
// the stop, and the exit works on.
func TestWhatAPartOfAnExitLeavesIsProtected(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2500, "100.01")
		for range 4 {
			s.quote("100")
			s.turn()
		}
		s.holds(2500, "95")
		s.request(order.Sell, 1500, "99.99") // 1,000 fill, and the share of the stop goes with them
		for range 5 {
			s.turn()
		}
		if o := s.orderOf("t-2"); o.State != order.Partial || o.Filled != market.Shares(1000) {
			t.Fatalf("%+v", o)
		}
		s.covered(1500, 2)
	})
}

// TestAnExitBeforeTheStopSharesItsGroup: it makes the group, and the stop joins
// it, also when nobody knows what became of the exit.
func TestAnExitBeforeTheStopSharesItsGroup(t *testing.T) {
	for _, lost := range []bool{false, true} {
		play(t, func(t *testing.T, s *shop) {
			barred := new(atomic.Bool)
			barred.Store(true)
			s.judged(barred)
			s.trade(order.Buy, 10, "")
			s.venue.Fail(brokertest.Faults{Silent: lost})
			if r := s.request(order.Sell, 10, "104"); r.Result != event.Written {
				t.Fatalf("%+v", r)
			}
			if lost {
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if o := s.orderOf("t-2"); o.State != order.Unknown {
					t.Fatalf("%+v", o)
				}
			}
			s.venue.Fail(brokertest.Faults{})
			barred.Store(false)
			for range 40 {
				s.turn()
			}
			s.covered(10, 1)
			if exit, stop := s.orderOf("t-2"), s.stops()[0]; exit.OCA == "" || stop.OCA != exit.OCA {
				t.Errorf("exit %+v, stop %+v", exit, stop)
			}
		})
	}
}

// TestAStopThatIsGoneComesBackBesideATakeProfit, into its group.
func TestAStopThatIsGoneComesBackBesideATakeProfit(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 10, "")
		s.trade(order.Sell, 10, "130")
		s.cancelStop()
		s.wait(1)
		s.covered(10, 1)
		if exit, stop := s.orderOf("t-2"), s.stops()[0]; stop.OCA != exit.OCA {
			t.Errorf("exit %+v, stop %+v", exit, stop)
		}
	})
}

// TestAnExitThatLeavesNoRoomForAStopIsCancelled: a resting sale from before the
// position is of no group, and became an exit by another's buy.
func TestAnExitThatLeavesNoRoomForAStopIsCancelled(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Sell, 10, "130")
		s.trade(order.Buy, 10, "")
		s.wait(1)
		s.covered(10, 1)
		if o := s.orderOf("t-1"); o.State != order.Cancelled {
			t.Errorf("%+v", o)
		}
	})
}

// TestNobodyJoinsAUsedGroup: an exit right after one for a part is refused with a
// rule, and passes when the stop was replaced.
func TestNobodyJoinsAUsedGroup(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2500, "100.01")
		for range 4 {
			s.quote("100")
			s.turn()
		}
		slow := new(atomic.Bool)
		slow.Store(true)
		s.gate = func(_ broker.View, in order.Intent) order.Decision {
			return order.Decision{Allowed: !slow.Load() || in.Strategy != "desk"}
		}
		s.request(order.Sell, 1500, "99.99") // 1,000 fill
		synctest.Wait()
		s.desk.request(context.Background(), cancelOf("c-1", "t-2"))
		synctest.Wait()
		if r := s.request(order.Sell, 1500, "99.99"); r.Rule != "group_fills" {
			t.Errorf("%+v", r)
		}
		slow.Store(false)
		for range 8 {
			s.turn()
		}
		s.covered(1500, 1)
		if r := s.trade(order.Sell, 1500, "130"); r.Result != event.Written || s.orderOf("t-4").State != order.Working {
			t.Errorf("%+v, %+v", r, s.orderOf("t-4"))
		}
	})
}

// pastOf makes of a journal in memory what a real one loads.
func pastOf(j *memJournal) (b broker.Books) {
	place, seen := map[string]int{}, map[string]bool{}
	for _, r := range j.records {
		switch {
		case r.Order != nil && r.Order.Ref != "":
			if n, ok := place[r.Order.Ref]; ok {
				b.Orders[n] = *r.Order
				continue
			}
			place[r.Order.Ref] = len(b.Orders)
			b.Orders = append(b.Orders, *r.Order)
		case r.Fill != nil && !seen[r.Fill.ExecID]:
			seen[r.Fill.ExecID] = true
			b.Fills = append(b.Fills, *r.Fill)
		case r.Mode != nil:
			b.Mode = r.Mode
		}
	}
	return b
}

// TestThatAGroupIsUsedIsKnownInTheNextLife: the program dies right after an exit
// for a part, before the guard has replaced the stop; and a flatten closes it.
// What the journal has of the exit is enough, and so is that the stop is smaller
// than it was asked to be.
func TestThatAGroupIsUsedIsKnownInTheNextLife(t *testing.T) {
	for _, journaled := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			venue, err := brokertest.NewMemory(brokertest.MemoryConfig{Start: day, PartialFills: true})
			if err != nil {
				t.Fatal(err)
			}
			s := openShop(t, venue, newJournal())
			s.trade(order.Buy, 2500, "100.01")
			for range 4 {
				s.quote("100")
				s.turn()
			}
			s.holds(2500, "95")
			before := pastOf(s.journal)
			s.gate = func(broker.View, order.Intent) order.Decision {
				s.desk.cfg.Protect = ProtectOff // this life ends before the guard looks again
				return order.Decision{Allowed: true}
			}
			s.request(order.Sell, 1500, "99.99")
			synctest.Wait()
			s.desk.request(context.Background(), cancelOf("c-1", fmt.Sprintf("t-%d", s.n)))
			synctest.Wait()
			next := newJournal()
			next.past, next.mark, next.intents = pastOf(s.journal), 50, s.journal.intents
			if !journaled {
				next.past = before
			}
			s.close()
			n := openShop(t, venue, next)
			for range 10 {
				n.turn()
			}
			n.covered(1500, 1)
			if _, err := n.desk.Flatten(context.Background(), "a person", ""); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				n.quote("100")
				time.Sleep(time.Second)
			}
			n.holds(0, "")
			n.close()
		})
	}
}

// TestAFlattenWaitsForTheStopThatExecutes, and counts that as no try; what the
// stop leaves for too long is closed without it.
func TestAFlattenWaitsForTheStopThatExecutes(t *testing.T) {
	for _, goesOn := range []bool{true, false} {
		play(t, func(t *testing.T, s *shop) {
			s.trade(order.Buy, 2500, "100.01")
			for range 4 {
				s.quote("100")
				s.turn()
			}
			s.holds(2500, "95")
			s.quote("94.50") // triggers; 1,000 are shown
			s.venue.Trade(market.MustPrice("94.50"), market.Shares(100))
			s.turn()
			if _, err := s.desk.Flatten(context.Background(), "a person", ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if c := s.state().Mode.Closing[0]; c.State != event.ClosingWorks || c.Tries != 0 || s.position() != market.Shares(1500) {
				t.Errorf("%+v", c)
			}
			if !goesOn {
				time.Sleep(40 * time.Second) // nothing trades: the stop is taken away and an order closes
			}
			for range 60 {
				s.quote("94.50")
				time.Sleep(time.Second)
			}
			s.holds(0, "")
			if m := s.state().Mode; m.Flat == nil {
				t.Errorf("%+v", m)
			}
		})
	}
}
