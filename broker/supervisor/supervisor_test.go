package supervisor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClimbsToReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		step := func(name, note string) broker.Step {
			return broker.Step{Name: name, Deadline: time.Second, Run: func(context.Context, broker.Session) (string, error) {
				order = append(order, name)
				time.Sleep(10 * time.Millisecond)
				return note, nil
			}}
		}
		r := newRig(t, []broker.Step{step("clock", ""), step("data", "closed")}, good)
		r.Start()
		r.Start() // twice is once
		lost := r.await(t)
		l := r.Link()
		if !slices.Equal(order, []string{"clock", "data"}) || len(l.Rungs) != 7 || l.Rungs[6].Note != "closed" || l.Rungs[6].AtMS != 20 {
			t.Fatalf("steps %v, rungs %+v", order, l.Rungs)
		}
		want(t, "ready", r.states(), []broker.LinkState{broker.Connecting, broker.Handshaking, broker.Recovering, broker.Ready})
		r.stop(t)
		<-lost
	})
}

func TestLostInReadyReconnectsAfterTheIDRested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		r.Start()
		lost := r.await(t)
		first := r.a.newest()
		first.slow = 2500 * time.Millisecond // closing outlasts the whole wait
		time.Sleep(2 * time.Minute)
		ended := time.Now()
		first.lose()
		<-lost
		if d := time.Since(ended); d != 0 {
			t.Errorf("lost was told %v after the end, want at once", d)
		}
		synctest.Wait()
		if s := r.Link().State; s != broker.Waiting {
			t.Errorf("state %v while the session closes, want waiting", s)
		}
		r.await(t)
		if d := r.a.opened()[1].Sub(ended); d < 3500*time.Millisecond || d > 4*time.Second {
			t.Errorf("second open %v after the end, want 1s after a close of 2.5s", d)
		}
		if a := r.Link().Attempt; a != 1 {
			t.Errorf("attempt %d after a ready, want 1", a)
		}
		r.stop(t)
	})
}

func TestWaitsGrowWithJitterAndStartOverOnlyAfterALongReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, down)
		r.Start()
		time.Sleep(10 * time.Minute)
		calls := r.a.opened()
		if len(calls) < 12 {
			t.Fatalf("%d attempts in 10 minutes", len(calls))
		}
		limit := time.Second
		varied := false
		for i := 1; i < len(calls); i++ {
			limit = min(2*limit, time.Minute)
			gap := calls[i].Sub(calls[i-1])
			if gap < time.Second || gap > limit {
				t.Errorf("wait %d is %v, want 1s to %v", i, gap, limit)
			}
			varied = varied || gap != limit && gap != time.Second
		}
		if !varied {
			t.Error("no jitter")
		}
		l := r.Link()
		if l.State != broker.Waiting || l.NextRetry == nil || l.Advice != "start the gateway" || l.Attempt != len(calls) || l.Rung != broker.RungTCP {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

func TestAFlappingLinkIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flap := func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
			s, err := good(ctx, on)
			s.lose() // ready, and lost at once
			return s, err
		}
		r := newRig(t, nil, flap)
		r.Start()
		time.Sleep(30 * time.Minute)
		if n := len(r.a.opened()); n > 120 { // mean wait 30 s
			t.Errorf("%d attempts in 30 minutes", n)
		}
		r.stop(t)
	})
}

func TestRefusedBeforeReadyIsToldAndEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, refuse, good)
		waited := make(chan error, 1)
		go func() {
			_, err := r.AwaitReady(t.Context())
			waited <- err
		}()
		r.Start()
		if err := <-r.FirstRefusal(); !errors.Is(err, broker.ErrRefused) {
			t.Fatalf("first refusal %v", err)
		}
		if err := <-waited; !errors.Is(err, broker.ErrRefused) {
			t.Fatalf("await ready: %v", err)
		}
		time.Sleep(24 * time.Hour)
		if n := len(r.a.opened()); n != 1 {
			t.Fatalf("%d attempts of a refused link", n)
		}
		if l := r.Link(); l.State != broker.Refused || l.NextRetry != nil {
			t.Fatalf("link %+v", l)
		}
		r.reconnect(t)
		synctest.Wait()
		r.await(t)
		r.stop(t)
	})
}

func TestRefusedAfterReadyIsAStateOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good, refuse)
		r.Start()
		lost := r.await(t)
		r.a.newest().lose()
		<-lost
		time.Sleep(time.Minute)
		if s := r.Link().State; s != broker.Refused {
			t.Fatalf("state %v", s)
		}
		select {
		case err := <-r.FirstRefusal():
			t.Fatalf("told as the first: %v", err)
		default:
		}
		r.stop(t)
	})
}

func TestAStepThatFailsClosesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := broker.Step{Name: "account", Deadline: 3 * time.Second, Run: func(ctx context.Context, _ broker.Session) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		r := newRig(t, []broker.Step{hang}, good)
		r.Start()
		time.Sleep(3500 * time.Millisecond)
		l := r.Link()
		if l.State != broker.Waiting || l.Rung != "account" || l.Rungs[len(l.Rungs)-1].OK {
			t.Fatalf("link %+v", l)
		}
		if got := l.Cause; got != "climb: gateway down at rung account: rung account took longer than 3s" {
			t.Errorf("cause %q", got)
		}
		r.stop(t)
	})
}

func TestASessionLostUnderAStepIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		step := broker.Step{Name: "clock", Deadline: time.Minute, Run: func(ctx context.Context, _ broker.Session) (string, error) {
			r.a.newest().lose()
			<-ctx.Done()
			return "", ctx.Err()
		}}
		r = newRig(t, []broker.Step{step}, good, down)
		r.Start()
		synctest.Wait()
		if l := r.Link(); l.State != broker.Waiting || l.Cause != broker.ErrClosed.Error() {
			t.Fatalf("state %v, cause %q", l.State, l.Cause)
		}
		r.stop(t)
	})
}

// TestNeverReadyWithoutAccountsOrNextID is the guard that no adapter can talk
// its way around: an earlier trader believed such sessions for a month.
func TestNeverReadyWithoutAccountsOrNextID(t *testing.T) {
	for name, tt := range map[string]struct {
		facts broker.Facts
		want  broker.Failure
	}{
		"no accounts":      {broker.Facts{NextOrderID: 1}, broker.NoAccounts},
		"an empty account": {broker.Facts{Accounts: []string{""}, NextOrderID: 1}, broker.NoAccounts},
		"empty accounts":   {broker.Facts{Accounts: []string{}, NextOrderID: 1}, broker.NoAccounts},
		"no next id":       {broker.Facts{Accounts: []string{"DU1"}}, broker.NoNextID},
		"a next id of -1":  {broker.Facts{Accounts: []string{"DU1"}, NextOrderID: -1}, broker.NoNextID},
		"neither":          {broker.Facts{}, broker.NoIDs},
	} {
		synctest.Test(t, func(t *testing.T) {
			climbed := false
			step := broker.Step{Name: broker.RungClock, Deadline: time.Second, Run: func(context.Context, broker.Session) (string, error) {
				climbed = true
				return "", nil
			}}
			r := newRig(t, []broker.Step{step}, func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
				s, err := good(ctx, on) // every rung is told as reached
				s.facts.Accounts, s.facts.NextOrderID = tt.facts.Accounts, tt.facts.NextOrderID
				return s, err
			})
			r.Start()
			time.Sleep(time.Minute)
			if s := r.states(); slices.Contains(s, broker.Ready) || slices.Contains(s, broker.Degraded) || slices.Contains(s, broker.Recovering) || climbed {
				t.Errorf("%s: states %v, climbed on: %v", name, s, climbed)
			}
			if l := r.Link(); l.Failure != tt.want || l.Sessions != 0 {
				t.Errorf("%s: failure %q, %d sessions, want %q", name, l.Failure, l.Sessions, tt.want)
			}
			r.stop(t)
		})
	}
}

func TestDegradeAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		r.Degrade("nobody", "nothing") // no session: says nothing
		r.Start()
		lost := r.await(t)
		r.Degrade("no data", "wait")
		if l := r.Link(); l.State != broker.Degraded || l.Cause != "no data" {
			t.Fatalf("link %+v", l)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.AwaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await ready while degraded: %v", err)
		}
		select {
		case <-lost:
			t.Error("a degraded session is told as lost")
		default:
		}
		r.Recover()
		r.Recover()
		r.await(t)
		r.stop(t)
	})
}

func TestDegradedBeforeReadyNeverOpensTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		step := broker.Step{Name: "data", Deadline: time.Second, Run: func(context.Context, broker.Session) (string, error) {
			r.Degrade("no data", "wait")
			return "", nil
		}}
		r = newRig(t, []broker.Step{step}, good)
		r.Start()
		synctest.Wait()
		if s := r.states(); slices.Contains(s, broker.Ready) || s[len(s)-1] != broker.Degraded {
			t.Fatalf("states %v", s)
		}
		r.Recover()
		r.await(t)
		r.stop(t)
	})
}

