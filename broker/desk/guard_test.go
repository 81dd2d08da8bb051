package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// shop is a desk that trades with a venue in memory, protection on.
type shop struct {
	t       *testing.T
	desk    *Desk
	out     *recorder
	journal *memJournal
	venue   *brokertest.Memory
	session broker.Session
	served  chan error
	n       int
	gate    func(broker.View, order.Intent) order.Decision
}

// openShop serves a session of the venue. It needs a bubble.
func openShop(t *testing.T, venue *brokertest.Memory, journal *memJournal) *shop {
	t.Helper()
	s := newShop(t, venue, journal)
	s.connect()
	return s
}

func newShop(t *testing.T, venue *brokertest.Memory, journal *memJournal) *shop {
	t.Helper()
	tr := journal.trace
	s := &shop{t: t, out: &recorder{trace: tr}, journal: journal, venue: venue}
	s.desk = newDesk(DefaultConfig(), gateFunc(func(v broker.View, in order.Intent) order.Decision {
		if s.gate != nil {
			return s.gate(v, in)
		}
		return order.Decision{Allowed: true}
	}), journal, s.out, quiet)
	s.desk.hours = &floor.Hours{}
	s.desk.Steps([]market.Symbol{venue.Symbol()})
	if err := s.desk.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// connect opens a session and climbs the rungs.
func (s *shop) connect() {
	s.t.Helper()
	session, err := s.venue.Open(context.Background(), broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil {
		s.t.Fatal(err)
	}
	s.serve(session)
}

func (s *shop) serve(session broker.Session) {
	s.t.Helper()
	s.session, s.served = session, make(chan error, 1)
	go func() { s.served <- s.desk.Serve(context.Background(), session) }()
	for _, step := range (&rig{desk: s.desk}).steps() {
		if step.Name == "data" {
			s.quote("100")
		}
		ctx, cancel := context.WithTimeout(context.Background(), step.Deadline)
		if _, err := step.Run(ctx, session); err != nil {
			s.t.Fatalf("%s: %v", step.Name, err)
		}
		cancel()
	}
	s.desk.LinkChanged(broker.Link{State: broker.Ready})
	s.turn()
}

// turn lets everything settle that needs no time, and the guard look once.
func (s *shop) turn() {
	synctest.Wait()
	time.Sleep(600 * time.Millisecond) // more than a look of the command loop
	synctest.Wait()
}

func (s *shop) close() {
	s.t.Helper()
	_ = s.session.Close(context.Background())
	<-s.served
	if err := s.desk.Stop(context.Background()); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) quote(mid string) {
	p := market.MustPrice(mid)
	s.venue.Quote(p.Sub(market.MustPrice("0.01")), p.Add(market.MustPrice("0.01")))
}

// trade asks for an order and lets it settle.
func (s *shop) trade(side order.Side, qty int64, limit string) event.OrderReply {
	reply := s.request(side, qty, limit)
	s.turn()
	return reply
}

func (s *shop) request(side order.Side, qty int64, limit string) event.OrderReply {
	s.n++
	in := order.Intent{
		ID: fmt.Sprintf("t-%d", s.n), Action: order.Place, Strategy: "test", Symbol: s.venue.Symbol(), Side: side, Type: order.Market,
		TIF: order.Day, Qty: market.Shares(qty), At: s.desk.floor.Now(time.Now()),
	}
	if limit != "" {
		in.Type, in.Limit = order.Limit, market.MustPrice(limit).Ptr()
	}
	return s.desk.request(context.Background(), in)
}

func (s *shop) state() event.Desk { return s.desk.State(context.Background()) }

// stops lists the stops that rest at the venue.
func (s *shop) stops() (list []order.Order) {
	s.t.Helper()
	open, err := s.session.(broker.AccountSource).OpenOrders(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range open {
		if r.Order.Type == order.Stop {
			list = append(list, r.Order)
		}
	}
	return list
}

// position is what the venue says.
func (s *shop) position() market.Qty {
	s.t.Helper()
	list, err := s.session.(broker.AccountSource).Positions(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range list {
		return p.Qty
	}
	return market.Qty{}
}

// holds checks the position, and the one stop that covers it at the venue.
func (s *shop) holds(pos int64, stop string) order.Order {
	s.t.Helper()
	if got := s.position(); got != market.Shares(pos) {
		s.t.Fatalf("position %v, want %d", got, pos)
	}
	stops, guards := s.stops(), s.state().Guards
	if pos == 0 {
		if len(stops) != 0 || len(guards) != 0 {
			s.t.Fatalf("flat, and stops %+v, guards %+v", stops, guards)
		}
		return order.Order{}
	}
	side := order.Sell
	if pos < 0 {
		side = order.Buy
	}
	if len(stops) != 1 || stops[0].Side != side || stops[0].Remaining() != market.Shares(pos).Abs() ||
		*stops[0].StopPrice != market.MustPrice(stop) || stops[0].TIF != order.GTC || stops[0].OCA != stops[0].Ref {
		s.t.Fatalf("position %d, stops %+v, want one at %s", pos, stops, stop)
	}
	if len(guards) != 1 || !guards[0].Covered || guards[0].Cause != "" || guards[0].Ref != stops[0].Ref || *guards[0].StopPrice != *stops[0].StopPrice || guards[0].Position != market.Shares(pos) {
		s.t.Fatalf("guards %+v", guards)
	}
	return stops[0]
}

// play runs one test of a shop in a bubble.
func play(t *testing.T, run func(t *testing.T, s *shop)) {
	synctest.Test(t, func(t *testing.T) {
		venue, err := brokertest.NewMemory(brokertest.MemoryConfig{Start: day, PartialFills: true})
		if err != nil {
			t.Fatal(err)
		}
		s := openShop(t, venue, newJournal())
		run(t, s)
		s.close()
	})
}

// written are the tickets that went out.
func written(s *fakeSession) []broker.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.placed)
}

func newJournal() *memJournal {
	return &memJournal{trace: &trace{}, intents: map[string]broker.IntentRecord{}}
}

// TestStopFollowsPartialFills: an entry of 2,500 against 1,000 shown fills in
// three parts, and each is covered before the next.
func TestStopFollowsPartialFills(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2500, "100.01")
		first := s.holds(1000, "95")
		s.quote("100")
		s.turn()
		s.holds(2000, "95")
		s.quote("100")
		s.turn()
		if last := s.holds(2500, "95"); last.Ref != first.Ref || last.OrderID != first.OrderID {
			t.Errorf("the stop was %s and is %s: it is changed, not placed again", first.Ref, last.Ref)
		}
		if d := s.state(); len(d.Orders) != 2 || d.Orders[1].Strategy != "desk" || d.Orders[1].Qty != market.Shares(2500) {
			t.Errorf("orders %+v", d.Orders)
		}
		if n := s.out.named("position_naked"); n != 0 {
			t.Errorf("%d notices about a position that was covered at once", n)
		}
	})
}

