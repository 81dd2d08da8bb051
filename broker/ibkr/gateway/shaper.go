package gateway

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// shaper is a client's socket under a fault script: it does to the bytes what
// the script asks for. It stands between the session and its net.Conn, and
// reads the session's frames, and among them instructions to itself (a shape),
// so that what is done to the bytes keeps its place among them.
//
// Whoever waits in it is let go when the session's other end has gone, when it
// is hurried (a reset, the gateway's stop), or closed.
type shaper struct {
	net.Conn
	timeout time.Duration                         // of one write
	patient time.Duration                         // with the handshake, anew after a wedge
	frozen  func() time.Time                      // until when the gateway stands still
	fire    func(inbound bool, mark int64) []byte // a mark is reached; returns shapes for the writer

	over    latch // the client has gone, or the session is closed
	hurried latch // nothing waits any more

	// Guarded by mu: set under the server's mutex, read by the goroutines of
	// the session.
	mu      sync.Mutex
	wedged  time.Time     // until then nothing is read on
	blocked time.Time     // until then nothing is read
	keep    time.Duration // how long the client's close is not told
	ended   bool          // the reader is to see the end

	// Of the reader's goroutine.
	stash   []byte
	came    int64
	inMarks []int64

	// Of the writer's goroutine.
	partial  []byte // a frame or a shape that has not come whole
	out      []byte // frames to write together
	frames   int    // in out
	gone     int64  // bytes written
	outMarks []int64
	delay    time.Duration
	delayEnd time.Time
	drip     int
	dripWait time.Duration
	dripEnd  time.Time
	join     int
	splitAll int
	splitOne int
	cutAt    int
	closed   bool // nothing is written any more
	deaf     bool // what waits is left out, because it was silent at the end
}

// forever is later than any wait.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// until is d from now; 0 is for good.
func until(d time.Duration) time.Time {
	if d == 0 {
		return forever
	}
	return time.Now().Add(d)
}

// latch is a channel that is closed once.
type latch struct {
	once sync.Once
	ch   chan struct{}
}

func newLatch() latch { return latch{ch: make(chan struct{})} }

func (l *latch) set() { l.once.Do(func() { close(l.ch) }) }

func (l *latch) isSet() bool {
	select {
	case <-l.ch:
		return true
	default:
		return false
	}
}

func newShaper(nc net.Conn, timeout, patient time.Duration, frozen func() time.Time, fire func(bool, int64) []byte) *shaper {
	return &shaper{Conn: nc, timeout: timeout, patient: patient, frozen: frozen, fire: fire, over: newLatch(), hurried: newLatch()}
}

// wait returns at the time, or when there is nothing to wait for any more, and
// reports whether it was the time.
func (w *shaper) wait(at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.over.ch:
	case <-w.hurried.ch:
	}
	return false
}

// hurry ends all waits: what is queued is written now, or left out where it
// had to wait for good, and a client that does not take it is not waited for.
func (w *shaper) hurry() {
	w.hurried.set()
	_ = w.Conn.SetWriteDeadline(time.Now().Add(claimGrace))
}

// SetReadDeadline keeps the session's deadlines from one that is wedged, and
// takes a deadline that has passed for the gateway's stop.
func (w *shaper) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		w.hurry()
		return w.Conn.SetReadDeadline(t)
	}
	w.mu.Lock()
	wedged, ended := w.wedged, w.ended
	w.mu.Unlock()
	if ended {
		return nil // it has one that has passed
	}
	if !t.IsZero() && !wedged.IsZero() {
		if wedged == forever {
			return nil
		}
		t = t.Add(max(0, time.Until(wedged)))
	}
	return w.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: each write has its own.
func (w *shaper) SetWriteDeadline(time.Time) error { return nil }

// Close closes the socket and lets go who waits.
func (w *shaper) Close() error {
	w.over.set()
	w.hurried.set()
	return w.Conn.Close()
}

