package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/configs"
	"robotrader/runner/strategy"
)

// stuck is a strategy that does not return from its first tick before it is let
// go.
type stuck struct{ until <-chan struct{} }

func (*stuck) Need() int                              { return 0 }
func (*stuck) OnBar(strategy.Context, market.Bar)     {}
func (*stuck) OnFill(strategy.Context, order.Fill)    {}
func (s *stuck) OnTick(strategy.Context, market.Tick) { <-s.until }

// The heartbeat of a trader whose runner is stuck says so, though the link is
// ready, the desk answers and /readyz says that it is well; when the loop turns
// again, it beats.
func TestTheHeartbeatOfAStuckLoop(t *testing.T) {
	p := newPhone(t)
	cfg, err := configs.Load([]string{"--config", p.settings(t, ""), "--strategy", "tick_count", "--http", "off", "--data", t.TempDir(), "AAPL"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	res, err := open(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	kind := strategy.Kind{Name: "tick_count", New: func(market.Symbol, strategy.Values) strategy.Strategy { return &stuck{free} }}
	app := fx.New(application(cfg, res, log), fx.Decorate(fx.Annotate(
		func([]strategy.Kind) []strategy.Kind { return []strategy.Kind{kind} },
		fx.ParamTags(`name:"strategies"`), fx.ResultTags(`name:"strategies"`),
	)))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Fatal(err)
	}
	awaits(t, "a beat that says that the runner is stuck", 15*time.Second, func() (string, bool) {
		s := p.beaten()
		return s, strings.HasSuffix(s, "POST/fail")
	})
	awaits(t, "an alert of it", 15*time.Second, func() (string, bool) {
		var said []string
		for _, m := range p.all() {
			said = append(said, m.Message)
		}
		text := strings.Join(said, "\n")
		return text, strings.Contains(text, "tick_count has been in")
	})
	close(free)
	awaits(t, "a beat that says that all is well", 15*time.Second, func() (string, bool) {
		s := p.beaten()
		return s, s == "GET"
	})
	if err := app.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := res.close(); err != nil {
		t.Error(err)
	}
}
