package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// build makes the program, once for all tests that run it.
func build(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go tool here, which builds the program: ", err)
	}
	path := filepath.Join(t.TempDir(), "gatewaysim")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// program is a running gatewaysim.
type program struct {
	cmd    *exec.Cmd
	addr   string
	market time.Time     // when it began to listen
	took   time.Duration // from its start to the line that it listens
}

func launch(t *testing.T, path string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(path, append([]string{"--listen", "127.0.0.1:0", "--json"}, args...)...)}
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	var told struct {
		Listen string    `json:"listen"`
		Market time.Time `json:"market_time"`
	}
	if err := json.NewDecoder(out).Decode(&told); err != nil {
		t.Fatalf("it does not listen: %v", err)
	}
	p.addr, p.market, p.took = told.Listen, told.Market, time.Since(began)
	return p
}

// kill ends it as a crash does.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// client speaks to it with nothing but the codec, and remembers what it was
// told.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	next int64

	orders  map[int64]string // order id to the last status told
	perms   map[int64]int64  // order id to perm id
	execs   map[string]string
	charges map[string]string // commissions by execution
	done    map[int64]bool    // perm ids of completed orders
	open    map[int64]bool    // order ids that openOrder told
}

func connect(t *testing.T, addr string, id int) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := &client{
		conn: conn, in: bufio.NewReader(conn), orders: map[int64]string{}, perms: map[int64]int64{},
		execs: map[string]string{}, charges: map[string]string{}, done: map[int64]bool{}, open: map[int64]bool{},
	}
	hello, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.ReadFrame(c.in, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.send(wire.StartAPI{ClientID: id}); err != nil {
		t.Fatal(err)
	}
	c.readUntil(t, func(m wire.Message) bool {
		n, ok := m.(wire.NextValidID)
		c.next = n.OrderID
		return ok
	})
	return c
}

func (c *client) send(m wire.Message) error {
	b, err := wire.AppendMessage(nil, m, 200)
	if err == nil {
		_, err = c.conn.Write(b)
	}
	return err
}

// read takes in one message.
func (c *client) read() (wire.Message, error) {
	payload, err := wire.ReadFrame(c.in, nil)
	if err != nil {
		return nil, err
	}
	m, err := wire.DecodeServer(200, payload)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case wire.OpenOrder:
		c.orders[m.OrderID], c.perms[m.OrderID], c.open[m.OrderID] = m.Status, m.PermID, true
	case wire.OrderStatus:
		c.orders[m.OrderID], c.perms[m.OrderID] = m.Status, m.PermID
	case wire.ExecDetails:
		c.execs[m.ExecID] = fmt.Sprintln(m.OrderID, m.PermID, m.Side, m.Shares, m.Price)
	case wire.CommissionReport:
		c.charges[m.ExecID] = m.Commission.String()
	case wire.CompletedOrder:
		c.done[m.Order.PermID] = true
	}
	return m, nil
}

func (c *client) readUntil(t *testing.T, end func(wire.Message) bool) {
	t.Helper()
	for {
		m, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if end(m) {
			return
		}
	}
}

// trade places and cancels orders until the connection ends.
func (c *client) trade(r *rand.Rand) {
	go func() { // ends with the connection
		for id := c.next; ; id++ {
			o := wire.NewPlaceOrder(id, wire.ContractOf(market.USStock("AAPL")))
			q := market.Shares(1 + r.Int64N(9))
			o.Action, o.TotalQuantity, o.OrderType, o.TIF = []string{"BUY", "SELL"}[r.IntN(2)], &q, "MKT", "DAY"
			if r.IntN(3) == 0 {
				o.OrderType, o.TIF, o.LmtPrice = "LMT", "GTC", market.MustPrice("1").Ptr()
				o.Action = "BUY"
			}
			if c.send(o) != nil {
				return
			}
			if r.IntN(6) == 0 && c.send(wire.CancelOrder{OrderID: id - r.Int64N(4)}) != nil {
				return
			}
		}
	}()
	for {
		if _, err := c.read(); err != nil {
			return
		}
	}
}

