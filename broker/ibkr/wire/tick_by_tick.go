package wire

import "robotrader/broker/market"

// TickByTickKind says what a [TickByTick] tells. Section 4.4.
type TickByTickKind int

// The kinds of tick-by-tick data, and the names by which they are asked for.
const (
	TBTLast     TickByTickKind = 1 // "Last": trades as the tape reports them
	TBTAllLast  TickByTickKind = 2 // "AllLast": combinations, derivatives and the like, too
	TBTBidAsk   TickByTickKind = 3 // "BidAsk"
	TBTMidPoint TickByTickKind = 4 // "MidPoint"
)

// TickByTickKindOf returns the kind that a [ReqTickByTick] names.
func TickByTickKindOf(name string) (k TickByTickKind, ok bool) {
	switch name {
	case "Last":
		return TBTLast, true
	case "AllLast":
		return TBTAllLast, true
	case "BidAsk":
		return TBTBidAsk, true
	case "MidPoint":
		return TBTMidPoint, true
	}
	return 0, false
}

// ReqTickByTick asks for every tick of a contract, after so many of the past.
type ReqTickByTick struct {
	ReqID      int
	Contract   Contract
	Kind       string // Last, AllLast, BidAsk, MidPoint
	Ticks      int    // of the past, told first as historical ticks; 0 = none
	IgnoreSize bool   // leaves out quotes of which only a size changed
}

// CancelTickByTick ends a [ReqTickByTick].
type CancelTickByTick struct{ ReqID int }

// TickByTick is one tick. Which fields it has depends on Kind.
type TickByTick struct {
	ReqID int
	Kind  TickByTickKind
	Time  int64 // seconds since 1970

	Price      market.Price // of the trade; the mid-point for TBTMidPoint
	Size       market.Qty   // trades, and so on
	PastLimit  bool
	Unreported bool
	Exchange   string
	Conditions string

	Bid, Ask         market.Price // TBTBidAsk, and so on
	BidSize, AskSize market.Qty
	BidPastLow       bool
	AskPastHigh      bool
}

// ID implements [Message].
func (ReqTickByTick) ID() int { return IDReqTickByTick }

// Append implements [Message].
func (m ReqTickByTick) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqTickByTickData", m.ID(), m.walk)
}

func (m *ReqTickByTick) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.str("tickType", &m.Kind)
	w.int("numberOfTicks", &m.Ticks)
	w.bool("ignoreSize", &m.IgnoreSize)
}

// ID implements [Message].
func (CancelTickByTick) ID() int { return IDCancelTickByTick }

// Append implements [Message].
func (m CancelTickByTick) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelTickByTickData", m.ID(), m.walk)
}

func (m *CancelTickByTick) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (TickByTick) ID() int { return IDTickByTick }

// The bits of message 99's masks. The historical ticks of a bid and ask have
// them the other way round. Section 12, trap 5.
const (
	tbtPastLimit = 1 << iota
	tbtUnreported
)

const (
	tbtBidPastLow = 1 << iota
	tbtAskPastHigh
)

// bits returns the mask whose bit 0 is a and whose bit 1 is b.
func bits(a, b bool) (mask int) {
	if a {
		mask |= 1
	}
	if b {
		mask |= 2
	}
	return mask
}

// Append implements [Message].
func (m TickByTick) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickByTick", IDTickByTick)
	w.int(m.ReqID)
	w.int(int(m.Kind))
	w.int64(m.Time)
	switch m.Kind {
	case TBTLast, TBTAllLast:
		w.price(m.Price)
		w.qty(m.Size)
		w.int(bits(m.PastLimit, m.Unreported))
		w.str("exchange", m.Exchange)
		w.str("specialConditions", m.Conditions)
	case TBTBidAsk:
		w.price(m.Bid)
		w.price(m.Ask)
		w.qty(m.BidSize)
		w.qty(m.AskSize)
		w.int(bits(m.BidPastLow, m.AskPastHigh))
	case TBTMidPoint:
		w.price(m.Price)
	default:
		w.failKind(int(m.Kind))
	}
	return w.finish()
}

// Decode reads the payload of a tickByTick message. It overwrites all of m,
// and allocates nothing where exchange and conditions are those that m holds.
func (m *TickByTick) Decode(v Version, payload []byte) error {
	r := reader{v: v, msg: "tickByTick", rest: payload}
	r.expect(IDTickByTick)
	m.read(&r)
	return r.err
}

func (m *TickByTick) read(r *reader) {
	*m = TickByTick{Exchange: m.Exchange, Conditions: m.Conditions}
	m.ReqID = r.int("reqId")
	m.Kind = TickByTickKind(r.int("tickType"))
	m.Time = r.int64("time")
	switch m.Kind {
	case TBTLast, TBTAllLast:
		m.Price = r.price("price")
		m.Size = r.size("size")
		mask := r.int("tickAttribLast")
		m.PastLimit, m.Unreported = mask&tbtPastLimit != 0, mask&tbtUnreported != 0
		r.strAgain("exchange", &m.Exchange)
		r.strAgain("specialConditions", &m.Conditions)
		return
	case TBTBidAsk:
		m.Bid = r.price("bidPrice")
		m.Ask = r.price("askPrice")
		m.BidSize = r.size("bidSize")
		m.AskSize = r.size("askSize")
		mask := r.int("tickAttribBidAsk")
		m.BidPastLow, m.AskPastHigh = mask&tbtBidPastLow != 0, mask&tbtAskPastHigh != 0
	case TBTMidPoint:
		m.Price = r.price("midPoint")
	default:
		r.failKind(int(m.Kind))
	}
	m.Exchange, m.Conditions = "", ""
}
