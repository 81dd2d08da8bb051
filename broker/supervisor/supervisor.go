package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
)

// Parts is what a supervisor works with.
type Parts struct {
	Adapter broker.Adapter
	Open    broker.OpenConfig
	// Facts is what is known before a first attempt: the gateway's address and
	// our client id there. The zero value knows nothing.
	Facts broker.Facts
	// Past is the newest word about the link that an earlier run left, nil for
	// none. It counts when it is about the same gateway and client id.
	Past *broker.Link
	// Steps are the rungs after the handshake, in order. A step must end when
	// its context does.
	Steps []broker.Step
	// Serve takes the session's events until it ends, and returns why it
	// ended; it must end when ctx does. It starts when the handshake is
	// complete, before the steps.
	Serve func(ctx context.Context, s broker.Session) error
	// Publish is told every change, one at a time and in order. It must not
	// block, nor call the supervisor's Degrade, Recover or Reconnect. Nil
	// tells nobody.
	Publish func(broker.Link)
	// Evidence tells what the kernel knows of the gateway's listener, without
	// connecting. It must end when ctx does. Nil can never tell.
	Evidence func(ctx context.Context, gateway string) broker.Evidence
	// Record is told of every attempt and every session's end, on the
	// supervisor's goroutine: it must not block. Nil tells nobody.
	Record func(Record)
	Log    *slog.Logger // nil = slog.Default
}

// Supervisor owns the link to the venue. Make one with New.
type Supervisor struct {
	cfg   Config
	parts Parts

	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has gone
	kick    chan struct{} // a person asked to reconnect
	ping    chan struct{} // taken by the goroutine: it turns
	refusal chan error

	turn sync.Mutex // held over a change and its publication: it keeps them in order

	mu      sync.Mutex           // guards what follows
	link    broker.Link          // its slices are replaced, never changed
	changed chan struct{}        // closed and replaced at every change
	lost    chan struct{}        // of the session that is ready; nil without one
	worse   [numSources]*trouble // told in this session and not over
	started bool
	ready   bool // was ready once
	err     error

	// Of the goroutine alone.
	fails   int // in a row, for the waits
	attempt int // since the last ready
	total   int // in this process's life
	breaker breaker
	outlook outlook
	down    absence
	said    trouble   // what ended the newest attempt
	due     time.Time // the next attempt; zero = not before something happens
	looked  time.Time // when an open breaker looks again
	late    int       // looks in a row that came late
	taken   time.Time // since when the client id is in use by the gateway's word
	slow    string    // the warning of this session's handshake
}

// trouble is a reason against new risk while the session stands.
type trouble struct{ cause, advice string }

// source is who tells of trouble. Each takes back only its own.
type source uint8

const (
	byCalendar source = iota
	byDesk
	numSources
)

// New returns a supervisor that has not started: its state is connecting, and
// says so.
func New(cfg Config, parts Parts) *Supervisor {
	if parts.Publish == nil {
		parts.Publish = func(broker.Link) {}
	}
	if parts.Log == nil {
		parts.Log = slog.Default()
	}
	closed, now := breaker{limit: cfg.WedgedLimit}, time.Now()
	return &Supervisor{
		cfg:     cfg,
		parts:   parts,
		done:    make(chan struct{}),
		kick:    make(chan struct{}, 1),
		ping:    make(chan struct{}),
		refusal: make(chan error, 1),
		changed: make(chan struct{}),
		link: broker.Link{
			State: broker.Connecting, Since: now, DownSince: &now, Adapter: parts.Adapter.Name(),
			Cause: "not started yet", Advice: "wait", Breaker: closed.link(), Warnings: warnings("", parts.Facts), Facts: parts.Facts,
		},
	}
}

// Start begins connecting and returns at once. The goroutine lives until Stop.
func (s *Supervisor) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.started, s.cancel = true, cancel
	go s.run(ctx)
}

// Stop ends the session well, then the goroutine, and returns when it has gone
// or ctx has. It may be called in any state, also before Start, and twice.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.started {
		s.started = true // a Start that comes later starts nothing
		s.cancel = func() {}
		s.mu.Unlock()
		s.signal(broker.Stop, stopped)
		close(s.done)
		return nil
	}
	s.mu.Unlock()
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("supervisor: stop in state %v: %w", s.Link().State, ctx.Err())
	}
}

// Link returns where the link stands.
func (s *Supervisor) Link() broker.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// FirstRefusal gives at most one error: the one that refused the link for good
// before it was ever ready. A refusal after a first ready is a state only.
func (s *Supervisor) FirstRefusal() <-chan error { return s.refusal }

// AwaitReady blocks until the link is ready. Lost is closed when that session
// ends, however it does; a degraded link is not lost. The error satisfies
// [broker.ErrRefused] when waiting is pointless, because the link is refused
// or stopped (after a person's Reconnect, waiting again has a point again), or
// is ctx's.
func (s *Supervisor) AwaitReady(ctx context.Context) (lost <-chan struct{}, err error) {
	for {
		s.mu.Lock()
		state, gone, changed, cause := s.link.State, s.lost, s.changed, s.err
		s.mu.Unlock()
		switch state {
		case broker.Ready:
			return gone, nil
		case broker.Refused:
			return nil, cause
		case broker.Stopped:
			return nil, fmt.Errorf("supervisor: await ready: stopped: %w", broker.ErrRefused)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("supervisor: await ready in state %v: %w", state, ctx.Err())
		}
	}
}

