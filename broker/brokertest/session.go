package brokertest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// session is one session with a Memory. The venue's mutex guards its fields.
type session struct {
	m     *Memory
	facts broker.Facts
	some  chan struct{} // holds a token when pending or over changed

	pending    broker.Batch
	over       error // why it ended, nil while it lives
	subscribed map[market.Symbol]bool
}

func (s *session) Facts() broker.Facts { return s.facts }

func (s *session) wake() {
	s.pending.Received = time.Now()
	select {
	case s.some <- struct{}{}:
	default:
	}
}

func (s *session) push(ticks []market.Tick) {
	s.pending.Ticks = append(s.pending.Ticks, ticks...)
	s.pending.TickFrames += uint64(len(ticks))
	s.wake()
}

// finish ends the session; the first reason stands.
func (s *session) finish(why error) {
	if s.over != nil {
		return
	}
	s.over = why
	s.m.sessions = slices.DeleteFunc(s.m.sessions, func(o *session) bool { return o == s })
	s.wake()
}

// Events returns what is pending.
func (s *session) Events(ctx context.Context) (broker.Batch, error) {
	for {
		if b, err := s.fetch(); err != nil || len(b.Ticks)+len(b.Events) > 0 {
			return b, err
		}
		select {
		case <-s.some:
		case <-ctx.Done():
			return broker.Batch{}, ctx.Err()
		}
	}
}

func (s *session) fetch() (broker.Batch, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	b := s.pending
	if len(b.Ticks)+len(b.Events) == 0 {
		return broker.Batch{}, s.over
	}
	s.pending.Ticks, s.pending.Events = nil, nil // they are the caller's now
	return b, nil
}

// enter locks the venue for a request. Without an error, the caller unlocks.
func (s *session) enter(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	s.m.mu.Lock()
	if s.over != nil {
		s.m.mu.Unlock()
		return &broker.Error{Op: op, Kind: broker.ErrClosed, Err: s.over}
	}
	return nil
}

func (s *session) Time(ctx context.Context) (time.Time, error) {
	if err := s.enter(ctx, "ask the time"); err != nil {
		return time.Time{}, err
	}
	defer s.m.mu.Unlock()
	return s.m.now().Truncate(time.Second), nil
}

func (s *session) Close(context.Context) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.finish(broker.ErrClosed)
	return nil
}

func (s *session) Place(ctx context.Context, t broker.Ticket) error {
	if err := s.enter(ctx, "place order"); err != nil {
		return &broker.Error{Op: "place order", Kind: broker.ErrNotWritten, Err: err}
	}
	defer s.m.mu.Unlock()
	if s.m.faults.Place != nil {
		return s.m.faults.Place
	}
	s.m.nextID = max(s.m.nextID, t.OrderID+1)
	if s.m.faults.Silent {
		return nil
	}
	in := t.Intent
	r := exchange.Request{
		ClientID: s.facts.ClientID, OrderID: t.OrderID, Ref: t.Ref(), Account: t.Account, Symbol: t.Contract.Symbol,
		Side: in.Side, Type: in.Type, TIF: in.TIF, Qty: in.Qty, Limit: in.Limit,
		Terms: exchange.Terms{Stop: in.Stop, OutsideRTH: in.OutsideRTH},
	}
	if in.OCA != "" {
		r.OCAGroup, r.OCAType = in.OCA, exchange.ReduceBlock
	}
	if in.Action == order.Modify {
		return s.modify(t.OrderID, r)
	}
	if s.m.spent[r.OCAGroup] { // from general knowledge: an exit that comes after its stop filled is too late
		s.m.send([]broker.Event{broker.Notice{Kind: broker.NoticeReject, Code: 201, Text: "Order rejected - reason:the OCA group has filled", OrderID: t.OrderID}})
		return nil
	}
	s.m.tell(slices.Clone(s.m.exchange.Place(s.m.now(), r)))
	return nil
}

// modify changes an open order. Of one that is not open, a TWS says that its
// number was used. The venue's mutex is held.
func (s *session) modify(id int64, r exchange.Request) error {
	for _, o := range s.m.exchange.Open() {
		if o.OrderID != id || o.ClientID != s.facts.ClientID {
			continue
		}
		reports, err := s.m.exchange.Modify(s.m.now(), o.PermID, r)
		s.m.tell(slices.Clone(reports))
		return err
	}
	s.m.send([]broker.Event{broker.Notice{Kind: broker.NoticeReject, Code: 103, Text: "Duplicate order id", OrderID: id}})
	return nil
}

func (s *session) Cancel(ctx context.Context, id int64) error {
	if err := s.enter(ctx, "cancel order"); err != nil {
		return &broker.Error{Op: "cancel order", Kind: broker.ErrNotWritten, Err: err}
	}
	defer s.m.mu.Unlock()
	if s.m.faults.Place != nil {
		return s.m.faults.Place
	}
	if s.m.faults.Silent {
		return nil
	}
	for _, o := range s.m.exchange.Open() {
		if o.OrderID != id || o.ClientID != s.facts.ClientID {
			continue
		}
		s.m.send([]broker.Event{status(o.Order, "PendingCancel", order.CancelSent)})
		reports, err := s.m.exchange.Cancel(s.m.now(), o.PermID)
		s.m.tell(slices.Clone(reports))
		return err
	}
	s.m.send([]broker.Event{broker.Notice{Kind: broker.NoticeNoCancel, Code: 10147, Text: "OrderId that needs to be cancelled is not found", OrderID: id}})
	return nil
}

