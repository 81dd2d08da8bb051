package runner

import (
	"time"

	"robotrader/broker/market"
)

// cutter cuts one symbol's trades into bars by market time.
type cutter struct {
	width   time.Duration
	forming market.Bar
	open    bool      // forming holds a trade
	through time.Time // the end of the newest closed bar: nothing before it is wanted any more
	late    int       // trades that came after their bar was closed
}

// trade takes in one trade, after advance to its time. One whose bar is closed
// already is counted and left out.
func (c *cutter) trade(at time.Time, price market.Price, size market.Qty) {
	start := at.UTC().Truncate(c.width)
	if start.Before(c.through) || c.open && start.Before(c.forming.Start) {
		c.late++
		return
	}
	if !c.open {
		c.forming, c.open = market.Bar{Start: start}, true
	}
	c.forming = c.forming.Merge(price, size)
}

// advance closes the forming bar when market time has reached its end.
func (c *cutter) advance(now time.Time) (closed market.Bar, ok bool) {
	if !c.open {
		return market.Bar{}, false
	}
	end := c.forming.Start.Add(c.width)
	if now.Before(end) {
		return market.Bar{}, false
	}
	c.open, c.through = false, end
	return c.forming, true
}

// past takes in bars that somebody else cut, and returns those that are new:
// after the newest closed one and ended at now. A forming bar that is among
// them, or older, is theirs: it lacks the trades of the outage.
func (c *cutter) past(bars []market.Bar, now time.Time) []market.Bar {
	var fresh []market.Bar
	for _, b := range bars {
		end := b.Start.Add(c.width)
		if b.Start.Before(c.through) || end.After(now) && !now.IsZero() {
			continue
		}
		c.through = end
		fresh = append(fresh, b)
	}
	if c.open && c.forming.Start.Before(c.through) {
		c.open = false
	}
	return fresh
}
