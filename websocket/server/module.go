package server

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"
)

// stopWithin bounds the server's end inside the program's.
const stopWithin = 2 * time.Second

// Module provides the server and runs it with the program.
var Module = fx.Module("websocket.server", fx.Provide(provide))

func provide(cfg Config, parts Parts, log *slog.Logger, life fx.Lifecycle) *Server {
	s := New(cfg, parts, log)
	life.Append(fx.Hook{
		OnStart: func(context.Context) error { return s.Start() },
		OnStop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, stopWithin)
			defer cancel()
			return s.Stop(ctx)
		},
	})
	return s
}
