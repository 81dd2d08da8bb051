package tape

import (
	"sync"
	"time"

	"robotrader/broker/market"
)

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
