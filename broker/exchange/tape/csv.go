package tape

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// ErrBadFile means that a file is not what its header says. The error that
// wraps it names file, line, column, value and the mend.
var ErrBadFile = errors.New("bad tape file")

// MaxLines bounds a file. A line is held in 72 bytes (a trade in 32), so the
// longest file takes 360 MB and what append keeps in reserve, up to a quarter;
// a day of minute bars takes 70 kB.
const MaxLines = 5_000_000

// The layouts of a file, told by its header.
const (
	barsHeader   = "time,open,high,low,close,volume,bid,ask"
	tradesHeader = "time,price,size,exchange,suspicious"
	dailyHeader  = "date,open,high,low,close,volume"
)

// CSV replays a file in one symbol: minute bars, trades or daily bars, told
// apart by the header.
//
//	time,open,high,low,close,volume,bid,ask   a minute; bid and ask at its close, empty when unknown
//	time,price,size,exchange,suspicious       a trade; suspicious is 0 or 1
//	date,open,high,low,close,volume           a day
//
// Times are RFC 3339 and mark the start of a bar; bars come in rising order of
// time, trades may share one. Nothing is corrected: a file that breaks a rule
// is refused with the line and the mend.
//
// A bar becomes at most four trades: open at its start, low and high at a
// quarter and a half (low first when the bar closes at or above its open),
// close 20 ms before its end; those that would only repeat a price are left
// out, and the volume is split so that bars made of the trades equal the
// file's. A daily bar is played from 09:30 to 16:00 in New York, to 13:00 when
// that is the close. When in its minute a price was traded is therefore made
// up.
//
// Quotes: 10 ms before a minute ends comes the file's own bid and ask. Before
// that, each trade is preceded by a quote around its price with that
// minute's spread (at least 0.01), which is made up; where the file knows no
// bid or ask the quote is unknown. For trades and daily bars bid and ask are
// the last price minus and plus 0.01, made up too. One quote comes 1 s
// before the first event, so that a subscriber sees one at once. None stands
// over the night: a day's first trade tells it again.
//
// The past is the file's and nothing else: before its first line, between its
// days and after its last line there is none, and nothing is made up there.
type CSV struct {
	name   string
	symbol market.Symbol
	cal    calendar.Calendar
	zone   *time.Location
	layout string
	bars   []barLine   // of barsHeader and dailyHeader
	trades []tradeLine // of tradesHeader
	venues []string    // that tradeLine.venue counts
	days   []time.Time // New York's dates with a line, midnight

	opened  bool
	line    int          // the next to expand
	last    market.Price // of the trades expanded, 0 before the first
	pending []Event
	next    int // index into pending
}

var (
	_ Source = (*CSV)(nil)
	_ Past   = (*CSV)(nil)
)

// barLine is one bar. A side that is not known is 0, because prices
// in a file are above 0.
type barLine struct {
	start, end             int64 // Unix nanoseconds
	open, high, low, close market.Price
	bid, ask               market.Price
	volume                 market.Qty
}

type tradeLine struct {
	at         int64 // Unix nanoseconds
	price      market.Price
	size       market.Qty
	venue      uint16
	suspicious bool
	opens      bool // the first of its day that moves last: it tells a quote in any case
}

// SymbolOf returns the symbol that a file's name begins with, up to its first
// dash: AAPL for "data/AAPL-1m-20140605.csv".
func SymbolOf(path string) (market.Symbol, error) {
	head, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), "-")
	s, err := market.ParseSymbol(head)
	if err != nil {
		return "", fmt.Errorf("tape: %s: the name does not begin with a symbol: write SYMBOL=%s: %w", path, path, err)
	}
	return s, nil
}

// Open reads the file at path. An empty symbol means that of [SymbolOf].
func Open(path string, symbol market.Symbol) (*CSV, error) {
	if symbol == "" {
		s, err := SymbolOf(path)
		if err != nil {
			return nil, err
		}
		symbol = s
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	defer f.Close()
	return Read(f, path, symbol)
}

// Read reads a CSV from r to its end; name is what errors call it.
func Read(r io.Reader, name string, symbol market.Symbol) (*CSV, error) {
	if s, err := market.ParseSymbol(string(symbol)); err != nil || s != symbol {
		return nil, fmt.Errorf("tape: %s: symbol %.40q is not a ticker symbol in capitals", name, symbol)
	}
	cal, err := calendar.New()
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	c := &CSV{name: name, symbol: symbol, cal: cal, zone: cal.Zone()}
	if err := c.read(r); err != nil {
		return nil, err
	}
	return c, nil
}

// Next implements [Source].
func (c *CSV) Next() (Event, bool) {
	if !c.opened {
		c.opened = true
		return c.opening(), true
	}
	for c.next == len(c.pending) {
		if c.line == c.lines() {
			return Event{}, false
		}
		c.pending, c.next = c.expand(c.line, c.last, c.pending[:0]), 0
		if len(c.trades) > 0 && !c.trades[c.line].suspicious {
			c.last = c.trades[c.line].price
		}
		c.line++
	}
	ev := c.pending[c.next]
	c.next++
	return ev, true
}

func (c *CSV) lines() int { return len(c.bars) + len(c.trades) }

// Start implements [Source].
func (c *CSV) Start() time.Time { return time.Unix(0, c.at(0)).UTC().Add(-time.Second) }

// at is the time of a line.
func (c *CSV) at(line int) int64 {
	if len(c.trades) > 0 {
		return c.trades[line].at
	}
	return c.bars[line].start
}

// Symbols implements [Source].
func (c *CSV) Symbols() []market.Symbol { return []market.Symbol{c.symbol} }

// Describe implements [Source].
func (c *CSV) Describe() string {
	what := map[string]string{barsHeader: "minute bars", tradesHeader: "trades", dailyHeader: "daily bars"}[c.layout]
	first, last := c.days[0].Format(time.DateOnly), c.days[len(c.days)-1].Format(time.DateOnly)
	when := first
	if last != first {
		when += " to " + last
	}
	return fmt.Sprintf("replay %s: %d %s of %s from %s", c.symbol, c.lines(), what, when, filepath.Base(c.name))
}
