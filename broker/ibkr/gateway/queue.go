package gateway

import (
	"net"
	"sync"
	"time"
)

// queue holds what waits to be written to one client. Frames leave it in the
// order in which they were put, whole causes at a time. It is bounded: put
// refuses more once the bound is passed, and the session is then closed.
//
// Quotes are the exception. Once more than a little waits, a quote is held
// back, and a newer one of the same request and tick type takes its place. What
// is held leaves with the next write, behind all that was put before: a quote
// may be told later than it came, after a trade that came after it, but never
// earlier, and of two quotes of one kind the newer one is told last.
type queue struct {
	mu      sync.Mutex // guards the fields below
	buf     []byte     // frames in order
	free    int        // of buf, what the writer may take: causes that are complete
	held    held       // quotes that wait for the next write
	writing int        // bytes taken and not yet written
	spare   []byte     // the buffer that was written last, for reuse
	last    bool       // nothing more will be put
	ended   time.Time  // wall time since when
	over    bool       // the bound was passed

	bound    int
	conflate int           // quotes are held above this; 0 = never
	wake     chan struct{} // capacity 1
}

func newQueue(bound, conflate int) *queue {
	return &queue{bound: bound, conflate: conflate, wake: make(chan struct{}, 1)}
}

// put appends the frame that grow appends and reports whether there was room.
// One frame always fits into an empty queue, whatever its size. The writer gets
// nothing of it before release, and does not know before kick: once for all
// frames of one cause.
func (q *queue) put(k class, grow func(dst []byte) []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last {
		return true // the session is ending, and nobody will miss it
	}
	waiting := len(q.buf) + q.writing
	if q.over || waiting > q.bound {
		q.over = true
		return false
	}
	if k.place == quoted && q.conflate > 0 && (waiting > q.conflate || !q.held.empty()) {
		q.held.put(k, grow)
		return true
	}
	if k.place == edge {
		q.buf = q.held.moveTo(q.buf)
	}
	q.buf = grow(q.buf)
	return true
}

// release lets the writer take what was put so far: a cause is complete.
func (q *queue) release() {
	q.mu.Lock()
	q.free = len(q.buf)
	q.mu.Unlock()
}

// kick tells the writer that something is there.
func (q *queue) kick() {
	select {
	case q.wake <- struct{}{}:
	default: // it is told already
	}
}

// end lets the writer finish what is there and then return.
func (q *queue) end() {
	q.mu.Lock()
	if !q.last {
		q.ended = time.Now()
	}
	q.free, q.last = len(q.buf), true
	q.mu.Unlock()
	q.kick()
}

// deadline is that of a write that begins now. After end all writes share one:
// a client that has left may not hold up what it has not taken for long.
func (q *queue) deadline(timeout time.Duration) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last {
		return q.ended.Add(timeout)
	}
	return time.Now().Add(timeout)
}

// take returns all that may be written, and whether that is the last.
func (q *queue) take(written []byte) (batch []byte, last bool) {
	const keep = 1 << 20 // a greater buffer was for one answer, and is let go
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(written) <= keep {
		q.spare = written[:0]
	}
	rest := q.buf[q.free:] // of a cause that is not complete
	if len(rest) == 0 {
		// Behind frames that must wait, the quotes wait too.
		batch = q.held.moveTo(q.buf)
	} else {
		batch = q.buf[:q.free]
	}
	q.buf, q.spare = append(q.spare, rest...), nil
	q.free, q.writing = 0, len(batch)
	return batch, q.last
}

// wrote notes that bytes of the batch have left.
func (q *queue) wrote(n int) {
	q.mu.Lock()
	q.writing -= n
	q.mu.Unlock()
}

// maxWrite is the most that is written in one go, with one deadline.
const maxWrite = 256 << 10

// writeTo is the writer: it sends what is put until end or an error. Each
// write has the deadline, and all after end together have it once more.
func (q *queue) writeTo(conn net.Conn, timeout time.Duration) error {
	var batch []byte
	for range q.wake {
		var last bool
		batch, last = q.take(batch)
		for rest := batch; len(rest) > 0; {
			part := rest[:min(len(rest), maxWrite)]
			if err := conn.SetWriteDeadline(q.deadline(timeout)); err != nil {
				return err
			}
			if _, err := conn.Write(part); err != nil {
				return err
			}
			q.wrote(len(part))
			rest = rest[len(part):]
		}
		if last {
			return nil
		}
	}
	return nil
}
