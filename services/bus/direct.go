package bus

import (
	"runtime"
	"slices"
	"strings"
	"sync"
)

// parcel is one message on the short way, from who publishes to who takes it.
type parcel struct {
	subject, pub string
	seq          uint64
	raw          []byte        // the payload as NATS carries it, shared by all who get it
	answer       chan<- []byte // of a question: with room for the one answer, closed when it is not handled; nil of others
}

// direct is the queue of a subscription that takes the short way. It is bounded
// and counted as that of a NATS subscription is: what is being handled counts
// as waiting, and what finds no room is dropped.
type direct struct {
	most      int // messages
	mostBytes int

	filled sync.Cond  // something came, or the queue is over
	mu     sync.Mutex // guards what follows
	list   []parcel
	next   int // in list
	// Messages and bytes that wait or are being handled.
	messages, bytes int
	dropped         int
	asleep          bool // the handler's goroutine waits for filled
	over            bool
}

func newDirect(p Policy) *direct {
	q := &direct{}
	q.most, q.mostBytes = p.limits()
	q.filled.L = &q.mu
	return q
}

// put adds a message, or drops it when there is no room. It reports whether the
// handler slept and has to be given the processor, and whether the message waits.
func (q *direct) put(p parcel) (woke, waits bool) {
	q.mu.Lock()
	switch {
	case q.over:
	case q.messages >= q.most || q.bytes+len(p.raw) > q.mostBytes:
		q.dropped++
	default:
		q.messages++
		q.bytes += len(p.raw)
		q.list = append(q.list, p)
		woke, q.asleep, waits = q.asleep, false, true
	}
	q.mu.Unlock()
	if woke {
		q.filled.Signal() // after the mutex, which the handler takes at once
	}
	return woke, waits
}

// take returns the next message when there is one; ok is false when the queue
// is over. Handled is the size of the message before, which is done now, or -1.
func (q *direct) take(handled int) (p parcel, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if handled >= 0 {
		q.messages--
		q.bytes -= handled
	}
	for q.next == len(q.list) && !q.over {
		q.asleep = true
		q.filled.Wait()
	}
	if q.over {
		return parcel{}, false
	}
	p = q.list[q.next]
	q.list[q.next] = parcel{} // the payload is not ours any more
	if q.next++; q.next == len(q.list) {
		q.list, q.next = q.list[:0], 0
		if cap(q.list) > KeepMark { // one long queue is no reason to keep its room
			q.list = nil
		}
	} else if q.next >= KeepMark && q.next > len(q.list)/2 { // never empty: what is done gives its room back
		q.list = slices.Delete(q.list, 0, q.next) // which lets go the payloads behind it
		q.next = 0
	}
	return p, true
}

// end lets the handler's goroutine end. What waits is not handled, and who asked is
// told so.
func (q *direct) end() {
	q.mu.Lock()
	for _, p := range q.list[q.next:] {
		if p.answer != nil {
			close(p.answer)
		}
	}
	q.over, q.list, q.next, q.asleep = true, nil, 0, false
	q.mu.Unlock()
	q.filled.Broadcast()
}

// pending returns what waits or is being handled.
func (q *direct) pending() (messages, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages, q.bytes
}

// serve is the handler's goroutine; end ends it.
func (q *direct) serve(done chan<- struct{}, fn func(parcel)) {
	defer close(done)
	p, ok := q.take(-1)
	for ok {
		fn(p)
		p, ok = q.take(len(p.raw))
	}
}

// hand gives a message to all who take the short way, before NATS has it, and
// reports whether there was one. The caller holds the publisher's sequence.
func (c *Conn) hand(p parcel) (given bool) {
	list := c.server.directs.Load()
	if list == nil {
		return false
	}
	woke := false
	for _, s := range *list {
		if strings.HasPrefix(p.subject, s.prefix) {
			given = true
			wakes, _ := s.direct.put(p)
			woke = wakes || woke
		}
	}
	if woke {
		// Whoever was woken goes first: NATS and its readers are five times as much
		// work as a strategy, and would stand before it on a single processor.
		runtime.Gosched()
	}
	return given
}
