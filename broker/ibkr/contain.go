package ibkr

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"robotrader/broker"
)

const (
	keptFrames = 32  // each way, for the error of a session that broke
	keptBytes  = 512 // of each of them
	toldFrames = 8   // each way, in the log
	mostStack  = 8 << 10
)

// errPanic means that our own code failed on what the gateway sent.
var errPanic = errors.New("our own code failed")

// isBroken reports whether what the gateway sends cannot be taken any more.
func isBroken(err error) bool { return errors.Is(err, errGarbage) || errors.Is(err, errPanic) }

// contained runs what works on the gateway's bytes. A panic in it is an error
// of the session and never the end of the process, which has orders to look
// after.
func (s *Session) contained(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(v)
		}
	}()
	return run()
}

// panicked makes an error of a panic; it is called while that unwinds.
func (s *Session) panicked(v any) error {
	stack := debug.Stack()
	s.log.Error("session_panic", "gateway", s.facts.Gateway, "panic", fmt.Sprint(v), "stack", string(stack[:min(len(stack), mostStack)]))
	return fmt.Errorf("%w: %v", errPanic, v)
}

// salvage hands on what the reader had gathered when it panicked: a report that
// was decoded must not be lost with the one that could not.
func (s *Session) salvage() {
	_ = s.contained(func() error {
		s.publish()
		return nil
	})
}

// lastFrames are the newest frames each way, and what is left of a stream whose
// framing was lost. Of the reader, or of the handshake.
func (s *Session) lastFrames() []broker.Frame {
	list := s.heard.list(false)
	if rest := s.in.rest(); len(rest) > 0 {
		list = append(list, broker.Frame{At: s.wall(), Size: len(rest), Bytes: append([]byte(nil), rest[:min(len(rest), keptBytes)]...)})
	}
	s.saidMu.Lock()
	list = append(list, s.said.list(true)...)
	s.saidMu.Unlock()
	slices.SortStableFunc(list, func(a, b broker.Frame) int { return a.At.Compare(b.At) })
	return list
}

// tellFrames logs the newest of the frames, masked.
func (s *Session) tellFrames(frames []broker.Frame) {
	var in, out []string
	for _, f := range frames {
		if f.Out {
			out = append(out, f.String())
			continue
		}
		in = append(in, f.String())
	}
	s.log.Error("session_broken", "gateway", s.facts.Gateway,
		"received", in[max(0, len(in)-toldFrames):], "sent", out[max(0, len(out)-toldFrames):])
}

// says notes what is about to be written, without its length prefix.
func (s *Session) says(payload []byte) {
	s.saidMu.Lock()
	defer s.saidMu.Unlock()
	s.said.add(time.Now(), payload)
}

// frameRing keeps the newest frames of one direction. The zero value is empty.
// It is not safe for concurrent use: a lock would be a tenth of what a tick
// costs.
type frameRing struct {
	next int // counts on; its place is the remainder
	at   [keptFrames]time.Time
	size [keptFrames]int
	kept [keptFrames][]byte // made when first used, then used again: most handshakes see four frames
}

// add copies the beginning of a frame.
func (r *frameRing) add(at time.Time, payload []byte) {
	i := r.next % keptFrames
	r.next++
	r.at[i], r.size[i] = at, len(payload)
	r.kept[i] = append(r.kept[i][:0], payload[:min(len(payload), keptBytes)]...)
}

// list returns copies of what is kept, oldest first.
func (r *frameRing) list(out bool) []broker.Frame {
	var list []broker.Frame
	for n := max(0, r.next-keptFrames); n < r.next; n++ {
		i := n % keptFrames
		list = append(list, broker.Frame{
			Out: out, At: r.at[i], Size: r.size[i],
			Bytes: append([]byte(nil), r.kept[i]...),
		})
	}
	return list
}
