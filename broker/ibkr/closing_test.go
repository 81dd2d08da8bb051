package ibkr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

// The states of TCP sockets in the kernel's table.
const (
	tcpFinWait2 = 0x05
	tcpTimeWait = 0x06
	tcpListen   = 0x0A
)

// crowd is a gateway that plays one script to many clients at once, on a real
// socket. A script that returns has its connection read to the client's end
// and then closed, as a gateway does that is well.
type crowd struct {
	port   uint64
	before map[pair]uint64 // the sockets at the port when it began to listen
	script func(*peer)
	served sync.WaitGroup
	// resets counts clients that did not close well: a reset, where an end was
	// due.
	resets atomic.Int64
}

func gathers(t *testing.T, script func(*peer)) *crowd {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint64(l.Addr().(*net.TCPAddr).Port)
	c := &crowd{port: port, before: around(t, port), script: script}
	c.served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.served.Go(func() { c.serve(t, conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { l.Close(); c.served.Wait() })
	return c
}

func (c *crowd) serve(t *testing.T, conn *net.TCPConn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c.script(&peer{t: t, conn: lenient{conn}, in: bufio.NewReader(conn), v: 200})
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, syscall.ECONNRESET) {
		c.resets.Add(1)
	}
}

// lenient is a connection whose writes the client may have given up on.
type lenient struct{ *net.TCPConn }

func (l lenient) Write(b []byte) (int, error) {
	_, _ = l.TCPConn.Write(b)
	return len(b), nil
}

// greeted reads the hello, whatever it is: a client that is out of time may
// have left. It answers with a version when it is not 0, and then reads
// START_API.
func greeted(p *peer, version int) {
	_, _ = io.ReadFull(p.in, make([]byte, 17))
	if version != 0 {
		p.reply(version, "20260405 23:49:26 CET")
		_, _ = wire.ReadFrame(p.in, nil)
	}
}

func (l lenient) reset() {
	_ = l.SetLinger(0)
	_ = l.Close()
}

// pair is the two ports of a socket of this machine, its own first.
type pair struct{ local, remote uint64 }

// around returns the sockets that the kernel knows of at a port, by their state.
func around(t *testing.T, port uint64) map[pair]uint64 {
	t.Helper()
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 the table is text that every kernel has; netlink needs another module
	table, err := fs.NetTCP()
	if err != nil {
		t.Fatal(err)
	}
	list := map[pair]uint64{}
	for _, s := range table {
		if (s.RemPort == port || s.LocalPort == port) && s.St != tcpListen {
			list[pair{s.LocalPort, s.RemPort}] = s.St
		}
	}
	return list
}

// sockets counts the sockets between our side and a gateway's port by state;
// theirs are those whose local port it is. Those from before the gateway
// listened are left out: the port may have been a client's a moment ago, whose
// socket stays in TIME_WAIT for a minute.
func sockets(t *testing.T, port uint64, before map[pair]uint64) (ours, theirs map[uint64]int) {
	t.Helper()
	ours, theirs = map[uint64]int{}, map[uint64]int{}
	for p, state := range around(t, port) {
		_, old := before[p]
		switch {
		case old:
		case p.remote == port:
			ours[state]++
		default:
			theirs[state]++
		}
	}
	return ours, theirs
}

func needsProc(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/net/tcp"); err != nil {
		t.Skipf("the kernel's table of sockets cannot be read here: %v", err)
	}
}

