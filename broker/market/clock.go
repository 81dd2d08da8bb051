package market

import "time"

// Clock is market time: what the market's clock shows, told apart from the
// wall clock of this machine. It is a value; the wall time is an argument.
//
// Against a real gateway it is the gateway's time plus the wall time gone by
// since it was asked; a tick may only advance it. With a speed of 0 (lock-step
// replay) the wall clock does not move it at all. The zero Clock has no time
// yet, and shows the zero time.
type Clock struct {
	base  time.Time // market time at wall
	wall  time.Time
	speed float64
}

// NewClock returns the clock that showed market when the wall clock showed
// wall, and runs at speed (1 is real time, 0 stands still).
func NewClock(market, wall time.Time, speed float64) Clock {
	return Clock{market, wall, speed}
}

// Now returns the market time when the wall clock shows wall.
func (c Clock) Now(wall time.Time) time.Time {
	if c.base.IsZero() || c.speed == 0 {
		return c.base
	}
	gone := wall.Sub(c.wall)
	if gone < 0 {
		gone = 0
	}
	return c.base.Add(time.Duration(float64(gone) * c.speed))
}

// Advance returns the clock moved forward to at, or itself when it shows a
// later time already: market time never goes back.
func (c Clock) Advance(at, wall time.Time) Clock {
	if at.After(c.Now(wall)) {
		return Clock{at, wall, c.speed}
	}
	return c
}
