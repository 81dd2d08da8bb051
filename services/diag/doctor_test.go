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
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
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
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
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
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
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

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
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
	if link != nil {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(map[string]any{"type": "snapshot", "data": map[string]any{"link": link}}); err != nil {
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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

func TestDoctor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(t *testing.T) Question
		exit  int
		ids   []int // the client ids of the handshakes
	}{
		{"well", func(t *testing.T) Question {
			return Question{Gateway: play(t, "seed 1"), Config: func() ([]string, error) { return []string{"file trader.yaml"}, nil }}
		}, 0, []int{1}},
		{"nobody_listens", func(t *testing.T) Question {
			return Question{Gateway: freeAddress(t), TryIDs: true, TryTimeouts: true, TryTWS: true}
		}, 10, []int{1}},
		{"hangs", func(t *testing.T) Question {
			return Question{Gateway: hang(t, 3), Timeout: 300 * time.Millisecond}
		}, 11, []int{1}},
		{"wedged", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on connection 1: wedge"), Timeout: 300 * time.Millisecond, TryIDs: true}
		}, 11, []int{1, 9999}},
		{"no_accounts", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: account list missing"), Timeout: 300 * time.Millisecond}
		}, 14, []int{1}},
		{"no_next_id", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: next id missing"), Timeout: 300 * time.Millisecond}
		}, 15, []int{1}},
		{"slow", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: ids late by 1100ms")}
		}, 0, []int{1}},
		{"id_in_use", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1")}
			hold(t, q.Gateway, 1)
			return q
		}, 13, []int{1, 9999}},
		{"bad_configuration", func(t *testing.T) Question {
			return Question{Gateway: play(t, "seed 1"), Config: func() ([]string, error) {
				return nil, errors.New("file t.yaml: run_for: \"x\" is not a duration\nbroker.name: \"y\" is neither sim nor ibkr")
			}}
		}, 1, []int{1}},
		{"trader_ready", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1"), Folder: folder(t)}
			hold(t, q.Gateway, 1)
			running(t, q.Folder, linkAt(broker.Ready, q.Gateway))
			return q
		}, 0, []int{9999}},
		{"trader_needs_restart", func(t *testing.T) Question {
			q := Question{Gateway: hang(t, 2), Folder: folder(t), TryIDs: true}
			running(t, q.Folder, linkAt(broker.NeedsRestart, q.Gateway))
			return q
		}, 1, nil},
		{"trader_not_asked", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1"), Folder: folder(t)}
			running(t, q.Folder, nil)
			return q
		}, 0, []int{9999}},
		{"before_a_start", func(t *testing.T) Question {
			q := Question{Instead: "the built-in simulated gateway", Folder: folder(t), Starts: true, HTTP: play(t, "seed 1")}
			running(t, q.Folder, linkAt(broker.Ready, "127.0.0.1:1"))
			return q
		}, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := examine(t, tt.given(t))
			if e.Exit != tt.exit {
				t.Errorf("exit %d, want %d:\n%s", e.Exit, tt.exit, e.text)
			}
			if diff := cmp.Diff(tt.ids, e.ids); diff != "" {
				t.Errorf("client ids of the handshakes: %s", diff)
			}
			golden(t, tt.name, e)
			for _, c := range e.Checks {
				if c.Started.IsZero() || c.Verdict == "" || c.Verdict == VerdictFailed && len(c.Advice) == 0 {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

// A gateway that hangs is asked once more by a person's word.
func TestForce(t *testing.T) {
	q := Question{Gateway: hang(t, 0), Folder: folder(t), Timeout: 200 * time.Millisecond, Force: true}
	running(t, q.Folder, linkAt(broker.NeedsRestart, q.Gateway))
	if e := examine(t, q); e.Exit != 11 || !slices.Equal(e.ids, []int{9999}) {
		t.Errorf("exit %d, handshakes with %v:\n%s", e.Exit, e.ids, e.text)
	}
}

func TestPlanned(t *testing.T) {
	q := Question{Gateway: "127.0.0.1:4002", ClientID: 1, SpareID: 9999}
	at := func(state broker.LinkState, gateway string, id int) trader {
		return trader{runs: true, link: &broker.Link{State: state, Facts: broker.Facts{Gateway: gateway, ClientID: id}}}
	}
	for _, tt := range []struct {
		name  string
		t     trader
		force bool
		id    int
		skip  bool
	}{
		{"no trader", trader{}, false, 1, false},
		{"one that cannot be asked", trader{runs: true}, false, 9999, false},
		{"ready", at(broker.Ready, q.Gateway, 1), false, 9999, false},
		{"ready elsewhere", at(broker.Ready, "127.0.0.1:4001", 1), false, 1, false},
		{"ready with another id", at(broker.Ready, q.Gateway, 2), false, 1, false},
		{"hangs elsewhere", at(broker.NeedsRestart, "127.0.0.1:4001", 1), false, 1, false},
		{"hangs", at(broker.NeedsRestart, q.Gateway, 1), false, 0, true},
		{"hangs, with another id", at(broker.NeedsRestart, q.Gateway, 2), false, 0, true},
		{"hangs, and a person says so", at(broker.NeedsRestart, q.Gateway, 1), true, 9999, false},
		{"waiting", at(broker.Waiting, q.Gateway, 1), false, 9999, false},
		{"not a try yet", at(broker.Connecting, "", 0), false, 9999, false},
		{"the same by its name", at(broker.Ready, "localhost:4002", 1), false, 9999, false},
		{"the same by another address", at(broker.Waiting, "[::1]:4002", 1), false, 9999, false},
		{"perhaps the same", at(broker.Ready, "192.0.2.7:4002", 1), false, 9999, false},
		{"the same by its name, with another id", at(broker.Ready, "localhost:4002", 2), false, 1, false},
		{"hangs, by its name", at(broker.NeedsRestart, "localhost:4002", 1), false, 0, true},
		{"another folder's", trader{seen: 7}, false, 9999, false},
	} {
		q.Force = tt.force
		if p := planned(q, tt.t); p.id != tt.id || p.skip != tt.skip || (tt.t.runs || tt.t.seen != 0) != (p.why != "") {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
}

func TestOffset(t *testing.T) {
	at := time.Date(2026, 4, 5, 21, 49, 26, 500e6, time.UTC)
	for _, tt := range []struct {
		told string
		want time.Duration
		ok   bool
	}{
		{"20260405 23:49:26 CET", 0, true},
		{"20260406 03:34:26 +0545", 0, true}, // Nepal
		{"20260405 23:49:36 \xd6\xd0", -10 * time.Second, true},
		{"20260405 16:49:20", 6 * time.Second, true},
		{"20260405 23:50:26 CET", -time.Minute, true},
		{"20260405", 0, false},
		{"20261305 23:49:26 CET", 0, false},
		{"", 0, false},
	} {
		got, ok := offsetOf(Probe{At: at, ConnectionTime: tt.told})
		if ok != tt.ok || got != tt.want {
			t.Errorf("%q: %v, %v; want %v, %v", tt.told, got, ok, tt.want, tt.ok)
		}
	}
	c := Check{Verdict: VerdictOK}
	checkOffset(&c, &Probe{At: at, ConnectionTime: "20260405 23:49:36 CET"})
	if c.Verdict != VerdictWarning {
		t.Errorf("ten seconds: %+v", c)
	}
}

// A step that hangs ends by its limit, and so does the report.
func TestStepThatHangs(t *testing.T) {
	release := make(chan struct{})
	done := make(chan struct{})
	c := run(t.Context(), "disk", 20*time.Millisecond, func(context.Context, *Check) { <-release; close(done) })
	close(release)
	<-done
	if c.Verdict != VerdictFailed || len(c.Found) != 1 || !strings.Contains(c.Found[0], "did not end within") {
		t.Errorf("%+v", c)
	}
}

func TestFolder(t *testing.T) {
	look := func(dir string) Check {
		return run(t.Context(), "data_folder", localWithin, func(ctx context.Context, c *Check) { checkFolder(ctx, c, dir, false) })
	}
	dir := folder(t)
	if c := look(dir); c.Verdict != VerdictOK {
		t.Errorf("%+v", c)
	}
	if c := look(filepath.Join(dir, "a", "b")); c.Verdict != VerdictOK || !strings.Contains(c.Found[0], "does not exist yet") {
		t.Errorf("%+v", c)
	}
	if c := look(filepath.Join(dir, "token")); c.Verdict != VerdictFailed {
		t.Errorf("%+v", c)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, "token"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if c := look(dir); c.Verdict != VerdictWarning || len(c.Advice) != 2 {
		t.Errorf("%+v", c)
	}
}

// The names are a contract with scripts.
func TestReportJSON(t *testing.T) {
	e := examine(t, Question{Gateway: play(t, "seed 1")})
	b, err := json.Marshal(e.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"gateway":"127.0.0.1:`, `"client_id":1`, `"exit":0`, `"do_not":["`, `"name":"handshake"`, `"verdict":"ok"`, `"took_ms":`,
		`"found":["`, `"advice":[]`, `"probe":{"gateway"`, `"sockets":{"queue":0`, `"version":"10.37"`, `"open_files":120`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	var names []string
	for _, c := range e.Checks {
		names = append(names, c.Name)
	}
	want := "configuration data_folder trader clock gateway_process sockets ports handshake gateway_clock"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("checks %s, want %s", got, want)
	}
	if n := strings.Count(mustRead(t, filepath.Join(e.Folder, "probes.jsonl")), "\n"); n != 1 {
		t.Errorf("%d handshakes recorded, want 1", n)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ExampleCheck_Text() {
	c := Check{Name: "data_folder", Verdict: VerdictWarning, TookMS: 0.25, Found: []string{"./data, mode 0755"}, Advice: []string{"chmod 700 ./data"}}
	if err := c.Text(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// warning  data folder               0.2 ms
	//            ./data, mode 0755
	//          → chmod 700 ./data
}
