package ibkr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

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

// fed returns the subscription that a tick is of. One of a subscription that is
// gone, or never was ours, is counted and dropped: it is no other symbol's.
func (s *Session) fed(id int) *subscription {
	sub := s.sub(id)
	if sub == nil {
		s.strays.Add(1)
	}
	return sub
}

// tick decodes one market-data frame.
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
	sub := s.fed(m.ReqID)
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
	if t.Known && s.rivalry.Load() {
		s.dataCame(sub.symbol)
	}
	s.batch.Ticks = append(s.batch.Ticks, t)
}

var minusOne = market.MustPrice("-1")

func (s *Session) tickSize(m *wire.TickSize) {
	sub := s.fed(m.ReqID)
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
	sub := s.fed(m.ReqID)
	if sub == nil || m.Type != wire.TickLastTime && m.Type != wire.TickDelayedLastTime {
		return nil
	}
	at, ok := epoch(string(m.Text))
	if !ok {
		return fmt.Errorf("ibkr: tickString: last timestamp %.40q is not seconds since 1970", m.Text)
	}
	if !s.clock.Believes(at, s.wall()) {
		at = at.UTC()
		if !s.astray {
			s.astray = true
			s.event(broker.Notice{Kind: broker.NoticeWarning, Symbol: sub.symbol, Text: fmt.Sprintf(
				"last timestamp %s is more than %v ahead of the gateway's clock: such a one is left out; set the clock of the gateway's machine by NTP", at.Format(time.RFC3339), market.MaxLead)})
		}
		return nil
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
	sub := s.fed(m.ReqID)
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
