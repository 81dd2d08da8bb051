package desk

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

const (
	// lookEvery is how often each wanted symbol is looked at.
	lookEvery = time.Second
	// openWithin is how long the first tick may take from a session's opening
	// on. Market time.
	openWithin = time.Minute
	// competingEvery is how often data is asked for again that another session
	// of this user takes. Wall time.
	competingEvery = time.Minute
	// staleLeast is the least wall time without a tick that counts as stale: a
	// simulated market that runs fast must not outrun this machine.
	staleLeast = 5 * time.Second
	// hoursAgain is how long a question for the day's hours that failed waits.
	hoursAgain = 5 * time.Minute
)

// askAgain are the waits between subscriptions that are made for want of
// ticks: the first is made at once, the last wait is the longest.
var askAgain = [...]time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}

// Why a symbol stands as it does.
const (
	causeOutside = "outside its regular session"
	causeHalted  = "trading in it is halted"
	causeOpened  = "its session has opened, the first tick is awaited"
	causeRenewed = "no tick since the resubscription"
)

// line is what is known of one wanted symbol's stream of ticks. The times are
// wall times, zero = never or none.
type line struct {
	last    time.Time // the newest bid, ask or trade came
	outside bool      // its session was not on at the last look
	opened  time.Time // its session was found open after it was not
	halted  bool      // so the stream said since it was asked for
	asked   int       // subscriptions of this process's life
	askedAt time.Time // the newest of them
	tries   int       // of them, those in a row without ticks that lasted
	due     time.Time // when it is asked for again
	// forgotten is set when the venue forgot its subscription (1101), until it is
	// asked for again.
	forgotten bool
	refused   bool   // the venue refused it, or gives it to somebody else
	barred    string // why only a person may decide: its contract is not the one that was traded; "" = it is
	expect    expected
}

// expected is a tick that must come, and what its absence means.
type expected struct {
	by           time.Time // zero = none is expected
	state, cause string
}

// patience is what counts as too long, in wall time.
type patience struct {
	stale time.Duration // without a tick
	first time.Duration // for the first tick of a session
	word  string        // stale, as people configured it
}

func (f *floor) patience(c Config) patience {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := patience{c.StaleAfter, openWithin, c.StaleAfter.String()}
	if f.speed != 1 && f.speed > 0 {
		p.stale = max(staleLeast, time.Duration(float64(p.stale)/f.speed))
		p.first = max(staleLeast, time.Duration(float64(p.first)/f.speed))
	}
	return p
}

// ticked takes in that the stream lives. It is on the way of every tick.
func (l *line) ticked(wall time.Time) {
	l.last = wall
	if l.due.IsZero() && l.expect.by.IsZero() {
		return
	}
	l.due, l.expect, l.refused = time.Time{}, expected{}, false
}

// end forgets what was of a session that is over.
func (l *line) end() {
	l.tries, l.due, l.expect, l.halted, l.refused = 0, time.Time{}, expected{}, false, false
	l.forgotten = false
}

// step is the wait before the next subscription.
func (l *line) step() time.Duration { return askAgain[min(l.tries, len(askAgain)-1)] }

// renewed takes in that it was asked for, and that a tick is expected of it.
func (l *line) renewed(wall time.Time, within time.Duration) {
	l.asked++
	l.tries++
	l.askedAt, l.halted, l.refused = wall, false, false
	l.due = wall.Add(l.step())
	l.expect = expected{wall.Add(within), dataBlocked, causeRenewed}
}

// starve makes it due to be asked for again. A stream that ticked on after the
// newest subscription, beyond what answers one, begins a new row: a stock that
// nobody trades is not asked for at every tick.
func (l *line) starve(wall time.Time, p patience) {
	if l.last.Sub(l.askedAt) > p.stale/2 || wall.Sub(l.askedAt) > askAgain[len(askAgain)-1] {
		l.tries = 0
	}
	l.due, l.expect = l.askedAt.Add(l.step()), expected{}
	if l.due.Before(wall) || l.tries == 0 {
		l.due = wall
	}
}

