package floor

import (
	"fmt"
	"sync"
	"time"

	"robotrader/broker"
)

const (
	// QuietAfter is how long the account's stream may tell nothing before it is
	// asked for again. A gateway tells it every three minutes (from general
	// knowledge); what answers a new subscription at once decides.
	QuietAfter = 10 * time.Minute
	// The waits before a broken account stream is asked for again.
	StreamSoon = time.Minute
	streamLate = 5 * time.Minute
)

// accountPart names the account's stream among the parts.
const accountPart = "account"

// Stream is the account's stream of values and positions, judged by what
// comes: ok since values came after it was asked for, idle before that, broken
// when the venue says so or when asking for it brings nothing. Wall times.
type Stream struct {
	mu    sync.Mutex // guards all below
	part  broker.Part
	asked time.Time // the newest subscription, zero = none in this session
	last  time.Time // the newest value
	tries int       // subscriptions since
	due   time.Time // when a broken one is asked for again
}

// Shown returns how it stands.
func (s *Stream) Shown() broker.Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.part
	p.Name, p.Kind = accountPart, accountPart
	return p
}

// turn needs mu.
func (s *Stream) turn(state string, code int, text string, wall time.Time) {
	if s.part.State != state {
		s.part.Since = wall
	}
	s.part.State, s.part.Code, s.part.Text = state, code, text
}

// Watched takes in that it was asked for.
func (s *Stream) Watched(wall time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = wall
	s.tries++
	s.due = time.Time{}
	if s.part.State == "" {
		s.turn(broker.PartIdle, 0, "asked for, nothing came yet", wall)
	}
}

// Heard takes in values of it.
func (s *Stream) Heard(wall time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.due = wall, time.Time{}
	if wall.Sub(s.asked) > streamLate { // one that breaks again soon is asked for less often
		s.tries = 0
	}
	s.turn(broker.PartOK, 0, "", wall)
}

// Broke takes the venue's word that it is no more.
func (s *Stream) Broke(code int, text string, wall time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(broker.PartBroken, code, text, wall)
	s.due = wall.Add(s.wait())
}

// wait needs mu.
func (s *Stream) wait() time.Duration {
	if s.tries <= 1 {
		return StreamSoon
	}
	return streamLate
}

// End is told when the session is over.
func (s *Stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part, s.asked, s.last, s.tries, s.due = broker.Part{}, time.Time{}, time.Time{}, 0, time.Time{}
}

// Look judges it, and reports whether it is to be asked for again. An answer
// may take within.
func (s *Stream) Look(wall time.Time, within time.Duration) (ask bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answered := !s.last.Before(s.asked)
	switch {
	case s.asked.IsZero():
		return false
	case s.part.State == broker.PartBroken:
		if !s.due.IsZero() && !wall.Before(s.due) {
			s.due = wall.Add(s.wait())
			return true
		}
		if s.due.IsZero() && wall.Sub(s.asked) >= within { // asked again, in vain
			s.due = s.asked.Add(max(s.wait(), within))
		}
		return false
	case answered && wall.Sub(s.last) >= QuietAfter:
		s.asked = wall // until it is: asked once
		return true
	case !answered && wall.Sub(s.asked) >= within:
		s.turn(broker.PartBroken, 0, fmt.Sprintf("no value came within %v of asking for it", within), wall)
		s.due = s.asked.Add(max(s.wait(), within))
	}
	return false
}
