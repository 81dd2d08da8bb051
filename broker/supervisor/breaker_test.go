package supervisor

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
)

var (
	gateway1 = broker.Evidence{Readable: true, Listening: true, Inode: 100, UID: 1000, PID: 7, Process: "java", Started: time.Unix(1000, 0)}
	shut     = broker.Evidence{Readable: true}
	blind    = broker.Evidence{Why: "it is on another machine"}
)

func other(edit func(*broker.Evidence)) broker.Evidence {
	e := gateway1
	edit(&e)
	return e
}

// opened is a breaker that opened at now with e.
func openedAt(now time.Time, e broker.Evidence) breaker {
	b := breaker{limit: 5}
	for range 5 {
		b.fail(broker.NoReply, now)
	}
	b.see(e, now)
	return b
}

func TestBreakerCountsOnlyHangsInARow(t *testing.T) {
	now := time.Unix(0, 0)
	for _, f := range []broker.Failure{
		broker.NobodyListens, broker.ClosedEarly, broker.ClosedAfterStart, broker.ClientIDInUse, broker.NoAccounts,
		broker.WrongProtocol, broker.StepFailed, broker.SessionLost, broker.NoFailure, broker.Unreachable,
	} {
		b := breaker{limit: 5}
		for range 4 {
			b.fail(broker.NoReply, now)
		}
		b.fail(f, now)
		if b.wedged != 0 || b.open {
			t.Errorf("%q in between leaves a count of %d", f, b.wedged)
		}
		for i, w := range []broker.Failure{broker.NoReply, broker.NoIDs, broker.NoNextID, broker.NoReply} {
			if b.fail(w, now); b.open || b.wedged != i+1 {
				t.Fatalf("after %q: %+v", w, b)
			}
		}
		if b.fail(broker.NoIDs, now); !b.open {
			t.Errorf("closed after five hangs in a row")
		}
	}
}

func TestBreakerAndTheEvidence(t *testing.T) {
	now := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		opened broker.Evidence
		seen   []broker.Evidence
		closes bool
		words  string // in the cause afterwards, or the reason of the change
	}{
		"the same":              {gateway1, []broker.Evidence{gateway1, gateway1}, false, "no attempt is made before its socket or its process is another one (socket 100 of process 7, java)"},
		"more dead sockets":     {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.CloseWait, e.Queue = 40, 50 })}, false, "no attempt"},
		"another socket":        {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.Inode = 101 })}, true, "anew"},
		"another owner":         {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.UID = 0 })}, true, "anew"},
		"another process":       {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.PID = 8 })}, true, "process"},
		"a later start":         {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.Started = time.Unix(2000, 0) })}, true, "process"},
		"a process hidden":      {gateway1, []broker.Evidence{other(func(e *broker.Evidence) { e.PID = 0 })}, false, "(socket 100)"},
		"gone":                  {gateway1, []broker.Evidence{shut, shut}, false, "its port is closed now"},
		"gone and back, alike":  {gateway1, []broker.Evidence{shut, gateway1}, true, "open again"},
		"shut, then open":       {shut, []broker.Evidence{shut, gateway1}, true, "open again"},
		"blind":                 {blind, []broker.Evidence{blind}, false, "the kernel does not tell what listens there (it is on another machine)"},
		"blind, then readable":  {blind, []broker.Evidence{gateway1, gateway1}, false, "no attempt is made before"},
		"blind, then another":   {blind, []broker.Evidence{gateway1, other(func(e *broker.Evidence) { e.Inode = 5 })}, true, "anew"},
		"blinded and back":      {gateway1, []broker.Evidence{blind, gateway1}, false, "no attempt is made before"},
		"changed while blinded": {gateway1, []broker.Evidence{blind, other(func(e *broker.Evidence) { e.Inode = 5 })}, true, "anew"},
	} {
		b := openedAt(now, tt.opened)
		var why string
		changed := false
		for i, e := range tt.seen {
			if changed {
				t.Fatalf("%s: closed before the end", name)
			}
			why, changed = b.see(e, now.Add(time.Duration(i)*time.Second))
		}
		if !changed {
			why, _ = b.words("no reply")
		}
		if changed != tt.closes || b.open == tt.closes || !strings.Contains(why, tt.words) {
			t.Errorf("%s: changed %v, open %v, %q; want %v and %q", name, changed, b.open, why, tt.closes, tt.words)
		}
		if b.next().IsZero() == (!tt.closes && !b.newest.Readable) {
			t.Errorf("%s: next attempt %v", name, b.next())
		}
	}
}