// next judges how it stands, once a second. Open tells whether its regular
// session is on.
func (l *line) next(is event.DataState, open bool, wall time.Time, p patience) (state, cause string) {
	if l.barred != "" {
		return is.State, is.Cause
	}
	if open && l.outside { // the silence before the opening does not count
		l.opened = wall
	}
	l.outside = !open
	old := wall.Sub(l.last) > p.stale
	overdue := !l.expect.by.IsZero() && !wall.Before(l.expect.by)
	switch is.State {
	case dataLive, dataDelayed:
		switch {
		case !open && old:
			return dataClosed, causeOutside
		case !open:
			return is.State, ""
		case l.halted:
			l.expect = expected{}
			return is.State, causeHalted
		case overdue:
			why := l.expect.cause
			l.tries = 0 // not a stock that nobody trades: something broke
			l.starve(wall, p)
			return dataStale, why
		case old && wall.Sub(l.opened) <= p.stale:
			return l.awaitOpening(l.opened, p)
		case old:
			l.starve(wall, p)
			return dataStale, "no tick for " + p.word + " in its session"
		}
		return is.State, ""
	case dataClosed:
		if !open {
			return is.State, is.Cause
		}
		return l.awaitOpening(wall, p)
	case dataWanted:
		switch {
		case !open:
			return dataClosed, causeOutside
		case overdue && l.halted:
			return is.State, causeHalted
		case overdue:
			was := l.expect
			l.starve(wall, p)
			return was.state, was.cause
		}
	case dataStale, dataBlocked:
		if !open && !l.refused {
			return dataClosed, causeOutside
		}
		if overdue {
			l.expect = expected{}
			return is.State, l.vain(is)
		}
	}
	return is.State, is.Cause
}

// awaitOpening has the first tick of a session expected.
func (l *line) awaitOpening(opened time.Time, p patience) (state, cause string) {
	l.expect = expected{opened.Add(p.first), dataStale, "no tick since its session opened"}
	return dataWanted, causeOpened
}

// vain is the cause when asking again brought nothing.
func (l *line) vain(is event.DataState) string {
	if is.State == dataBlocked {
		return is.Cause
	}
	return fmt.Sprintf("no tick since %s, also after it was asked for again; look at the gateway's own window", l.last.Format(time.TimeOnly))
}

// hopes reports whether the newest subscription did tick, or still may: only
// one that was made in vain means that there is no data.
func (l *line) hopes() bool {
	return l.tries == 0 || !l.expect.by.IsZero() || !l.last.Before(l.askedAt)
}

// look judges every wanted symbol and returns those that changed, and, unless
// the venue cannot be asked now, those that are to be asked for again. They
// count as asked for until that fails or is done.
func (f *floor) look(wall time.Time, p patience, open func(*market.Details, time.Time) bool, quiet bool) (changed []event.DataState, due []market.Symbol) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now(wall)
	for _, s := range f.wanted {
		is, l, in := f.data[s], f.lines[s], open(f.info[s], now)
		state, cause := l.next(is, in, wall, p)
		if state != is.State || cause != is.Cause {
			changed = append(changed, f.mark(s, state, cause))
		}
		starves := state == dataStale || state == dataBlocked && (in || l.refused)
		if quiet || !starves || l.barred != "" || l.due.IsZero() || wall.Before(l.due) {
			continue
		}
		l.due = wall.Add(askAgain[1])
		due = append(due, s)
	}
	return changed, due
}

// starving reports whether no wanted symbol has data, or needs none now, and
// nothing is under way that may change that; why says it in words.
func (f *floor) starving() (why error) {
	list, _ := f.standing()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	for _, st := range list {
		if st.State == dataWanted || st.State == dataLost || st.State == dataStale && f.lines[st.Symbol].hopes() {
			return nil
		}
	}
	_, why = verdict(list)
	return why
}

// starves reports whether a wanted symbol is without data that a subscription
// may bring.
func (f *floor) starves(s market.Symbol) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	st, l := f.data[s].State, f.lines[s]
	return l != nil && l.barred == "" && (st == dataStale || st == dataBlocked)
}

