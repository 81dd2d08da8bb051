package tape

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"robotrader/broker/market"
)

// The years of a made-up market.
const (
	firstYear = 1980
	lastYear  = 2200
)

// SyntheticConfig tells which market to make.
type SyntheticConfig struct {
	Symbol market.Symbol
	Seed   uint64    // 0 is a seed like any other
	Start  time.Time // market time of the first event, 1980 to 2200, to 2099 in sessions of New York
	// Sessions tells when the market is open. Default always.
	Sessions Sessions
	// Busy multiplies the events a second, 1 to MaxBusy, for load tests: 100
	// makes 200 to 500 a second. 0 means 1.
	Busy int
	// HaltEvery has trading halted for five minutes on about one day in so
	// many, at a time that the seed decides. 0 means never.
	HaltEvery int
}

// Validate returns all that is wrong with c, joined.
func (c SyntheticConfig) Validate() error {
	var errs []error
	if s, err := market.ParseSymbol(string(c.Symbol)); err != nil || s != c.Symbol {
		errs = append(errs, fmt.Errorf("tape: synthetic symbol %.40q is not a ticker symbol in capitals", c.Symbol))
	}
	if y := c.Start.Year(); y < 1980 || y > 2200 {
		errs = append(errs, fmt.Errorf("tape: synthetic start %v is not in 1980 to 2200", c.Start))
	}
	return errors.Join(errs...)
}

// Synthetic is an endless made-up market in one symbol that is always in a
// regular session. All of it is made up: prices, sizes, exchanges.
//
// The price starts at 187.25 for AAPL, and for other symbols at a price
// between 20 and 500 that their name decides. It wanders by about 0.08 % a
// minute with a volatility that comes in clusters, between 0.35 and 2.8 times
// the starting price for good. There are about two events a second at night
// and five when New York's market opens and closes, a little less than half of
// them trades at the bid or the ask.
//
// A minute's events depend on the seed, the symbol, the starting price and the
// minute alone. The same seed, symbol and start give the same stream and the
// same history on every machine.
type Synthetic struct {
	cfg    SyntheticConfig
	zone   *time.Location
	noise  noise
	base   int64 // the starting price, in 1e-4 dollars
	origin int64 // the logarithm of the path at the start

	opened bool
	minute int64 // of the stream
	events []Event
	next   int // index into events
	past   []Event
}

var _ Source = (*Synthetic)(nil)

// NewSynthetic returns the market of cfg.
func NewSynthetic(cfg SyntheticConfig) (*Synthetic, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(ZoneName)
	if err != nil {
		return nil, fmt.Errorf("tape: time zone %s (import time/tzdata): %w", ZoneName, err)
	}
	cfg.Start = cfg.Start.UTC()
	h := fnv.New64a()
	h.Write([]byte(cfg.Symbol))
	s := &Synthetic{
		cfg: cfg, zone: zone, noise: noise{mix(cfg.Seed ^ mix(h.Sum64()))},
		base: startPrice(cfg.Symbol, h.Sum64()), minute: minuteOf(cfg.Start),
	}
	var path [knots + 1]int64
	s.noise.minutePath(s.minute, &path)
	s.origin = along(&path, cfg.Start.Sub(minuteTime(s.minute)))
	return s, nil
}

// startPrice is a price of the size that people know, or one that the name
// decides, in 1e-4 dollars.
func startPrice(s market.Symbol, hash uint64) int64 {
	if s == "AAPL" {
		return 187_2500
	}
	return 20_0000 + int64(mix(hash)%48_000)*100
}

func minuteOf(t time.Time) int64 {
	u := t.Unix()
	return (u - ((u%60)+60)%60) / 60
}

func minuteTime(m int64) time.Time { return time.Unix(m*60, 0).UTC() }

// along interpolates a minute's path.
func along(path *[knots + 1]int64, into time.Duration) int64 {
	const step = int64(time.Minute) / knots
	j, rest := int64(into)/step, int64(into)%step
	return path[j] + (path[j+1]-path[j])*(rest/1000)/(step/1000)
}

// Next implements [Source]. It never ends. The first event is the quote at the
// start.
func (s *Synthetic) Next() (Event, bool) {
	if !s.opened {
		s.opened = true
		return s.open(), true
	}
	for s.next == len(s.events) {
		s.minute++
		s.events, s.next = s.generate(s.minute, s.events[:0]), 0
	}
	ev := s.events[s.next]
	s.next++
	return ev, true
}

// open makes the first minute and returns the quote that holds at the start:
// the newest of the minute's, or one made for it.
func (s *Synthetic) open() Event {
	s.events = s.generate(s.minute, s.events[:0])
	quote := s.quote(s.base, 1)
	for ; s.next < len(s.events) && s.events[s.next].At.Before(s.cfg.Start); s.next++ {
		if s.events[s.next].Kind == Quote {
			quote = s.events[s.next]
		}
	}
	quote.At = s.cfg.Start
	return quote
}

// Start implements [Source].
func (s *Synthetic) Start() time.Time { return s.cfg.Start }

// Symbols implements [Source].
func (s *Synthetic) Symbols() []market.Symbol { return []market.Symbol{s.cfg.Symbol} }

// Describe implements [Source].
func (s *Synthetic) Describe() string {
	return fmt.Sprintf("synthetic %s: made-up market, seed %d, from %s, always in session",
		s.cfg.Symbol, s.cfg.Seed, s.cfg.Start.Format(time.RFC3339))
}

// hoursDays is how many days of trading hours a synthetic market tells: a year,
// because a trader reads them once a session, and this one never needs to end.
const hoursDays = 370

