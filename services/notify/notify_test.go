package notify

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen stands in for the service manager: it makes the socket, and returns
// what reads the next message.
func listen(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return path, func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("no message came: %v", err)
		}
		return string(b[:n])
	}
}

// what a manager would set for a service with a watchdog.
func managed(t *testing.T, path string, period time.Duration) {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(period.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
}

// The whole life over a real socket: serves, is fed, changes its state, stops.
func TestLifeOverASocket(t *testing.T) {
	path, next := listen(t)
	managed(t, path, 100*time.Millisecond)
	var state atomic.Pointer[string]
	say := func(s string) { state.Store(&s) }
	say("waiting at rung 1 of 9 (tcp)\nnobody listens")
	n := New(Parts{
		Status: func() string { return *state.Load() },
		Loops:  []Loop{{Name: "desk", Within: time.Minute, Turns: func(context.Context) error { return nil }}},
	})
	n.Start()
	if got := next(); got != "READY=1\nSTATUS=waiting at rung 1 of 9 (tcp) nobody listens" {
		t.Fatalf("the first message is %q", got)
	}
	for range 3 {
		if got := next(); got != "WATCHDOG=1" {
			t.Fatalf("%q instead of the watchdog's food", got)
		}
	}
	say("ready")
	got := next()
	for got == "WATCHDOG=1" {
		got = next()
	}
	if got != "STATUS=ready" {
		t.Fatalf("%q instead of the new state", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for got = next(); got == "WATCHDOG=1"; {
		got = next()
	}
	if got != "STOPPING=1\nSTATUS=stopping in order" {
		t.Fatalf("the last message is %q", got)
	}
}

// Without a manager nothing runs, and nothing is fed to a dead socket.
func TestWithoutAManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := New(Parts{Status: func() string { return "ready" }})
	n.Start()
	if n.cancel != nil {
		t.Error("a goroutine runs though nobody listens")
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A manager that cannot be reached when the program begins to serve is told
// later, or the start would be said to have failed.
func TestReadyIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Parts{Status: func() string { return "ready" }})
		var said []string
		var up atomic.Bool
		n.send = func(s string) (bool, error) {
			if !up.Load() {
				return false, errors.New("connection refused")
			}
			said = append(said, s)
			return true, nil
		}
		n.Start()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		up.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(said) != 1 || said[0] != "READY=1\nSTATUS=ready" {
			t.Errorf("said %q", said)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A loop that hangs starves the watchdog after its own bound and no sooner, says
// so, and is fed for again when it turns.
func TestALoopThatHangsStarvesTheWatchdog(t *testing.T) {
	managed(t, "unused", 60*time.Second)
	synctest.Test(t, func(t *testing.T) {
		var hangs, busy atomic.Bool
		n := New(Parts{
			Status: func() string { return "ready" },
			Loops: []Loop{
				{Name: "supervisor", Within: 90 * time.Second, Turns: func(ctx context.Context) error {
					if busy.Load() {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}},
				{Name: "desk", Within: 30 * time.Second, Turns: func(ctx context.Context) error {
					if hangs.Load() {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}},
			},
		})
		if !n.feeds || n.every != time.Second {
			t.Fatalf("feeds %v, every %v", n.feeds, n.every)
		}
		var fed time.Time
		var status string
		n.send = func(s string) (bool, error) {
			if s == "WATCHDOG=1" {
				fed = time.Now()
			}
			if rest, ok := strings.CutPrefix(s, "STATUS="); ok {
				status = rest
			}
			return true, nil
		}
		n.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if time.Since(fed) > time.Second {
			t.Fatalf("fed %v ago though all loops turn", time.Since(fed))
		}
		busy.Store(true) // an attempt, within its bound
		time.Sleep(80 * time.Second)
		synctest.Wait()
		if time.Since(fed) > 2*time.Second {
			t.Fatalf("fed %v ago though the supervisor may be busy for 90 s", time.Since(fed))
		}
		busy.Store(false)
		hangs.Store(true)
		began := time.Now()
		time.Sleep(60 * time.Second)
		synctest.Wait()
		if lasted := fed.Sub(began); lasted < 25*time.Second || lasted > 31*time.Second {
			t.Errorf("a loop that hangs was fed for %v, want its 30 s", lasted)
		}
		if !strings.Contains(status, "the loop desk HANGS") {
			t.Errorf("the state says %q", status)
		}
		hangs.Store(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if time.Since(fed) > 2*time.Second || status != "ready" {
			t.Errorf("fed %v ago, state %q, though it turns again", time.Since(fed), status)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLine(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"ready\n\tsince", "ready  since"},
		{strings.Repeat("ä", 200), strings.Repeat("ä", 148) + "…"}, // two bytes a letter, never half of one
	} {
		n := New(Parts{Status: func() string { return tt.in }})
		got := n.line()
		if got != tt.want || len(got) > maxStatus || !utf8.ValidString(got) {
			t.Errorf("%.20q becomes %q", tt.in, got)
		}
	}
}
