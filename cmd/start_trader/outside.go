package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/configs"
	"robotrader/runner"
	"robotrader/services/bus"
	"robotrader/services/bus/bridge"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/services/telemetry"
)

// outsideStopWithin bounds the end of the bridge, its last words included.
const outsideStopWithin = 2 * time.Second

type outsideIn struct {
	fx.In
	Config   configs.Config
	Server   *bus.Server
	Registry *health.Registry
	Metrics  *telemetry.Metrics
	Log      *slog.Logger
	Life     fx.Lifecycle
}

// newOutside makes what lets programs outside take part in the bus, nil where the
// configuration does not say so. A bus that is away is trouble, as nobody else
// can tell that their strategies stand still; the trader's own go on.
//
// It is made before the desk, so that it ends after it: programs outside hear
// what becomes of their orders until the desk has said its last.
func newOutside(in outsideIn) (*bridge.Bridge, error) {
	if !in.Config.Bus.Outside() {
		return nil, nil
	}
	conn, err := in.Server.Connect("bus")
	if err != nil {
		return nil, err
	}
	var b *bridge.Bridge
	measured := in.Metrics.Outside(func() telemetry.BusOutside { return telemetry.BusOutside(b.Stats()) }) // asked after the start
	p := bridge.Parts{Conn: conn, Reserved: ownNames(), Log: in.Log, Tell: func(s event.BusState) {
		in.Registry.Report("bus", busTrouble(s))
		measured(s)
	}}
	if lockstep(in.Config) {
		p.Closed = "the market's time is in lock-step with the strategies of this process (sim.speed 0) and does not wait for others; use a speed above 0"
	}
	if b, err = bridge.New(in.Config.Bus, p); err != nil {
		return nil, err
	}
	in.Life.Append(fx.StopHook(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, outsideStopWithin)
		defer cancel()
		return b.Stop(ctx)
	}))
	return b, nil
}

// outside opens the bus to programs outside when the strategies inside run, and
// takes no order requests any more before these end.
func outside(b *bridge.Bridge, _ *runner.Runner, life fx.Lifecycle) {
	if b != nil {
		life.Append(fx.StartStopHook(b.Start, b.Refuse))
	}
}

// ownNames are those of the strategies of this program.
func ownNames() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.Name)
	}
	return names
}

// busTrouble puts the bridge's state into words for people, "" for none.
func busTrouble(s event.BusState) string {
	if s.State == event.BusUp || s.State == event.BusStopped {
		return ""
	}
	return fmt.Sprintf("bus %s since %s: %s", s.State, s.Since.UTC().Format(time.RFC3339), s.Cause)
}
