package supervisor

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

// wedged starts a rig whose gateway hangs from the first attempt on, and
// returns when its breaker is open.
func wedged(t *testing.T, k *kernel, plays ...func(context.Context, func(broker.Rung)) (*fakeSession, error)) *rig {
	if len(plays) == 0 {
		plays = []func(context.Context, func(broker.Rung)) (*fakeSession, error){wedge}
	}
	r := newRig(t, nil, plays...)
	if k != nil {
		r.parts.Evidence = k.look
	}
	r.Start()
	r.until(t, broker.NeedsRestart, 10*time.Minute)
	synctest.Wait()
	return r
}

func times[T any](n int, v T) []T { return slices.Repeat([]T{v}, n) }

func TestFiveHangsInARowNeedARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plays := slices.Concat(times(4, wedge), times(1, down), times(5, wedge), times(1, good))
		r := wedged(t, &kernel{e: gateway1}, plays...)
		if n := len(r.a.opened()); n != 10 {
			t.Fatalf("needs_restart after %d attempts, want 10: another failure starts the count over", n)
		}
		l := r.Link()
		if l.Failure != broker.NoReply || l.NextRetry != nil || l.Breaker.State != broker.BreakerOpen || l.Breaker.Wedged != 5 ||
			l.Breaker.Evidence == nil || l.Breaker.Evidence.Inode != 100 {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestAReadableGatewayIsLeftAlone: while the kernel shows the same gateway, not
// one attempt is made in six hours.
func TestAReadableGatewayIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{e: gateway1}
		r := wedged(t, k)
		before, links := len(r.a.opened()), len(r.published())
		time.Sleep(6 * time.Hour)
		if n := len(r.a.opened()); n != before {
			t.Errorf("%d attempts at a gateway that hangs", n-before)
		}
		if n := k.looked(); n < 6*3600-10 || n > 6*3600+60 {
			t.Errorf("looked %d times in six hours, want once a second", n)
		}
		if n := len(r.published()) - links; n != 0 {
			t.Errorf("%d states published while nothing changed", n)
		}
		r.stop(t)
	})
}

func TestEvidenceThatChangesAllowsOneMoreAttempt(t *testing.T) {
	for name, changed := range map[string]broker.Evidence{
		"another socket":  other(func(e *broker.Evidence) { e.Inode = 200 }),
		"another owner":   other(func(e *broker.Evidence) { e.UID = 7 }),
		"another process": other(func(e *broker.Evidence) { e.PID = 900 }),
		"a later start":   other(func(e *broker.Evidence) { e.Started = time.Unix(9e8, 0) }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{e: gateway1}
				r := wedged(t, k, append(times(5, wedge), good)...)
				time.Sleep(time.Hour)
				at := time.Now()
				k.set(changed)
				r.await(t)
				if d := r.a.opened()[5].Sub(at); d < time.Second || d > 2*time.Second {
					t.Errorf("attempt %v after the change, want one look and 1s", d)
				}
				if l := r.Link(); l.Breaker.State != broker.BreakerClosed || l.Breaker.Limit != 5 || l.Breaker.Evidence != nil || l.Failure != broker.NoFailure {
					t.Errorf("link %+v", l)
				}
				r.stop(t)
			})
		})
	}
}

// TestALateLookIsNotABlindOne: on a busy machine the tables come late. What was
// known stands meanwhile, and the next look is a second away.
func TestALateLookIsNotABlindOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{e: gateway1}
		r := wedged(t, k, append(times(5, wedge), good)...)
		k.slows(true)
		time.Sleep(10 * time.Second)
		if l := r.Link(); l.Breaker.Evidence == nil || l.Breaker.Evidence.Inode != 100 || l.NextRetry != nil {
			t.Errorf("what was known is gone: %+v", l)
		}
		k.slows(false)
		k.set(other(func(e *broker.Evidence) { e.Inode = 200 }))
		at := time.Now()
		r.await(t)
		if d := r.a.opened()[5].Sub(at); d > 3*time.Second {
			t.Errorf("attempt %v after the change could be read, want one look and 1s", d)
		}
		r.stop(t)
	})
}

// TestTablesThatAlwaysComeLateTellNothing: then the tries and their waits
// begin, as on a machine without such tables.
func TestTablesThatAlwaysComeLateTellNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{slow: true}
		r := wedged(t, k, times(6, wedge)...)
		time.Sleep(6 * time.Minute)
		if n := len(r.a.opened()); n != 6 {
			t.Errorf("%d attempts, want a first try after five minutes", n)
		}
		if n := k.looked(); n > 100 {
			t.Errorf("looked %d times in six minutes at tables that tell nothing", n)
		}
		r.stop(t)
	})
}

