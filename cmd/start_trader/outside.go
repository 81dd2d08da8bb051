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
	Runner   *runner.Runner // a strategy outside is asked for nothing before those inside
	Log      *slog.Logger
	Life     fx.Lifecycle
}

// outside lets programs outside take part in the bus, where the configuration
// says so. A bus that is away is trouble, as nobody else can tell that their
// strategies stand still; the trader's own go on.
func outside(in outsideIn) error {
	if !in.Config.Bus.Outside() {
		return nil
	}
	conn, err := in.Server.Connect("bus")
	if err != nil {
		return err
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
		return err
	}
	in.Life.Append(fx.StartStopHook(b.Start, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, outsideStopWithin)
		defer cancel()
		return b.Stop(ctx)
	}))
	return nil
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
