// Package feed answers the simulated gateway's requests for market data:
// streams and snapshots of quotes and trades, historical bars, contract
// details.
//
// It promises that a stream tells what the tape plays, in its order, and that
// every request gets an answer or a named error. It does not promise a real
// venue's prices: all of them are played.
//
// # Design
//
// The feed keeps who subscribed to what, and of each symbol what its
// subscribers were told last, so that only what changed is told. The server's
// mutex guards it.
package feed

import (
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Feed answers requests for market data. Make one with [New].
type Feed struct {
	v       *venue.Venue
	books   map[market.Symbol]*book
	clients map[venue.Peer]*client
}

// client is what a session asked for.
type client struct {
	venue.Peer
	f *Feed
	v *venue.Venue

	lines map[int]market.Symbol
}

// New returns the feed of a venue, for the symbols that its source plays.
func New(v *venue.Venue) *Feed {
	f := &Feed{v: v, books: map[market.Symbol]*book{}, clients: map[venue.Peer]*client{}}
	for _, s := range v.Source.Symbols() {
		f.books[s] = &book{}
	}
	return f
}

// Join takes a session in.
func (f *Feed) Join(p venue.Peer) {
	f.clients[p] = &client{Peer: p, f: f, v: f.v, lines: map[int]market.Symbol{}}
}

// Leave forgets a session and its subscriptions.
func (f *Feed) Leave(p venue.Peer) {
	c := f.clients[p]
	if c == nil {
		return
	}
	delete(f.clients, p)
	for _, symbol := range c.lines {
		f.books[symbol].drop(func(sub subscription) bool { return sub.client == c })
	}
}

// Handle answers a request of a session that joined, and reports whether it
// was one for market data.
func (f *Feed) Handle(p venue.Peer, msg wire.Message) bool {
	c := f.clients[p]
	switch m := msg.(type) {
	case wire.ReqMktData:
		c.reqMktData(m)
	case wire.CancelMktData:
		c.cancelMktData(m)
	case wire.ReqMarketDataType:
		if m.Kind < wire.MarketDataLive || m.Kind > wire.MarketDataDelayedFrozen {
			c.Fail(venue.NoID, venue.Validation, "Error validating request.-'reqMarketDataType' : cause - Incorrect market data type %d", m.Kind)
		} // the data is live whatever kind is asked for, as with a subscription
	case wire.ReqHistoricalData:
		c.history(m)
	case wire.CancelHistoricalData: // nothing to answer: history is answered at once
	case wire.ReqContractDetails:
		c.contractDetails(m)
	default:
		return false
	}
	return true
}

// Publish tells the subscribers of an event's symbol what the exchange has just
// applied. A symbol that is not played is ignored.
func (f *Feed) Publish(ev tape.Event) {
	if b := f.books[ev.Symbol]; b != nil {
		f.publish(b, ev)
	}
}

// Subscribers is how many streams of a symbol there are.
func (f *Feed) Subscribers(s market.Symbol) int {
	if b := f.books[s]; b != nil {
		return len(b.subs)
	}
	return 0
}
