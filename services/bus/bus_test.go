package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t testing.TB) *Server {
	t.Helper()
	s, err := Start(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(within(t, patience)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// patience bounds every wait of a test that is not to wait at all: with the race
// detector on a machine that has other work.
const patience = 20 * time.Second

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func connect(t testing.TB, s *Server, name string) *Conn {
	t.Helper()
	c, err := s.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// next waits for one value of a channel, with a deadline.
func next[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

func TestPublishArrivesAsItWas(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	got := make(chan event.Message[order.Order], 1)
	if _, err := Subscribe(run, event.Order, Keep, func(m event.Message[order.Order]) { got <- m }); err != nil {
		t.Fatal(err)
	}
	want := order.Order{Ref: "a-1", OrderID: 7, Symbol: "AAPL", Qty: market.Shares(3), State: order.Working}
	before := time.Now()
	if err := Publish(desk, event.Order, want); err != nil {
		t.Fatal(err)
	}
	m := next(t, got, "order")
	if diff := cmp.Diff(want, m.Data, cmp.Comparer(func(a, b market.Qty) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if m.Pub != "desk" || m.Seq != 1 || m.At.Before(before.Add(-time.Second)) || m.At.After(time.Now()) {
		t.Errorf("envelope is %q %d %v", m.Pub, m.Seq, m.At)
	}
}

func TestTicksAreReceivedForAllSymbolsOrOne(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	all, one := make(chan market.Symbol, 8), make(chan market.Symbol, 8)
	if _, err := Subscribe(run, event.Tick, Bounded(8), func(m event.Message[event.Ticks]) { all <- m.Data.Symbol }); err != nil {
		t.Fatal(err)
	}
	_, err := Subscribe(run, event.Tick, Bounded(8), func(m event.Message[event.Ticks]) { one <- m.Data.Symbol }, "BRK.B")
	if err != nil {
		t.Fatal(err)
	}
	for _, sym := range []market.Symbol{"AAPL", "BRK.B"} {
		if err := Publish(desk, event.Tick, event.Ticks{Symbol: sym}, string(sym)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := next(t, all, "tick"), next(t, all, "tick"); a != "AAPL" || b != "BRK.B" {
		t.Errorf("all symbols: %v, %v", a, b)
	}
	if a := next(t, one, "tick"); a != "BRK.B" {
		t.Errorf("one symbol: %v", a)
	}
}

func TestSubscribeAllKeepsOrderAcrossTopics(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	type seen struct {
		topic string
		n     uint64
	}
	got := make(chan seen, 4000)
	if _, err := SubscribeAll(run, "desk", Keep, func(topic string, raw []byte) {
		switch topic {
		case event.Tick.Name:
			m, err := Decode[event.Ticks](raw)
			if err != nil {
				t.Error(err)
			}
			got <- seen{topic, m.Data.Frames}
		case event.Progress.Name:
			m, err := Decode[event.Counts](raw)
			if err != nil {
				t.Error(err)
			}
			got <- seen{topic, m.Data.Ticks}
		default:
			t.Errorf("topic %q", topic)
		}
	}); err != nil {
		t.Fatal(err)
	}
	// A question on desk.get lies below the prefix and must not be seen.
	if _, err := Reply(desk, event.DeskState, func(context.Context, event.Empty) event.Desk { return event.Desk{} }); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(within(t, patience), run, event.DeskState, event.Empty{}); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(2000) {
		var err error
		if i%2 == 0 {
			err = Publish(desk, event.Tick, event.Ticks{Symbol: "AAPL", Frames: i}, "AAPL")
		} else {
			err = Publish(desk, event.Progress, event.Counts{Ticks: i})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(2000) {
		want := event.Tick.Name
		if i%2 == 1 {
			want = event.Progress.Name
		}
		if g := next(t, got, "message"); g.n != i || g.topic != want {
			t.Fatalf("message %d is %v", i, g)
		}
	}
}

func TestNamesAndClosing(t *testing.T) {
	s := start(t)
	desk := connect(t, s, "desk")
	if _, err := s.Connect("desk"); err == nil {
		t.Error("one name, two connections")
	}
	for _, bad := range []string{"", `a"b`, "a.b", strings.Repeat("x", 33)} {
		if _, err := s.Connect(bad); err == nil {
			t.Errorf("name %q was taken", bad)
		}
	}
	if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := desk.Close(within(t, patience)); err != nil {
			t.Error(err)
		}
	}
	if err := Publish(desk, event.Progress, event.Counts{}); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after close: %v", err)
	}
	if _, err := Subscribe(desk, event.Progress, Keep, func(event.Message[event.Counts]) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if _, err := Ask(within(t, patience), desk, event.DeskState, event.Empty{}); !errors.Is(err, ErrClosed) {
		t.Errorf("ask after close: %v", err)
	}
	// The numbering is of the process's life: it goes on in the next connection.
	run := connect(t, s, "run")
	got := make(chan uint64, 1)
	if _, err := Subscribe(run, event.Progress, Keep, func(m event.Message[event.Counts]) { got <- m.Seq }); err != nil {
		t.Fatal(err)
	}
	if err := Publish(connect(t, s, "desk"), event.Progress, event.Counts{}); err != nil {
		t.Fatal(err)
	}
	if n := next(t, got, "message"); n != 2 {
		t.Errorf("numbered %d, want 2", n)
	}
}

func TestStopIsBoundedByAHangingHandler(t *testing.T) {
	s := start(t)
	desk := connect(t, s, "desk")
	entered, leave := make(chan struct{}), make(chan struct{})
	sub, err := Subscribe(desk, event.Link, Keep, func(event.Message[broker.Link]) { close(entered); <-leave })
	if err != nil {
		t.Fatal(err)
	}
	if err := Publish(desk, event.Link, broker.Link{}); err != nil {
		t.Fatal(err)
	}
	next(t, entered, "call")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := sub.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "link") {
		t.Errorf("Stop of a hanging handler: %v, want a named deadline error", err)
	}
	close(leave)
	if err := sub.Stop(within(t, patience)); err != nil {
		t.Error(err)
	}
}

// TestCrossTraffic has two connections publish to each other and to
// themselves as fast as they can: a circle of waits would stop it.
func TestCrossTraffic(t *testing.T) {
	s := start(t)
	a, b := connect(t, s, "a"), connect(t, s, "b")
	const n = 1000
	big := event.NoticeText{Text: strings.Repeat("x", 2000)}
	done := make(chan string, 4)
	for _, c := range []*Conn{a, b} {
		left := 2 * n
		if _, err := Subscribe(c, event.Notice, Keep, func(event.Message[event.NoticeText]) {
			if left--; left == 0 {
				done <- c.Name()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := Subscribe(c, event.Notice, Bounded(2), func(event.Message[event.NoticeText]) {}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*Conn{a, b} {
		go func() {
			for range n {
				if err := Publish(c, event.Notice, big); err != nil {
					done <- fmt.Sprint(err)
					return
				}
			}
		}()
	}
	for range 2 {
		if name := next(t, done, "end of the cross traffic"); name != "a" && name != "b" {
			t.Fatal(name)
		}
	}
}

// TestAllMeansAll holds that listeners to everything do not share messages,
// though each has a queue of its own.
func TestAllMeansAll(t *testing.T) {
	s := start(t)
	desk, run, feed := connect(t, s, "desk"), connect(t, s, "run"), connect(t, s, "feed")
	heard := make(chan string, 64)
	for i, c := range []*Conn{run, run, feed} {
		if _, err := SubscribeAll(c, "desk", Keep, func(topic string, raw []byte) {
			m, err := Decode[event.Counts](raw)
			if err != nil {
				t.Error(err)
			}
			heard <- fmt.Sprint(i, topic, m.Seq)
		}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for range 10 {
		if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 {
		got[next(t, heard, "message")]++
	}
	if len(got) != 30 {
		t.Errorf("30 messages were expected, one of each number at each of 3 listeners: %v", got)
	}
}
