package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
)

// slow is a session whose wire a test holds: what the desk writes and what the
// venue says arrive one by one, when the test lets them.
type slow struct {
	broker.Session
	broker.AccountSource
	broker.MarketData
	broker.HistorySource
	broker.ContractSource
	trader broker.Trader

	mu     sync.Mutex
	held   bool
	writes []func()
	events []broker.Event
	some   chan struct{}
}

func newSlow(s broker.Session) *slow {
	return &slow{
		Session: s, AccountSource: s.(broker.AccountSource), MarketData: s.(broker.MarketData), HistorySource: s.(broker.HistorySource),
		ContractSource: s.(broker.ContractSource), trader: s.(broker.Trader), some: make(chan struct{}, 1),
	}
}

func (s *slow) Place(ctx context.Context, t broker.Ticket) error {
	return s.write(func() { _ = s.trader.Place(context.Background(), t) })
}

func (s *slow) Cancel(_ context.Context, id int64) error {
	return s.write(func() { _ = s.trader.Cancel(context.Background(), id) })
}

func (s *slow) write(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		s.writes = append(s.writes, do)
		return nil
	}
	do()
	return nil
}

// Events gives what came; while the wire is held, only what deliver lets through.
func (s *slow) Events(ctx context.Context) (broker.Batch, error) {
	for {
		s.mu.Lock()
		if len(s.events) > 0 {
			b := broker.Batch{Events: s.events}
			s.events = nil
			s.mu.Unlock()
			return b, nil
		}
		held := s.held
		s.mu.Unlock()
		if !held {
			return s.Session.Events(ctx)
		}
		select {
		case <-s.some:
		case <-ctx.Done():
			return broker.Batch{}, ctx.Err()
		}
	}
}

// hold takes the wire in hand: the desk's next read waits.
func (s *slow) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// release ends that.
func (s *slow) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	select {
	case s.some <- struct{}{}:
	default:
	}
}

// race is one seed's life of a position.
type race struct {
	*shop
	wire *slow
	rng  *rand.Rand
	late []broker.Event // said by the venue, not delivered
	mid  int64          // cents
	in   order.Side     // of entries: long lives buy, short ones sell
	log  []string
}

func (r *race) note(format string, a ...any) { r.log = append(r.log, fmt.Sprintf(format, a...)) }

// arrive lets up to n of the desk's writes reach the venue.
func (r *race) arrive(n int) {
	for range n {
		r.wire.mu.Lock()
		if len(r.wire.writes) == 0 {
			r.wire.mu.Unlock()
			return
		}
		do := r.wire.writes[0]
		r.wire.writes = r.wire.writes[1:]
		r.wire.mu.Unlock()
		do()
		r.check()
	}
}

// deliver lets up to n of the venue's words reach the desk, in their order.
func (r *race) deliver(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	if b, err := r.wire.Session.Events(ctx); err == nil {
		r.late = append(r.late, b.Events...)
	}
	cancel()
	n = min(n, len(r.late))
	r.wire.mu.Lock()
	r.wire.events = append(r.wire.events, r.late[:n]...)
	r.wire.mu.Unlock()
	r.late = r.late[n:]
	select {
	case r.wire.some <- struct{}{}:
	default:
	}
	synctest.Wait()
}

// market moves the price, and prints at it.
func (r *race) market() {
	r.mid += r.rng.Int64N(401) - 200
	if r.rng.IntN(6) == 0 {
		r.mid -= 600 * r.in.Signed(market.Shares(1)).Int() // through the stop
	}
	r.mid = max(r.mid, 5000)
	p := market.MustPrice(fmt.Sprintf("%d.%02d", r.mid/100, r.mid%100))
	r.quote(p.String())
	r.venue.Trade(p, market.Shares(100))
	r.note("market %v", p)
	r.check()
}

// out is the side of exits.
func (r *race) out() order.Side {
	if r.in == order.Buy {
		return order.Sell
	}
	return order.Buy
}

