package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/broker/ibkr"
	"robotrader/broker/sim"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/runner"
	"robotrader/runner/risk"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/everytick"
	"robotrader/runner/strategy/smacross"
	"robotrader/runner/strategy/tickcount"
	"robotrader/services/bus/bridge"
	"robotrader/services/telemetry"
	"robotrader/websocket/feed"
	"robotrader/websocket/hub"
	"robotrader/websocket/server"
)

// kinds lists the strategies. A new one is a new directory and one line here.
func kinds() []strategy.Kind {
	return []strategy.Kind{
		smacross.Kind(),
		everytick.Kind(),
		tickcount.Kind(),
	}
}

// adapters lists the brokers. A new one is a new directory and one line here.
var adapters = fx.Options(
	ibkr.Module,
	sim.Module,
)

// application composes the program: the broker connection, the strategy runner
// and the dashboard feed over the bus. The runner waits at the supervisor's
// gate until the broker's handshake, and recovery behind it, are complete.
func application(cfg configs.Config, res resources, log *slog.Logger) fx.Option {
	return fx.Options(
		fx.WithLogger(func() fxevent.Logger {
			l := &fxevent.SlogLogger{Logger: log}
			l.UseLogLevel(slog.LevelDebug)
			return l
		}),
		fx.Supply(log, cfg, res.bus, res.journal, res.debug, res.places),
		sections(cfg, res, log),
		adapters,
		desk.Module,
		supervisor.Module,
		risk.Module,
		runner.Module,
		telemetry.Module,
		hub.Module,
		feed.Module,
		server.Module,
		bindings,
		// Constructing these constructs all; what is constructed first starts
		// first and stops last: the feed sees the link's first state; the
		// runner stops before the link, and in between the desk winds down.
		fx.Invoke(
			alarm,                   // first, and without the link: it tells of a link that never comes
			alerts,                  // before what it tells of begins
			func(*bridge.Bridge) {}, // ends after the desk; outside starts it
			func(*feed.Feed, *server.Server, *supervisor.Supervisor) {},
			vitals,
			measure,
			storage,
			windDown,
			res.recording,
			func(*runner.Runner) {},
			outside,
			heartbeat, // of what turns
			manager,   // last, so that it tells of a program that serves
		),
	)
}

// sections gives each part its section of the configuration, with what only
// this process knows.
func sections(cfg configs.Config, res resources, log *slog.Logger) fx.Option {
	run := cfg.Runner
	run.RunID = runID(time.Now())
	link, simulated := cfg.Broker.IBKR, cfg.Sim
	link.Tap, simulated.Tap = res.tap(), res.tap()
	link.Log, simulated.Log = log, log
	if res.folder != nil {
		simulated.StateDir = res.folder.dir
	}
	d := cfg.Desk
	d.Progress = lockstep(cfg)
	if cfg.Broker.Name == "sim" {
		d.Ephemeral = cfg.Sim.Account
	}
	var secret token
	var records attemptFolder
	if res.folder != nil {
		secret, records = res.folder.token, attemptFolder(res.folder.dir)
	}
	f := feed.DefaultConfig()
	f.Version = version()
	waits, err := linkConfig(cfg)
	if err != nil {
		return fx.Error(err)
	}
	return fx.Supply(
		link, simulated, d, waits, cfg.Risk, run, f, hub.DefaultConfig(), cfg.Websocket,
		secret, records,
		broker.OpenConfig{Account: cfg.Broker.Account, Allowed: cfg.Broker.Accounts, Live: cfg.Broker.Live},
		fx.Annotate(kinds(), fx.ResultTags(`name:"strategies"`)),
	)
}

// linkConfig adds the gateway's calendar, which the simulated one does not have.
func linkConfig(cfg configs.Config) (supervisor.Config, error) {
	c := cfg.Supervisor
	if cfg.Broker.Name != "ibkr" {
		return c, nil
	}
	g := cfg.Broker.IBKR
	var err error
	c.Calendar, err = supervisor.NewCalendar(g.RestartAt, g.RestartLasts, g.LoginAt, g.LoginWithin)
	return c, err
}

func lockstep(cfg configs.Config) bool { return cfg.Broker.Name == "sim" && cfg.Sim.Speed == 0 }

// runID tells apart the runs over one data folder: order ids hold it.
func runID(now time.Time) string { return strconv.FormatInt(now.UnixMilli(), 36) }

// ends are the parts that know when the program has a reason to end.
type ends struct {
	fx.In
	Supervisor *supervisor.Supervisor
	Runner     *runner.Runner
	Server     *server.Server
	Sim        *sim.Adapter
}

// replayed is closed when a replay is over and handled. A market without an
// end never is.
func (e ends) replayed(cfg configs.Config) <-chan struct{} {
	switch {
	case cfg.Broker.Name != "sim" || len(cfg.Sim.Data) == 0:
		return nil
	case lockstep(cfg):
		return e.Runner.Ended()
	}
	return e.Sim.Ended()
}

// selected returns the adapter that the configuration names.
func selected(cfg configs.Config, all []broker.Adapter) (broker.Adapter, error) {
	for _, a := range all {
		if a.Name() == cfg.Broker.Name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("broker.name: no adapter is called %q", cfg.Broker.Name)
}
