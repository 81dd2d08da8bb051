package wire

import "robotrader/broker/market"

// ReqMktDepth subscribes to a contract's order book. Section 4.8.
type ReqMktDepth struct {
	ReqID    int
	Contract Contract
	Rows     int
	Smart    bool // the books of all exchanges together
	Options  string
}

// CancelMktDepth ends a [ReqMktDepth].
type CancelMktDepth struct {
	ReqID int
	Smart bool // as in the request
}

// DepthOperation says what happens to a row of an order book.
type DepthOperation int

// What happens to a row.
const (
	DepthInsert DepthOperation = iota
	DepthUpdate
	DepthDelete
)

// MarketDepth changes a row of an order book.
type MarketDepth struct {
	ReqID     int
	Row       int // 0 is the best
	Operation DepthOperation
	Bid       bool // false: the ask's side
	Price     market.Price
	Size      market.Qty
}

// MarketDepthL2 is [MarketDepth] for books that tell whose row it is.
type MarketDepthL2 struct {
	ReqID       int
	Row         int
	MarketMaker string // or the exchange, when Smart
	Operation   DepthOperation
	Bid         bool
	Price       market.Price
	Size        market.Qty
	Smart       bool
}

// RerouteMktDepth tells under which contract the depth of a CFD is to be had.
type RerouteMktDepth struct {
	ReqID    int
	ConID    int64
	Exchange string
}

// ReqDepthExchanges asks which exchanges have depth. Its payload is its id and
// nothing else: from general knowledge, no recorded frame.
type ReqDepthExchanges struct{}

// DepthExchanges answers a [ReqDepthExchanges]. The layout is from general
// knowledge, no recorded frame.
type DepthExchanges struct{ Exchanges []DepthExchange }

// DepthExchange is one exchange that has depth.
type DepthExchange struct {
	Exchange        string
	SecType         string
	ListingExchange string
	ServiceDataType string // "Deep" or "Deep2"
	AggGroup        *int   // nil = not told
}

// ID implements [Message].
func (ReqMktDepth) ID() int { return IDReqMktDepth }

// Append implements [Message].
func (m ReqMktDepth) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqMktDepth", m.ID(), m.walk)
}

func (m *ReqMktDepth) walk(w *walk) {
	w.constant("version", "5")
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.int("numRows", &m.Rows)
	w.bool("isSmartDepth", &m.Smart)
	w.str("mktDepthOptions", &m.Options)
}

// ID implements [Message].
func (CancelMktDepth) ID() int { return IDCancelMktDepth }

// Append implements [Message].
func (m CancelMktDepth) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelMktDepth", m.ID(), m.walk)
}

func (m *CancelMktDepth) walk(w *walk) {
	w.versionAndReqID(&m.ReqID)
	w.bool("isSmartDepth", &m.Smart)
}

// ID implements [Message].
func (MarketDepth) ID() int { return IDMarketDepth }

// Append implements [Message].
func (m MarketDepth) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "marketDepth", IDMarketDepth)
	w.int(1)
	w.int(m.ReqID)
	w.int(m.Row)
	w.int(int(m.Operation))
	w.bool(m.Bid)
	w.price(m.Price)
	w.qty(m.Size)
	return w.finish()
}

func (m *MarketDepth) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Row = r.int("position")
	m.Operation = DepthOperation(r.int("operation"))
	m.Bid = r.bool("side")
	m.Price = r.price("price")
	m.Size = r.size("size")
}

// ID implements [Message].
func (MarketDepthL2) ID() int { return IDMarketDepthL2 }

// Append implements [Message].
func (m MarketDepthL2) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "marketDepthL2", IDMarketDepthL2)
	w.int(1)
	w.int(m.ReqID)
	w.int(m.Row)
	w.str("marketMaker", m.MarketMaker)
	w.int(int(m.Operation))
	w.bool(m.Bid)
	w.price(m.Price)
	w.qty(m.Size)
	w.bool(m.Smart)
	return w.finish()
}

func (m *MarketDepthL2) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Row = r.int("position")
	m.MarketMaker = r.str("marketMaker")
	m.Operation = DepthOperation(r.int("operation"))
	m.Bid = r.bool("side")
	m.Price = r.price("price")
	m.Size = r.size("size")
	m.Smart = r.bool("isSmartDepth")
}

// ID implements [Message].
func (RerouteMktDepth) ID() int { return IDRerouteMktDepth }

// Append implements [Message].
func (m RerouteMktDepth) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "rerouteMktDepth", m.ID(), m.walk)
}

func (m *RerouteMktDepth) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.int64("conId", &m.ConID)
	w.str("exchange", &m.Exchange)
}

// ID implements [Message].
func (ReqDepthExchanges) ID() int { return IDReqDepthExchanges }

// Append implements [Message].
func (m ReqDepthExchanges) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqMktDepthExchanges", m.ID())
	return w.finish()
}

func (*ReqDepthExchanges) read(*reader) {}

// ID implements [Message].
func (DepthExchanges) ID() int { return IDDepthExchanges }

// Append implements [Message].
func (m DepthExchanges) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "mktDepthExchanges", m.ID(), m.walk)
}

func (m *DepthExchanges) walk(w *walk) {
	list(w, "exchanges", &m.Exchanges, 5, func(e *DepthExchange, w *walk) {
		w.str("exchange", &e.Exchange)
		w.str("secType", &e.SecType)
		w.str("listingExch", &e.ListingExchange)
		w.str("serviceDataType", &e.ServiceDataType)
		w.maxInt("aggGroup", &e.AggGroup)
	})
}
