package supervisor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

// house is a gateway that lives by its clock: it restarts every night, and on
// the first night after the weekly hour it waits for a person.
type house struct {
	mu    sync.Mutex
	up    bool
	inode uint64
}

func (h *house) set(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = up
	h.inode++
}

func (h *house) look(context.Context, string) broker.Evidence {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up {
		return broker.Evidence{Readable: true}
	}
	return broker.Evidence{Readable: true, Listening: true, Inode: h.inode, PID: 100 + int(h.inode), Process: "java"}
}

func (h *house) open(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
	if !h.look(ctx, "").Listening {
		return fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungTCP, Failure: broker.NobodyListens, Facts: broker.Facts{Gateway: "g:1"}})(ctx, on)
	}
	return good(ctx, on)
}

// sleepUntil sleeps to an instant of the bubble.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

func newHouse(t *testing.T) (*rig, *house) {
	h := &house{up: true}
	r := newRig(t, nil, h.open)
	r.parts.Evidence = h.look
	r.cfg.Calendar = nyCalendar(t)
	return r, h
}

// phases lists states and phases, neighbours that are equal once. The steps of
// an attempt are left out.
func (r *rig) phases() []string {
	var list []string
	for _, l := range r.published() {
		if l.State == broker.Connecting || l.State == broker.Handshaking || l.State == broker.Recovering {
			continue
		}
		s := l.State.String() + " " + string(l.Phase)
		if n := len(list); n == 0 || list[n-1] != s {
			list = append(list, s)
		}
	}
	return list
}

func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = nil
}

// TestRestartsAreStatesForAWeek: field lessons 3 and 6. Every night of a week in
// which the clocks change, entries wait from 90 s before the restart until the
// link is ready again, and the loss is an expected one.
func TestRestartsAreStatesForAWeek(t *testing.T) {
	for name, from := range map[string]time.Time{
		"clocks go forward": time.Date(2026, 3, 6, 12, 0, 0, 0, newYork(t)),
		"clocks go back":    time.Date(2026, 10, 30, 12, 0, 0, 0, newYork(t)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sleepUntil(from)
				r, h := newHouse(t)
				r.Start()
				r.await(t)
				day := from
				for range 7 {
					restart := time.Date(day.Year(), day.Month(), day.Day(), 23, 45, 0, 0, from.Location())
					oneNight(t, r, h, restart)
					day = day.AddDate(0, 0, 1)
				}
				if n := r.Link().Sessions; n != 8 {
					t.Errorf("%d sessions, want one and seven", n)
				}
				r.stop(t)
			})
		})
	}
}

// oneNight plays a restart that takes 70 s, and for a login on Sundays 4 min.
func oneNight(t *testing.T, r *rig, h *house, restart time.Time) {
	t.Helper()
	sleepUntil(restart.Add(-91 * time.Second))
	synctest.Wait()
	if l := r.Link(); l.State != broker.Ready || l.Phase != broker.NoPhase {
		t.Errorf("%v: 91s before the restart %v %q", restart, l.State, l.Phase)
	}
	r.forget()
	time.Sleep(2 * time.Second)
	l := r.Link()
	if l.State != broker.Degraded || l.Phase != broker.BeforePhase || l.Until == nil || !l.Until.Equal(restart.Add(5*time.Minute)) || !strings.Contains(l.Cause, "daily restart") {
		t.Errorf("%v: 89s before the restart %+v", restart, l)
	}
	sleepUntil(restart)
	h.set(false)
	r.a.newest().lose()
	synctest.Wait()
	sunday := restart.Weekday() == time.Sunday
	want, phase := 70*time.Second, broker.RestartPhase
	if sunday {
		want, phase = 4*time.Minute, broker.FactorPhase // its process was seen, and nothing listens
	}
	if l := r.Link(); l.State != broker.Waiting || l.Phase != phase || l.Until == nil || l.NextRetry == nil {
		t.Errorf("%v: at the restart %+v", restart, l)
	} else if d := l.NextRetry.Sub(restart); d < 2500*time.Millisecond {
		t.Errorf("%v: next attempt after %v, want at least 2.5s", restart, d)
	}
	for _, rec := range r.told()[len(r.told())-1:] {
		if rec.Level() > 0 {
			t.Errorf("%v: an expected end is told at level %v: %+v", restart, rec.Level(), rec.Link)
		}
	}
	calls := len(r.a.opened())
	sleepUntil(restart.Add(want))
	h.set(true)
	r.await(t)
	if l := r.Link(); l.State != broker.Ready || l.Phase != broker.NoPhase || l.Until != nil {
		t.Errorf("%v: afterwards %+v", restart, l)
	}
	opened := r.a.opened()[calls-1:]
	for i := 1; i < len(opened); i++ {
		if gap := opened[i].Sub(opened[i-1]); i > 1 && gap < 2500*time.Millisecond {
			t.Errorf("%v: attempts %v apart while it restarts", restart, gap)
		}
	}
	for _, p := range r.phases() {
		if p == "waiting " || p == "ready restart_soon" {
			t.Errorf("%v: phases %v", restart, r.phases())
			break
		}
	}
}

