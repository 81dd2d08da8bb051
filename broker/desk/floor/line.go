package floor

import (
	"fmt"
	"time"

	"robotrader/services/event"
)

const (
	// openWithin is how long the first tick may take from a session's opening
	// on. Market time.
	openWithin = time.Minute
	// competingEvery is how often data is asked for again that another session
	// of this user takes. Wall time.
	competingEvery = time.Minute
	// staleLeast is the least wall time without a tick that counts as stale: a
	// simulated market that runs fast must not outrun this machine.
	staleLeast = 5 * time.Second
	// HoursAgain is how long a question for the day's hours that failed waits.
	HoursAgain = 5 * time.Minute
)

// Why a symbol stands as it does.
const (
	CauseOutside = "outside its regular session"
	CauseHalted  = "trading in it is halted"
	CauseOpened  = "its session has opened, the first tick is awaited"
	CauseRenewed = "no tick since the resubscription"
)

// askAgain are the waits between subscriptions that are made for want of
// ticks: the first is made at once, the last wait is the longest.
var askAgain = [...]time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}

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
	l.expect = expected{wall.Add(within), Blocked, CauseRenewed}
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
	case Live, Delayed:
		switch {
		case !open && old:
			return Closed, CauseOutside
		case !open:
			return is.State, ""
		case l.halted:
			l.expect = expected{}
			return is.State, CauseHalted
		case overdue:
			why := l.expect.cause
			l.tries = 0 // not a stock that nobody trades: something broke
			l.starve(wall, p)
			return Stale, why
		case old && wall.Sub(l.opened) <= p.stale:
			return l.awaitOpening(l.opened, p)
		case old:
			l.starve(wall, p)
			return Stale, "no tick for " + p.word + " in its session"
		}
		return is.State, ""
	case Closed:
		if !open {
			return is.State, is.Cause
		}
		return l.awaitOpening(wall, p)
	case Wanted:
		switch {
		case !open:
			return Closed, CauseOutside
		case overdue && l.halted:
			return is.State, CauseHalted
		case overdue:
			was := l.expect
			l.starve(wall, p)
			return was.state, was.cause
		}
	case Stale, Blocked:
		if !open && !l.refused {
			return Closed, CauseOutside
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
	l.expect = expected{opened.Add(p.first), Stale, "no tick since its session opened"}
	return Wanted, CauseOpened
}

// vain is the cause when asking again brought nothing.
func (l *line) vain(is event.DataState) string {
	if is.State == Blocked {
		return is.Cause
	}
	return fmt.Sprintf("no tick since %s, also after it was asked for again; look at the gateway's own window", l.last.Format(time.TimeOnly))
}

// hopes reports whether the newest subscription did tick, or still may: only
// one that was made in vain means that there is no data.
func (l *line) hopes() bool {
	return l.tries == 0 || !l.expect.by.IsZero() || !l.last.Before(l.askedAt)
}
