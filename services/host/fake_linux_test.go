package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fake is a /proc tree that a test makes.
type fake struct {
	t    *testing.T
	root string
	tcp  []string
	tcp6 []string
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, root: t.TempDir()}
	f.write("stat", "cpu  1 2 3 4 5 6 7 8 9 10\nbtime 1775000000\n")
	f.tables()
	return f
}

func (f *fake) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		f.t.Fatal(err)
	}
}

// row adds a line to a table: the addresses as the kernel writes them.
func (f *fake) row(local, remote string, state int, queue, uid, inode uint64) {
	line := fmt.Sprintf("%4d: %s %s %02X 00000000:%08X 00:00000000 00000000 %5d        0 %d 1 0 100 0 0 10 0", len(f.tcp), local, remote, state, queue, uid, inode)
	if len(local) > len("0100007F:0FA2") {
		f.tcp6 = append(f.tcp6, line)
	} else {
		f.tcp = append(f.tcp, line)
	}
	f.tables()
}

func (f *fake) clear() { f.tcp, f.tcp6 = nil, nil; f.tables() }

func (f *fake) tables() {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	f.write("net/tcp", head+strings.Join(append(f.tcp, ""), "\n"))
	f.write("net/tcp6", head+strings.Join(append(f.tcp6, ""), "\n"))
}

// run adds a process that holds sockets.
func (f *fake) run(pid, ppid int, name string, start uint64, args []string, inodes ...uint64) {
	f.t.Helper()
	dir := fmt.Sprint(pid)
	if err := os.RemoveAll(filepath.Join(f.root, dir)); err != nil {
		f.t.Fatal(err)
	}
	zeros := strings.Repeat("0 ", 15)
	f.write(dir+"/stat", fmt.Sprintf("%d (%s) S %d %s1 0 %d %s\n", pid, name, ppid, zeros, start, strings.Repeat("0 ", 30)))
	f.write(dir+"/status", fmt.Sprintf("Name:\t%s\nPid:\t%d\nPPid:\t%d\n", name, pid, ppid))
	f.write(dir+"/comm", name+"\n")
	f.write(dir+"/statm", "1000 500 100 1 0 100 0\n")
	f.write(dir+"/cmdline", strings.Join(append(args, ""), "\x00"))
	fd := filepath.Join(f.root, dir, "fd")
	if err := os.MkdirAll(fd, 0o755); err != nil {
		f.t.Fatal(err)
	}
	for i, inode := range inodes {
		if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(fd, fmt.Sprint(i+3))); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fake) machine() *Machine {
	m := with(system(f.root))
	m.own = func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("192.168.1.5")}, nil }
	m.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "localhost":
			return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")}, nil
		case "far":
			return []netip.Addr{netip.MustParseAddr("10.9.9.9")}, nil
		}
		return nil, errors.New("no such host")
	}
	return m
}

// Addresses as /proc/net/tcp writes them; port 4002 is 0FA2.
const (
	any4   = "00000000:0FA2"
	loop4  = "0100007F:0FA2"
	lan4   = "0501A8C0:0FA2"
	any6   = "00000000000000000000000000000000:0FA2"
	none4  = "00000000:0000"
	none6  = "00000000000000000000000000000000:0000"
	peer   = "0100007F:C001"
	peer2  = "0100007F:C002"
	loop46 = "0000000000000000FFFF00000100007F:0FA2" // ::ffff:127.0.0.1
	peer46 = "0000000000000000FFFF00000100007F:C001"
)

