package books

import (
	"time"

	"robotrader/broker/market"
)

// Count takes an order that was written into the rates.
func (b *Books) Count(at time.Time, notional market.Money) {
	b.turnDay(at)
	b.notional = b.notional.Add(notional)
	b.minute = append(b.minute, at)
}

// Day is a market day, from midnight to midnight. The zero Day has no time.
type Day struct{ from, to time.Time }

// MarketDay returns the day of a time in the market's zone.
func MarketDay(at time.Time, zone *time.Location) Day {
	y, m, d := at.In(zone).Date()
	return Day{time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)}
}

// Has reports whether a time is in the day.
func (d Day) Has(at time.Time) bool { return !at.Before(d.from) && at.Before(d.to) }

// turnDay begins a new market day when at is in another one.
func (b *Books) turnDay(at time.Time) {
	if at.IsZero() { // no clock yet, so no day
		return
	}
	if !b.day.Has(at) {
		b.day, b.notional = MarketDay(at, b.zone), market.Money{}
	}
}

// ForgetRates drops what was counted: it was of another run of a simulated
// market.
func (b *Books) ForgetRates() { b.minute, b.notional = nil, market.Money{} }

// Rates returns the orders of the minute before now, and the notional of now's
// market day. Times more than a minute after now are of another replay and do
// not count. Nearer ones do: a venue tells whole seconds, so that the clock of a
// new process may be a little behind that of the one before. Without a clock
// nothing is old.
func (b *Books) Rates(now time.Time) ([]time.Time, market.Money) {
	if now.IsZero() {
		return b.minute, b.notional
	}
	b.turnDay(now)
	from, replay := now.Add(-time.Minute), now.Add(time.Minute)
	old := 0
	for old < len(b.minute) && (!b.minute[old].After(from) || b.minute[old].After(replay)) {
		old++
	}
	if b.minute = b.minute[old:]; len(b.minute) == 0 {
		b.minute = nil
	}
	return b.minute, b.notional
}
