package ibkr

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// subscription is one symbol's market data. Only the reader touches what is
// behind the symbol.
type subscription struct {
	symbol market.Symbol
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

// Subscribe makes one lasting market-data subscription. A symbol that has one
// keeps it. It does not wait for the first tick.
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
	const name = "reqMktData"
	id := s.newID()
	msg := wire.ReqMktData{ReqID: id, Contract: wire.ContractOf(c)}
	frame, err := wire.AppendMessage(nil, msg, s.v)
	if err != nil {
		return &broker.Error{Op: name, Kind: broker.ErrRequest, Err: err, Advice: "check the contract of " + string(c.Symbol)}
	}
	s.mu.Lock()
	if now, held := s.bySymbol[c.Symbol]; held && now != old {
		s.mu.Unlock()
		return nil
	}
	s.bySymbol[c.Symbol] = id // before the write: the first tick may be faster than we
	s.editSubs(func(m map[int]*subscription) {
		delete(m, old)
		m[id] = &subscription{symbol: c.Symbol}
	})
	s.mu.Unlock()
	if err := s.sendSoon(ctx, frame); err != nil {
		s.drop(id, c.Symbol)
		return &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: err, Advice: "subscribe again"}
	}
	return nil
}

// Unsubscribe ends a symbol's market data; without a subscription it does
// nothing. Ticks that are on the way are dropped.
func (s *Session) Unsubscribe(ctx context.Context, symbol market.Symbol) error {
	s.mu.Lock()
	id, held := s.bySymbol[symbol]
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

// sendSoon sends what has no answer to wait for, within the request timeout.
func (s *Session) sendSoon(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	return s.send(ctx, dataLast, frame)
}

// priced tells which tick types carry a price, and what they are to us.
func priced(t wire.TickType) (kind market.TickKind, delayed, ok bool) {
	switch t {
	case wire.TickBid:
		return market.TickBid, false, true
	case wire.TickAsk:
		return market.TickAsk, false, true
	case wire.TickLast:
		return market.TickTrade, false, true
	case wire.TickHigh:
		return market.TickHigh, false, true
	case wire.TickLow:
		return market.TickLow, false, true
	case wire.TickOpen:
		return market.TickOpen, false, true
	case wire.TickClose:
		return market.TickClose, false, true
	case wire.TickDelayedBid:
		return market.TickBid, true, true
	case wire.TickDelayedAsk:
		return market.TickAsk, true, true
	case wire.TickDelayedLast:
		return market.TickTrade, true, true
	case wire.TickDelayedHigh:
		return market.TickHigh, true, true
	case wire.TickDelayedLow:
		return market.TickLow, true, true
	case wire.TickDelayedOpen:
		return market.TickOpen, true, true
	case wire.TickDelayedClose:
		return market.TickClose, true, true
	}
	return 0, false, false
}

// sized is priced for the tick types that carry a size alone.
func sized(t wire.TickType) (kind market.TickKind, delayed, ok bool) {
	switch t {
	case wire.TickBidSize:
		return market.TickBid, false, true
	case wire.TickAskSize:
		return market.TickAsk, false, true
	case wire.TickLastSize:
		return market.TickTrade, false, true
	case wire.TickVolume:
		return market.TickVolume, false, true
	case wire.TickDelayedBidSize:
		return market.TickBid, true, true
	case wire.TickDelayedAskSize:
		return market.TickAsk, true, true
	case wire.TickDelayedLastSize:
		return market.TickTrade, true, true
	case wire.TickDelayedVolume:
		return market.TickVolume, true, true
	}
	return 0, false, false
}

// tick decodes one market-data frame. A frame of a subscription that is gone
// is dropped: it was on the way.
func (s *Session) tick(id int, payload []byte) error {
	switch id {
	case wire.IDTickPrice:
		var m wire.TickPrice
		if err := m.Decode(s.v, payload); err != nil {
			return err
		}
		s.tickPrice(&m)
	case wire.IDTickSize:
		var m wire.TickSize
		if err := m.Decode(s.v, payload); err != nil {
			return err
		}
		s.tickSize(&m)
	case wire.IDTickString:
		var m wire.TickString
		if err := m.Decode(s.v, payload); err != nil {
			return err
		}
		return s.tickString(&m)
	default:
		m, err := wire.DecodeServer(s.v, payload)
		if err != nil {
			return err
		}
		if g, ok := m.(wire.TickGeneric); ok {
			s.tickGeneric(g)
		}
	}
	return nil
}

func (s *Session) tickPrice(m *wire.TickPrice) {
	sub := s.sub(m.ReqID)
	kind, delayed, ok := priced(m.Type)
	if sub == nil || !ok {
		return
	}
	t := market.Tick{Symbol: sub.symbol, Kind: kind, Known: true, Price: m.Price, Size: m.Size, At: s.marketNow(), Delayed: delayed}
	if m.PriceUnset || m.Price == minusOne || m.Price.IsZero() && m.Size.IsZero() {
		t.Known, t.Price, t.Size = false, market.Price{}, market.Qty{}
	}
	if kind <= market.TickTrade {
		sub.echo[kind] = t.Known
		if kind == market.TickTrade && !t.Known {
			return // "no last" undoes no trade
		}
		if kind == market.TickTrade && !sub.stamp.IsZero() {
			t.At, sub.stamp = sub.stamp, time.Time{}
		}
		sub.newest[kind] = t
	}
	s.batch.Ticks = append(s.batch.Ticks, t)
}

var minusOne = market.MustPrice("-1")

func (s *Session) tickSize(m *wire.TickSize) {
	sub := s.sub(m.ReqID)
	kind, delayed, ok := sized(m.Type)
	if sub == nil || !ok || m.SizeUnset {
		return
	}
	if kind == market.TickVolume {
		s.batch.Ticks = append(s.batch.Ticks, market.Tick{
			Symbol: sub.symbol, Kind: kind, Known: true, Size: m.Size, At: s.marketNow(), Delayed: delayed,
		})
		return
	}
	t := sub.newest[kind]
	echo := sub.echo[kind] && t.Size == m.Size
	sub.echo[kind] = false
	if echo || !t.Known {
		return // told already, or a size of no price
	}
	t.Size, t.Delayed, t.At = m.Size, delayed, s.marketNow()
	if kind == market.TickTrade { // one more trade at the price of the last
		if m.Size.IsZero() {
			return
		}
		if !sub.stamp.IsZero() {
			t.At, sub.stamp = sub.stamp, time.Time{}
		}
	}
	sub.newest[kind] = t
	s.batch.Ticks = append(s.batch.Ticks, t)
}

func (s *Session) tickString(m *wire.TickString) error {
	sub := s.sub(m.ReqID)
	if sub == nil || m.Type != wire.TickLastTime && m.Type != wire.TickDelayedLastTime {
		return nil
	}
	at, ok := epoch(string(m.Text))
	if !ok {
		return fmt.Errorf("ibkr: tickString: last timestamp %.40q is not seconds since 1970", m.Text)
	}
	sub.stamp = at
	if m.Type == wire.TickLastTime { // a delayed one is no news of the time
		s.advance(at)
	}
	return nil
}

// epoch reads seconds since 1970, with up to nine decimals.
func epoch(text string) (time.Time, bool) {
	whole, frac, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseInt(whole, 10, 40)
	if err != nil || sec <= 0 || len(frac) > 9 {
		return time.Time{}, false
	}
	var nano uint64
	if frac != "" {
		if nano, err = strconv.ParseUint(frac+strings.Repeat("0", 9-len(frac)), 10, 32); err != nil {
			return time.Time{}, false
		}
	}
	return time.Unix(sec, int64(nano)).UTC(), true
}

func (s *Session) tickGeneric(m wire.TickGeneric) {
	sub := s.sub(m.ReqID)
	if sub == nil || m.Value == nil || m.Type != wire.TickHalted && m.Type != wire.TickDelayedHalted {
		return
	}
	t := market.Tick{Symbol: sub.symbol, Kind: market.TickHalted, At: s.marketNow(), Delayed: m.Type == wire.TickDelayedHalted}
	if *m.Value >= 0 { // -1 is "not told"
		t.Known = true
		if *m.Value != 0 {
			t.Size = market.Shares(1)
		}
	}
	s.batch.Ticks = append(s.batch.Ticks, t)
}
