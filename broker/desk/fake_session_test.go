package desk

import (
	"context"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// fakeSession is a session of which the test is the venue.
type fakeSession struct {
	*trace
	facts   broker.Facts
	batches chan broker.Batch
	closed  chan struct{}
	once    sync.Once

	mu        sync.Mutex
	placed    []broker.Ticket
	cancelled []int64
	placing   func(broker.Ticket) error
	cancel    error
	at        time.Time
	open      []broker.OrderReport
	fills     []broker.ExecutionReport
	costs     []broker.CommissionReport
	held      []order.Position
	values    []broker.AccountValue
	details   map[market.Symbol][]market.Details
	fail      map[string]error // by method
	onSub     func(market.Symbol)
	between   func(string) // called inside each question
	hang      string       // the question that is never answered
}

func newSession(t *trace) *fakeSession {
	return &fakeSession{
		trace:   t,
		facts:   broker.Facts{Account: "DU1", Accounts: []string{"DU1"}, ClientID: 1, NextOrderID: 100, Speed: 1},
		batches: make(chan broker.Batch), closed: make(chan struct{}),
		at:     day,
		values: []broker.AccountValue{{Account: "DU1", Key: "NetLiquidation", Value: "1000", Currency: "USD"}},
		details: map[market.Symbol][]market.Details{"AAPL": {{
			Contract: market.Contract{ConID: 265598, Symbol: "AAPL", SecType: "STK", Exchange: "SMART", Currency: "USD"},
			Liquid:   market.Hours{{Open: day.Add(-time.Hour), Close: day.Add(time.Hour)}},
		}}},
		fail: map[string]error{},
	}
}

// subscribing sets what a subscription brings, from now on.
func (s *fakeSession) subscribing(fn func(market.Symbol)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onSub = fn
}

// asking has fn called inside each question, from now on.
func (s *fakeSession) asking(fn func(what string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.between = fn
}

func (s *fakeSession) Facts() broker.Facts { return s.facts }

func (s *fakeSession) Events(ctx context.Context) (broker.Batch, error) {
	select {
	case b := <-s.batches:
		return b, nil
	case <-s.closed:
		return broker.Batch{}, broker.ErrClosed
	case <-ctx.Done():
		return broker.Batch{}, ctx.Err()
	}
}

func (s *fakeSession) Close(context.Context) error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *fakeSession) Time(ctx context.Context) (time.Time, error) { return s.at, s.asked(ctx, "time") }

// asked is failing for a question that may stay without an answer.
func (s *fakeSession) asked(ctx context.Context, what string) error {
	hang := ""
	s.venue(func() { hang = s.hang })
	if hang == what {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.failing(what)
}

func (s *fakeSession) fails(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[what] = err
}

func (s *fakeSession) failing(what string) error {
	s.mu.Lock()
	between := s.between
	s.mu.Unlock()
	if between != nil {
		between(what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail[what]
}

func (s *fakeSession) Place(_ context.Context, t broker.Ticket) error {
	s.note("wire")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.placing != nil {
		if err := s.placing(t); err != nil {
			return err
		}
	}
	s.placed = append(s.placed, t)
	return nil
}

func (s *fakeSession) Cancel(_ context.Context, id int64) error {
	s.note("wire cancel")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		return s.cancel
	}
	s.cancelled = append(s.cancelled, id)
	return nil
}

// venue changes what the session answers, while it may be asked.
func (s *fakeSession) venue(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeSession) Positions(ctx context.Context) (list []order.Position, err error) {
	err = s.asked(ctx, "positions")
	s.venue(func() { list = s.held })
	return list, err
}

func (s *fakeSession) OpenOrders(ctx context.Context) (list []broker.OrderReport, err error) {
	err = s.asked(ctx, "open orders")
	s.venue(func() { list = s.open })
	return list, err
}

func (s *fakeSession) Executions(ctx context.Context) (fills []broker.ExecutionReport, costs []broker.CommissionReport, err error) {
	err = s.asked(ctx, "executions")
	s.venue(func() { fills, costs = s.fills, s.costs })
	return fills, costs, err
}

func (s *fakeSession) Account(ctx context.Context) (list []broker.AccountValue, err error) {
	err = s.asked(ctx, "account")
	s.venue(func() { list = s.values })
	return list, err
}
func (s *fakeSession) WatchAccount(ctx context.Context) error { return s.asked(ctx, "watch") }

func (s *fakeSession) Details(ctx context.Context, c market.Contract) ([]market.Details, error) {
	return s.details[c.Symbol], s.asked(ctx, "details "+string(c.Symbol))
}

func (s *fakeSession) Subscribe(_ context.Context, c market.Contract) error {
	if err := s.failing("subscribe " + string(c.Symbol)); err != nil {
		return err
	}
	s.note("subscribe " + string(c.Symbol))
	s.mu.Lock()
	onSub := s.onSub
	s.mu.Unlock()
	if onSub != nil {
		onSub(c.Symbol)
	}
	return nil
}
func (s *fakeSession) Unsubscribe(context.Context, market.Symbol) error { return nil }

func (s *fakeSession) Bars(ctx context.Context, q broker.BarsQuery) ([]market.Bar, error) {
	if err := s.failing("bars"); err != nil {
		return nil, err
	}
	return []market.Bar{{Start: day, Close: market.MustPrice("10")}}, nil
}
