package floor

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// patience turns what is stale in market time into wall time. The mutex is held.
func (f *Floor) patience(stale time.Duration) patience {
	p := patience{stale, openWithin, stale.String()}
	if f.speed != 1 && f.speed > 0 {
		p.stale = max(staleLeast, time.Duration(float64(p.stale)/f.speed))
		p.first = max(staleLeast, time.Duration(float64(p.first)/f.speed))
	}
	return p
}

// Look judges every wanted symbol, of which one without a tick for stale market
// time is stale, and returns those that changed, and, unless
// the venue cannot be asked now, those that are to be asked for again. They
// count as asked for until that fails or is done.
func (f *Floor) Look(wall time.Time, stale time.Duration, open func(*market.Details, time.Time) bool, quiet bool) (changed []event.DataState, due []market.Symbol) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, p := f.clock.Now(wall), f.patience(stale)
	for _, s := range f.wanted {
		is, l, in := f.data[s], f.lines[s], open(f.info[s], now)
		state, cause := l.next(is, in, wall, p)
		if state != is.State || cause != is.Cause {
			changed = append(changed, f.mark(s, state, cause, wall))
		}
		starves := state == Stale || state == Blocked && (in || l.refused)
		if quiet || !starves || l.barred != "" || l.due.IsZero() || wall.Before(l.due) {
			continue
		}
		l.due = wall.Add(askAgain[1])
		due = append(due, s)
	}
	return changed, due
}

// Starves reports whether a wanted symbol is without data that a subscription
// may bring.
func (f *Floor) Starves(s market.Symbol) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	st, l := f.data[s].State, f.lines[s]
	return l != nil && l.barred == "" && (st == Stale || st == Blocked)
}

// Forget takes in that the venue forgot all subscriptions.
func (f *Floor) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.lines {
		l.forgotten = true
	}
}

// Recall reports whether a symbol's subscription is forgotten, and counts it as
// asked for.
func (f *Floor) Recall(s market.Symbol) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lines[s]
	if l == nil || !l.forgotten {
		return false
	}
	l.forgotten = false
	return true
}

// Barred tells why a symbol is blocked for good, "" when it is not.
func (f *Floor) Barred(s market.Symbol) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lines[s]; l != nil {
		return l.barred
	}
	return ""
}

// Begun takes in that a symbol is asked for, and not for want of ticks.
func (f *Floor) Begun(s market.Symbol) { f.edit(s, func(l *line) { l.tries = 0 }) }

// Ordered takes in that a symbol is asked for now, and that a tick of it is
// expected within a time.
func (f *Floor) Ordered(s market.Symbol, wall time.Time, within time.Duration) {
	f.edit(s, func(l *line) { l.renewed(wall, within) })
}

// Bar blocks a symbol for good.
func (f *Floor) Bar(s market.Symbol, why string) { f.edit(s, func(l *line) { l.barred = why }) }

// Refused takes in that the venue refused a symbol, which is asked for again
// later.
func (f *Floor) Refused(s market.Symbol, wall time.Time) {
	f.edit(s, func(l *line) {
		l.refused, l.expect = true, expected{}
		l.due = wall.Add(max(time.Minute, askAgain[min(l.tries+1, len(askAgain)-1)]))
	})
}

// Competed takes in that another session has a symbol's data, which is asked
// for again later.
func (f *Floor) Competed(s market.Symbol, wall time.Time) {
	f.edit(s, func(l *line) { l.due = wall.Add(competingEvery) })
}

// Lost takes in that the venue holds no subscription to a symbol.
func (f *Floor) Lost(s market.Symbol) { f.edit(s, func(l *line) { l.forgotten = true }) }

// End forgets what was known of a symbol's stream in a session that is over.
func (f *Floor) End(s market.Symbol) { f.edit(s, (*line).end) }

// edit changes what is known of one wanted symbol's stream.
func (f *Floor) edit(s market.Symbol, change func(*line)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lines[s]; l != nil {
		change(l)
	}
}

// Prove has every symbol that has data, and is in its session, tick again
// within a time: one that does not is stale, and asked for anew. With doubt it
// counts as wanted until it does.
func (f *Floor) Prove(wall time.Time, within time.Duration, open func(*market.Details, time.Time) bool, cause string, doubt bool) (changed []event.DataState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now(wall)
	for _, s := range f.wanted {
		l, st := f.lines[s], f.data[s].State
		if st != Live && st != Delayed && st != Stale || l.halted || !open(f.info[s], now) {
			continue
		}
		by := wall.Add(within)
		l.expect = expected{by, Stale, "no tick since " + cause}
		if st == Stale { // a stream that comes back by itself has this long, too
			l.due = by
		}
		if doubt {
			l.tries, l.due = 0, time.Time{}
			changed = append(changed, f.mark(s, Wanted, "verified since "+cause, wall))
		}
	}
	return changed
}

// Freshness tells of the wanted symbols, in their order.
func (f *Floor) Freshness() []broker.Freshness {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]broker.Freshness, 0, len(f.wanted))
	for _, s := range f.wanted {
		d, l := f.data[s], f.lines[s]
		fresh := broker.Freshness{Symbol: s, State: d.State, Cause: d.Cause, Since: d.Since, Asked: l.asked}
		if !l.last.IsZero() {
			last := l.last
			fresh.Last = &last
		}
		list = append(list, fresh)
	}
	return list
}

// NewDay reports, once for each day in New York, that the hours of the wanted
// symbols are to be asked for again.
func (f *Floor) NewDay(wall time.Time, zone *time.Location) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	day := f.clock.Now(wall).In(zone).Format(time.DateOnly)
	if f.hoursOf == day || wall.Before(f.hoursDue) {
		return false
	}
	f.hoursOf, f.hoursDue = day, wall.Add(HoursAgain)
	return true
}

// HoursFailed has the day's hours asked for again later.
func (f *Floor) HoursFailed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hoursOf = ""
}