// Hours implements [Source]: whole days without a gap, from the day before
// around on.
func (s *Synthetic) Hours(symbol market.Symbol, around time.Time) (Hours, error) {
	if symbol != s.cfg.Symbol {
		return Hours{}, fmt.Errorf("%w %.20q, the tape plays %s", ErrNoSymbol, symbol, s.cfg.Symbol)
	}
	day := around.In(s.zone).AddDate(0, 0, -1)
	var spans market.Hours
	for i := range hoursDays {
		spans = append(spans, market.Span{
			Open:  clockAt(day.AddDate(0, 0, i), 0, s.zone),
			Close: clockAt(day.AddDate(0, 0, i+1), 0, s.zone),
		})
	}
	return Hours{Trading: spans, Liquid: spans, Zone: s.zone}, nil
}

// History implements [Source], for spans of up to [MaxSpan] and 100,000 bars.
// All hours are regular.
func (s *Synthetic) History(symbol market.Symbol, end time.Time, span, width time.Duration, _ bool) ([]market.Bar, error) {
	if symbol != s.cfg.Symbol {
		return nil, fmt.Errorf("%w %.20q, the tape plays %s", ErrNoSymbol, symbol, s.cfg.Symbol)
	}
	if err := checkSpan(end, span, width); err != nil {
		return nil, err
	}
	if span > MaxSpan || span/width > MaxBars {
		return nil, fmt.Errorf("%w: span %v in bars of %v: a synthetic market tells at most %v and %d bars",
			ErrBadSpan, span, width, MaxSpan, MaxBars)
	}
	if y := end.Year(); y < 1980 || y > 2200 {
		return nil, fmt.Errorf("%w: end %v is not in 1980 to 2200", ErrBadSpan, end)
	}
	b := newBuilder(s.zone, end, span, width, false)
	for m := minuteOf(end.Add(-span)); !minuteTime(m).After(end); m++ {
		s.past = s.generate(m, s.past[:0])
		for i := range s.past {
			if ev := &s.past[i]; ev.Kind == Trade {
				b.add(ev.At.UnixNano(), ev.Price, ev.Size, ev.Suspicious)
			}
		}
	}
	return b.done(), nil
}

var (
	cent      = market.MustPrice("0.01")
	exchanges = [...]string{"Q", "N", "P", "K", "Z", "D"}
)

// dice is a stream of hashed numbers.
type dice struct{ state uint64 }

func (d *dice) roll(n uint64) uint64 {
	d.state += 0x9e3779b97f4a7c15
	return mix(d.state) % n
}

// generate appends the events of a minute to dst, ordered by time: a quote
// first, then quotes where the path goes and trades at the newest of them.
func (s *Synthetic) generate(minute int64, dst []Event) []Event {
	var path [knots + 1]int64
	s.noise.minutePath(minute, &path)
	vol := s.noise.volatility(minute)
	d := dice{s.noise.hash(streamEvents, minute)}
	n := s.activity(minute, vol)
	slot := 60_000 / n // milliseconds
	begin := minuteTime(minute)
	var quote Event
	for i := range n {
		into := time.Duration(i*slot+int64(d.roll(uint64(slot)))) * time.Millisecond
		if i > 0 && d.roll(100) < 45 {
			dst = append(dst, s.trade(&d, quote, begin.Add(into)))
			continue
		}
		spread := int64(1)
		if d.roll(100) < 30 {
			spread++
		}
		if vol > 1500 && d.roll(100) < 40 {
			spread++
		}
		quote = s.quote(scale(s.base, along(&path, into)-s.origin), spread)
		quote.At = begin.Add(into)
		quote.Bid.Size = market.Shares(int64(1+d.roll(12)) * 100)
		quote.Ask.Size = market.Shares(int64(1+d.roll(12)) * 100)
		dst = append(dst, quote)
	}
	return dst
}

// activity is the number of events of a minute: from 60 to 400, more when the
// market is wild, and along New York's day more at its open and close than at
// noon, fewest at night.
func (s *Synthetic) activity(minute, vol int64) int64 {
	hour, mins, _ := minuteTime(minute).In(s.zone).Clock()
	shape := int64(600)                                             // thousandths
	if off := int64(hour*60+mins) - 765; off >= -195 && off < 195 { // from 12:45
		shape = 800 + 900*off*off/(195*195)
	}
	n := 240 * shape / 1000 * (500 + vol/2) / 1000
	return max(60, min(n, 400))
}

// quote is the quote of spread cents around a price in 1e-4 dollars.
func (s *Synthetic) quote(mid, spread int64) Event {
	bid := (mid - spread*50 + 50) / 100
	size := market.Shares(100)
	return Event{
		At: s.cfg.Start, Symbol: s.cfg.Symbol, Kind: Quote,
		Bid: Level{cent.Times(bid), size, true},
		Ask: Level{cent.Times(bid + spread), size, true},
	}
}

// trade is one at the bid, at the ask, or between them where there is room.
func (s *Synthetic) trade(d *dice, quote Event, at time.Time) Event {
	price := quote.Bid.Price
	switch inside := price.Add(cent); {
	case inside.Less(quote.Ask.Price) && d.roll(100) < 15:
		price = inside
	case d.roll(2) == 0:
		price = quote.Ask.Price
	}
	shares := int64(100)
	switch r := d.roll(100); {
	case r < 30:
		shares = int64(1 + d.roll(99))
	case r < 60:
		shares = int64(2+d.roll(8)) * 100
	}
	return Event{
		At: at, Symbol: s.cfg.Symbol, Kind: Trade, Price: price, Size: market.Shares(shares),
		Exchange: exchanges[d.roll(uint64(len(exchanges)))],
	}
}
