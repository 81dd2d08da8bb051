package tape

import (
	"errors"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// ErrNoSymbol means that a source knows nothing about a symbol.
var ErrNoSymbol = errors.New("tape: unknown symbol")

// ZoneName is the time zone of the market that every source plays.
const ZoneName = calendar.Zone

// Source is a market that can be played: events ordered by time, and what is
// told about their symbols. It is not safe for concurrent use; the sources of
// this package have a [Past] that is, see [PastOf].
type Source interface {
	// Next returns the next event; ok is false when the tape has ended.
	// Times never go back.
	Next() (ev Event, ok bool)
	// Start returns the market time of the first event.
	Start() time.Time
	// Symbols lists what is played, in the order in which it was asked for.
	Symbols() []market.Symbol
	// Describe tells people what is played, in one line.
	Describe() string
	// Hours returns the trading hours that a venue would tell around a time:
	// about ten days. The error wraps [ErrNoSymbol].
	Hours(symbol market.Symbol, around time.Time) (Hours, error)
	// History returns the bars of trades of width that start in [end-span, end), oldest
	// first, built from the trades before end: the last may be unfinished.
	// Bars without a trade are left out. It does not depend on how far Next
	// has played. regularOnly leaves out trades outside the liquid hours. An
	// empty list means that nothing was traded; the error wraps [ErrNoSymbol]
	// or [ErrBadSpan].
	History(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) ([]market.Bar, error)
}

// Hours are the hours of a symbol and the zone in which its venue tells them.
type Hours struct {
	Trading market.Hours // includes the extended hours
	Liquid  market.Hours // the regular session
	Zone    *time.Location
}
