package tape

import (
	"fmt"
	"time"

	"robotrader/broker/market"
)

// Sessions tells when a made-up market is open.
type Sessions uint8

const (
	// AlwaysOpen is a market that is in a regular session at any time.
	AlwaysOpen Sessions = iota
	// NewYork is open as New York's stock market is: its holidays, its early
	// closes, thin trading before and after the regular session, and a print at
	// the opening and at the close.
	NewYork
)

func (s Sessions) String() string {
	if s == NewYork {
		return "new_york"
	}
	return "always"
}

// ParseSessions reads what String writes.
func ParseSessions(text string) (Sessions, error) {
	for _, s := range []Sessions{AlwaysOpen, NewYork} {
		if text == s.String() {
			return s, nil
		}
	}
	return AlwaysOpen, fmt.Errorf("tape: sessions %.40q are neither %q nor %q", text, AlwaysOpen, NewYork)
}

// MaxBusy bounds [SyntheticConfig.Busy].
const MaxBusy = 1000

// UniverseConfig tells which market a [Universe] makes of symbols that are
// asked for. Its Symbol and the seed mean what they do for [NewSynthetic];
// Symbol is left empty.
type UniverseConfig struct {
	Synthetic SyntheticConfig
	// MaxSymbols bounds what is played. Default 500.
	MaxSymbols int
}

var errNotBuilt = fmt.Errorf("%w: not built yet", ErrNoSymbol)

// Universe is a [Source] and a [Past] that plays any valid ticker symbol on
// demand, beside the sources that it was made with.
type Universe struct {
	Source
	Past
}

// NewUniverse returns the market of cfg, with sources that it plays from their
// start on. The sources belong to it from then on.
func NewUniverse(cfg UniverseConfig, sources ...Source) (*Universe, error) {
	src, err := Merge(sources...)
	if err != nil {
		return nil, err
	}
	return &Universe{src, PastOf(src)}, nil
}

// Add takes a symbol up, from market time at on; one that is played already is
// left alone. What is played does not depend on when it was added. It is not
// safe for concurrent use with Next. The error wraps [ErrNoSymbol]: not a
// ticker symbol, or more than MaxSymbols.
func (u *Universe) Add(symbol market.Symbol, at time.Time) error { return errNotBuilt }