func TestStopTriggersAndNothingIsTurnedOver(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 500, "")
		s.holds(500, "95")
		s.quote("94.5")
		s.venue.Trade(market.MustPrice("94.5"), market.Shares(100))
		s.turn()
		s.quote("94")
		s.turn()
		s.holds(0, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		s.holds(0, "")
	})
}

func TestShortPositionIsProtectedAbove(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Sell, 300, "")
		s.holds(-300, "104.99") // 99.99 and 5 %, up to the grid
		s.trade(order.Buy, 300, "")
		s.holds(0, "")
	})
}

// TestStopPriceMovesOnlyForThePosition: what is added above the average raises
// the stop of a long position, what is added below does not lower it.
func TestStopPriceMovesOnlyForThePosition(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		s.holds(100, "95")
		s.quote("110")
		s.trade(order.Buy, 100, "")
		s.holds(200, "99.75") // of 105.005
		s.quote("101")
		s.trade(order.Buy, 100, "")
		s.holds(300, "99.75")
	})
}

// TestExitIsOfTheStopsGroup: a whole exit takes the stop away, one for a part
// leaves the rest with a stop anew.
func TestExitIsOfTheStopsGroup(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		stop := s.holds(900, "95")
		if reply := s.trade(order.Sell, 400, ""); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		if in := s.journal.intents["t-2"].Intent; in.OCA != stop.OCA {
			t.Errorf("the exit's group in the journal is %q, want %q", in.OCA, stop.OCA)
		}
		next := s.holds(500, "95") // the price is kept as long as the position lasts
		if next.Ref == stop.Ref {
			t.Errorf("the stop is %s still, of a group that filled", next.Ref)
		}
		s.trade(order.Sell, 500, "")
		s.holds(0, "")
	})
}

