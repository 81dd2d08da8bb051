package wire

import (
	"robotrader/broker/market"
)

// TickType tells what a tick is about. Section 4.2.
type TickType int

// The tick types that stocks have.
const (
	TickBidSize     TickType = 0
	TickBid         TickType = 1
	TickAsk         TickType = 2
	TickAskSize     TickType = 3
	TickLast        TickType = 4
	TickLastSize    TickType = 5
	TickHigh        TickType = 6
	TickLow         TickType = 7
	TickVolume      TickType = 8
	TickClose       TickType = 9 // of the previous day
	TickOpen        TickType = 14
	TickBidExchange TickType = 32
	TickAskExchange TickType = 33
	TickMark        TickType = 37
	TickLastTime    TickType = 45 // text: seconds since 1970
	TickShortable   TickType = 46
	TickRTVolume    TickType = 48 // text
	TickHalted      TickType = 49 // generic: 0 trading, 1 and 2 halted
	TickTradeCount  TickType = 54

	TickDelayedBid      TickType = 66
	TickDelayedAsk      TickType = 67
	TickDelayedLast     TickType = 68
	TickDelayedBidSize  TickType = 69
	TickDelayedAskSize  TickType = 70
	TickDelayedLastSize TickType = 71
	TickDelayedHigh     TickType = 72
	TickDelayedLow      TickType = 73
	TickDelayedVolume   TickType = 74
	TickDelayedClose    TickType = 75
	TickDelayedOpen     TickType = 76
	TickLastExchange    TickType = 84
	TickDelayedLastTime TickType = 88 // text: seconds since 1970
	TickDelayedHalted   TickType = 90
)

// The attributes of a [TickPrice], a bit each.
const (
	TickCanAutoExecute = 1 << iota
	TickPastLimit
	TickPreOpen
)

// MarketDataKind says how fresh market data is.
type MarketDataKind int

// The kinds of market data.
const (
	MarketDataLive          MarketDataKind = 1
	MarketDataFrozen        MarketDataKind = 2
	MarketDataDelayed       MarketDataKind = 3
	MarketDataDelayedFrozen MarketDataKind = 4
)

// ReqMktData subscribes to a contract's market.
type ReqMktData struct {
	ReqID        int
	Contract     Contract
	Legs         []ComboLeg // of a BAG: conId, ratio, action and exchange
	DeltaNeutral *DeltaNeutralContract
	Generic      string // generic tick types, a comma list; default none
	Snapshot     bool
	Regulatory   bool // a snapshot that costs money
	DataOptions  string
}

// TickPrice is a price, and the size that belongs to it for bid, ask and last.
type TickPrice struct {
	ReqID int
	Type  TickType
	Price market.Price
	Size  market.Qty
	Attrs int // bits: TickCanAutoExecute, TickPastLimit, TickPreOpen
	// PriceUnset and SizeUnset mark a number that the venue left out.
	PriceUnset, SizeUnset bool
}

// TickSize is a size, or a volume.
type TickSize struct {
	ReqID     int
	Type      TickType
	Size      market.Qty
	SizeUnset bool // the venue left the number out
}

// TickString is a tick that is text, such as the time of the last trade.
type TickString struct {
	ReqID int
	Type  TickType
	// Text is as the venue sent it. After Decode it is a part of the payload,
	// good until the payload is used again; after [DecodeServer] it is a copy.
	Text []byte
}

// TickGeneric is a tick that is any number, such as halted.
type TickGeneric struct {
	ReqID int
	Type  TickType
	Value *float64 // nil = unset
}

// TickReqParams comes first after a [ReqMktData].
type TickReqParams struct {
	ReqID               int
	MinTick             *market.Price // nil = not told
	BBOExchange         string
	SnapshotPermissions int
}

// MarketDataType tells what kind of data follows for a request.
type MarketDataType struct {
	ReqID int
	Kind  MarketDataKind
}

// ReqMarketDataType asks for a kind of data in later requests.
type ReqMarketDataType struct{ Kind MarketDataKind }

// CancelMktData ends a [ReqMktData].
type CancelMktData struct{ ReqID int }

// TickSnapshotEnd ends a snapshot, about 11 s after its request.
type TickSnapshotEnd struct{ ReqID int }

