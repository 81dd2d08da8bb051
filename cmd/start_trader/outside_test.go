package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// outsidePassword must stand in no log.
const outsidePassword = "hunter2hunter2"

// hostOf is a trader whose own strategy orders at each tick, and that listens for
// programs outside.
type hostOf struct {
	trader
	bus      string // address
	password string // file
}

func startHost(t *testing.T) hostOf {
	t.Helper()
	dir := t.TempDir()
	latency, err := os.ReadFile(filepath.Join("..", "..", "configs", "latency.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users", fmt.Sprintf("dip strategy %[1]s\npydip strategy %[1]s\nflood strategy %[1]s\nwatch observer %[1]s\n", outsidePassword))
	cfg := write("trader.yaml", string(latency)+"bus:\n  listen: 127.0.0.1:0\n  users_file: "+users+"\n")
	h := hostOf{password: write("password", outsidePassword+"\n")}
	h.trader = startTrader(t, "--config", cfg, "--strategy", "every_tick", "--sim-speed", "5", "--headless", "AAPL")
	listens := regexp.MustCompile(`msg=bus_listens address=(\S+)`)
	awaits(t, "the bus's address", 10*time.Second, func() (string, bool) {
		if m := listens.FindStringSubmatch(h.said.String()); m != nil {
			h.bus = m[1]
		}
		return "", h.bus != ""
	})
	awaitsReady(t, h.addr, 20*time.Second)
	return h
}

// flags are those of both examples: they buy at once and sell at once.
func (h hostOf) flags(user string, more ...string) []string {
	return append([]string{
		"--server", "nats://" + h.bus, "--user", user, "--password-file", h.password, "--window", "2", "--dip", "-5", "--gain", "-5",
	}, append(more, "AAPL")...)
}

// own counts the fills of the trader's own strategy.
func (h hostOf) own() int {
	return len(ownFill.FindAllString(h.said.String(), -1))
}

var ownFill = regexp.MustCompile(`msg=fill ref=AAPL-`)

// goesOn fails the test unless the trader's own strategy gets fills, from now.
func (h hostOf) goesOn(t *testing.T, what string) {
	t.Helper()
	before := h.own()
	awaits(t, "the trader's own orders "+what, 20*time.Second, func() (string, bool) {
		now := h.own()
		return fmt.Sprint(now-before, " fills"), now >= before+5
	})
}

// join connects as one of the users.
func (h hostOf) join(t *testing.T, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+h.bus, nats.UserInfo(user, outsidePassword), nats.CustomInboxPrefix("_INBOX."+user), nats.Timeout(5*time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TestProgramsOutside runs the examples against a trader as separate programs,
// and then everything that a bad one can do: the trader's own orders go on.
func TestProgramsOutside(t *testing.T) {
	t.Parallel()
	h := startHost(t)
	p := start(t, "dip", h.flags("dip", "--rounds", "1")...)
	p.ends(t, 0, 30*time.Second)
	p.says(t, `"side":"BUY"`, `"side":"SELL"`, `"event":"done"`)
	h.pythonExample(t)
	h.goesOn(t, "beside the examples")

	h.neverReads(t)
	h.garbage(t)
	h.flood(t)
	h.goesOn(t, "in a flood, with garbage and beside a program that does not read")

	for range 2 { // in mid-order: it has asked, and nobody knows how far that is
		d := start(t, "dip", h.flags("dip")...)
		awaits(t, "the example asks for orders", 20*time.Second, func() (string, bool) {
			return d.said.String(), strings.Contains(d.said.String(), `"event":"asked"`)
		})
		d.signal(t, syscall.SIGKILL)
		<-d.done
	}
	h.goesOn(t, "after kill -9 of the example")
	if status, r := ready(h.addr); status != 200 {
		t.Errorf("/readyz is %d: %+v", status, r)
	}
	ends := h.hearsTheEnd(t)
	h.signal(t, syscall.SIGTERM)
	h.stoppedWell(t)
	select {
	case link := <-ends:
		if link != broker.Stopped.String() {
			t.Errorf("the link is %q when programs outside hear that the trader stops: they miss how the desk winds down", link)
		}
	case <-time.After(10 * time.Second):
		t.Error("programs outside do not hear that the trader stops")
	}
	h.booked(t)
	if strings.Contains(h.said.String(), outsidePassword) {
		t.Error("the log holds a password")
	}
}

// hearsTheEnd listens as an observer. It tells the link's last state when the
// trader says that it stops.
func (h hostOf) hearsTheEnd(t *testing.T) <-chan string {
	t.Helper()
	nc := h.join(t, "watch")
	ends := make(chan string, 1)
	link := ""                         // of the goroutine that hears
	all := make(chan *nats.Msg, 1<<10) // of both subjects, in the order in which they came
	for _, topic := range []string{event.Link.Name, event.Bus.Name} {
		if _, err := nc.ChanSubscribe(event.Subject("main", topic), all); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	hear := func(m *nats.Msg) {
		var told event.Message[struct {
			State string `json:"state"`
		}]
		if err := json.Unmarshal(m.Data, &told); err != nil {
			t.Errorf("%s: %v", m.Subject, err)
		}
		switch {
		case m.Subject == event.Subject("main", event.Link.Name):
			link = told.Data.State
		case m.Subject == event.Subject("main", event.Bus.Name) && told.Data.State == event.BusStopped:
			ends <- link
		}
	}
	go func() { // ends with the test
		for {
			select {
			case m := <-all:
				hear(m)
			case <-t.Context().Done():
				return
			}
		}
	}()
	return ends
}

// pythonExample runs the Python program where there is Python. nats-py is not
// needed: natsmini.py beside it does.
func (h hostOf) pythonExample(t *testing.T) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("no python3 here: scripts/examples/python/dip.py was not run")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, python, append([]string{"-B", filepath.Join("..", "..", "scripts", "examples", "python", "dip.py")}, h.flags("pydip", "--rounds", "1")...)...)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"side": "SELL"`) || !strings.Contains(string(out), `"event": "done"`) {
		t.Errorf("the Python example: %v\n%s", err, out)
	}
}

// neverReads joins, subscribes to the ticks, and reads nothing until the test's
// end.
func (h hostOf) neverReads(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", h.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "CONNECT {\"user\":\"watch\",\"pass\":%q,\"verbose\":false}\r\n", outsidePassword)
	for _, topic := range []string{event.Tick.Name + ".*", event.Order.Name, event.Fill.Name, event.Decision.Name} {
		fmt.Fprintf(c, "SUB trader.main.%s %d\r\n", topic, len(topic))
	}
}

// garbage speaks bytes that are no NATS, and requests that are no requests.
func (h hostOf) garbage(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", h.bus)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte(strings.Repeat("\x00\xffPUB -1 x\r\n", 1000))) // it may be cut off
	_ = c.Close()
	nc := h.join(t, "flood")
	for _, body := range []string{"", "{", "[]", `{"data":{"qty":1e400}}`, strings.Repeat("[", 10000), strings.Repeat("x", 1<<20)} {
		m, err := nc.Request(event.OrderFrom("main", "flood"), []byte(body), 10*time.Second)
		if err != nil {
			t.Errorf("%.20q is not answered: %v", body, err)
			continue
		}
		var a event.Message[event.OrderReply]
		if err := json.Unmarshal(m.Data, &a); err != nil || a.Data.Result != event.Invalid && a.Data.Rule != "invalid" {
			t.Errorf("%.20q is answered %s", body, m.Data)
		}
	}
	for _, topic := range []string{event.DeskState.Name, event.HistoryRequest.Name} {
		if m, err := nc.Request(event.Subject("main", topic), []byte("{"), 10*time.Second); err != nil || !strings.Contains(string(m.Data), `"error"`) {
			t.Errorf("%s with garbage: %v", topic, err)
		}
	}
}

// flood asks for 5,000 orders as fast as it can, and counts the answers.
func (h hostOf) flood(t *testing.T) {
	t.Helper()
	nc := h.join(t, "flood")
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	_ = sub.SetPendingLimits(-1, -1)
	const n = 5000
	for i := range n {
		in := order.Intent{
			ID: fmt.Sprint("flood:", i), Action: order.Place, Strategy: "flood", Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day,
			Qty: market.Shares(1), At: time.Now(),
		}
		raw, err := json.Marshal(event.Message[order.Intent]{Pub: "flood", At: time.Now(), Data: in})
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest(event.OrderFrom("main", "flood"), inbox, raw); err != nil {
			t.Fatal(err)
		}
	}
	busy, other := 0, 0
	for busy+other < n {
		m, err := sub.NextMsg(5 * time.Second)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Data), `"rule":"busy"`) {
			busy++
		} else {
			other++
		}
	}
	if busy < n/2 || other == 0 || other > n/10 {
		t.Errorf("of %d requests %d were refused as busy and %d not", n, busy, other)
	}
}

// booked holds the journal's orders of programs outside against its
// executions: each id went out once, and what it filled is what was executed.
func (h hostOf) booked(t *testing.T) {
	t.Helper()
	filled := map[string]market.Qty{}
	for _, e := range table(t, export(t, h.data, "executions")) {
		q, err := market.ParseQty(e["qty"])
		if err != nil {
			t.Fatal(err)
		}
		filled[e["ref"]] = filled[e["ref"]].Add(q)
	}
	seen := map[string]bool{}
	for _, o := range table(t, export(t, h.data, "orders")) {
		ref := o["ref"]
		if name, _, outside := strings.Cut(ref, ":"); !outside || name != "dip" && name != "pydip" && name != "flood" {
			continue
		}
		if seen[ref] {
			t.Errorf("order %s is there twice", ref)
		}
		seen[ref] = true
		if got := filled[ref].String(); got != o["filled"] || o["state"] == "unknown" {
			t.Errorf("order %s is %s with %s filled, and %s was executed", ref, o["state"], o["filled"], got)
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %d orders of programs outside are in the journal", len(seen))
	}
}

// TestBusFaults: a bus that cannot be is a fault of the configuration, told
// whole and without a secret.
func TestBusFaults(t *testing.T) {
	t.Parallel()
	open := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(open, []byte("every_tick strategy "+outsidePassword), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"a listener without users":     {[]string{"--bus-listen", "127.0.0.1:0"}, []string{"bus.listen", "bus.users_file"}},
		"a cluster without a login":    {[]string{"--bus", "nats://127.0.0.1:4222"}, []string{"bus.url", "needs exactly one of"}},
		"a name of the trader's own":   {[]string{"--bus-listen", "127.0.0.1:0", "--config", config(t, "bus: {users_file: "+open+"}")}, []string{"bus.users_file", "every_tick"}},
		"a file that is not there":     {[]string{"--bus", "nats://127.0.0.1:4222", "--config", config(t, "bus: {token_file: /nowhere/token}")}, []string{"bus.token_file", "/nowhere/token"}},
		"a password in the URL itself": {[]string{"--bus", "nats://me:" + outsidePassword + "@127.0.0.1:4222"}, []string{"process lists"}},
	} {
		p := start(t, "start_trader", append(tt.args, "--http", "off", "AAPL")...)
		p.ends(t, exitConfig, 20*time.Second)
		p.says(t, tt.want...)
		if strings.Contains(p.said.String(), outsidePassword) {
			t.Errorf("%s: a secret is shown", name)
		}
	}
}

func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trader.yaml")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestClusterAway starts with a cluster that nobody serves: the trader is up
// and trades, says what is missing, and stops in order.
func TestClusterAway(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(outsidePassword), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := freeAddr(t)
	tr := startTrader(t, "--strategy", "every_tick", "--sim-speed", "5", "--bus", "nats://"+nobody, "--config", config(t, "bus: {token_file: "+token+"}"), "AAPL")
	awaits(t, "the trouble is told", 20*time.Second, func() (string, bool) {
		status, body := get(tr.addr, "/readyz")
		return body, status == 200 && strings.Contains(body, `"ready":false`) && strings.Contains(body, "bus connecting since") && strings.Contains(body, `"state":"ready"`)
	})
	if _, body := get(tr.addr, "/api/state"); !strings.Contains(body, `"bus":{"state":"connecting"`) {
		t.Errorf("the page is not told of the bus: %.2000s", body)
	}
	awaits(t, "a fill", 20*time.Second, func() (string, bool) { return "", ownFill.MatchString(tr.said.String()) })
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
	tr.says(t, "bus_connecting")
}