// Degrade tells that the session stands and trading may not open new risk, as
// when no wanted symbol has data. While the rungs are climbed it is kept and
// takes effect when they are done. Without a connection it says nothing.
func (s *Supervisor) Degrade(cause, advice string) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.trouble(byDesk, &trouble{cause, advice}, func(*broker.Link) {})
}

// Recover tells that what Degrade told is over.
func (s *Supervisor) Recover() {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.trouble(byDesk, nil, func(*broker.Link) {})
}

// trouble needs turn. It takes what a source tells, nil = nothing any more,
// and moves between ready and degraded by what all sources tell together.
func (s *Supervisor) trouble(from source, t *trouble, edit func(*broker.Link)) {
	s.mu.Lock()
	state, had := s.link.State, s.worse[from] != nil
	switch state {
	case broker.Handshaking, broker.Recovering, broker.Ready, broker.Degraded: // a gateway tells bad news between the ids, too
		s.worse[from] = t
	default: // no session to degrade
	}
	words, worse := s.worst()
	s.mu.Unlock()
	change := func(l *broker.Link) {
		words(l)
		edit(l)
	}
	switch {
	case state == broker.Ready && worse:
		s.apply(change, broker.Worse)
	case state == broker.Degraded && worse && (t != nil || had):
		s.apply(change)
	case state == broker.Degraded && !worse:
		s.apply(change, broker.Better)
	}
}

// worst needs mu. It returns the words for all that is told now, and whether
// that is anything.
func (s *Supervisor) worst() (edit func(*broker.Link), worse bool) {
	var all trouble
	for _, t := range s.worse {
		switch {
		case t == nil:
		case !worse:
			all, worse = *t, true
		default:
			all.cause += "; " + t.cause
			all.advice += "; " + t.advice
		}
	}
	if !worse {
		return readyWords, false
	}
	return func(l *broker.Link) { l.Cause, l.Advice = all.cause, all.advice }, true
}

// Reconnect is a person's: it cuts a wait short, also the endless one of a
// refused link, and closes a session that is open in order to make a new one.
// An attempt that is under way goes on. by says who asks, for people. It
// returns when the request is taken up and was published; what comes of it are
// the states that follow. A request while one is pending is that one. The error
// says that the link is stopped, or is ctx's, and then nothing was asked.
func (s *Supervisor) Reconnect(ctx context.Context, by string) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("supervisor: reconnect: %w", err)
	}
	if s.Link().State == broker.Stopped {
		return fmt.Errorf("supervisor: reconnect: the link is stopped: start the trader again")
	}
	select {
	case s.kick <- struct{}{}:
	default:
		return nil
	}
	s.apply(func(l *broker.Link) { l.Cause, l.Advice = asked(by), "wait" })
	return nil
}

// longestName bounds who asks, in characters.
const longestName = 40

func asked(by string) string {
	if by == "" {
		return "a person asked to reconnect"
	}
	return fmt.Sprintf("a person asked to reconnect (%.*q)", longestName, by)
}

func readyWords(l *broker.Link) {
	l.Cause, l.Advice = "every rung reached", "nothing to do"
}

func stopped(l *broker.Link) {
	l.Cause, l.Advice, l.NextRetry = "asked to stop", "start the trader again to connect", nil
}

// signal makes the steps of the state table and publishes the result once.
func (s *Supervisor) signal(sig broker.LinkSignal, edit func(*broker.Link)) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.apply(edit, sig)
}

// apply needs turn. Without a signal it changes words only. A signal that is
// not legal is a fault of this package: it is logged, and nothing changes.
func (s *Supervisor) apply(edit func(*broker.Link), signals ...broker.LinkSignal) {
	s.mu.Lock()
	l := s.link
	for _, sig := range signals {
		after, ok := l.State.Next(sig)
		if !ok {
			s.mu.Unlock()
			s.parts.Log.Error("link_signal_not_legal", "state", l.State.String(), "signal", sig.String())
			return
		}
		l.State = after
	}
	edit(&l)
	now := time.Now()
	if l.State != s.link.State {
		l.Since = now
	}
	open := l.State == broker.Ready || l.State == broker.Degraded
	switch {
	case open:
		l.DownSince = nil
	case l.DownSince == nil:
		l.DownSince = &now
	}
	if open && s.lost == nil {
		s.lost = make(chan struct{})
		s.ready = true
	} else if !open && s.lost != nil {
		close(s.lost)
		s.lost = nil
	}
	s.link = l
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	s.parts.Publish(l)
}

// reached takes a rung from the adapter or a step.
func (s *Supervisor) reached(r broker.Rung) {
	s.turn.Lock()
	defer s.turn.Unlock()
	var signals []broker.LinkSignal
	if r.Name == broker.RungTCP && r.OK && s.Link().State == broker.Connecting {
		signals = append(signals, broker.Dialled)
	}
	s.apply(func(l *broker.Link) {
		l.Rung = r.Name
		l.Rungs = append(slices.Clip(l.Rungs), r)
		if r.OK {
			l.Cause, l.Advice = "rung "+r.Name+" reached", "wait"
		}
	}, signals...)
}
