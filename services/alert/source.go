package alert

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// Source is the causes' connection to the bus. Close ends it.
type Source struct {
	causes *Causes
	conn   *bus.Conn
	subs   []*bus.Sub
	cancel context.CancelFunc
	wish   chan struct{} // holds one wish to ask the desk
	wg     sync.WaitGroup

	mu       sync.Mutex // guards what follows, and keeps judging and folding a mode one step
	told     uint64     // modes that the topic told
	answered time.Time  // when an answer was folded last
	since    time.Time  // of that answer's mode; wall time
}

const (
	askWithin  = 2 * time.Second        // for the owner of a state to answer
	askAgain   = 500 * time.Millisecond // after one that is not there yet
	undoWithin = time.Second
	// overtakes is how long after an answer, which comes straight from the desk, an
	// older mode may still be on its way over NATS.
	overtakes = 2 * time.Second
)

// Connect subscribes to what tells of troubles. The desk is asked for its mode
// at the start, and after a gap, for what was latched before this process.
func (c *Causes) Connect(conn *bus.Conn) (*Source, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{causes: c, conn: conn, cancel: cancel, wish: make(chan struct{}, 1)}
	err := errors.Join(
		hear(s, event.Link, bus.Keep, c.Link),
		hear(s, event.Mode, bus.Keep, s.mode),
		hear(s, event.Finding, bus.Keep, c.Finding),
		hear(s, event.Health, bus.Keep, c.Health),               // told once a second at most
		hear(s, event.Decision, bus.Bounded(1<<12), c.Decision), // the next one tells the same
		hear(s, event.Limits, bus.Bounded(1<<10), c.Limits),     // told once a second at most, as a whole
		hear(s, event.Notice, bus.Bounded(1<<12), c.Notice),
	)
	if err != nil {
		undo, end := context.WithTimeout(context.Background(), undoWithin)
		defer end()
		return nil, errors.Join(fmt.Errorf("alert: connect: %w", err), s.Close(undo))
	}
	s.wish <- struct{}{}
	s.wg.Go(func() { s.ask(ctx) })
	return s, nil
}

func hear[T any](s *Source, t event.Topic[T], p bus.Policy, fold func(T)) error {
	sub, err := bus.Subscribe(s.conn, t, p, func(m event.Message[T]) { fold(m.Data) })
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	sub.OnGap(func(bus.Gap) { poke(s.wish) })
	return nil
}

// ask asks for the mode whenever that is wished, until it is told.
func (s *Source) ask(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wish:
		}
		for !s.once(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askAgain):
			}
		}
	}
}

func (s *Source) once(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	before := s.modes()
	d, err := bus.Ask(ctx, s.conn, event.DeskState, event.Empty{})
	if err != nil || d.Orders == nil { // a desk that could not look gives an empty answer
		return false
	}
	s.answer(before, d.Mode)
	return true
}

// modes returns how many modes the topic told so far.
func (s *Source) modes() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// mode folds what the topic tells: a whole mode, in the desk's order. One that an
// answer has overtaken is left out, and the desk asked again, so that a clock
// that was set back hides nothing.
func (s *Source) mode(m event.ModeChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.answered) < overtakes && m.Since.Before(s.since) {
		poke(s.wish)
		return
	}
	s.told++
	s.causes.Mode(m)
}

// answer folds a mode that the desk was asked for, unless the topic told one
// meanwhile: an answer that was slow may be from before it, and whatever the
// answer knows beyond it the topic tells as well.
func (s *Source) answer(before uint64, m event.ModeChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told != before {
		return
	}
	s.answered, s.since = time.Now(), m.Since
	s.causes.Mode(m)
}

// Close ends the subscriptions; the bus connection stays its owner's.
func (s *Source) Close(ctx context.Context) error {
	s.cancel()
	errs := make([]error, 0, len(s.subs)+1)
	for _, sub := range s.subs {
		errs = append(errs, sub.Stop(ctx))
	}
	done := make(chan struct{})
	go func() { defer close(done); s.wg.Wait() }() // ends with who asks, whose context has ended
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("alert: close: who asks did not end: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}
