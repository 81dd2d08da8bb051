package runner

import (
	"context"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/everytick"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// BenchmarkTickToRequest measures from a tick's publication by the desk to the
// arrival of the order request at the desk, over the real bus.
func BenchmarkTickToRequest(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = srv.Stop(ctx) }()
	desk, err := srv.Connect("desk")
	if err != nil {
		b.Fatal(err)
	}
	runs, err := srv.Connect("runner")
	if err != nil {
		b.Fatal(err)
	}
	state, arrived := newVenue().desk, make(chan struct{}, 1)
	must := func(_ *bus.Sub, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(bus.Reply(desk, event.DeskState, func(context.Context, event.Empty) event.Desk { return state }))
	must(bus.Reply(desk, event.LinkState, func(context.Context, event.Empty) broker.Link { return broker.Link{} }))
	must(bus.Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		arrived <- struct{}{}
		return event.OrderReply{IntentID: in.ID, Result: event.Refused}
	}))
	cfg := DefaultConfig()
	cfg.Strategy, cfg.Symbols = "every_tick", []market.Symbol{"AAPL"}
	g := newGate()
	g.open()
	r, err := New(cfg, Parts{Ready: g, In: OverBus(runs), Out: OverBus(runs), Kinds: []strategy.Kind{everytick.Kind()}})
	if err != nil {
		b.Fatal(err)
	}
	r.Start()
	defer func() { _ = r.Stop(ctx) }()
	awaitRunning(b, desk)
	tick := trade("AAPL", day, "100", 1)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := bus.Publish(desk, event.Tick, tick, "AAPL"); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}

// awaitRunning waits until the runner's strategy runs.
func awaitRunning(b *testing.B, c *bus.Conn) {
	b.Helper()
	up := make(chan struct{}, 8)
	sub, err := bus.Subscribe(c, event.Strategy, bus.Keep, func(m event.Message[event.StrategyState]) {
		if m.Data.State == running {
			up <- struct{}{}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer func() { _ = sub.Stop(ctx) }()
	run, err := bus.Ask(ctx, c, event.RunState, event.Empty{})
	if err == nil && len(run.Strategies) == 1 && run.Strategies[0].State == running {
		return
	}
	select {
	case <-up:
	case <-ctx.Done():
		b.Fatal("the strategy does not run")
	}
}
