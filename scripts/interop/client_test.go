package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
	"robotrader/broker/sim"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// Highest is the highest server version that the client offers.
const highest = 193

// The market that is played. A second source made of the same numbers is the
// oracle of what the client has to hear.
var (
	opening = time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	symbols = []market.Symbol{"AAPL", "MSFT"}
)

const (
	seed    = 7
	account = "DU7654321"
)

func source(t *testing.T) tape.Source {
	t.Helper()
	src, err := sim.Source(nil, symbols, seed, opening)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// start runs a lock-step gateway: market time moves only when a test says so.
func start(t *testing.T, change func(*gateway.Config)) *gateway.Server {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.Speed, cfg.Instance, cfg.ServerVersion = 0, 1, highest
	if change != nil {
		change(&cfg)
	}
	s, err := gateway.New(cfg, source(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// event is one that the client has decoded.
type event struct {
	Name string            `json:"event"`
	Args []json.RawMessage `json:"args"`
}

func (e event) String() string {
	parts := make([]string, len(e.Args))
	for i, a := range e.Args {
		parts[i] = string(a)
	}
	return e.Name + "(" + strings.Join(parts, ", ") + ")"
}

// text is an argument as a number or a text; "" when there is none.
func (e event) text(i int) string {
	if i >= len(e.Args) || string(e.Args[i]) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(e.Args[i], &s) == nil {
		return s
	}
	return string(e.Args[i])
}

func (e event) int(i int) int {
	n, err := strconv.Atoi(e.text(i))
	if err != nil {
		return -1 << 31
	}
	return n
}

// field is a field of an argument that is an object, as text.
func (e event) field(i int, name string) string {
	if i >= len(e.Args) {
		return ""
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(e.Args[i], &o) != nil {
		return ""
	}
	return event{Args: []json.RawMessage{o[name]}}.text(0)
}

// client is the foreign client in a process of its own.
type client struct {
	t   *testing.T
	s   *gateway.Server
	in  io.WriteCloser
	id  int
	out chan event

	version int

	mu   sync.Mutex // guards seen, which the failing test prints
	seen []event    // not taken yet, oldest first
	all  []event
}

// missing says why the client cannot run here, "" when it can.
func missing() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is missing: install Node 20 or newer"
	}
	if _, err := os.Stat("node_modules/@stoqey/ib/package.json"); err != nil {
		return "the client is not installed: run scripts/interop.sh"
	}
	return ""
}

// connect starts the client against the gateway and waits until it has both
// ids.
func connect(t *testing.T, s *gateway.Server, id int) *client {
	t.Helper()
	if why := missing(); why != "" {
		if os.Getenv("REQUIRE_INTEROP") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", "client.mjs", port, strconv.Itoa(id))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, s: s, in: in, id: id, out: make(chan event, 1<<16)}
	read := make(chan error, 1)
	go func() { read <- c.read(out) }()
	t.Cleanup(func() {
		_ = in.Close() // it leaves
		timer := time.AfterFunc(patience, cancel)
		defer cancel()
		if err := errors.Join(<-read, cmd.Wait()); err != nil || !timer.Stop() {
			t.Errorf("the client ended with %v; it says %q", err, complaints.String())
		}
		if t.Failed() {
			t.Logf("it complains %q and has decoded, last:%s", complaints.String(), c.tail(60))
		}
	})
	c.wait("managedAccounts", nil)
	c.wait("nextValidId", nil)
	c.version = c.wait("server", nil).int(0)
	return c
}

func (c *client) read(out io.Reader) error {
	defer close(c.out)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("line %.80q: %w", lines.Bytes(), err)
		}
		c.mu.Lock()
		c.all = append(c.all, e)
		c.mu.Unlock()
		c.out <- e
	}
	return lines.Err()
}

func (c *client) tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, e := range c.all[max(0, len(c.all)-n):] {
		fmt.Fprintf(&b, "\n\t%.400s", e)
	}
	return b.String()
}

// do lets the client call a method; nil arguments are undefined there.
func (c *client) do(op string, args ...any) {
	c.t.Helper()
	if args == nil {
		args = []any{}
	}
	line, err := json.Marshal(map[string]any{"op": op, "args": args})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("%s: %v", op, err)
	}
	c.wait("done", func(e event) bool { return e.text(0) == op })
}

// wait takes the oldest event of that name which matches; a nil match takes
// any. Events before it stay for others to take.
func (c *client) wait(name string, match func(event) bool) event {
	c.t.Helper()
	for i, e := range c.seen {
		if e.Name == name && (match == nil || match(e)) {
			c.seen = append(c.seen[:i:i], c.seen[i+1:]...)
			return e
		}
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case e, ok := <-c.out:
			switch {
			case !ok:
				c.t.Fatalf("the client ended before %s", name)
			case e.Name == name && (match == nil || match(e)):
				return e
			}
			c.seen = append(c.seen, e)
		case <-deadline.C:
			c.t.Fatalf("no %s within %v", name, patience)
		}
	}
}

// take takes all events of that name that came so far.
func (c *client) take(name string) []event {
	var list, rest []event
	for _, e := range c.seen {
		if e.Name == name {
			list = append(list, e)
		} else {
			rest = append(rest, e)
		}
	}
	c.seen = rest
	return list
}

// settle waits until all that the gateway has written is decoded: the answer
// to a request made now comes after it.
func (c *client) settle() {
	c.t.Helper()
	c.do("reqIds", 1)
	c.wait("nextValidId", nil)
}

// pace moves market time by n instants.
func (c *client) pace(n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range n {
		if _, err := c.s.Pacer(c.id).Next(ctx); err != nil {
			c.t.Fatal(err)
		}
	}
}

func about(reqID int) func(event) bool {
	return func(e event) bool { return e.int(0) == reqID }
}

func stock(symbol string) map[string]any {
	return map[string]any{"symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD"}
}
