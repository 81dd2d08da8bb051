package supervisor

import (
	"fmt"
	"time"

	"robotrader/broker"
)

// maxTries is how many attempts an open breaker makes by itself at a gateway
// about which the kernel tells nothing.
const maxTries = 12

// tryWaits are the waits before these attempts; the last one repeats.
var tryWaits = [...]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour}

// limitAgain is at how many attempts the breaker opens that was open before
// and saw no handshake since: another gateway that hangs is believed sooner.
const limitAgain = 2

// breaker counts the attempts in a row that met a gateway which accepts and
// then hangs, and says when another attempt has a point. It reads no clock and
// no kernel; it is told.
//
// It opens at the limit, and from then on allows an attempt only
//
//   - when the evidence differs from what was there when it opened, or when
//     the port was gone and is back, and that closes it;
//   - where no evidence can be read, 5, 15 and 60 minutes after the newest
//     attempt, then hourly, at most 12 times;
//   - when a person asks, which is not its to decide.
//
// An attempt that fails otherwise, also at a port that refuses, closes it: the
// gateway is not the one that hung. A handshake closes it and brings the limit
// back.
type breaker struct {
	limit  int // configured
	wedged int // in a row
	again  bool
	open   bool
	tries  int
	since  time.Time // when it opened
	hung   time.Time // the newest attempt that did

	before broker.Evidence  // what a change is judged against
	newest *broker.Evidence // since it opened
	gone   bool             // the port was seen closed since
	// blind is since when nothing can be read, or the end of the newest attempt
	// in such times; zero while the evidence is readable.
	blind time.Time
}

// opensAt returns the limit that holds now.
func (b *breaker) opensAt() int {
	if b.again {
		return min(limitAgain, b.limit)
	}
	return b.limit
}

// succeed takes a complete handshake.
func (b *breaker) succeed() { *b = breaker{limit: b.limit} }

// fail takes the end of an attempt at now. One that met a gateway which hangs
// makes the evidence of before worthless: it is to be taken anew.
func (b *breaker) fail(f broker.Failure, now time.Time) {
	if !f.Wedged() {
		*b = breaker{limit: b.limit, again: b.again || b.open}
		return
	}
	b.wedged++
	b.hung = now
	if !b.open && b.wedged >= b.opensAt() {
		b.open, b.since = true, now
	}
	b.newest, b.gone = nil, false
	if !b.blind.IsZero() {
		b.blind = now
	}
}

// try counts an attempt that an open breaker allows by itself.
func (b *breaker) try() {
	if b.open {
		b.tries++
	}
}

// see takes the newest evidence of an open breaker. When the gateway is another
// one, changed is true, why says so, and the breaker is closed.
func (b *breaker) see(e broker.Evidence, now time.Time) (why string, changed bool) {
	first := b.newest == nil
	b.newest = &e
	switch {
	case !e.Readable:
		if first {
			b.before = e
		}
		if b.blind.IsZero() {
			b.blind = now
		}
		return "", false
	case first || !b.before.Readable:
		b.before, b.blind, b.gone = e, time.Time{}, !e.Listening
		return "", false
	}
	b.blind = time.Time{}
	if why, changed = e.Differs(b.before); changed {
		*b = breaker{limit: b.limit, again: true}
		return why, true
	}
	if !e.Listening { // the half of "gone and back": the other half differs from it
		b.before, b.gone = e, true
	}
	return "", false
}

// next returns when the breaker allows the next attempt by itself; the zero
// time when it does not, or is not open.
func (b *breaker) next() time.Time {
	if !b.open || b.blind.IsZero() || b.tries >= maxTries {
		return time.Time{}
	}
	return b.blind.Add(tryWaits[min(b.tries, len(tryWaits)-1)])
}

// link returns what is published.
func (b *breaker) link() broker.Breaker {
	l := broker.Breaker{State: broker.BreakerClosed, Wedged: b.wedged, Limit: b.opensAt(), Tries: b.tries, MaxTries: maxTries, Hung: instant(b.hung)}
	if b.open {
		l.State, l.Since, l.Evidence = broker.BreakerOpen, instant(b.since), b.newest
	}
	return l
}

// adviceWedged says what helps a gateway that hangs, and what makes it worse.
const adviceWedged = "restart IB Gateway or TWS by hand and log in; then %s. " +
	"Do not kill its sockets, and do not restart it or this program in a loop"

// words returns what a person reads while the breaker is open; cause is that of
// the newest attempt.
func (b *breaker) words(cause string) (string, string) {
	times := "attempts in a row"
	if b.wedged == 1 {
		times = "attempt"
	}
	cause = fmt.Sprintf("the gateway hangs: %d %s connected and got no answer (%s)", b.wedged, times, cause)
	then := "`traderctl reconnect`, unless this sees by itself that its socket is another one"
	switch {
	case b.newest == nil:
		cause += "; no attempt is made now"
	case b.newest.Readable && b.gone:
		cause += "; its port is closed now, and an attempt is made when it opens"
		then = "wait: the port is watched"
	case b.newest.Readable:
		cause += "; no attempt is made before its socket or its process is another one" + listener(*b.newest)
	case b.tries >= maxTries:
		cause += fmt.Sprintf("; all %d tries are made, and only a person's reconnect makes another", maxTries)
		then = "`traderctl reconnect`"
	default:
		cause += fmt.Sprintf("; the kernel does not tell what listens there (%s), so %d of %d tries are made, far apart", why(*b.newest), b.tries, maxTries)
		then = "`traderctl reconnect`"
	}
	return cause, fmt.Sprintf(adviceWedged, then)
}

func why(e broker.Evidence) string {
	if e.Why == "" {
		return "nobody asked it"
	}
	return e.Why
}

func listener(e broker.Evidence) string {
	if e.PID == 0 {
		return fmt.Sprintf(" (socket %d)", e.Inode)
	}
	return fmt.Sprintf(" (socket %d of process %d, %s)", e.Inode, e.PID, e.Process)
}
