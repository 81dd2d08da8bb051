package host

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestMain lets this test's own binary play a gateway: a process that listens
// and then does nothing.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_LISTEN") == "" {
		os.Exit(m.Run())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets go
}

// player starts the test's binary from a folder as an installer makes it, and
// returns its pid and address.
func player(t *testing.T, folder, name string) (pid int, address string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), folder, name)
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin)
	c.Env = []string{"HOST_TEST_LISTEN=1"}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid, address
}

func TestRealListener(t *testing.T) {
	pid, address := player(t, "Jts/ibgateway/1037", "ibgateway")
	m := New()
	e := m.Listener(t.Context(), address)
	if !e.Readable || !e.Listening || e.Inode == 0 || e.PID != pid || e.Process != "ibgateway" || e.UID != uint64(os.Getuid()) {
		t.Errorf("%+v, want process %d", e, pid)
	}
	if ago := time.Since(e.Started); ago < -2*time.Second || ago > time.Minute {
		t.Errorf("started %v ago", ago)
	}
	if why, differs := m.Listener(t.Context(), address).Differs(e); differs {
		t.Errorf("it differs from itself: %s", why)
	}
	list, err := m.Gateways(t.Context(), address)
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	g := list[0]
	if g.PID != pid || !g.Listens || g.Version != "10.37" || g.Product != "ibgateway" || g.Memory == nil || *g.Memory == 0 ||
		g.OpenFiles == nil || *g.OpenFiles < 3 || g.CPUPercent == nil {
		t.Errorf("%+v", g)
	}
	_, other := player(t, "bin", "socat")
	if e := m.Listener(t.Context(), other); e.Readable || e.Why != "behind the forwarder socat" {
		t.Errorf("%+v", e)
	}
}

// Sockets of this very process, in the states that matter.
func TestRealSockets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var open []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		defer c.Close()
	}
	for i := range 3 { // two stay in the queue
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if i < 2 {
			open[i].Close() // the server does not: CLOSE_WAIT here, FIN_WAIT_2 there
		}
	}
	m := New()
	tick, over := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for { // the answer to a FIN may be delayed by 40 ms
		got, err := m.Sockets(t.Context(), ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients := States{}
		for _, side := range got.Clients {
			for state, n := range side.States {
				clients[state] += n
				if state == Established && side.PID != os.Getpid() {
					t.Errorf("an open connection of ours is of process %d %s", side.PID, side.Process)
				}
			}
		}
		if got.Queue == 2 && got.Count(CloseWait) == 2 && got.Count(Established) == 3 && clients[Established] == 3 && clients[FinWait2] == 2 {
			break
		}
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%+v", got)
		}
	}
	if e := m.Listener(t.Context(), ln.Addr().String()); e.CloseWait != 2 || e.Queue != 2 || e.PID != os.Getpid() {
		t.Errorf("%+v", e)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if list, err := m.Listening(t.Context(), port); err != nil || len(list) != 1 || list[0].PID != os.Getpid() {
		t.Errorf("%+v, %v", list, err)
	}
	ln.Close()
	if list, err := m.Listening(t.Context(), port); err != nil || len(list) != 0 {
		t.Errorf("closed: %+v, %v", list, err)
	}
}

func TestRealLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	m := New()
	holder := func(want int) {
		t.Helper()
		if pid, err := m.LockHolder(t.Context(), path); err != nil || pid != want {
			t.Errorf("held by %d, %v; want %d", pid, err, want)
		}
	}
	holder(0) // no file
	lock := flock.New(path)
	if got, err := lock.TryLock(); !got || err != nil {
		t.Fatal(got, err)
	}
	holder(os.Getpid())
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	holder(0)
}

func TestRealClock(t *testing.T) {
	c, err := New().Clock()
	if err != nil || c.Synchronized == nil {
		t.Fatalf("%+v, %v", c, err)
	}
	t.Logf("synchronized %v, error at most %v", *c.Synchronized, c.Error)
}

// BenchmarkListener is what a link costs that waits for a gateway to change.
func BenchmarkListener(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	m := New()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			clear(m.known)
			m.Listener(b.Context(), ln.Addr().String())
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			m.Listener(b.Context(), ln.Addr().String())
		}
	})
}