// RerouteMktData tells under which contract the data of a CFD is to be had.
type RerouteMktData struct {
	ReqID    int
	ConID    int64
	Exchange string
}

// ID implements [Message].
func (ReqMktData) ID() int { return IDReqMktData }

// Append implements [Message].
func (m ReqMktData) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqMktData", m.ID(), m.walk)
}

func (m *ReqMktData) walk(w *walk) {
	w.constant("version", "11")
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	if m.Contract.SecType == "BAG" {
		list(w, "comboLegs", &m.Legs, 4, (*ComboLeg).walkRequest)
	}
	optional(w, "deltaNeutralContract", &m.DeltaNeutral, (*DeltaNeutralContract).walk)
	w.str("genericTickList", &m.Generic)
	w.bool("snapshot", &m.Snapshot)
	w.bool("regulatorySnapshot", &m.Regulatory)
	w.str("mktDataOptions", &m.DataOptions)
}

// ID implements [Message].
func (CancelMktData) ID() int { return IDCancelMktData }

// Append implements [Message].
func (m CancelMktData) Append(dst []byte, v Version) ([]byte, error) {
	return requestOf(dst, v, "cancelMktData", IDCancelMktData, 2, m.ReqID)
}

func (m *CancelMktData) read(r *reader) {
	r.skip("version") // 1 or 2, no difference
	m.ReqID = r.int("reqId")
}

// requestOf is a client's message that says no more than a request's id.
func requestOf(dst []byte, v Version, name string, id, version, reqID int) ([]byte, error) {
	w := clientMessage(dst, v, name, id)
	w.int(version)
	w.int(reqID)
	return w.finish()
}

// answerOf is a server's message that says no more than a request's id.
func answerOf(dst []byte, v Version, name string, id, reqID int) ([]byte, error) {
	w := serverMessage(dst, v, name, id)
	w.int(1)
	w.int(reqID)
	return w.finish()
}

// ID implements [Message].
func (TickPrice) ID() int { return IDTickPrice }

// NoQuote reports whether the tick says that there is no such price now: -1
// without a size, or no price at all.
func (m *TickPrice) NoQuote() bool {
	return m.PriceUnset || m.Price == minusOne && m.Size.IsZero()
}

var minusOne = market.MustPrice("-1")

// SizeType returns the size tick that a price tick stands for too: bid, ask
// and last carry their size.
func (t TickType) SizeType() (size TickType, ok bool) {
	switch t {
	case TickBid:
		return TickBidSize, true
	case TickAsk:
		return TickAskSize, true
	case TickLast:
		return TickLastSize, true
	case TickDelayedBid, TickDelayedAsk, TickDelayedLast:
		return t + (TickDelayedBidSize - TickDelayedBid), true
	}
	return 0, false
}

// Append implements [Message].
func (m TickPrice) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickPrice", IDTickPrice)
	w.int(6)
	w.int(m.ReqID)
	w.int(int(m.Type))
	if m.PriceUnset {
		w.empty()
	} else {
		w.price(m.Price)
	}
	w.qtyUnless(m.SizeUnset, m.Size)
	w.int(m.Attrs)
	return w.finish()
}

func (w *writer) qtyUnless(unset bool, q market.Qty) {
	if unset {
		w.empty()
		return
	}
	w.qty(q)
}

// Decode reads the payload of a tickPrice message without an allocation.
func (m *TickPrice) Decode(v Version, payload []byte) error {
	r := reader{v: v, msg: "tickPrice", rest: payload}
	r.expect(IDTickPrice)
	m.read(&r)
	return r.err
}

func (m *TickPrice) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Type = TickType(r.int("tickType"))
	price, known := r.priceOr("price")
	m.Price, m.PriceUnset = price, !known
	size, known := r.sizeOr("size")
	m.Size, m.SizeUnset = size, !known
	m.Attrs = r.int("attrMask")
}

// ID implements [Message].
func (TickSize) ID() int { return IDTickSize }

// Append implements [Message].
func (m TickSize) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickSize", IDTickSize)
	w.int(6)
	w.int(m.ReqID)
	w.int(int(m.Type))
	w.qtyUnless(m.SizeUnset, m.Size)
	return w.finish()
}

