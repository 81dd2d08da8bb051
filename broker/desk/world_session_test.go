package desk

import (
	"context"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// worldSession is a connection to the gateway.
type worldSession struct {
	*fakeSession // for what the world does not play
	w            *world
	facts        broker.Facts
	cut          bool
	subscribed   bool
	frames       uint64
}

// during lets the world go on inside a question, which may fail.
func (s *worldSession) during(what string) error {
	for range s.w.dice.IntN(4) {
		s.w.inside()
	}
	switch {
	case s.w.fault(4):
		panic(death("inside the question for " + what))
	case s.w.fault(6):
		s.w.venue.cut("inside the question for " + what)
	}
	if s.cut {
		return broker.ErrGatewayDown
	}
	if s.w.fault(20) || !s.w.venue.up {
		s.w.say("no answer: %s", what)
		return fmt.Errorf("%s: %w", what, broker.ErrNoAnswer)
	}
	return nil
}

// after lets the world go on between the answer and its reader.
func (s *worldSession) after() {
	for range s.w.dice.IntN(3) {
		s.w.inside()
	}
}

// Facts implements [broker.Session].
func (s *worldSession) Facts() broker.Facts { return s.facts }

// Time implements [broker.Session].
func (s *worldSession) Time(context.Context) (time.Time, error) {
	return s.w.market().Truncate(time.Second), s.during("time")
}

// Place implements [broker.Trader].
func (s *worldSession) Place(_ context.Context, t broker.Ticket) error {
	return s.write(frame{place: &t}, t.Intent.ID)
}

// Cancel implements [broker.Trader].
func (s *worldSession) Cancel(_ context.Context, id int64) error {
	return s.write(frame{cancel: id}, fmt.Sprint("cancel of ", id))
}

// write puts a message into the socket, whole, in part or not at all.
func (s *worldSession) write(m frame, what string) error {
	w := s.w
	if w.fault(4) {
		panic(death("before the write"))
	}
	if s.cut || w.fault(6) {
		w.venue.cut("before a write")
		return broker.ErrNotWritten
	}
	if m.place != nil {
		w.checkWrite(*m.place)
	}
	w.say("write %s", what)
	if w.fault(5) { // the last bytes may be missing, and then nobody ever reads the message
		if w.chance(500) {
			w.venue.out = append(w.venue.out, m)
		}
		w.venue.cut("inside a write")
		return broker.ErrOutcomeUnknown
	}
	w.venue.out = append(w.venue.out, m)
	if w.fault(6) {
		panic(death("behind the write, before its record"))
	}
	return nil
}

// Positions implements [broker.AccountSource].
func (s *worldSession) Positions(context.Context) ([]order.Position, error) {
	if err := s.during("positions"); err != nil {
		return nil, err
	}
	defer s.after()
	var list []order.Position
	for _, p := range s.w.venue.x.Positions(worldAccount) {
		list = append(list, positionOf(p))
	}
	return list, nil
}

// OpenOrders implements [broker.AccountSource].
func (s *worldSession) OpenOrders(context.Context) ([]broker.OrderReport, error) {
	if err := s.during("open orders"); err != nil {
		return nil, err
	}
	var list []broker.OrderReport
	for _, o := range s.w.venue.x.Open() {
		if o.ClientID == worldClient {
			list = append(list, openOrder(o))
		}
	}
	s.after()
	return list, nil
}

// Executions implements [broker.AccountSource].
func (s *worldSession) Executions(context.Context) (fills []broker.ExecutionReport, costs []broker.CommissionReport, err error) {
	if err := s.during("executions"); err != nil {
		return nil, nil, err
	}
	for _, f := range s.w.venue.x.Fills() {
		fills = append(fills, broker.ExecutionReport{Fill: bare(f)})
		if f.Commission != nil {
			costs = append(costs, broker.CommissionReport{ExecID: f.ExecID, Commission: *f.Commission, Currency: f.Currency})
		}
	}
	s.after()
	return fills, costs, nil
}

// CompletedOrders implements [broker.CompletedSource].
func (s *worldSession) CompletedOrders(context.Context) (list []broker.CompletedReport, err error) {
	if err := s.during("completed orders"); err != nil {
		return nil, err
	}
	v := s.w.venue
	for _, perm := range v.order {
		if o := v.last[perm]; o.State.Final() {
			word, sig := signalOf(o.Order)
			d := openOrder(o.Order).Order
			d.OrderID, d.ClientID, d.Filled = 0, 0, o.Filled
			list = append(list, broker.CompletedReport{Order: d, Status: word, Signal: sig, Known: true, Why: o.why, At: o.Updated})
		}
	}
	s.after()
	return list, nil
}

// Account implements [broker.AccountSource].
func (s *worldSession) Account(context.Context) ([]broker.AccountValue, error) {
	return []broker.AccountValue{{Account: worldAccount, Key: "NetLiquidation", Value: "1000000", Currency: "USD"}}, s.during("account")
}

// WatchAccount implements [broker.AccountSource].
func (s *worldSession) WatchAccount(context.Context) error { return s.during("account stream") }

// Details implements [broker.ContractSource].
func (s *worldSession) Details(_ context.Context, c market.Contract) ([]market.Details, error) {
	d, _ := s.w.venue.x.Find(c)
	return []market.Details{d}, s.during("contract")
}

// Subscribe implements [broker.MarketData]; a tick comes with the answer.
func (s *worldSession) Subscribe(context.Context, market.Contract) error {
	if err := s.during("market data"); err != nil {
		return err
	}
	s.subscribed = true
	s.w.venue.tick()
	return nil
}

// Unsubscribe implements [broker.MarketData].
func (s *worldSession) Unsubscribe(context.Context, market.Symbol) error {
	s.subscribed = false
	return s.during("the end of market data")
}
