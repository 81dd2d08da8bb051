package diag

import (
	"slices"
	"time"

	"robotrader/broker"
)

// The bounds of [Attempts].
const (
	maxKinds = 64 // gateways and builds that are told apart
	maxRows  = 60 // in rowsTime
	rowsTime = time.Hour
)

// Attempts makes records of a running trader's own handshakes, from the states
// of its link. The first outcome for a gateway and its build is worth a record,
// and every one that differs from the one before, also in the server version; a
// retry that ends as the last one did is not. At most 60 an hour are made, however much a
// link flaps; what is left out is then not counted. The zero value is ready for
// use, by one goroutine.
type Attempts struct {
	last  map[kind]outcome
	order []kind // oldest first
	rows  []time.Time
	was   broker.Link
}

type kind struct{ gateway, build string }

type outcome struct {
	result, failedAt string
	failure          broker.Failure
	version          int
}

// Link takes the link's newest state and returns the record of the handshake
// that it ends, when there is one and it is worth keeping. Now is wall time;
// build tells what is known of a gateway's process, and is asked at the end of
// a handshake only; nil knows nothing. The built-in simulator's
// handshakes are none of a gateway.
func (a *Attempts) Link(l broker.Link, build func(gateway string) string, version string, now time.Time) (p Probe, worth bool) {
	was := a.was
	a.was = l
	if l.Facts.Simulated || !ended(was, l) {
		return Probe{}, false
	}
	p = attempt(l, version, now)
	if build != nil {
		p.GatewayBuild = build(p.Gateway)
	}
	k := kind{p.Gateway, p.GatewayBuild}
	o := outcome{p.Result, p.FailedAt, p.Failure, p.ServerVersion}
	if last, known := a.last[k]; known && last == o {
		return Probe{}, false
	}
	a.rows = slices.DeleteFunc(a.rows, func(t time.Time) bool { return now.Sub(t) >= rowsTime })
	if len(a.rows) >= maxRows {
		return Probe{}, false
	}
	a.rows = append(a.rows, now)
	a.keep(k, o)
	return p, true
}

func (a *Attempts) keep(k kind, o outcome) {
	if a.last == nil {
		a.last = map[kind]outcome{}
	}
	if _, known := a.last[k]; !known {
		if len(a.order) >= maxKinds {
			delete(a.last, a.order[0])
			a.order = slices.Delete(a.order, 0, 1)
		}
		a.order = append(a.order, k)
	}
	a.last[k] = o
}

// ended reports whether the step from was to l ends a handshake: by its last
// rung, or by one that failed.
func ended(was, l broker.Link) bool {
	switch l.State {
	case broker.Ready, broker.Degraded:
		return was.State != broker.Ready && was.State != broker.Degraded && handshaken(l.Rungs)
	case broker.Waiting, broker.NeedsRestart, broker.Refused:
		_, failed := failedRung(l.Rungs)
		return failed && was.State != l.State
	}
	return false
}

// handshake are the rungs that a probe climbs, too.
func handshake() []string { return broker.Rungs()[:5] }

func handshaken(rungs []broker.Rung) bool {
	n := 0
	for _, r := range rungs {
		if r.OK && slices.Contains(handshake(), r.Name) {
			n++
		}
	}
	return n >= len(handshake())
}

// failedRung returns the rung of the handshake that failed.
func failedRung(rungs []broker.Rung) (name string, failed bool) {
	for _, r := range rungs {
		if !r.OK && slices.Contains(handshake(), r.Name) {
			return r.Name, true
		}
	}
	return "", false
}

func attempt(l broker.Link, version string, now time.Time) Probe {
	f := l.Facts
	p := Probe{
		Gateway: f.Gateway, Result: Ready, ServerVersion: f.ServerVersion, ConnectionTime: f.ConnectionTime,
		Accounts: append([]string{}, f.Accounts...), NextValidID: f.NextOrderID, At: now,
		ClientID: f.ClientID, TraderVersion: version, Source: FromTrader,
		Rungs: []broker.Rung{},
	}
	for _, r := range l.Rungs {
		if slices.Contains(handshake(), r.Name) {
			p.Rungs = append(p.Rungs, r)
			p.ElapsedMS = max(p.ElapsedMS, r.AtMS)
		}
	}
	if name, failed := failedRung(l.Rungs); failed {
		p.Result, p.FailedAt, p.Failure, p.Error, p.Advice = Failed, name, l.Failure, l.Cause, l.Advice
	}
	return p
}
