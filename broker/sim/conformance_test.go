package sim

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
)

// byItself is a market that moves without us.
type byItself struct{}

func (byItself) Symbol() market.Symbol { return "AAPL" }
func (byItself) Move()                 {}

// conformSpeed makes the synthetic market, which trades about once a second,
// quick enough for a test.
const conformSpeed = 60

// TestConforms runs the suite over the real wire: the ordinary adapter against
// the simulated gateway on a loopback port.
func TestConforms(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	stop := func(t *testing.T, what interface{ Stop(context.Context) error }) {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := what.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	brokertest.Conformance(t, func(t *testing.T, v brokertest.Venue) (broker.Adapter, brokertest.Driver) {
		if len(v.Accounts) == 1 {
			cfg := DefaultConfig()
			cfg.Account, cfg.Speed, cfg.Log = v.Accounts[0], conformSpeed, quiet
			a := New(cfg)
			stop(t, a)
			return a, byItself{}
		}
		// The adapter sim has a login with one account: play the gateway here.
		src, err := Source(nil, []market.Symbol{"AAPL"}, 1, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		gc := gateway.DefaultConfig()
		gc.Listen, gc.Accounts, gc.Speed = "127.0.0.1:0", v.Accounts, conformSpeed
		server, err := gateway.New(gc, src, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		stop(t, server)
		c := ibkr.DefaultConfig()
		c.Gateway, c.Simulated, c.Speed, c.Log = server.Addr().String(), true, conformSpeed, quiet
		return ibkr.New(c), byItself{}
	})
}
