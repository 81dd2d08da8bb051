package supervisor

import (
	"context"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// stopWithin bounds the link's end inside the program's: the session is closed
// well in it.
const stopWithin = 4 * time.Second

// Module provides the supervisor, answers the question for the link's state,
// and runs it with the program. OnStart only schedules: the link may take
// minutes.
var Module = fx.Module("broker.supervisor", fx.Provide(provide))

type params struct {
	fx.In
	Config Config
	Parts  Parts
	Conn   *bus.Conn `name:"link"`
	Life   fx.Lifecycle
}

func provide(p params) *Supervisor {
	s := New(p.Config, p.Parts)
	var answers *bus.Sub
	p.Life.Append(fx.Hook{
		OnStart: func(context.Context) (err error) {
			answers, err = bus.Reply(p.Conn, event.LinkState, func(context.Context, event.Empty) broker.Link { return s.Link() })
			if err != nil {
				return err
			}
			s.Start()
			return nil
		},
		OnStop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, stopWithin)
			defer cancel()
			err := s.Stop(ctx)
			if stopErr := answers.Stop(ctx); err == nil {
				err = stopErr
			}
			return err
		},
	})
	return s
}
