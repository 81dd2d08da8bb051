package tape

import (
	"fmt"
	"time"

	"robotrader/broker/market"
)

// The session of a US stock, as New York's clock shows it.
const (
	tradingOpen  = 4 * time.Hour
	liquidOpen   = 9*time.Hour + 30*time.Minute
	liquidClose  = 16 * time.Hour
	tradingClose = 20 * time.Hour
)

// clockAt returns when the clock of zone shows the time of day on the date of
// day: not midnight plus a duration, which is an hour off twice a year.
func clockAt(day time.Time, clock time.Duration, zone *time.Location) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, 0, int(clock/time.Second), 0, zone)
}

// checkSpan refuses history requests that make no sense.
func checkSpan(end time.Time, span, width time.Duration) error {
	switch {
	case end.IsZero():
		return fmt.Errorf("%w: no end", ErrBadSpan)
	case span <= 0:
		return fmt.Errorf("%w: span %v is not above 0", ErrBadSpan, span)
	case width < time.Second || width > 24*time.Hour || width%time.Second != 0:
		return fmt.Errorf("%w: width %v is not whole seconds from 1s to 24h", ErrBadSpan, width)
	}
	return nil
}

// builder makes bars of trades that come ordered by time. Bars are counted
// from midnight of the zone, so a width of 24 h is the calendar day.
type builder struct {
	zone      *time.Location
	from, end int64 // bars start in [from, end), in Unix nanoseconds
	width     int64
	regular   bool // only trades of the liquid hours

	dayStart, dayEnd int64 // of the day of the newest trade
	open, close      int64 // its liquid hours
	have             bool  // bar is begun
	bar              market.Bar
	barEnd           int64
	bars             []market.Bar
}

func newBuilder(zone *time.Location, end time.Time, span, width time.Duration, regular bool) *builder {
	return &builder{
		zone: zone, from: end.Add(-span).UnixNano(), end: end.UnixNano(),
		width: int64(width), regular: regular,
	}
}

// add counts a trade in. Trades outside the request are ignored.
func (b *builder) add(at int64, price market.Price, size market.Qty, suspicious bool) {
	if at < b.from || at >= b.end {
		return
	}
	if at >= b.dayEnd || at < b.dayStart {
		b.turnDay(at)
	}
	if b.regular && (at < b.open || at >= b.close) {
		return
	}
	if !b.have || at >= b.barEnd {
		b.flush()
		start := b.dayStart + (at-b.dayStart)/b.width*b.width
		if start < b.from { // begun before the request: not whole
			return
		}
		b.have, b.bar, b.barEnd = true, market.Bar{Start: time.Unix(0, start).UTC()}, min(start+b.width, b.dayEnd)
	}
	if suspicious {
		b.bar.Volume = b.bar.Volume.Add(size)
		return
	}
	b.bar = b.bar.Merge(price, size)
}

func (b *builder) turnDay(at int64) {
	day := time.Unix(0, at).In(b.zone)
	b.dayStart = clockAt(day, 0, b.zone).UnixNano()
	b.dayEnd = clockAt(day.AddDate(0, 0, 1), 0, b.zone).UnixNano()
	b.open = clockAt(day, liquidOpen, b.zone).UnixNano()
	b.close = clockAt(day, liquidClose, b.zone).UnixNano()
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
