package ibkr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
)

const (
	// timeGap is the least time between two time requests: of two within a
	// second the gateway answers only the first. Section 4.1.
	timeGap = time.Second + 50*time.Millisecond
	// strikes is how many time requests in a row may go unanswered.
	strikes = 2
	// stopped is by how much a wait must be overdue to show that this process
	// did not run for a while: the gateway is then not to blame.
	stopped = time.Second

	nameTime = "reqCurrentTime"
)

// errSilent means that the gateway leaves time requests unanswered.
var errSilent = errors.New("the gateway does not answer")

// timeAsk is one time request. There is one at a time on its way: the gateway's
// answer does not say to which it belongs. The session's lock guards it.
type timeAsk struct {
	sent     time.Time
	written  bool          // or about to be: it has room
	settled  chan struct{} // closed when it is written, or err is set
	answered bool
	at       time.Time     // the answer
	err      error         // why it was not written
	done     chan struct{} // closed when the answer is published, or err is set
}

// over reports whether a has its answer, or never will.
func (a *timeAsk) over() bool { return a.answered || a.err != nil }

// Time asks the gateway for its time, or joins whoever does and shares what
// comes of it. Within a second of the last answer it returns that answer, moved
// on.
func (s *Session) Time(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	return s.askTime(ctx, s.cfg.RequestTimeout)
}

// askTime is Time with a limit for the wait behind the write. Ctx bounds all of
// it. Whoever asks, the request goes with the orders: one may wait for it, and
// it is one message a second at most.
func (s *Session) askTime(ctx context.Context, limit time.Duration) (time.Time, error) {
	failed := func(err error, advice string) (time.Time, error) {
		return time.Time{}, &broker.Error{Op: nameTime, Kind: broker.ErrNoAnswer, Err: err, Advice: advice}
	}
	for {
		if err := ctx.Err(); err != nil {
			return failed(err, "ask again")
		}
		a, known, rest, err := s.joinTime()
		switch {
		case err != nil:
			return failed(err, "ask again on the next session")
		case !known.IsZero():
			return known, nil
		case a != nil && rest == 0:
			if !s.settles(ctx, a) {
				return failed(fmt.Errorf("%w: a time request waits for room: %w", broker.ErrPacing, ctx.Err()), "ask again")
			}
			continue
		case a == nil && rest > 0:
			s.rest(ctx, rest) // asked a moment ago, in vain
			continue
		case a == nil:
			if a, err = s.writeTime(ctx); err != nil {
				return failed(err, "ask again")
			}
			if a == nil {
				continue // somebody was faster
			}
			rest = s.cfg.ProbeLimit
		}
		if s.awaitTime(ctx, a, min(rest, limit)) {
			if a.err == nil {
				return a.at, nil
			}
			continue // who wrote it could not
		}
		if err := s.ended(); err != nil {
			continue
		}
		s.millis.Store(false) // the older question may do better
		if err = ctx.Err(); err == nil {
			err = context.DeadlineExceeded
		}
		return failed(fmt.Errorf("within %v: %w", min(limit, s.cfg.ProbeLimit), err), "ask again; when it stays silent, look for a dialog that the gateway shows")
	}
}

// joinTime looks at the newest time request: what it told when that is fresh,
// itself while it is under way and for how much longer, 0 while it is not
// written, or how long to rest before the next one.
func (s *Session) joinTime() (a *timeAsk, known time.Time, rest time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = s.asked
	switch {
	case s.err != nil:
		return nil, time.Time{}, 0, s.err
	case a == nil || a.err != nil:
		return nil, time.Time{}, 0, nil
	case !a.written:
		return a, time.Time{}, 0, nil
	}
	since := time.Since(a.sent)
	switch {
	case a.answered && since < timeGap:
		select {
		case <-a.done:
			known = s.clock.Now(time.Now())
		default: // the reader is about to publish it
			return a, known, timeGap, nil
		}
	case !a.answered && since < s.cfg.ProbeLimit:
		return a, known, s.cfg.ProbeLimit - since, nil
	}
	return nil, known, timeGap - since, nil
}

// settles waits until a is written or will not be, or the session has ended;
// false when ctx is over first.
func (s *Session) settles(ctx context.Context, a *timeAsk) bool {
	select {
	case <-a.settled:
	case <-s.gone:
	case <-ctx.Done():
		return false
	}
	return true
}

// awaitTime waits until a is over, at most so long.
func (s *Session) awaitTime(ctx context.Context, a *timeAsk, most time.Duration) bool {
	wait := time.NewTimer(most)
	defer wait.Stop()
	select {
	case <-a.done:
		return true
	case <-wait.C:
	case <-s.gone:
	case <-ctx.Done():
	}
	select {
	case <-a.done: // at the last moment
		return true
	default:
		return false
	}
}

func (s *Session) rest(ctx context.Context, d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.gone:
	case <-ctx.Done():
	}
}

// writeTime writes a time request; nil when somebody else is about to, or just
// did.
func (s *Session) writeTime(ctx context.Context) (*timeAsk, error) {
	var question wire.Message = wire.ReqCurrentTime{}
	if s.millis.Load() {
		question = wire.ReqTimeInMillis{}
	}
	frame, err := wire.AppendMessage(nil, question, s.v)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if a := s.asked; a != nil && a.err == nil && (!a.written || time.Since(a.sent) < timeGap) {
		s.mu.Unlock()
		return nil, nil
	}
	a := &timeAsk{settled: make(chan struct{}), done: make(chan struct{})}
	s.asked = a
	s.mu.Unlock()
	defer close(a.settled)
	if err = s.admit(ctx, pace.OrderNext); err == nil {
		s.mu.Lock()
		a.sent, a.written = time.Now(), true // before the write: the answer may be faster than we
		s.mu.Unlock()
		err = s.write(frame)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !a.answered:
		a.err = err
		close(a.done)
		return nil, err
	case err == nil:
		a.sent = time.Now() // another write may have been stuck before it
	}
	return a, nil
}