// TestBreakerBelievesAGatewayThatHangsAnewSooner: after a change the count
// starts over, and opens at two; only a handshake brings the five back.
func TestBreakerBelievesAGatewayThatHangsAnewSooner(t *testing.T) {
	now := time.Unix(0, 0)
	b := openedAt(now, gateway1)
	b.see(shut, now)
	b.see(gateway1, now)
	if l := b.link(); l.State != broker.BreakerClosed || l.Wedged != 0 || l.Limit != 2 || l.Evidence != nil {
		t.Fatalf("after a change %+v", l)
	}
	b.fail(broker.ClosedEarly, now) // it starts
	b.fail(broker.NoReply, now)
	if b.open {
		t.Fatal("open after one")
	}
	if b.fail(broker.NoReply, now); !b.open {
		t.Fatal("closed after two")
	}
	b.succeed()
	if l := b.link(); l.State != broker.BreakerClosed || l.Limit != 5 || l.Tries != 0 {
		t.Errorf("after a handshake %+v", l)
	}
	if b = (breaker{limit: 1}); b.opensAt() != 1 {
		t.Error("a limit of 1 is not kept")
	}
	b.fail(broker.NoReply, now)
	b.fail(broker.NobodyListens, now)
	if b.opensAt() != 1 {
		t.Errorf("a limit of 1 is %d afterwards", b.opensAt())
	}
}

// Whatever comes, an open breaker makes at most twelve attempts by itself,
// never sooner than its waits, and none at all while the evidence is readable.
func TestBreakerNeverHammers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		b := openedAt(now, rapid.SampledFrom([]broker.Evidence{blind, gateway1, shut}).Draw(t, "opened"))
		attempts, last := 0, now
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40*60).Draw(t, "seconds")) * time.Second)
			if _, changed := b.see(rapid.SampledFrom([]broker.Evidence{blind, blind, blind, gateway1}).Draw(t, "evidence"), now); changed {
				return
			}
			next := b.next()
			if b.newest.Readable && !next.IsZero() {
				t.Fatal("an attempt is planned though the evidence is readable")
			}
			if next.IsZero() || now.Before(next) {
				continue
			}
			if gap := now.Sub(last); gap < tryWaits[min(attempts, 2)] {
				t.Fatalf("attempt %d after %v", attempts+1, gap)
			}
			b.try()
			attempts++
			last = now
			b.fail(broker.NoReply, now)
			if attempts > maxTries || b.tries != attempts || !b.open {
				t.Fatalf("%d attempts, %+v", attempts, b)
			}
		}
	})
}

func TestBreakerWordsSayWhatNotToDo(t *testing.T) {
	b := openedAt(time.Unix(0, 0), blind)
	cause, advice := b.words("connected, and not a byte came back")
	for _, want := range []string{"5 attempts in a row", "not a byte came back", "0 of 12 tries"} {
		if !strings.Contains(cause, want) {
			t.Errorf("cause %q does not say %q", cause, want)
		}
	}
	for _, want := range []string{"restart IB Gateway or TWS by hand", "log in", "traderctl reconnect", "Do not kill its sockets", "in a loop"} {
		if !strings.Contains(advice, want) {
			t.Errorf("advice %q does not say %q", advice, want)
		}
	}
	b.tries = maxTries
	if cause, _ := b.words("x"); !strings.Contains(cause, "only a person's reconnect") {
		t.Errorf("at the end: %q", cause)
	}
}
