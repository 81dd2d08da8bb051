package supervisor

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

var facts1 = broker.Facts{Gateway: "g:1", ClientID: 7}

// after makes a rig that goes on where an earlier run left its link.
func after(t *testing.T, past broker.Link, k *kernel) *rig {
	t.Helper()
	r := newRig(t, nil, wedge)
	r.parts.Past = throughJSON(t, past)
	r.knows(facts1)
	if k != nil {
		r.parts.Evidence = k.look
	}
	return r
}

type playFunc = func(context.Context, func(broker.Rung)) (*fakeSession, error)

// slowly tells of TCP at once and plays the rest after d, or when it must end.
func slowly(p playFunc, d time.Duration) playFunc {
	return func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
		on(broker.Rung{Name: broker.RungTCP, OK: true})
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return p(ctx, func(broker.Rung) {})
	}
}

// knows sets what is known before a first attempt.
func (r *rig) knows(f broker.Facts) {
	r.parts.Facts, r.link.Facts = f, f
}

// throughJSON is the way through the journal.
func throughJSON(t *testing.T, l broker.Link) *broker.Link {
	t.Helper()
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var out broker.Link
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// leave runs a trader until its breaker is open, and returns the word that it
// leaves: killed, or stopped in order.
func leave(t *testing.T, k *kernel, inOrder bool) broker.Link {
	t.Helper()
	r := newRig(t, nil, wedge)
	r.knows(facts1)
	if k != nil {
		r.parts.Evidence = k.look
	}
	r.Start()
	r.until(t, broker.NeedsRestart, 10*time.Minute)
	synctest.Wait()
	l := r.Link()
	r.stop(t)
	if inOrder {
		l = r.Link()
	}
	l.Facts = facts1 // the fake adapter tells none
	return l
}

// TestAnotherRunLeavesAHungGatewayAlone: however the run before ended, and
// however often we are started again.
func TestAnotherRunLeavesAHungGatewayAlone(t *testing.T) {
	for name, inOrder := range map[string]bool{"killed": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{e: gateway1}
				past := leave(t, k, inOrder)
				found := *past.Breaker.Since
				for range 20 {
					time.Sleep(time.Hour)
					r := after(t, past, k)
					r.Start()
					time.Sleep(time.Hour)
					l := r.Link()
					if n := len(r.a.opened()); n != 0 || l.State != broker.NeedsRestart || l.Breaker.Wedged != 5 || l.Failure != broker.NoReply {
						t.Fatalf("%d attempts, %+v", n, l)
					}
					if !strings.Contains(l.Cause, "earlier run of this trader found it at "+found.Local().Format(time.DateTime)) ||
						!strings.Contains(l.Advice, "by hand") || !l.Breaker.Since.Equal(found) {
						t.Fatalf("it says %q, %q, since %v", l.Cause, l.Advice, l.Breaker.Since)
					}
					if got := r.states(); !slices.Equal(got, []broker.LinkState{broker.NeedsRestart}) {
						t.Fatalf("states %v", got)
					}
					r.stop(t)
					if past = l; inOrder {
						past = r.Link()
					}
				}
				r := after(t, past, k)
				r.Start()
				time.Sleep(time.Minute)
				at := time.Now()
				r.reconnect(t)
				time.Sleep(time.Hour)
				if calls := r.a.opened(); len(calls) != 1 || calls[0].Sub(at) > time.Second {
					t.Errorf("a person's request: attempts %v, asked %v", calls, at)
				}
				r.stop(t)
			})
		})
	}
}

// TestAnotherRunSeesAnotherGateway: a change between two runs is a change.
func TestAnotherRunSeesAnotherGateway(t *testing.T) {
	for name, tt := range map[string]struct {
		left, found broker.Evidence
		tries       bool
	}{
		"the same":            {gateway1, gateway1, false},
		"another socket":      {gateway1, other(func(e *broker.Evidence) { e.Inode = 200 }), true},
		"another process":     {gateway1, other(func(e *broker.Evidence) { e.PID = 900 }), true},
		"it was gone, and is": {shut, shut, false},
		"gone and back":       {shut, gateway1, true},
		"gone":                {gateway1, shut, false},
		"nothing was known":   {blind, gateway1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				past := leave(t, &kernel{e: tt.left}, false)
				r := after(t, past, &kernel{e: tt.found})
				began := time.Now()
				r.Start()
				time.Sleep(time.Second)
				if calls := r.a.opened(); (len(calls) > 0) != tt.tries {
					t.Errorf("attempts %v since %v, %+v", calls, began, r.Link())
				}
				if tt.tries { // and it is believed sooner that it hangs anew
					time.Sleep(3 * time.Hour)
					if n := len(r.a.opened()); n != 2 || r.Link().State != broker.NeedsRestart {
						t.Errorf("%d attempts, %v", n, r.Link().State)
					}
				}
				r.stop(t)
			})
		})
	}
}

// TestTriesGoOnInAnotherRun: where nothing can be read the waits are those of
// one run, however often another one begins.
func TestTriesGoOnInAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past := leave(t, nil, false)
		last, made := *past.Breaker.Hung, []time.Duration(nil)
		for range 48 * 6 {
			r := after(t, past, nil)
			r.Start()
			time.Sleep(10 * time.Minute)
			for _, at := range r.a.opened() {
				made = append(made, at.Sub(last))
				last = at
			}
			past = r.Link()
			past.Facts = facts1
			r.stop(t)
		}
		if len(made) != maxTries {
			t.Fatalf("%d tries in two days of starts, want %d: %v", len(made), maxTries, made)
		}
		for i, gap := range made {
			if want := tryWaits[min(i, 2)]; gap < want || gap > want+2*time.Second {
				t.Errorf("try %d after %v, want %v", i+1, gap, want)
			}
		}
	})
}

