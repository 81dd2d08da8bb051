package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
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
		if err := s.Stop(within(t, 5*time.Second)); err != nil {
			t.Error(err)
		}
	})
	return s
}

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
	case <-time.After(20 * time.Second): // with the race detector on a machine that has other work
		t.Fatalf("no %s within 20 s", what)
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
	if _, err := Ask(within(t, 5*time.Second), run, event.DeskState, event.Empty{}); err != nil {
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

func TestBoundedDropsCountsAndTells(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	entered, leave := make(chan uint64, 64), make(chan struct{})
	gaps := make(chan Gap, 64)
	sub, err := Subscribe(run, event.Progress, Bounded(4), func(m event.Message[event.Counts]) {
		entered <- m.Seq
		<-leave
	})
	if err != nil {
		t.Fatal(err)
	}
	sub.OnGap(func(g Gap) { gaps <- g })
	keep := make(chan uint64, 64)
	if _, err := Subscribe(run, event.Progress, Keep, func(m event.Message[event.Counts]) { keep <- m.Seq }); err != nil {
		t.Fatal(err)
	}
	publish := func(n int) {
		for range n {
			if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(1)
	next(t, entered, "message") // the handler hangs, its queue is empty
	publish(20)
	for i := range uint64(21) {
		if n := next(t, keep, "kept message"); n != i+1 {
			t.Fatalf("kept %d, want %d", n, i+1)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() { // the last one's copies come in any order
		if n, err := sub.nats.Dropped(); err != nil || n == 16 || time.Now().After(deadline) {
			break
		}
	}
	close(leave)
	last := uint64(1)
	for range 4 {
		n := next(t, entered, "queued message")
		if n != last+1 {
			t.Fatalf("after %d came %d: what waits must be whole", last, n)
		}
		last = n
	}
	publish(1)
	if n := next(t, entered, "message after the gap"); n != 22 {
		t.Fatalf("after the gap came %d", n)
	}
	g := next(t, gaps, "gap")
	if g.Pub != "desk" || g.Lost != 16 || g.Next != 22 || sub.Gaps() != 16 {
		t.Errorf("gap %+v, count %d; want 16 lost before 22", g, sub.Gaps())
	}
}

// lost returns how many messages found no room in the subscription's queue.
func lost(s *Sub) int {
	if s.direct != nil {
		s.direct.mu.Lock()
		defer s.direct.mu.Unlock()
		return s.direct.dropped
	}
	n, _ := s.nats.Dropped()
	return n
}

// shortWay subscribes so that a publisher fills the queue itself.
func shortWay(c *Conn, p Policy, fn func()) (*Sub, error) {
	return SubscribeAll(c, "desk", p, func(string, []byte) { fn() })
}

// overNATS subscribes so that NATS fills the queue.
func overNATS(c *Conn, p Policy, fn func()) (*Sub, error) {
	return c.subscribe(event.Subject(c.server.instance, "desk")+".>", p, func(s *Sub, m *nats.Msg) {
		pub, seq, err := Head(m.Data)
		if err != nil {
			s.undecodable(m.Subject, err)
		}
		s.check(m.Subject, pub, seq)
		fn()
	})
}

// ways are both, by name.
var ways = map[string]func(*Conn, Policy, func()) (*Sub, error){"the short way": shortWay, "over NATS": overNATS}

// hung is a subscription whose handler hangs, with an empty queue, until leave
// is closed.
func hung(t *testing.T, c, desk *Conn, p Policy, way func(*Conn, Policy, func()) (*Sub, error)) (sub *Sub, leave chan struct{}) {
	t.Helper()
	leave = make(chan struct{})
	entered := make(chan struct{}, 1)
	sub, err := way(c, p, func() {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-leave
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
		t.Fatal(err)
	}
	next(t, entered, "message")
	return sub, leave
}

// eventually waits for what the bus's goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestRoomIsThatOfThePaced(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { roomOf(t, way) })
	}
}

func roomOf(t *testing.T, way func(*Conn, Policy, func()) (*Sub, error)) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	room := func() bool { yes, _ := desk.Room(); return yes }
	if !room() {
		t.Fatal("a bus without subscriptions has no room")
	}
	_, leaveKeep := hung(t, run, desk, Keep, way)
	defer close(leaveKeep)
	sub, leave := hung(t, run, desk, Paced, way)
	publish := func(n int) {
		for range n {
			if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	waiting := func(n int) func() bool {
		return func() bool { have, _ := sub.pending(); return have == n }
	}
	publish(roomMost - 2) // the one that is being handled counts
	eventually(t, "all messages wait", waiting(roomMost-1))
	if !room() {
		t.Errorf("no room with %d messages waiting", roomMost-1)
	}
	publish(1)
	eventually(t, "one more waits", waiting(roomMost))
	if room() {
		t.Errorf("room with %d messages waiting", roomMost)
	}
	_, before := desk.Room()
	if _, again := desk.Room(); again != before {
		t.Errorf("a handler that hangs has taken %d, then %d", before, again)
	}
	close(leave)
	eventually(t, "a paced subscription that caught up has room", room)
	_, leave = hung(t, run, desk, Paced, way)
	for range 3 {
		if err := Publish(desk, event.Position, order.Position{Account: strings.Repeat("x", roomBytes/2)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "few great messages leave no room", func() bool { return !room() })
	close(leave)
	eventually(t, "it caught up", room)
}

// TestEveryQueueHasABound has handlers hang, and counts what waits for them.
func TestEveryQueueHasABound(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policy   Policy
		size     int // of each message, bytes
		messages int // that are published
		most     int // messages that may wait
	}{
		{"keep, by count", Keep, 1, keepMost + 100, keepMost},
		{"paced, by bytes", Paced, 1 << 20, 80, keepBytes >> 20},
		{"bounded, by bytes", Bounded(1 << 16), 1 << 20, 40, boundedBytes >> 20},
	} {
		for name, way := range ways {
			t.Run(tt.name+", "+name, func(t *testing.T) { bounded(t, tt.policy, tt.size, tt.messages, tt.most, way) })
		}
	}
}

func bounded(t *testing.T, p Policy, size, messages, most int, way func(*Conn, Policy, func()) (*Sub, error)) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	gaps := make(chan Gap, 1)
	sub, leave := hung(t, run, desk, p, way)
	sub.OnGap(func(g Gap) {
		select {
		case gaps <- g:
		default:
		}
	})
	body, err := event.AppendJSON(nil, order.Position{Account: strings.Repeat("x", size)})
	if err != nil {
		t.Fatal(err)
	}
	for range messages {
		if err := desk.publish(event.Subject(s.Instance(), event.Position.Name), body); err != nil { // encoded once: it is the queue that is tested
			t.Fatal(err)
		}
	}
	var dropped int
	eventually(t, "all came or were dropped", func() bool {
		waiting, bytes := sub.pending()
		dropped = lost(sub)
		if waiting > most || bytes > keepBytes {
			t.Fatalf("%d messages of %d bytes wait, want %d at most", waiting, bytes, most)
		}
		return waiting+dropped == messages+1
	})
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	close(leave)
	eventually(t, "the queue is empty", func() bool { n, _ := sub.pending(); return n == 0 })
	if err := Publish(desk, event.Position, order.Position{}); err != nil {
		t.Fatal(err)
	}
	if g := next(t, gaps, "gap"); g.Lost != uint64(dropped) || sub.Gaps() != uint64(dropped) {
		t.Errorf("%d were dropped, the gap tells %+v", dropped, g)
	}
}

func TestGapsOfRestartsAndLateJoins(t *testing.T) {
	s := start(t)
	c := connect(t, s, "x")
	sub := &Sub{conn: c, newest: map[origin]uint64{}}
	for _, step := range []struct {
		pub  string
		seq  uint64
		gaps uint64
	}{
		{"desk", 57, 0}, // a late-comer has lost nothing
		{"desk", 58, 0},
		{"desk", 60, 1},
		{"run", 3, 1},
		{"desk", 60, 1}, // told twice
		{"desk", 61, 1},
		{"desk", 1, 1}, // a new life
		{"desk", 5, 4},
		{"outside", 0, 4}, // not numbered
		{"run", 4, 4},
	} {
		if sub.check("s", step.pub, step.seq); sub.Gaps() != step.gaps {
			t.Fatalf("after %s %d: %d lost, want %d", step.pub, step.seq, sub.Gaps(), step.gaps)
		}
	}
}

func TestAsk(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	ask := func(id string) (event.OrderReply, error) {
		return Ask(within(t, 5*time.Second), run, event.OrderRequest, order.Intent{ID: id})
	}
	if _, err := ask("a"); !errors.Is(err, ErrNobody) {
		t.Errorf("without a responder: %v, want ErrNobody", err)
	}
	sub, err := Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		return event.OrderReply{IntentID: in.ID, Result: event.Written, OrderID: 12}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask("b")
	if err != nil || got.IntentID != "b" || got.OrderID != 12 {
		t.Errorf("answer %+v, %v", got, err)
	}
	if _, err := Ask(context.Background(), run, event.OrderRequest, order.Intent{}); !errors.Is(err, ErrNoDeadline) {
		t.Errorf("without a deadline: %v, want ErrNoDeadline", err)
	}
	other := connect(t, s, "other")
	again := func() (*Sub, error) {
		return Reply(other, event.OrderRequest, func(context.Context, order.Intent) event.OrderReply { return event.OrderReply{} })
	}
	if _, err := again(); err == nil || !strings.Contains(err.Error(), "desk answers it") {
		t.Errorf("second responder: %v", err)
	}
	if err := sub.Stop(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := ask("c"); !errors.Is(err, ErrNobody) {
		t.Errorf("after Stop: %v, want ErrNobody", err)
	}
	if _, err := again(); err != nil {
		t.Errorf("after Stop the place is free: %v", err)
	}
}

func TestAskWithoutAnswerIsUnknown(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	leave := make(chan struct{})
	if _, err := Reply(desk, event.DeskState, func(context.Context, event.Empty) event.Desk { <-leave; return event.Desk{} }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := Ask(ctx, run, event.DeskState, event.Empty{})
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNobody) {
		t.Errorf("no answer: %v", err)
	}
	close(leave)
}

func TestUndecodableIsCountedAndAnswered(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	got := make(chan event.Message[order.Order], 1)
	if _, err := Subscribe(run, event.Order, Keep, func(m event.Message[order.Order]) { got <- m }); err != nil {
		t.Fatal(err)
	}
	raw := func(subject, body string) {
		if err := desk.pub.Publish(subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	subject := event.Subject(s.Instance(), event.Order.Name)
	for _, body := range []string{"", "{", `{"data":{"qty":1e400}}`, `{"data":{"state":"odd"}}`, `{"seq":-1}`} {
		raw(subject, body)
	}
	raw(subject, `{"pub":"py","data":{"ref":"r","qty":"2","filled":"0","state":"sent"}}`)
	if m := next(t, got, "the good one"); m.Data.Ref != "r" || m.Pub != "py" {
		t.Errorf("got %+v", m)
	}
	if n := run.Undecodable(); n != 5 {
		t.Errorf("%d counted, want 5", n)
	}
	if _, err := Reply(desk, event.OrderRequest, func(context.Context, order.Intent) event.OrderReply {
		t.Error("a bad question reached the handler")
		return event.OrderReply{}
	}); err != nil {
		t.Fatal(err)
	}
	odd := event.Query[map[string]string, event.OrderReply]{Name: event.OrderRequest.Name}
	_, err := Ask(within(t, 5*time.Second), run, odd, map[string]string{"qty": "many"})
	if !errors.Is(err, ErrNotUnderstood) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("bad question: %v, want ErrNotUnderstood at once", err)
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
		if err := desk.Close(within(t, time.Second)); err != nil {
			t.Error(err)
		}
	}
	if err := Publish(desk, event.Progress, event.Counts{}); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after close: %v", err)
	}
	if _, err := Subscribe(desk, event.Progress, Keep, func(event.Message[event.Counts]) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if _, err := Ask(within(t, time.Second), desk, event.DeskState, event.Empty{}); !errors.Is(err, ErrClosed) {
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
	if err := sub.Stop(within(t, 5*time.Second)); err != nil {
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