func TestListener(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		given         func(f *fake)
		readable      bool
		listening     bool
		inode, queue  uint64
		closeWait     int
		pid           int
		why           string
	}{
		{name: "nobody", address: "127.0.0.1:4002", readable: true},
		{name: "on loopback", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(loop4, none4, 10, 37, 1000, 501)
			f.run(77, 1, "java", 5, nil, 501)
		}, readable: true, listening: true, inode: 501, queue: 37, pid: 77},
		{name: "Java listens on every address of both kinds", address: "localhost:4002", given: func(f *fake) {
			f.row(any6, none6, 10, 0, 1000, 502)
			f.row(loop46, peer46, 8, 1, 1000, 601)
			f.row(loop46, peer46, 8, 1, 1000, 0)
			f.row(loop46, peer46, 1, 1, 1000, 602)
			f.run(77, 1, "java", 5, nil, 502, 601)
		}, readable: true, listening: true, inode: 502, closeWait: 2, pid: 77},
		{name: "the address itself before every address", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(any6, none6, 10, 0, 0, 503)
			f.row(any4, none4, 10, 0, 0, 504)
			f.row(loop4, none4, 10, 0, 0, 505)
		}, readable: true, listening: true, inode: 505},
		{name: "on another address of this machine only", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(lan4, none4, 10, 0, 0, 506)
		}, readable: true},
		{name: "the address of an interface", address: "192.168.1.5:4002", given: func(f *fake) {
			f.row(lan4, none4, 10, 0, 0, 506)
		}, readable: true, listening: true, inode: 506},
		{name: "a process that cannot be seen", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(loop4, none4, 10, 0, 1000, 501)
		}, readable: true, listening: true, inode: 501},
		{name: "another machine", address: "10.1.1.1:4002", why: "on another machine"},
		{name: "another machine by name", address: "far:4002", why: "on another machine"},
		{name: "no such name", address: "nowhere:4002", why: "no such host"},
		{name: "no address", address: "nonsense", why: "missing port"},
		{name: "no port", address: "127.0.0.1:0", why: "not between 1 and 65535"},
		{name: "a forwarder", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(loop4, none4, 10, 0, 1000, 501)
			f.run(77, 1, "socat", 5, nil, 501)
		}, why: "behind the forwarder socat"},
		{name: "a forwarder of another user", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(any4, none4, 10, 0, 0, 501)
			f.run(77, 1, "docker-proxy", 5, []string{"/usr/bin/docker-proxy", "-host-port", "4002", "-container-port", "4004"})
		}, why: "behind the forwarder docker-proxy"},
		{name: "a forwarder of another port", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(any4, none4, 10, 0, 0, 501)
			f.run(77, 1, "docker-proxy", 5, []string{"docker-proxy", "-host-port", "5432"})
		}, readable: true, listening: true, inode: 501},
		{name: "the kernel passes it on", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(peer, loop4, 1, 0, 0, 601)
		}, why: "the kernel passes them on"},
		{name: "a connection that both ends have here, and nobody listens any more", address: "127.0.0.1:4002", given: func(f *fake) {
			f.row(peer, loop4, 1, 0, 0, 601)
			f.row(loop4, peer, 8, 0, 0, 602)
		}, readable: true},
		{name: "tables that cannot be parsed", address: "127.0.0.1:4002", given: func(f *fake) {
			f.write("net/tcp", "nonsense\n")
		}, why: "does not begin as it should"},
		{name: "a row that cannot be parsed", address: "127.0.0.1:4002", given: func(f *fake) {
			f.write("net/tcp", "  sl  local_address\n   0: 0100007F:0FA2 x\n")
		}, why: "columns, want at least 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			if tt.given != nil {
				tt.given(f)
			}
			e := f.machine().Listener(t.Context(), tt.address)
			if e.Readable != tt.readable || e.Listening != tt.listening || e.Inode != tt.inode ||
				e.Queue != tt.queue || e.CloseWait != tt.closeWait || e.PID != tt.pid {
				t.Errorf("%+v", e)
			}
			if !strings.Contains(e.Why, tt.why) || (tt.why == "") != (e.Why == "") {
				t.Errorf("why %q, want %q", e.Why, tt.why)
			}
		})
	}
}

