package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretWord stands in every credential of the tests; no log may hold it.
const secretWord = "hunter2hunter2"

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for what other goroutines do.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// words is a log that a test looks into.
type words struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// trader is a trader's bus with a desk that answers, and a bridge.
type trader struct {
	server *bus.Server
	desk   *bus.Conn
	link   *bus.Conn
	bridge *Bridge
	log    *words

	published uint64 // orders; of the test's goroutine

	mu     sync.Mutex // guards what follows
	got    []order.Intent
	hold   chan struct{} // order requests wait for it to be closed; nil = they do not
	states []event.BusState
}

func (r *trader) asked() []order.Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]order.Intent(nil), r.got...)
}

func (r *trader) state() event.BusState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.states) == 0 {
		return event.BusState{}
	}
	return r.states[len(r.states)-1]
}

func newTrader(t testing.TB, cfg bus.Config, account string) *trader {
	t.Helper()
	r := &trader{log: &words{}}
	in := bus.DefaultConfig()
	in.Instance = cfg.Instance
	var err error
	if r.server, err = bus.Start(in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.server.Stop(within(t, 20*time.Second)); err != nil {
			t.Error(err)
		}
	})
	connect := func(name string) *bus.Conn {
		c, err := r.server.Connect(name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	r.desk, r.link = connect("desk"), connect("link")
	reply(t, r.desk, event.OrderRequest, r.order)
	reply(t, r.desk, event.DeskState, func(context.Context, event.Empty) event.Desk {
		return event.Desk{Account: account, Orders: []order.Order{}}
	})
	reply(t, r.link, event.LinkState, func(context.Context, event.Empty) broker.Link {
		return broker.Link{State: broker.Ready, Facts: broker.Facts{Account: account}}
	})
	b, err := New(cfg, Parts{
		Conn: connect("bus"), Reserved: []string{"sma_cross"}, Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Tell: func(s event.BusState) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.states = append(r.states, s)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.bridge = b
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(within(t, 20*time.Second)); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.log.String(), secretWord) {
			t.Error("the log holds a secret")
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", cfg.Instance, r.log)
		}
	})
	return r
}

func reply[Q, A any](t testing.TB, c *bus.Conn, q event.Query[Q, A], fn func(context.Context, Q) A) {
	t.Helper()
	if _, err := bus.Reply(c, q, fn); err != nil {
		t.Fatal(err)
	}
}

// order is the desk: it notes and writes.
func (r *trader) order(ctx context.Context, in order.Intent) event.OrderReply {
	r.mu.Lock()
	r.got = append(r.got, in)
	n, hold := len(r.got), r.hold
	r.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	return event.OrderReply{IntentID: in.ID, Result: event.Written, OrderID: int64(n)}
}

func (r *trader) up(t testing.TB) {
	t.Helper()
	eventually(t, "the bridge is up", func() bool { return r.state().State == event.BusUp })
}

// publishOrder tells of an order on the trader's own bus.
func (r *trader) publishOrder(t testing.TB, n int) {
	t.Helper()
	if err := bus.Publish(r.desk, event.Order, order.Order{Ref: fmt.Sprint("o-", n), OrderID: int64(n), Symbol: "AAPL", Qty: market.Shares(1), State: order.Working}); err != nil {
		t.Fatal(err)
	}
	r.published++
}

// intent is a request as a program outside makes it.
func intent(strategy, id string) order.Intent {
	return order.Intent{
		ID: strategy + ":" + id, Action: order.Place, Strategy: strategy, Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day,
		Qty: market.Shares(1), At: time.Now(),
	}
}

// ask asks for an order as a program outside does.
func ask(t testing.TB, nc *nats.Conn, instance, strategy string, m any) (event.OrderReply, error) {
	t.Helper()
	raw, ok := m.([]byte)
	if !ok {
		var err error
		if raw, err = encode(strategy, m); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := nc.Request(event.OrderFrom(instance, strategy), raw, 20*time.Second)
	if err != nil {
		return event.OrderReply{}, err
	}
	a, err := bus.Decode[event.OrderReply](answer.Data)
	return a.Data, err
}

// mustAsk asks until somebody answers: that a subscription is there takes a
// moment to cross a cluster. Nothing was done before.
func mustAsk(t testing.TB, nc *nats.Conn, instance, strategy string, in order.Intent) (a event.OrderReply) {
	t.Helper()
	eventually(t, "somebody answers order requests", func() bool {
		var err error
		a, err = ask(t, nc, instance, strategy, in)
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			t.Fatal(err)
		}
		return err == nil
	})
	return a
}

// outsider is a program's connection.
func outsider(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.Timeout(10 * time.Second), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// reader follows the rule for who counts: every kept topic is whole, or a gap
// is seen and the desk asked.
type reader struct {
	t        testing.TB
	nc       *nats.Conn
	instance string

	mu     sync.Mutex        // guards what follows
	newest map[string]uint64 // by topic
	orders map[uint64]bool   // numbers of orders that came
	gaps   int
	states []event.BusState
}

func read(t testing.TB, nc *nats.Conn, instance string) *reader {
	t.Helper()
	r := &reader{t: t, nc: nc, instance: instance, newest: map[string]uint64{}, orders: map[uint64]bool{}}
	all := make(chan *nats.Msg, 1<<16) // one for both, in the order in which they came
	for _, topic := range []string{event.Order.Name, event.Bus.Name} {
		if _, err := nc.ChanSubscribe(event.Subject(instance, topic), all); err != nil {
			t.Fatal(err)
		}
	}
	done, end := make(chan struct{}), make(chan struct{})
	go func() { // joined by the test's end
		defer close(done)
		for {
			select {
			case m := <-all:
				r.take(event.TopicOf(instance, m.Subject), m.Data)
			case <-end:
				return
			}
		}
	}()
	t.Cleanup(func() { close(end); <-done })
	if err := nc.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reader) take(topic string, raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if topic == event.Bus.Name {
		m, err := bus.Decode[event.BusState](raw)
		if err != nil {
			r.t.Error(err)
			return
		}
		if len(r.states) > 0 { // what the one before told of has had a second to come
			if n := r.states[len(r.states)-1].Newest[event.Order.Name]; n > r.newest[event.Order.Name] {
				r.gaps++
				r.newest[event.Order.Name] = n
			}
		}
		r.states = append(r.states, m.Data)
		return
	}
	_, seq, err := bus.Head(raw)
	if err != nil {
		r.t.Error(err)
		return
	}
	if before := r.newest[topic]; before > 0 && seq > before+1 {
		r.gaps++
	}
	r.newest[topic] = max(r.newest[topic], seq)
	r.orders[seq] = true
}

func (r *reader) reached(n uint64) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.newest[event.Order.Name] >= n
	}
}

// count returns how many orders came, and how many gaps were seen.
func (r *reader) count() (orders, gaps int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.orders), r.gaps
}

// first returns the number of the first order that came: those before it were
// written before the cluster knew that somebody listens.
func (r *reader) first() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Min(slices.Collect(maps.Keys(r.orders)))
}
