package main

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/services/journal"
	"robotrader/services/telemetry"
)

// timelineWithin bounds the wait for a place in the journal's queue: the link
// is not to wait for a disk.
const timelineWithin = 100 * time.Millisecond

// linkTeller takes every change of the link to those who must know: the desk
// first, because it decides about orders, then health, metrics, the bus and the
// journal's timeline. The supervisor calls it for one change at a time.
type linkTeller struct {
	fx.In
	Desk    *desk.Desk
	Health  *health.Registry
	Metrics *telemetry.Metrics
	Journal *journal.Journal
	// Attempts keeps the handshakes for traderctl matrix.
	Attempts *attemptKeeper
	Conn     *bus.Conn `name:"link"`
	Log      *slog.Logger
}

// publisher returns the function that the supervisor calls.
func (t linkTeller) publisher() func(broker.Link) {
	var past linkPast
	return func(l broker.Link) {
		t.Desk.LinkChanged(l)
		t.Health.Link(l)
		t.Metrics.Link(l)
		t.Attempts.Link(l)
		if err := bus.Publish(t.Conn, event.Link, l); err != nil {
			t.Log.Warn("link_not_published", "error", err)
		}
		t.notice(past.notice(l, time.Now()))
		ctx, cancel := context.WithTimeout(context.Background(), timelineWithin)
		defer cancel()
		if err := t.Journal.RecordLink(ctx, l); err != nil {
			t.Log.Warn("link_not_recorded", "error", err)
		}
	}
}

// notice puts a line on the list of events; nil is none.
func (t linkTeller) notice(n *event.NoticeText) {
	if n == nil {
		return
	}
	if err := bus.Publish(t.Conn, event.Notice, *n); err != nil {
		t.Log.Warn("link_not_published", "error", err)
	}
}

// linkPast is what was told of the link last.
type linkPast struct {
	told    bool
	state   broker.LinkState
	phase   broker.Phase
	overdue bool
	wait    waiting // told since a session was ready, or the link held back
}

// waiting is what a wait is about: an attempt that ends like the one before is
// no news. A gateway that is down for a night would fill the list of events.
type waiting struct {
	failure broker.Failure
	phase   broker.Phase
	told    bool
}

// notice returns the line for a change of the state or the phase, nil for none.
// The steps of a climb that goes well are on the ladder, and are left out. What
// is expected by the calendar is no warning; a log-in that nobody does is an
// error, once.
func (p *linkPast) notice(l broker.Link, now time.Time) *event.NoticeText {
	was := *p
	*p = linkPast{true, l.State, l.Phase, l.Overdue(now), was.wait}
	same := was.told && was.state == l.State
	n := &event.NoticeText{Level: "warning", Source: "link", Name: "link_" + l.State.String(), Text: l.State.String()}
	switch {
	case p.overdue && !was.overdue:
		n.Level, n.Name = "error", "link_login_overdue"
	case same && (was.phase == l.Phase || l.Phase == broker.NoPhase):
		return nil
	case l.State == broker.Connecting || l.State == broker.Handshaking || l.State == broker.Recovering:
		return nil
	case l.State == broker.Ready || l.State == broker.Stopped:
		n.Level = "info"
	case l.State == broker.Refused || l.State == broker.NeedsRestart:
		n.Level = "error"
	case l.Phase == broker.BeforePhase || l.Phase == broker.RestartPhase:
		n.Level = "info"
	}
	if same && n.Name != "link_login_overdue" {
		n.Name = "link_" + string(l.Phase)
	}
	p.wait = waiting{l.Failure, l.Phase, l.State == broker.Waiting}
	if p.wait.told && p.wait == was.wait && n.Name == "link_waiting" {
		return nil
	}
	if l.State != broker.Ready && l.Cause != "" {
		n.Text += ": " + l.Cause
	}
	return n
}
