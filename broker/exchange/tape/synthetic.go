package tape

import (
	"time"

	"robotrader/broker/market"
)

// SyntheticConfig tells which market to make.
type SyntheticConfig struct {
	Symbol market.Symbol
	Seed   uint64    // 0 is a seed like any other
	Start  time.Time // market time of the first event
}

// Synthetic is an endless made-up market in one symbol that is always in a
// regular session.
type Synthetic struct{ cfg SyntheticConfig }

var _ Source = (*Synthetic)(nil)

// NewSynthetic returns the market of cfg.
func NewSynthetic(cfg SyntheticConfig) (*Synthetic, error) { return &Synthetic{cfg}, nil }

// Next implements [Source]. It never ends.
func (s *Synthetic) Next() (Event, bool) { return Event{}, false }

// Start implements [Source].
func (s *Synthetic) Start() time.Time { return s.cfg.Start }

// Symbols implements [Source].
func (s *Synthetic) Symbols() []market.Symbol { return []market.Symbol{s.cfg.Symbol} }

// Describe implements [Source].
func (s *Synthetic) Describe() string { return "" }

// Hours implements [Source].
func (s *Synthetic) Hours(market.Symbol, time.Time) (Hours, error) { return Hours{}, nil }

// History implements [Source].
func (s *Synthetic) History(market.Symbol, time.Time, time.Duration, time.Duration, bool) ([]market.Bar, error) {
	return nil, nil
}
