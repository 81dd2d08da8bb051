package tape

import (
	"fmt"
	"slices"
	"sync"
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

// dayBar returns the bar of a day of New York.
func (m *model) dayBar(days *dayCache, day window, regularOnly bool) market.Bar {
	key := dayKey{m.cfg.Symbol, day.from, regularOnly}
	if bar, ok := days.get(key); ok {
		return bar
	}
	var bar market.Bar
	bars := m.tradeBars(BarsQuery{
		From: minuteTime(day.from), End: minuteTime(day.to), Width: 24 * time.Hour, RegularOnly: regularOnly,
	}, nil)
	if len(bars) > 0 {
		bar = bars[0]
	}
	days.put(key, bar)
	return bar
}

// maxDays bounds a [dayCache], to about 3 MB.
const maxDays = 20_000

type dayKey struct {
	symbol  market.Symbol
	day     int64
	regular bool
}

// dayCache remembers bars of days, the newest that were asked for. The zero
// dayCache is empty.
type dayCache struct {
	mu   sync.Mutex // guards the fields below
	bars map[dayKey]market.Bar
	age  []dayKey // a ring, when full
	next int
}

func (c *dayCache) get(key dayKey) (market.Bar, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bar, ok := c.bars[key]
	return bar, ok
}

func (c *dayCache) put(key dayKey, bar market.Bar) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.bars[key]; known {
		return
	}
	if c.bars == nil {
		c.bars = make(map[dayKey]market.Bar)
	}
	if len(c.age) < maxDays {
		c.age = append(c.age, key)
	} else {
		delete(c.bars, c.age[c.next])
		c.age[c.next], c.next = key, (c.next+1)%maxDays
	}
	c.bars[key] = bar
}

// standing returns the newest quote up to the end of a minute, or the one
// given when there is none in the session or in a few minutes.
func (m *model) standing(minute int64, quote tick) tick {
	k, p := newMaker(m), m.plan(minute)
	for range haltMinutes + 1 {
		if !p.extended.has(minute) {
			break
		}
		k.start(minute)
		if k.lastQuote(&quote) {
			break
		}
		if minute--; !p.day.has(minute) {
			p = m.plan(minute)
		}
	}
	return quote
}

// lastQuote goes through the minute that was started, and keeps its last quote.
func (k *maker) lastQuote(quote *tick) (ok bool) {
	var t tick
	for k.next(&t) {
		if t.kind == Quote {
			*quote, ok = t, true
		}
	}
	return ok
}

// quoteBars makes the bars of a checked question.
func (m *model) quoteBars(q BarsQuery) []market.Bar {
	first, last := m.minutes(q.From, q.End)
	from, end := q.From.UnixNano(), q.End.UnixNano()
	windows := m.windows(first, last, q.RegularOnly)
	var open []stretch
	for _, w := range windows {
		open = append(open, stretch{max(from, w.from*int64(time.Minute)), min(end, w.to*int64(time.Minute))})
	}
	c := &quoteChart{quoteBuilder: newQuoteBuilder(m.zone, q, open), k: newMaker(m), closer: newMaker(m), end: end}
	c.aligned = q.Width%time.Minute == 0 && q.Show != ShowBidAsk
	for _, w := range windows {
		c.settle()
		stands := m.standing(w.from-1, tick{})
		bid, ask := m.levels(&stands)
		c.quote(max(from, w.from*int64(time.Minute)), bid, ask)
		for minute := w.from; minute < w.to; minute++ {
			c.minute(minute)
		}
	}
	c.settle()
	return c.done()
}

// levels are the sides of a quote; those of the zero tick are unknown.
func (m *model) levels(t *tick) (bid, ask Level) {
	if t.kind != Quote {
		return Level{}, Level{}
	}
	ev := m.event(t)
	return ev.Bid, ev.Ask
}

// quoteChart makes bars of quotes minute by minute. A minute in the middle of
// a bar that cannot make its high or low is left out, up to its last quote.
type quoteChart struct {
	*quoteBuilder
	k, closer *maker
	aligned   bool
	end       int64
	skipped   int64 // the newest minute left out
	pending   bool
}

func (c *quoteChart) minute(minute int64) {
	c.k.start(minute)
	if c.quiet(minute) {
		c.skipped, c.pending = minute, true
		return
	}
	c.settle()
	var t tick
	for c.k.next(&t) {
		if t.kind != Quote {
			continue
		}
		if t.at >= c.end {
			break
		}
		bid, ask := c.k.levels(&t)
		c.quote(t.at, bid, ask)
	}
}

// quiet reports whether the minute that was started lies in the middle of the
// bar and can change neither its high nor its low.
func (c *quoteChart) quiet(minute int64) bool {
	at := minute * int64(time.Minute)
	if !c.aligned || !c.have || c.bar.Trades == 0 || at >= c.barEnd || at < c.first || at+int64(time.Minute) > c.end ||
		c.k.n == 0 || c.k.specials > 0 {
		return false
	}
	low, high := c.k.reach()
	return !low.Less(c.bar.Low) && !c.bar.High.Less(high)
}

// settle tells the last quote of the minutes that were left out.
func (c *quoteChart) settle() {
	if !c.pending {
		return
	}
	c.pending = false
	var t tick
	c.closer.start(c.skipped)
	if c.closer.lastQuote(&t) {
		bid, ask := c.k.levels(&t)
		c.quote(t.at, bid, ask)
	}
}

// Ticks implements [Past].
func (m *model) Ticks(q TicksQuery) ([]Event, error) {
	if err := m.knows(q.Symbol); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.From.IsZero() {
		return m.newest(q), nil
	}
	first, last := m.minutes(q.From, q.End)
	k := newMaker(m)
	k.silent = q.Kind == Trade
	var list []Event
	for _, w := range m.windows(first, last, q.RegularOnly) {
		for minute := w.from; minute < w.to; minute++ {
			k.start(minute)
			list = k.collect(list, q, q.Limit)
			if len(list) == q.Limit {
				return list, nil
			}
		}
	}
	return list, nil
}

// collect appends what a question asks for of the minute that was started, up
// to a limit; a limit of 0 keeps the newest q.Limit.
func (k *maker) collect(list []Event, q TicksQuery, limit int) []Event {
	from, end := int64(-1<<63), q.End.UnixNano()
	if !q.From.IsZero() {
		from = q.From.UnixNano()
	}
	var t tick
	for k.next(&t) {
		if t.at >= end {
			break
		}
		if t.kind != q.Kind || t.at < from {
			continue
		}
		list = append(list, k.event(&t))
		switch {
		case limit > 0 && len(list) == limit:
			return list
		case limit == 0 && len(list) >= 2*q.Limit:
			list = append(list[:0], list[len(list)-q.Limit:]...)
		}
	}
	return list
}

// maxBack is how far back the newest ticks are looked for: over the longest
// stretch of closed days, and more.
const maxBack = 14 * 24 * time.Hour

// newest returns the newest events before the end.
func (m *model) newest(q TicksQuery) []Event {
	first, last := m.minutes(q.End.Add(-maxBack), q.End)
	k := newMaker(m)
	k.silent = q.Kind == Trade
	var list []Event
	for _, w := range slices.Backward(m.windows(first, last, q.RegularOnly)) {
		for minute := w.to - 1; minute >= w.from; minute-- {
			k.start(minute)
			found := k.collect(nil, q, 0)
			list = append(found, list...)
			if len(list) >= q.Limit {
				return list[len(list)-q.Limit:]
			}
		}
	}
	return list
}
