package tape

import (
	"fmt"
	"math"
	"sort"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

func (c *CSV) knows(symbol market.Symbol) error {
	if symbol != c.symbol {
		return fmt.Errorf("%w %.20q, the tape plays %s", ErrNoSymbol, symbol, c.symbol)
	}
	return nil
}

// session is the calendar's of New York's date of at, or an ordinary day where
// the file has one on which the calendar has none.
func (c *CSV) session(at time.Time) calendar.Session {
	if s, ok := c.cal.Session(at); ok {
		return s
	}
	clock := func(t time.Duration) time.Time { return c.cal.Clock(at, t) }
	return calendar.Session{
		Date:     clock(0),
		Regular:  market.Span{Open: clock(calendar.RegularOpen), Close: clock(calendar.RegularClose)},
		Extended: market.Span{Open: clock(calendar.ExtendedOpen), Close: clock(calendar.ExtendedClose)},
	}
}

// Hours implements [Source]: New York's for the days that the file has a line
// of, at most ten, from the last one before around on.
func (c *CSV) Hours(symbol market.Symbol, around time.Time) (Hours, error) {
	if err := c.knows(symbol); err != nil {
		return Hours{}, err
	}
	i := sort.Search(len(c.days), func(i int) bool { return c.days[i].After(around) }) // the day of around is i-1
	from := max(0, min(i-2, len(c.days)-10))
	h := Hours{Zone: c.zone}
	for _, day := range c.days[from:min(from+10, len(c.days))] {
		s := c.session(day)
		h.Trading, h.Liquid = append(h.Trading, s.Extended), append(h.Liquid, s.Regular)
	}
	return h, nil
}

// Sessions implements [Past], for the days that the file has a line of.
func (c *CSV) Sessions(symbol market.Symbol, from, to time.Time) ([]calendar.Session, error) {
	if err := c.knows(symbol); err != nil {
		return nil, err
	}
	var list []calendar.Session
	first := sort.Search(len(c.days), func(i int) bool { return !c.days[i].Before(from) })
	for _, day := range c.days[first:] {
		if !day.Before(to) {
			break
		}
		list = append(list, c.session(day))
	}
	return list, nil
}

// Head implements [Past].
func (c *CSV) Head(symbol market.Symbol) (time.Time, error) {
	if err := c.knows(symbol); err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, c.at(0)).UTC(), nil
}

// History implements [Source]. Before the first event there is none.
func (c *CSV) History(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) ([]market.Bar, error) {
	return c.Bars(spanQuery(symbol, end, span, width, regularOnly))
}

// Bars implements [Past]. The file bounds the answer of trades; bars of quotes
// are at most [MaxBars].
func (c *CSV) Bars(q BarsQuery) ([]market.Bar, error) {
	if err := c.knows(q.Symbol); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.Show != ShowTrades {
		return c.quoteBars(q)
	}
	b := newBuilder(c.zone, q)
	c.events(q.From, q.End, q.RegularOnly, func(ev *Event) bool {
		if ev.Kind == Trade {
			b.add(ev.At.UnixNano(), ev.Price, ev.Size, ev.Suspicious)
		}
		return true
	})
	return b.done(), nil
}

// events calls visit with the events in [from, end), in order, until it
// returns false.
func (c *CSV) events(from, end time.Time, regularOnly bool, visit func(*Event) bool) {
	line := c.lineBefore(from)
	last := c.lastPrice(line)
	var evs []Event
	hours := stretch{from: math.MaxInt64}
	var day stretch
	for ; line < c.lines() && c.at(line) < end.UnixNano(); line++ {
		evs = c.expand(line, last, evs[:0])
		if len(c.trades) > 0 && !c.trades[line].suspicious {
			last = c.trades[line].price
		}
		for i := range evs {
			ev := &evs[i]
			if ev.At.Before(from) || !ev.At.Before(end) {
				continue
			}
			at := ev.At.UnixNano()
			if regularOnly && (at < day.from || at >= day.to) {
				day, hours = c.day(ev.At)
			}
			if regularOnly && (at < hours.from || at >= hours.to) {
				continue
			}
			if !visit(ev) {
				return
			}
		}
	}
}

// day returns New York's date of at and its regular session.
func (c *CSV) day(at time.Time) (day, regular stretch) {
	s := c.session(at)
	midnight := c.cal.Clock(at, 0)
	return stretch{midnight.UnixNano(), midnight.AddDate(0, 0, 1).UnixNano()},
		stretch{s.Regular.Open.UnixNano(), s.Regular.Close.UnixNano()}
}

// lineBefore is the last line that begins before a time, or the first: a bar
// begun before has events after.
func (c *CSV) lineBefore(at time.Time) int {
	from := at.UnixNano()
	return max(0, sort.Search(c.lines(), func(i int) bool { return c.at(i) >= from })-1)
}

// lastPrice is the price of the newest trade before a line, 0 for none. Of a
// file of bars it is 0: their quotes do not need it.
func (c *CSV) lastPrice(line int) market.Price {
	for i := line - 1; i >= 0 && len(c.trades) > 0; i-- {
		if !c.trades[i].suspicious {
			return c.trades[i].price
		}
	}
	return market.Price{}
}

