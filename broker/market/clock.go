package market

import "time"

// Clock is market time: what the market's clock shows, told apart from the
// wall clock of this machine. It is a value; the wall time is an argument.
//
// Against a real gateway it is the gateway's time plus the wall time gone by
// since it was asked; a tick may only advance it, and by no more than [MaxLead]
// beyond that. With a speed of 0 (lock-step replay) the wall clock does not move
// it at all. The zero Clock has no time yet, and shows the zero time.
type Clock struct {
	base  time.Time // market time at wall
	wall  time.Time
	speed float64
	told  time.Time // by the gateway when the wall clock showed heard; zero = nothing bounds a tick
	heard time.Time
}

// MaxLead is how far a tick may be ahead of a real gateway's own time: gateways
// tell whole seconds, exchanges have clocks of their own, and this machine's runs
// a little off in a day. A day's limits hang on market time, so that one tick of
// tomorrow would forget them. Our own choice.
const MaxLead = 5 * time.Second

// NewClock returns the clock that showed market when the wall clock showed
// wall, and runs at speed (1 is real time, 0 stands still).
func NewClock(market, wall time.Time, speed float64) Clock {
	return Clock{base: market, wall: wall, speed: speed}
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
		c.base, c.wall = at, wall
	}
	return c
}

// Tell returns the clock after a real gateway told its time: it bounds what ticks
// may tell from then on.
func (c Clock) Tell(at, wall time.Time) Clock {
	c = c.Advance(at, wall)
	c.told, c.heard = at, wall
	return c
}

// Believes reports whether a tick may be of that time.
func (c Clock) Believes(at, wall time.Time) bool {
	if c.told.IsZero() {
		return true
	}
	// At a higher speed, what passes between machines in no time is more of it.
	gone := float64(max(0, wall.Sub(c.heard))) * c.speed
	return !at.After(c.told.Add(time.Duration(gone + float64(MaxLead)*max(1, c.speed))))
}
