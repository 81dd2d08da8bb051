package ibkr

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// dispatch takes one frame: ticks on a path without an allocation, the rest
// decoded by the table. A frame that does not decode is skipped and told; the
// next one is whole.
func (s *Session) dispatch(payload []byte) {
	s.frames++
	s.heard.add(s.wall(), payload)
	id, ok := wire.PeekID(payload)
	if !ok {
		s.undecoded(payload, fmt.Errorf("ibkr: frame without a message id: %.40q", payload))
		return
	}
	var err error
	switch id {
	case wire.IDTickPrice, wire.IDTickSize, wire.IDTickGeneric, wire.IDTickString:
		s.batch.TickFrames++ // every frame of these ids, whatever is in it
		err = s.tick(id, payload)
	case wire.IDOrderStatus, wire.IDOpenOrder, wire.IDExecDetails, wire.IDCommissionReport:
		s.batch.ReportFrames++
		err = s.decode(payload)
	default:
		err = s.decode(payload)
	}
	if err != nil {
		s.undecoded(payload, err)
		if !errors.Is(err, errNotStock) {
			s.spoil(id, err)
		}
	}
}

// spoil fails the questions whose answers a frame that could not be read may
// belong to: a list with a hole would read as "not held" or "not executed". An
// open order is not among them. Ours are simple ones, which decode; what does
// not is somebody else's.
func (s *Session) spoil(id int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, r := range s.requests {
		position := id == wire.IDPosition && key == turnKey(turnPositions)
		execution := id == wire.IDExecDetails && r.name == "reqExecutions"
		completed := id == wire.IDCompletedOrder && key == turnKey(turnCompleted)
		if r.over || !position && !execution && !completed {
			continue
		}
		if r.left != nil {
			r.left() // the rest is still to come
		}
		s.answerLater(key, r, &broker.Error{
			Op: r.name, Kind: broker.ErrRequest, Err: fmt.Errorf("a part of the answer could not be read: %w", err),
			Advice: "ask again; if it stays, report it with the session's recording",
		})
	}
}

func (s *Session) decode(payload []byte) error {
	m, err := wire.DecodeServer(s.v, payload)
	if err != nil {
		return err
	}
	return s.route(m)
}

// undecoded tells of a frame that could not be used: in the log at the first
// ones and then rarely, and always as an event, since it may have been an
// execution. Market data is none, and would come as a flood: an event at every
// tick is a line in the log and a message to every client, too.
func (s *Session) undecoded(payload []byte, err error) {
	seen := s.skipped.Add(1)
	rarely := seen <= 10 || seen%1000 == 0
	switch id, _ := wire.PeekID(payload); id {
	case wire.IDTickPrice, wire.IDTickSize, wire.IDTickGeneric, wire.IDTickString:
		if !rarely {
			return
		}
	}
	if rarely {
		s.log.Warn("frame_not_decoded", "gateway", s.facts.Gateway, "bytes", len(payload), "seen", seen, "error", broker.MaskAccounts(err.Error()))
	}
	s.event(broker.Notice{Kind: broker.NoticeWarning, Text: "a frame of the gateway was skipped: " + err.Error()})
}

func (s *Session) event(e broker.Event) { s.batch.Events = append(s.batch.Events, e) }

// route sends a message to who waits for it, to Events, or both.
func (s *Session) route(m wire.Message) error {
	switch m := m.(type) {
	case wire.ErrMsg:
		s.notice(m)
	case wire.OpenOrder, wire.OrderStatus, wire.ExecDetails, wire.CommissionReport:
		return s.report(m)
	case wire.Position, wire.PortfolioValue, wire.AccountValue, wire.AccountSummary:
		return s.holding(m)
	case wire.OpenOrderEnd:
		s.listEnd(turnOpenOrders, m)
	case wire.PositionEnd:
		s.listEnd(turnPositions, m)
	case wire.CompletedOrder:
		s.answer(turnKey(turnCompleted), m)
	case wire.CompletedOrdersEnd:
		s.listEnd(turnCompleted, m)
	case wire.ExecDetailsEnd:
		s.answer(m.ReqID, m)
	case wire.AccountSummaryEnd:
		s.answer(m.ReqID, m)
	case wire.ContractData:
		s.answer(m.ReqID, m)
	case wire.ContractDataEnd:
		s.answer(m.ReqID, m)
	case wire.HistoricalData:
		s.answer(m.ReqID, m)
	case wire.CurrentTime:
		s.tellTime(time.Unix(m.Epoch, 0).UTC())
	case wire.TimeInMillis:
		s.tellTime(time.UnixMilli(m.Epoch).UTC())
	default:
		// Nothing here asks for the rest; a newer gateway may say more.
	}
	return nil
}

