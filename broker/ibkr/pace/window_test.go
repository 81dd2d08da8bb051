package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
)

// usual is the window of the default configuration.
func usual() *Window { return NewWindow(45, 5) }

// message is what became of one message that asked the pacer for its turn.
type message struct {
	prio        Priority
	asked, done time.Time
	err         error
}

// traffic is one run of a pacer: who asked when, and what came of it.
type traffic struct {
	p      *Window
	all    sync.WaitGroup
	mu     sync.Mutex // guards what follows
	list   []*message // by the time at which they asked
	halved []time.Time
}

// ask has a message ask, now; it gives up after patience.
func (r *traffic) ask(prio Priority, patience time.Duration) {
	m := &message{prio: prio, asked: time.Now()}
	r.list = append(r.list, m)
	r.all.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := r.p.Take(ctx, nil, prio)
		r.mu.Lock()
		defer r.mu.Unlock()
		m.done, m.err = time.Now(), err
	})
	synctest.Wait()
}

// sent returns the messages that went out, in the order in which they did.
func (r *traffic) sent() (list []*message) {
	for _, m := range r.list {
		if m.err == nil {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b *message) int { return a.done.Compare(b.done) })
	return list
}

func (r *traffic) limitAt(at time.Time) int {
	for _, h := range r.halved {
		if at.After(h) && at.Before(h.Add(HalvedFor)) { // in its own instant, some went before
			return r.p.half()
		}
	}
	return r.p.limit
}

// check returns what is wrong with the whole run.
func (r *traffic) check() error {
	sent := r.sent()
	for i, m := range sent {
		most := r.limitAt(m.done)
		if m.prio != CancelFirst {
			most -= r.p.reserve
		}
		n := 0
		for _, o := range sent {
			// A cancel of the same instant may have gone after this one.
			after := m.prio != CancelFirst && o.prio == CancelFirst && o.done.Equal(m.done)
			if age := m.done.Sub(o.done); age >= 0 && age < time.Second && !after {
				n++
			}
		}
		if n > most {
			return fmt.Errorf("priority %d was message %d in a second, of %d", m.prio, n, most)
		}
		for _, o := range r.list { // who was passed over
			if o.asked.Before(m.asked) && o.prio == m.prio && o.done.After(m.done) || o.prio < m.prio && o.asked.Before(m.done) && o.done.After(m.done) {
				return fmt.Errorf("message %d of priority %d went before %+v", i, m.prio, o)
			}
		}
		if m.done.After(m.asked) && !r.opened(sent[:i], m.done) {
			return fmt.Errorf("message %d waited %v for nothing", i, m.done.Sub(m.asked))
		}
	}
	return r.checkCounts(len(sent))
}

// opened reports whether room came at that instant: an earlier message left the
// window, or the limit became whole again.
func (r *traffic) opened(before []*message, at time.Time) bool {
	return slices.ContainsFunc(before, func(m *message) bool { return m.done.Add(windowSpan).Equal(at) }) ||
		slices.ContainsFunc(r.halved, func(h time.Time) bool { return h.Add(HalvedFor).Equal(at) })
}

func (r *traffic) checkCounts(sent int) error {
	h := r.p.Health()
	var waited, atOnce, refused uint64
	var all, longest time.Duration
	for _, m := range r.list {
		switch d := m.done.Sub(m.asked); {
		case errors.Is(m.err, broker.ErrPacing) && !errors.Is(m.err, context.DeadlineExceeded):
			refused++
		case d > 0:
			waited++
			all += d
			longest = max(longest, d)
		case m.err != nil:
			return fmt.Errorf("gave up at once: %w", m.err)
		default:
			atOnce++ // some of them from the queue, in the instant in which room came
		}
	}
	if h.Waited < waited || h.Waited > waited+atOnce || h.Refused != refused || h.Waiting != 0 || h.WaitedMS != milliseconds(all) || h.LongestMS != milliseconds(longest) {
		return fmt.Errorf("of %d messages, %d sent, %d waited for %v, at most %v, %d were refused: told as %+v", len(r.list), sent, waited, all, longest, refused, h)
	}
	return nil
}

// Whatever asks in whatever order, and whatever the venue says: no second has
// more than the limit, none of the reserve goes to anything but cancels, nobody
// is passed over by his equals or those below, nobody waits when there is room,
// and the counts add up.
func TestTheWindowHoldsWhateverIsAsked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(10, 50).Draw(rt, "limit")
		reserve := rapid.IntRange(0, limit/2).Draw(rt, "reserve")
		type step struct{ gap, prio, patience int }
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.SampledFrom([]int{0, 0, 0, 1, 7, 60, 400}).Draw(rt, "gap, ms"),
				rapid.SampledFrom([]int{0, 0, 1, 2, 2, 2, 3}).Draw(rt, "priority"), // 3: code 100
				rapid.SampledFrom([]int{1, 500, 100000, 100000}).Draw(rt, "patience, ms"),
			}
		}), 50, 250).Draw(rt, "steps")
		var err error
		synctest.Test(t, func(*testing.T) {
			r := &traffic{p: NewWindow(limit, reserve)}
			for _, s := range steps {
				time.Sleep(time.Duration(s.gap) * time.Millisecond)
				if s.prio == int(numPriorities) {
					r.p.Halve()
					r.halved = append(r.halved, time.Now())
					continue
				}
				r.ask(Priority(s.prio), time.Duration(s.patience)*time.Millisecond)
			}
			r.all.Wait()
			err = r.check()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestCancelsGoBeforeOrdersBeforeData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &traffic{p: usual()}
		for range r.p.limit {
			r.ask(CancelFirst, time.Minute)
			time.Sleep(10 * time.Millisecond) // so that room comes one by one
		}
		before := len(r.list)
		for _, prio := range []Priority{DataLast, OrderNext, DataLast, CancelFirst, OrderNext, CancelFirst} {
			r.ask(prio, time.Minute)
		}
		r.all.Wait()
		var got []Priority
		for _, m := range r.sent()[before:] {
			got = append(got, m.prio)
		}
		if want := []Priority{CancelFirst, CancelFirst, OrderNext, OrderNext, DataLast, DataLast}; !slices.Equal(got, want) {
			t.Errorf("order %v, want %v", got, want)
		}
		if err := r.check(); err != nil {
			t.Error(err)
		}
	})
}

