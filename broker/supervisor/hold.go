package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"robotrader/broker"
)

// hold serves the session, climbs the remaining rungs, keeps the session until
// it ends, and closes it.
func (s *Supervisor) hold(ctx context.Context, sess broker.Session, began time.Time) {
	serveCtx, endServe := context.WithCancel(context.WithoutCancel(ctx))
	defer endServe()
	live, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	served := make(chan struct{})
	go func() { // joined below
		defer close(served)
		err := s.parts.Serve(serveCtx, sess)
		if err == nil {
			err = errServeOver
		}
		lose(err)
	}()
	rec := Record{Began: began, Total: s.total}
	rec.Err = s.climb(live, sess, began)
	rec.Elapsed = time.Since(began)
	if rec.Err == nil {
		rec.Link = s.Link()
		s.tell(rec)
		since := time.Now()
		rec = Record{Began: since, Total: s.total, Session: true}
		rec.Err = s.keep(live, began)
		rec.Elapsed = time.Since(since)
		if rec.Elapsed > s.cfg.MaxWait {
			s.fails = 0
		}
		s.attempt = 0
	}
	s.end(ctx, rec.Err)
	s.closeSession(sess, served, endServe)
	s.conclude(ctx, rec)
}

// keep returns why the session ended, or that a person asks for another.
// Meanwhile it follows the calendar, and learns once who listens.
func (s *Supervisor) keep(live context.Context, began time.Time) error {
	seen := make(chan broker.Evidence, 1)
	var looking sync.WaitGroup
	defer looking.Wait()
	ctx, cancel := context.WithCancel(live)
	defer cancel()
	gateway := s.Link().Facts.Gateway
	looking.Go(func() { seen <- s.look(ctx, gateway) })
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		now := time.Now()
		near, phase := s.nearRestart(now, began)
		s.follow(near, phase)
		t.Reset(s.cfg.Calendar.edge(now).Sub(now))
		select {
		case <-live.Done():
			return context.Cause(live)
		case <-s.kick:
			return errReconnect
		case <-s.ping:
		case e := <-seen:
			s.down.seen = s.down.seen || e.Readable && e.PID != 0
		case <-t.C:
		}
	}
}

// nearRestart returns the calendar's trouble at now, nil for none, and the edit
// that tells the phase.
func (s *Supervisor) nearRestart(now, began time.Time) (*trouble, func(*broker.Link)) {
	until, near := s.cfg.Calendar.soon(now, began)
	if !near {
		return nil, func(l *broker.Link) { l.Phase, l.Until = broker.NoPhase, nil }
	}
	t := &trouble{
		cause:  "the gateway's daily restart is near: no new risk until it is over, at the latest " + until.Format("15:04:05"),
		advice: "wait: what reduces risk passes",
	}
	return t, func(l *broker.Link) { l.Phase, l.Until = broker.BeforePhase, &until }
}

// follow tells the calendar's trouble when it begins or is over.
func (s *Supervisor) follow(near *trouble, phase func(*broker.Link)) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	had := s.worse[byCalendar] != nil
	s.mu.Unlock()
	if had != (near != nil) {
		s.trouble(byCalendar, near, phase)
	}
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

// tell logs one line of an attempt or a session's end, and hands the record on.
func (s *Supervisor) tell(r Record) {
	if s.parts.Record != nil {
		s.parts.Record(r)
	}
	l := r.Link
	attrs := []slog.Attr{
		slog.String("adapter", l.Adapter), slog.String("gateway", l.Facts.Gateway),
		slog.Int("attempt", l.Attempt), slog.Float64("elapsed_ms", ms(r.Elapsed)),
	}
	name := "link_ready"
	switch {
	case r.Session:
		name = "link_session_over"
	case r.Err != nil:
		name = "link_attempt_failed"
	}
	if !r.Session {
		attrs = append(attrs, slog.Attr{Key: "rungs", Value: slog.GroupValue(briefly(l.Rungs)...)})
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("failure", r.Outcome()), slog.String("error", r.Err.Error()),
			slog.String("advice", l.Advice), slog.String("phase", string(l.Phase)))
	}
	s.parts.Log.LogAttrs(context.Background(), r.Level(), name, attrs...)
}