// report takes what the venue says about orders: always an event, so that
// nothing is lost, and besides that a part of the answer to who asked.
func (s *Session) report(m wire.Message) error {
	switch m := m.(type) {
	case wire.OpenOrder:
		s.answer(turnKey(turnOpenOrders), m) // with its fault, if it has one
		r, err := orderReport(m)
		if err != nil {
			return err
		}
		s.event(r)
	case wire.OrderStatus:
		s.event(statusReport(m))
	case wire.ExecDetails:
		return s.execution(m)
	case wire.CommissionReport:
		r, ok := commissionReport(m)
		if !ok {
			return fmt.Errorf("ibkr: commission report of %.60q without an amount", m.ExecID)
		}
		s.event(r)
		s.answerExecutions(m)
	}
	return nil
}

// holding takes what the venue says about the account: to who asked, or else
// an event.
func (s *Session) holding(m wire.Message) error {
	told := func(account string, c wire.Contract, qty market.Qty, cost *market.Price) error {
		p, err := position(account, c, qty, cost)
		if err == nil {
			s.event(broker.PositionReport{Position: p})
		}
		return err
	}
	switch m := m.(type) {
	case wire.Position:
		if !s.answer(turnKey(turnPositions), m) {
			return told(m.Account, m.Contract, m.Position, m.AvgCost)
		}
	case wire.PortfolioValue:
		return told(m.Account, m.Contract, m.Position, m.AverageCost)
	case wire.AccountValue:
		s.event(broker.AccountValue{Account: m.Account, Key: m.Key, Value: m.Value, Currency: m.Currency})
	case wire.AccountSummary:
		if !s.answer(m.ReqID, m) {
			s.event(broker.AccountValue{Account: m.Account, Key: m.Tag, Value: m.Value, Currency: m.Currency})
		}
	}
	return nil
}

// notice routes an error message. It is about a request of ours, a market-data
// subscription, an order, or nothing in particular.
func (s *Session) notice(m wire.ErrMsg) {
	row := s.codes.lookup(m.Code)
	n := broker.Notice{Kind: row.kind, Code: m.Code, Text: m.Text}
	if m.Time > 0 {
		n.At = time.UnixMilli(m.Time).UTC()
	}
	s.heed(m, row.kind)
	s.note(m, row.kind)
	id, about := m.About()
	switch {
	case !about || id <= 0:
		// Read-only mode refuses what has no request id under no id at all.
		if m.Code == 321 && s.reject(turnKey(refusedTurn(m.Text)), m) {
			return
		}
		if n.Kind == broker.NoticeRequest || n.Kind == broker.NoticeReject {
			n.Kind = broker.NoticeWarning
		}
	case s.ids.Ours(id):
		if sub := s.sub(int(id)); sub != nil {
			n.Symbol = sub.symbol
			if row.ends {
				s.drop(int(id), sub.symbol)
				n.Kind = broker.NoticeRequest
			}
			if s.delay(m.Code, sub) {
				n.Kind, n.Text = broker.NoticeWarning, m.Text+" (delayed data are asked for)"
			}
			break
		}
		if row.ends && s.reject(int(id), m) {
			return // whoever asked will tell
		}
		if ownCancel(m.Code, m.Text) || n.Kind == broker.NoticeRequest {
			n.Kind = broker.NoticeInfo // nobody waits for it any more
		}
	default:
		s.mu.Lock()
		n.Kind = row.about(s.cancels.has(id))
		s.mu.Unlock()
		n.OrderID = id
	}
	if n.Kind == broker.NoticeDataLost {
		s.dropAll()
	}
	s.event(n)
	if m.Code == 1300 {
		s.parting = s.movedTo(m)
	}
}

// dropAll forgets all subscriptions, because the venue did (1101): subscribing
// again then makes new ones.
func (s *Session) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.bySymbol)
	s.subs.Store(&map[int]*subscription{})
}

// advance moves the market's clock forward to at.
func (s *Session) advance(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Advance(at.UTC(), s.wall())
}

// setClock takes the gateway's own time: the market's clock goes on from it, and
// no tick's time is believed far beyond it. A simulated gateway's ticks are its
// time.
func (s *Session) setClock(at time.Time) {
	if s.cfg.Simulated {
		s.advance(at)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Tell(at.UTC(), s.wall())
}

// wall is the wall time of the newest read: what came together has one time.
func (s *Session) wall() time.Time {
	if s.readAt.IsZero() {
		s.readAt = time.Now()
	}
	return s.readAt
}

// marketNow is the newest market time known, on the reader.
func (s *Session) marketNow() time.Time { return s.clock.Now(s.wall()) }

func (s *Session) sub(id int) *subscription { return (*s.subs.Load())[id] }

// drop forgets a subscription that the venue ended.
func (s *Session) drop(id int, symbol market.Symbol) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bySymbol[symbol] == id {
		delete(s.bySymbol, symbol)
	}
	s.editSubs(func(m map[int]*subscription) { delete(m, id) })
}