// TestARestartLoopIsOneCount: a service manager that starts us again after each
// attempt, or in the middle of one, gets no more attempts than one run.
func TestARestartLoopIsOneCount(t *testing.T) {
	for name, in := range map[string]broker.LinkState{"between attempts": broker.Waiting, "in an attempt": broker.Handshaking} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{e: gateway1}
				past := broker.Link{State: broker.Stopped, Adapter: "fake", Facts: facts1}
				attempts := 0
				for range 12 {
					r := after(t, past, k)
					r.a.plays = []playFunc{slowly(wedge, 10*time.Second)}
					r.Start()
					for i := 0; r.Link().State != in && r.Link().State != broker.NeedsRestart && i < 300; i++ {
						time.Sleep(100 * time.Millisecond)
					}
					past = r.Link()
					past.Facts = facts1
					attempts += len(r.a.opened())
					r.stop(t)
				}
				if attempts != 5 || past.State != broker.NeedsRestart {
					t.Errorf("%d attempts in twelve runs, then %v", attempts, past.State)
				}
			})
		})
	}
}

// TestAStopInAHangCounts: a stop in order cuts it short as a kill does.
func TestAStopInAHangCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past := broker.Link{State: broker.Stopped, Adapter: "fake", Facts: facts1}
		attempts := 0
		for range 12 {
			r := after(t, past, &kernel{e: gateway1})
			r.a.plays = []playFunc{slowly(wedge, 10*time.Second)}
			r.Start()
			time.Sleep(5 * time.Second)
			r.stop(t)
			past = r.Link()
			past.Facts = facts1
			attempts += len(r.a.opened())
		}
		if attempts != 5 {
			t.Errorf("%d attempts in twelve runs, the last word is %+v", attempts, past)
		}
	})
}

// TestWhatAnotherRunMayForget: another gateway, another client id, a day.
func TestWhatAnotherRunMayForget(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*broker.Link)
		age  time.Duration
		left int // attempts in three hours
	}{
		"another gateway":   {func(l *broker.Link) { l.Facts.Gateway = "h:1" }, 0, 5},
		"another client id": {func(l *broker.Link) { l.Facts.ClientID = 8 }, 0, 5},
		"another adapter":   {func(l *broker.Link) { l.Adapter = "sim" }, 0, 5},
		"a day ago":         {func(*broker.Link) {}, 25 * time.Hour, 2},
		"23 hours ago":      {func(*broker.Link) {}, 23 * time.Hour, 0},
		"a clock set back":  {func(l *broker.Link) { at := time.Now().Add(time.Hour); l.Breaker.Hung, l.Since = &at, at }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{e: gateway1}
				past := leave(t, k, false)
				tt.edit(&past)
				time.Sleep(tt.age)
				r := after(t, past, k)
				r.Start()
				time.Sleep(3 * time.Hour)
				if n := len(r.a.opened()); n != tt.left {
					t.Errorf("%d attempts, want %d", n, tt.left)
				}
				r.stop(t)
			})
		})
	}
}

// TestTheClientIDRestsOverARestart: a gateway frees the id of a trader that was
// killed as late as that of one which closed.
func TestTheClientIDRestsOverARestart(t *testing.T) {
	for state, rests := range map[broker.LinkState]time.Duration{
		broker.Ready: time.Second, broker.Degraded: time.Second, broker.Recovering: time.Second, broker.Connecting: time.Second,
		broker.Waiting: 0, broker.Refused: 0, broker.Stopped: time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			r := after(t, broker.Link{State: state, Since: began, Adapter: "fake", Facts: facts1}, nil)
			r.a.plays = []playFunc{good}
			r.Start()
			synctest.Wait()
			if l := r.Link(); rests > 0 && (l.State != broker.Connecting || l.NextRetry == nil || !strings.Contains(l.Cause, "rests")) {
				t.Errorf("after %v: %+v", state, l)
			}
			r.await(t)
			if got := time.Since(began); got != rests {
				t.Errorf("after %v: ready after %v, want %v", state, got, rests)
			}
			r.stop(t)
		})
	}
	synctest.Test(t, func(t *testing.T) { // and Stop does not wait for that
		r := after(t, broker.Link{State: broker.Ready, Adapter: "fake", Facts: facts1}, nil)
		r.Start()
		synctest.Wait()
		began := time.Now()
		r.stop(t)
		if n := len(r.a.opened()); n != 0 || time.Since(began) != 0 {
			t.Errorf("stopped after %v with %d attempts", time.Since(began), n)
		}
	})
}

// TestAStopKeepsTheEvidence: a look that our own end cuts short tells nothing,
// and the next run is to compare with what the last whole look told.
func TestAStopKeepsTheEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, wedge)
		r.knows(facts1)
		slow, looking := make(chan struct{}), make(chan struct{}, 9)
		r.parts.Evidence = func(ctx context.Context, _ string) broker.Evidence {
			select {
			case <-slow:
				looking <- struct{}{}
				<-ctx.Done()
				return blind
			default:
				return gateway1
			}
		}
		r.Start()
		r.until(t, broker.NeedsRestart, 10*time.Minute)
		close(slow)
		<-looking
		r.stop(t)
		if l := r.Link(); l.Breaker.Evidence == nil || !l.Breaker.Evidence.Readable || l.Breaker.Evidence.Inode != gateway1.Inode {
			t.Errorf("stopped with %+v", l.Breaker.Evidence)
		}
	})
}