// failing are the ways in which an open fails once TCP is connected.
var failing = map[string]struct {
	failure broker.Failure
	script  func(*peer)
}{
	"silence":      {broker.NoReply, func(p *peer) { greeted(p, 0) }},
	"closed early": {broker.ClosedEarly, func(p *peer) { greeted(p, 0); _ = p.conn.(lenient).CloseWrite() }},
	"reset early":  {broker.ClosedEarly, func(p *peer) { greeted(p, 0); p.conn.(lenient).reset() }},
	"no gateway": {broker.WrongProtocol, func(p *peer) {
		greeted(p, 0)
		p.raw([]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request"))
	}},
	"redirect":    {broker.Redirected, func(p *peer) { greeted(p, 0); p.reply(-1, "10.0.0.9:4001") }},
	"old version": {broker.WrongVersion, func(p *peer) { greeted(p, 0); p.reply(175, "then") }},
	"closed after START_API": {
		broker.ClosedAfterStart,
		func(p *peer) { greeted(p, 200); _ = p.conn.(lenient).CloseWrite() },
	},
	"reset after START_API": {broker.ClosedAfterStart, func(p *peer) { greeted(p, 200); p.conn.(lenient).reset() }},
	"326": {broker.ClientIDInUse, func(p *peer) {
		greeted(p, 200)
		p.send(wire.ErrMsg{RequestID: -1, Code: 326, Text: "in use"})
	}},
	"no ids":         {broker.NoIDs, func(p *peer) { greeted(p, 200) }},
	"no accounts":    {broker.NoAccounts, func(p *peer) { greeted(p, 200); p.send(wire.NextValidID{OrderID: 1}) }},
	"empty accounts": {broker.NoAccounts, func(p *peer) { greeted(p, 200); p.send(wire.ManagedAccts{}, wire.NextValidID{OrderID: 1}) }},
	"no next id":     {broker.NoNextID, func(p *peer) { greeted(p, 200); p.send(wire.ManagedAccts{List: paper}) }},
	"forbidden": {broker.Forbidden, func(p *peer) {
		greeted(p, 200)
		p.send(wire.ManagedAccts{List: "U1234567"}, wire.NextValidID{OrderID: 1})
	}},
}

// failed opens once, with so much time, and returns how that failed.
func failed(t *testing.T, cfg Config, patience time.Duration) broker.Failure {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := New(cfg).Open(ctx, broker.OpenConfig{}, nil)
	var e *broker.Error
	if !errors.As(err, &e) || e.Failure == broker.NoFailure {
		t.Errorf("an open that had to fail: %v", err)
		return broker.NoFailure
	}
	return e.Failure
}

// named proves the word of a failure by an open that has time: hasty ones on a
// busy machine may all be late. One more, with much more time, tells a machine
// that stood still from code that is wrong, which is wrong again.
func named(t *testing.T, cfg Config, want broker.Failure) {
	t.Helper()
	var got broker.Failure
	for _, patience := range []time.Duration{time.Second, 20 * time.Second} {
		if got = failed(t, cfg, patience); got == want {
			return
		}
	}
	t.Errorf("failed as %s, want %s", got, want)
}

// many opens n times with 20 ms each, 64 at once, and counts how they failed.
func many(t *testing.T, cfg Config, n int) map[broker.Failure]int {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	left, counts := atomic.Int64{}, map[broker.Failure]int{}
	left.Store(int64(n))
	for range 64 {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				how := failed(t, cfg, 20*time.Millisecond)
				mu.Lock()
				counts[how]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return counts
}

// leftBehind waits a while, for what ends by itself a moment later, and then
// tells what failed opens left: the wall time is no synchronisation, it only
// bounds how long a fault takes to be one.
func leftBehind(look func() error) error {
	end := time.NewTimer(30 * time.Second)
	defer end.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-end.C:
			return err
		}
	}
}

// A thousand failed opens of each kind, with 20 ms each, leave on our side no
// descriptor, no goroutine and no socket but TIME_WAIT or FIN_WAIT_2, and on
// the gateway's side none once it has read our end.
func TestAThousandFailedOpensLeaveNothing(t *testing.T) {
	needsProc(t)
	opens := 1000
	if testing.Short() {
		opens = 100
	}
	t.Logf("%d opens of each kind, 64 at once", opens)
	t.Run("nobody listens", func(t *testing.T) {
		leaksStay(t)
		port := taken(t)
		before := around(t, port)
		cfg := DefaultConfig()
		cfg.Gateway, cfg.Log = fmt.Sprintf("127.0.0.1:%d", port), quiet()
		goroutines, fds := runtime.NumGoroutine(), descriptors(t)
		named(t, cfg, broker.NobodyListens)
		t.Logf("failed as %v", many(t, cfg, opens))
		nothingLeft(t, port, before, goroutines, fds)
	})
	for name, tt := range failing {
		t.Run(name, func(t *testing.T) {
			leaksStay(t)
			gateway := gathers(t, tt.script)
			cfg := DefaultConfig()
			cfg.Gateway, cfg.Log = fmt.Sprintf("127.0.0.1:%d", gateway.port), quiet()
			goroutines, fds := runtime.NumGoroutine(), descriptors(t)
			named(t, cfg, tt.failure)
			nothingLeft(t, gateway.port, gateway.before, goroutines, fds)
			resets := gateway.resets.Load()
			counts := many(t, cfg, opens)
			nothingLeft(t, gateway.port, gateway.before, goroutines, fds)
			// A gateway that a busy machine holds up for longer than the 100 ms of
			// closing answers into a socket that is gone. How many opens got their
			// answers in time tells whether it was held up.
			hasty := gateway.resets.Load() - resets
			if punctual := counts[tt.failure] >= opens*9/10; resets > 0 || punctual && hasty > int64(opens/20) {
				t.Errorf("the gateway saw %d resets by who had time, and %d by others", resets, hasty)
			}
			t.Logf("failed as %v, %d resets", counts, hasty)
		})
	}
}

// leaksStay keeps the collector from closing, during the test, what the code
// forgot to close. A gigabyte is far more than a test needs.
func leaksStay(t *testing.T) {
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(1<<30)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
}

// taken returns a port at which nobody listens, nor can while the test runs: it
// is bound.
func taken(t *testing.T) uint64 {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(at.(*syscall.SockaddrInet4).Port)
}

