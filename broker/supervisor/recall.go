package supervisor

import (
	"context"
	"log/slog"
	"time"

	"robotrader/broker"
)

const (
	// recallWithin is for how long the word of an earlier run is believed.
	recallWithin = 24 * time.Hour
	// stopTakes is how long the end of a run takes at most, from the word that
	// it stops to the close of its socket.
	stopTakes = 10 * time.Second
)

// recall takes over what the run before knew of this gateway, so that a service
// manager that starts us again and again is not a way around the breaker. It
// returns true when the link is held back: no attempt is to be made before
// pause says so.
func (s *Supervisor) recall(ctx context.Context) (held bool) {
	was, now := s.parts.Past, time.Now()
	known := s.Link()
	if was == nil || was.Adapter != known.Adapter || known.Facts.Gateway == "" ||
		was.Facts.Gateway != known.Facts.Gateway || was.Facts.ClientID != known.Facts.ClientID {
		return false
	}
	s.breaker.recall(*was, now)
	if s.breaker.open {
		s.attempt = was.Attempt
		s.down.failure = was.Failure
		if !was.Failure.Wedged() { // its newest attempt was not told any more
			s.down.failure = broker.NoReply
		}
		s.said.cause = "an earlier run of this trader found it at " + s.breaker.since.Format(time.DateTime)
		s.examine(ctx)
	}
	if s.breaker.open {
		s.holdBack(now)
		return true
	}
	if at := rests(*was, now); at.After(now) {
		s.rest(ctx, at)
	}
	return false
}

// holdBack tells that the link begins where an earlier run left it.
func (s *Supervisor) holdBack(now time.Time) {
	s.judge(now)
	cause, advice := s.explain(now)
	s.turn.Lock()
	defer s.turn.Unlock()
	s.apply(func(l *broker.Link) {
		l.Failure, l.Attempt = s.down.failure, s.attempt
		s.tellDown(l, cause, advice)
	}, broker.Dialled, broker.Wedged)
	s.parts.Log.LogAttrs(context.Background(), slog.LevelWarn, "link_held_back",
		slog.String("cause", cause), slog.String("advice", advice))
}

// rests returns until when the client id rests that the run before may have had
// in use until a moment ago.
func rests(was broker.Link, now time.Time) time.Time {
	switch was.State {
	case broker.Connecting, broker.Handshaking, broker.Recovering, broker.Ready, broker.Degraded:
	case broker.Stopped:
		if now.Sub(was.Since).Abs() > stopTakes {
			return time.Time{}
		}
	default:
		return time.Time{}
	}
	return now.Add(time.Second)
}

// rest waits until at, or until we stop. A person's request changes nothing: an
// attempt follows anyway.
func (s *Supervisor) rest(ctx context.Context, at time.Time) {
	s.signalWords(func(l *broker.Link) {
		l.Cause, l.Advice, l.NextRetry = "the run before may have used this client id a moment ago: it rests for a second", "wait", &at
	})
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// recall takes over what was known at the end of an earlier run. An attempt
// that its end cut short between TCP and the ids counts as one that hung: that
// takes a millisecond where a gateway is well.
func (b *breaker) recall(was broker.Link, now time.Time) {
	w := was.Breaker
	open := w.State == broker.BreakerOpen
	hung := now
	if w.Hung != nil && w.Hung.Before(now) {
		hung = *w.Hung
	}
	said := was.Since
	if w.Hung != nil && w.Hung.After(said) {
		said = *w.Hung
	}
	b.again = w.Limit > 0 && w.Limit <= limitAgain
	if now.Sub(said).Abs() >= recallWithin { // too long ago to hold anything back, and not to be forgotten
		b.again = b.again || open
		return
	}
	b.wedged, b.tries, b.open = w.Wedged, w.Tries, open
	if was.State == broker.Handshaking {
		b.wedged++
		hung = now
	}
	if b.wedged == 0 {
		return
	}
	b.hung, b.since = hung, now
	if w.Since != nil {
		b.since = *w.Since
	}
	b.open = b.open || b.wedged >= b.opensAt()
	if !b.open {
		return
	}
	if e := w.Evidence; e != nil {
		b.before, b.newest, b.gone = *e, e, e.Readable && !e.Listening
	}
	if b.newest == nil || !b.newest.Readable {
		b.blind = hung
	}
}
