package calendar

import (
	"time"

	"robotrader/broker/market"
)

// roundTheClock is how long hours without a gap must be to mean a market that
// never closes.
const roundTheClock = 7 * 24 * time.Hour

// Agree returns what is open by both the hours that a venue told for its
// regular session and this calendar. How far the hours reach stays as told: a
// stretch that the calendar closes becomes an empty one where it would have
// ended, so that "closed" is not taken for "unknown". Hours that were not told
// stay unknown.
//
// Hours without a gap over seven days or more are left alone, and so is a
// single span of that length: New York closes every night, so a contract that
// does not trades elsewhere, such as on a simulated market that is always
// open. Spans outside of the years that the calendar knows are left alone, too.
func (c Calendar) Agree(told market.Hours) market.Hours {
	if len(told) == 0 || gapless(told) {
		return told
	}
	var both market.Hours
	for _, span := range told {
		both = append(both, c.agree(span)...)
		if n := len(both); n == 0 || both[n-1].Close.Before(span.Close) {
			both = append(both, market.Span{Open: span.Close, Close: span.Close})
		}
	}
	return both
}

// agree returns the parts of a span that are open here.
func (c Calendar) agree(span market.Span) (both market.Hours) {
	if span.Open.In(c.zone).Year() < FirstYear || span.Close.In(c.zone).Year() > LastYear ||
		span.Close.Sub(span.Open) >= roundTheClock {
		return market.Hours{span}
	}
	last := c.Clock(span.Close, 0)
	for day := c.Clock(span.Open, 0); !day.After(last); day = day.AddDate(0, 0, 1) {
		s, ok := c.Session(day)
		if !ok {
			continue
		}
		part := span
		if part.Open.Before(s.Regular.Open) {
			part.Open = s.Regular.Open
		}
		if s.Regular.Close.Before(part.Close) {
			part.Close = s.Regular.Close
		}
		if part.Open.Before(part.Close) {
			both = append(both, part)
		}
	}
	return both
}

// gapless reports whether hours never close for [roundTheClock] or longer.
func gapless(h market.Hours) bool {
	for i := 1; i < len(h); i++ {
		if h[i-1].Close.Before(h[i].Open) {
			return false
		}
	}
	return h[len(h)-1].Close.Sub(h[0].Open) >= roundTheClock
}