// CloseWrite writes what is collected and ends the sending side. The writer
// calls it, or who has outlived it.
func (w *shaper) CloseWrite() error {
	if err := w.flush(); err != nil {
		return err
	}
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetLinger says how the close is made: 0 is a reset.
func (w *shaper) SetLinger(sec int) error {
	if l, ok := w.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(sec)
	}
	return nil
}

// maxStash bounds what a wedged session keeps of its client.
const maxStash = 64 << 10

// Read reads what the client sends, when the script lets it.
func (w *shaper) Read(b []byte) (int, error) {
	if len(w.stash) > 0 {
		n := copy(b, w.stash)
		w.stash = w.stash[n:]
		return n, nil
	}
	if err := w.wedge(); err != nil {
		return 0, w.lost(err)
	}
	if len(w.stash) > 0 {
		return w.Read(b)
	}
	w.hold()
	if len(w.inMarks) > 0 && w.came >= w.inMarks[0] {
		mark := w.inMarks[0]
		w.inMarks = w.inMarks[1:]
		w.fire(true, mark)
		return w.Read(b)
	}
	if len(w.inMarks) > 0 {
		b = b[:min(int64(len(b)), w.inMarks[0]-w.came)]
	}
	n, err := w.Conn.Read(b)
	w.came += int64(n)
	w.hold()
	if err != nil {
		err = w.lost(err)
	}
	return n, err
}

// hold waits while nothing is to be read.
func (w *shaper) hold() {
	for {
		w.mu.Lock()
		at := w.blocked
		w.mu.Unlock()
		if f := w.frozen(); f.After(at) {
			at = f
		}
		if !at.After(time.Now()) || !w.wait(at) {
			return
		}
	}
}

// wedge reads and keeps what comes while the session is wedged, so that the
// client's close is seen.
func (w *shaper) wedge() error {
	for {
		w.mu.Lock()
		end := w.wedged
		w.mu.Unlock()
		if !end.After(time.Now()) {
			break
		}
		if !w.hurried.isSet() {
			if err := w.Conn.SetReadDeadline(end); err != nil {
				return err
			}
		}
		buf := make([]byte, 4096)
		n, err := w.Conn.Read(buf)
		if room := maxStash - len(w.stash); room > 0 {
			w.stash = append(w.stash, buf[:min(n, room)]...)
		}
		w.came += int64(n)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && !w.hurried.isSet() {
			break // the wedge has ended
		}
		if err != nil {
			return err
		}
	}
	w.mu.Lock()
	was := !w.wedged.IsZero()
	w.wedged = time.Time{}
	w.mu.Unlock()
	if !was {
		return nil
	}
	return w.Conn.SetReadDeadline(time.Now().Add(w.patient)) // the client gets its time again
}

// lost is the end of what the client sends: told late where its id is to be
// kept.
func (w *shaper) lost(err error) error {
	w.mu.Lock()
	keep := w.keep
	if w.ended {
		err = io.EOF
	}
	w.mu.Unlock()
	if keep > 0 {
		w.wait(until(keep))
		w.mu.Lock()
		w.keep = 0
		w.mu.Unlock()
	}
	w.over.set()
	return err
}

// Write takes frames and shapes, whole or in parts.
func (w *shaper) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	rest := w.partial
	for {
		o, n, isShape := parseShape(rest)
		switch {
		case n == 0:
			w.partial = append(w.partial[:0], rest...)
			if w.join > 0 && w.frames < w.join {
				return len(p), nil
			}
			return len(p), w.flush()
		case isShape:
			if err := w.obey(o); err != nil {
				return 0, err
			}
		default:
			if err := w.frame(rest[:n]); err != nil {
				return 0, err
			}
		}
		rest = rest[n:]
	}
}

