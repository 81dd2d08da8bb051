package gateway

import (
	"net"
	"sync"
	"time"
)

// queue holds what waits to be written to one client, in order. It is bounded:
// put refuses more once the bound is passed, and the session is then closed.
type queue struct {
	mu    sync.Mutex // guards the fields below
	buf   []byte
	spare []byte // the buffer that was written last, for reuse
	last  bool   // nothing more will be put
	over  bool   // the bound was passed

	bound int
	wake  chan struct{} // capacity 1
}

func newQueue(bound int) *queue {
	return &queue{bound: bound, wake: make(chan struct{}, 1)}
}

// put appends what grow appends and reports whether there was room. One frame
// always fits into an empty queue, whatever its size. It does not wake the
// writer: kick does, once for all frames of one cause.
func (q *queue) put(grow func(dst []byte) []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last {
		return true // the session is ending, and nobody will miss it
	}
	if q.over || len(q.buf) > q.bound {
		q.over = true
		return false
	}
	q.buf = grow(q.buf)
	return true
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
	q.last = true
	q.mu.Unlock()
	q.kick()
}

// take returns all that waits, and whether that is the last.
func (q *queue) take(written []byte) (buf []byte, last bool) {
	const keep = 1 << 20 // a greater buffer was for one answer, and is let go
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(written) <= keep {
		q.spare = written[:0]
	}
	buf, q.buf, q.spare = q.buf, q.spare, nil
	return buf, q.last
}

// writeTo is the writer: it sends what is put until end or an error. Each
// write has the deadline.
func (q *queue) writeTo(conn net.Conn, timeout time.Duration) error {
	var buf []byte
	for range q.wake {
		var last bool
		buf, last = q.take(buf)
		if len(buf) > 0 {
			if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
				return err
			}
			if _, err := conn.Write(buf); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
	return nil
}
