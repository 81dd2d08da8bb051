package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
)

// Priority orders the messages that wait for room in a [Window].
type Priority uint8

// The priorities, the first of them first.
const (
	CancelFirst Priority = iota
	OrderNext
	DataLast
	numPriorities
)

const (
	// MaxSends is the venue's own limit of messages in one second; it may cut
	// off who sends more (code 100). Protocol sheet, section 9.
	MaxSends = 50
	// HalvedFor is how long [Window.Halve] halves the limit.
	HalvedFor = time.Minute
	// windowSpan is a second, and what two messages may lose of their distance
	// on the way to the gateway.
	windowSpan = time.Second + 50*time.Millisecond
	// maxWaiting bounds how many of each priority wait; who comes when they do
	// gets ErrPacing. So a flood of questions never keeps out a cancel.
	maxWaiting = 1024
)

// errSessionOver means that the session of a message that waited is over.
var errSessionOver = errors.New("the session ended")

// Window lets at most limit messages out in any windowSpan: a sliding window and
// not a bucket, whose burst on top of its rate would pass the venue's limit.
//
// The last places of the window, as many as reserve, are for cancels alone: a
// halt is written at once, however busy the line is. Those who wait go by
// priority, cancels before orders before everything else, and in the order of
// their coming among equals. So a cancel waits for cancels only; everything
// else waits as long as what goes before it fills the window, which cancels do
// for a second for each 45 orders that work.
//
// Nothing runs in it: who waits, waits on his own goroutine, and the first in
// the queue watches the clock. It is safe for concurrent use.
type Window struct {
	limit, reserve int // as configured

	mu          sync.Mutex // guards what follows
	sent        [MaxSends]time.Time
	next        int       // index in sent of the next; zero times are free places
	halvedUntil time.Time // zero = never halved
	queue       []*waiter // by priority, then by their coming
	waiting     [numPriorities]int
	waited      uint64 // those that have left the queue, sent or not
	waitedFor   time.Duration
	longest     time.Duration
	refused     uint64
}

// NewWindow returns a window for limit messages a second, 1 to [MaxSends], of
// which reserve, less than limit, are for cancels.
func NewWindow(limit, reserve int) *Window { return &Window{limit: limit, reserve: reserve} }

type waiter struct {
	prio  Priority
	since time.Time
	wake  chan struct{} // capacity 1: look again
}

// Take returns when the caller may send one message, at once when there is
// room. It returns an error that satisfies [broker.ErrPacing] when too many
// wait, or when ctx ends or gone is closed first: the end of the session that
// would write the message. A nil gone never is.
func (p *Window) Take(ctx context.Context, gone <-chan struct{}, prio Priority) error {
	p.mu.Lock()
	now := time.Now()
	// Only what goes before it holds it up: a cancel has room where others wait.
	if (len(p.queue) == 0 || p.queue[0].prio > prio) && p.room(now, prio) <= 0 {
		p.mark(now)
		p.mu.Unlock()
		return nil
	}
	if p.waiting[prio] >= maxWaiting {
		p.refused++
		p.mu.Unlock()
		return fmt.Errorf("ibkr: %d messages of its kind wait to be sent: %w", maxWaiting, broker.ErrPacing)
	}
	w := &waiter{prio, now, make(chan struct{}, 1)}
	at := len(p.queue)
	for at > 0 && p.queue[at-1].prio > prio { // behind its equals
		at--
	}
	p.queue = slices.Insert(p.queue, at, w)
	p.waiting[prio]++
	p.mu.Unlock()
	return p.wait(ctx, gone, w)
}

func (p *Window) wait(ctx context.Context, gone <-chan struct{}, w *waiter) error {
	for {
		p.mu.Lock()
		var due <-chan time.Time
		var timer *time.Timer
		if p.queue[0] == w {
			now := time.Now()
			room := p.room(now, w.prio)
			if room <= 0 {
				p.mark(now)
				p.leave(w, now)
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
		case <-gone:
			err = errSessionOver
		case <-ctx.Done():
			err = ctx.Err()
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			p.mu.Lock()
			p.leave(w, time.Now())
			p.mu.Unlock()
			return fmt.Errorf("ibkr: waiting for room in the %d messages a second: %w: %w", p.limit, broker.ErrPacing, err)
		}
	}
}

// room returns how long until there is room for one more of that priority; 0 or
// less is now. The lock is held.
func (p *Window) room(now time.Time, prio Priority) time.Duration {
	whole := p.until(now, prio, p.limit)
	left := p.halvedUntil.Sub(now)
	if left <= 0 {
		return whole
	}
	return min(p.until(now, prio, p.half()), max(left, whole))
}

// until is room under one limit.
func (p *Window) until(now time.Time, prio Priority, limit int) time.Duration {
	if prio != CancelFirst {
		limit -= p.reserve
	}
	last := p.sent[(p.next+MaxSends-limit)%MaxSends]
	if last.IsZero() {
		return 0
	}
	return windowSpan - now.Sub(last)
}

// half is the limit after code 100. The reserve stays whole, and one place is
// left for everything else.
func (p *Window) half() int { return max(p.limit/2, p.reserve+1) }

// mark counts one message as sent; the lock is held.
func (p *Window) mark(now time.Time) {
	p.sent[p.next] = now
	p.next = (p.next + 1) % MaxSends
}

// Stamp counts a message that is sent without asking, as in a handshake.
func (p *Window) Stamp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark(time.Now())
}

// Halve halves the limit for a minute from now on: the venue said that we send
// too much (100). Said again, the minute begins anew.
func (p *Window) Halve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halvedUntil = time.Now().Add(HalvedFor)
}

// leave takes w out of the queue and wakes the new first; the lock is held.
func (p *Window) leave(w *waiter, now time.Time) {
	i := slices.Index(p.queue, w)
	p.queue = slices.Delete(p.queue, i, i+1)
	p.waiting[w.prio]--
	waited := now.Sub(w.since)
	p.waited++
	p.waitedFor += waited
	p.longest = max(p.longest, waited)
	if len(p.queue) > 0 {
		select {
		case p.queue[0].wake <- struct{}{}:
		default: // awake already
		}
	}
}

// Health tells how the messages stand under the limit.
func (p *Window) Health() broker.Pacing {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	h := broker.Pacing{
		Limit: p.limit, Reserved: p.reserve, Waiting: len(p.queue), Waited: p.waited,
		WaitedMS: milliseconds(p.waitedFor), LongestMS: milliseconds(p.longest), Refused: p.refused,
	}
	if p.halvedUntil.After(now) {
		until := p.halvedUntil
		h.Limit, h.HalvedUntil = p.half(), &until
	}
	for _, at := range p.sent {
		if !at.IsZero() && now.Sub(at) < time.Second {
			h.Sent++
		}
	}
	return h
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