// forget takes in that the venue forgot all subscriptions.
func (f *floor) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.lines {
		l.forgotten = true
	}
}

// recall reports whether a symbol's subscription is forgotten, and counts it as
// asked for.
func (f *floor) recall(s market.Symbol) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lines[s]
	if l == nil || !l.forgotten {
		return false
	}
	l.forgotten = false
	return true
}

// barred tells why a symbol is blocked for good, "" when it is not.
func (f *floor) barred(s market.Symbol) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lines[s]; l != nil {
		return l.barred
	}
	return ""
}

// edit changes what is known of one wanted symbol's stream.
func (f *floor) edit(s market.Symbol, change func(*line)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lines[s]; l != nil {
		change(l)
	}
}

// prove has every symbol that has data, and is in its session, tick again
// within a time: one that does not is stale, and asked for anew. With doubt it
// counts as wanted until it does.
func (f *floor) prove(wall time.Time, within time.Duration, open func(*market.Details, time.Time) bool, cause string, doubt bool) (changed []event.DataState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now(wall)
	for _, s := range f.wanted {
		l, st := f.lines[s], f.data[s].State
		if st != dataLive && st != dataDelayed && st != dataStale || l.halted || !open(f.info[s], now) {
			continue
		}
		by := wall.Add(within)
		l.expect = expected{by, dataStale, "no tick since " + cause}
		if st == dataStale { // a stream that comes back by itself has this long, too
			l.due = by
		}
		if doubt {
			l.tries, l.due = 0, time.Time{}
			changed = append(changed, f.mark(s, dataWanted, "verified since "+cause))
		}
	}
	return changed
}

// freshness tells of the wanted symbols, in their order.
func (f *floor) freshness() []broker.Freshness {
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

// open tells whether a regular session is on: by the hours that were told, and
// where they tell nothing, by the calendar.
func (d *Desk) open(info *market.Details, at time.Time) bool {
	if info != nil {
		if in, known := info.Liquid.Contains(at); known {
			return in
		}
	}
	if h := d.held.Load(); d.opinion.off || h != nil && h.facts.Simulated {
		return true
	}
	s, ok := d.opinion.cal.Session(at)
	return ok && !at.Before(s.Regular.Open) && at.Before(s.Regular.Close)
}

// lookAtData judges the freshness of all wanted symbols, once a second, and has
// asked for again what is due. In lock-step market time waits for us, and says
// nothing. It is called in the turn.
func (d *Desk) lookAtData(wall time.Time) {
	h := d.held.Load()
	if s := d.linkState(); h == nil || d.cfg.Progress || h.facts.Simulated && h.facts.Speed == 0 || s != broker.Ready && s != broker.Degraded {
		return
	}
	changed, due := d.floor.look(wall, d.floor.patience(d.cfg), d.open, d.cutOff())
	for _, c := range changed {
		d.out.data(c)
	}
	d.weigh()
	c := chore{again: due, hours: d.floor.newDay(wall, d.zone), account: d.stream.look(wall, d.cfg.DataDeadline)}
	if !c.empty() {
		h.ask(c)
	}
}

// weigh tells the link whether any wanted symbol has data.
func (d *Desk) weigh() {
	if why := d.floor.starving(); why != nil {
		d.darken(why)
		return
	}
	list, _ := d.floor.standing()
	if _, err := verdict(list); err == nil {
		d.troubled(func(t *trouble) { t.dark = "" })
	}
}

// cutOff reports whether the gateway has no venue to ask, or does not answer.
func (d *Desk) cutOff() bool {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	return d.trouble.down != "" || d.trouble.silent != ""
}

// newDay reports, once for each day in New York, that the hours of the wanted
// symbols are to be asked for again.
func (f *floor) newDay(wall time.Time, zone *time.Location) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	day := f.clock.Now(wall).In(zone).Format(time.DateOnly)
	if f.hoursOf == day || wall.Before(f.hoursDue) {
		return false
	}
	f.hoursOf, f.hoursDue = day, wall.Add(hoursAgain)
	return true
}

// hoursFailed has the day's hours asked for again later.
func (f *floor) hoursFailed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hoursOf = ""
}
