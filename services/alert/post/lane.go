package post

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// LaneConfig sets how a lane tries.
type LaneConfig struct {
	// Timeout bounds one attempt. Default 10 s.
	Timeout time.Duration
	// RetryFor is how long a message is tried; then it is given up, since an
	// alert that comes much later is a riddle. Default 15 minutes.
	RetryFor time.Duration
}

const (
	// maxWaiting is how many messages may wait in a lane; one more drops the
	// oldest.
	maxWaiting = 32
	// The waits between attempts.
	firstWait = time.Second
	mostWait  = time.Minute
	// failures in a row make a lane failing; one may be a blink.
	failures = 2
)

// The states of a lane.
const (
	Untried = "untried" // nothing was sent yet
	Working = "working"
	Failing = "failing"
)

// State tells how a lane stands.
type State struct {
	Name  string
	Where string
	State string    // untried, working, failing
	Cause string    // why it fails, or failed last; plain words without a secret
	Since time.Time // of the state
	Sent  uint64    // messages
	// Lost are messages that were not delivered: given up, not taken, or
	// dropped from a full queue.
	Lost    uint64
	Waiting int
}

// Ears are told what happens in a lane, on its goroutine; they must not block.
type Ears struct {
	// Done is called for each message that was delivered (nil), or was lost.
	Done func(m Message, err error)
	// Changed is called when the state changes.
	Changed func(State)
}

// errDropped is why a message left a full queue.
var errDropped = errors.New("too many wait; the oldest was dropped")

// Lane delivers messages to one target, one after the other, and tries again
// what fails. Make it with [NewLane].
type Lane struct {
	target Target
	client *http.Client
	cfg    LaneConfig
	ears   Ears

	wake    chan struct{} // holds one word that something waits
	closing chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex // guards what follows
	waiting []Message
	state   State
	flight  int    // messages of the attempt that is under way
	row     int    // failed attempts since the last success
	untold  uint64 // lost since the last success
}

// NewLane returns a lane that has not started.
func NewLane(t Target, c *http.Client, cfg LaneConfig, ears Ears) *Lane {
	if ears.Done == nil {
		ears.Done = func(Message, error) {}
	}
	if ears.Changed == nil {
		ears.Changed = func(State) {}
	}
	return &Lane{
		target: t, client: c, cfg: cfg, ears: ears,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
		state: State{Name: t.Name, Where: t.Where, State: Untried, Since: time.Now()},
	}
}

// Start begins to deliver and returns at once; the goroutine lives until Stop.
func (l *Lane) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go l.run(ctx) // joined by Stop
}

// Stop makes one more attempt to deliver what waits, and returns when the
// goroutine has gone; ctx bounds the attempt. It may be called once, after
// Start.
func (l *Lane) Stop(ctx context.Context) error {
	close(l.closing)
	select {
	case <-l.done:
		l.cancel()
		return nil
	case <-ctx.Done():
	}
	l.cancel() // ends the attempt
	<-l.done
	return nil
}

// Put adds a message. It never waits.
func (l *Lane) Put(m Message) {
	l.mu.Lock()
	dropped := l.keep(append(l.waiting, m))
	l.mu.Unlock()
	for _, d := range dropped {
		l.ears.Done(d, errDropped)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// keep makes the newest of the list wait and returns the rest. The caller
// holds mu.
func (l *Lane) keep(list []Message) (dropped []Message) {
	if n := len(list) - maxWaiting; n > 0 {
		dropped, list = slices.Clone(list[:n]), slices.Clone(list[n:])
		l.state.Lost += uint64(n)
		l.untold += uint64(n)
	}
	l.waiting = list
	return dropped
}

// State returns how the lane stands.
func (l *Lane) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	s.Waiting = len(l.waiting) + l.flight
	return s
}

func (l *Lane) run(ctx context.Context) {
	defer close(l.done)
	for {
		select {
		case <-l.wake:
			l.deliver(ctx)
		case <-l.closing:
			l.deliver(ctx)
			return
		}
	}
}

// deliver sends all that waits as one message, again and again until it is
// taken, given up, or the lane closes.
func (l *Lane) deliver(ctx context.Context) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = firstWait, mostWait, 2
	for {
		l.giveUp(time.Now())
		list, note := l.take()
		if len(list) == 0 {
			return
		}
		m := Joined(list)
		if note > 0 {
			m.Text += fmt.Sprintf("\n(%d earlier alerts could not be delivered here)", note)
		}
		once, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
		err := l.target.Send(once, l.client, m)
		cancel()
		l.note(list, err)
		if err == nil || errors.Is(err, ErrNotTaken) {
			continue // with what came meanwhile
		}
		wait, wake := waits.NextBackOff(), l.wake
		if e, ok := errors.AsType[*Error](err); ok && e.After > 0 {
			wait, wake = max(wait, e.After), nil // it asked to be left alone
		}
		if !l.pause(ctx, wait, wake) {
			return
		}
	}
}

// take returns what waits, and how many messages were lost since the last that
// was delivered. What became of them is for [Lane.note] to say.
func (l *Lane) take() ([]Message, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.waiting
	l.waiting, l.flight = nil, len(list)
	return list, l.untold
}

// note takes down what became of an attempt. What may be tried again waits
// again, before what came meanwhile.
func (l *Lane) note(list []Message, err error) {
	l.mu.Lock()
	l.flight = 0
	was := l.state.State
	var over []Message
	why := err
	switch {
	case err == nil:
		l.state.Sent += uint64(len(list))
		l.row, l.untold = 0, 0
		over = list
	case errors.Is(err, ErrNotTaken):
		l.state.Lost += uint64(len(list))
		l.untold += uint64(len(list))
		l.row = failures
		over = list
	default:
		l.row++
		over, why = l.keep(append(list, l.waiting...)), errDropped
	}
	if err != nil {
		l.state.Cause = err.Error()
	}
	switch now := time.Now(); {
	case err == nil && was != Working:
		l.state.State, l.state.Since, l.state.Cause = Working, now, ""
	case l.row >= failures && was != Failing:
		l.state.State, l.state.Since = Failing, now
	}
	s := l.state
	s.Waiting = len(l.waiting)
	l.mu.Unlock()
	for _, m := range over {
		l.ears.Done(m, why)
	}
	if s.State != was {
		l.ears.Changed(s)
	}
}

// giveUp loses the messages that were tried for long enough.
func (l *Lane) giveUp(now time.Time) {
	l.mu.Lock()
	var old []Message
	l.waiting = slices.DeleteFunc(l.waiting, func(m Message) bool {
		late := now.Sub(m.At) > l.cfg.RetryFor
		if late {
			old = append(old, m)
		}
		return late
	})
	l.state.Lost += uint64(len(old))
	l.untold += uint64(len(old))
	cause := l.state.Cause
	l.mu.Unlock()
	for _, m := range old {
		l.ears.Done(m, fmt.Errorf("given up after %v: %s", l.cfg.RetryFor, cause))
	}
}

// pause waits, for a new message at the longest, and reports whether another
// attempt is to be made. A lane that closes makes its last one at once.
func (l *Lane) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-wake:
		return true
	case <-l.closing:
		return false // run makes the last attempt
	case <-ctx.Done():
		return false
	}
}
