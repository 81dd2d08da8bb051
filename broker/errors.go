package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The kinds of error on which code branches.
var (
	// ErrGatewayDown means that nothing answers at the gateway's address, or
	// that an established session ended. The supervisor retries.
	ErrGatewayDown = errors.New("broker: gateway down")
	// ErrRefused means that the venue, or our own guard, refuses this session
	// for good: trying again changes nothing until a person does something.
	ErrRefused = errors.New("broker: refused")
	// ErrPacing means that the venue's limit on messages is reached.
	ErrPacing = errors.New("broker: pacing")
	// ErrNotWritten means that it is certain that no byte of an order went out.
	ErrNotWritten = errors.New("broker: not written")
	// ErrOutcomeUnknown means that an order was written to the socket, wholly
	// or in part, and no answer came. It is NOT retryable: only reconciliation
	// may resolve it.
	ErrOutcomeUnknown = errors.New("broker: order outcome unknown")
	// ErrNoAnswer means that a request got no answer within its deadline.
	ErrNoAnswer = errors.New("broker: no answer")
	// ErrRequest means that the venue answered a request with an error.
	ErrRequest = errors.New("broker: request failed")
	// ErrClosed means that we closed the session ourselves.
	ErrClosed = errors.New("broker: session closed")
)

// Error is a failure of the link or of a request, with the facts that a person
// needs.
type Error struct {
	Op   string // what was tried, such as "open 127.0.0.1:4002"
	Kind error  // one of the kinds above
	Rung string // the rung that failed, "" outside the ladder
	Code int    // the venue's code, 0 = none
	// Failure tells apart what failed. NoFailure outside the ladder.
	Failure Failure
	Advice  string // what a person can do
	// RetryAfter is how long to wait before the same can be tried again, where
	// that is known, as of [ErrPacing]; 0 = not known.
	RetryAfter time.Duration
	Rungs      []Rung // reached and failed
	Facts      Facts  // what was established before the failure
	// Frames are the last ones each way, oldest first, of a session that broke
	// or of a handshake whose bytes made no sense. At most 33 in and 32 out; nil
	// for every other failure.
	Frames []Frame
	Err    error // cause, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Kind != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Kind.Error(), "broker: "))
	}
	if e.Rung != "" {
		b.WriteString(" at rung " + e.Rung)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (%d)", e.Code)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	var list []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// Retryable reports whether doing the same thing again, later, can succeed.
func Retryable(err error) bool {
	return errors.Is(err, ErrGatewayDown) || errors.Is(err, ErrPacing)
}
