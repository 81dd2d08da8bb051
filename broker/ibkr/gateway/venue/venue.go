// Package venue is what the parts of the simulated gateway share: the exchange
// and the market that it plays, market time, the sessions as the parts see
// them, and the codes in which the venue speaks.
//
// It promises that one mutex, the server's, guards all of it: whoever calls a
// part holds it. It does not promise that an exchange or a market exists beyond
// this process.
package venue

import (
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Peer is a client's session that is ready, as the parts of the gateway see it.
// Peers are compared: each session is one.
type Peer interface {
	// ClientID is the API client id of the session.
	ClientID() int
	// Version is the negotiated server version.
	Version() wire.Version
	// Send queues a message and never blocks. The message is encoded before
	// Send returns: a part may use the value behind a pointer again, so that a
	// tick costs no allocation.
	Send(m wire.Message)
	// Fail queues an errMsg. id is a request's or an order's, or [NoID]. With
	// args format is one, else it is the text.
	Fail(id int64, code int, format string, args ...any)
}

// Venue is the simulated exchange behind the gateway. The server's mutex guards
// it.
type Venue struct {
	X        *exchange.Exchange
	Source   tape.Source
	Zone     *time.Location // of the market, in which times are told
	Accounts []string       // of the login; the first is the default
	ReadOnly bool           // orders fail with [Validation]
	// MasterClientID is the client that hears of all clients' orders, -1 none.
	MasterClientID int
	// DownloadOpenOrders tells a client its open orders when it joins, which
	// is before its nextValidId.
	DownloadOpenOrders bool

	Fractions bool // stocks trade in fractions of a share
	// At is the market time that the exchange has seen.
	At time.Time
	// Clock is market time.
	Clock market.Clock

	// Later does for a session what takes long: work runs without the server's
	// mutex, and done, which it returns, under it, unless the session has left
	// meanwhile. False means that too much waits for the session already. nil
	// has no such help; who wants it uses [Venue.Defer].
	Later func(p Peer, work func() (done func())) bool
}

// Defer is Later, or does all of it at once where there is none.
func (v *Venue) Defer(p Peer, work func() (done func())) bool {
	if v.Later != nil {
		return v.Later(p, work)
	}
	if done := work(); done != nil {
		done()
	}
	return true
}

// Now returns market time.
func (v *Venue) Now() time.Time { return v.Clock.Now(time.Now()) }

// Find returns the listing that a contract of the wire means: US stocks only. A
// symbol that nobody listed is listed where the source can play it on demand.
func (v *Venue) Find(w wire.Contract) (market.Details, bool) {
	if w.SecType != "" && w.SecType != "STK" || w.Currency != "" && w.Currency != "USD" {
		return market.Details{}, false
	}
	if w.Symbol == "" && w.ConID != 0 {
		if known, ok := exchange.SymbolOf(w.ConID); ok {
			v.admit(known)
		}
		return v.X.Find(market.Contract{ConID: w.ConID})
	}
	c, err := w.Market()
	if err != nil {
		return market.Details{}, false
	}
	if d, ok := v.X.Find(c); ok {
		return d, true
	}
	if !v.admit(c.Symbol) {
		return market.Details{}, false
	}
	return v.X.Find(c)
}

// adder is a source that takes symbols up on demand, as [tape.Universe] does.
type adder interface {
	Add(symbol market.Symbol, at time.Time) error
}

// Listable returns what a symbol would be listed as that is not listed and
// that the source takes up when it is asked for.
func (v *Venue) Listable(s market.Symbol) (market.Details, bool) {
	p, err := market.ParseSymbol(string(s))
	if _, ok := v.Source.(adder); !ok || err != nil || p != s {
		return market.Details{}, false
	}
	if _, listed := v.X.Find(market.Contract{Symbol: s}); listed {
		return market.Details{}, false
	}
	return v.Details(s, tape.Hours{}), true
}

// admit lists a symbol that the source takes up when it is asked for.
func (v *Venue) admit(s market.Symbol) bool {
	if _, ok := v.Listable(s); !ok {
		return false
	}
	if v.Source.(adder).Add(s, v.At) != nil { // no more of them: there is no such contract
		return false
	}
	hours, err := v.Source.Hours(s, v.At)
	if err != nil {
		return false
	}
	return v.X.List(v.Details(s, hours)) == nil
}

// Details is what a symbol is listed as.
func (v *Venue) Details(s market.Symbol, hours tape.Hours) market.Details {
	d := exchange.StockDetails(s, hours.Trading, hours.Liquid)
	if v.Fractions {
		d = exchange.InFractions(d)
	}
	return d
}

// ZoneText is how the venue writes the market's zone.
const ZoneText = "US/Eastern"

// timeText is how times of bars and executions are written.
const timeText = "20060102 15:04:05 "

// TimeText writes a market time as the venue does, such as
// "20260402 09:30:00 US/Eastern".
func (v *Venue) TimeText(at time.Time) string { return at.In(v.Zone).Format(timeText) + ZoneText }
