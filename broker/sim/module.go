package sim

import (
	"context"
	"log/slog"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/services/bus"
)

// Module provides the "sim" adapter, adds it to the group from which cmd
// selects, and ends its gateway, which a first Open starts, with the program.
var Module = fx.Module("broker.sim",
	fx.Provide(
		provide,
		fx.Annotate(func(a *Adapter) broker.Adapter { return a }, fx.ResultTags(`group:"broker.adapters"`)),
	),
)

type params struct {
	fx.In
	Config Config
	Conn   *bus.Conn `name:"sim"`
	Log    *slog.Logger
	Life   fx.Lifecycle
}

func provide(p params) *Adapter {
	p.Config.Log = p.Log
	a := New(p.Config)
	told := NewAnnouncer(a, p.Conn, p.Log)
	p.Life.Append(fx.Hook{
		OnStart: func(context.Context) error { told.Start(); return nil },
		OnStop: func(ctx context.Context) error {
			err := told.Stop(ctx)
			if stopErr := a.Stop(ctx); stopErr != nil {
				return stopErr
			}
			return err
		},
	})
	return a
}
