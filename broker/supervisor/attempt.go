package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"robotrader/broker"
)

var (
	errReconnect = errors.New("a person asked to reconnect")
	errServeOver = errors.New("the session's reader ended without a reason")
)

// run is the goroutine: attempt, wait, again.
func (s *Supervisor) run(ctx context.Context) {
	defer close(s.done)
	for {
		again := s.once(ctx)
		if !s.pause(ctx, again) {
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
// ends. When it returns, nothing of the session is left. The result is when to
// try again; the zero time means when a person asks.
func (s *Supervisor) once(ctx context.Context) (again time.Time) {
	s.attempt++
	began := time.Now()
	s.announce()
	open, cancel := context.WithTimeoutCause(ctx, s.cfg.OpenTimeout,
		fmt.Errorf("supervisor: open took longer than %v", s.cfg.OpenTimeout))
	sess, err := s.parts.Adapter.Open(open, s.parts.Open, s.reached)
	cancel()
	if err == nil {
		err = s.hold(ctx, sess, began)
	} else {
		s.adopt(err)
		s.tell(began, err)
		err = s.end(ctx, err)
	}
	if err != nil || ctx.Err() != nil {
		return time.Time{}
	}
	// The wait began when the state changed, but a client id rests from now.
	if next := s.Link().NextRetry; next != nil {
		again = *next
	}
	if rested := time.Now().Add(s.cfg.MinWait); again.Before(rested) {
		again = rested
		s.signalWords(func(l *broker.Link) { l.NextRetry = &rested })
	}
	return again
}

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
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.worse = nil
	s.mu.Unlock()
	s.apply(func(l *broker.Link) {
		l.Rung, l.Rungs, l.Attempt, l.NextRetry = "", nil, s.attempt, nil
		l.Cause, l.Advice = "connecting to the gateway", "wait"
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
	if (dialled || e.Failure.Wedged()) && s.Link().State == broker.Connecting {
		signals = append(signals, broker.Dialled)
	}
	s.apply(func(l *broker.Link) {
		l.Rung, l.Facts = e.Rung, e.Facts
		if len(e.Rungs) > 0 {
			l.Rungs = slices.Clone(e.Rungs)
		}
	}, signals...)
}

// hold serves the session, climbs the remaining rungs, keeps the session until
// it ends, and closes it. The result is not nil when no further attempt is to
// be made before a person asks.
func (s *Supervisor) hold(ctx context.Context, sess broker.Session, began time.Time) error {
	serveCtx, endServe := context.WithCancel(context.WithoutCancel(ctx))
	defer endServe()
	live, lose := context.WithCancelCause(ctx)
	served := make(chan struct{})
	go func() { // joined below
		defer close(served)
		err := s.parts.Serve(serveCtx, sess)
		if err == nil {
			err = errServeOver
		}
		lose(err)
	}()
	err := s.climb(live, sess, began)
	s.tell(began, err)
	if err == nil {
		since := time.Now()
		select {
		case <-live.Done():
			err = context.Cause(live)
		case <-s.kick:
			err = errReconnect
		}
		if time.Since(since) > s.cfg.MaxWait {
			s.fails = 0
		}
		s.attempt, s.wedged = 0, 0
	}
	err = s.end(ctx, err)
	s.closeSession(sess, served, endServe)
	lose(nil)
	return err
}

// climb runs the steps, and signals ready when all are done.
func (s *Supervisor) climb(live context.Context, sess broker.Session, began time.Time) error {
	facts := sess.Facts()
	if err := complete(facts); err != nil {
		return err
	}
	s.signal(broker.BothIDs, func(l *broker.Link) {
		l.Facts = facts
		l.Cause, l.Advice = "handshake complete", "wait"
	})
	for _, step := range s.parts.Steps {
		s.signalWords(func(l *broker.Link) { l.Cause = "climbing to rung " + step.Name })
		note, err := s.climbOne(live, sess, step)
		r := broker.Rung{Name: step.Name, OK: err == nil, AtMS: sinceMS(began), Note: note}
		s.reached(r)
		if err != nil {
			return err
		}
	}
	if live.Err() != nil {
		return context.Cause(live)
	}
	s.answered() // before ready is told: what is asked from then on is meant
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	worse := s.worse
	s.mu.Unlock()
	if worse == nil {
		s.apply(readyWords, broker.RungsDone)
		return nil
	}
	// One change, so that nobody who awaits ready sees a gate that is open for
	// an instant.
	s.apply(func(l *broker.Link) { l.Cause, l.Advice = worse.cause, worse.advice }, broker.RungsDone, broker.Worse)
	return nil
}

// complete holds the port's promise against an adapter: without both ids
// there is no session.
func complete(f broker.Facts) error {
	rung := ""
	switch {
	case len(f.Accounts) == 0:
		rung = broker.RungManagedAccounts
	case f.NextOrderID <= 0:
		rung = broker.RungNextValidID
	default:
		return nil
	}
	return &broker.Error{
		Op: "open " + f.Gateway, Kind: broker.ErrGatewayDown, Rung: rung, Facts: f,
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
	wrapped := &broker.Error{Op: "climb", Kind: broker.ErrGatewayDown, Rung: step.Name, Err: err}
	if e != nil {
		wrapped.Advice, wrapped.Code = e.Advice, e.Code
	}
	if errors.Is(err, broker.ErrRefused) {
		wrapped.Kind = broker.ErrRefused
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		wrapped.Err = cause
	}
	return note, wrapped
}

// end moves the state to where err leads, with the next try in it. The result
// is err when no try is planned: the link is refused, or we stop.
func (s *Supervisor) end(ctx context.Context, err error) error {
	state := s.Link().State
	if ctx.Err() != nil {
		s.signal(broker.Stop, stopped)
		return ctx.Err()
	}
	cause, advice := words(err)
	if errors.Is(err, broker.ErrRefused) {
		s.refuse(err)
		s.signal(broker.Refuse, func(l *broker.Link) {
			l.Cause, l.Advice, l.NextRetry = cause, advice+"; then ask for a reconnect, or start again", nil
		})
		return err
	}
	sig, wait := broker.Failed, time.Duration(0)
	var e *broker.Error
	wedged := errors.As(err, &e) && e.Failure.Wedged()
	switch {
	case errors.Is(err, errReconnect):
		sig, wait = broker.Lost, s.cfg.MinWait
	case state == broker.Ready || state == broker.Degraded:
		sig = broker.Lost
	}
	if s.wedged++; !wedged {
		s.wedged = 0
	}
	if wait == 0 {
		s.fails++
		wait = s.cfg.wait(s.fails)
	}
	if wedged && s.wedged >= s.cfg.WedgedLimit {
		sig, wait = broker.Wedged, restartWait(s.wedged-s.cfg.WedgedLimit+1)
		cause = fmt.Sprintf("%d attempts in a row connected and got no answer: the gateway hangs (%s)", s.wedged, cause)
		advice = "restart IB Gateway or TWS by hand and log in; this program never touches its process"
	}
	next := time.Now().Add(wait)
	s.signal(sig, func(l *broker.Link) { l.Cause, l.Advice, l.NextRetry = cause, advice, &next })
	return nil
}

// words returns what a person reads about err.
func words(err error) (cause, advice string) {
	advice = "wait: it is tried again"
	var e *broker.Error
	if errors.As(err, &e) && e.Advice != "" {
		advice = e.Advice
	}
	return err.Error(), advice
}

// closeSession closes the session and joins its pump, which gets the time to
// take what the session still gives.
func (s *Supervisor) closeSession(sess broker.Session, served <-chan struct{}, endServe func()) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.CloseTimeout)
	defer cancel()
	if err := sess.Close(ctx); err != nil && !errors.Is(err, broker.ErrClosed) {
		s.parts.Log.Warn("session_close", "error", err.Error())
	}
	select {
	case <-served:
	case <-ctx.Done():
		endServe()
		<-served // Serve promises to end with its context
	}
}

// pause waits until again, or for a person when again is zero. It returns
// false when we stop. A client id rests even when a person is impatient.
func (s *Supervisor) pause(ctx context.Context, again time.Time) bool {
	if ctx.Err() != nil {
		return false
	}
	var due <-chan time.Time
	if !again.IsZero() {
		t := time.NewTimer(time.Until(again))
		defer t.Stop()
		due = t.C
	}
	rest := time.NewTimer(s.cfg.MinWait)
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-due:
		return true
	case <-s.kick:
	}
	select {
	case <-ctx.Done():
		return false
	case <-rest.C:
		return true
	}
}

func sinceMS(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }

// tell logs one line an attempt, with every rung.
func (s *Supervisor) tell(began time.Time, err error) {
	l := s.Link()
	attrs := []slog.Attr{
		slog.String("adapter", l.Adapter), slog.String("gateway", l.Facts.Gateway),
		slog.Int("attempt", s.attempt), slog.Float64("elapsed_ms", sinceMS(began)),
	}
	var rungs []any
	for _, r := range l.Rungs {
		text := fmt.Sprintf("%.3fms", r.AtMS)
		if r.Note != "" {
			text += " " + r.Note
		}
		if !r.OK {
			text = "failed after " + text
		}
		rungs = append(rungs, slog.String(r.Name, text))
	}
	attrs = append(attrs, slog.Group("rungs", rungs...))
	if err == nil {
		s.parts.Log.LogAttrs(context.Background(), slog.LevelInfo, "link_ready", attrs...)
		return
	}
	cause, advice := words(err)
	attrs = append(attrs, slog.String("error", cause), slog.String("advice", advice))
	s.parts.Log.LogAttrs(context.Background(), slog.LevelWarn, "link_attempt_failed", attrs...)
}
