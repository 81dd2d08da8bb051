package tape

import (
	"time"

	"robotrader/broker/market"
)

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
