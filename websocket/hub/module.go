package hub

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"
)

// stopWithin bounds the hub's end inside the program's.
const stopWithin = 2 * time.Second

// Module provides the hub and ends its clients with the program.
var Module = fx.Module("websocket.hub", fx.Provide(provide))

func provide(cfg Config, log *slog.Logger, life fx.Lifecycle) *Hub {
	h := New(cfg, log)
	life.Append(fx.Hook{OnStop: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stopWithin)
		defer cancel()
		return h.Stop(ctx)
	}})
	return h
}
