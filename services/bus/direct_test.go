package bus

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestBothWaysCarryTheSame has several publish at once, each from several
// goroutines as the desk does, and holds what comes the short way against what
// NATS carries: the same bytes, each once, and each publisher's in their order.
func TestBothWaysCarryTheSame(t *testing.T) {
	const publishers, goroutines, each = 3, 4, 250
	s := start(t)
	run, tap := connect(t, s, "run"), connect(t, s, "tap")
	type heard struct {
		mu    sync.Mutex
		of    map[string][][]byte // by publisher
		total int
	}
	listen := func(h *heard, all chan<- struct{}) func(raw []byte) {
		h.of = map[string][][]byte{}
		return func(raw []byte) {
			pub, _, err := Head(raw)
			if err != nil {
				t.Error(err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.of[pub] = append(h.of[pub], raw)
			if h.total++; h.total == publishers*goroutines*each {
				close(all)
			}
		}
	}
	var short, long heard
	shortAll, longAll := make(chan struct{}), make(chan struct{})
	takeShort, takeLong := listen(&short, shortAll), listen(&long, longAll)
	sub, err := SubscribeAll(run, "", Keep, func(_ string, raw []byte) { takeShort(raw) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Tap(tap, Keep, func(_ string, raw []byte) { takeLong(raw) }); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for p := range publishers {
		c := connect(t, s, "p"+string(rune('0'+p)))
		for g := range goroutines {
			wg.Go(func() {
				for i := range uint64(each) {
					var err error
					if g%2 == 0 {
						err = Publish(c, event.Tick, event.Ticks{Symbol: "AAPL", Frames: i}, "AAPL")
					} else {
						err = Publish(c, event.Progress, event.Counts{Ticks: i})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	next(t, shortAll, "end of the short way")
	next(t, longAll, "end of NATS's way")
	for pub, want := range long.of {
		got := short.of[pub]
		if len(got) != len(want) {
			t.Fatalf("%s: %d messages the short way, %d over NATS", pub, len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%s, message %d: %s the short way, %s over NATS", pub, i, got[i], want[i])
			}
		}
	}
	if sub.Gaps() != 0 || sub.late.Load() != 0 {
		t.Errorf("%d lost, %d late", sub.Gaps(), sub.late.Load())
	}
}

func TestAHandlerThatHangsHoldsUpNoPublisher(t *testing.T) {
	s := start(t)
	desk, run, feed := connect(t, s, "desk"), connect(t, s, "run"), connect(t, s, "feed")
	got := make(chan uint64, KeepMark)
	if _, err := Subscribe(feed, event.Progress, Keep, func(m event.Message[event.Counts]) { got <- m.Seq }); err != nil {
		t.Fatal(err)
	}
	sub, leave := hung(t, run, desk, Bounded(2), shortWay)
	for range 100 {
		if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(101) {
		if n := next(t, got, "message of the other listener"); n != i+1 {
			t.Fatalf("number %d, want %d", n, i+1)
		}
	}
	if n := lost(sub); n != 98 {
		t.Errorf("%d were dropped, want 98", n)
	}
	close(leave)
}

func TestWhatIsNotPublishedGoesNoWay(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	got := make(chan uint64, 8)
	if _, err := SubscribeAll(run, "", Keep, func(_ string, raw []byte) {
		_, n, err := Head(raw)
		if err != nil {
			t.Error(err)
		}
		got <- n
	}); err != nil {
		t.Fatal(err)
	}
	err := Publish(desk, event.Notice, event.NoticeText{Text: strings.Repeat("x", maxPayload)})
	if !errors.Is(err, nats.ErrMaxPayload) {
		t.Fatalf("a message beyond the bound: %v", err)
	}
	if err := Publish(desk, event.Notice, event.NoticeText{}); err != nil {
		t.Fatal(err)
	}
	if n := next(t, got, "message"); n != 1 {
		t.Errorf("the first that was published has the number %d", n)
	}
	if err := desk.Close(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if err := Publish(desk, event.Notice, event.NoticeText{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if len(got) != 0 {
		t.Error("a closed connection was heard")
	}
}

// TestStopOfTheShortWay holds that Stop waits for the handler, that nothing
// comes after it, and that who is gone holds up nobody.
func TestStopOfTheShortWay(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	sub, leave := hung(t, run, desk, Paced, shortWay)
	for range roomMost {
		if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
			t.Fatal(err)
		}
	}
	if room, _ := desk.Room(); room {
		t.Fatal("there is room behind a handler that hangs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := sub.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "desk") {
		t.Errorf("Stop of a hanging handler: %v, want a named deadline error", err)
	}
	if room, _ := desk.Room(); !room {
		t.Error("no room though nobody listens")
	}
	close(leave)
	if err := sub.Stop(within(t, patience)); err != nil {
		t.Error(err)
	}
	if n := sub.taken.Load(); n != 1 {
		t.Errorf("%d messages were handled, want the one that it was at", n)
	}
	if err := Publish(desk, event.Progress, event.Counts{}); err != nil {
		t.Error(err)
	}
}

// TestQueueGivesItsRoomBack has a queue grow and shrink without ever being empty.
func TestQueueGivesItsRoomBack(t *testing.T) {
	q := newDirect(Keep)
	raw := []byte("x")
	seq, want := uint64(0), uint64(0)
	put := func() { seq++; q.put(parcel{seq: seq, raw: raw}) }
	handled := -1
	for range KeepMark / 2 {
		put()
	}
	for range 20 * KeepMark {
		put()
		p, ok := q.take(handled)
		if want++; !ok || p.seq != want {
			t.Fatalf("took %d, %v; want %d", p.seq, ok, want)
		}
		handled = len(p.raw)
	}
	if messages, size := q.pending(); messages != KeepMark/2+1 || size != messages {
		t.Errorf("%d messages of %d bytes wait, want %d", messages, size, KeepMark/2+1)
	}
	if c := cap(q.list); c > 8*KeepMark {
		t.Errorf("room for %d messages is kept for %d that wait", c, KeepMark/2)
	}
}

// TestQuestionsWaitInOrderAndWithinTheBound asks more than one at a time of a
// responder that hangs: what waits is answered in order, what found no room is
// not, and who gave up holds up nobody.
func TestQuestionsWaitInOrderAndWithinTheBound(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	entered, leave := make(chan string, 8), make(chan struct{})
	sub, err := Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		entered <- in.ID
		<-leave
		return event.OrderReply{IntentID: in.ID}
	})
	if err != nil {
		t.Fatal(err)
	}
	sub.direct.mu.Lock()
	sub.direct.most = 3 // with the one that is handled
	sub.direct.mu.Unlock()
	type answered struct {
		id  string
		err error
	}
	answers := make(chan answered, 4)
	ask := func(ctx context.Context, id string) {
		go func() {
			r, err := Ask(ctx, run, event.OrderRequest, order.Intent{ID: id})
			answers <- answered{r.IntentID, err}
		}()
	}
	waiting := func(n int) {
		eventually(t, "the question waits", func() bool { have, _ := sub.pending(); return have == n })
	}
	long := within(t, patience)
	ask(long, "a")
	next(t, entered, "question")
	impatient, cancel := context.WithCancel(long)
	ask(impatient, "b")
	waiting(2)
	ask(long, "c")
	waiting(3)
	if _, err := Ask(within(t, patience), run, event.OrderRequest, order.Intent{ID: "d"}); !errors.Is(err, ErrNobody) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("a question that found no room: %v, want ErrNobody", err)
	}
	cancel()
	if a := next(t, answers, "end of the impatient"); !errors.Is(a.err, context.Canceled) || errors.Is(a.err, ErrNoAnswer) {
		t.Errorf("who gave up: %v", a.err)
	}
	close(leave)
	if b, c := next(t, entered, "question"), next(t, entered, "question"); b != "b" || c != "c" {
		t.Errorf("after a came %s, %s", b, c)
	}
	// Two goroutines tell of them, in any order.
	got := map[answered]bool{next(t, answers, "answer"): true, next(t, answers, "answer"): true}
	if !got[answered{"a", nil}] || !got[answered{"c", nil}] {
		t.Errorf("answers %v", got)
	}
	if n := lost(sub); n != 1 {
		t.Errorf("%d found no room, want 1", n)
	}
}

func TestWhoAsksIsToldThatItsConnectionCloses(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	entered, leave := make(chan struct{}), make(chan struct{})
	if _, err := Reply(desk, event.RunState, func(context.Context, event.Empty) event.Run {
		close(entered)
		<-leave
		return event.Run{}
	}); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() {
		_, err := Ask(within(t, patience), run, event.RunState, event.Empty{})
		told <- err
	}()
	next(t, entered, "question")
	if err := run.Close(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if err := next(t, told, "end of the question"); !errors.Is(err, ErrClosed) {
		t.Errorf("a question whose connection closed: %v, want ErrClosed", err)
	}
	close(leave)
}

func TestAResponderThatStoppedTwiceTakesNobodysPlace(t *testing.T) {
	s := start(t)
	desk, other := connect(t, s, "desk"), connect(t, s, "other")
	reply := func(c *Conn) *Sub {
		sub, err := Reply(c, event.RunState, func(context.Context, event.Empty) event.Run { return event.Run{} })
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	first := reply(desk)
	if err := first.Stop(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	reply(other)
	if err := first.Stop(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(within(t, patience), desk, event.RunState, event.Empty{}); err != nil {
		t.Errorf("the second responder: %v", err)
	}
}

// TestAQuestionThatWaitsWhenItsResponderEndsWasNotHandled: nothing was done, which
// is known at once. That of the question which is being handled is not.
func TestAQuestionThatWaitsWhenItsResponderEndsWasNotHandled(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	entered, leave := make(chan string, 2), make(chan struct{})
	sub, err := Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		entered <- in.ID
		<-leave
		return event.OrderReply{IntentID: in.ID}
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(id string) <-chan error {
		told := make(chan error, 1)
		go func() {
			_, err := Ask(within(t, patience), run, event.OrderRequest, order.Intent{ID: id})
			told <- err
		}()
		return told
	}
	handled := ask("a")
	next(t, entered, "question")
	waits := ask("b")
	eventually(t, "the question waits", func() bool { have, _ := sub.pending(); return have == 2 })
	stopped := make(chan error, 1)
	go func() { stopped <- sub.Stop(within(t, patience)) }()
	if err := next(t, waits, "end of the question that waited"); !errors.Is(err, ErrNobody) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("it waited: %v, want ErrNobody", err)
	}
	close(leave)
	if err := next(t, handled, "answer"); err != nil {
		t.Errorf("it was being handled: %v", err)
	}
	if err := next(t, stopped, "end"); err != nil {
		t.Error(err)
	}
	if len(entered) != 0 {
		t.Error("what waited was handled")
	}
}