// TestThePortGoneAndBack: gone is said and not enough; back is.
func TestThePortGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{e: gateway1}
		r := wedged(t, k, append(times(5, wedge), good)...)
		k.set(shut)
		time.Sleep(time.Hour)
		l := r.Link()
		if n := len(r.a.opened()); n != 5 || !strings.Contains(l.Cause, "its port is closed now") || l.State != broker.NeedsRestart || l.NextRetry != nil {
			t.Fatalf("%d attempts, %+v", n, l)
		}
		at := time.Now()
		k.set(gateway1) // the same numbers, as after a reboot
		r.await(t)
		if d := r.a.opened()[5].Sub(at); d < time.Second || d > 2*time.Second {
			t.Errorf("attempt %v after the port opened", d)
		}
		r.stop(t)
	})
}

// TestAGatewayThatHangsAnew: after a change two attempts, a minute apart, and
// no more.
func TestAGatewayThatHangsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{e: gateway1}
		r := wedged(t, k)
		k.set(other(func(e *broker.Evidence) { e.Inode = 200 }))
		time.Sleep(3 * time.Hour)
		calls := r.a.opened()
		if len(calls) != 7 {
			t.Fatalf("%d attempts, want 5 and 2", len(calls))
		}
		if gap := calls[6].Sub(calls[5]); gap != time.Minute {
			t.Errorf("%v between the two, want 1m", gap)
		}
		if l := r.Link(); l.State != broker.NeedsRestart || l.Breaker.Limit != 2 || l.Breaker.Evidence.Inode != 200 {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestAPersonMayAlwaysTry, and a gateway that still hangs is left alone again.
func TestAPersonMayAlwaysTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wedged(t, &kernel{e: gateway1})
		time.Sleep(time.Hour)
		at := time.Now()
		r.reconnect(t)
		synctest.Wait()
		if calls := r.a.opened(); len(calls) != 6 || !calls[5].Equal(at) {
			t.Fatalf("%d attempts, the last %v after the request", len(calls), calls[len(calls)-1].Sub(at))
		}
		time.Sleep(3 * time.Hour)
		if n := len(r.a.opened()); n != 6 {
			t.Errorf("%d attempts", n)
		}
		if l := r.Link(); l.State != broker.NeedsRestart || l.Breaker.Tries != 0 || l.Breaker.Wedged != 6 {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestABlindBreaker: where no evidence can be read, 5, 15 and 60 minutes, then
// hourly, twelve in all, then only a person.
func TestABlindBreaker(t *testing.T) {
	for name, k := range map[string]*kernel{"on another machine": {e: blind}, "nothing reads it": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wedged(t, k)
				first := r.Link()
				if first.NextRetry == nil || first.Breaker.Tries != 0 || first.Breaker.MaxTries != 12 || first.Breaker.Evidence.Why == "" {
					t.Errorf("link %+v", first)
				}
				time.Sleep(48 * time.Hour)
				calls := r.a.opened()
				var gaps []time.Duration
				for i := 5; i < len(calls); i++ {
					gaps = append(gaps, calls[i].Sub(calls[i-1]))
				}
				want := append([]time.Duration{5 * time.Minute, 15 * time.Minute}, times(10, time.Hour)...)
				if !slices.Equal(gaps, want) {
					t.Errorf("waits %v, want %v", gaps, want)
				}
				if l := r.Link(); l.State != broker.NeedsRestart || l.NextRetry != nil || l.Breaker.Tries != 12 || !strings.Contains(l.Cause, "only a person") {
					t.Errorf("at the end %+v", l)
				}
				r.reconnect(t)
				time.Sleep(24 * time.Hour)
				if n := len(r.a.opened()); n != len(calls)+1 {
					t.Errorf("%d attempts for one request", n-len(calls))
				}
				r.stop(t)
			})
		})
	}
}

func TestOneHandshakeClosesABlindBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wedged(t, nil, slices.Concat(times(6, wedge), times(1, good), times(1, wedge))...)
		lost := r.await(t)
		if l := r.Link(); l.Breaker.State != broker.BreakerClosed || l.Breaker.Tries != 0 || l.Breaker.Wedged != 0 {
			t.Errorf("ready with %+v", l.Breaker)
		}
		r.a.newest().lose()
		<-lost
		before := len(r.a.opened())
		r.until(t, broker.NeedsRestart, 10*time.Minute)
		if n := len(r.a.opened()) - before; n != 5 {
			t.Errorf("open after %d attempts, want 5 again", n)
		}
		r.stop(t)
	})
}

