package tape

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// The years of a made-up market.
const (
	firstYear = 1980
	lastYear  = 2200
)

// model is the made-up market of one symbol: what happens in a minute follows
// from the minute alone. Nothing of it changes, so it may be used at several
// places at once.
type model struct {
	cfg    SyntheticConfig
	cal    calendar.Calendar
	zone   *time.Location
	noise  noise
	base   int64 // the price at the start, in 1e-4 dollars
	origin int64 // the logarithm of the path at the start
	busy   int64
	recent int64     // minutes before this one are told in fewer, larger trades
	days   *dayCache // shared by the symbols of a universe
}

func newModel(cfg SyntheticConfig, days *dayCache) (*model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cal, err := calendar.New()
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	cfg.Start = cfg.Start.UTC()
	if cfg.Anchor.IsZero() {
		cfg.Anchor = cfg.Start
	}
	h := fnv.New64a()
	h.Write([]byte(cfg.Symbol))
	m := &model{
		cfg: cfg, cal: cal, zone: cal.Zone(), noise: noise{mix(cfg.Seed ^ mix(h.Sum64()))},
		base: startPrice(cfg.Symbol, h.Sum64()), busy: max(1, int64(cfg.Busy)), days: days,
	}
	m.recent = minuteOf(cfg.Start) - recentMinutes/m.busy
	minute := minuteOf(cfg.Anchor)
	w := walker{noise: m.noise}
	var path [knots + 1]int64
	w.fill(w.leg(minute), &path)
	m.origin = along(&path, cfg.Anchor.Sub(minuteTime(minute)))
	return m, nil
}

// Validate returns all that is wrong with c, joined.
func (c SyntheticConfig) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("tape: synthetic "+format, a...)) }
	if s, err := market.ParseSymbol(string(c.Symbol)); err != nil || s != c.Symbol {
		bad("symbol %.40q is not a ticker symbol in capitals", c.Symbol)
	}
	if y := c.Start.Year(); y < firstYear || y > lastYear {
		bad("start %v is not in %d to %d", c.Start, firstYear, lastYear)
	}
	if y := c.Anchor.Year(); !c.Anchor.IsZero() && (y < firstYear || y > lastYear) {
		bad("anchor %v is not in %d to %d", c.Anchor, firstYear, lastYear)
	}
	switch c.Sessions {
	case AlwaysOpen:
	case NewYork:
		if y := c.Start.Year(); y >= calendar.LastYear {
			bad("start %v: the calendar of New York ends with %d", c.Start, calendar.LastYear)
		}
	default:
		bad("sessions %d are neither %q nor %q", c.Sessions, AlwaysOpen, NewYork)
	}
	if c.Busy < 0 || c.Busy > MaxBusy {
		bad("busy %d is not 0 to %d", c.Busy, MaxBusy)
	}
	if c.HaltEvery < 0 {
		bad("halt every %d days is below 0", c.HaltEvery)
	}
	return errors.Join(errs...)
}

// Made-up minutes long before the start have an event for every coarse ones
// that a minute has after it, and sizes that make up for it: nobody can have
// heard them one by one, and years of them are to be had in a moment.
const (
	recentMinutes = 10 * 24 * 60
	coarse        = 16
)

// startPrices are of the size that people know, in dollars.
var startPrices = map[market.Symbol]int64{
	"MSFT": 415, "SPY": 560, "QQQ": 480, "IBM": 215, "GOOGL": 165, "AMZN": 185, "TSLA": 250, "NVDA": 120,
	"META": 560, "GOOG": 166, "JPM": 210, "BRK B": 455, "JNJ": 160, "XOM": 116, "KO": 70, "DIS": 95,
	"INTC": 22, "AMD": 150, "BA": 160, "GE": 175, "T": 21, "IWM": 220, "GLD": 245, "BAC": 40, "CSCO": 58, "DIA": 420, "NFLX": 700,
}

// startPrice is a price of the size that people know, or one that the name
// decides, in 1e-4 dollars.
func startPrice(s market.Symbol, hash uint64) int64 {
	if s == "AAPL" {
		return 187_2500
	}
	if p, ok := startPrices[s]; ok {
		return p * 10_000
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

// window is a stretch of whole minutes, [from, to).
type window struct{ from, to int64 }

func (w window) has(minute int64) bool { return minute >= w.from && minute < w.to }

func windowOf(s market.Span) window { return window{minuteOf(s.Open), minuteOf(s.Close)} }

// plan is what a day of New York brings.
type plan struct {
	day      window // midnight to midnight
	extended window // with trades; empty on a closed day
	regular  window
	busiest  window // most active at its ends
	halt     window // without trades; empty on most days
}

// haltMinutes is how long a made-up halt takes, the shortest of an exchange's
// volatility pauses.
const haltMinutes = 5

// plan returns the plan of the day on which a minute falls.
func (m *model) plan(minute int64) plan {
	midnight := m.cal.Clock(minuteTime(minute), 0)
	p := plan{day: window{minuteOf(midnight), minuteOf(midnight.AddDate(0, 0, 1))}}
	if m.cfg.Sessions == NewYork {
		if s, ok := m.cal.Session(midnight); ok {
			p.extended, p.regular = windowOf(s.Extended), windowOf(s.Regular)
			p.busiest = p.regular
		}
	} else {
		p.extended, p.regular = p.day, p.day
		p.busiest = windowOf(market.Span{
			Open: m.cal.Clock(midnight, calendar.RegularOpen), Close: m.cal.Clock(midnight, calendar.RegularClose),
		})
	}
	if every := uint64(m.cfg.HaltEvery); every > 0 && p.busiest != (window{}) {
		h := m.noise.hash(streamHalts, p.day.from)
		if h%every == 0 { // not in the first and last half hour
			room := uint64(p.busiest.to - p.busiest.from - 60)
			from := p.busiest.from + 30 + int64(mix(h)%room)
			p.halt = window{from, from + haltMinutes}
		}
	}
	return p
}

// activity is the number of events of a minute: from 60 to 400, more when the
// market is wild, and along New York's day more at its open and close than at
// noon, fewest at night. Outside a regular session there are at least 4. Long
// before the start there are less; weight is what sizes are multiplied by.
func (m *model) activity(p *plan, minute, vol int64) (n, weight int64) {
	if !p.extended.has(minute) || p.halt.has(minute) {
		return 0, 1
	}
	shape, least := int64(600), int64(60) // thousandths
	switch {
	case p.busiest.has(minute):
		half := (p.busiest.to - p.busiest.from) / 2
		off := minute - p.busiest.from - half
		shape = 800 + 900*off*off/(half*half)
	case !p.regular.has(minute):
		shape, least = 40, 4
	}
	n = max(least, min(240*shape/1000*(500+vol/2)/1000, 400))
	if minute >= m.recent {
		return n * m.busy, 1
	}
	few := max(4, n/coarse)
	return few, max(1, n*m.busy/few)
}

// windows returns the stretches of trading between two minutes, in order.
func (m *model) windows(from, to int64, regularOnly bool) []window {
	clip := func(w window) window { return window{max(w.from, from), min(w.to, to)} }
	if m.cfg.Sessions != NewYork {
		if from >= to {
			return nil
		}
		return []window{{from, to}}
	}
	var list []window
	for _, s := range m.cal.Sessions(m.cal.Clock(minuteTime(from), 0), minuteTime(to)) {
		w := windowOf(s.Extended)
		if regularOnly {
			w = windowOf(s.Regular)
		}
		if w = clip(w); w.from < w.to {
			list = append(list, w)
		}
	}
	return list
}
