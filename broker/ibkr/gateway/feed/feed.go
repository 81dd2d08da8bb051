// Package feed answers the simulated gateway's requests for market data:
// streams and snapshots of quotes and trades, delayed data, bars that run and
// bars of the past, single ticks, order books, contract details and the small
// look-ups around them.
//
// It promises that a stream tells what the tape plays, in its order, that what
// it tells of the past is what it told when it was the present, and that every
// request gets an answer or a named error. It does not promise a real venue's
// prices: all of them are played. Made up beside the tape, and documented where
// they are told, are the depth of the book behind the best quote, shares to
// borrow, industries, ISINs of symbols that are not well known, and the
// exchanges that quote.
//
// # Design
//
// The feed keeps a book for each symbol that somebody asked for: what was told
// last, so that only what changed is told, and the streams that hang on it. The
// server's mutex guards all of it. Nothing is encoded for nobody, and a tick
// costs no allocation for a subscriber: messages are sent by a pointer to one
// that is used again.
//
// Three things move a feed: [Feed.Publish] with an event, [Feed.Advance] with
// market time, which ends bars and lets delayed data come, and [Feed.Beat] with
// wall time, which ends snapshots that wait. Questions about the past go through
// [venue.Venue.Defer], whose work runs off the mutex; their end is fixed when
// they are asked, so that the answer is a function of the question.
//
// Delayed data are the tape's past, played a second time. What is injected
// beside the tape is therefore not in them, nor in any history.
package feed