func (s *session) Subscribe(ctx context.Context, c market.Contract) error {
	if err := s.enter(ctx, "subscribe"); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	if s.m.faults.Subscribe != nil {
		return s.m.faults.Subscribe
	}
	if _, ok := s.m.exchange.Find(c); !ok {
		return unknownContract("subscribe", c)
	}
	s.subscribed[c.Symbol] = true
	if known, _ := s.m.exchange.Market(c.Symbol); known.Quote.Bid != nil { // what is known comes first
		q := known.Quote
		s.push([]market.Tick{{Symbol: c.Symbol, Kind: market.TickBid, Known: true, Price: *q.Bid, Size: *q.BidSize, At: s.m.now()}})
	}
	return nil
}

// Resubscribe tells what is known anew.
func (s *session) Resubscribe(ctx context.Context, c market.Contract) error {
	if err := s.Unsubscribe(ctx, c.Symbol); err != nil {
		return err
	}
	return s.Subscribe(ctx, c)
}

func unknownContract(op string, c market.Contract) error {
	return &broker.Error{
		Op: op, Kind: broker.ErrRequest, Code: 200,
		Err: fmt.Errorf("no security definition has been found for %s", c.Symbol),
	}
}

func (s *session) Unsubscribe(ctx context.Context, sym market.Symbol) error {
	if err := s.enter(ctx, "unsubscribe"); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	delete(s.subscribed, sym)
	return nil
}

func (s *session) Details(ctx context.Context, c market.Contract) ([]market.Details, error) {
	if err := s.enter(ctx, "ask for a contract"); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	d, ok := s.m.exchange.Find(c)
	if !ok {
		return nil, unknownContract("ask for a contract", c)
	}
	return []market.Details{d}, nil
}

func (s *session) Bars(ctx context.Context, q broker.BarsQuery) ([]market.Bar, error) {
	if err := s.enter(ctx, "ask for bars"); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	end := q.End
	if now := s.m.now(); end.IsZero() || end.After(now) {
		end = now
	}
	if q.Width <= 0 {
		return nil, &broker.Error{Op: "ask for bars", Kind: broker.ErrRequest, Code: 321, Err: fmt.Errorf("bar width %v", q.Width)}
	}
	bars, err := s.m.source.History(q.Contract.Symbol, end.Truncate(q.Width), q.Span, q.Width, q.RegularOnly)
	if err != nil {
		return nil, &broker.Error{Op: "ask for bars", Kind: broker.ErrRequest, Code: 162, Err: err}
	}
	return bars, nil
}

// account locks the venue for a question about the account.
func (s *session) account(ctx context.Context, op string) error {
	if err := s.enter(ctx, op); err != nil {
		return err
	}
	if err := s.m.faults.Account; err != nil {
		s.m.mu.Unlock()
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

func (s *session) Positions(ctx context.Context) ([]order.Position, error) {
	if err := s.account(ctx, "ask the positions"); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	list := []order.Position{}
	for _, p := range s.m.exchange.Positions(s.facts.Account) {
		list = append(list, order.Position{
			Account: p.Account, Symbol: p.Contract.Symbol, ConID: p.Contract.ConID, Qty: p.Qty, AvgCost: p.AvgCost,
		})
	}
	return list, nil
}

func (s *session) OpenOrders(ctx context.Context) ([]broker.OrderReport, error) {
	if err := s.account(ctx, "ask the open orders"); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	list := []broker.OrderReport{}
	for _, o := range s.m.exchange.Open() {
		word, sig := standing(o)
		list = append(list, openOrder(plain(o), word, sig))
	}
	return list, nil
}

func (s *session) Executions(ctx context.Context) ([]broker.ExecutionReport, []broker.CommissionReport, error) {
	if err := s.account(ctx, "ask the executions"); err != nil {
		return nil, nil, err
	}
	defer s.m.mu.Unlock()
	fills, costs := []broker.ExecutionReport{}, []broker.CommissionReport{}
	for _, f := range s.m.exchange.Fills() {
		if f.Commission != nil {
			costs = append(costs, commission(f.ExecID, *f.Commission, f.Currency, f.RealizedPNL))
		}
		f.Commission, f.RealizedPNL = nil, nil // it comes in a message of its own
		fills = append(fills, broker.ExecutionReport{Fill: f})
	}
	return fills, costs, nil
}

func (s *session) Account(ctx context.Context) ([]broker.AccountValue, error) {
	if err := s.account(ctx, "ask the account's values"); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	v, _ := s.m.exchange.Value(s.facts.Account)
	value := func(key string, m market.Money) broker.AccountValue {
		return broker.AccountValue{Account: s.facts.Account, Key: key, Value: m.Round(2).String(), Currency: "USD"}
	}
	return []broker.AccountValue{
		value("NetLiquidation", v.Equity), value("TotalCashValue", v.Cash), value("BuyingPower", v.Cash),
	}, nil
}

func (s *session) WatchAccount(ctx context.Context) error {
	if err := s.account(ctx, "watch the account"); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	return nil
}