// A halt with 100 working orders: the first 40 cancels go out at once and all
// of them within 3 s. Where everything else has used up its share before, the
// reserve goes out at once and the rest as that leaves the window; only when it
// went out in the very same instant, the last five are later than 3 s.
func TestAHaltOfAHundredOrders(t *testing.T) {
	for name, tt := range map[string]struct {
		before      int           // messages of others
		apart       time.Duration // between them
		atOnce      int           // cancels that do not wait at all
		first40, of time.Duration // until 40, and all, have gone
	}{
		"nothing else":       {0, 0, 45, 0, 3 * time.Second},
		"a usual line":       {5, 0, 40, 0, 3 * time.Second},
		"a busy line":        {200, 25 * time.Millisecond, 5, time.Second, 3 * time.Second},
		"full in an instant": {140, 0, 5, windowSpan, 3 * windowSpan}, // 100 of them wait
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &traffic{p: usual()}
				for range tt.before {
					r.ask(OrderNext, time.Minute)
					time.Sleep(tt.apart)
				}
				halt := time.Now()
				for range 100 {
					r.ask(CancelFirst, time.Minute)
				}
				r.all.Wait()
				var waits []time.Duration
				for _, m := range r.sent() {
					if m.prio == CancelFirst {
						waits = append(waits, m.done.Sub(halt))
					}
				}
				if waits[tt.atOnce-1] != 0 || waits[39] > tt.first40 || waits[99] > tt.of {
					t.Errorf("%d cancels after %v, 40 after %v, 100 after %v", tt.atOnce, waits[tt.atOnce-1], waits[39], waits[99])
				}
				if err := r.check(); err != nil {
					t.Error(err)
				}
				waited := uint64(0)
				for _, m := range r.list {
					if m.done.After(m.asked) {
						waited++
					}
				}
				if h := r.p.Health(); h.Waited != waited {
					t.Errorf("%d waited, told are %d: who has room must not stand in the queue", waited, h.Waited)
				}
			})
		})
	}
}

// Code 100 halves the limit for a minute, said again for a minute more; the
// reserve stays, and something else passes, too.
func TestCode100HalvesForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &traffic{p: usual()}
		halve := func() {
			r.p.Halve()
			r.halved = append(r.halved, time.Now())
		}
		halve()
		for range 45 {
			r.ask(DataLast, 90*time.Second)
		}
		if h := r.p.Health(); h.Sent != 17 || h.Limit != 22 || h.Reserved != 5 || h.Waiting != 28 || !h.HalvedUntil.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("halved: %+v", h)
		}
		time.Sleep(45 * time.Second)
		halve()
		time.Sleep(45 * time.Second) // longer than the first minute
		for range 45 {
			r.ask(DataLast, 90*time.Second)
		}
		if h := r.p.Health(); h.Sent != 17 || h.HalvedUntil == nil {
			t.Errorf("the second 100 did not begin the minute anew: %+v", h)
		}
		time.Sleep(16 * time.Second)
		for range 45 {
			r.ask(DataLast, 90*time.Second)
		}
		if h := r.p.Health(); h.Sent != 40 || h.Limit != 45 || h.HalvedUntil != nil {
			t.Errorf("after the minute: %+v", h)
		}
		r.all.Wait()
		if err := r.check(); err != nil {
			t.Error(err)
		}
		small := NewWindow(10, 5)
		if small.half() != 6 {
			t.Errorf("half of 10 with 5 for cancels is %d: nothing else passes", small.half())
		}
	})
}

func TestWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := usual()
		for range p.limit {
			_ = p.Take(t.Context(), nil, CancelFirst)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := p.Take(ctx, nil, OrderNext); !errors.Is(err, broker.ErrPacing) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		gone := make(chan struct{})
		time.AfterFunc(100*time.Millisecond, func() { close(gone) })
		if err := p.Take(t.Context(), gone, OrderNext); !errors.Is(err, broker.ErrPacing) || !errors.Is(err, errSessionOver) {
			t.Errorf("of a session that ended: %v", err)
		}
		if len(p.queue) != 0 || p.waiting != [numPriorities]int{} {
			t.Error("who gave up still stands in the queue")
		}
		long, give := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range maxWaiting {
			all.Go(func() { _ = p.Take(long, nil, DataLast) })
		}
		synctest.Wait()
		if err := p.Take(t.Context(), nil, DataLast); !errors.Is(err, broker.ErrPacing) {
			t.Errorf("one more than %d: %v", maxWaiting, err)
		}
		if err := p.Take(t.Context(), nil, CancelFirst); err != nil {
			t.Errorf("a cancel behind %d questions: %v", maxWaiting, err)
		}
		give()
		all.Wait()
		if h := p.Health(); h.Waiting != 0 || h.Refused != 1 {
			t.Errorf("%+v", h)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	p := usual()
	b.ReportAllocs()
	for b.Loop() {
		p.next = 0
		p.sent = [MaxSends]time.Time{} // always free
		if err := p.Take(context.Background(), nil, OrderNext); err != nil {
			b.Fatal(err)
		}
	}
}
