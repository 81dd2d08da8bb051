package supervisor

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"robotrader/broker"
)

// fakeSession ends when end is closed, or by Close.
type fakeSession struct {
	facts  broker.Facts
	end    chan struct{}
	once   sync.Once
	slow   time.Duration // of Close
	closed func()
}

func (f *fakeSession) Facts() broker.Facts { return f.facts }

func (f *fakeSession) Events(ctx context.Context) (broker.Batch, error) {
	select {
	case <-f.end:
		return broker.Batch{}, broker.ErrClosed
	case <-ctx.Done():
		return broker.Batch{}, ctx.Err()
	}
}

func (f *fakeSession) Time(context.Context) (time.Time, error) { return time.Now(), nil }

func (f *fakeSession) Close(context.Context) error {
	time.Sleep(f.slow) // in a bubble
	f.lose()
	f.closed()
	return nil
}

// lose ends the session as a gateway does.
func (f *fakeSession) lose() { f.once.Do(func() { close(f.end) }) }

// fakeAdapter plays one result a call, the last one for ever.
type fakeAdapter struct {
	t     *testing.T
	plays []func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error)

	mu    sync.Mutex // guards what follows
	calls []time.Time
	last  *fakeSession
	gone  time.Time // when the last one was closed
	open  int
}

// opened returns when Open was called.
func (a *fakeAdapter) opened() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *fakeAdapter) newest() *fakeSession {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *fakeAdapter) closed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = time.Now()
	a.open--
}

// begin notes one more attempt and returns what it is to play.
func (a *fakeAdapter) begin() func(context.Context, func(broker.Rung)) (*fakeSession, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open != 0 {
		a.t.Error("two sessions at once")
	}
	a.open++
	if rested := time.Since(a.gone); len(a.calls) > 0 && rested < time.Second {
		a.t.Errorf("opened %v after the last close, want at least 1s", rested)
	}
	play := a.plays[min(len(a.calls), len(a.plays)-1)]
	a.calls = append(a.calls, time.Now())
	return play
}

func (a *fakeAdapter) Name() string { return "fake" }

func (a *fakeAdapter) Open(ctx context.Context, _ broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	s, err := a.begin()(ctx, on)
	if err != nil {
		a.closed()
		return nil, err
	}
	s.closed = a.closed
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = s
	return s, nil
}

func good(_ context.Context, on func(broker.Rung)) (*fakeSession, error) {
	for _, name := range broker.Rungs()[:5] {
		on(broker.Rung{Name: name, OK: true})
	}
	return &fakeSession{
		facts: broker.Facts{Gateway: "g:1", Accounts: []string{"DU1"}, Account: "DU1", NextOrderID: 1},
		end:   make(chan struct{}),
	}, nil
}

func fails(e broker.Error) func(context.Context, func(broker.Rung)) (*fakeSession, error) {
	return func(_ context.Context, on func(broker.Rung)) (*fakeSession, error) {
		if e.Rung != broker.RungTCP {
			on(broker.Rung{Name: broker.RungTCP, OK: true})
			e.Rungs = []broker.Rung{{Name: broker.RungTCP, OK: true}, {Name: e.Rung}}
		}
		return nil, &e
	}
}

var (
	down   = fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungTCP, Advice: "start the gateway"})
	wedge  = fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.NoReply, Advice: "look"})
	refuse = fails(broker.Error{Op: "open g:1", Kind: broker.ErrRefused, Rung: broker.RungManagedAccounts, Advice: "say --live"})
)

type rig struct {
	*Supervisor
	a     *fakeAdapter
	mu    sync.Mutex
	links []broker.Link
	// forgetful keeps no links: for a test of memory.
	forgetful bool
	records   []Record
}

// kernel tells what a test says about who listens.
type kernel struct {
	mu    sync.Mutex
	e     broker.Evidence
	looks int
	slow  bool // every look runs into its deadline
}

func (k *kernel) look(ctx context.Context, _ string) broker.Evidence {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	if k.slow {
		<-ctx.Done()
		return broker.Evidence{Why: ctx.Err().Error()}
	}
	return k.e
}

func (k *kernel) slows(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slow = on
}

func (k *kernel) set(e broker.Evidence) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.e = e
}

func (k *kernel) looked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.looks
}

// told returns all records so far.
func (r *rig) told() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.records)
}

// published returns all links so far.
func (r *rig) published() []broker.Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.links)
}

// until waits in steps of a second for a state.
func (r *rig) until(t *testing.T, want broker.LinkState, within time.Duration) {
	t.Helper()
	for began := time.Now(); time.Since(began) < within; time.Sleep(time.Second) {
		if r.Link().State == want {
			return
		}
	}
	t.Fatalf("state %v after %v, want %v", r.Link().State, within, want)
}

func (r *rig) states() []broker.LinkState {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []broker.LinkState
	for _, l := range r.links {
		if n := len(list); n == 0 || list[n-1] != l.State {
			list = append(list, l.State)
		}
	}
	return list
}

func newRig(t *testing.T, steps []broker.Step, plays ...func(context.Context, func(broker.Rung)) (*fakeSession, error)) *rig {
	r := &rig{a: &fakeAdapter{t: t, plays: plays}}
	r.Supervisor = New(DefaultConfig(), Parts{
		Adapter: r.a, Steps: steps,
		Serve: func(ctx context.Context, s broker.Session) error {
			for {
				if _, err := s.Events(ctx); err != nil {
					return err
				}
			}
		},
		Publish: func(l broker.Link) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if l.Cause == "" || l.Advice == "" || l.Since.IsZero() {
				t.Errorf("state %v without since, cause or advice: %+v", l.State, l)
			}
			if l.Breaker.State == "" || l.Breaker.Limit == 0 || l.Warnings == nil {
				t.Errorf("state %v without breaker or warnings: %+v", l.State, l)
			}
			if !r.forgetful {
				r.links = append(r.links, l)
			}
		},
		Record: func(rec Record) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.forgetful {
				r.records = append(r.records, rec)
			}
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return r
}

func (r *rig) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if s := r.Link().State; s != broker.Stopped {
		t.Fatalf("state after Stop is %v", s)
	}
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	if r.a.open != 0 {
		t.Fatalf("%d sessions open after Stop", r.a.open)
	}
}

func (r *rig) reconnect(t *testing.T) {
	t.Helper()
	if err := r.Reconnect(t.Context(), "a person"); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) await(t *testing.T) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	lost, err := r.AwaitReady(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return lost
}

func want(t *testing.T, what string, got, want []broker.LinkState) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: states %v, want %v", what, got, want)
	}
}