// Whenever the program is killed, what clients were told is there again after
// the next start: executions, commissions, orders and how they ended.
func TestKillAtAnyInstantForgetsNothingThatWasTold(t *testing.T) {
	path, dir := build(t), t.TempDir()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	args := []string{"--state", dir, "--max-rate", "0", "--cash", "1000000000"}
	told := 0
	var last time.Time
	for round := range rounds {
		p := launch(t, path, args...)
		if p.market.Before(last) {
			t.Fatalf("round %d: market time went back from %v to %v", round, last, p.market)
		}
		last = p.market
		c := connect(t, p.addr, 1)
		traded := make(chan struct{})
		go func() { defer close(traded); c.trade(rand.New(rand.NewPCG(seed, uint64(round)))) }()
		<-time.After(time.Duration(20+r.IntN(400)) * time.Millisecond) // the kill comes at any instant
		p.kill()
		<-traded
		_ = c.conn.Close()
		told += len(c.execs)

		p = launch(t, path, args...)
		compare(t, c, ask(t, p.addr))
		p.kill()
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
	if told == 0 {
		t.Error("no execution was told in any round: nothing was tested")
	}
	t.Logf("%d executions told", told)
}

// ask learns what the program knows after a restart.
func ask(t *testing.T, addr string) *client {
	t.Helper()
	c := connect(t, addr, 1)
	days := 7
	for _, m := range []wire.Message{wire.ReqExecutions{ReqID: 1, LastNDays: &days}, wire.ReqCompletedOrders{}, wire.ReqAllOpenOrders{}} {
		if err := c.send(m); err != nil {
			t.Fatal(err)
		}
	}
	c.orders, c.open = map[int64]string{}, map[int64]bool{}
	c.readUntil(t, func(m wire.Message) bool { _, end := m.(wire.OpenOrderEnd); return end })
	return c
}

func compare(t *testing.T, told, now *client) {
	t.Helper()
	for id, text := range told.execs {
		if now.execs[id] != text {
			t.Errorf("execution %s was told as %q, and is %q now", id, text, now.execs[id])
		}
	}
	for id, text := range told.charges {
		if now.charges[id] != text {
			t.Errorf("commission of %s was told as %q, and is %q now", id, text, now.charges[id])
		}
	}
	for id, status := range told.orders {
		perm := told.perms[id]
		open, ended := now.open[id], now.done[perm]
		switch {
		case id >= now.next:
			t.Errorf("order id %d was used, and %d is told to be free", id, now.next)
		case perm == 0 || status == "Inactive": // refused: it never was an order
		case !open && !ended:
			t.Errorf("order %d was told to be %s, and nobody knows it now", id, status)
		case open && (status == "Filled" || status == "Cancelled"):
			t.Errorf("order %d was told to be %s, and is open now", id, status)
		}
	}
}

func TestStartsFast(t *testing.T) {
	path := build(t)
	const want = 100 * time.Millisecond
	best := patience
	for n := 0; n < 5 || n < 50 && best > want; n++ { // a busy machine is slow now and then, a slow start always
		p := launch(t, path)
		best = min(best, p.took)
		c := connect(t, p.addr, 1)
		_ = c.conn.Close()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
	}
	t.Logf("from start to listening: %v", best)
	if best > want {
		t.Errorf("%v from start to listening, want %v at most", best, want)
	}
}

func TestTwoProgramsCannotShareAFolder(t *testing.T) {
	path, dir := build(t), t.TempDir()
	launch(t, path, "--state", dir)
	out, err := exec.Command(path, "--listen", "127.0.0.1:0", "--state", dir).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUnexpected {
		t.Errorf("the second ended with %v: %s", err, out)
	}
}
