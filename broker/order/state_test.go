package order

import (
	"encoding/json"
	"testing"

	"robotrader/broker/market"
)

func states() (all []State) {
	for s := State(0); s < numStates; s++ {
		all = append(all, s)
	}
	return all
}

func signals() (all []Signal) {
	for s := Signal(0); s < numSignals; s++ {
		all = append(all, s)
	}
	return all
}

// reach returns the states that can follow from, itself included.
func reach(from State) map[State]bool {
	seen := map[State]bool{from: true}
	for todo := []State{from}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		for _, sig := range signals() {
			if after, ok := s.Next(sig); ok && !seen[after] {
				seen[after] = true
				todo = append(todo, after)
			}
		}
	}
	return seen
}

func TestEveryLiveOrderCanEnd(t *testing.T) {
	for _, s := range states() {
		if s.Final() {
			continue
		}
		r := reach(s)
		for _, end := range []State{Filled, Cancelled, Rejected} {
			if !r[end] {
				t.Errorf("%v cannot become %v", s, end)
			}
		}
	}
}

func TestEveryStateIsReached(t *testing.T) {
	r := reach(Intended)
	for _, s := range states() {
		if !r[s] {
			t.Errorf("no way leads to %v", s)
		}
	}
}

// TestOnlyTheVenueListsAnEndedOrderAgain: what ended by executions, a cancel or
// a refusal is live again by no event that may have been overtaken.
func TestOnlyTheVenueListsAnEndedOrderAgain(t *testing.T) {
	for _, s := range []State{Filled, Cancelled, Rejected, Dropped} {
		if after, ok := s.Next(Listed); !ok || !after.Live() {
			t.Errorf("%v, listed, is %v", s, after)
		}
	}
	for _, sig := range signals() {
		if after, _ := Filled.Next(sig); sig != Listed && after != Filled {
			t.Errorf("filled leads to %v by %v", after, sig)
		}
		if after, _ := Cancelled.Next(sig); sig != Listed && !after.Final() {
			t.Errorf("cancelled leads to %v by %v", after, sig)
		}
	}
}

func TestTheWorstOfBothVersions(t *testing.T) {
	price := func(s string) *market.Price { return market.MustPrice(s).Ptr() }
	o := Order{Qty: market.Shares(10), Filled: market.Shares(4), Limit: price("180"), StopPrice: price("170")}
	if m := o.Most(); m != o || o.MostLeft() != market.Shares(6) {
		t.Errorf("without a change %+v", m)
	}
	o.Change = &Change{Qty: market.Shares(20), Limit: price("179"), StopPrice: price("171")}
	m := o.Most()
	if m.Remaining() != market.Shares(16) || o.MostLeft() != m.Remaining() || *m.Limit != *price("180") || *m.StopPrice != *price("171") || m.Change != nil {
		t.Errorf("with one %+v", m)
	}
	o.Change = &Change{Qty: market.Shares(5), Limit: price("181")}
	if m := o.Most(); m.Remaining() != market.Shares(6) || *m.Limit != *price("181") || *m.StopPrice != *price("170") {
		t.Errorf("with less at more %+v", m)
	}
	if o.Change = (&Change{Qty: market.Shares(3)}); o.MostLeft() != market.Shares(6) {
		t.Errorf("%v may be left", o.MostLeft())
	}
}

// TestWhatWasFilledDecidesTheState: whichever came first, the execution or the
// quantity.
func TestWhatWasFilledDecidesTheState(t *testing.T) {
	for _, tt := range []struct {
		state       State
		qty, filled int64
		change      int64 // 0 is none
		want        State
	}{
		{Working, 10, 10, 0, Filled},
		{Working, 10, 4, 0, Partial},
		{Working, 10, 0, 0, Working},
		{Working, 10, 10, 20, Partial}, // either version may be in force
		{Working, 10, 8, 8, Partial},
		{Working, 10, 20, 20, Filled},
		{Unknown, 10, 4, 0, Unknown},
		{Unknown, 10, 10, 0, Filled},
		{Cancelling, 10, 4, 0, Cancelling},
		{Cancelled, 10, 4, 0, Cancelled},
		{Cancelled, 10, 10, 0, Filled},
		{Filled, 10, 9, 0, Filled}, // by a correction: it opens no order again
		{Working, 0, 9, 0, Working},
	} {
		o := Order{State: tt.state, Qty: market.Shares(tt.qty), Filled: market.Shares(tt.filled)}
		if tt.change != 0 {
			o.Change = &Change{Qty: market.Shares(tt.change)}
		}
		if got := o.AfterFills(); got != tt.want {
			t.Errorf("%+v is %v", tt, got)
		}
	}
}

// TestTheVenueIsRightAboutADroppedOrder: what it reports is there, whatever we
// had concluded. What we do ourselves cannot revive it.
func TestTheVenueIsRightAboutADroppedOrder(t *testing.T) {
	for _, sig := range signals() {
		after, ok := Dropped.Next(sig)
		ours := sig == Written || sig == NotWritten || sig == CancelSent || sig == CancelFail || sig == Silent
		if ok == ours || ok && after == Dropped {
			t.Errorf("dropped on %v: %v %v", sig, after, ok)
		}
	}
}

