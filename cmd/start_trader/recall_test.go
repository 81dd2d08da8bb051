package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A gateway that hangs is left alone also when whoever minds services starts
// the trader again and again: killed, or stopped in order. A person's word is
// still an attempt.
func TestAHungGatewayIsLeftAloneOverRestarts(t *testing.T) {
	t.Parallel()
	_, addr := startGateway(t, "127.0.0.1:0")
	h := startHanging(t, addr)
	file := filepath.Join(t.TempDir(), "trader.yaml")
	if err := os.WriteFile(file, []byte("supervisor:\n  wedged_limit: 2\nbroker:\n  ibkr:\n    handshake_timeout: 1500ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--config", file, "--headless", "--broker", "ibkr", "--gateway", h.ln.Addr().String(), "AAPL"}
	held := func(tr trader) readiness {
		t.Helper()
		var r readiness
		awaits(t, "needs_restart", 15*time.Second, func() (string, bool) {
			_, r = ready(tr.addr)
			return fmt.Sprintf("%+v", r), r.State == "needs_restart" && strings.Contains(r.Cause, "before its socket or its process")
		})
		return r
	}
	tr := startTrader(t, args...)
	held(tr)
	if n := h.accepted.Load(); n != 2 {
		t.Fatalf("%d connections before needs_restart, want 2", n)
	}
	for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		tr.signal(t, how)
		tr.wait(t, stopsWithin)
		_ = os.Remove(filepath.Join(tr.data, "trader.json")) // a killed one leaves it, and the next start is awaited by it
		tr = startTraderOn(t, tr.data, args...)
		if r := held(tr); !strings.Contains(r.Cause, "an earlier run of this trader found it at 20") || !strings.Contains(r.Advice, "by hand") {
			t.Errorf("after %v it says %q, %q", how, r.Cause, r.Advice)
		}
		if n := h.accepted.Load(); n != 2 {
			t.Fatalf("after %v the gateway has %d connections more", how, n-2)
		}
	}
	h.healed.Store(true)
	p := start(t, "traderctl", "reconnect", "--data", tr.data)
	p.ends(t, 0, 10*time.Second)
	awaitsReady(t, tr.addr, 10*time.Second)
	if n := h.accepted.Load(); n != 3 {
		t.Errorf("%d connections at the end, want 3", n)
	}
	tr.killed(t) // the id rests, then the session comes back
	_ = os.Remove(filepath.Join(tr.data, "trader.json"))
	tr = startTraderOn(t, tr.data, args...)
	awaitsReady(t, tr.addr, 10*time.Second)
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}