// TestARestartThatDoesNotComeIsTakenBack after restart_lasts, and the desk's own
// trouble is not taken back with it.
func TestARestartThatDoesNotComeIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ny := newYork(t)
		sleepUntil(time.Date(2026, 4, 1, 23, 40, 0, 0, ny))
		restart := time.Date(2026, 4, 1, 23, 45, 0, 0, ny)
		r, _ := newHouse(t)
		r.Start()
		r.await(t)
		at := func(d time.Duration, what string, state broker.LinkState, phase broker.Phase, cause string) {
			t.Helper()
			sleepUntil(restart.Add(d))
			synctest.Wait()
			if l := r.Link(); l.State != state || l.Phase != phase || !strings.Contains(l.Cause, cause) {
				t.Errorf("%s: %v %q %q, want %v %q %q", what, l.State, l.Phase, l.Cause, state, phase, cause)
			}
		}
		at(-time.Minute, "before", broker.Degraded, broker.BeforePhase, "daily restart")
		r.Degrade("no symbol has data", "wait")
		at(-30*time.Second, "with the desk's", broker.Degraded, broker.BeforePhase, "no symbol has data")
		r.Recover()
		at(-20*time.Second, "without the desk's", broker.Degraded, broker.BeforePhase, "daily restart")
		if c := r.Link().Cause; strings.Contains(c, "no symbol") {
			t.Errorf("the desk's trouble stays: %q", c)
		}
		r.Degrade("no symbol has data", "wait")
		at(4*time.Minute+59*time.Second, "still", broker.Degraded, broker.BeforePhase, "daily restart")
		at(5*time.Minute, "taken back", broker.Degraded, broker.NoPhase, "no symbol has data")
		if c := r.Link().Cause; strings.Contains(c, "restart") {
			t.Errorf("the calendar's trouble stays: %q", c)
		}
		r.Recover()
		at(6*time.Minute, "ready", broker.Ready, broker.NoPhase, "every rung")
		if n := len(r.a.opened()); n != 1 {
			t.Errorf("%d sessions", n)
		}
		r.stop(t)
	})
}

// TestASessionOfTheLastMinuteStillWaits: a blip before the restart is not the
// restart, and a start in that minute opens no gate.
func TestASessionOfTheLastMinuteStillWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(time.Date(2026, 4, 1, 23, 44, 0, 0, newYork(t)))
		r, _ := newHouse(t)
		r.Start()
		time.Sleep(10 * time.Second)
		if s := r.states(); slices.Contains(s, broker.Ready) || r.Link().State != broker.Degraded {
			t.Errorf("states %v", s)
		}
		r.a.newest().lose()
		time.Sleep(20 * time.Second)
		if l := r.Link(); l.State != broker.Degraded || l.Phase != broker.BeforePhase || l.Sessions != 2 {
			t.Errorf("after a blip %+v", l)
		}
		time.Sleep(10 * time.Minute)
		if l := r.Link(); l.State != broker.Ready {
			t.Errorf("in the end %+v", l)
		}
		r.stop(t)
	})
}

// TestARestartThatLastsIsAnError again when its time is over.
func TestARestartThatLastsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ny := newYork(t)
		restart := time.Date(2026, 4, 1, 23, 45, 0, 0, ny)
		sleepUntil(restart.Add(-time.Hour))
		r, h := newHouse(t)
		r.Start()
		r.await(t)
		sleepUntil(restart)
		h.set(false)
		r.a.newest().lose()
		sleepUntil(restart.Add(7 * time.Minute))
		synctest.Wait()
		l := r.Link()
		if l.State != broker.Waiting && l.State != broker.Connecting || l.Phase != broker.NoPhase || l.Until != nil {
			t.Errorf("link %+v", l)
		}
		if rec := r.told(); rec[len(rec)-1].Level() <= 0 || !strings.Contains(rec[len(rec)-1].Link.Cause, "was to be over by") {
			t.Errorf("the newest record: %v %q", rec[len(rec)-1].Level(), rec[len(rec)-1].Link.Cause)
		}
		r.stop(t)
	})
}

