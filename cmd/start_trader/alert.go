package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"go.uber.org/fx"

	"robotrader/configs"
	"robotrader/runner"
	"robotrader/services/alert"
	"robotrader/services/alert/post"
	"robotrader/services/alert/pulse"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/services/host"
	"robotrader/services/secret"
	"robotrader/services/telemetry"
)

// alertStopWithin bounds the end of all that tells of troubles, with one more
// attempt to deliver what waits.
const alertStopWithin = 2 * time.Second

// alertWatchWithin is the watch's share of it.
const alertWatchWithin = 500 * time.Millisecond

// places reads the secrets of the alerts' configuration: where to tell.
func places(cfg configs.Config) (alert.Places, error) {
	return cfg.Alert.Read(os.Getenv("CREDENTIALS_DIRECTORY"))
}

// guarded returns a writer to w that shows none of the configuration's secrets,
// whatever part of the program, or library in it, writes them.
func guarded(cfg configs.Config, w io.Writer) io.Writer {
	p, _ := places(cfg) // what is wrong with them is told by check
	if len(p.Secrets) == 0 {
		return w
	}
	var r secret.Redactor
	r.Add(p.Secrets...)
	return r.Writer(w)
}

// alertConnection is the alerts' place on the bus, nil where nobody is told of
// anything.
func alertConnection(p alert.Places, s *bus.Server) (*bus.Conn, error) {
	if len(p.Targets) == 0 && p.Heartbeat == "" {
		return nil, nil
	}
	return s.Connect("alert")
}

type alertIn struct {
	fx.In
	Config   configs.Config
	Places   alert.Places
	Registry *health.Registry
	Machine  *host.Machine
	Metrics  *telemetry.Metrics
	Conn     *bus.Conn `name:"alert"`
	Log      *slog.Logger
	Life     fx.Lifecycle
}

// alerts runs what tells a person of troubles. Where nobody is to be told,
// nothing of it runs.
func alerts(in alertIn) {
	for _, w := range in.Places.Warnings {
		in.Log.Warn("alert_configuration", "text", w)
	}
	if len(in.Places.Targets) > 0 {
		hub := in.hub()
		in.Metrics.Alerts(hub.State)
		causes := alert.NewCauses(in.Config.Alert, hub)
		watch := alert.NewWatch(in.Config.Alert, hub, in.watched())
		var source *alert.Source
		in.Life.Append(fx.StartStopHook(
			func(ctx context.Context) (err error) {
				hub.Start()
				watch.Start()
				if source, err = causes.Connect(in.Conn); err != nil { // a hook that failed is not stopped
					return errors.Join(err, watch.Stop(ctx), hub.Stop(ctx))
				}
				return nil
			},
			func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, alertStopWithin)
				defer cancel()
				return errors.Join(source.Close(ctx), stopWatch(ctx, watch), hub.Stop(ctx))
			},
		))
	}
}

// stopWatch leaves the hub's last words their time when a disk that hangs holds
// the watch.
func stopWatch(ctx context.Context, w *alert.Watch) error {
	ctx, cancel := context.WithTimeout(ctx, alertWatchWithin)
	defer cancel()
	return w.Stop(ctx)
}

func (in alertIn) hub() *alert.Hub {
	return alert.New(in.Config.Alert, alert.Parts{
		Targets: in.Places.Targets, Log: in.Log, Name: traderName(in.Config),
		Tell: func(s event.AlertState) {
			if err := bus.Publish(in.Conn, event.Alert, s); err != nil {
				in.Log.Warn("alerts_not_published", "error", err)
			}
		},
	})
}

// traderName says in a title which trader speaks.
func traderName(cfg configs.Config) string {
	name := cfg.Alert.Name
	if name == "" {
		name = "robotrader"
		if machine, err := os.Hostname(); err == nil {
			name = machine
		}
	}
	if cfg.Broker.Name == "sim" {
		name += ", SIMULATED"
	}
	return name
}

// watched is what is looked at. Of a simulated market's machine the clock does
// not matter.
func (in alertIn) watched() alert.WatchParts {
	p := alert.WatchParts{
		Registry: in.Registry,
		Free: func(ctx context.Context) (uint64, error) {
			u, err := disk.UsageWithContext(ctx, in.Config.Data.Dir)
			if err != nil {
				return 0, err
			}
			return u.Free, nil
		},
	}
	if in.Config.Broker.Name == "ibkr" {
		p.Clock = func() (right, known bool) {
			c, err := in.Machine.Clock()
			if err != nil || c.Synchronized == nil {
				return false, false
			}
			return *c.Synchronized, true
		}
	}
	return p
}

// heartbeat runs what tells somebody outside that the loops turn: the desk's
// and the link's, asked over the bus, the runner's, and that the alarm is off.
func heartbeat(in alertIn, r *runner.Runner) {
	if in.Places.Heartbeat == "" {
		return
	}
	p := pulse.New(
		pulse.Config{URL: in.Places.Heartbeat, Every: in.Config.Alert.HeartbeatEvery, Fail: in.Config.Alert.HeartbeatFail},
		post.NewClient(), in.Log,
		pulse.Probe{Name: "link", Ask: answers(in.Conn, event.LinkState, nil)},
		pulse.Probe{Name: "desk", Ask: answers(in.Conn, event.DeskState, func(d event.Desk) bool { return d.Orders != nil })},
		pulse.Probe{Name: "runner", Ask: r.Turning},
		pulse.Probe{Name: "health", Ask: func(context.Context) error {
			for _, c := range in.Registry.Alive().Components {
				if !c.OK {
					return fmt.Errorf("%s: %s", c.Name, c.Detail)
				}
			}
			return nil
		}},
	)
	in.Metrics.Heartbeat(p.Beats)
	in.Life.Append(fx.StartStopHook(p.Start, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, alertStopWithin)
		defer cancel()
		return p.Stop(ctx)
	}))
}

// answers makes a probe of a question on the bus. Good judges the answer; nil
// is content with any.
func answers[A any](conn *bus.Conn, q event.Query[event.Empty, A], good func(A) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		a, err := bus.Ask(ctx, conn, q, event.Empty{})
		if err == nil && good != nil && !good(a) {
			err = errors.New("it could not look at its own state in time")
		}
		return err
	}
}