// slowFacts are told only when the session's first events are taken.
type slowFacts struct {
	*fakeSession
	taken chan struct{}
}

func (s slowFacts) Facts() broker.Facts { <-s.taken; return s.fakeSession.Facts() }

// TestDegradedByTheFirstEvents: a gateway that has lost the venue says so at
// once, and the reader may be faster than the climb.
func TestDegradedByTheFirstEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		serve, taken := r.parts.Serve, make(chan struct{})
		r.parts.Adapter = wrapping{r.a, func(s broker.Session) broker.Session { return slowFacts{s.(*fakeSession), taken} }}
		r.parts.Serve = func(ctx context.Context, s broker.Session) error {
			r.Degrade("the venue is lost", "wait")
			close(taken)
			return serve(ctx, s)
		}
		r.Start()
		synctest.Wait()
		if s := r.states(); slices.Contains(s, broker.Ready) || s[len(s)-1] != broker.Degraded {
			t.Errorf("states %v", s)
		}
		r.stop(t)
	})
}

// wrapping wraps the sessions of an adapter.
type wrapping struct {
	*fakeAdapter
	wrap func(broker.Session) broker.Session
}

func (w wrapping) Open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	s, err := w.fakeAdapter.Open(ctx, cfg, on)
	if err != nil {
		return nil, err
	}
	return w.wrap(s), nil
}

func TestReconnectMakesANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		r.Start()
		lost := r.await(t)
		r.reconnect(t)
		<-lost
		r.await(t)
		if len(r.a.opened()) != 2 {
			t.Fatalf("%d sessions", len(r.a.opened()))
		}
		r.stop(t)
	})
}

func TestReconnectDuringAnAttemptChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := broker.Step{Name: "clock", Deadline: time.Minute, Run: func(context.Context, broker.Session) (string, error) {
			time.Sleep(10 * time.Second)
			return "", nil
		}}
		r := newRig(t, []broker.Step{step}, good)
		r.Start()
		time.Sleep(5 * time.Second)
		r.reconnect(t)
		lost := r.await(t)
		time.Sleep(time.Minute)
		select {
		case <-lost:
			t.Error("the new session was closed for a request that it answered")
		default:
		}
		r.stop(t)
	})
}

// Whatever happens, it can be stopped, and stays stopped.
func TestStopFromAnywhere(t *testing.T) {
	hangOpen := func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
		on(broker.Rung{Name: broker.RungTCP, OK: true})
		<-ctx.Done()
		return nil, &broker.Error{Op: "open", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Err: ctx.Err()}
	}
	hangStep := []broker.Step{{Name: "clock", Deadline: time.Hour, Run: func(ctx context.Context, _ broker.Session) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}}
	for name, tt := range map[string]struct {
		state broker.LinkState
		play  func(context.Context, func(broker.Rung)) (*fakeSession, error)
		steps []broker.Step
	}{
		"handshaking":   {broker.Handshaking, hangOpen, nil},
		"recovering":    {broker.Recovering, good, hangStep},
		"ready":         {broker.Ready, good, nil},
		"waiting":       {broker.Waiting, down, nil},
		"needs_restart": {broker.NeedsRestart, wedge, nil},
		"refused":       {broker.Refused, refuse, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.steps, tt.play)
				if tt.state == broker.NeedsRestart {
					r.cfg.WedgedLimit = 1
				}
				r.Start()
				synctest.Wait()
				if s := r.Link().State; s != tt.state {
					t.Fatalf("state %v, want %v", s, tt.state)
				}
				began := time.Now()
				r.stop(t)
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("stop took %v", d)
				}
				if _, err := r.AwaitReady(t.Context()); !errors.Is(err, broker.ErrRefused) {
					t.Errorf("await ready after stop: %v", err)
				}
				if err := r.Reconnect(t.Context(), "a person"); err == nil {
					t.Error("a stopped link takes up a request to reconnect")
				}
				time.Sleep(time.Hour)
				if s := r.Link().State; s != broker.Stopped {
					t.Errorf("state %v an hour after stop", s)
				}
				r.stop(t) // twice
			})
		})
	}
}

func TestStopBeforeStart(t *testing.T) {
	r := newRig(t, nil, good)
	r.stop(t)
	r.Start()
	if len(r.a.opened()) != 0 {
		t.Error("a stopped supervisor connects")
	}
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Config{}.Validate()
	if err == nil {
		t.Fatal("the zero config is valid")
	}
	if n := len(err.(interface{ Unwrap() []error }).Unwrap()); n != 5 {
		t.Errorf("%d faults told, want all 5: %v", n, err)
	}
}