// tellTime takes an answer to a time request, on the reader: it moves the
// market's clock, never back, and is a sign of life.
func (s *Session) tellTime(at time.Time) {
	s.setClock(at)
	s.mu.Lock()
	missed, now := s.missed, s.wall()
	s.missed, s.heardBack, s.answerAt = 0, true, now
	if a := s.asked; a != nil && a.written && !a.over() { // else it is the answer to an older one
		a.answered, a.at = true, at
		s.roundTrip = max(0, now.Sub(a.sent))
		s.told = a
	}
	s.mu.Unlock()
	if missed > 0 {
		s.event(broker.Notice{Kind: broker.NoticeAnswers, Text: fmt.Sprintf("the gateway answers again, after %d unanswered time requests", missed)})
	}
}

// watch is the goroutine that asks an idle gateway for signs of life. Begin
// starts it; it ends with the session, and the reader joins it.
func (s *Session) watch() {
	err := s.contained(s.probe)
	if err != nil {
		s.end(s.lossOf(err), mostClosing)
	}
}

// probe asks once in Config.ProbeEvery, not counting what others asked and had
// answered, and again at once after a miss. Data that flows is no answer: a
// gateway may stream and be dead to questions. The result is why the session
// has to end, nil when it has.
func (s *Session) probe() error {
	next := time.NewTimer(s.cfg.ProbeEvery)
	defer next.Stop()
	for {
		doubted := false
		select {
		case <-s.gone:
			return nil
		case <-s.doubt:
			doubted = true
		case <-next.C:
		}
		missed, idle := s.strikes()
		if wait := s.cfg.ProbeEvery - idle; wait > 0 && missed == 0 && !doubted {
			next.Reset(wait)
			continue
		}
		// Answers may wait behind what nobody fetches, from before or since.
		if s.standing.Load() || s.answers() || s.standing.Load() {
			next.Reset(s.cfg.ProbeEvery)
			continue
		}
		if s.ended() != nil {
			return nil
		}
		if s.strike() >= strikes {
			return fmt.Errorf("%w: %d time requests in a row got none within %v", errSilent, strikes, s.cfg.ProbeLimit)
		}
		next.Reset(0)
	}
}

// answers asks once. What is not the gateway's fault passes: no room for the
// question in the pace, and, a few times, a wait that was over before this
// process ran again.
func (s *Session) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 4*(s.cfg.RequestTimeout+s.cfg.ProbeLimit))
	defer cancel()
	for range 3 {
		began := time.Now()
		_, err := s.askTime(ctx, s.cfg.ProbeLimit)
		switch late := time.Since(began) - s.cfg.ProbeLimit; {
		case err == nil, errors.Is(err, broker.ErrPacing):
			return true
		case s.ended() != nil || late < timeGap+stopped:
			return false
		}
	}
	return false
}

// strike counts a miss and returns how many there are now. The first is told.
func (s *Session) strike() int {
	s.mu.Lock()
	s.missed++
	n, since := s.missed, s.answerAt
	s.mu.Unlock()
	s.log.Warn("gateway_silent", "gateway", s.facts.Gateway, "missed", n, "since", since)
	if n == 1 {
		s.tell(broker.Notice{Kind: broker.NoticeSilent, Text: fmt.Sprintf(
			"the gateway does not answer since %s: a time request got no answer within %v", since.Format(time.TimeOnly), s.cfg.ProbeLimit)})
	}
	return n
}

// strikes returns the misses in a row, and how long ago the newest answer was,
// or the session's beginning.
func (s *Session) strikes() (missed int, idle time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missed, time.Since(s.answerAt)
}

// tell hands on an event that the reader did not bring.
func (s *Session) tell(n broker.Notice) {
	s.hand(&broker.Batch{Received: time.Now(), Events: []broker.Event{n}})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// lockStep reports a replay in which wall time means nothing.
func (c Config) lockStep() bool { return c.Simulated && c.Speed == 0 }

// proveAlive asks a gateway from which nothing came for a while for a sign of
// life, before an order goes out to it: an order written to one that hangs has
// an outcome that nobody knows. While data comes it costs a look at a clock.
// That is the wall's, because a machine that slept must not pass for one that
// heard something a moment ago.
func (s *Session) proveAlive(ctx context.Context) error {
	if s.cfg.lockStep() || s.standing.Load() {
		return nil
	}
	silent := time.Duration(time.Now().UnixNano() - s.frameAt.Load())
	if silent >= 0 && silent <= s.cfg.AliveWithin {
		return nil
	}
	err := s.silence()
	if err == nil {
		asking, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
		defer cancel()
		_, err = s.askTime(asking, s.cfg.AliveLimit)
	}
	if err == nil {
		return nil
	}
	select {
	case s.doubt <- struct{}{}: // the goroutine that watches looks into it
	default:
	}
	return fmt.Errorf("%w: %w: nothing came for %v: %w", broker.ErrNotWritten, errSilent, silent.Round(time.Millisecond), err)
}

// silence tells of a time request that waits longer than an order may: the next
// order need not wait as long again.
func (s *Session) silence() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.asked; a != nil && a.written && !a.over() && s.err == nil && time.Since(a.sent) >= s.cfg.AliveLimit {
		return fmt.Errorf("a time request waits for its answer since %v", time.Since(a.sent).Round(time.Millisecond))
	}
	return nil
}
