package desk

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/services/bus"
)

// stopWithin bounds the desk's end inside the program's: the journal's last
// commit is in it.
const stopWithin = 3 * time.Second

// Module provides the desk and runs it with the program.
var Module = fx.Module("broker.desk", fx.Provide(provide))

type params struct {
	fx.In
	Config  Config
	Gate    Gate
	Journal Journal
	Conn    *bus.Conn `name:"desk"`
	Log     *slog.Logger
	Life    fx.Lifecycle
}

func provide(p params) *Desk {
	d := New(p.Config, p.Gate, p.Journal, p.Conn, p.Log)
	p.Life.Append(fx.Hook{
		OnStart: d.Start,
		OnStop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, stopWithin)
			defer cancel()
			return d.Stop(ctx)
		},
	})
	return d
}