// TestASecondFactorIsAStateWithADeadline: field lessons 4 and 5. Every attempt is
// shown, the wait has an end, and that end is told once.
func TestASecondFactorIsAStateWithADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungManagedAccounts, Failure: broker.NoAccounts})
		r := newRig(t, nil, waits)
		r.cfg.Calendar = nyCalendar(t)
		began := time.Now()
		r.Start()
		synctest.Wait()
		l := r.Link()
		if l.Phase != broker.FactorPhase || l.Until == nil || !l.Until.Equal(began.Add(10*time.Minute)) || l.Overdue(time.Now()) || !strings.Contains(l.Advice, "log in") {
			t.Fatalf("link %+v", l)
		}
		sleepUntil(began.Add(time.Hour))
		late := 0
		var was broker.Link
		for _, l := range r.published() {
			if strings.Contains(l.Cause, "a person must log in") && !strings.Contains(was.Cause, "a person must log in") && was.State == l.State {
				late++
				if l.Since.Before(began.Add(9*time.Minute)) || l.Phase != broker.FactorPhase {
					t.Errorf("told late at %v: %+v", l.Since.Sub(began), l)
				}
			}
			was = l
		}
		if late > 1 {
			t.Errorf("the deadline's end was told %d times", late)
		}
		if n, m := len(r.a.opened()), len(r.told()); n != m || n < 60 {
			t.Errorf("%d attempts and %d records in an hour", n, m)
		}
		if l := r.Link(); !l.Overdue(time.Now()) || l.Breaker.Wedged != 0 {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestTheDeadlineOfALoginIsToldAtItsInstant, between two attempts.
func TestTheDeadlineOfALoginIsToldAtItsInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungManagedAccounts, Failure: broker.NoAccounts})
		r := newRig(t, nil, waits)
		r.cfg.Calendar = nyCalendar(t)
		r.cfg.Calendar.LoginWithin = 500 * time.Millisecond // before the second attempt
		r.Start()
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if l := r.Link(); l.State != broker.Waiting || !l.Overdue(time.Now()) || !strings.Contains(l.Cause, "a person must log in") {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestALossAtNoonIsNoPhase: what the calendar does not explain stays an error.
func TestALossAtNoonIsNoPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(time.Date(2026, 4, 1, 12, 0, 0, 0, newYork(t)))
		r, h := newHouse(t)
		r.Start()
		lost := r.await(t)
		h.set(false)
		r.a.newest().lose()
		<-lost
		time.Sleep(30 * time.Second)
		if l := r.Link(); l.Phase != broker.NoPhase || l.Failure != broker.NobodyListens || strings.Contains(l.Cause, "expected") {
			t.Errorf("link %+v", l)
		}
		r.stop(t)
	})
}

// TestOneOwnerOfRetries: field lesson 23. Over a day of a gateway that flaps in
// every way, every attempt has its reason in the records, and their number is
// what the waits allow.
func TestOneOwnerOfRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early := fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.ClosedEarly})
		r := newRig(t, nil, slices.Concat(times(500, down), times(500, early), times(1, down))...)
		r.Start()
		time.Sleep(24 * time.Hour)
		n := len(r.a.opened())
		if n > 24*60*4 || n < 24*60 { // the mean wait is 30 s
			t.Errorf("%d attempts in a day", n)
		}
		for _, rec := range r.told() {
			if rec.Err == nil || rec.Outcome() == "failed" || rec.Link.NextRetry == nil {
				t.Fatalf("an attempt without reason: %+v", rec)
			}
		}
		if len(r.told()) != n {
			t.Errorf("%d records of %d attempts", len(r.told()), n)
		}
		r.stop(t)
	})
}

// TestNoRestartWithoutTwoStrikes: field lesson 28. The supervisor ends a session
// only when its reader says that it is over, or a person does: silence alone,
// trouble with data or a slow answer is none of it.
func TestNoRestartWithoutTwoStrikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, good)
		r.parts.Evidence = (&kernel{e: other(func(e *broker.Evidence) { e.CloseWait, e.Queue = 30, 50 })}).look
		r.Start()
		lost := r.await(t)
		for range 200 {
			r.Degrade("no symbol has data", "wait")
			time.Sleep(time.Hour)
			r.Recover()
		}
		select {
		case <-lost:
			t.Error("a session was ended that nobody called over")
		default:
		}
		if n := len(r.a.opened()); n != 1 {
			t.Errorf("%d sessions", n)
		}
		r.stop(t)
	})
}
