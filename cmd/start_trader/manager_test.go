package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/health"
)

// A service manager is told that the trader serves although its gateway is down,
// sees the ladder, is fed, and is told the stop.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next := func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("the manager is told nothing: %v", err)
		}
		return string(b[:n])
	}
	gateway := freeAddr(t) // nobody there
	tr := startTraderWith(t, binary(t, "start_trader"), []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=1000000"},
		filepath.Join(t.TempDir(), "data"), "--headless", "--broker", "ibkr", "--gateway", gateway, "AAPL")
	if first := next(); !strings.HasPrefix(first, "READY=1\nSTATUS=") {
		t.Fatalf("the first message is %q", first)
	}
	awaited := func(part string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			m := next()
			if strings.Contains(m, part) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing about %q; last: %q", part, m)
			}
		}
	}
	awaited("STATUS=waiting at rung 1 of 9 (tcp)")
	for range 3 {
		awaited("WATCHDOG=1")
	}
	startGateway(t, gateway)
	awaited("STATUS=ready since ")
	tr.signal(t, syscall.SIGTERM)
	awaited("STOPPING=1")
	tr.ends(t, exitStopped, stopsWithin)
}

func TestStatusLine(t *testing.T) {
	since := time.Date(2026, 11, 27, 14, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		r    health.Ready
		want string
	}{
		{health.Ready{State: "starting", Cause: "no word yet", Advice: "wait"}, "starting: no word yet; wait"},
		{health.Ready{State: "ready", Rung: broker.RungData, Since: since, Cause: "all rungs reached"}, "ready since 2026-11-27T14:30:00Z"},
		{
			health.Ready{State: "waiting", Rung: broker.RungVersion, Since: since, Cause: "no answer", Advice: "look at the gateway"},
			"waiting at rung 2 of 9 (version) since 2026-11-27T14:30:00Z: no answer; look at the gateway",
		},
		{
			health.Ready{State: "ready", Since: since, Trouble: []health.Component{{Name: "journal", Detail: "the disk is full"}}},
			"ready since 2026-11-27T14:30:00Z; journal: the disk is full",
		},
	} {
		if got := statusLine(tt.r); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.r, got, tt.want)
		}
	}
}

// A program that a watchdog aborts, or that panics, ends by a signal: Go's own
// exit 2 would tell a service manager that the command line is wrong, and that a
// new start is in vain.
func TestAnAbortIsNoUsageError(t *testing.T) {
	t.Parallel()
	tr := startTrader(t, "--headless", "AAPL")
	tr.signal(t, syscall.SIGABRT)
	tr.wait(t, stopsWithin)
	if status, ok := tr.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGABRT {
		t.Errorf("it ended with %v, want the signal", tr.cmd.ProcessState)
	}
}
