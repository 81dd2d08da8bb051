package tape

import (
	"time"

	"robotrader/broker/market"
)

// clockAt returns when the clock of zone shows the time of day on the date of
// day: not midnight plus a duration, which is an hour off twice a year.
func clockAt(day time.Time, clock time.Duration, zone *time.Location) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, 0, int(clock/time.Second), 0, zone)
}

// grid tells where bars begin: counted from midnight of the zone, so a width
// of 24 h is the calendar day; a [Week] begins on Monday and a [Month] on its
// first. A bar that would pass midnight ends there.
type grid struct {
	zone     *time.Location
	width    time.Duration
	from, to int64 // the day, week or month looked at last, in Unix nanoseconds
}

// bar returns the bar in which a time lies.
func (g *grid) bar(at int64) (start, end int64) {
	if at < g.from || at >= g.to {
		g.turn(at)
	}
	if g.width == Week || g.width == Month {
		return g.from, g.to
	}
	start = g.from + (at-g.from)/int64(g.width)*int64(g.width)
	return start, min(start+int64(g.width), g.to)
}

func (g *grid) turn(at int64) {
	day := time.Unix(0, at).In(g.zone)
	months, days := 0, 1
	switch g.width {
	case Week:
		day, days = day.AddDate(0, 0, -(int(day.Weekday())+6)%7), 7
	case Month:
		day, months, days = day.AddDate(0, 0, 1-day.Day()), 1, 0
	}
	g.from = clockAt(day, 0, g.zone).UnixNano()
	g.to = clockAt(time.Date(day.Year(), day.Month()+time.Month(months), day.Day()+days, 0, 0, 0, 0, time.UTC), 0, g.zone).UnixNano()
}

// builder makes bars of trades that come ordered by time.
type builder struct {
	grid
	first, end int64 // bars start in [first, end), in Unix nanoseconds
	have       bool  // bar is begun
	bar        market.Bar
	barEnd     int64
	bars       []market.Bar
}

func newBuilder(zone *time.Location, q BarsQuery) *builder {
	return &builder{grid: grid{zone: zone, width: q.Width}, first: q.From.UnixNano(), end: q.End.UnixNano()}
}

// add counts a trade in. Trades outside the request are ignored.
func (b *builder) add(at int64, price market.Price, size market.Qty, suspicious bool) {
	if !b.open(at) {
		return
	}
	if suspicious {
		b.bar.Volume = b.bar.Volume.Add(size)
		return
	}
	b.bar = b.bar.Merge(price, size)
}

// open begins the bar in which a time lies, and reports whether there is one
// that the request wants.
func (b *builder) open(at int64) bool {
	if at < b.first || at >= b.end {
		return false
	}
	if b.have && at < b.barEnd {
		return true
	}
	b.flush()
	start, end := b.grid.bar(at)
	if start < b.first { // begun before the request: not whole
		return false
	}
	b.have, b.bar, b.barEnd = true, market.Bar{Start: time.Unix(0, start).UTC()}, end
	return true
}

// addBar counts in a bar that lies in one of ours.
func (b *builder) addBar(in market.Bar) {
	if in.Trades == 0 || !b.open(in.Start.UnixNano()) {
		return
	}
	start, trades, volume := b.bar.Start, b.bar.Trades, b.bar.Volume
	if trades == 0 {
		b.bar = in
		b.bar.Start, b.bar.Volume = start, in.Volume.Add(volume)
		return
	}
	b.bar.High = higher(b.bar.High, in.High)
	b.bar.Low = lower(b.bar.Low, in.Low)
	b.bar.Close, b.bar.Trades, b.bar.Volume = in.Close, trades+in.Trades, volume.Add(in.Volume)
}

// flush ends the bar. One that holds suspicious trades alone has no price and
// is no bar.
func (b *builder) flush() {
	if b.have && b.bar.Trades > 0 {
		b.bars = append(b.bars, b.bar)
	}
	b.have = false
}

// done returns the bars.
func (b *builder) done() []market.Bar {
	b.flush()
	return b.bars
}

func higher(a, b market.Price) market.Price {
	if a.Less(b) {
		return b
	}
	return a
}

func lower(a, b market.Price) market.Price {
	if b.Less(a) {
		return b
	}
	return a
}
