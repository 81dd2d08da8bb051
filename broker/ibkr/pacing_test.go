package ibkr

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
)

// In no second are there more than 45 messages, however they are asked for,
// and all go out as soon as that allows.
func TestNeverMoreThan45InASecond(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		gaps := rapid.SliceOfN(rapid.IntRange(0, 60), 50, 300).Draw(rt, "milliseconds between messages")
		synctest.Test(t, func(*testing.T) {
			var p pacer
			var sent []time.Time
			for _, gap := range gaps {
				time.Sleep(time.Duration(gap) * time.Millisecond)
				asked := time.Now()
				if err := p.take(context.Background(), dataLast); err != nil {
					rt.Fatal(err)
				}
				now := time.Now()
				if n := len(sent); n >= windowSends && now.Sub(sent[n-windowSends]) < time.Second {
					rt.Fatalf("46 messages in %v", now.Sub(sent[n-windowSends]))
				} else if waited := now.Sub(asked); waited > 0 && now.Sub(sent[n-windowSends]) != windowSpan {
					rt.Fatalf("waited %v for nothing", waited)
				}
				sent = append(sent, now)
			}
		})
	})
}

func TestCancelsGoBeforeOrdersBeforeData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		for range windowSends {
			if err := p.take(t.Context(), dataLast); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond) // so that room comes one by one
		}
		var mu sync.Mutex
		var got []priority
		var all sync.WaitGroup
		for _, prio := range []priority{dataLast, orderNext, dataLast, cancelFirst, orderNext, cancelFirst} {
			all.Go(func() {
				if err := p.take(t.Context(), prio); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, prio)
			})
			synctest.Wait()
		}
		all.Wait()
		if want := []priority{cancelFirst, cancelFirst, orderNext, orderNext, dataLast, dataLast}; !slices.Equal(got, want) {
			t.Errorf("order %v, want %v", got, want)
		}
	})
}

func TestWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		for range windowSends {
			_ = p.take(t.Context(), dataLast)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := p.take(ctx, orderNext); !errors.Is(err, broker.ErrPacing) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if len(p.queue) != 0 {
			t.Error("who gave up still stands in the queue")
		}
		long, give := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range maxWaiting {
			all.Go(func() { _ = p.take(long, dataLast) })
		}
		synctest.Wait()
		if err := p.take(t.Context(), cancelFirst); !errors.Is(err, broker.ErrPacing) {
			t.Errorf("one more than %d: %v", maxWaiting, err)
		}
		give()
		all.Wait()
		if len(p.queue) != 0 {
			t.Errorf("%d left in the queue", len(p.queue))
		}
	})
}