func nothingLeft(t *testing.T, port uint64, before map[pair]uint64, goroutines, fds int) {
	t.Helper()
	if err := leftBehind(func() error {
		if now := runtime.NumGoroutine(); now > goroutines {
			return fmt.Errorf("%d goroutines, %d before", now, goroutines)
		}
		if now := descriptors(t); now > fds {
			return fmt.Errorf("%d descriptors, %d before", now, fds)
		}
		ours, theirs := sockets(t, port, before)
		total := 0
		for state, n := range ours {
			if total += n; state != tcpTimeWait && state != tcpFinWait2 {
				return fmt.Errorf("%d sockets of ours are in state %02x", n, state)
			}
		}
		for state, n := range theirs {
			if state != tcpTimeWait {
				return fmt.Errorf("the gateway has %d sockets in state %02x", n, state)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// A gateway that hangs does not even close when we do. Our side is then as good
// as gone, and the gateway's goes when it reads again.
func TestFailedOpensOfAGatewayThatReadsLater(t *testing.T) {
	needsProc(t)
	opens := 256
	if testing.Short() {
		opens = 64
	}
	t.Logf("%d opens, 64 at once", opens)
	wakes := make(chan struct{})
	gateway := gathers(t, func(*peer) { <-wakes })
	cfg := DefaultConfig()
	cfg.Gateway, cfg.Log = fmt.Sprintf("127.0.0.1:%d", gateway.port), quiet()
	named(t, cfg, broker.NoReply)
	t.Logf("failed as %v", many(t, cfg, opens))
	if err := leftBehind(func() error {
		ours, theirs := sockets(t, gateway.port, gateway.before)
		if len(ours) > 1 || ours[tcpFinWait2] == 0 {
			return fmt.Errorf("while the gateway hangs, our sockets by state are %v, theirs %v", ours, theirs)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	close(wakes)
	if err := leftBehind(func() error {
		if _, theirs := sockets(t, gateway.port, gateway.before); len(theirs) > 0 {
			return fmt.Errorf("after the gateway has read our end, its sockets by state are %v", theirs)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if n := gateway.resets.Load(); n > 0 {
		t.Errorf("the gateway saw %d resets", n)
	}
}

// A session, too, ends so that the gateway sees its end, and with force a
// reset; by no other way.
func TestHowASessionCloses(t *testing.T) {
	for name, force := range map[string]bool{"well": false, "forced": true} {
		t.Run(name, func(t *testing.T) {
			saw := make(chan error, 1)
			address := loopback(t, func(c net.Conn) {
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				p := &peer{t: t, conn: c, in: bufio.NewReader(c), v: 200}
				p.welcome()
				_, err := wire.ReadFrame(p.in, nil) // the session's end
				if !force {
					p.send(execution(-1, "crossed"))
				}
				saw <- err
			})
			cfg := DefaultConfig()
			cfg.Gateway, cfg.ClientID, cfg.Log, cfg.ForceDisconnect = address, 7, quiet(), force
			s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if s.Facts().ForceDisconnect != force {
				t.Error("the facts do not tell of the abrupt close")
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-saw; errors.Is(err, syscall.ECONNRESET) != force {
				t.Errorf("the gateway saw %v", err)
			}
			b, err := s.Events(t.Context())
			if crossed := slices.ContainsFunc(b.Events, func(e broker.Event) bool { _, ok := e.(broker.ExecutionReport); return ok }); crossed == force {
				t.Errorf("a report that crossed the closing: %+v, %v", b.Events, err)
			}
		})
	}
}

// Every end of a session has its word.
func TestEveryEndOfASessionIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		end     func(*peer)
		failure broker.Failure
		says    string
	}{
		"closed":       {func(*peer) {}, broker.SessionLost, "closed the connection"},
		"reset":        {func(p *peer) { p.conn.(lenient).reset() }, broker.SessionLost, "reset the connection"},
		"garbage":      {func(p *peer) { p.raw([]byte("HTTP/1.1 400")) }, broker.SessionBroken, "not the gateway's protocol"},
		"half a frame": {func(p *peer) { p.raw([]byte{0, 0, 0, 9, '4'}) }, broker.SessionLost, "closed the connection"},
		"moved":        {func(p *peer) { p.send(said(1300, "the new port - 4009")) }, broker.SessionLost, "4009"},
	} {
		t.Run(name, func(t *testing.T) {
			address := loopback(t, func(c net.Conn) {
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				p := &peer{t: t, conn: lenient{c.(*net.TCPConn)}, in: bufio.NewReader(c), v: 200}
				p.welcome()
				p.send(execution(-1, "before"))
				tt.end(p)
			})
			cfg := DefaultConfig()
			cfg.Gateway, cfg.ClientID, cfg.Log = address, 7, quiet()
			s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var e *broker.Error
			for {
				if _, err = s.Events(t.Context()); err != nil {
					break
				}
			}
			if !errors.As(err, &e) || !errors.Is(err, broker.ErrGatewayDown) || e.Failure != tt.failure || !strings.Contains(err.Error(), tt.says) || e.Advice == "" {
				t.Errorf("%v, failure %q, advice %q", err, e.Failure, e.Advice)
			}
			if (e.Frames != nil) != (tt.failure == broker.SessionBroken) {
				t.Errorf("%d frames", len(e.Frames))
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
