package supervisor

import (
	"context"
	"errors"
	"time"

	"robotrader/broker"
)

const (
	// lookWithin bounds one reading of the kernel's tables.
	lookWithin = 500 * time.Millisecond
	// lookEvery is how often an open breaker reads them, and blindEvery where
	// they tell nothing.
	lookEvery  = time.Second
	blindEvery = 30 * time.Second
	// mostLate is how many looks in a row may come late, on a busy machine,
	// before they count as tables that tell nothing.
	mostLate = 30
)

// look reads what the kernel tells of gateway.
func (s *Supervisor) look(ctx context.Context, gateway string) broker.Evidence {
	if s.parts.Evidence == nil {
		return broker.Evidence{Why: "this program was not told how to read it"}
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	e := s.parts.Evidence(ctx, gateway)
	e.Late = !e.Readable && errors.Is(ctx.Err(), context.DeadlineExceeded)
	return e
}

// examine looks at who listens, and takes what follows for the breaker.
func (s *Supervisor) examine(ctx context.Context) {
	e := s.look(ctx, s.Link().Facts.Gateway)
	if ctx.Err() != nil { // our end cut the look short: what was known before is the better word
		return
	}
	now := time.Now()
	s.looked = now.Add(lookEvery)
	if s.late++; !e.Late {
		s.late = 0
	}
	switch late := e.Late && s.late <= mostLate; {
	case late && s.breaker.newest != nil:
		return // what was known stands, and is looked at again
	case !late && !e.Readable:
		s.looked = now.Add(blindEvery)
	}
	s.down.evidence = e
	s.down.seen = s.down.seen || e.Readable && e.PID != 0
	if !s.breaker.open {
		return
	}
	if why, changed := s.breaker.see(e, now); changed {
		s.fails, s.due = 0, now.Add(s.cfg.MinWait)
		s.said = trouble{why + ": one more attempt is made", "wait"}
		return
	}
	s.due = s.breaker.next()
}

// conclude looks at the gateway after an attempt or session whose end was told
// already, says what that adds, and makes the record.
func (s *Supervisor) conclude(ctx context.Context, r Record) {
	if state := s.Link().State; state != broker.Stopped && state != broker.Refused {
		s.examine(ctx)
		now := time.Now()
		s.judge(now)
		s.restate(now)
		if s.parts.Evidence != nil {
			e := s.down.evidence
			r.Evidence = &e
		}
	}
	r.Link = s.Link()
	s.tell(r)
}

// judge asks the calendar anew.
func (s *Supervisor) judge(now time.Time) {
	s.outlook = s.cfg.Calendar.judge(now, s.outlook, s.down)
}

// pause waits until the next attempt is due: by the waits, by what the kernel
// tells, or because a person asks. It returns false when we stop. A client id
// rests from the full close on, which is now, even when a person is impatient.
func (s *Supervisor) pause(ctx context.Context) bool {
	rested := time.Now().Add(s.cfg.MinWait)
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	kick := s.kick
	for asked := false; ctx.Err() == nil; {
		now := time.Now()
		if asked {
			s.due = rested
		} else if s.Link().State != broker.Refused {
			s.watch(ctx, now, rested)
		}
		if !s.due.IsZero() && !now.Before(s.due) {
			if !asked {
				s.breaker.try()
			}
			return true
		}
		t.Reset(s.nap(now, asked))
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-s.ping:
		case <-kick:
			asked, kick = true, nil // further ones are this one, and stay unsaid
		}
	}
	return false
}

// watch follows the kernel and the calendar during a wait.
func (s *Supervisor) watch(ctx context.Context, now, rested time.Time) {
	if s.breaker.open && !now.Before(s.looked) {
		s.examine(ctx)
	}
	if !s.due.IsZero() && s.due.Before(rested) {
		s.due = rested
	}
	s.judge(now)
	s.restate(now)
}

// nap returns for how long nothing can happen by itself.
func (s *Supervisor) nap(now time.Time, asked bool) time.Duration {
	next := now.Add(time.Hour)
	sooner := func(at time.Time) {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	sooner(s.due)
	if asked {
		return next.Sub(now)
	}
	if s.breaker.open {
		sooner(s.looked)
	}
	if s.cfg.Calendar != (Calendar{}) {
		sooner(s.cfg.Calendar.edge(now))
		sooner(s.outlook.until)
	}
	return next.Sub(now)
}

// restate publishes what a person reads while the link is down, when it is
// something else than before.
func (s *Supervisor) restate(now time.Time) {
	cause, advice := s.explain(now)
	s.turn.Lock()
	defer s.turn.Unlock()
	was := s.Link()
	after := was
	s.tellDown(&after, cause, advice)
	if !same(was, after) {
		s.apply(func(l *broker.Link) { s.tellDown(l, cause, advice) })
	}
}

// tellDown puts on a link what is known while it is down.
func (s *Supervisor) tellDown(l *broker.Link, cause, advice string) {
	l.Cause, l.Advice, l.NextRetry = cause, advice, instant(s.due)
	l.Breaker = s.breaker.link()
	l.Phase, l.Until = s.outlook.link()
}

// link returns what is published of an outlook.
func (o outlook) link() (broker.Phase, *time.Time) {
	if o.phase == broker.NoPhase {
		return broker.NoPhase, nil
	}
	return o.phase, instant(o.until)
}

// instant makes a time optional: the zero time is nil.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// same reports whether two links say the same while they are down. How many
// connections wait or are half closed at the listener changes all the time,
// and is told with the next change of anything else.
func same(a, b broker.Link) bool {
	return a.Cause == b.Cause && a.Advice == b.Advice && a.Phase == b.Phase &&
		sameInstant(a.NextRetry, b.NextRetry) && sameInstant(a.Until, b.Until) && sameBreaker(a.Breaker, b.Breaker)
}

func sameInstant(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func sameBreaker(a, b broker.Breaker) bool {
	if a.State != b.State || a.Wedged != b.Wedged || a.Limit != b.Limit || a.Tries != b.Tries || (a.Evidence == nil) != (b.Evidence == nil) {
		return false
	}
	if a.Evidence == nil {
		return true
	}
	x, y := *a.Evidence, *b.Evidence
	x.Queue, x.CloseWait, y.Queue, y.CloseWait = 0, 0, 0, 0
	return x == y
}
