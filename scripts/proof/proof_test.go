package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/scripts/rig"
)

var (
	kills = flag.Int("proof.kills", 50, "kills at random instants")
	each  = flag.Int("proof.each", 2, "kills at each boundary")
)

// build makes the programs as they are shipped, and one that can crash where it
// is told to.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, args := range [][]string{
		{"build", "-trimpath", "-o", bin + string(filepath.Separator), "./cmd/start_trader", "./cmd/gatewaysim"},
		{"build", "-trimpath", "-tags", "crashpoints", "-o", filepath.Join(bin, crashing), "./cmd/start_trader"},
	} {
		c := exec.Command("go", args...)
		c.Dir = filepath.Join("..", "..")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	return bin
}

// TestKillAtRandomInstants kills at random instants under load, and at every
// boundary. Two rounds share the machine: most of a life is waiting.
func TestKillAtRandomInstants(t *testing.T) {
	p := plan{bin: build(t), folder: t.TempDir(), kills: *kills, each: *each, lanes: 2, seed: uint64(time.Now().UnixNano()), say: t.Logf}
	r, err := run(t.Context(), p)
	t.Logf("%d kills, %v; ready p50 %v, max %v", r.kills, r.boundary, percentile(r.readies, 50), percentile(r.readies, 100))
	if err != nil {
		t.Error(err)
	}
	if r.intents == 0 || r.execs == 0 || r.kills != *kills+*each*len(boundaries) {
		t.Errorf("%d kills, %d orders and %d executions: not all was tried", r.kills, r.intents, r.execs)
	}
}

// A lane that finds a breach ends the run, and what the others did is told.
func TestABreachEndsAllLanes(t *testing.T) {
	p := plan{bin: t.TempDir(), folder: t.TempDir(), kills: 3 * aRound, lanes: 2, seed: 1, say: t.Logf}
	if _, err := run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "lane") {
		t.Errorf("without programs to kill: %v", err)
	}
}

// Each check fails on what it is there for.
func TestChecksNotice(t *testing.T) {
	at := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	one := market.Shares(1)
	rec := broker.IntentRecord{
		Intent: order.Intent{ID: "a", Qty: one}, Decision: order.Decision{Allowed: true, At: at}, Wall: at, Order: &order.Order{},
	}
	refused, big := rec, rec
	refused.Decision.Allowed, refused.Decision.Rule = false, "max_order_qty"
	big.Intent.Qty = market.Shares(6)
	big.Intent.Symbol, big.Intent.Side = "AAPL", order.Sell
	big.Decision.Saw.Text("reduction", "true") // its own word proves nothing
	journal := func(links []broker.Link, list ...broker.IntentRecord) rig.Stored {
		s := rig.Stored{Intents: map[string]broker.IntentRecord{}, List: list, Links: links}
		for _, i := range list {
			s.Intents[i.Intent.ID] = i
		}
		return s
	}
	link := func(state broker.LinkState, since time.Duration) broker.Link {
		return broker.Link{State: state, Since: at.Add(since)}
	}
	open := &rig.Look{Open: map[int64]wire.OpenOrder{1: {OrderRef: "a", PermID: 1}}}
	twice := &rig.Look{Open: open.Open, Execs: map[string]wire.ExecDetails{"x": {OrderRef: "a", PermID: 2}}}
	for _, tt := range []struct {
		name string
		v    *rig.Look
		s    rig.Stored
		want bool
	}{
		{"all well", open, journal(nil, rec), true},
		{"sent while ready", open, journal([]broker.Link{link(broker.Ready, -1), link(broker.Waiting, 1)}, rec), true},
		{"no intent", open, journal(nil), false},
		{"refused", open, journal(nil, refused), false},
		{"two orders of one intent", twice, journal(nil, rec), false},
		{"more than the limit", open, journal(nil, big), false},
		{"sent while not ready", open, journal([]broker.Link{link(broker.Recovering, -1), link(broker.Ready, 1)}, rec), false},
	} {
		if err := checkSent(tt.v, tt.s); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		bought int64 // before it
		after  time.Duration
		want   bool
	}{{6, -3 * time.Second, true}, {6, 0, true}, {6, 2 * time.Second, false}, {5, -3 * time.Second, false}, {-6, -3 * time.Second, false}} {
		s := journal(nil, big)
		s.Fills = map[string]order.Fill{"x": {Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(tt.bought), At: at.Add(tt.after)}}
		if err := checkDecisions(s); (err == nil) != tt.want {
			t.Errorf("a sale of 6, and %d bought %v from it: %v", tt.bought, tt.after, err)
		}
	}
	held := &rig.Look{Positions: map[market.Symbol]market.Qty{"AAPL": one}}
	if err := rig.CheckPositions(held, rig.Shown{}, rig.Shown{}); err == nil {
		t.Error("a position that the trader does not show is not noticed")
	}
	if err := rig.CheckOrders(open, open, rig.Shown{}); err == nil {
		t.Error("an open order that the trader does not show is not noticed")
	}
	if err := rig.CheckCovered(held); err == nil {
		t.Error("a position without a stop was not noticed")
	}
	lost := order.Order{Symbol: "AAPL", Side: order.Sell, State: order.Unknown}
	entry := lost
	entry.Side = order.Buy
	if !unknownExit(held, rig.Shown{Orders: []order.Order{lost}}) || unknownExit(held, rig.Shown{Orders: []order.Order{entry}}) {
		t.Error("a stop waits for an unknown order against the position, and for no other")
	}
	books := rig.Ledger{Accounts: []rig.Account{{Cash: market.MustMoney(rig.StartCash)}}}
	if err := rig.CheckLedger(books, rig.Stored{}); err != nil {
		t.Errorf("equal books: %v", err)
	}
	books.Accounts[0].Cash = market.MustMoney("999999.99")
	if err := rig.CheckLedger(books, rig.Stored{}); err == nil {
		t.Error("a cent that is missing is not noticed")
	}
}

// A slow start is noticed wherever it was in the run, not only as the last.
func TestASlowStartIsNoticed(t *testing.T) {
	fast := slices.Repeat([]time.Duration{time.Second}, 99)
	if err := inTime(append(fast, 9*time.Second), 3*time.Second); err != nil {
		t.Errorf("one start in a hundred: %v; that is a stall", err)
	}
	slow := append([]time.Duration{9 * time.Second, 9 * time.Second}, fast...)
	if err := inTime(slow, 3*time.Second); err == nil {
		t.Error("two starts in a hundred took 9 s, and it passed")
	}
	if err := inTime(slow, 0); err != nil {
		t.Errorf("not judged: %v", err)
	}
}
