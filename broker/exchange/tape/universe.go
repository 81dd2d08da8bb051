package tape

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"robotrader/broker/market"
)

// DefaultMaxSymbols bounds a [Universe] that names no bound.
const DefaultMaxSymbols = 500

// UniverseConfig tells which market a [Universe] makes of the symbols that it
// is asked for.
type UniverseConfig struct {
	// Synthetic is the market of each, with an empty Symbol.
	Synthetic SyntheticConfig
	// MaxSymbols bounds what is played in all. Default DefaultMaxSymbols.
	MaxSymbols int
}

// Universe is a [Source] and a [Past] that plays any ticker symbol on demand,
// beside the sources that it was made with: one to five letters, and one more
// after a dot or a blank for a class of shares. Anything else it has no market
// for, so that there are symbols that nobody knows.
//
// A symbol's market begins at the start of the configuration, whenever it was
// added: two universes of one configuration agree about every symbol and every
// time that both play.
type Universe struct {
	*merged
	cfg  UniverseConfig
	days *dayCache
}

var (
	_ Source = (*Universe)(nil)
	_ Past   = (*Universe)(nil)
)

// NewUniverse returns the market of cfg, with sources that it plays from their
// start on. The sources belong to it from then on.
func NewUniverse(cfg UniverseConfig, sources ...Source) (*Universe, error) {
	if cfg.MaxSymbols == 0 {
		cfg.MaxSymbols = DefaultMaxSymbols
	}
	probe := cfg.Synthetic
	probe.Symbol = "A"
	if err := probe.Validate(); err != nil {
		return nil, err
	}
	if cfg.Synthetic.Symbol != "" {
		return nil, fmt.Errorf("tape: a universe of %s alone: leave the symbol empty", cfg.Synthetic.Symbol)
	}
	m, err := merge(sources)
	if err != nil {
		return nil, err
	}
	if n := len(m.Symbols()); cfg.MaxSymbols < n {
		return nil, fmt.Errorf("tape: %d symbols are played, more than the bound of %d: raise it", n, cfg.MaxSymbols)
	}
	return &Universe{merged: m, cfg: cfg, days: new(dayCache)}, nil
}

// ErrFull means that a [Universe] plays as many symbols as it may. It comes
// with [ErrNoSymbol].
var ErrFull = errors.New("tape: too many symbols")

// Add takes a symbol up, which is played from market time at on, or from the
// newest event on that Next has returned; one that is played already is left
// alone. It is not safe for concurrent use with Next. The error wraps
// [ErrNoSymbol].
func (u *Universe) Add(symbol market.Symbol, at time.Time) error {
	if _, err := u.of(symbol); err == nil {
		return nil
	}
	if !isTicker(symbol) {
		return fmt.Errorf("%w %.20q: not one to five letters and a class of shares", ErrNoSymbol, symbol)
	}
	cfg := u.cfg.Synthetic
	cfg.Symbol = symbol
	if n := len(u.Symbols()); n >= u.cfg.MaxSymbols {
		return fmt.Errorf("%w %.20q: %w: %d are played", ErrNoSymbol, symbol, ErrFull, n)
	}
	s, err := newSynthetic(cfg, u.days)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSymbol, err)
	}
	for _, t := range []time.Time{at.UTC(), u.newest} {
		if t.After(s.from) {
			s.from = t
		}
	}
	if err := u.own(s); err != nil {
		return err
	}
	if u.started {
		u.enter(len(u.sources) - 1)
	}
	return nil
}

// Start returns the market time of the first event, and the configuration's
// start before there is a symbol.
func (u *Universe) Start() time.Time {
	if len(u.all()) == 0 {
		return u.cfg.Synthetic.Start.UTC()
	}
	return u.merged.Start()
}

// Describe implements [Source].
func (u *Universe) Describe() string {
	parts := []string{fmt.Sprintf("any other US ticker on demand: made-up market, seed %d", u.cfg.Synthetic.Seed)}
	if what := u.merged.Describe(); what != "" {
		parts = append([]string{what}, parts...)
	}
	return strings.Join(parts, "; ")
}

// isTicker reports whether a symbol has the form of a US stock's.
func isTicker(s market.Symbol) bool {
	name, class, _ := strings.Cut(strings.ReplaceAll(string(s), " ", "."), ".")
	if p, err := market.ParseSymbol(string(s)); err != nil || p != s || len(name) > 5 || len(class) > 1 {
		return false
	}
	return !strings.ContainsAny(name+class, "0123456789-.")
}