// frame writes one frame as it is to be written.
func (w *shaper) frame(f []byte) error {
	at, cut := 0, w.cutAt
	if w.splitAll > 0 {
		at = w.splitAll
	}
	if w.splitOne > 0 {
		at = w.splitOne
	}
	w.splitOne, w.cutAt = 0, 0
	switch {
	case cut > 0:
		w.out = append(w.out, f[:min(cut, len(f))]...)
		if err := w.flush(); err != nil {
			return err
		}
		return w.reset()
	case at > 0 && at < len(f):
		w.out = append(w.out, f[:at]...)
		if err := w.flush(); err != nil {
			return err
		}
		w.wait(time.Now().Add(splitGap))
		w.out = append(w.out, f[at:]...)
		return w.flush()
	}
	w.out = append(w.out, f...)
	w.frames++
	if w.join > 0 && w.frames >= w.join {
		return w.flush()
	}
	return nil
}

// splitGap is the time between the two parts of a frame: the first has left
// the machine by then.
const splitGap = 20 * time.Millisecond

// flush writes what is collected, delayed, in drops, and up to each mark.
func (w *shaper) flush() error {
	out := w.out
	w.out, w.frames = w.out[:0], 0
	if len(out) == 0 {
		return nil
	}
	now := time.Now()
	if w.delay > 0 && now.Before(w.delayEnd) {
		w.wait(now.Add(w.delay))
	}
	for len(out) > 0 {
		n := len(out)
		if len(w.outMarks) > 0 {
			n = int(min(int64(n), w.outMarks[0]-w.gone))
		}
		if n > 0 {
			if err := w.pieces(out[:n]); err != nil {
				return err
			}
			w.gone += int64(n)
			out = out[n:]
		}
		if len(w.outMarks) > 0 && w.gone >= w.outMarks[0] {
			if err := w.reached(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// reached does what the script has for a mark, with the rest of what was to be
// written still to come.
func (w *shaper) reached(rest []byte) error {
	mark := w.outMarks[0]
	w.outMarks = w.outMarks[1:]
	kept := slices.Clone(rest) // a shape may write, too
	for b := w.fire(false, mark); len(b) > 0; {
		o, n, isShape := parseShape(b)
		if n == 0 || !isShape {
			break // cannot be: they are ours
		}
		if err := w.obey(o); err != nil {
			return err
		}
		b = b[n:]
	}
	copy(rest, kept)
	return nil
}

// pieces writes in drops, or at once.
func (w *shaper) pieces(b []byte) error {
	for len(b) > 0 {
		n := len(b)
		if w.drip > 0 && time.Now().Before(w.dripEnd) && !w.hurried.isSet() {
			n = min(n, w.drip)
		}
		if err := w.raw(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) > 0 {
			w.wait(time.Now().Add(w.dripWait))
		}
	}
	return nil
}

// raw writes, or leaves out what cannot arrive any more.
func (w *shaper) raw(b []byte) error {
	for f := w.frozen(); f.After(time.Now()) && w.wait(f); f = w.frozen() {
	}
	if w.closed || w.deaf {
		return nil
	}
	deadline := w.timeout
	if w.hurried.isSet() {
		deadline = claimGrace
	}
	if err := w.Conn.SetWriteDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	_, err := w.Conn.Write(b)
	w.mu.Lock()
	keeps := w.keep > 0
	w.mu.Unlock()
	if err != nil && keeps {
		w.closed = true // the gateway does not notice
		return nil
	}
	return err
}

// hang wedges the session until a time.
func (w *shaper) hang(end time.Time) {
	w.mu.Lock()
	w.wedged = end
	w.mu.Unlock()
}

// block reads nothing until a time.
func (w *shaper) block(end time.Time) {
	w.mu.Lock()
	w.blocked = end
	w.mu.Unlock()
}

// keepFor is how long the client's close is not told.
func (w *shaper) keepFor(d time.Duration) {
	w.mu.Lock()
	w.keep = d
	w.mu.Unlock()
}
