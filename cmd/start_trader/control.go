package main

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/broker/order"
	"robotrader/broker/supervisor"
	"robotrader/services/event"
	"robotrader/services/journal"
	"robotrader/websocket/server"
)

// control is what a person may make the trader do over HTTP.
type control struct {
	fx.In
	Supervisor *supervisor.Supervisor
	Journal    *journal.Journal
	Desk       *desk.Desk
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

// Halt, ReduceOnly, Resume and Flatten return when the desk's latch is on the
// disk; what follows of it goes on by itself.

func (c control) Halt(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.Desk.Halt(ctx, by, reason)
}

func (c control) ReduceOnly(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return notNow(c.Desk.SetMode(ctx, broker.ReduceOnly, because("reduce only, by "+by, reason)))
}

func (c control) Resume(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return notNow(c.Desk.Resume(ctx, by, reason))
}

func (c control) Flatten(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.Desk.Flatten(ctx, by, reason)
}

// Settle returns when the end of an order is on the disk.
func (c control) Settle(ctx context.Context, by string, s event.Settling) (order.Order, error) {
	o, err := c.Desk.Settle(ctx, by, s)
	if errors.Is(err, desk.ErrNotSettled) {
		err = fmt.Errorf("%w: %w", server.ErrNotNow, err)
	}
	return o, err
}

func because(who, reason string) string {
	if reason == "" {
		return who
	}
	return who + ": " + reason
}

// notNow gives a mode that a flatten keeps the server's word for it.
func notNow(m event.ModeChange, err error) (event.ModeChange, error) {
	if errors.Is(err, desk.ErrFlattening) {
		err = fmt.Errorf("%w: %w", server.ErrNotNow, err)
	}
	return m, err
}
