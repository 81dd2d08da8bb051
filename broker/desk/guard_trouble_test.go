package desk

import (
	"context"
	"errors"
	"strings"
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

// TestFieldLessonStopsSurviveARestart: §1 number 6, in-memory stops lost on
// restart. The stop rests at the broker, and the next life knows it for its own.
func TestFieldLessonStopsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		venue, err := brokertest.NewMemory(brokertest.MemoryConfig{Start: day})
		if err != nil {
			t.Fatal(err)
		}
		s := openShop(t, venue, newJournal())
		s.trade(order.Buy, 200, "")
		stop := s.holds(200, "95")
		s.close()
		for _, tt := range []struct {
			name string
			past broker.Books
		}{
			{"with the journal", broker.Books{Orders: s.state().Orders, Fills: s.state().Fills}},
			{"with an empty one", broker.Books{}},
		} {
			journal := newJournal()
			journal.past, journal.mark = tt.past, stop.OrderID
			next := openShop(t, venue, journal)
			if got := next.holds(200, "95"); got.PermID != stop.PermID {
				t.Errorf("%s: another stop: %+v", tt.name, got)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			next.holds(200, "95")
			next.close()
		}
		journal := newJournal()
		journal.mark = stop.OrderID
		last := openShop(t, venue, journal)
		last.trade(order.Buy, 100, "")
		if got := last.holds(300, "95"); got.PermID != stop.PermID || last.orderOf(got.Ref).Ref != stop.Ref {
			t.Errorf("the stop that was found is not the one that follows: %+v", got)
		}
		last.close()
	})
}

// TestStopOfUnknownOutcomeIsNotDoubled: the stop was written and the session
// ends before any answer; nothing is placed until the broker has told.
func TestStopOfUnknownOutcomeIsNotDoubled(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "100.01")
		s.holds(100, "95")
		// By hand, and the one placed instead is not answered.
		s.cancelStop()
		s.venue.Fail(brokertest.Faults{Silent: true})
		s.turn()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if g := s.state().Guards[0]; g.Covered || !strings.Contains(g.Cause, "outcome") {
			t.Errorf("guard %+v", g)
		}
		if n := s.out.named("position_naked"); n != 1 {
			t.Errorf("%d notices, want one", n)
		}
		if n := s.written(); n != 2 {
			t.Errorf("%d stops were written, want the first and one instead of it", n)
		}
		if reply := s.request(order.Buy, 10, ""); reply.Rule != "unprotected" {
			t.Errorf("entry beside a position without a stop: %+v", reply)
		}
		if reply := s.request(order.Sell, 10, "130"); reply.Result != event.Written {
			t.Errorf("exit: %+v", reply)
		}
	})
}

func TestStopCancelledByHandIsPlacedAgain(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		first := s.holds(100, "95")
		s.cancelStop()
		s.turn()
		if again := s.holds(100, "95"); again.Ref == first.Ref {
			t.Errorf("stop %+v", again)
		}
	})
}

// A cancel that went down with a session leaves a stop that is called cancelling
// and rests: it must not stay so.
func TestLostCancelOfAStopIsRepeated(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		first := s.holds(100, "95")
		s.desk.turn <- struct{}{}
		s.desk.books.ByRef[first.Ref].State = order.Cancelling
		s.desk.give()
		for range 4 { // the next stop waits a moment after the cancel
			s.turn()
		}
		if again := s.holds(100, "95"); again.Ref == first.Ref {
			t.Errorf("stop %+v", again)
		}
	})
}

// TestRefusedStopIsShownAndTriedWithinBounds: the position is naked, which is
// told once; entries are refused; the tries become rarer, and never end.
func TestRefusedStopIsShownAndTriedWithinBounds(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		var mended atomic.Bool
		s.gate = func(_ broker.View, in order.Intent) order.Decision {
			if !mended.Load() && in.Type == order.Stop {
				return order.Decision{Rule: "test", Reason: "no stops today"}
			}
			return order.Decision{Allowed: true}
		}
		s.trade(order.Buy, 100, "")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if g := s.state().Guards[0]; g.Covered || !strings.Contains(g.Cause, "no stops today") || g.Position != market.Shares(100) || time.Since(g.Since) < 10*time.Minute {
			t.Errorf("guard %+v", g)
		}
		if n := s.out.named("position_naked"); n != 1 {
			t.Errorf("told %d times", n)
		}
		tries := 0
		for _, r := range s.journal.intents {
			if r.Intent.Type == order.Stop {
				tries++
			}
		}
		if tries < 10 || tries > 20 { // 1, 2, 4 … 60, 60 s
			t.Errorf("%d tries in ten minutes", tries)
		}
		if reply := s.request(order.Buy, 10, ""); reply.Result != event.Refused || reply.Rule != "unprotected" || !strings.Contains(reply.Reason, "no stops today") {
			t.Errorf("entry: %+v", reply)
		}
		mended.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.turn()
		s.holds(100, "95")
		if n := s.out.named("position_covered"); n != 1 {
			t.Errorf("the mend was told %d times", n)
		}
	})
}

// TestStopThatCannotBeWritten: the session takes no bytes; nothing was sent.
func TestStopThatCannotBeWritten(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		s.holds(100, "95")
		s.venue.Fail(brokertest.Faults{Place: &broker.Error{Kind: broker.ErrNotWritten, Err: errors.New("the socket is full")}})
		s.venue.Tell(broker.StatusReport{OrderID: s.stops()[0].OrderID, ClientID: 1, Status: "Cancelled", Signal: order.CancelDone, Known: true})
		s.turn()
		if g := s.state().Guards[0]; g.Covered || !strings.Contains(g.Cause, "socket is full") {
			t.Errorf("guard %+v", g)
		}
		if n := s.out.named("position_naked"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestStopRejectedByTheVenue: error 201 for each stop; the tries become rarer,
// under a new number each, and the venue's words are shown.
func TestStopRejectedByTheVenue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, c *Config) {
			c.Protect = ProtectOn
			r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(-70), AvgCost: market.MustPrice("180").Ptr()}}
		})
		told := 0
		for range 120 {
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
			for _, k := range written(r.session)[told:] {
				r.send(broker.Notice{Kind: broker.NoticeReject, Code: 201, Text: "no stops in this account", OrderID: k.OrderID})
				told++
			}
		}
		if told < 5 || told > 8 { // after 1, 2, 4, 8, 16, 32 s
			t.Errorf("%d stops in a minute", told)
		}
		g := r.desk.State(context.Background()).Guards[0]
		if g.Covered || !strings.Contains(g.Cause, "no stops in this account") || r.out.named("position_naked") != 1 {
			t.Errorf("guard %+v, told %d times", g, r.out.named("position_naked"))
		}
		in := written(r.session)[0].Intent
		if in.Side != order.Buy || *in.Stop != market.MustPrice("189") { // 5 % above the cost, and the market is below it
			t.Errorf("stop %+v", in)
		}
		r.stop(t)
	})
}
