package diag

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/services/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// machine is this machine, but for what differs from one to the other.
type machine struct{ *host.Machine }

func (machine) Clock() (host.Clock, error) {
	ok := true
	return host.Clock{Synchronized: &ok}, nil
}

// Unit is none: whether this machine has the service is not the test's matter.
func (machine) Unit(context.Context, string) (host.Unit, error) {
	return host.Unit{}, errors.ErrUnsupported
}

// Sockets leaves out what other tests with the same port have left behind.
func (m machine) Sockets(ctx context.Context, address string) (host.Sockets, error) {
	s, err := m.Machine.Sockets(ctx, address)
	for _, list := range []*[]host.Side{&s.Gateway, &s.Clients} {
		*list = slices.DeleteFunc(*list, func(side host.Side) bool {
			delete(side.States, host.TimeWait)
			return len(side.States) == 0
		})
	}
	return s, err
}

// Listening knows the asked port only: others may be in use by anybody.
func (m machine) Listening(ctx context.Context, ports ...int) ([]host.Port, error) {
	list, err := m.Machine.Listening(ctx, ports...)
	return slices.DeleteFunc(list, func(p host.Port) bool { return p.Port < 10_000 }), err
}

func (m machine) Gateways(ctx context.Context, address string) ([]host.Gateway, error) {
	e := m.Listener(ctx, address)
	if !e.Listening {
		return nil, nil
	}
	cpu, files, mem := 97.4, 120, uint64(900<<20)
	return []host.Gateway{{
		PID: e.PID, Process: "java", Product: "ibgateway", Version: "10.37", Told: "folder ibgateway/1037", Listens: true,
		Started: time.Now().Add(-3 * time.Hour), CPUPercent: &cpu, OpenFiles: &files, Memory: &mem, IBC: true,
	}}, nil
}

// counting is a listener that knows which of its connections ended without a
// byte of the client: the ones that hang a gateway.
type counting struct {
	net.Listener
	mu          sync.Mutex // guards what follows
	all, silent int
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.all++
	l.mu.Unlock()
	return &counted{Conn: c, l: l}, nil
}

type counted struct {
	net.Conn
	l    *counting
	once sync.Once
	mu   sync.Mutex // guards got
	got  int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	c.got += n
	c.mu.Unlock()
	return n, err
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.mu.Lock()
		got := c.got
		c.mu.Unlock()
		if got == 0 { // what lies in the socket was said, too
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
			got, _ = c.Conn.Read(make([]byte, 1))
		}
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		if got == 0 {
			c.l.silent++
		}
	})
	return c.Conn.Close()
}

func listen(t *testing.T) *counting {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &counting{Listener: ln}
}

// play starts a simulated gateway with a fault script and returns its address.
// At the test's end no connection may have come that did not speak.
func play(t *testing.T, script string) string {
	t.Helper()
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.DefaultConfig()
	if cfg.Faults, err = fault.Parse("test.faults", []byte(script)); err != nil {
		t.Fatal(err)
	}
	server, err := gateway.New(cfg, src, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	if err := server.Serve(ln); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
		ln.mu.Lock()
		defer ln.mu.Unlock()
		if ln.silent != 0 {
			t.Errorf("%d of %d connections closed without a byte", ln.silent, ln.all)
		}
	})
	return ln.Addr().String()
}

// hang plays a gateway that accepts, reads and never answers or closes, with
// dead connections left over from others.
func hang(t *testing.T, dead int) string {
	t.Helper()
	ln := listen(t)
	var held []net.Conn
	for range dead {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("API")); err != nil {
			t.Fatal(err)
		}
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		for _, c := range held {
			c.Close()
		}
		if ln.silent != 0 {
			t.Errorf("%d of %d connections closed without a byte", ln.silent, ln.all)
		}
	})
	return ln.Addr().String()
}

// TestTheCountIsTrue holds the rig itself: a bare connection is seen, one that
// speaks is not.
func TestTheCountIsTrue(t *testing.T) {
	ln := listen(t)
	defer ln.Close()
	for i, say := range []string{"", "API\x00"} {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if ln.all != i+1 || ln.silent != 1 {
			t.Errorf("after %d connections: %d counted, %d of them silent", i+1, ln.all, ln.silent)
		}
	}
}

// freeAddress is below the ports that systems give out by themselves (from 32768
// on), or another connection might have it a moment later.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprint("127.0.0.1:", 20000+rand.IntN(12000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			_ = ln.Close()
			return addr
		}
	}
	t.Fatal("none of a hundred ports is free")
	return ""
}

