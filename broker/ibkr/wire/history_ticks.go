package wire

import "robotrader/broker/market"

// ReqHistoricalTicks asks for ticks of the past. Section 4.4.
type ReqHistoricalTicks struct {
	ReqID          int
	Contract       Contract
	IncludeExpired bool
	Start, End     string // "20260402 09:30:00 US/Eastern"; one of the two is empty
	Ticks          int    // at most 1000; the last second comes whole
	WhatToShow     string // TRADES, BID_ASK, MIDPOINT: HistoricalTicksLast, …BidAsk, HistoricalTicks
	RegularOnly    bool   // useRTH
	IgnoreSize     bool
	Options        string
}

// HistoricalTicks answers a [ReqHistoricalTicks] for MIDPOINT.
type HistoricalTicks struct {
	ReqID int
	Ticks []HistoricalTick
	Done  bool // false: more of them follow
}

// HistoricalTick is one mid-point.
type HistoricalTick struct {
	Time  int64 // seconds since 1970
	Price market.Price
	Size  market.Qty // 0 for a mid-point
}

// HistoricalTicksBidAsk answers a [ReqHistoricalTicks] for BID_ASK.
type HistoricalTicksBidAsk struct {
	ReqID int
	Ticks []HistoricalTickBidAsk
	Done  bool
}

// HistoricalTickBidAsk is one quote.
type HistoricalTickBidAsk struct {
	Time             int64 // seconds since 1970
	AskPastHigh      bool
	BidPastLow       bool
	Bid, Ask         market.Price
	BidSize, AskSize market.Qty
}

// HistoricalTicksLast answers a [ReqHistoricalTicks] for TRADES.
type HistoricalTicksLast struct {
	ReqID int
	Ticks []HistoricalTickLast
	Done  bool
}

// HistoricalTickLast is one trade.
type HistoricalTickLast struct {
	Time       int64 // seconds since 1970
	PastLimit  bool
	Unreported bool
	Price      market.Price
	Size       market.Qty
	Exchange   string
	Conditions string
}

// ID implements [Message].
func (ReqHistoricalTicks) ID() int { return IDReqHistoricalTicks }

// Append implements [Message].
func (m ReqHistoricalTicks) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqHistoricalTicks", m.ID(), m.walk)
}

func (m *ReqHistoricalTicks) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.bool("includeExpired", &m.IncludeExpired)
	w.str("startDateTime", &m.Start)
	w.str("endDateTime", &m.End)
	w.int("numberOfTicks", &m.Ticks)
	w.str("whatToShow", &m.WhatToShow)
	w.bool("useRTH", &m.RegularOnly)
	w.bool("ignoreSize", &m.IgnoreSize)
	w.str("miscOptions", &m.Options)
}

// ID implements [Message].
func (HistoricalTicks) ID() int { return IDHistoricalTicks }

// Append implements [Message].
func (m HistoricalTicks) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalTicks", IDHistoricalTicks)
	w.int(m.ReqID)
	w.int(len(m.Ticks))
	for i := range m.Ticks {
		t := &m.Ticks[i]
		w.int64(t.Time)
		w.int(0) // a field that every client passes over
		w.price(t.Price)
		w.qty(t.Size)
	}
	w.bool(m.Done)
	return w.finish()
}

func (m *HistoricalTicks) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.Ticks = items(r, r.count("tickCount", 4), func(t *HistoricalTick) {
		t.Time = r.int64("tick.time")
		r.skip("tick.unused")
		t.Price = r.price("tick.price")
		t.Size = r.size("tick.size")
	})
	m.Done = r.bool("done")
}

// ID implements [Message].
func (HistoricalTicksBidAsk) ID() int { return IDHistoricalTicksBidAsk }

// Append implements [Message]. The mask's bits are not those of a
// [TickByTick]: bit 0 is the ask's here. Section 12, trap 5.
func (m HistoricalTicksBidAsk) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalTicksBidAsk", IDHistoricalTicksBidAsk)
	w.int(m.ReqID)
	w.int(len(m.Ticks))
	for i := range m.Ticks {
		t := &m.Ticks[i]
		w.int64(t.Time)
		w.int(bits(t.AskPastHigh, t.BidPastLow))
		w.price(t.Bid)
		w.price(t.Ask)
		w.qty(t.BidSize)
		w.qty(t.AskSize)
	}
	w.bool(m.Done)
	return w.finish()
}

func (m *HistoricalTicksBidAsk) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.Ticks = items(r, r.count("tickCount", 6), func(t *HistoricalTickBidAsk) {
		t.Time = r.int64("tick.time")
		mask := r.int("tick.mask")
		t.AskPastHigh, t.BidPastLow = mask&1 != 0, mask&2 != 0
		t.Bid = r.price("tick.bidPrice")
		t.Ask = r.price("tick.askPrice")
		t.BidSize = r.size("tick.bidSize")
		t.AskSize = r.size("tick.askSize")
	})
	m.Done = r.bool("done")
}

// ID implements [Message].
func (HistoricalTicksLast) ID() int { return IDHistoricalTicksLast }

// Append implements [Message].
func (m HistoricalTicksLast) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalTicksLast", IDHistoricalTicksLast)
	w.int(m.ReqID)
	w.int(len(m.Ticks))
	for i := range m.Ticks {
		t := &m.Ticks[i]
		w.int64(t.Time)
		w.int(bits(t.PastLimit, t.Unreported))
		w.price(t.Price)
		w.qty(t.Size)
		w.str("tick.exchange", t.Exchange)
		w.str("tick.specialConditions", t.Conditions)
	}
	w.bool(m.Done)
	return w.finish()
}

func (m *HistoricalTicksLast) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.Ticks = items(r, r.count("tickCount", 6), func(t *HistoricalTickLast) {
		t.Time = r.int64("tick.time")
		mask := r.int("tick.mask")
		t.PastLimit, t.Unreported = mask&1 != 0, mask&2 != 0
		t.Price = r.price("tick.price")
		t.Size = r.size("tick.size")
		t.Exchange = r.str("tick.exchange")
		t.Conditions = r.str("tick.specialConditions")
	})
	m.Done = r.bool("done")
}
