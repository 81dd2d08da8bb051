package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
)

// run is the goroutine: attempt, wait, again.
func (s *Supervisor) run(ctx context.Context) {
	defer close(s.done)
	s.down.since = time.Now()
	s.breaker = breaker{limit: s.cfg.WedgedLimit}
	for held := s.recall(ctx); ctx.Err() == nil; held = false {
		if !held {
			s.once(ctx)
		}
		if !s.pause(ctx) {
			break
		}
		s.signal(broker.Retry, func(l *broker.Link) {
			l.Cause, l.Advice, l.NextRetry = "trying again", "wait", nil
		})
	}
	if s.Link().State != broker.Stopped {
		s.signal(broker.Stop, stopped)
	}
}

// once makes one attempt and, when it succeeds, holds the session until it
// ends. When it returns, nothing of the session is left, and due says when to
// try again.
func (s *Supervisor) once(ctx context.Context) {
	s.attempt++
	s.total++
	began := time.Now()
	s.announce()
	open, cancel := context.WithTimeoutCause(ctx, s.cfg.OpenTimeout,
		fmt.Errorf("supervisor: open took longer than %v", s.cfg.OpenTimeout))
	sess, err := s.parts.Adapter.Open(open, s.parts.Open, s.reached)
	cancel()
	if err == nil {
		s.hold(ctx, sess, began)
		return
	}
	rec := Record{Began: began, Elapsed: time.Since(began), Total: s.total, Err: err}
	s.adopt(err)
	if ctx.Err() != nil && rec.Elapsed >= slowHandshake && s.Link().State == broker.Handshaking {
		s.breaker.fail(broker.NoReply, time.Now()) // for the next run: our end cut short what hung
	}
	s.end(ctx, err)
	s.conclude(ctx, rec)
}

// signalWords changes what is said, and no state.
func (s *Supervisor) signalWords(edit func(*broker.Link)) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.apply(edit)
}

// answered drops a person's request to reconnect that came before: what was
// just done is the answer to it.
func (s *Supervisor) answered() {
	select {
	case <-s.kick:
	default:
	}
}

func (s *Supervisor) announce() {
	s.answered()
	s.slow = ""
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.worse = [numSources]*trouble{}
	s.mu.Unlock()
	s.apply(func(l *broker.Link) {
		l.Rung, l.Rungs, l.Attempt, l.NextRetry = "", nil, s.attempt, nil
		l.Cause, l.Advice = "connecting to the gateway", "wait"
		l.Breaker, l.Warnings = s.breaker.link(), warnings(s.slow, l.Facts)
		l.Phase, l.Until = s.outlook.link()
	})
}

// adopt takes over what a failed Open tells: its own list of rungs, which
// names the one that failed, and what it learned.
func (s *Supervisor) adopt(err error) {
	var e *broker.Error
	if !errors.As(err, &e) {
		return
	}
	dialled := slices.ContainsFunc(e.Rungs, func(r broker.Rung) bool { return r.Name == broker.RungTCP && r.OK })
	s.turn.Lock()
	defer s.turn.Unlock()
	var signals []broker.LinkSignal
	if dialled && s.Link().State == broker.Connecting {
		signals = append(signals, broker.Dialled)
	}
	s.apply(func(l *broker.Link) {
		l.Rung, l.Facts = e.Rung, e.Facts
		l.Warnings = warnings(s.slow, l.Facts)
		if len(e.Rungs) > 0 {
			l.Rungs = slices.Clone(e.Rungs)
		}
	}, signals...)
}

// climb runs the steps, and signals ready when all are done.
func (s *Supervisor) climb(live context.Context, sess broker.Session, began time.Time) error {
	facts := sess.Facts()
	if err := complete(facts); err != nil {
		return err
	}
	s.breaker.succeed()
	s.slow = slow(s.Link().Rungs)
	s.signal(broker.BothIDs, func(l *broker.Link) {
		l.Facts, l.Breaker, l.Warnings = facts, s.breaker.link(), warnings(s.slow, facts)
		l.Cause, l.Advice = "handshake complete", "wait"
	})
	for _, step := range s.parts.Steps {
		s.signalWords(func(l *broker.Link) { l.Cause = "climbing to rung " + step.Name })
		note, err := s.climbOne(live, sess, step)
		r := broker.Rung{Name: step.Name, OK: err == nil, AtMS: ms(time.Since(began)), Note: note}
		s.reached(r)
		if err != nil {
			return err
		}
	}
	if live.Err() != nil {
		return context.Cause(live)
	}
	s.answered() // before ready is told: what is asked from then on is meant
	s.opened(began)
	return nil
}

// opened tells that every rung is reached. With trouble it is one change with
// the degraded state, so that nobody who awaits ready sees a gate that is open
// for an instant.
func (s *Supervisor) opened(began time.Time) {
	s.outlook, s.taken = outlook{}, time.Time{}
	near, phase := s.nearRestart(time.Now(), began)
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.worse[byCalendar] = near
	words, worse := s.worst()
	s.mu.Unlock()
	signals := []broker.LinkSignal{broker.RungsDone}
	if worse {
		signals = append(signals, broker.Worse)
	}
	s.apply(func(l *broker.Link) {
		words(l)
		phase(l)
		l.Failure = broker.NoFailure
		l.Sessions++
	}, signals...)
}