// folder makes a data folder as a trader does.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o700), os.WriteFile(filepath.Join(dir, "token"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// running plays a trader that runs with a data folder: its lock, its address
// and its answer. A nil link cannot be asked for.
func running(t *testing.T, dir string, link *broker.Link) {
	t.Helper()
	var state map[string]any
	if link != nil {
		state = map[string]any{"link": link}
	}
	tells(t, dir, state)
}

// tells makes a trader run in dir that answers with this state; nil does not
// answer at all.
func tells(t *testing.T, dir string, state map[string]any) {
	t.Helper()
	lock := flock.New(filepath.Join(dir, "lock"))
	if got, err := lock.TryLock(); !got || err != nil {
		t.Fatal(got, err)
	}
	t.Cleanup(func() {
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
	})
	p := Place{PID: os.Getpid()}
	if state != nil {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(map[string]any{"type": "snapshot", "data": state}); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(srv.Close)
		p.HTTP = srv.Listener.Addr().String()
	}
	b, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "trader.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hold takes a client id of the gateway until the test's end.
func hold(t *testing.T, address string, id int) {
	t.Helper()
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.ClientID, cfg.Log = address, id, quiet
	sess, err := ibkr.New(cfg).Open(t.Context(), broker.OpenConfig{AnyAccount: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := sess.Close(ctx); err != nil && !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
	})
}

// prober counts the handshakes by client id.
type tallied struct {
	ibkr.Prober
	mu  sync.Mutex // guards ids
	ids []int
}

func (p *tallied) Probe(ctx context.Context, gateway string, id int, timeout time.Duration) (broker.Facts, []broker.Rung, error) {
	p.mu.Lock()
	p.ids = append(p.ids, id)
	p.mu.Unlock()
	return p.Prober.Probe(ctx, gateway, id, timeout)
}

// enough bounds a handshake that hangs at a later rung: a busy machine is to
// climb the rungs before it meanwhile.
const enough = 1500 * time.Millisecond

// examined is what a doctor said and did.
type examined struct {
	Report
	text string
	ids  []int // of the handshakes
}

func examine(t *testing.T, q Question) examined {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the texts are those of Linux, whose kernel tells the most")
	}
	var text bytes.Buffer
	p := &tallied{Prober: ibkr.Prober{Log: quiet}}
	d := Doctor{Prober: p, Host: machine{host.New()}, rest: 50 * time.Millisecond, Progress: func(c Check) {
		if err := c.Text(&text); err != nil {
			t.Error(err)
		}
	}}
	if q.ClientID == 0 {
		q.ClientID = 1
	}
	if q.Timeout == 0 {
		q.Timeout = 3 * time.Second
	}
	if q.Folder == "" {
		q.Folder = folder(t)
	}
	q.SpareID = 9999
	r := d.Examine(t.Context(), q)
	if err := r.Conclusion(&text); err != nil {
		t.Error(err)
	}
	return examined{r, text.String(), p.ids}
}

// masks hide what differs from run to run.
var masks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(` +\d+\.\d+ ms`), " # ms"},
	{regexp.MustCompile(`took \d+ ms`), "took # ms"},
	{regexp.MustCompile(`process \d+`), "process #"},
	{regexp.MustCompile(`FIN_WAIT_1`), "FIN_WAIT_2"}, // the answer to a FIN may be delayed
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`(?m)^( +)\d{5}:`), "${1}PORT:"},
	{regexp.MustCompile(`[\d.]+ GiB free`), "# GiB free"},
	{regexp.MustCompile(`(/[\w.]+)*/Test\w+/\d+`), "DIR"},
	{regexp.MustCompile(`clock is [+-][\d.]+ s`), "clock is # s"},
	{regexp.MustCompile(`next order id \d+`), "next order id #"},
	{regexp.MustCompile(`since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "since TIME"},
}

func golden(t *testing.T, name string, e examined) {
	t.Helper()
	got := e.text
	for _, m := range masks {
		got = m.re.ReplaceAllString(got, m.with)
	}
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", file, diff)
	}
}

// linkAt is what a running trader tells.
func linkAt(state broker.LinkState, gateway string) *broker.Link {
	return &broker.Link{
		State: state, Since: time.Now(), Cause: "the gateway hangs", Advice: "restart it by hand",
		Facts: broker.Facts{Gateway: gateway, ClientID: 1},
	}
}
