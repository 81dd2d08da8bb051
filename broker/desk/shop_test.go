package desk

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
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
	judge   tickJudge
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
	if len(guards) != 1 || !guards[0].Covered || guards[0].Held != market.Shares(pos).Abs() || guards[0].Cause != "" || guards[0].Ref != stops[0].Ref || *guards[0].StopPrice != *stops[0].StopPrice || guards[0].Position != market.Shares(pos) {
		s.t.Fatalf("guards %+v", guards)
	}
	return stops[0]
}

func (s *shop) orderOf(ref string) order.Order {
	for _, o := range s.state().Orders {
		if o.Ref == ref {
			return o
		}
	}
	return order.Order{}
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
