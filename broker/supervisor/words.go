package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"robotrader/broker"
)

var (
	errReconnect = errors.New("a person asked to reconnect")
	errServeOver = errors.New("the session's reader ended without a reason")
)

// failureOf returns the one word for how an attempt, or a session that was
// open (past both ids), ended. The adapter tells it; what it leaves out follows from the rung
// where that leaves no doubt.
func failureOf(err error, open bool) broker.Failure {
	var e *broker.Error
	told := errors.As(err, &e)
	switch {
	case errors.Is(err, errReconnect):
		return broker.NoFailure
	case told && e.Failure != broker.NoFailure:
		return e.Failure
	case errors.Is(err, broker.ErrRefused):
		return broker.Forbidden
	case told && slices.Contains(broker.Rungs()[5:], e.Rung): // the desk's
		return broker.StepFailed
	case open:
		return broker.SessionLost
	case !told:
		return broker.NoFailure
	}
	switch {
	case e.Rung != broker.RungTCP:
		return broker.NoFailure
	case errors.Is(err, syscall.ECONNREFUSED):
		return broker.NobodyListens
	}
	return broker.Unreachable
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

// explain returns what a person reads while the link is down: what ended the
// newest attempt, with what the breaker and the calendar make of it.
func (s *Supervisor) explain(now time.Time) (cause, advice string) {
	cause, advice = s.said.cause, s.said.advice
	switch {
	case s.breaker.open:
		cause, advice = s.breaker.words(cause)
	case !s.taken.IsZero():
		cause = fmt.Sprintf("client id %d is in use since %s: %s", s.Link().Facts.ClientID, s.taken.Format("15:04:05"), cause)
		advice = "wait: the gateway frees it when it notices that the session before is over; if another program uses this id, " +
			"stop that one or give it another; if nothing has it, restart the gateway by hand. " +
			"The trader never takes another id by itself: its orders belong to this one"
	}
	before, instead := s.outlook.words(now)
	if before != "" {
		cause = before + " (" + cause + ")"
	}
	if instead != "" && s.breaker.open {
		instead += "; after that `traderctl reconnect`, because the gateway hung before"
	}
	if instead != "" {
		advice = instead
	}
	return cause, advice
}

// slowHandshake is from when on a handshake is slow: over loopback it takes
// a millisecond.
const slowHandshake = time.Second

// slow returns the warning of a handshake that was slow, "" otherwise.
func slow(list []broker.Rung) string {
	at := 0.0
	for _, r := range list {
		if r.OK && (r.Name == broker.RungManagedAccounts || r.Name == broker.RungNextValidID) {
			at = max(at, r.AtMS)
		}
	}
	if at <= ms(slowHandshake) {
		return ""
	}
	longest, name, last := 0.0, "", 0.0
	for _, r := range list {
		if d := r.AtMS - last; r.AtMS <= at && d > longest {
			longest, name = d, r.Name
		}
		last = max(last, r.AtMS)
	}
	return fmt.Sprintf("the handshake took %.3f s, most of it (%.3f s) before rung %s: the gateway is busy, or begins to hang", at/1000, longest/1000, name)
}

const warnForced = "sessions are closed abruptly (broker.ibkr.force_disconnect is on): the gateway may keep a dead socket of each; switch it off"

// warnings returns the lasting ones.
func warnings(slow string, f broker.Facts) []string {
	list := []string{}
	if slow != "" {
		list = append(list, slow)
	}
	if f.ForceDisconnect {
		list = append(list, warnForced)
	}
	return list
}