// check holds the promises: a position of a desk that only leaves what it holds
// is never turned over, and what the stops and the exits at the venue may take
// together, of a group the largest, is at no moment more than it.
func (r *race) check() {
	pos := r.in.Signed(r.position())
	if pos.Sign() < 0 {
		r.t.Fatalf("the position is turned over: %v after\n%s", pos, strings.Join(r.log, "\n"))
	}
	open, err := r.session.(broker.AccountSource).OpenOrders(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	sum, groups := market.Qty{}, map[string]market.Qty{}
	for _, o := range open {
		left := o.Order.Remaining()
		if o.Order.Side == r.in {
			continue
		}
		if was := groups[o.Order.OCA]; o.Order.OCA == "" {
			sum = sum.Add(left)
		} else if was.Less(left) {
			sum, groups[o.Order.OCA] = sum.Add(left.Sub(was)), left
		}
	}
	if pos.Less(sum) {
		r.t.Fatalf("stops and exits may take %v of %v after\n%s", sum, pos, strings.Join(r.log, "\n"))
	}
}

func (r *race) step() {
	switch r.rng.IntN(10) {
	case 0, 1:
		qty := int64(r.rng.IntN(20)+1) * 100
		reply := r.request(r.in, qty, "")
		r.note("enter %d: %s %s", qty, reply.Result, reply.Rule)
	case 2, 3:
		h := r.desk.books.Holding(r.venue.Symbol())
		if h == nil || r.in.Signed(*h).Sign() <= 0 {
			return
		}
		qty := h.Abs().Int()
		if r.rng.IntN(2) == 0 {
			qty = max(1, r.rng.Int64N(qty))
		}
		limit := ""
		if r.rng.IntN(2) == 0 {
			cents := r.mid + 100*r.in.Signed(market.Shares(1)).Int()
			limit = fmt.Sprintf("%d.%02d", cents/100, cents%100)
		}
		reply := r.request(r.out(), qty, limit)
		r.note("leave %d at %q: %s %s", qty, limit, reply.Result, reply.Rule)
	case 4:
		for _, o := range r.state().Orders {
			if o.State.Live() && o.Strategy == "test" {
				r.n++
				r.desk.request(context.Background(), cancelOf(fmt.Sprintf("c-%d", r.n), o.Ref))
				r.note("cancel %s", o.Ref)
				return
			}
		}
	case 5, 6:
		r.market()
	case 7, 8:
		n := r.rng.IntN(4)
		r.note("deliver %d", n)
		r.deliver(n)
	default:
		n := r.rng.IntN(3)
		r.note("arrive %d", n)
		r.arrive(n)
		if r.rng.IntN(8) == 0 {
			time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Millisecond)
			synctest.Wait()
		}
	}
}

// TestExitAndStopNeverTurnAPositionOver plays entries, exits, cancels and the
// market against a wire on which everything is in flight for a while, in any
// order between the two directions; and when all has arrived, one stop covers
// what is left. The gate is the real one.
func TestExitAndStopNeverTurnAPositionOver(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { raceOnce(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func raceOnce(t *testing.T, seed uint64) {
	venue, err := brokertest.NewMemory(brokertest.MemoryConfig{Start: day, PartialFills: seed%2 == 0})
	if err != nil {
		t.Fatal(err)
	}
	cfg := risk.DefaultConfig()
	cfg.MaxOrderQty, cfg.MaxOrderNotional = market.Shares(100_000), market.MustMoney("100000000")
	cfg.NotionalPerDay, cfg.OrdersPerMinute = market.MustMoney("900000000"), 100_000
	cfg.Off = []string{
		risk.RuleSession, risk.RuleFreshQuote, risk.RuleChurn, risk.RuleDuplicate, risk.RuleDailyLoss, risk.RuleDrawdown,
		risk.RuleLosingStreak, risk.RuleEquity, risk.RuleLeverage, risk.RulePositionNotional, risk.RuleGrossNotional,
	}
	gate, err := risk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t, venue, newJournal())
	enter := []order.Side{order.Buy, order.Sell}[seed/2%2]
	s.gate = func(v broker.View, in order.Intent) order.Decision { // one way only: what goes the other way is an exit, or refused
		d := gate.Decide(v, in)
		if in.Side != enter && in.Action != order.Cancel && !d.Saw.Is("reduction", "true") {
			d.Allowed, d.Rule = false, "one_way"
		}
		return d
	}
	session, err := venue.Open(context.Background(), broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil {
		t.Fatal(err)
	}
	r := &race{shop: s, wire: newSlow(session), rng: rand.New(rand.NewPCG(seed, 7)), mid: 10000, in: enter}
	s.serve(r.wire)
	r.wire.hold()
	defer s.close()
	defer r.wire.release()
	s.quote("100") // ends the read that waits
	s.turn()
	for range 120 {
		r.step()
	}
	for range 40 { // all of it arrives, and the market shows size for what works
		r.arrive(100)
		r.deliver(100)
		s.quote(fmt.Sprintf("%d.%02d", r.mid/100, r.mid%100))
		time.Sleep(3 * time.Second)
		synctest.Wait()
	}
	pos, stops := r.in.Signed(r.position()), market.Qty{}
	for _, o := range s.stops() {
		stops = stops.Add(o.Remaining())
	}
	busy := false
	for _, o := range s.state().Orders {
		busy = busy || o.State.Live() && o.Side == r.out() && o.Type != order.Stop
	}
	if pos != stops {
		t.Fatalf("position %v, stops for %v, an exit works: %v, guards %+v, after\n%s", pos, stops, busy, s.state().Guards, strings.Join(r.log, "\n"))
	}
}
