package runner

import (
	"context"
	"time"

	"go.uber.org/fx"
)

// stopWithin bounds the runner's end inside the program's.
const stopWithin = 2 * time.Second

// Module provides the runner and runs it with the program. OnStart only
// schedules: the runner waits at the gate by itself.
var Module = fx.Module("runner", fx.Provide(provide))

func provide(cfg Config, parts Parts, life fx.Lifecycle) (*Runner, error) {
	r, err := New(cfg, parts)
	if err != nil {
		return nil, err
	}
	life.Append(fx.Hook{
		OnStart: func(context.Context) error { r.Start(); return nil },
		OnStop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, stopWithin)
			defer cancel()
			return r.Stop(ctx)
		},
	})
	return r, nil
}