import (
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Feed answers requests for market data. Make one with [New].
type Feed struct {
	v    *venue.Venue
	cfg  Config
	past tape.Past

	books   map[market.Symbol]*book
	clients map[venue.Peer]*client

	timed     []*book   // with bars that end by market time
	next      time.Time // when the next of those ends
	late      []*book   // with delayed lines
	snapshots []*line   // that wait for what is missing
	competing bool      // another session of the login takes the data
	pacing    pacing
	out       scratch
}

// scratch holds the messages of ticks, for use again and again.
type scratch struct {
	price wire.TickPrice
	size  wire.TickSize
	text  wire.TickString
	tick  wire.TickByTick
}

// client is what a session asked for, by the ids of its requests.
type client struct {
	venue.Peer
	f *Feed
	v *venue.Venue

	kind      wire.MarketDataKind // asked for
	lines     map[int]*line
	bars      map[int]*running
	histories map[int]*history
	ticks     map[int]*tickStream
	depths    map[int]*depth
}

// New returns the feed of a venue.
func New(v *venue.Venue, cfg Config) *Feed {
	return &Feed{
		v: v, cfg: cfg, past: tape.PastOf(v.Source),
		books: map[market.Symbol]*book{}, clients: map[venue.Peer]*client{},
	}
}

// Join takes a session in.
func (f *Feed) Join(p venue.Peer) {
	f.clients[p] = &client{
		Peer: p, f: f, v: f.v, kind: wire.MarketDataLive,
		lines: map[int]*line{}, bars: map[int]*running{}, histories: map[int]*history{},
		ticks: map[int]*tickStream{}, depths: map[int]*depth{},
	}
}

// Leave forgets a session and its subscriptions.
func (f *Feed) Leave(p venue.Peer) {
	if c := f.clients[p]; c != nil {
		c.drop()
		delete(f.clients, p)
	}
}

// drop ends all that a session has, without a word.
func (c *client) drop() {
	for _, l := range c.lines {
		l.end()
	}
	for _, r := range c.bars {
		r.end()
	}
	for _, h := range c.histories {
		h.end()
	}
	for _, s := range c.ticks {
		s.end()
	}
	for _, d := range c.depths {
		d.end()
	}
}

// Drop ends the streams of all sessions without a word, as a venue does that
// tells code 1101: back, and data lost.
func (f *Feed) Drop() {
	for _, c := range f.clients {
		c.drop()
	}
}

// Handle answers a request of a session that joined, and reports whether it
// was one for market data.
func (f *Feed) Handle(p venue.Peer, msg wire.Message) bool {
	c := f.clients[p]
	return c.handleStreams(msg) || c.handlePast(msg) || c.handleLookups(msg)
}

func (c *client) handleStreams(msg wire.Message) bool {
	switch m := msg.(type) {
	case wire.ReqMktData:
		c.reqMktData(m)
	case wire.CancelMktData:
		c.cancelMktData(m)
	case wire.ReqMarketDataType:
		c.reqMarketDataType(m)
	case wire.ReqRealTimeBars:
		c.reqRealTimeBars(m)
	case wire.CancelRealTimeBars:
		c.cancelRealTimeBars(m)
	case wire.ReqTickByTick:
		c.reqTickByTick(m)
	case wire.CancelTickByTick:
		c.cancelTickByTick(m)
	case wire.ReqMktDepth:
		c.reqMktDepth(m)
	case wire.CancelMktDepth:
		c.cancelMktDepth(m)
	default:
		return false
	}
	return true
}

func (c *client) handlePast(msg wire.Message) bool {
	switch m := msg.(type) {
	case wire.ReqHistoricalData:
		c.reqHistoricalData(m)
	case wire.CancelHistoricalData:
		c.cancelHistoricalData(m)
	case wire.ReqHeadTimestamp:
		c.reqHeadTimestamp(m)
	case wire.CancelHeadTimestamp: // nothing to answer: the head is told at once
	case wire.ReqHistoricalTicks:
		c.reqHistoricalTicks(m)
	default:
		return false
	}
	return true
}

func (c *client) handleLookups(msg wire.Message) bool {
	switch m := msg.(type) {
	case wire.ReqContractDetails:
		c.reqContractDetails(m)
	case wire.ReqMarketRule:
		c.reqMarketRule(m)
	case wire.ReqMatchingSymbols:
		c.reqMatchingSymbols(m)
	case wire.ReqDepthExchanges:
		c.Send(depthExchanges())
	case wire.ReqSmartComponents:
		c.reqSmartComponents(m)
	case wire.ReqSecDefOptParams: // no options are played: an empty list, as for a stock without any
		c.Send(wire.SecDefOptParamsEnd{ReqID: m.ReqID})
	case wire.ReqFamilyCodes:
		c.Send(wire.FamilyCodes{})
	case wire.ReqSoftDollarTiers:
		c.Send(wire.SoftDollarTiers{ReqID: m.ReqID})
	case wire.ReqNewsBulletins, wire.CancelNewsBulletins: // there never are any
	default:
		return false
	}
	return true
}

// invalid refuses a request with code 321, in the venue's form. what is the
// venue's short name of the request.
func (c *client) invalid(req int, what, format string, args ...any) {
	c.Fail(int64(req), venue.Validation, "Error validating request.-'"+what+"' : cause - "+format, args...)
}

// find returns the book of the listing that a contract means; without one it
// has told so.
func (c *client) find(req int, w wire.Contract) (*book, bool) {
	d, ok := c.v.Find(w)
	if !ok {
		c.Fail(int64(req), venue.NoContract, venue.NoContractText)
		return nil, false
	}
	return c.f.book(d), true
}

// Publish tells the subscribers of an event's symbol what the exchange has just
// applied. A symbol that nobody asked for is ignored.
func (f *Feed) Publish(ev tape.Event) {
	if b := f.books[ev.Symbol]; b != nil {
		b.publish(ev)
	}
}

// Advance tells what ends by market time and what is late until now. It comes
// before the events of that time.
func (f *Feed) Advance(at time.Time) {
	if len(f.timed) > 0 && !at.Before(f.next) {
		f.endBars(at)
	}
	for _, b := range f.late {
		b.late.playTo(at.Add(-f.cfg.Delay))
	}
}

// Beat ends the snapshots that have all, or waited long enough in wall time.
func (f *Feed) Beat(wall time.Time) {
	for i := 0; i < len(f.snapshots); {
		if l := f.snapshots[i]; !wall.Before(l.until) {
			l.finishSnapshot() // leaves the list
			continue
		}
		i++
	}
}

// Subscribers is how many streams of a symbol there are.
func (f *Feed) Subscribers(s market.Symbol) int {
	b := f.books[s]
	if b == nil {
		return 0
	}
	n := len(b.lines) + len(b.bars) + len(b.keeps) + len(b.ticks) + len(b.depths)
	if b.late != nil {
		n += len(b.late.lines)
	}
	return n
}
