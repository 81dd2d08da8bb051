package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/services/bus"
	"robotrader/services/event"
)

const (
	askTimeout = 2 * time.Second        // for the owner of a state to answer
	askAgain   = 500 * time.Millisecond // after an owner that is not there yet
	undoWithin = time.Second            // for what a failed Connect leaves
)

// The owners of lasting state.
const (
	linkOwner = iota
	deskOwner
	runOwner
	numOwners
)

// noOwner is the place of topics about which nobody can be asked.
const noOwner = -1

// owner notes what messages told while a question to it is out; the answer may
// be older than those.
type owner struct{ told map[string]struct{} } // nil when no question is out

func (o *owner) note(kind, id string) {
	if o.told != nil {
		o.told[kind+" "+id] = struct{}{}
	}
}

// newer reports whether a message told of it since the question.
func (o *owner) newer(kind, id string) bool {
	_, ok := o.told[kind+" "+id]
	return ok
}

// Source is a feed's connection to the bus. Close ends it.
type Source struct {
	feed   *Feed
	conn   *bus.Conn
	subs   []*bus.Sub
	wishes [numOwners]chan struct{} // each holds one wish to ask that owner
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Connect subscribes the feed to everything that a dashboard shows, then asks
// the owners of lasting state for it, again and again until each has answered,
// and once more after every gap.
func (f *Feed) Connect(conn *bus.Conn) (*Source, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{feed: f, conn: conn, cancel: cancel}
	for i := range s.wishes {
		s.wishes[i] = make(chan struct{}, 1)
	}
	err := errors.Join(
		listen(s, linkOwner, event.Link, bus.Keep, s.onLink),
		listen(s, noOwner, event.Tick, bus.Bounded(1<<16), f.onTicks), // the next tick mends a gap
		listen(s, deskOwner, event.Order, bus.Keep, f.onOrder),
		listen(s, deskOwner, event.Fill, bus.Keep, f.onFill),
		listen(s, deskOwner, event.Position, bus.Keep, f.onPosition),
		listen(s, deskOwner, event.Protected, bus.Keep, f.onProtection),
		listen(s, deskOwner, event.Limits, bus.Keep, f.onLimits), // told once a second at most
		listen(s, deskOwner, event.Finding, bus.Keep, f.onFinding),
		listen(s, deskOwner, event.Account, bus.Keep, f.onAccount),
		listen(s, deskOwner, event.Mode, bus.Keep, f.onMode),
		listen(s, noOwner, event.Decision, bus.Keep, f.onDecision),
		listen(s, deskOwner, event.Data, bus.Keep, f.onData),
		listen(s, deskOwner, event.Health, bus.Keep, f.onHealth), // told once a second at most
		listen(s, runOwner, event.Bar, bus.Bounded(1<<14), f.onBar),
		listen(s, runOwner, event.Strategy, bus.Bounded(1<<14), s.onStrategy),
		listen(s, runOwner, event.Portfolio, bus.Bounded(1<<14), f.onPortfolio),
		listen(s, noOwner, event.Notice, bus.Bounded(1<<14), f.onNotice),
		listen(s, noOwner, event.Sim, bus.Keep, f.onSim),     // told once a second
		listen(s, noOwner, event.Alert, bus.Keep, f.onAlert), // told once a second at most
		listen(s, noOwner, event.Bus, bus.Keep, f.onBus),
	)
	if err != nil {
		undo, end := context.WithTimeout(context.Background(), undoWithin)
		defer end()
		return nil, errors.Join(fmt.Errorf("feed: connect: %w", err), s.Close(undo))
	}
	s.wg.Go(func() { keepAsking(ctx, s, linkOwner, event.LinkState, always, f.setLink) })
	s.wg.Go(func() { keepAsking(ctx, s, deskOwner, event.DeskState, deskKnows, f.setDesk) })
	s.wg.Go(func() { keepAsking(ctx, s, runOwner, event.RunState, always, f.setRun) })
	for i := range s.wishes {
		s.wish(i)
	}
	return s, nil
}

// listen subscribes to one topic and hands its messages to the feed's
// goroutine. After a gap, who is asked for the state behind it.
func listen[T any](s *Source, who int, t event.Topic[T], p bus.Policy, fold func(event.Message[T])) error {
	sub, err := bus.Subscribe(s.conn, t, p, func(m event.Message[T]) { s.feed.do(func() { fold(m) }) })
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	if who != noOwner {
		sub.OnGap(func(bus.Gap) { s.wish(who) })
	}
	return nil
}

func (s *Source) wish(who int) {
	select {
	case s.wishes[who] <- struct{}{}:
	default: // one wish serves both
	}
}

// keepAsking asks one owner for all of its state whenever that is wished,
// again and again until it answers.
func keepAsking[A any](ctx context.Context, s *Source, who int, q event.Query[event.Empty, A], knows func(A) bool, fold func(A)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wishes[who]:
		}
		for !ask(ctx, s, who, q, knows, fold) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askAgain):
			}
		}
	}
}

// ask asks once, and folds the answer unless there is none.
func ask[A any](ctx context.Context, s *Source, who int, q event.Query[event.Empty, A], knows func(A) bool, fold func(A)) bool {
	f := s.feed
	f.do(func() { f.owners[who].told = map[string]struct{}{} })
	once, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	a, err := bus.Ask(once, s.conn, q, event.Empty{})
	ok := err == nil && knows(a)
	f.do(func() {
		if ok {
			fold(a)
		}
		f.owners[who].told = nil
	})
	if !ok {
		f.log.Debug("feed_owner_does_not_answer", "query", q.Name, "error", err)
	}
	return ok
}

func always[A any](A) bool { return true }

// deskKnows reports whether a desk's answer is one: a desk that could not look
// into its books gives an empty one.
func deskKnows(d event.Desk) bool { return d.Orders != nil }

// Close ends the subscriptions; the bus connection stays its owner's.
func (s *Source) Close(ctx context.Context) error {
	s.cancel()
	errs := make([]error, 0, len(s.subs)+1)
	for _, sub := range s.subs {
		errs = append(errs, sub.Stop(ctx))
	}
	done := make(chan struct{})
	go func() { defer close(done); s.wg.Wait() }() // ends with those who ask, whose context has ended
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("feed: close: those who ask did not end: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}

// onLink folds the link. A link that became ready has just recovered, so desk
// and runner know what nobody publishes because it did not change.
func (s *Source) onLink(m event.Message[broker.Link]) {
	f := s.feed
	was := f.snap.Link
	f.onLink(m)
	if m.Data.State == broker.Ready && (was == nil || was.State != broker.Ready) {
		s.wish(deskOwner)
		s.wish(runOwner)
	}
}

// onStrategy folds a strategy's state. One that changed its state may have
// loaded history, which is told on request only.
func (s *Source) onStrategy(m event.Message[event.StrategyState]) {
	if s.feed.onStrategy(m) {
		s.wish(runOwner)
	}
}
