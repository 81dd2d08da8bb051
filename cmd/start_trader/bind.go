package main

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/broker/ibkr"
	"robotrader/broker/sim"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/runner"
	"robotrader/runner/risk"
	"robotrader/runner/strategy"
	"robotrader/services/bus"
	"robotrader/services/health"
	"robotrader/services/host"
	"robotrader/services/journal"
	"robotrader/services/telemetry"
	"robotrader/websocket/feed"
	"robotrader/websocket/hub"
	"robotrader/websocket/server"
	"robotrader/websocket/web"
)

// bindings is the wiring diagram: which part serves which interface of
// another. Families meet here and on the bus, and nowhere else.
var bindings = fx.Provide(
	func(g *risk.Gate) desk.Gate { return g },
	func(j *journal.Journal) desk.Journal { return j },
	func(s *supervisor.Supervisor) runner.Ready { return s },
	func(h *hub.Hub) feed.Broadcaster { return h },
	health.New,
	host.New,
	paceOf,
	newAttemptKeeper,
	newOutside,
	linkParts,
	runnerParts,
	serverParts,
	fx.Annotate(selected, fx.ParamTags("", `group:"broker.adapters"`)),
	connection("desk"), connection("link"), connection("runner"), connection("feed"), connection("sim"), connection("health"), connection("metrics"),
	fx.Annotate(alertConnection, fx.ResultTags(`name:"alert"`)),
)

// connection provides one publisher's place on the bus, by its name. The bus
// closes it.
func connection(name string) any {
	return fx.Annotate(
		func(s *bus.Server) (*bus.Conn, error) { return s.Connect(name) },
		fx.ResultTags(`name:"`+name+`"`),
	)
}

// paceOf returns who moves market time in a lock-step replay, nil otherwise.
func paceOf(cfg configs.Config, s *sim.Adapter) runner.Pace {
	if lockstep(cfg) {
		return s.Pacer()
	}
	return nil
}

type linkIn struct {
	fx.In
	Adapter broker.Adapter
	Open    broker.OpenConfig
	Config  configs.Config
	Desk    *desk.Desk
	Teller  linkTeller
	Debug   *debugLog
	Machine *host.Machine
	Log     *slog.Logger
}

// linkParts joins supervisor and desk: the desk serves the session and gives
// the rungs after the handshake; every change of the link goes to the teller.
// Of the simulated gateway, which is a part of this process, the kernel has
// nothing to tell.
func linkParts(in linkIn) supervisor.Parts {
	p := supervisor.Parts{
		Adapter: in.Adapter,
		Open:    in.Open,
		Steps:   in.Desk.Steps(in.Config.Runner.Symbols),
		Serve:   in.Desk.Serve,
		Publish: in.Teller.publisher(),
		Record:  in.Debug.record,
		Log:     in.Log,
	}
	if in.Config.Broker.Name == "ibkr" {
		p.Evidence = in.Machine.Listener
		p.Facts = known(in.Config.Broker.IBKR)
		p.Past = past(in.Teller.Journal, in.Log)
	}
	return p
}

// known is what the configuration tells of the gateway.
func known(c ibkr.Config) broker.Facts {
	gateway, err := ibkr.Address(c.Gateway)
	if err != nil {
		return broker.Facts{} // validated: cannot be, and the first attempt says it
	}
	return broker.Facts{Gateway: gateway, ClientID: c.ClientID, Speed: c.Speed, ForceDisconnect: c.ForceDisconnect}
}

// past returns what the run before said of the link last. A journal that cannot
// tell holds nothing back.
func past(j *journal.Journal, log *slog.Logger) *broker.Link {
	ctx, cancel := context.WithTimeout(context.Background(), pastWithin)
	defer cancel()
	l, err := j.LastLink(ctx)
	if err != nil {
		log.Warn("link_past_not_read", "error", err, "instead", "the count of attempts that hung starts at 0")
	}
	return l
}

// pastWithin bounds the reading of one row.
const pastWithin = time.Second

// windDownWithin bounds what the desk does about working orders at the end.
const windDownWithin = 2 * time.Second

// windDown tells the desk whom to tell about trouble with the link, and lets it
// wind down between the runner's end and the link's.
func windDown(d *desk.Desk, s *supervisor.Supervisor, life fx.Lifecycle, log *slog.Logger) {
	d.SetLink(s)
	life.Append(fx.StopHook(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, windDownWithin)
		defer cancel()
		if err := d.WindDown(ctx); err != nil {
			log.Warn("orders_left_working", "error", err)
		}
	}))
}

type runnerIn struct {
	fx.In
	Ready runner.Ready
	Pace  runner.Pace
	Kinds []strategy.Kind `name:"strategies"`
	Conn  *bus.Conn       `name:"runner"`
	Log   *slog.Logger
}

func runnerParts(in runnerIn) runner.Parts {
	over := runner.OverBus(in.Conn)
	return runner.Parts{Ready: in.Ready, Pace: in.Pace, In: over, Out: over, Kinds: in.Kinds, Log: in.Log}
}

type serverIn struct {
	fx.In
	Feed    *feed.Feed
	Hub     *hub.Hub
	Health  *health.Registry
	Metrics *telemetry.Metrics
	Control control
	Token   token
	Log     *slog.Logger
}

func serverParts(in serverIn) server.Parts {
	pages, built := web.Pages()
	if !built {
		in.Log.Warn("dashboard_not_built", "mend", "run scripts/web.sh and build again")
	}
	return server.Parts{
		Feed: in.Feed, Hub: in.Hub, Health: in.Health, Metrics: in.Metrics.Handler(), Pages: pages,
		Control: in.Control, Token: string(in.Token),
	}
}
