package ibkr

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// subscription is one symbol's market data. Only the reader touches what is
// behind the contract.
type subscription struct {
	symbol   market.Symbol
	contract market.Contract
	// late is set when delayed data are what was asked for.
	late bool
	// The newest of bid, ask and trade, by kind: a size that comes alone is of
	// the price that came before.
	newest [market.TickTrade + 1]market.Tick
	// echo is set when a price brought its size: gateways tell that size again
	// by itself, and a last size told twice is one trade.
	echo [market.TickTrade + 1]bool
	// stamp is the venue's time of the next trade, zero when not told.
	stamp time.Time
}

// editSubs replaces the map of subscriptions, which the reader reads without
// a lock, by an edited copy; the session is locked.
func (s *Session) editSubs(edit func(map[int]*subscription)) {
	m := maps.Clone(*s.subs.Load())
	edit(m)
	s.subs.Store(&m)
}

// lineUse is how many market-data subscriptions are held, of the limit.
func (s *Session) lineUse() broker.Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return broker.Use{Used: len(s.bySymbol), Limit: s.lines}
}

const reqMarket = "reqMktData"

// Subscribe makes one lasting market-data subscription. A symbol that has one
// keeps it. It does not wait for the first tick. One more than the venue allows
// is not asked for.
func (s *Session) Subscribe(ctx context.Context, c market.Contract) error {
	return s.subscribe(ctx, c, 0)
}

// Resubscribe ends the subscription of a symbol and makes another under a new
// id; see [broker.Resubscriber].
func (s *Session) Resubscribe(ctx context.Context, c market.Contract) error {
	s.mu.Lock()
	old := s.bySymbol[c.Symbol] // 0 = none
	s.mu.Unlock()
	if old != 0 {
		// First the end of the old one: a line that nobody knows would be taken
		// until the session's end.
		if err := s.cancelMarket(ctx, old); err != nil {
			return err
		}
	}
	return s.subscribe(ctx, c, old)
}

// subscribe makes a subscription in place of the one under id old, which has
// been cancelled; 0 is none. A symbol that has another one keeps it.
func (s *Session) subscribe(ctx context.Context, c market.Contract, old int) error {
	id := s.ids.Next()
	frame, err := wire.AppendMessage(nil, wire.ReqMktData{ReqID: id, Contract: wire.ContractOf(c)}, s.v)
	if err != nil {
		return &broker.Error{Op: reqMarket, Kind: broker.ErrRequest, Err: err, Advice: "check the contract of " + string(c.Symbol)}
	}
	s.mu.Lock()
	now, held := s.bySymbol[c.Symbol]
	if held && now != old {
		s.mu.Unlock()
		return nil
	}
	if n := len(s.bySymbol); !held && n >= s.lines {
		err := &broker.Error{
			Op: reqMarket, Kind: broker.ErrRequest, Err: fmt.Errorf("%s would be market-data line %d of %d", c.Symbol, n+1, s.lines),
			Advice: "ask for fewer symbols, or raise broker.ibkr.lines if the login has more lines",
		}
		s.mu.Unlock()
		return err
	}
	s.bySymbol[c.Symbol] = id // before the write: the first tick may be faster than we
	s.editSubs(func(m map[int]*subscription) {
		delete(m, old)
		m[id] = &subscription{symbol: c.Symbol, contract: c, late: s.delayed}
	})
	s.mu.Unlock()
	if err := s.sendSoon(ctx, frame); err != nil {
		s.drop(id, c.Symbol)
		return &broker.Error{Op: reqMarket, Kind: broker.ErrNoAnswer, Err: err, Advice: "subscribe again"}
	}
	return nil
}

// Unsubscribe ends a symbol's market data; without a subscription it does
// nothing. Ticks that are on the way are dropped.
func (s *Session) Unsubscribe(ctx context.Context, symbol market.Symbol) error {
	s.mu.Lock()
	id, held := s.bySymbol[symbol]
	s.wanting = slices.DeleteFunc(s.wanting, func(c market.Contract) bool { return c.Symbol == symbol })
	s.mu.Unlock()
	if !held {
		return nil
	}
	s.drop(id, symbol)
	return s.cancelMarket(ctx, id)
}