// TestAStepThatHangsIsNoWedge: behind both ids the gateway has completed its
// handshake, and closing the session well leaves nothing in it.
func TestAStepThatHangsIsNoWedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := broker.Step{Name: broker.RungAccount, Deadline: time.Second, Run: func(context.Context, broker.Session) (string, error) {
			return "", &broker.Error{Op: "account", Kind: broker.ErrNoAnswer, Rung: broker.RungAccount, Failure: broker.NoReply}
		}}
		r := newRig(t, []broker.Step{step}, good)
		r.Start()
		time.Sleep(10 * time.Minute)
		if s := r.states(); slices.Contains(s, broker.NeedsRestart) || len(r.a.opened()) < 10 || r.Link().Breaker.Wedged != 0 {
			t.Errorf("%d attempts, states %v", len(r.a.opened()), s)
		}
		r.stop(t)
	})
}

// TestAPortThatRefusesIsAnotherGateway: the same gateway cannot hang and refuse.
func TestAPortThatRefusesIsAnotherGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wedged(t, nil, slices.Concat(times(5, wedge), times(1, down), times(1, wedge), times(1, good))...)
		time.Sleep(5*time.Minute + time.Second)
		if l := r.Link(); l.State != broker.Waiting || l.Breaker.State != broker.BreakerClosed || l.Breaker.Limit != 2 {
			t.Errorf("after a refused port %+v", l)
		}
		r.await(t)
		r.stop(t)
	})
}

// TestAStormOfReconnects: whatever people and scripts ask, one attempt a second
// at the most, one session at a time (which the fake adapter holds), and few
// lines in the timeline.
func TestAStormOfReconnects(t *testing.T) {
	for name, play := range map[string]func(context.Context, func(broker.Rung)) (*fakeSession, error){
		"a good gateway": good, "nobody listens": down, "a gateway that hangs": wedge, "refused": refuse,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, play)
				r.Start()
				for range 6000 { // a minute
					r.reconnect(t)
					time.Sleep(10 * time.Millisecond)
				}
				n := len(r.a.opened())
				if n < 30 || n > 61 {
					t.Errorf("%d attempts in a minute", n)
				}
				if l := len(r.published()); l > n*15 { // a climb is ten
					t.Errorf("%d states for %d attempts", l, n)
				}
				r.stop(t)
			})
		})
	}
}

func TestReconnectSaysWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, down)
		r.Start()
		synctest.Wait()
		before := len(r.published())
		if err := r.Reconnect(t.Context(), strings.Repeat("x", 9000)+"\n"); err != nil {
			t.Fatal(err)
		}
		l := r.published()[before] // published before the answer
		if !strings.HasPrefix(l.Cause, "a person asked to reconnect (") || len(l.Cause) > 100 {
			t.Errorf("cause %q", l.Cause)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Reconnect(ctx, "nobody"); err == nil {
			t.Error("a request whose context is over was taken up")
		}
		r.stop(t)
	})
}

// TestAClientIDInUseIsWaitedFor: field lesson 10. The gateway frees an id late;
// the same one is asked for again, ever more rarely, and people read since when.
func TestAClientIDInUseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inUse := fails(broker.Error{
			Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungStartAPI, Code: 326, Failure: broker.ClientIDInUse,
			Facts: broker.Facts{Gateway: "g:1", ClientID: 7},
		})
		mute := fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungStartAPI, Failure: broker.ClosedAfterStart, Facts: broker.Facts{ClientID: 7}})
		r := newRig(t, nil, slices.Concat(times(20, inUse), times(1, mute), times(1, down), times(1, good))...)
		began := time.Now()
		r.Start()
		for len(r.a.opened()) < 20 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		l := r.Link()
		if l.State != broker.Waiting || l.Failure != broker.ClientIDInUse || l.Breaker.Wedged != 0 {
			t.Errorf("link %+v", l)
		}
		if want := "client id 7 is in use since " + began.Format("15:04:05"); !strings.Contains(l.Cause, want) || !strings.Contains(l.Advice, "never takes another id") {
			t.Errorf("cause %q, advice %q", l.Cause, l.Advice)
		}
		if d := time.Since(began); d < 2*time.Minute {
			t.Errorf("20 attempts in %v", d)
		}
		for len(r.a.opened()) < 21 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if l := r.Link(); !strings.Contains(l.Cause, "is in use since") {
			t.Errorf("a close without a word says %q", l.Cause)
		}
		for len(r.a.opened()) < 22 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if l := r.Link(); strings.Contains(l.Cause, "is in use since") {
			t.Errorf("a closed port says %q", l.Cause)
		}
		r.await(t)
		r.stop(t)
	})
}

