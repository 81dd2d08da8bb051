package feed

import (
	"slices"
	"strconv"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Made up, and the same for every stock: which exchanges quote it, and that
// paid snapshots are to be had.
const (
	bboExchange         = "9c0001"
	snapshotPermissions = 3
	quoting             = "PQZ" // letters of [components]
)

// snapshotWait is the wall time after which a snapshot ends that lacks
// something, section 4.2. One that lacks nothing ends at once.
const snapshotWait = 11 * time.Second

// line is one subscription to a symbol's market, or a snapshot of it.
type line struct {
	client *client
	book   *book
	req    int

	late     bool // of delayed data
	frozen   bool // told as of a closed market
	noTop    bool // generic ticks alone
	generics generic

	snapshot bool
	until    time.Time // wall time at which a snapshot ends
	seen     [3]bool   // bid, ask and last were told
}

func (c *client) reqMktData(m wire.ReqMktData) {
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	if _, taken := c.lines[m.ReqID]; taken {
		c.Fail(int64(m.ReqID), venue.DuplicateTicker, "Duplicate ticker id")
		return
	}
	if len(c.lines) >= c.f.cfg.Lines {
		c.Fail(int64(m.ReqID), venue.MaxLines, "Max number of tickers has been reached")
		return
	}
	l := &line{client: c, book: b, req: m.ReqID, snapshot: m.Snapshot || m.Regulatory}
	bits, noTop, err := parseGenerics(m.Generic)
	switch {
	case err != nil:
		c.invalid(m.ReqID, "bW", "%v", err)
		return
	case l.snapshot && m.Generic != "":
		c.invalid(m.ReqID, "bW", "Snapshot market data subscription is not applicable to generic ticks")
		return
	}
	l.generics, l.noTop = bits, noTop
	kind, ok := c.entitle(l)
	if !ok {
		return
	}
	tick := b.details.MinTick
	c.Send(wire.TickReqParams{ReqID: m.ReqID, MinTick: &tick, BBOExchange: bboExchange, SnapshotPermissions: snapshotPermissions})
	if l.late {
		c.Fail(int64(m.ReqID), venue.DelayedFollows, "Requested market data is not subscribed. Displaying delayed market data.")
	}
	c.Send(wire.MarketDataType{ReqID: m.ReqID, Kind: kind})
	l.start()
}

// entitle decides which kind of data a line gets; without any it has told so.
// Texts from general knowledge.
func (c *client) entitle(l *line) (kind wire.MarketDataKind, ok bool) {
	closed := !l.book.open(c.v.At, false)
	live := c.kind == wire.MarketDataLive || c.kind == wire.MarketDataFrozen
	d := l.book.details.Contract
	switch {
	case c.f.cfg.Data == Live:
		l.frozen = closed && (c.kind == wire.MarketDataFrozen || c.kind == wire.MarketDataDelayedFrozen)
		if l.frozen {
			return wire.MarketDataFrozen, true
		}
		return wire.MarketDataLive, true
	case c.f.cfg.Data == Delayed && live:
		c.Fail(int64(l.req), venue.NotSubscribed, "Requested market data is not subscribed.Delayed market data is available.%s %s.%s/TOP/ALL",
			d.Symbol, d.PrimaryExchange, d.TradingClass)
		return 0, false
	case c.f.cfg.Data == Delayed:
		l.late = true
		if closed && c.kind == wire.MarketDataDelayedFrozen {
			return wire.MarketDataDelayedFrozen, true
		}
		return wire.MarketDataDelayed, true
	case live:
		c.Fail(int64(l.req), venue.NotSubscribed, "Requested market data is not subscribed. Check API status by selecting the Account menu then under Management choose Market Data Subscription Manager and/or availability of delayed data.")
	default:
		c.Fail(int64(l.req), venue.NoDelayed, "Requested market data is not subscribed. Delayed market data is not enabled.")
	}
	return 0, false
}

// start tells what is known and begins the stream.
func (l *line) start() {
	c, b := l.client, l.book
	c.lines[l.req] = l
	if l.late {
		b.lateLine(l)
	} else {
		m, ok := c.v.X.Market(b.symbol)
		if len(b.lines) == 0 {
			changed(&b.high, m.DayHigh)
			changed(&b.low, m.DayLow)
		}
		b.lines = append(b.lines, l)
		switch {
		case c.f.competing:
			l.tellCompeting()
		case ok:
			l.tell(&m)
			l.startGenerics()
		}
	}
	if !l.snapshot {
		return
	}
	if l.complete() || c.f.cfg.LockStep {
		l.finishSnapshot()
		return
	}
	l.until = time.Now().Add(snapshotWait)
	c.f.snapshots = append(c.f.snapshots, l)
}

// complete reports whether bid, ask and last were told.
func (l *line) complete() bool { return l.seen == [3]bool{true, true, true} }

// look ends a snapshot that has all. It is called while lists of lines are
// walked, so the line leaves them later.
func (l *line) look() {
	if l.snapshot && l.complete() && !l.until.IsZero() {
		l.until = time.Time{} // Beat ends it, at once
	}
}

// finishSnapshot ends a snapshot.
func (l *line) finishSnapshot() {
	l.client.Send(wire.TickSnapshotEnd{ReqID: l.req})
	l.end()
}

// end takes the line out of all lists.
func (l *line) end() {
	b, f := l.book, l.client.f
	delete(l.client.lines, l.req)
	b.lines = without(b.lines, l)
	if b.late != nil {
		b.lateEnd(l)
	}
	f.snapshots = without(f.snapshots, l)
}

func (c *client) cancelMktData(m wire.CancelMktData) {
	l, ok := c.lines[m.ReqID]
	if !ok {
		c.Fail(int64(m.ReqID), venue.NoTicker, "Can't find EId with tickerId:%d", m.ReqID)
		return
	}
	l.end()
}

// reqMarketDataType keeps which kind of data later requests mean.
func (c *client) reqMarketDataType(m wire.ReqMarketDataType) {
	if m.Kind < wire.MarketDataLive || m.Kind > wire.MarketDataDelayedFrozen {
		c.Fail(venue.NoID, venue.Validation, "Error validating request.-'reqMarketDataType' : cause - Incorrect market data type %d", m.Kind)
		return
	}
	c.kind = m.Kind
}

// Compete plays another session of the login that takes the market data, or
// its end: lines are told 10197 and hear nothing until it ends, when they are
// told the market whole.
func (f *Feed) Compete(on bool) {
	if f.competing == on {
		return
	}
	f.competing = on
	for _, b := range f.books {
		for _, l := range slices.Clone(b.lines) {
			if on {
				l.tellCompeting()
			} else if m, ok := f.v.X.Market(b.symbol); ok {
				l.tell(&m)
			}
		}
	}
}

func (l *line) tellCompeting() {
	l.client.Fail(int64(l.req), venue.Competing, "No market data during competing live session")
}

// tell sends all that is known about a market.
func (l *line) tell(m *exchange.Market) {
	if l.noTop {
		return
	}
	q := &m.Quote
	if l.late || l.frozen || l.book.open(l.client.v.At, false) {
		l.optional(wire.TickBid, q.Bid, q.BidSize)
		l.optional(wire.TickAsk, q.Ask, q.AskSize)
	} else { // a closed market has no quotes for who does not ask for frozen ones
		l.side(wire.TickBid, tape.Level{})
		l.side(wire.TickAsk, tape.Level{})
		l.seen[0], l.seen[1] = true, true
	}
	l.exchanges(q)
	if q.Last != nil {
		l.lastTime(q.LastAt)
		l.optional(wire.TickLast, q.Last, q.LastSize)
	}
	l.volume(m)
	l.optional(wire.TickHigh, m.DayHigh, nil)
	l.optional(wire.TickLow, m.DayLow, nil)
	l.optional(wire.TickClose, m.PrevClose, nil)
	l.optional(wire.TickOpen, m.DayOpen, nil)
	if l.book.halted && !l.late {
		l.tellHalted(true)
	}
}

// exchanges tells which exchanges quote (32, 33) and traded last (84). In
// lock-step they are left out: who counts frames there would count them as
// market data.
func (l *line) exchanges(q *market.Quote) {
	if l.client.f.cfg.LockStep || l.late {
		return
	}
	if q.Bid != nil {
		l.text(wire.TickBidExchange, quoting)
	}
	if q.Ask != nil {
		l.text(wire.TickAskExchange, quoting)
	}
	l.tellLetter()
}

func (l *line) tellLetter() {
	if l.book.letter != "" && !l.client.f.cfg.LockStep {
		l.text(wire.TickLastExchange, l.book.letter)
	}
}

func (l *line) tellHalted(halted bool) {
	value := 0.0
	if halted {
		value = 1
	}
	l.client.Send(wire.TickGeneric{ReqID: l.req, Type: l.typeOf(wire.TickHalted), Value: &value})
}

// thaw tells the first change of a market that was told as frozen.
func (l *line) thaw() {
	if l.frozen {
		l.frozen = false
		l.client.Send(wire.MarketDataType{ReqID: l.req, Kind: wire.MarketDataLive})
	}
}

// optional sends a price where there is one.
func (l *line) optional(kind wire.TickType, p *market.Price, size *market.Qty) {
	if p == nil {
		return
	}
	var q market.Qty
	if size != nil {
		q = *size
	}
	l.price(kind, *p, q, 0)
}

var noQuote = market.MustPrice("-1")

// side sends a side of a quote; one that is not there is a price of -1 with
// size 0, section 4.
func (l *line) side(kind wire.TickType, of tape.Level) {
	if !of.Known {
		l.send(kind, noQuote, market.Qty{}, 0)
		return
	}
	l.price(kind, of.Price, of.Size, wire.TickCanAutoExecute)
}

// price sends a price that is one.
func (l *line) price(kind wire.TickType, p market.Price, size market.Qty, attrs int) {
	switch kind {
	case wire.TickBid:
		l.seen[0] = true
	case wire.TickAsk:
		l.seen[1] = true
	case wire.TickLast:
		l.seen[2] = true
	}
	l.send(kind, p, size, attrs)
}

func (l *line) send(kind wire.TickType, p market.Price, size market.Qty, attrs int) {
	out := &l.client.f.out.price
	*out = wire.TickPrice{ReqID: l.req, Type: l.typeOf(kind), Price: p, Size: size, Attrs: attrs}
	l.client.Send(out)
}

func (l *line) size(kind wire.TickType, q market.Qty) {
	out := &l.client.f.out.size
	*out = wire.TickSize{ReqID: l.req, Type: l.typeOf(kind), Size: q}
	l.client.Send(out)
}

func (l *line) lastTime(at time.Time) {
	out := &l.client.f.out.text
	out.ReqID, out.Type = l.req, l.typeOf(wire.TickLastTime)
	out.Text = strconv.AppendInt(out.Text[:0], at.Unix(), 10)
	l.client.Send(out)
}

func (l *line) text(kind wire.TickType, text string) {
	out := &l.client.f.out.text
	out.ReqID, out.Type = l.req, kind
	out.Text = append(out.Text[:0], text...)
	l.client.Send(out)
}

func (l *line) volume(m *exchange.Market) {
	if m.Quote.Volume != nil {
		l.size(wire.TickVolume, *m.Quote.Volume)
	}
}

// delayedTypes are the tick types of delayed data, section 4.2.
var delayedTypes = map[wire.TickType]wire.TickType{
	wire.TickBid: wire.TickDelayedBid, wire.TickAsk: wire.TickDelayedAsk, wire.TickLast: wire.TickDelayedLast,
	wire.TickHigh: wire.TickDelayedHigh, wire.TickLow: wire.TickDelayedLow, wire.TickVolume: wire.TickDelayedVolume,
	wire.TickClose: wire.TickDelayedClose, wire.TickOpen: wire.TickDelayedOpen,
	wire.TickLastTime: wire.TickDelayedLastTime, wire.TickHalted: wire.TickDelayedHalted,
}

func (l *line) typeOf(kind wire.TickType) wire.TickType {
	if l.late {
		return delayedTypes[kind]
	}
	return kind
}
