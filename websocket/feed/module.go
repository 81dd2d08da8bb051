package feed

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/services/bus"
)

// stopWithin bounds the feed's end inside the program's.
const stopWithin = 2 * time.Second

// Module provides the feed and its connection to the bus, and runs them with
// the program.
var Module = fx.Module("websocket.feed", fx.Provide(provide))

type params struct {
	fx.In
	Config Config
	Out    Broadcaster
	Conn   *bus.Conn `name:"feed"`
	Log    *slog.Logger
	Life   fx.Lifecycle
}

func provide(p params) *Feed {
	f := New(p.Config, p.Out, p.Log)
	var source *Source
	p.Life.Append(fx.Hook{
		OnStart: func(ctx context.Context) (err error) {
			f.Start()
			if source, err = f.Connect(p.Conn); err != nil { // a hook that failed is not stopped
				return errors.Join(err, f.Stop(ctx))
			}
			return nil
		},
		OnStop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, stopWithin)
			defer cancel()
			return errors.Join(source.Close(ctx), f.Stop(ctx))
		},
	})
	return f
}