// cancelMarket ends a subscription at the venue.
func (s *Session) cancelMarket(ctx context.Context, id int) error {
	frame, err := wire.AppendMessage(nil, wire.CancelMktData{ReqID: id}, s.v)
	if err == nil {
		err = s.sendSoon(ctx, frame)
	}
	if err != nil {
		return &broker.Error{Op: "cancelMktData", Kind: broker.ErrNoAnswer, Err: err, Advice: "the data goes on until the session ends"}
	}
	return nil
}

// sendSoon sends what has no answer, and waits for room no longer than for one.
func (s *Session) sendSoon(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	return s.send(ctx, pace.DataLast, frame)
}

// heed takes what the venue says about our own sending: too many messages, or
// too many lines. It is called on the reader.
func (s *Session) heed(m wire.ErrMsg, kind broker.NoticeKind) {
	if kind == broker.NoticePacing {
		s.budget.Sends.Halve()
		s.log.Warn("sends_halved", "gateway", s.facts.Gateway, "code", m.Code, "text", m.Text, "for", pace.HalvedFor)
	}
	id, about := m.About()
	if m.Code != 101 || !about || s.sub(int(id)) == nil {
		return
	}
	s.mu.Lock()
	before := s.lines
	// This one is too many. One may always be tried: who takes the other lines,
	// a window of the gateway's or another client, may have left.
	s.lines = min(before, max(len(s.bySymbol)-1, 1))
	now := s.lines
	s.mu.Unlock()
	if now == before {
		return
	}
	s.log.Warn("lines_learned", "gateway", s.facts.Gateway, "lines", now, "before", before)
	s.event(broker.Notice{Kind: broker.NoticeWarning, Code: m.Code, Text: fmt.Sprintf(
		"the venue allows this session %d market-data lines, not %d (broker.ibkr.lines)", now, before)})
}

// delay has a symbol asked for with delayed data, once, when the venue refused
// it for want of a subscription; false when there is nothing to ask. It is
// called on the reader, which must not wait for a write.
func (s *Session) delay(n int, sub *subscription) bool {
	switch n {
	case 354, 10089, 10168, 10186: // protocol sheet, section 8; 10089 as known of newer gateways
	default:
		return false
	}
	if !s.cfg.Delayed || sub.late {
		return false
	}
	sub.late = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanting = append(s.wanting, sub.contract)
	if !s.delaying {
		s.delaying = true
		s.errands.Go(s.askDelayed)
	}
	return true
}

// askDelayed asks for delayed data, for all requests to come, and then for each
// symbol that wants them. The kind means live data where the login has them,
// from general knowledge. It is a goroutine of the session: delay starts it, at
// most one at a time; it ends when nothing is wanted or the session is over,
// and the reader waits for it.
func (s *Session) askDelayed() {
	for {
		s.mu.Lock()
		if len(s.wanting) == 0 || s.err != nil {
			s.delaying = false
			s.mu.Unlock()
			return
		}
		c := s.wanting[0]
		s.wanting = s.wanting[1:]
		known := s.delayed
		s.mu.Unlock()
		err := s.resubscribeDelayed(c, known)
		if err != nil && s.ended() == nil {
			s.log.Warn("delayed_data_not_asked", "symbol", string(c.Symbol), "error", err.Error())
		}
	}
}

func (s *Session) resubscribeDelayed(c market.Contract, known bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.RequestTimeout)
	defer cancel()
	if !known {
		frame, err := wire.AppendMessage(nil, wire.ReqMarketDataType{Kind: wire.MarketDataDelayed}, s.v)
		if err == nil {
			err = s.sendSoon(ctx, frame)
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.delayed = true
		s.mu.Unlock()
	}
	return s.Resubscribe(ctx, c)
}