// TestRestingExitAndStopShareThePosition: a resting exit leaves the stop as it
// is; after a cancel of it everything is as before.
func TestRestingExitAndStopShareThePosition(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		s.trade(order.Sell, 900, "120")
		s.holds(900, "95")
		s.quote("94")
		s.venue.Trade(market.MustPrice("94"), market.Shares(100))
		s.turn()
		s.holds(0, "") // the stop filled, and the exit went with it
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the exit is %v", o.State)
		}
	})
}

// TestFlattenKeepsTheStopUntilFlat: a flatten takes the resting exit away and
// closes in the stop's group, so that the position is never without it.
func TestFlattenKeepsTheStopUntilFlat(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		s.trade(order.Sell, 400, "120")
		stop := s.holds(900, "95")
		if _, err := s.desk.Flatten(context.Background(), "a test", ""); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s.turn()
		}
		s.holds(0, "")
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the exit is %v", o.State)
		}
		var closed []order.Order
		for _, o := range s.state().Orders {
			if strings.HasPrefix(o.Ref, books.FlattenPrefix) {
				closed = append(closed, o)
			}
		}
		if len(closed) != 1 || closed[0].OCA != stop.OCA || closed[0].Filled != market.Shares(900) {
			t.Errorf("closed by %+v, want one order in group %s", closed, stop.OCA)
		}
		if m := s.state().Mode; m.Flatten || m.Flat == nil || m.Mode != broker.Halted {
			t.Errorf("mode %+v, want halted and flat", m)
		}
		if n := s.out.named("position_naked"); n != 0 {
			t.Errorf("%d notices of a position without a stop", n)
		}
	})
}

func (s *shop) orderOf(ref string) order.Order {
	for _, o := range s.state().Orders {
		if o.Ref == ref {
			return o
		}
	}
	return order.Order{}
}

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

// cancelStop cancels the stop as somebody does who does not know better.
func (s *shop) cancelStop() {
	s.t.Helper()
	stop := s.stops()[0]
	if err := s.session.(broker.Trader).Cancel(context.Background(), stop.OrderID); err != nil {
		s.t.Fatal(err)
	}
}

// written counts the stops that went to the venue's wire.
func (s *shop) written() (n int) {
	for _, r := range s.journal.intents {
		if r.Decision.Allowed && r.Intent.Type == order.Stop && r.Intent.Action == order.Place {
			n++
		}
	}
	return n
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

// TestHaltedModeStillProtects: the guard may act in every mode.
func TestHaltedModeStillProtects(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2000, "100.01")
		s.holds(1000, "95")
		if _, err := s.desk.SetMode(context.Background(), broker.Halted, "test"); err != nil {
			t.Fatal(err)
		}
		s.quote("100")
		s.turn()
		s.holds(2000, "95")
		if reply := s.request(order.Sell, 10, ""); reply.Rule != "halted" {
			t.Errorf("%+v", reply)
		}
	})
}