// What a link asks every second: is it another gateway now? The same process
// must never look like another one, and another one always must.
func TestListenerOverTime(t *testing.T) {
	f := newFake(t)
	m := f.machine()
	f.row(loop4, none4, 10, 0, 1000, 501)
	f.run(77, 1, "java", 5, nil, 501)
	before := m.Listener(t.Context(), "127.0.0.1:4002")
	if before.Started.IsZero() || before.Process != "java" {
		t.Fatalf("%+v", before)
	}
	differs := func(want bool, what string) {
		t.Helper()
		now := m.Listener(t.Context(), "127.0.0.1:4002")
		if why, got := now.Differs(before); got != want {
			t.Errorf("%s: differs %v (%s), want %v: %+v", what, got, why, want, now)
		}
		before = now
	}
	differs(false, "nothing happened")
	f.write("stat", "cpu  1 2 3 4 5 6 7 8 9 10\nbtime 1775000001\n")
	differs(false, "the clock was set, and the boot's time of day with it")
	f.clear()
	differs(false, "gone")
	f.row(loop4, none4, 10, 0, 1000, 502)
	f.run(77, 1, "java", 5, nil, 502)
	differs(true, "back")
	f.clear()
	f.row(loop4, none4, 10, 0, 1000, 503)
	f.run(77, 1, "java", 5, nil, 503)
	differs(true, "listened on anew by the same process")
	f.run(77, 1, "java", 9, nil, 503)
	differs(true, "another process with the same number took the socket over")
	f.run(77, 1, "java", 9, nil)
	f.run(78, 1, "java", 10, nil, 503)
	m.known[503] = owner{} // seen long ago
	differs(true, "another process")
}

// An owner that cannot be seen is not sought every second.
func TestUnseenOwnerIsRemembered(t *testing.T) {
	f := newFake(t)
	m := f.machine()
	f.row(loop4, none4, 10, 0, 1000, 501)
	for range 3 {
		if e := m.Listener(t.Context(), "127.0.0.1:4002"); e.PID != 0 {
			t.Fatalf("%+v", e)
		}
		f.run(77, 1, "java", 5, nil, 501) // it shows up
	}
	o := m.known[501]
	o.read = time.Now().Add(-unseenFor)
	m.known[501] = o
	if e := m.Listener(t.Context(), "127.0.0.1:4002"); e.PID != 77 {
		t.Errorf("after %v: %+v", unseenFor, e)
	}
}

func TestListenerKeepsItsDeadline(t *testing.T) {
	f := newFake(t)
	f.row(loop4, none4, 10, 0, 1000, 501)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e := f.machine().Listener(ctx, "127.0.0.1:4002"); e.Readable || !strings.Contains(e.Why, "canceled") {
		t.Errorf("%+v", e)
	}
}