// complete holds the port's promise against an adapter: without both ids
// there is no session, whatever the adapter says.
func complete(f broker.Facts) error {
	rung, failure := "", broker.NoFailure
	switch {
	case len(f.Accounts) == 0 && f.NextOrderID <= 0:
		rung, failure = broker.RungManagedAccounts, broker.NoIDs
	case len(f.Accounts) == 0 || slices.Contains(f.Accounts, ""):
		rung, failure = broker.RungManagedAccounts, broker.NoAccounts
	case f.NextOrderID <= 0:
		rung, failure = broker.RungNextValidID, broker.NoNextID
	default:
		return nil
	}
	return &broker.Error{
		Op: "open " + f.Gateway, Kind: broker.ErrGatewayDown, Rung: rung, Failure: failure, Facts: f,
		Err:    errors.New("the adapter gave a session whose handshake is not complete"),
		Advice: "report this: it is a fault of the adapter",
	}
}

func (s *Supervisor) climbOne(live context.Context, sess broker.Session, step broker.Step) (note string, err error) {
	ctx, cancel := context.WithTimeoutCause(live, step.Deadline,
		fmt.Errorf("rung %s took longer than %v", step.Name, step.Deadline))
	defer cancel()
	note, err = step.Run(ctx, sess)
	if err == nil {
		return note, nil
	}
	if cause := context.Cause(live); cause != nil && live.Err() != nil {
		return note, cause // the session ended under the step: that is the reason
	}
	var e *broker.Error
	if errors.As(err, &e) && e.Rung != "" {
		return note, err
	}
	wrapped := &broker.Error{Op: "climb", Kind: broker.ErrGatewayDown, Rung: step.Name, Failure: broker.StepFailed, Err: err}
	if e != nil {
		wrapped.Advice, wrapped.Code = e.Advice, e.Code
	}
	if errors.Is(err, broker.ErrRefused) {
		wrapped.Kind, wrapped.Failure = broker.ErrRefused, broker.Forbidden
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		wrapped.Err = cause
	}
	return note, wrapped
}

// end moves the state to where err leads, and plans the next attempt.
func (s *Supervisor) end(ctx context.Context, err error) {
	now := time.Now()
	s.due = time.Time{}
	if ctx.Err() != nil {
		s.signal(broker.Stop, func(l *broker.Link) {
			stopped(l)
			l.Breaker = s.breaker.link()
		})
		return
	}
	state := s.Link().State
	open := state == broker.Ready || state == broker.Degraded
	if open {
		s.down.since = now
	}
	climbed := open || state == broker.Recovering
	f := failureOf(err, climbed)
	s.down.failure = f
	s.said.cause, s.said.advice = words(err)
	if !climbed { // behind the ids a gateway does not hang in its handshake
		s.breaker.fail(f, now)
	}
	s.holdID(f, now)
	if errors.Is(err, broker.ErrRefused) {
		s.refuse(err)
		s.signal(broker.Refuse, func(l *broker.Link) {
			l.Breaker = s.breaker.link()
			l.Cause, l.Advice, l.NextRetry = s.said.cause, s.said.advice+"; then ask for a reconnect, or start again", nil
			l.Failure, l.Phase, l.Until = f, broker.NoPhase, nil
		})
		return
	}
	s.judge(now)
	s.plan(now, err)
	signals := []broker.LinkSignal{broker.Failed}
	switch {
	case open:
		signals[0] = broker.Lost
	case s.breaker.open && state == broker.Connecting: // an adapter that told no rung
		signals = []broker.LinkSignal{broker.Dialled, broker.Wedged}
	case s.breaker.open:
		signals[0] = broker.Wedged
	}
	cause, advice := s.explain(now)
	s.turn.Lock()
	defer s.turn.Unlock()
	s.apply(func(l *broker.Link) {
		l.Failure = f
		s.tellDown(l, cause, advice)
	}, signals...)
}

// holdID notes since when the gateway says that our client id is taken. A close
// without a word does not say that it is free.
func (s *Supervisor) holdID(f broker.Failure, now time.Time) {
	switch {
	case f == broker.ClientIDInUse && s.taken.IsZero():
		s.taken = now
	case f != broker.ClientIDInUse && f != broker.ClosedAfterStart:
		s.taken = time.Time{}
	}
}

// plan says when the next attempt is made, counted from the end of this one.
func (s *Supervisor) plan(now time.Time, err error) {
	wait := s.cfg.MinWait
	switch {
	case errors.Is(err, errReconnect):
	case s.breaker.open:
		return // what the kernel tells decides
	case s.breaker.again && s.breaker.wedged > 0:
		wait = s.cfg.MaxWait // it hung before, and hangs again: time to log in
	default:
		s.fails++
		wait = s.cfg.wait(s.fails)
	}
	if s.outlook.calm() {
		wait = max(wait, calmWait)
	}
	s.due = now.Add(wait)
}

// refuse keeps the error for those who wait, and tells cmd when the link was
// never ready.
func (s *Supervisor) refuse(err error) {
	if !errors.Is(err, broker.ErrRefused) {
		err = fmt.Errorf("%w: %w", broker.ErrRefused, err)
	}
	s.mu.Lock()
	s.err = err
	first := !s.ready
	s.mu.Unlock()
	if first {
		select {
		case s.refusal <- err:
		default: // told before, and a person tried again
		}
	}
}
