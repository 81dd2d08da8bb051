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
	var was *broker.LinkState
	return func(l broker.Link) {
		t.Desk.LinkChanged(l)
		t.Health.Link(l)
		t.Metrics.Link(l)
		t.Attempts.Link(l)
		if err := bus.Publish(t.Conn, event.Link, l); err != nil {
			t.Log.Warn("link_not_published", "error", err)
		}
		if was == nil || *was != l.State {
			was = &l.State
			t.notice(l)
		}
		ctx, cancel := context.WithTimeout(context.Background(), timelineWithin)
		defer cancel()
		if err := t.Journal.RecordLink(ctx, l); err != nil {
			t.Log.Warn("link_not_recorded", "error", err)
		}
	}
}

// notice puts a change of the state on the list of events. The steps of a
// climb that goes well are on the ladder, and are left out.
func (t linkTeller) notice(l broker.Link) {
	n := event.NoticeText{Level: "info", Source: "link", Name: "link_" + l.State.String(), Text: l.State.String()}
	switch l.State {
	case broker.Connecting, broker.Handshaking, broker.Recovering:
		return
	case broker.Ready, broker.Stopped:
	case broker.Refused, broker.NeedsRestart:
		n.Level = "error"
	default:
		n.Level = "warning"
	}
	if l.State != broker.Ready && l.Cause != "" {
		n.Text += ": " + l.Cause
	}
	if err := bus.Publish(t.Conn, event.Notice, n); err != nil {
		t.Log.Warn("link_not_published", "error", err)
	}
}