// TestSlowHandshakeIsALastingWarning of that session, and of no other.
func TestSlowHandshakeIsALastingWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sluggish := func(_ context.Context, on func(broker.Rung)) (*fakeSession, error) {
			for i, name := range broker.Rungs()[:5] {
				on(broker.Rung{Name: name, OK: true, AtMS: []float64{0.1, 0.2, 0.3, 1200.5, 1000}[i]})
			}
			s, err := good(context.Background(), func(broker.Rung) {})
			s.facts.ForceDisconnect = true
			return s, err
		}
		r := newRig(t, nil, sluggish, good)
		r.Start()
		lost := r.await(t)
		w := r.Link().Warnings
		if len(w) != 2 || !strings.Contains(w[0], "1.200 s") && !strings.Contains(w[0], "1.201 s") || !strings.Contains(w[0], "managed_accounts") || !strings.Contains(w[1], "force_disconnect") {
			t.Errorf("warnings %q", w)
		}
		if rec := r.told()[0]; len(rec.Link.Warnings) != 2 {
			t.Errorf("the record has warnings %q", rec.Link.Warnings)
		}
		r.a.newest().lose()
		<-lost
		r.await(t)
		if w := r.Link().Warnings; len(w) != 0 {
			t.Errorf("the next session has warnings %q", w)
		}
		if n := r.Link().Sessions; n != 2 {
			t.Errorf("%d sessions counted, want 2", n)
		}
		r.stop(t)
	})
}

// TestReconnectsDoNotGrowMemory: field lesson 24.
func TestReconnectsDoNotGrowMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		r.forgetful = true
		r.parts.Evidence = (&kernel{e: gateway1}).look
		r.cfg.Calendar = nyCalendar(t)
		r.Start()
		reconnect := func(n int) {
			for range n {
				lost := r.await(t)
				r.a.newest().lose()
				<-lost
			}
			r.await(t)
		}
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		reconnect(100)
		before, goroutines := heap(), runtime.NumGoroutine()
		reconnect(1000)
		after := heap()
		t.Logf("%d bytes before, %d after 1,000 reconnects; %d sessions", before, after, r.Link().Sessions)
		if after > before+1<<20 {
			t.Errorf("memory grew by %d bytes over 1,000 reconnects", after-before)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, were %d", n, goroutines)
		}
		if n := r.Link().Sessions; n < 1100 {
			t.Errorf("%d sessions", n)
		}
		r.stop(t)
	})
}

// TestARefusalIsNoHang: a gateway that answers with a reason to refuse us has
// completed a handshake; what hung before is over.
func TestARefusalIsNoHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wedged(t, &kernel{e: gateway1}, append(times(5, wedge), refuse)...)
		r.reconnect(t)
		time.Sleep(time.Minute)
		l := r.Link()
		if l.State != broker.Refused || l.Breaker.State != broker.BreakerClosed || l.Breaker.Wedged != 0 || l.Breaker.Evidence != nil {
			t.Errorf("refused with %+v", l)
		}
		r.stop(t)
	})
}

// TestDownSinceOutlivesAttempts: the state's own since is that of the newest
// wait, and who is woken at night asks since when the link is down.
func TestDownSinceOutlivesAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := newRig(t, nil, append(times(5, down), good, down)...)
		r.Start()
		time.Sleep(3 * time.Second)
		if l := r.Link(); l.DownSince == nil || !l.DownSince.Equal(began) || l.Since.Equal(began) {
			t.Errorf("before a first session: %+v", l)
		}
		lost := r.await(t)
		if l := r.Link(); l.DownSince != nil {
			t.Errorf("ready, and down since %v", l.DownSince)
		}
		time.Sleep(time.Hour)
		at := time.Now()
		r.a.newest().lose()
		<-lost
		time.Sleep(time.Hour)
		if l := r.Link(); l.DownSince == nil || !l.DownSince.Equal(at) {
			t.Errorf("an hour after the loss: %+v", l)
		}
		r.stop(t)
	})
}
