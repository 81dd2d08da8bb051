package broker

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func linkStates() (all []LinkState) {
	for s := LinkState(0); s < numLinkStates; s++ {
		all = append(all, s)
	}
	return all
}

func linkSignals() (all []LinkSignal) {
	for s := LinkSignal(0); s < numLinkSignals; s++ {
		all = append(all, s)
	}
	return all
}

// linkReach returns the states that can follow from without a signal.
func linkReach(from LinkState, without ...LinkSignal) map[LinkState]bool {
	seen := map[LinkState]bool{from: true}
	for todo := []LinkState{from}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
	signals:
		for _, sig := range linkSignals() {
			for _, w := range without {
				if sig == w {
					continue signals
				}
			}
			if after, ok := s.Next(sig); ok && !seen[after] {
				seen[after] = true
				todo = append(todo, after)
			}
		}
	}
	return seen
}

func TestLinkCanBeStoppedAndStaysStopped(t *testing.T) {
	for _, s := range linkStates() {
		if after, ok := s.Next(Stop); !ok || after != Stopped {
			t.Errorf("%v on stop is %v, %v", s, after, ok)
		}
	}
	if r := linkReach(Stopped); len(r) != 1 {
		t.Errorf("stopped leads to %v", r)
	}
}

func TestReadyIsClimbed(t *testing.T) {
	for _, s := range linkStates() {
		for _, sig := range linkSignals() {
			after, ok := s.Next(sig)
			if ok && after == Ready && (s != Recovering || sig != RungsDone) && (s != Degraded || sig != Better) {
				t.Errorf("%v on %v is ready", s, sig)
			}
			if ok && after == Degraded && s != Ready {
				t.Errorf("%v on %v is degraded without having been ready", s, sig)
			}
			if after.Trades() != (after == Ready) {
				t.Errorf("%v trades: %v", after, after.Trades())
			}
		}
	}
	for _, sig := range []LinkSignal{Dialled, BothIDs, RungsDone} {
		if r := linkReach(Connecting, sig); r[Ready] || r[Degraded] {
			t.Errorf("ready without %v", sig)
		}
	}
}

func TestLinkComesBack(t *testing.T) {
	for _, s := range linkStates() {
		if s == Stopped {
			continue
		}
		if !linkReach(s)[Ready] {
			t.Errorf("%v is a dead end", s)
		}
	}
	for _, s := range []LinkState{Refused, NeedsRestart, Waiting} { // and only by a new attempt
		if r := linkReach(s, Retry); r[Connecting] || r[Ready] {
			t.Errorf("%v goes on without a retry", s)
		}
	}
	if r := linkReach(Connecting); len(r) != int(numLinkStates) {
		t.Errorf("only %v are reached", r)
	}
}

// TestLinkSessionsAreLost: a session that is established can end at any time.
func TestLinkSessionsAreLost(t *testing.T) {
	for _, s := range []LinkState{Recovering, Ready, Degraded} {
		if after, ok := s.Next(Lost); !ok || after != Waiting {
			t.Errorf("%v on lost is %v, %v", s, after, ok)
		}
	}
	for _, s := range []LinkState{Connecting, Handshaking, Recovering} {
		if after, ok := s.Next(Failed); !ok || after != Waiting {
			t.Errorf("%v on failed is %v, %v", s, after, ok)
		}
		if after, ok := s.Next(Refuse); !ok || after != Refused {
			t.Errorf("%v on refuse is %v, %v", s, after, ok)
		}
	}
}

func TestIllegalLinkStepChangesNothing(t *testing.T) {
	for _, s := range append(linkStates(), 99) {
		for _, sig := range append(linkSignals(), 99) {
			if after, ok := s.Next(sig); !ok && after != s {
				t.Errorf("%v on %v is not legal and gives %v", s, sig, after)
			}
		}
	}
}

func TestLinkNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range linkStates() {
		b, err := json.Marshal(s)
		var back LinkState
		if err2 := json.Unmarshal(b, &back); err != nil || err2 != nil || back != s || seen[s.String()] || s.String() == "" {
			t.Errorf("%v is written %s and read %v: %v, %v", s, b, back, err, err2)
		}
		seen[s.String()] = true
	}
	for _, sig := range linkSignals() {
		if sig.String() == "" || strings.HasPrefix(sig.String(), "signal(") {
			t.Errorf("signal %d is called %q", sig, sig)
		}
	}
	var s LinkState
	if err := s.UnmarshalText([]byte("odd")); err == nil {
		t.Error("an unknown name was read")
	}
	rungs := Rungs()
	if len(rungs) != 9 || rungs[0] != RungTCP || rungs[4] != RungNextValidID || rungs[8] != RungData {
		t.Errorf("rungs %v", rungs)
	}
}

func TestErrorShowsKindAndCause(t *testing.T) {
	err := error(&Error{Op: "open 127.0.0.1:4002", Kind: ErrGatewayDown, Rung: RungVersion, Code: 502, Err: io.EOF})
	if !errors.Is(err, ErrGatewayDown) || !errors.Is(err, io.EOF) || errors.Is(err, ErrRefused) {
		t.Error("kind or cause is hidden")
	}
	if want := "open 127.0.0.1:4002: gateway down at rung version (502): EOF"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if empty := (&Error{Op: "x"}); empty.Error() != "x" || len(empty.Unwrap()) != 0 {
		t.Errorf("%q %v", empty, empty.Unwrap())
	}
	for kind, want := range map[error]bool{
		ErrGatewayDown: true, ErrPacing: true, ErrRefused: false, ErrOutcomeUnknown: false, ErrNotWritten: false, ErrClosed: false, ErrRequest: false,
	} {
		if got := Retryable(&Error{Op: "x", Kind: kind}); got != want {
			t.Errorf("%v: retryable is %v", kind, got)
		}
	}
}

func TestNoticeNames(t *testing.T) {
	seen := map[string]bool{}
	for k := NoticeInfo; k <= NoticeSession; k++ {
		if s := k.String(); s == "unknown" || seen[s] {
			t.Errorf("kind %d is called %q", k, s)
		} else {
			seen[s] = true
		}
	}
	if NoticeKind(200).String() != "unknown" {
		t.Error("a kind that does not exist has a name")
	}
}
