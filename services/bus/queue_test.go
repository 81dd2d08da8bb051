package bus

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/broker/order"
	"robotrader/services/event"
)

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
	for deadline := time.Now().Add(patience); ; runtime.Gosched() { // the last one's copies come in any order
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
func lost(s *Sub) int { return int(s.dropped()) }

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
	for deadline := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
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