// Decode reads the payload of a tickSize message without an allocation.
func (m *TickSize) Decode(v Version, payload []byte) error {
	r := reader{v: v, msg: "tickSize", rest: payload}
	r.expect(IDTickSize)
	m.read(&r)
	return r.err
}

func (m *TickSize) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Type = TickType(r.int("tickType"))
	size, known := r.sizeOr("size")
	m.Size, m.SizeUnset = size, !known
}

// ID implements [Message].
func (TickString) ID() int { return IDTickString }

// Epoch returns the text as seconds since 1970: for [TickLastTime] and
// [TickDelayedLastTime].
func (m *TickString) Epoch() (seconds int64, ok bool) { return parseInt(m.Text) }

// Append implements [Message].
func (m TickString) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickString", IDTickString)
	w.int(6)
	w.int(m.ReqID)
	w.int(int(m.Type))
	w.bytes("text", m.Text)
	return w.finish()
}

// Decode reads the payload of a tickString message without an allocation.
func (m *TickString) Decode(v Version, payload []byte) error {
	r := reader{v: v, msg: "tickString", rest: payload}
	r.expect(IDTickString)
	m.readInPlace(&r)
	return r.err
}

func (m *TickString) readInPlace(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Type = TickType(r.int("tickType"))
	m.Text = r.raw("text")
}

func (m *TickString) read(r *reader) {
	m.readInPlace(r)
	m.Text = append([]byte{}, m.Text...)
}

// ID implements [Message].
func (TickGeneric) ID() int { return IDTickGeneric }

// Append implements [Message].
func (m TickGeneric) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickGeneric", IDTickGeneric)
	w.int(6)
	w.int(m.ReqID)
	w.int(int(m.Type))
	w.double("value", m.Value)
	return w.finish()
}

func (m *TickGeneric) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Type = TickType(r.int("tickType"))
	m.Value = r.double("value")
}

// ID implements [Message].
func (TickReqParams) ID() int { return IDTickReqParams }

// Append implements [Message].
func (m TickReqParams) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickReqParams", IDTickReqParams)
	w.int(m.ReqID)
	w.optPrice(m.MinTick)
	w.str("bboExchange", m.BBOExchange)
	w.int(m.SnapshotPermissions)
	return w.finish()
}

func (m *TickReqParams) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.MinTick = r.optPrice("minTick")
	m.BBOExchange = r.str("bboExchange")
	m.SnapshotPermissions = r.int("snapshotPermissions")
}

// ID implements [Message].
func (MarketDataType) ID() int { return IDMarketDataType }

// Append implements [Message].
func (m MarketDataType) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "marketDataType", IDMarketDataType)
	w.int(1)
	w.int(m.ReqID)
	w.int(int(m.Kind))
	return w.finish()
}

func (m *MarketDataType) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Kind = MarketDataKind(r.int("type"))
}

// ID implements [Message].
func (ReqMarketDataType) ID() int { return IDReqMarketDataType }

// Append implements [Message].
func (m ReqMarketDataType) Append(dst []byte, v Version) ([]byte, error) {
	return requestOf(dst, v, "reqMarketDataType", IDReqMarketDataType, 1, int(m.Kind))
}

func (m *ReqMarketDataType) read(r *reader) {
	r.skip("version")
	m.Kind = MarketDataKind(r.int("type"))
}

// ID implements [Message].
func (TickSnapshotEnd) ID() int { return IDTickSnapshotEnd }

// Append implements [Message].
func (m TickSnapshotEnd) Append(dst []byte, v Version) ([]byte, error) {
	return answerOf(dst, v, "tickSnapshotEnd", IDTickSnapshotEnd, m.ReqID)
}

func (m *TickSnapshotEnd) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
}

// ID implements [Message].
func (RerouteMktData) ID() int { return IDRerouteMktData }

// Append implements [Message].
func (m RerouteMktData) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "rerouteMktData", IDRerouteMktData)
	w.int(m.ReqID)
	w.int64(m.ConID)
	w.str("exchange", m.Exchange)
	return w.finish()
}

func (m *RerouteMktData) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.ConID = r.int64("conId")
	m.Exchange = r.str("exchange")
}
