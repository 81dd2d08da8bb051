package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/services/health"
	"robotrader/services/notify"
)

const (
	// deskWithin is how long the desk's loop may go without turning: whoever
	// has its turn is bounded by a request's deadline, of 5 s by default.
	deskWithin = 30 * time.Second
	// managerStopWithin bounds the end of the notifier's goroutine.
	managerStopWithin = time.Second
)

type managerIn struct {
	fx.In
	Config     configs.Config
	Desk       *desk.Desk
	Supervisor *supervisor.Supervisor
	Registry   *health.Registry
	Log        *slog.Logger
	Life       fx.Lifecycle
}

// manager tells the service manager how the program stands. Served is what it is
// started for, so a gateway that is down is no failure of it.
func manager(in managerIn) {
	d := in.Config.Desk
	steps := d.ClockDeadline + d.AccountDeadline + d.RecoveredDeadline + d.DataDeadline
	n := notify.New(notify.Parts{
		Status: func() string { return statusLine(in.Registry.Ready()) },
		Loops: []notify.Loop{
			{Name: "supervisor", Turns: in.Supervisor.Turns, Within: in.Config.Supervisor.Busy(steps)},
			{Name: "desk", Turns: in.Desk.Turns, Within: max(deskWithin, 3*d.OrderDeadline)},
		},
		Log: in.Log,
	})
	in.Life.Append(fx.StartStopHook(n.Start, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, managerStopWithin)
		defer cancel()
		return n.Stop(ctx)
	}))
}

// statusLine is the readiness ladder in a line, as systemctl status shows it.
func statusLine(r health.Ready) string {
	var b strings.Builder
	b.WriteString(r.State)
	rungs := broker.Rungs()
	if at := slices.Index(rungs, r.Rung) + 1; at > 0 && r.State != broker.Ready.String() {
		fmt.Fprintf(&b, " at rung %d of %d (%s)", at, len(rungs), r.Rung)
	}
	if !r.Since.IsZero() {
		fmt.Fprintf(&b, " since %s", r.Since.UTC().Format(time.RFC3339))
	}
	if r.State != broker.Ready.String() && r.Cause != "" {
		fmt.Fprintf(&b, ": %s; %s", r.Cause, r.Advice)
	}
	for _, c := range r.Trouble {
		fmt.Fprintf(&b, "; %s: %s", c.Name, c.Detail)
	}
	return b.String()
}
