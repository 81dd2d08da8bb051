package tape

import (
	"fmt"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

func (m *model) knows(symbol market.Symbol) error {
	if symbol != m.cfg.Symbol {
		return fmt.Errorf("%w %.20q, the tape plays %s", ErrNoSymbol, symbol, m.cfg.Symbol)
	}
	return nil
}

// head is the first minute of the market: there is none before 1980.
func (m *model) head() int64 {
	first := m.cal.Clock(time.Date(firstYear, 1, 1, 12, 0, 0, 0, time.UTC), 0)
	if m.cfg.Sessions == NewYork {
		first = m.cal.Sessions(first, first.AddDate(0, 0, 7))[0].Extended.Open
	}
	return minuteOf(first)
}

// Head implements [Past].
func (m *model) Head(symbol market.Symbol) (time.Time, error) {
	if err := m.knows(symbol); err != nil {
		return time.Time{}, err
	}
	return minuteTime(m.head()), nil
}

// maxSessions bounds the list of a market that is always open: thirty years.
const maxSessions = 30 * 366

// Sessions implements [Past]. The session of a market that is always open is
// the day.
func (m *model) Sessions(symbol market.Symbol, from, to time.Time) ([]calendar.Session, error) {
	if err := m.knows(symbol); err != nil {
		return nil, err
	}
	if m.cfg.Sessions == NewYork {
		return m.cal.Sessions(from, to), nil
	}
	day := m.cal.Clock(from, 0)
	if day.Before(from) {
		day = day.AddDate(0, 0, 1)
	}
	if first := minuteTime(m.head()).In(m.zone); day.Before(first) {
		day = first
	}
	var list []calendar.Session
	for ; day.Before(to) && len(list) < maxSessions; day = day.AddDate(0, 0, 1) {
		whole := market.Span{Open: day, Close: day.AddDate(0, 0, 1)}
		list = append(list, calendar.Session{Date: day, Regular: whole, Extended: whole})
	}
	return list, nil
}

// Bars implements [Past].
func (m *model) Bars(q BarsQuery) ([]market.Bar, error) {
	if err := m.knows(q.Symbol); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	if span := q.End.Sub(q.From); span > MaxSpan || span/q.Width > MaxBars {
		return nil, fmt.Errorf("%w: span %v in bars of %v: a made-up market tells at most %v and %d bars",
			ErrBadSpan, span, q.Width, MaxSpan, MaxBars)
	}
	if y := q.End.Year(); y < firstYear {
		return nil, fmt.Errorf("%w: end %v is before %d", ErrBadSpan, q.End, firstYear)
	}
	if q.Show == ShowTrades {
		return m.tradeBars(q, m.days), nil
	}
	return m.quoteBars(q), nil
}

// minutes are those that a question touches, from the first minute of the
// market on.
func (m *model) minutes(from, end time.Time) (first, last int64) {
	last = minuteOf(end)
	if minuteTime(last).Before(end) {
		last++
	}
	return max(m.head(), minuteOf(from)), last
}

// chart makes bars of trades minute by minute. Minutes in the middle of a bar
// that cannot make its high or low are only counted; the one that may hold the
// close is looked at when the bar ends.
type chart struct {
	*builder
	k, closer *maker
	aligned   bool  // bars begin with minutes
	counted   int64 // the newest minute that was only counted, and had trades
	pending   bool
}

// tradeBars makes the bars of a checked question. Whole days of long bars are
// kept in days, when there is a cache.
func (m *model) tradeBars(q BarsQuery, days *dayCache) []market.Bar {
	c := &chart{
		builder: newBuilder(m.zone, q), k: newMaker(m), closer: newMaker(m), aligned: q.Width%time.Minute == 0,
	}
	c.k.silent, c.closer.silent = true, true
	first, last := m.minutes(q.From, q.End)
	for _, w := range m.windows(first, last, q.RegularOnly) {
		for minute := w.from; minute < w.to; minute++ {
			if days != nil && q.Width >= 24*time.Hour {
				if p := m.plan(minute); c.holds(p.day) {
					c.settle()
					c.addBar(m.dayBar(days, p.day, q.RegularOnly))
					minute = p.day.to - 1
					continue
				}
			}
			c.minute(minute)
		}
	}
	c.settle()
	return c.done()
}

// holds reports whether all of a window is asked for.
func (c *chart) holds(w window) bool {
	return w.from*int64(time.Minute) >= c.first && w.to*int64(time.Minute) <= c.end
}

// minute counts a minute's trades in.
func (c *chart) minute(minute int64) {
	if c.pending && minute*int64(time.Minute) >= c.barEnd {
		c.settle()
	}
	k := c.k
	k.start(minute)
	if c.quiet(minute) {
		shares, trades := k.tally()
		if trades > 0 {
			c.counted, c.pending = minute, true
		}
		c.bar.Volume = c.bar.Volume.Add(market.Shares(shares))
		c.bar.Trades += trades
		return
	}
	var t tick
	for k.next(&t) {
		if t.kind == Trade {
			c.pending = false
			c.add(t.at, cent.Times(t.price), market.Shares(t.shares), false)
		}
	}
}

// quiet reports whether the minute that was started lies in the middle of the
// bar and can change neither its high nor its low.
func (c *chart) quiet(minute int64) bool {
	w := window{minute, minute + 1}
	if !c.aligned || !c.have || c.bar.Trades == 0 || minute*int64(time.Minute) >= c.barEnd || !c.holds(w) ||
		c.k.specials > 0 || w.to == c.k.plan.regular.to {
		return false
	}
	low, high := c.k.reach()
	return !low.Less(c.bar.Low) && !c.bar.High.Less(high)
}

// reach bounds the prices of the minute: no bid is below low, no ask above
// high.
func (k *maker) reach() (low, high market.Price) {
	const widest = 3 // cents
	a, b := k.leg.reach()
	low = cent.Times(bidOf(scale(k.base, a-k.origin), widest))
	high = cent.Times(bidOf(scale(k.base, b-k.origin), 1) + widest)
	return low, high
}

// settle finds the close of a bar whose last trades were only counted.
func (c *chart) settle() {
	if !c.pending {
		return
	}
	c.pending = false
	c.closer.start(c.counted)
	var t tick
	for c.closer.next(&t) {
		if t.kind == Trade {
			c.bar.Close = cent.Times(t.price)
		}
	}
}
