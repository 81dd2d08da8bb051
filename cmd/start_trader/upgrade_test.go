package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/order"
)

// backWithin is how soon a trader is to be ready again after its restart.
const backWithin = 3 * time.Second

// release builds start_trader as a release of this version, as
// scripts/release.sh does.
func release(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "start_trader")
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid= -X robotrader/services/stamp.version="+version, "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// venueView is what the broker holds, in words that can be compared.
type venueView struct{ Orders, Positions, Executions []string }

// venue asks the broker with the trader's own client id, while no trader runs.
func venue(t *testing.T, gateway string) (v venueView) {
	t.Helper()
	ctx, s := asTrader(t, gateway)
	defer func() { closes(t, ctx, s) }()
	src := s.(broker.AccountSource)
	orders, err := src.OpenOrders(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		v.Orders = append(v.Orders, fmt.Sprint(o.Order.Ref, " perm ", o.Order.PermID, " ", o.Order.Side, " ", o.Order.Qty, " ", o.Order.Type))
	}
	positions, err := src.Positions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range positions {
		v.Positions = append(v.Positions, fmt.Sprint(p.Symbol, " ", p.Qty))
	}
	executions, _, err := src.Executions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range executions {
		v.Executions = append(v.Executions, fmt.Sprint(e.Fill.ExecID, " ", e.Fill.Ref, " ", e.Fill.Qty))
	}
	slices.Sort(v.Orders)
	slices.Sort(v.Positions)
	slices.Sort(v.Executions)
	return v
}

// shownState is what the trader shows, as far as an upgrade must not change it.
type shownState struct {
	Version   string
	Orders    []order.Order
	Positions []order.Position
}

func shows(t *testing.T, tr trader) shownState {
	t.Helper()
	_, text := get(tr.addr, "/api/state")
	var m struct{ Data shownState }
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, tail(text, 300))
	}
	return m.Data
}

// live lists the orders that work, by reference and the broker's number.
func (s shownState) live() []string {
	var list []string
	for _, o := range s.Orders {
		if o.State.Live() {
			list = append(list, fmt.Sprint(o.Ref, " perm ", o.PermID, " ", o.Side, " ", o.Qty, " ", o.Type))
		}
	}
	slices.Sort(list)
	return list
}

// TestUpgradeWithWorkingOrders replaces the program while it holds a position,
// under its stop, and an entry that works: stopped in order, started anew as
// another version, recovered; the same orders, nothing doubled, ready in time.
func TestUpgradeWithWorkingOrders(t *testing.T) {
	older, newer := binary(t, "start_trader"), release(t, "v1.1.0")
	_, gateway := startGateway(t, "127.0.0.1:0", "--state", filepath.Join(t.TempDir(), "sim"))
	seeds(t, gateway)
	args := []string{"--broker", "ibkr", "--gateway", gateway, "--headless", "--strategy", "tick_count", "AAPL"}

	keep := []string{"TRADER_DESK__ON_STOP=leave"} // else an orderly stop ends the entry
	tr := startTraderWith(t, older, keep, filepath.Join(t.TempDir(), "data"), args...)
	awaitsReady(t, tr.addr, 15*time.Second)
	var before shownState
	awaits(t, "a position, its stop and an entry", 15*time.Second, func() (string, bool) {
		before = shows(t, tr)
		live := strings.Join(before.live(), ", ")
		return live, len(before.Positions) == 1 && strings.Contains(live, "seed-2") && strings.Contains(live, "guard-") && !strings.Contains(live, "perm 0 ")
	})
	if before.Version == "v1.1.0" {
		t.Errorf("it says that it is %q", before.Version)
	}
	tr.signal(t, syscall.SIGTERM)
	tr.ends(t, exitStopped, stopsWithin)
	left := venue(t, gateway)
	if diff := cmp.Diff(before.live(), left.Orders); diff != "" {
		t.Errorf("an orderly stop changed the orders at the broker (-before +after):\n%s", diff)
	}

	began := begin()
	again := startTraderWith(t, newer, keep, tr.data, args...)
	awaits(t, "ready", 15*time.Second, func() (string, bool) {
		status, r := ready(again.addr)
		return fmt.Sprintf("%d %+v", status, r), status == http.StatusOK
	})
	took, late := time.Since(began.began), began.over(backWithin)
	t.Logf("ready %v after the start of the new version", took.Round(time.Millisecond))
	if late {
		t.Errorf("ready after %v, want at most %v", took, backWithin)
	}
	after := shows(t, again)
	if after.Version != "v1.1.0" {
		t.Errorf("it says that it is %q", after.Version)
	}
	if diff := cmp.Diff(before.live(), after.live()); diff != "" {
		t.Errorf("the new version has other orders (-old +new):\n%s", diff)
	}
	again.signal(t, syscall.SIGTERM)
	again.ends(t, exitStopped, stopsWithin)
	if diff := cmp.Diff(left, venue(t, gateway)); diff != "" {
		t.Errorf("the upgrade changed what the broker holds (-before +after):\n%s", diff)
	}
	if len(left.Executions) != 1 || !slices.Equal(left.Positions, []string{"AAPL 25"}) {
		t.Errorf("the broker holds %+v", left)
	}
}
