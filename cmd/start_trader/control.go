package main

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"robotrader/broker/supervisor"
	"robotrader/services/journal"
	"robotrader/websocket/server"
)

// control is what a person may make the trader do over HTTP.
type control struct {
	fx.In
	Supervisor *supervisor.Supervisor
	Journal    *journal.Journal
}

var _ server.Control = control{}

// Reconnect returns when the timeline in the journal tells, on the disk, that
// somebody asked; the attempt itself may take minutes.
func (c control) Reconnect(ctx context.Context, by string) error {
	l := c.Supervisor.Link()
	l.Cause, l.Advice = "asked to reconnect by "+by, "wait"
	if err := c.Journal.RecordLink(ctx, l); err != nil {
		return err
	}
	if err := c.Journal.Sync(ctx); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	c.Supervisor.Reconnect()
	return nil
}
