package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// asTrader opens a session with the trader's own client id, while no trader
// runs. Its context ends with the test, or after 20 s.
func asTrader(t *testing.T, gateway string) (context.Context, broker.Session) {
	t.Helper()
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.Log = gateway, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	s, err := ibkr.New(cfg).Open(ctx, broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// closes ends the session before a trader takes its client id.
func closes(t *testing.T, ctx context.Context, s broker.Session) {
	t.Helper()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// seeds has the account hold 25 AAPL and, by a limit far away, want more: done
// by the trader's client id before the trader comes.
func seeds(t *testing.T, gateway string) {
	t.Helper()
	ctx, s := asTrader(t, gateway)
	defer func() { closes(t, ctx, s) }()
	info, err := s.(broker.ContractSource).Details(ctx, market.USStock("AAPL"))
	if err != nil || len(info) != 1 {
		t.Fatalf("contract: %v, %v", info, err)
	}
	limit := market.MustPrice("50")
	for i, in := range []order.Intent{
		{ID: "seed-1", Qty: market.Shares(25), Type: order.Market},
		{ID: "seed-2", Qty: market.Shares(5), Type: order.Limit, Limit: &limit},
	} {
		in.Action, in.Symbol, in.Side, in.TIF, in.At = order.Place, "AAPL", order.Buy, order.Day, time.Now()
		f := s.Facts()
		if err := s.(broker.Trader).Place(ctx, broker.Ticket{OrderID: f.NextOrderID + int64(i), Account: f.Account, Contract: info[0].Contract, Intent: in}); err != nil {
			t.Fatal(err)
		}
	}
	for filled, works := false, false; !filled || !works; {
		b, err := s.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			switch e := e.(type) {
			case broker.ExecutionReport:
				filled = filled || e.Fill.Ref == "seed-1"
			case broker.OrderReport:
				works = works || e.Order.Ref == "seed-2" && e.Signal == order.WorkingNow
			}
		}
	}
}

// awaitsMode waits until the dashboard's mode is so.
func awaitsMode(t *testing.T, tr trader, name string, ok func(m event.ModeChange) bool) {
	t.Helper()
	awaits(t, name, 20*time.Second, func() (string, bool) {
		_, body := get(tr.addr, "/api/state")
		var s struct {
			Data struct{ Mode *event.ModeChange }
		}
		if err := json.Unmarshal([]byte(body), &s); err != nil || s.Data.Mode == nil {
			return tail(body, 200), false
		}
		return fmt.Sprintf("%+v", *s.Data.Mode), ok(*s.Data.Mode)
	})
}

// A person halts, resumes and flattens a trader that runs.
func TestHaltResumeFlatten(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "sim")
	gateway, addr := startGateway(t, "127.0.0.1:0", "--state", state)
	seeds(t, addr)
	tr := startTrader(t, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsReady(t, tr.addr, 15*time.Second)
	does := func(code int, says string, args ...string) {
		t.Helper()
		p := start(t, "traderctl", append(args, "--data", tr.data)...)
		p.ends(t, code, 20*time.Second)
		p.says(t, says)
	}
	does(0, "seed-2 (AAPL) has not ended; its cancel: written", "halt", "--reason", "a test")
	awaitsMode(t, tr, "halted, and nothing pending", func(m event.ModeChange) bool {
		return m.Mode == broker.Halted && strings.HasSuffix(m.Reason, ": a test") && len(m.Pending) == 0
	})
	does(0, "mode    active", "resume")
	does(2, "--yes", "flatten")
	does(0, "under way", "flatten", "--yes")
	awaitsMode(t, tr, "flat", func(m event.ModeChange) bool { return m.Mode == broker.Halted && m.Flat != nil && !m.Flatten })
	tr.signal(t, syscall.SIGTERM)
	tr.ends(t, exitStopped, 15*time.Second)

	again := startTraderOn(t, tr.data, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsMode(t, again, "halted after a restart, and why", func(m event.ModeChange) bool {
		return m.Mode == broker.Halted && strings.Contains(m.Reason, "flat since")
	})
	again.signal(t, syscall.SIGTERM)
	again.ends(t, exitStopped, 15*time.Second)
	gateway.signal(t, syscall.SIGTERM)
	gateway.ends(t, 0, 15*time.Second)
	wantFlat(t, state)
}

// A trader that died with a position: traderctl closes it in its place, with its
// journal and its client id, and the next start is halted.
func TestFlattenWithoutATrader(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "sim")
	gateway, addr := startGateway(t, "127.0.0.1:0", "--state", state)
	seeds(t, addr)
	tr := startTrader(t, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsReady(t, tr.addr, 15*time.Second)
	direct := []string{"flatten", "--direct", "--yes", "--broker", "ibkr", "--gateway", addr, "--data", tr.data}
	p := start(t, "traderctl", direct...)
	p.ends(t, 1, 15*time.Second)
	p.says(t, "its trader lives")
	tr.killed(t)

	p = start(t, "traderctl", append(direct, "--client-id", "1", "--within", "30s")...)
	p.ends(t, 0, 40*time.Second)
	p.says(t, "flat: the broker, asked anew, shows no position")
	p = start(t, "traderctl", "flatten", "--direct", "--yes", "--data", tr.data)
	p.ends(t, 2, 15*time.Second)
	p.says(t, "broker sim lives and dies with the trader")

	if err := os.Remove(filepath.Join(tr.data, "trader.json")); err != nil { // the dead one's address
		t.Fatal(err)
	}
	again := startTraderOn(t, tr.data, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsMode(t, again, "halted after it", func(m event.ModeChange) bool { return m.Mode == broker.Halted })
	again.signal(t, syscall.SIGTERM)
	again.ends(t, exitStopped, 15*time.Second)
	gateway.signal(t, syscall.SIGTERM)
	gateway.ends(t, 0, 15*time.Second)
	wantFlat(t, state)

	p = start(t, "traderctl", append(direct, "--within", "1s")...)
	p.ends(t, 1, 15*time.Second)
	p.says(t, "NOT known to be flat")
}

// wantFlat looks into the simulated gateway's own books.
func wantFlat(t *testing.T, state string) {
	t.Helper()
	l := ledger(t, state)
	for _, p := range l.Positions {
		if !p.Qty.IsZero() {
			t.Errorf("the broker holds %+v", p)
		}
	}
	if len(l.Executions) != 2 {
		t.Errorf("%d executions, not one to open and one to close: %+v", len(l.Executions), l.Executions)
	}
}
