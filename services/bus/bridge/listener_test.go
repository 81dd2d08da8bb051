package bridge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// listening returns a trader that listens, with strategies dip and flood and an
// observer.
func listening(t testing.TB, change func(*bus.Config)) *trader {
	t.Helper()
	cfg := bus.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.UsersFile = file(t, "users", "# who may join\n\ndip strategy "+secretWord+"\nflood strategy "+secretWord+"\nwatch observer "+secretWord+"\n")
	if change != nil {
		change(&cfg)
	}
	r := newTrader(t, cfg, "DU1")
	r.up(t)
	return r
}

// guest joins a listening trader as one of its users.
func (r *trader) guest(t testing.TB, user string, more ...nats.Option) (nc *nats.Conn, refused chan error) {
	t.Helper()
	refused = make(chan error, 16)
	return outsider(t, "nats://"+r.bridge.Addr(), append([]nats.Option{
		nats.UserInfo(user, secretWord), nats.CustomInboxPrefix("_INBOX." + user),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case refused <- err:
			default:
			}
		}),
	}, more...)...), refused
}

// TestPermissions walks what each role may and may not.
func TestPermissions(t *testing.T) {
	r := listening(t, nil)
	for _, opts := range [][]nats.Option{nil, {nats.UserInfo("dip", "wrong"+secretWord)}, {nats.UserInfo("nobody", secretWord)}, {nats.Token(secretWord)}} {
		if nc, err := nats.Connect("nats://"+r.bridge.Addr(), opts...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("joined without credentials: %v", err)
			if nc != nil {
				nc.Close()
			}
		}
	}
	subject := func(topic string, parts ...string) string { return event.Subject("main", topic, parts...) }
	for _, tt := range []struct {
		user, what, subject string
		allowed             bool
	}{
		{"dip", "sub", subject(event.Tick.Name, "AAPL"), true},
		{"dip", "sub", subject(event.Tick.Name) + ".*", true},
		{"dip", "sub", subject(event.Order.Name), true},
		{"dip", "sub", subject(event.Fill.Name), true},
		{"dip", "sub", subject(event.Link.Name), true},
		{"dip", "sub", subject(event.Mode.Name), true},
		{"dip", "sub", subject(event.Bus.Name), true},
		{"dip", "sub", ">", false},
		{"dip", "sub", subject(">"), false},
		{"dip", "sub", subject(event.Account.Name), false},
		{"dip", "sub", subject(event.Decision.Name), false},
		{"dip", "sub", event.OrderFrom("main", "dip"), false},
		{"dip", "sub", event.OrderFrom("main", "flood"), false},
		{"dip", "sub", subject(event.DeskState.Name), false},
		{"dip", "sub", "_INBOX.>", false},
		{"dip", "sub", "_INBOX.flood.>", false},
		{"dip", "pub", event.OrderFrom("main", "flood"), false},
		{"dip", "pub", subject(event.OrderRequest.Name), false},
		{"dip", "pub", subject(event.RunState.Name), false},
		{"dip", "pub", subject(event.Order.Name), false},
		{"dip", "pub", subject(event.Tick.Name, "AAPL"), false},
		{"dip", "pub", subject(event.Link.Name), false},
		{"dip", "pub", subject(event.Mode.Name), false},
		{"dip", "pub", subject(event.Bus.Name), false},
		{"dip", "pub", event.ClaimOf("main", ""), false},
		{"dip", "pub", "_INBOX.flood.x", false},
		{"watch", "sub", subject(event.Account.Name), true},
		{"watch", "sub", subject(event.Decision.Name), true},
		{"watch", "pub", event.OrderFrom("main", "watch"), false},
		{"watch", "pub", event.OrderFrom("main", "dip"), false},
		{"watch", "pub", subject(event.Order.Name), false},
	} {
		closed := make(chan struct{})
		nc, refused := r.guest(t, tt.user, nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		if tt.what == "sub" {
			if _, err := nc.Subscribe(tt.subject, func(*nats.Msg) {}); err != nil {
				t.Fatal(err)
			}
		} else if err := nc.Publish(tt.subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := nc.FlushTimeout(20 * time.Second); err != nil { // a refusal comes before the answer
			t.Fatal(err)
		}
		nc.Close()
		select {
		case <-closed: // the client tells of both in order, on a goroutine of its own
		case <-time.After(20 * time.Second):
			t.Fatal("the end of a connection is not told within 20 s")
		}
		var err error
		select {
		case err = <-refused:
		default:
		}
		if (err == nil) != tt.allowed || err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s may %s %s: %v, want %v", tt.user, tt.what, tt.subject, err, tt.allowed)
		}
	}
	nc, _ := r.guest(t, "watch")
	if state, err := question[event.Desk](nc, "main", event.DeskState.Name); err != nil || state.Account != "DU1" {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestDoor asks for orders in all the ways that are not in order.
func TestDoor(t *testing.T) {
	r := listening(t, func(c *bus.Config) { c.RequestsPerSecond = 1000 })
	nc, _ := r.guest(t, "dip")
	good := intent("dip", "1")
	with := func(change func(*order.Intent)) order.Intent {
		in := intent("dip", "2")
		change(&in)
		return in
	}
	at := func(t time.Time) []byte {
		b := fmt.Appendf(nil, `{"at":%q,"data":{"id":"dip:3","action":"place","strategy":"dip","symbol":"AAPL","side":"BUY","type":"MKT","tif":"DAY","qty":"1","at":"2026-04-02T14:30:00Z"}}`, t.Format(time.RFC3339Nano))
		return b
	}
	for _, tt := range []struct {
		name, want string
		m          any
	}{
		{"good", event.Written, good},
		{"another's name", ruleStrategy, with(func(in *order.Intent) { in.Strategy = "flood" })},
		{"no name", ruleStrategy, with(func(in *order.Intent) { in.Strategy = "" })},
		{"another's id", ruleForeign, with(func(in *order.Intent) { in.ID = "flood:1" })},
		{"an id of the trader's own", ruleForeign, with(func(in *order.Intent) { in.ID = "AAPL-1" })},
		{"another's target", ruleForeign, with(func(in *order.Intent) { in.Action, in.Target = order.Cancel, "AAPL-1" })},
		{"another's group", ruleForeign, with(func(in *order.Intent) { in.OCA = "guard-AAPL" })},
		{"late", ruleLate, at(time.Now().Add(-6 * time.Second))},
		{"from the future", ruleLate, at(time.Now().Add(6 * time.Second))},
		{"now", event.Written, at(time.Now())},
		{"without a time", ruleLate, []byte(`{"data":{"id":"dip:4","action":"place","strategy":"dip","qty":"1","at":"2026-04-02T14:30:00Z"}}`)},
		{"garbage", event.Invalid, []byte("\x00\xff{")},
		{"nothing", event.Invalid, []byte{}},
		{"an array", event.Invalid, []byte("[]")},
		{"numbers", event.Invalid, []byte(`{"data":{"qty":1e400}}`)},
		{"long", "invalid", bytes.Repeat([]byte("x"), requestBytes+1)},
		{"deep", event.Invalid, bytes.Repeat([]byte("["), requestBytes)},
	} {
		before := len(r.asked())
		a, err := ask(t, nc, "main", "dip", tt.m)
		if err != nil || a.Result != tt.want && a.Rule != tt.want {
			t.Errorf("%s: %+v, %v; want %s", tt.name, a, err, tt.want)
		}
		if a.Result == event.Refused && a.Reason == "" {
			t.Errorf("%s is refused without a reason", tt.name)
		}
		if wrote := len(r.asked()) > before; wrote != (tt.want == event.Written) {
			t.Errorf("%s reached the desk: %v", tt.name, wrote)
		}
	}
	raw, err := encode("dip", intent("dip", "9"))
	if err != nil {
		t.Fatal(err)
	}
	before := len(r.asked())
	if err := nc.PublishRequest(event.OrderFrom("main", "dip"), event.Subject("main", event.Order.Name), raw); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish(event.OrderFrom("main", "dip"), raw); err != nil { // nobody could hear the answer
		t.Fatal(err)
	}
	if a, err := ask(t, nc, "main", "dip", intent("dip", "10")); err != nil || a.Result != event.Written || len(r.asked()) != before+1 {
		t.Errorf("%+v, %v; %d reached the desk, want 1", a, err, len(r.asked())-before)
	}
}

// TestClosed: in lock-step no order request passes.
func TestClosed(t *testing.T) {
	b := &Bridge{cfg: bus.DefaultConfig(), parts: Parts{Closed: "lock-step"}}
	if rule, reason := newDoor(b).admit(asked{msg: &nats.Msg{}, asker: "dip"}); rule != ruleClosed || reason != "lock-step" {
		t.Errorf("%s: %s", rule, reason)
	}
}

// TestFlood has a strategy ask as fast as it can while the desk hangs and then
// works: it is answered busy beyond its places, another strategy has its own,
// and no more than its rate comes through.
func TestFlood(t *testing.T) {
	r := listening(t, nil)
	hold := make(chan struct{})
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	flood, _ := r.guest(t, "flood")
	dip, _ := r.guest(t, "dip")
	const n = 5000
	var mu sync.Mutex
	rules := map[string]int{}
	answers := 0
	inbox := flood.NewInbox()
	if _, err := flood.Subscribe(inbox, func(m *nats.Msg) {
		a, err := bus.Decode[event.OrderReply](m.Data)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		answers++
		rules[a.Data.Result+a.Data.Rule]++
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range n {
		raw, err := encode("flood", intent("flood", fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := flood.PublishRequest(event.OrderFrom("main", "flood"), inbox, raw); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the flood is in line or refused", func() bool { mu.Lock(); defer mu.Unlock(); return rules["refusedbusy"] > 0 })
	answered := make(chan event.OrderReply, 1)
	go func() { // ends with the answer or its deadline
		a, err := ask(t, dip, "main", "dip", intent("dip", "1"))
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()
	eventually(t, "the other strategy is in line", func() bool {
		r.bridge.door.line.mu.Lock()
		defer r.bridge.door.line.mu.Unlock()
		return r.bridge.door.line.by["dip"] == 1
	})
	close(hold)
	if a := <-answered; a.Result != event.Written {
		t.Errorf("the other strategy: %+v", a)
	}
	rate := r.bridge.cfg.RequestsPerSecond
	most := 2*rate + int(float64(rate)*time.Since(began).Seconds()) + 2 // the burst, the rate, and the other's
	if got := len(r.asked()); got > most {
		t.Errorf("%d requests reached the desk, want at most %d", got, most)
	}
	mu.Lock()
	defer mu.Unlock()
	if rules["refusedbusy"] < n/2 {
		t.Errorf("answers %v", rules)
	}
}

// TestProgramThatNeverReads joins, subscribes to all and reads no byte more:
// it is cut off, and another hears every tick of it in time.
func TestProgramThatNeverReads(t *testing.T) {
	r := listening(t, nil)
	c, err := net.Dial("tcp", r.bridge.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	fmt.Fprintf(c, "CONNECT {\"user\":\"dip\",\"pass\":%q,\"verbose\":false}\r\nSUB %s.* 1\r\nPING\r\n", secretWord, event.Subject("main", event.Tick.Name))
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "PONG") {
		t.Fatalf("%q, %v", line, err)
	}
	nc, _ := r.guest(t, "watch")
	var mu sync.Mutex
	frames, trades := uint64(0), 0
	s, err := nc.Subscribe(event.Subject("main", event.Tick.Name, "AAPL"), func(m *nats.Msg) {
		d, err := bus.Decode[event.Ticks](m.Data)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		frames = d.Data.Frames
		trades += len(d.Data.Ticks)
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetPendingLimits(-1, -1)
	if err := nc.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	price, qty := market.MustPrice("187.25"), market.Shares(1)
	trade := event.TickData{Kind: "trade", Price: &price, Size: &qty, At: time.Now()}
	const n, each = 2000, 100
	slowest := time.Duration(0)
	for i := range uint64(n) {
		ticks := make([]event.TickData, each)
		for j := range ticks {
			ticks[j] = trade
		}
		began := time.Now()
		if err := bus.Publish(r.desk, event.Tick, event.Ticks{Symbol: "AAPL", Frames: i + 1, Ticks: ticks}, "AAPL"); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	for heard, was := uint64(0), uint64(0); heard < n; was = heard { // 200,000 trades are work: it is to go on
		eventually(t, "the reader hears more", func() bool { mu.Lock(); defer mu.Unlock(); heard = frames; return heard > was })
	}
	eventually(t, "who never reads is cut off", func() bool { return strings.Contains(r.log.String(), "Slow Consumer") })
	if slowest > 5*time.Second { // not for as long as the slow one is waited for; the rest is for a busy machine
		t.Errorf("a publish on the trader's own bus took %v", slowest)
	}
	r.bridge.queue.mu.Lock()
	skipped := int(r.bridge.queue.skipped)
	r.bridge.queue.mu.Unlock()
	mu.Lock()
	defer mu.Unlock()
	if trades+skipped != n*each {
		t.Errorf("%d trades came and %d were skipped, of %d", trades, skipped, n*each)
	}
}

// TestFilesWithFaults tells all that is wrong and shows no secret.
func TestFilesWithFaults(t *testing.T) {
	open := file(t, "open", "a strategy "+secretWord)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tt := range []struct {
		change func(*bus.Config)
		want   []string
	}{
		{func(c *bus.Config) { c.UsersFile = missing }, []string{"bus.users_file", "missing"}},
		{func(c *bus.Config) { c.UsersFile = open }, []string{"bus.users_file", "chmod 600"}},
		{func(c *bus.Config) { c.UsersFile = file(t, "u", " \n") }, []string{"empty"}},
		{func(c *bus.Config) { c.UsersFile = file(t, "u", "# nobody") }, []string{"no user"}},
		{func(c *bus.Config) {
			c.UsersFile = file(t, "u", "a.b strategy "+secretWord+"\nsma_cross strategy "+secretWord+"\na king "+secretWord+"\nb strategy short\nc strategy\nd strategy "+secretWord+"\nd observer "+secretWord)
		}, []string{`line 1: name "a.b"`, "line 2", "line 3: role", "line 4: the password has less", "line 5: 2 words", "line 7", "twice"}},
		{func(c *bus.Config) { c.TLSCert, c.TLSKey, c.TLSCA = missing, missing, open }, []string{"bus.tls_cert", "bus.tls_ca", "no certificate"}},
		{func(c *bus.Config) {
			c.Listen, c.URL, c.UserFile = "", "nats://127.0.0.1:1", file(t, "f", "only"+secretWord)
		}, []string{"bus.user_file", "two lines"}},
		{func(c *bus.Config) {
			c.Listen, c.URL, c.NkeyFile = "", "nats://127.0.0.1:1", file(t, "f", "SU"+secretWord)
		}, []string{"bus.nkey_file", "no seed"}},
		{func(c *bus.Config) { c.Listen, c.URL, c.CredsFile = "", "nats://127.0.0.1:1", missing }, []string{"bus.creds_file", "missing"}},
		{func(c *bus.Config) { c.Listen, c.URL, c.TokenFile = "", "nats://127.0.0.1:1", open }, []string{"bus.token_file", "chmod 600"}},
	} {
		cfg := bus.DefaultConfig()
		cfg.Listen, cfg.UsersFile = "127.0.0.1:0", file(t, "users", "dip strategy "+secretWord)
		tt.change(&cfg)
		err := Check(cfg, []string{"sma_cross"})
		if err == nil {
			t.Errorf("%+v has no fault", cfg)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
		if strings.Contains(err.Error(), secretWord) {
			t.Errorf("error %q shows a secret", err)
		}
	}
	if err := Check(bus.DefaultConfig(), nil); err != nil {
		t.Error(err)
	}
}

// TestAddressInUse: the trader does not start where it cannot listen.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := bus.DefaultConfig()
	cfg.Listen, cfg.UsersFile = l.Addr().String(), file(t, "users", "dip strategy "+secretWord)
	s, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	conn, err := s.Connect("bus")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(cfg, Parts{Conn: conn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.Contains(err.Error(), "bus.listen") {
		t.Errorf("started on an address in use: %v", err)
	}
	if err := b.Stop(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
}
