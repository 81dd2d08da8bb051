package ibkr_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/gateway/feed"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// played starts a simulated gateway of one server version on a loopback port.
func played(t *testing.T, version int) (address string) {
	t.Helper()
	return playedAs(t, func(c *gateway.Config) { c.ServerVersion = version })
}

func playedAs(t *testing.T, set func(*gateway.Config)) (address string) {
	t.Helper()
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.DefaultConfig()
	set(&cfg)
	server, err := gateway.New(cfg, src, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("gateway: %v", err)
		}
	})
	return server.Addr().String()
}

// A whole little life at every version that changes a layout: handshake,
// questions, data, an order and its execution with the commission, a cancel.
func TestLifeAtEveryVersion(t *testing.T) {
	for _, version := range []int{176, 177, 178, 182, 183, 187, 189, 190, 192, 193, 194, 195, 196, 197, 198, 199, 200} {
		address := played(t, version)
		cfg := ibkr.DefaultConfig()
		cfg.Gateway, cfg.Simulated = address, true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		opened, err := ibkr.New(cfg).Open(ctx, broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if got := opened.Facts().ServerVersion; got != version {
			t.Errorf("version %d: agreed on %d", version, got)
		}
		s := opened.(*ibkr.Session)
		if err := life(ctx, s); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if err := s.Close(ctx); err != nil {
			t.Errorf("version %d: close: %v", version, err)
		}
		cancel()
	}
}

func life(ctx context.Context, s *ibkr.Session) error {
	aapl := market.USStock("AAPL")
	if _, err := s.Time(ctx); err != nil {
		return err
	}
	for _, ask := range []func() error{
		func() error { _, err := s.Positions(ctx); return err },
		func() error { _, err := s.OpenOrders(ctx); return err },
		func() error { _, _, err := s.Executions(ctx); return err },
		func() error { _, err := s.Account(ctx); return err },
		func() error { return s.WatchAccount(ctx) },
		func() error { _, err := s.Details(ctx, aapl); return err },
		func() error {
			bars, err := s.Bars(ctx, broker.BarsQuery{Contract: aapl, Span: 30 * time.Minute, Width: time.Minute})
			if err == nil && len(bars) == 0 {
				err = errors.New("no bars")
			}
			return err
		},
		func() error { return s.Subscribe(ctx, aapl) },
	} {
		if err := ask(); err != nil {
			return err
		}
	}
	id := s.Facts().NextOrderID
	if err := s.Place(ctx, ticket(s, id, order.Market, nil)); err != nil {
		return err
	}
	if err := until(ctx, s, "a commission", func(e broker.Event) bool { _, ok := e.(broker.CommissionReport); return ok }); err != nil {
		return err
	}
	if err := s.Place(ctx, ticket(s, id+1, order.Limit, market.MustPrice("1").Ptr())); err != nil {
		return err
	}
	status := func(sig order.Signal) func(broker.Event) bool {
		return func(e broker.Event) bool {
			st, ok := e.(broker.StatusReport)
			return ok && st.OrderID == id+1 && st.Known && st.Signal == sig
		}
	}
	if err := until(ctx, s, "a working order", status(order.WorkingNow)); err != nil {
		return err
	}
	if open, err := s.OpenOrders(ctx); err != nil || len(open) != 1 || open[0].Order.OrderID != id+1 {
		return errors.Join(err, errors.New("the working order is not in the list"))
	}
	if open, err := s.AllOpenOrders(ctx); err != nil || len(open) != 1 || open[0].Order.OrderID != id+1 {
		return errors.Join(err, errors.New("the working order is not in the list of all"))
	}
	if err := s.Cancel(ctx, id+1); err != nil {
		return err
	}
	if err := until(ctx, s, "a cancelled order", status(order.CancelDone)); err != nil {
		return err
	}
	fills, costs, err := s.Executions(ctx)
	if err != nil || len(fills) != 1 || len(costs) != 1 {
		return errors.Join(err, errors.New("the execution or its commission is not in the list"))
	}
	return nil
}

func ticket(s *ibkr.Session, id int64, kind order.Type, limit *market.Price) broker.Ticket {
	return broker.Ticket{
		OrderID: id, Account: s.Facts().Account, Contract: market.USStock("AAPL"),
		Intent: order.Intent{
			ID: "test", Action: order.Place, Strategy: "test", Symbol: "AAPL", Side: order.Buy, Type: kind, TIF: order.Day,
			Qty: market.Shares(1), Limit: limit, At: time.Now(),
		},
	}
}

func until(ctx context.Context, s *ibkr.Session, what string, is func(broker.Event) bool) error {
	for {
		b, err := s.Events(ctx)
		if err != nil {
			return errors.Join(errors.New("waiting for "+what), err)
		}
		for _, e := range b.Events {
			if is(e) {
				return nil
			}
		}
	}
}

// A login without live data: its orders can be asked for, its symbols show
// delayed prices, and they are marked as such.
func TestDelayedDataOfTheSimulatedGateway(t *testing.T) {
	cfg := ibkr.DefaultConfig()
	cfg.Gateway = playedAs(t, func(c *gateway.Config) { c.Feed.Data = feed.Delayed })
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	opened, err := ibkr.New(cfg).Open(ctx, broker.OpenConfig{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close(ctx)
	s := opened.(*ibkr.Session)
	if err := s.Subscribe(ctx, market.USStock("AAPL")); err != nil {
		t.Fatal(err)
	}
	var codes []int
	for {
		b, err := s.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			if n, ok := e.(broker.Notice); ok && n.Symbol == "AAPL" {
				codes = append(codes, n.Code)
			}
		}
		if len(b.Ticks) == 0 {
			continue
		}
		for _, tick := range b.Ticks {
			if !tick.Delayed {
				t.Errorf("not marked as delayed: %+v", tick)
			}
		}
		break
	}
	if want := []int{354, 10167}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
}

// Completed orders, and none in read-only mode.
func TestCompletedOrdersOfTheSimulatedGateway(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		cfg := ibkr.DefaultConfig()
		cfg.Gateway = playedAs(t, func(c *gateway.Config) { c.ReadOnly = readOnly })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		opened, err := ibkr.New(cfg).Open(ctx, broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(*ibkr.Session)
		id := s.Facts().NextOrderID
		if err := s.Place(ctx, ticket(s, id, order.Market, nil)); err != nil {
			t.Fatal(err)
		}
		if !readOnly {
			if err := until(ctx, s, "a commission", func(e broker.Event) bool { _, ok := e.(broker.CommissionReport); return ok }); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.CompletedOrders(ctx)
		switch {
		case readOnly && (list != nil || !errors.Is(err, broker.ErrRequest)):
			t.Errorf("read-only: %+v, %v", list, err)
		case !readOnly && (err != nil || len(list) != 1 || list[0].Order.Filled != market.Shares(1) || list[0].Signal != order.FilledUp || list[0].At.IsZero()):
			t.Errorf("%+v, %v", list, err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

func TestProbeOfTheSimulatedGateway(t *testing.T) {
	address := played(t, 200)
	for range 20 { // the same id at once again: the gateway frees it on our end
		facts, rungs, err := ibkr.Prober{}.Probe(t.Context(), address, 9999, 10*time.Second)
		if err != nil || len(rungs) != 5 || len(facts.Accounts) != 1 || facts.NextOrderID < 1 || facts.ServerVersion != 200 {
			t.Fatalf("facts %+v, rungs %+v, %v", facts, rungs, err)
		}
		if last := rungs[4].AtMS; last > 1000 {
			t.Errorf("a gateway that answers at once took %.3f ms", last)
		}
	}
}