// TestGuardsWordsAreItsOwn: nobody on the bus takes its ids, changes its stops
// or joins its groups by name.
func TestGuardsWordsAreItsOwn(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		stop := s.holds(100, "95")
		in := buy("guard-AAPL-9")
		group := buy("x")
		group.OCA = stop.OCA
		change := buy("y")
		change.Action, change.Target = order.Modify, stop.Ref
		for _, in := range []order.Intent{in, group, change} {
			if reply := s.desk.request(context.Background(), in); reply.Result != event.Refused || reply.Rule != "reserved" {
				t.Errorf("%+v: %+v", in, reply)
			}
		}
		s.holds(100, "95")
	})
}

// TestPositionMadeElsewhere: it is protected as well, and one that lost more
// than the stop allows is not sold because the trader starts.
func TestPositionMadeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, c *Config) {
			c.Protect = ProtectOn
			r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(70), AvgCost: market.MustPrice("250").Ptr()}}
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(written(r.session)); n != 1 {
			t.Fatalf("%d orders", n)
		}
		if in := written(r.session)[0].Intent; in.Qty != market.Shares(70) || *in.Stop != market.MustPrice("177.88") { // of 187.25, the market
			t.Errorf("stop %+v", in)
		}
		r.stop(t)
	})
}

// TestPositionOfASymbolThatIsNotWanted: it is shown as naked, and nothing is
// written for a contract that nobody described.
func TestPositionOfASymbolThatIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, c *Config) {
			c.Protect = ProtectOn
			r.session.held = []order.Position{{Account: "DU1", Symbol: "MSFT", ConID: 272093, Qty: market.Shares(7), AvgCost: market.MustPrice("250").Ptr()}}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		g := r.desk.State(context.Background()).Guards
		if len(g) != 1 || g[0].Covered || !strings.Contains(g[0].Cause, "start it with that symbol") || r.out.named("position_naked") != 1 {
			t.Errorf("guards %+v, told %d times", g, r.out.named("position_naked"))
		}
		if len(written(r.session))+len(r.journal.intents) != 0 {
			t.Errorf("%d orders, %d intents", len(written(r.session)), len(r.journal.intents))
		}
		r.stop(t)
	})
}

// TestStopStaysWhenTheTraderStops: also where an orderly stop cancels what
// works, because nobody watches afterwards.
func TestStopStaysWhenTheTraderStops(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.desk.cfg.OnStop = CancelWorking
		s.trade(order.Buy, 100, "")
		s.trade(order.Buy, 50, "90")
		if err := s.desk.WindDown(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.turn()
		s.holds(100, "95")
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the entry is %v", o.State)
		}
	})
}

// TestOrderBesideTheGuard: what others sell leaves that much less for a stop,
// and a stop of theirs is cover.
func TestOrderBesideTheGuard(t *testing.T) {
	for _, tt := range []struct {
		kind    order.Type
		qty     int64
		stops   int
		covered bool
	}{{order.Limit, 70, 0, false}, {order.Limit, 40, 1, false}, {order.Stop, 70, 0, true}} {
		synctest.Test(t, func(t *testing.T) {
			r := ready(t, func(r *rig, c *Config) {
				c.Protect = ProtectOn
				r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(70), AvgCost: market.MustPrice("180").Ptr()}}
				o := described(7, "", order.WorkingNow)
				o.Order.ClientID, o.Order.Side, o.Order.Type, o.Order.Qty = 0, order.Sell, tt.kind, market.Shares(tt.qty)
				r.session.open = []broker.OrderReport{o}
			})
			time.Sleep(3 * time.Second)
			synctest.Wait()
			g := r.desk.State(context.Background()).Guards[0]
			if len(written(r.session)) != tt.stops || g.Covered != tt.covered || g.Covered == (g.Cause != "") {
				t.Errorf("%+v: %d stops, %+v", tt, len(written(r.session)), g)
			}
			if tt.stops == 1 && written(r.session)[0].Intent.Qty != market.Shares(70-tt.qty) {
				t.Errorf("stop %+v", written(r.session)[0].Intent)
			}
			r.stop(t)
		})
	}
}
