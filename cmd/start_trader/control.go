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
// somebody asked; the attempt itself may take minutes. The supervisor publishes
// the request, which records it, before it returns.
func (c control) Reconnect(ctx context.Context, by string) error {
	if err := c.Supervisor.Reconnect(ctx, by); err != nil {
		return err
	}
	if err := c.Journal.Sync(ctx); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	return nil
}
