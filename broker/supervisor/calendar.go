package supervisor

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
)

// entriesWait is from how long before a restart on no new risk is taken.
const entriesWait = 90 * time.Second

// calmWait is the shortest wait between two attempts while the gateway is
// expected to be down or logging in: it resets those who come earlier.
// Section 9.
const calmWait = 2500 * time.Millisecond

// Calendar is what is known in advance of a gateway's life. The zero value
// knows nothing, and then no phase is ever told.
type Calendar struct {
	Restart      broker.Appointment // every day
	RestartLasts time.Duration      // for how long it is then expected to be down
	Login        broker.Appointment // every week: from then on it wants a log-in
	LoginWithin  time.Duration      // for how long a log-in may take before it is an alarm
}

// NewCalendar reads a calendar as the adapter's configuration says it, which
// judges it more strictly.
func NewCalendar(restart string, lasts time.Duration, login string, within time.Duration) (Calendar, error) {
	c := Calendar{RestartLasts: lasts, LoginWithin: within}
	var errs [2]error
	c.Restart, errs[0] = broker.ParseAppointment(restart)
	c.Login, errs[1] = broker.ParseAppointment(login)
	if err := errors.Join(errs[:]...); err != nil {
		return Calendar{}, fmt.Errorf("supervisor: the gateway's calendar: %w", err)
	}
	return c, nil
}

// soon reports whether the gateway's restart is near, or due and not yet done,
// for a session that was opened at opened; until is when that is over even
// without a restart.
func (c Calendar) soon(now, opened time.Time) (until time.Time, ok bool) {
	if c.Restart.Off() {
		return time.Time{}, false
	}
	if next := c.Restart.Next(now); !now.Before(next.Add(-entriesWait)) {
		return next.Add(c.RestartLasts), true
	}
	last := c.Restart.Last(now)
	until = last.Add(c.RestartLasts)
	return until, opened.Before(last) && now.Before(until)
}

// expected returns the phase of a gateway that is down at now, and went down at
// since: what is expected by the calendar explains no loss from before it.
func (c Calendar) expected(now, since time.Time) (phase broker.Phase, until time.Time) {
	within := func(from, to time.Time) bool {
		from = from.Add(-entriesWait)
		return !from.After(since) && !from.After(now) && now.Before(to)
	}
	login := c.Login.Last(now)
	if !c.Login.Off() && within(login, login.Add(c.LoginWithin)) {
		return broker.LoginPhase, login.Add(c.LoginWithin)
	}
	if c.Restart.Off() {
		return broker.NoPhase, time.Time{}
	}
	for _, at := range []time.Time{c.Restart.Last(now), c.Restart.Next(now)} {
		// The first restart from the weekly hour on is the one that asks for it.
		asks := !c.Login.Off() && c.Restart.Next(c.Login.Last(at).Add(-time.Nanosecond)).Equal(at)
		if to := at.Add(max(c.RestartLasts, c.LoginWithin)); asks && within(at, to) {
			return broker.LoginPhase, to
		}
		if to := at.Add(c.RestartLasts); within(at, to) {
			return broker.RestartPhase, to
		}
	}
	return broker.NoPhase, time.Time{}
}

// Expected returns what a gateway goes through by the calendar at now, wall time,
// and until when; [broker.NoPhase] is nothing.
func (c Calendar) Expected(now time.Time) (phase broker.Phase, until time.Time) {
	return c.expected(now, now)
}

// edge returns when the calendar says something else at the latest.
func (c Calendar) edge(now time.Time) time.Time {
	next := now.Add(time.Minute) // a machine may sleep, and its clock be set
	for _, a := range []broker.Appointment{c.Restart, c.Login} {
		if a.Off() {
			continue
		}
		last, coming := a.Last(now), a.Next(now)
		for _, at := range []time.Time{
			last.Add(c.RestartLasts), last.Add(c.LoginWithin), last.Add(max(c.RestartLasts, c.LoginWithin)), coming.Add(-entriesWait), coming,
		} {
			if at.After(now) && at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// outlook is the phase of a gateway that is down, and since when.
type outlook struct {
	phase        broker.Phase
	since, until time.Time
	missed       broker.Phase // was expected to be over by until, and is not
}

// absence is what is known of a gateway that is down.
type absence struct {
	since    time.Time       // when it went down
	failure  broker.Failure  // of the newest attempt
	evidence broker.Evidence // the newest
	seen     bool            // its process was seen in this life of ours
}

// judge returns the outlook at now, from the one before.
func (c Calendar) judge(now time.Time, was outlook, d absence) outlook {
	if c == (Calendar{}) {
		return outlook{}
	}
	phase, until := c.expected(now, d.since)
	e := d.evidence
	shut := e.Readable && !e.Listening && (e.PID != 0 || d.seen)
	if d.failure == broker.NoAccounts || shut && (phase == broker.LoginPhase || was.phase == broker.FactorPhase) {
		if was.phase == broker.FactorPhase {
			return was
		}
		return outlook{phase: broker.FactorPhase, since: now, until: now.Add(c.LoginWithin)}
	}
	switch {
	case phase == was.phase && phase != broker.NoPhase:
		return outlook{phase: phase, since: was.since, until: until}
	case phase != broker.NoPhase:
		return outlook{phase: phase, since: now, until: until}
	case was.missed != broker.NoPhase:
		return was
	case (was.phase == broker.RestartPhase || was.phase == broker.LoginPhase) && !now.Before(was.until):
		return outlook{missed: was.phase, until: was.until}
	}
	return outlook{}
}

// calm reports whether the gateway is down as expected.
func (o outlook) calm() bool {
	return o.phase == broker.RestartPhase || o.phase == broker.LoginPhase || o.phase == broker.FactorPhase
}

// overdue reports whether what was to be over by now is not.
func (o outlook) overdue(now time.Time) bool {
	return o.missed != broker.NoPhase || o.phase == broker.FactorPhase && !now.Before(o.until)
}

const adviceLogin = "log in to the gateway by hand, with the second factor; the port opens then, and a session is opened by itself"

// words returns what a person reads of the outlook: what comes before the
// cause, and an advice instead of the attempt's, "" for none.
func (o outlook) words(now time.Time) (before, advice string) {
	until := o.until.Format("15:04:05")
	switch {
	case o.phase == broker.FactorPhase && o.overdue(now):
		return fmt.Sprintf("a person must log in: the gateway waits for a log-in or its second factor since %s, and should not have after %s",
			o.since.Format("15:04:05"), until), adviceLogin
	case o.phase == broker.FactorPhase:
		return "the gateway waits for a log-in or its second factor, until " + until + " without alarm", adviceLogin
	case o.phase == broker.LoginPhase:
		return "expected: the gateway's weekly log-in is due, until " + until, adviceLogin
	case o.phase == broker.RestartPhase:
		return "expected: the gateway's daily restart, until " + until, "wait: it comes back by itself"
	case o.missed == broker.LoginPhase:
		return "the gateway's weekly log-in was to be done by " + until + " and the gateway is not back", adviceLogin
	case o.missed == broker.RestartPhase:
		return "the gateway's daily restart was to be over by " + until + " and it is not back",
			"look at the gateway: it may show a dialog, or want a log-in"
	}
	return "", ""
}
