package ibkr

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
)

// Priority orders the messages that wait for room in the window.
type priority uint8

const (
	cancelFirst priority = iota
	orderNext
	dataLast
)

const (
	// windowSends is how many messages may go out within windowSpan. The venue
	// allows 50 in one second and may cut off who sends more (code 100).
	windowSends = 45
	// windowSpan is a second, and what two messages may lose of their distance
	// on the way to the gateway.
	windowSpan = time.Second + 50*time.Millisecond
	// maxWaiting bounds the queue; who comes when it is full gets ErrPacing.
	maxWaiting = 1024
)

// pacer lets at most windowSends messages out in any windowSpan: a sliding
// window and not a bucket, whose burst on top of its rate would pass the
// venue's limit. The zero value is ready. Nothing runs in it: who waits, waits
// on his own goroutine, and the first in the queue watches the clock.
type pacer struct {
	mu     sync.Mutex // guards what follows
	sent   [windowSends]time.Time
	oldest int // index of the oldest in sent; zero times are free places
	queue  []*waiter
}

type waiter struct {
	prio priority
	wake chan struct{} // capacity 1: look again
}

// take returns when the caller may send one message, at once when there is
// room. It returns an error that satisfies [broker.ErrPacing] when too many
// wait, or when ctx ends first.
func (p *pacer) take(ctx context.Context, prio priority) error {
	p.mu.Lock()
	if len(p.queue) == 0 && p.room() <= 0 {
		p.stamp()
		p.mu.Unlock()
		return nil
	}
	if len(p.queue) >= maxWaiting {
		p.mu.Unlock()
		return fmt.Errorf("ibkr: %d messages wait to be sent: %w", maxWaiting, broker.ErrPacing)
	}
	w := &waiter{prio, make(chan struct{}, 1)}
	at := len(p.queue)
	for at > 0 && p.queue[at-1].prio > prio { // behind its equals
		at--
	}
	p.queue = slices.Insert(p.queue, at, w)
	p.mu.Unlock()
	return p.wait(ctx, w)
}

func (p *pacer) wait(ctx context.Context, w *waiter) error {
	for {
		p.mu.Lock()
		var due <-chan time.Time
		var timer *time.Timer
		if p.queue[0] == w {
			room := p.room()
			if room <= 0 {
				p.stamp()
				p.leave(w)
				p.mu.Unlock()
				return nil
			}
			timer = time.NewTimer(room)
			due = timer.C
		}
		p.mu.Unlock()
		var err error
		select {
		case <-due:
		case <-w.wake:
		case <-ctx.Done():
			err = fmt.Errorf("ibkr: waiting for room in the %d messages a second: %w: %w", windowSends, broker.ErrPacing, ctx.Err())
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			p.mu.Lock()
			p.leave(w)
			p.mu.Unlock()
			return err
		}
	}
}

// room returns how long until there is room for one more; 0 or less is now.
func (p *pacer) room() time.Duration {
	last := p.sent[p.oldest]
	if last.IsZero() {
		return 0
	}
	return windowSpan - time.Since(last)
}

func (p *pacer) stamp() {
	p.sent[p.oldest] = time.Now()
	p.oldest = (p.oldest + 1) % windowSends
}

// leave takes w out of the queue and wakes the new first.
func (p *pacer) leave(w *waiter) {
	if i := slices.Index(p.queue, w); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	}
	if len(p.queue) > 0 {
		select {
		case p.queue[0].wake <- struct{}{}:
		default: // awake already
		}
	}
}