// stood is the quote that stands before a line.
func (c *CSV) stood(line int) Event {
	if len(c.trades) > 0 {
		if last := c.lastPrice(line); !last.IsZero() {
			return c.around(last)
		}
		return c.opening()
	}
	if line == 0 {
		return c.opening()
	}
	evs := c.expand(line-1, market.Price{}, nil)
	quote := Event{Kind: Quote}
	for i := range evs {
		if evs[i].Kind == Quote {
			quote = evs[i]
		}
	}
	return quote
}

// quoteBars makes the bars of a checked question. A quote stands to the end of
// the day's last line.
func (c *CSV) quoteBars(q BarsQuery) ([]market.Bar, error) {
	open := c.open(q)
	most := int64(0)
	for _, s := range open {
		most += (s.to-s.from)/int64(q.Width) + 2
	}
	if most > MaxBars {
		return nil, fmt.Errorf("%w: about %d bars of %v from %v to %v: at most %d: ask for a shorter duration",
			ErrBadSpan, most, q.Width, q.From, q.End, MaxBars)
	}
	b := newQuoteBuilder(c.zone, q, open)
	for _, s := range open {
		from, to := time.Unix(0, s.from).UTC(), time.Unix(0, s.to).UTC()
		line := sort.Search(c.lines(), func(i int) bool { return c.at(i) >= s.from })
		quote := c.stoodAt(line, s.from)
		b.quote(s.from, quote.Bid, quote.Ask)
		c.events(from, to, false, func(ev *Event) bool {
			if ev.Kind == Quote {
				b.quote(ev.At.UnixNano(), ev.Bid, ev.Ask)
			}
			return true
		})
	}
	return b.done(), nil
}

// stoodAt is the quote that stands at a time before a line, of the same day.
func (c *CSV) stoodAt(line int, at int64) Event {
	prev := line - 1
	if prev < 0 {
		return c.opening()
	}
	day, _ := c.day(time.Unix(0, at))
	if c.at(prev) < day.from {
		return Event{Kind: Quote} // a new day: the first line tells
	}
	if len(c.trades) > 0 {
		for ; prev >= 0 && c.at(prev) >= day.from; prev-- {
			if !c.trades[prev].suspicious {
				return c.around(c.trades[prev].price)
			}
		}
		if prev < 0 {
			return c.opening()
		}
		return Event{Kind: Quote}
	}
	quote := c.stood(prev)
	for _, ev := range c.expand(prev, market.Price{}, nil) {
		if ev.Kind == Quote && ev.At.UnixNano() < at {
			quote = ev
		}
	}
	return quote
}

// open returns the stretches of the file's days that a question asks for.
func (c *CSV) open(q BarsQuery) []stretch {
	var list []stretch
	for i, day := range c.days {
		next := day.AddDate(0, 0, 1)
		if !next.After(q.From) || !day.Before(q.End) {
			continue
		}
		first := sort.Search(c.lines(), func(l int) bool { return c.at(l) >= day.UnixNano() })
		last := sort.Search(c.lines(), func(l int) bool { return c.at(l) >= next.UnixNano() }) - 1
		s := stretch{c.at(first), c.end(last)}
		if i == 0 {
			s.from -= int64(time.Second) // the opening quote
		}
		if q.RegularOnly {
			_, regular := c.day(day)
			s = stretch{max(s.from, regular.from), min(s.to, regular.to)}
		}
		s = stretch{max(s.from, q.From.UnixNano()), min(s.to, q.End.UnixNano())}
		if s.from < s.to {
			list = append(list, s)
		}
	}
	return list
}

// end is when a line ends.
func (c *CSV) end(line int) int64 {
	if len(c.trades) > 0 {
		return c.trades[line].at + 1
	}
	return c.bars[line].end
}

// Ticks implements [Past]. The quote before the first line is not among them.
func (c *CSV) Ticks(q TicksQuery) ([]Event, error) {
	if err := c.knows(q.Symbol); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.From.IsZero() {
		return c.newest(q), nil
	}
	var list []Event
	c.events(q.From, q.End, q.RegularOnly, func(ev *Event) bool {
		if ev.Kind == q.Kind {
			list = append(list, *ev)
		}
		return len(list) < q.Limit
	})
	return list, nil
}

// newest returns the newest events before the end. It doubles how far it looks
// back until there are enough.
func (c *CSV) newest(q TicksQuery) []Event {
	last := sort.Search(c.lines(), func(i int) bool { return c.at(i) >= q.End.UnixNano() }) - 1
	if last < 0 {
		return nil
	}
	for back := q.Limit; ; back *= 2 {
		first := max(0, last-back)
		var list []Event
		c.events(time.Unix(0, c.at(first)), q.End, q.RegularOnly, func(ev *Event) bool {
			if ev.Kind != q.Kind {
				return true
			}
			if list = append(list, *ev); len(list) == 2*q.Limit {
				list = append(list[:0], list[q.Limit:]...)
			}
			return true
		})
		if len(list) >= q.Limit {
			return list[len(list)-q.Limit:]
		}
		if first == 0 {
			return list
		}
	}
}
