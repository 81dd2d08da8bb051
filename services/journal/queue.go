package journal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"robotrader/broker"
)

// maxQueue bounds the records that wait: at 45 messages a second with ten
// reports each it is more than two minutes of a disk that stands still.
const maxQueue = 65536

// maxRefusals bounds the refused intents among them: they are the largest
// records, and nothing paces a strategy that asks for what is refused.
const maxRefusals = 4096

// item is one thing for the recorder. An empty one is a place that was
// reserved and not used yet.
type item struct {
	rec     broker.Record
	settles int64                // seq of the intent whose order rec holds, or 0
	refused *broker.IntentRecord // with args
	args    []any
	link    *broker.Link
	synced  chan struct{} // closed when all before it is durable
}

// queue holds what the recorder has yet to write. Places are reserved before
// they are filled, so that an intent that is durable never waits for one.
type queue struct {
	kick chan struct{} // there is something to do

	mu       sync.Mutex // guards what follows
	items    []item
	reserved int
	writing  int           // items that the recorder took and has not written
	room     chan struct{} // closed when places become free, nil when nobody waits
	refusals map[string]broker.IntentRecord
	urgent   bool // somebody waits for a Sync
	closed   bool
	err      error
	since    time.Time     // of err
	failed   uint64        // how often err began
	down     chan struct{} // closed while err is set
}

func newQueue() *queue {
	return &queue{kick: make(chan struct{}, 1), down: make(chan struct{}), refusals: map[string]broker.IntentRecord{}}
}

// reserve takes a place, waiting for one until ctx ends.
func (q *queue) reserve(ctx context.Context) error {
	return q.await(ctx, func() bool { return true }, maxQueue)
}

// reserveRefusal is reserve for a refused intent, of which fewer may wait. What
// is reserved and not filled yet does not count among them.
func (q *queue) reserveRefusal(ctx context.Context) error {
	return q.await(ctx, func() bool { return len(q.refusals) < maxRefusals }, maxRefusals)
}

// await takes a place when there is one and may, which is asked under the
// mutex, agrees. Most is the bound that is named when it comes to nothing.
func (q *queue) await(ctx context.Context, may func() bool, most int) error {
	for {
		q.mu.Lock()
		switch {
		case q.err != nil:
			defer q.mu.Unlock()
			return q.err
		case q.closed:
			q.mu.Unlock()
			return ErrClosed
		case len(q.items)+q.writing+q.reserved < maxQueue && may():
			q.reserved++
			q.mu.Unlock()
			return nil
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("the disk is behind by %d records: %w", most, context.Cause(ctx))
		}
	}
}

// release gives a reserved place back.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	q.free()
	q.wake() // the recorder's end may wait for this place
}

// fill puts items into the queue, the first into a reserved place, and wakes
// the recorder.
func (q *queue) fill(items ...item) {
	q.fillQuietly(items...)
	q.wake()
}

// fillQuietly is fill without waking the recorder: whoever fills next, or
// closes, wakes it. It is for an intent, whose order is about to be written:
// waking somebody would take time just then, and the record of what became of
// the write follows.
func (q *queue) fillQuietly(items ...item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	for _, it := range items {
		if it.refused != nil {
			q.refusals[it.refused.Intent.ID] = *it.refused
		}
		q.urgent = q.urgent || it.synced != nil
	}
	q.items = append(q.items, items...)
}

// take returns at most n items, and whether the queue is closed. What it
// returns counts as waiting until wrote is called.
func (q *queue) take(n int) (items []item, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.items))
	items = q.items[:n:n]
	q.items = q.items[n:]
	q.writing = n
	if len(q.items) == 0 {
		q.items, q.urgent = nil, false
	}
	return items, q.closed
}

// wrote tells that the first n of what was taken are written, and puts the
// rest back.
func (q *queue) wrote(items []item, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = 0
	for _, it := range items[:n] {
		if it.refused != nil {
			delete(q.refusals, it.refused.Intent.ID)
		}
	}
	if n < len(items) {
		q.items = append(items[n:len(items):len(items)], q.items...)
		q.urgent = true
		q.wake()
	}
	q.free()
}

func (q *queue) free() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

func (q *queue) wake() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

func (q *queue) hasty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.urgent || q.closed || len(q.items) >= group
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) + q.writing
}

func (q *queue) refused(id string) (broker.IntentRecord, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, ok := q.refusals[id]
	return r, ok
}

// fail ends the journal's promise, until recover.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err, q.since = err, time.Now()
		q.failed++
		close(q.down)
	}
	q.free()
	q.wake()
}

// worse replaces the reason of a failure with a newer one.
func (q *queue) worse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}

// recover takes the failure back.
func (q *queue) recover() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err, q.down = nil, make(chan struct{})
	q.urgent = true
	q.wake()
}

// fault returns since when the queue has failed, and why; nil when it has not.
func (q *queue) fault() (since time.Time, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.since, q.err
}

// failing returns what is closed while the queue has failed.
func (q *queue) failing() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.down
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// broken returns why the journal does not take anything any more, or nil.
func (q *queue) broken() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil && q.closed {
		return ErrClosed
	}
	return q.err
}

// close lets nothing in any more; first is false when it was closed already.
func (q *queue) close() (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first = !q.closed
	q.closed = true
	q.free()
	q.wake()
	return first
}

// idle reports whether nothing waits and nobody has a place reserved.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0 && q.reserved == 0
}
