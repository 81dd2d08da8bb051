package tape

import (
	"io"
	"time"

	"robotrader/broker/market"
)

// CSV replays a file of bars, trades or daily bars in one symbol.
type CSV struct{ symbol market.Symbol }

var _ Source = (*CSV)(nil)

// Open reads the file at path. An empty symbol means the file's name up to its
// first dash.
func Open(path string, symbol market.Symbol) (*CSV, error) { return &CSV{symbol}, nil }

// Read reads a CSV from r; name is what errors call it.
func Read(r io.Reader, name string, symbol market.Symbol) (*CSV, error) { return &CSV{symbol}, nil }

// Next implements [Source].
func (c *CSV) Next() (Event, bool) { return Event{}, false }

// Start implements [Source].
func (c *CSV) Start() time.Time { return time.Time{} }

// Symbols implements [Source].
func (c *CSV) Symbols() []market.Symbol { return []market.Symbol{c.symbol} }

// Describe implements [Source].
func (c *CSV) Describe() string { return "" }

// Hours implements [Source].
func (c *CSV) Hours(market.Symbol, time.Time) (Hours, error) { return Hours{}, nil }

// History implements [Source].
func (c *CSV) History(market.Symbol, time.Time, time.Duration, time.Duration, bool) ([]market.Bar, error) {
	return nil, nil
}

// WriteBars writes a day of the seeded market as a CSV of bars.
func WriteBars(w io.Writer, symbol market.Symbol, seed uint64, day time.Time) error { return nil }