func TestDroppedMeansNeverWritten(t *testing.T) {
	for _, s := range states() {
		for _, sig := range signals() {
			after, ok := s.Next(sig)
			if ok && after == Dropped && (s != Intended && s != Unknown || sig != NotWritten) {
				t.Errorf("%v on %v is dropped: the venue may have it", s, sig)
			}
			if ok && after == Sent && s != Sent && (s != Intended || sig != Written) {
				t.Errorf("%v on %v is sent again", s, sig)
			}
			if ok && after == Intended {
				t.Errorf("%v on %v is only intended again", s, sig)
			}
		}
	}
}

// TestReportsAreLegalInAnyOrder: what a venue says about an order that was
// written is legal whenever it comes; only what makes no sense is not.
func TestReportsAreLegalInAnyOrder(t *testing.T) {
	reports := []Signal{Acked, WorkingNow, Executed, FilledUp, CancelSent, CancelFail, CancelDone, Refused, HeldBack, Silent}
	for _, s := range states() {
		if s == Intended || s == Dropped {
			continue
		}
		for _, sig := range reports {
			if _, ok := s.Next(sig); !ok && (s != Filled || sig != Refused) { // a fill cannot be refused
				t.Errorf("%v does not know %v", s, sig)
			}
		}
		for _, sig := range []Signal{Written, NotWritten} {
			if after, ok := s.Next(sig); ok && (s != Unknown || sig != NotWritten) { // but for the proof of absence
				t.Errorf("%v, which was written, takes %v and becomes %v", s, sig, after)
			}
		}
	}
}

func TestReportsOfTheSamePartyRepeat(t *testing.T) {
	for _, s := range states() {
		for _, sig := range signals() {
			once, ok := s.Next(sig)
			if !ok || sig == Written || sig == NotWritten {
				continue
			}
			if twice, ok := once.Next(sig); (!ok || twice != once) && (s != Cancelling || sig != CancelFail) {
				t.Errorf("%v on %v is %v, and told twice %v, %v", s, sig, once, twice, ok)
			}
		}
	}
}

func TestSurprisingSteps(t *testing.T) {
	for _, tt := range []struct {
		from State
		sigs []Signal
		want State
	}{
		{Intended, []Signal{Written, Acked, WorkingNow, Executed, FilledUp}, Filled},
		{Intended, []Signal{Written, FilledUp, WorkingNow, Acked}, Filled}, // reports overtaken by the fill
		{Intended, []Signal{Silent}, Unknown},                              // died between intent and write
		{Intended, []Signal{NotWritten}, Dropped},
		{Sent, []Signal{Silent, NotWritten}, Dropped},                 // proven absent
		{Working, []Signal{CancelSent, Executed, FilledUp}, Filled},   // the fill won
		{Working, []Signal{CancelSent, CancelDone, FilledUp}, Filled}, // cancelled → filled happens
		{Working, []Signal{CancelSent, CancelDone, Executed}, Cancelled},
		{Working, []Signal{CancelSent, CancelFail, WorkingNow}, Working},
		{Working, []Signal{Refused, WorkingNow}, Working}, // 201 for a modification
		{Working, []Signal{Silent, WorkingNow}, Working},  // the broker knows it after all
		{Sent, []Signal{Silent, CancelDone}, Cancelled},
		{Sent, []Signal{Refused, HeldBack}, Rejected}, // status Inactive follows error 201
		{Filled, []Signal{CancelDone}, Filled},        // a status overtaken by the fill
	} {
		s := tt.from
		for _, sig := range tt.sigs {
			after, ok := s.Next(sig)
			if !ok {
				t.Errorf("%v: %v is not legal in %v", tt.sigs, sig, s)
			}
			s = after
		}
		if s != tt.want {
			t.Errorf("%v after %v is %v, want %v", tt.from, tt.sigs, s, tt.want)
		}
	}
}

func TestIllegalStepChangesNothing(t *testing.T) {
	for _, s := range states() {
		for _, sig := range append(signals(), numSignals, 255) {
			if after, ok := s.Next(sig); !ok && after != s {
				t.Errorf("%v on %v is not legal and gives %v", s, sig, after)
			}
		}
	}
	if after, ok := State(200).Next(Acked); ok || after != 200 {
		t.Errorf("a state that does not exist became %v", after)
	}
}

func TestLiveAndFinal(t *testing.T) {
	for _, s := range states() {
		live, final := s.Live(), s.Final()
		if live && final || !live && !final && s != Intended {
			t.Errorf("%v: live %v, final %v", s, live, final)
		}
	}
	if !Unknown.Live() {
		t.Error("an order of unknown outcome may fill: it is live")
	}
	if State(200).Final() {
		t.Error("a state that does not exist is final")
	}
}

func TestStateNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range states() {
		b, err := json.Marshal(s)
		var back State
		if err2 := json.Unmarshal(b, &back); err != nil || err2 != nil || back != s || seen[string(b)] || string(b) == `""` {
			t.Errorf("%v is written %s and read %v: %v, %v", s, b, back, err, err2)
		}
		seen[string(b)] = true
	}
	for _, sig := range signals() {
		if seen[sig.String()] || sig.String() == "" {
			t.Errorf("signal %d is called %q", sig, sig)
		}
		seen[sig.String()] = true
	}
	var s State
	if err := s.UnmarshalText([]byte("odd")); err == nil {
		t.Error("an unknown name was read")
	}
}