func TestSockets(t *testing.T) {
	f := newFake(t)
	f.row(loop4, none4, 10, 2, 1000, 501)
	f.row(loop4, peer, 8, 0, 1000, 601)
	f.row(loop4, peer2, 8, 0, 0, 0) // in the queue
	f.row(loop4, "0100007F:C003", 1, 0, 1000, 602)
	f.row(peer, loop4, 5, 0, 0, 0)
	f.row("0100007F:C003", loop4, 1, 0, 0, 603)
	f.row("0100007F:C004", loop4, 6, 0, 0, 0)
	f.row("0501A8C0:C005", "09090909:0FA2", 1, 0, 0, 604) // to another machine's 4002
	f.row("0100007F:0FA3", none4, 10, 0, 0, 502)
	f.run(77, 1, "java", 5, nil, 501, 601, 602)
	f.run(88, 1, "start_trader", 6, nil, 603)
	got, err := f.machine().Sockets(t.Context(), "127.0.0.1:4002")
	if err != nil {
		t.Fatal(err)
	}
	want := Sockets{
		Queue: 2,
		Gateway: []Side{
			{PID: 77, Process: "java", States: States{CloseWait: 1, Established: 1}},
			{States: States{CloseWait: 1}},
		},
		Clients: []Side{
			{States: States{FinWait2: 1, TimeWait: 1}},
			{PID: 88, Process: "start_trader", States: States{Established: 1}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := got.Count(CloseWait); n != 2 {
		t.Errorf("%d in CLOSE_WAIT, want 2", n)
	}
	if _, err := f.machine().Sockets(t.Context(), "far:4002"); !errors.Is(err, errElsewhere) {
		t.Errorf("another machine: %v", err)
	}
}

func TestListening(t *testing.T) {
	f := newFake(t)
	f.row(any6, none6, 10, 0, 1000, 501)
	f.row("0100007F:1D49", none4, 10, 0, 1000, 502) // 7497
	f.row(loop4, peer, 1, 0, 1000, 601)
	f.run(77, 1, "java", 5, nil, 501)
	f.run(78, 1, "socat", 5, nil, 502)
	got, err := f.machine().Listening(t.Context(), 4001, 4002, 7496, 7497)
	if err != nil {
		t.Fatal(err)
	}
	want := []Port{
		{Port: 4002, Address: "::", PID: 77, Process: "java"},
		{Port: 7497, Address: "127.0.0.1", PID: 78, Process: "socat", Forwarder: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := f.machine().Listening(t.Context(), 0); err == nil {
		t.Error("port 0 has a listener")
	}
}

func TestGatewaysOfAFakeMachine(t *testing.T) {
	f := newFake(t)
	f.row(loop4, none4, 10, 0, 1000, 501)
	f.run(50, 1, "ibcstart.sh", 3, []string{"/bin/bash", "/opt/ibc/scripts/ibcstart.sh", "1037", "--pw=secret"})
	f.run(60, 1, "vim", 4, []string{"vim", "/home/trader/Jts/ibgateway/1037/x"})
	f.run(70, 1, "java", 4, []string{"java", "-cp", "/home/trader/Jts/1030/jars/jts4launch-1030.jar", "jclient.LoginFrame"})
	f.run(77, 50, "java", 5, []string{"java", "-cp", "/home/trader/Jts/ibgateway/1037/jars/jts4launch-1037.jar", "ibcalpha.ibc.IbcGateway", "c.ini", "me", "secret"}, 501, 601)
	got, err := f.machine().Gateways(t.Context(), "127.0.0.1:4002")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	g := got[0]
	if g.PID != 77 || !g.Listens || g.Version != "10.37" || g.Product != "ibgateway" || !g.IBC || g.Parent != "ibcstart.sh" {
		t.Errorf("%+v", g)
	}
	if g.OpenFiles == nil || *g.OpenFiles != 2 || g.Memory == nil || *g.Memory != 500*uint64(os.Getpagesize()) || g.CPUPercent == nil || *g.CPUPercent != 0 {
		t.Errorf("open files %v, memory %v, CPU %v", g.OpenFiles, g.Memory, g.CPUPercent)
	}
	if g = got[1]; g.PID != 70 || g.Listens || g.Version != "10.30" || g.Product != "tws" || g.IBC {
		t.Errorf("%+v", g)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "secret") {
		t.Errorf("a password is told: %s", text)
	}
}

// Whatever a table holds, its rows are read or named, and a row that is written
// reads the same.
func FuzzParseRow(f *testing.F) {
	for _, row := range []string{
		"   0: 0100007F:0FA2 00000000:0000 0A 00000000:00000025 00:00000000 00000000  1000        0 501 1 0 100 0 0 10 0",
		"   1: " + loop46 + " " + peer46 + " 08 00000001:00000001 00:00000000 00000000     0        0 0 2 0",
		"   2: 0100007F:0FA2 x", "", "0: : : : : : : : : :", "0: 01:0 02:0 FF a:b c d e f g",
	} {
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row string) {
		s, err := parseRow(row)
		if err != nil {
			return
		}
		if !s.local.Addr().IsValid() || !s.remote.Addr().IsValid() || s.local.Addr().Is4In6() {
			t.Errorf("%q is read as %+v", row, s)
		}
	})
}
