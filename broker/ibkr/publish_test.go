package ibkr

import (
	"testing"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
)

// TestWhatWasHandedOnIsLetGo: the answer to a question for executions holds
// those of a whole day, and stayed in memory until the next question had one. Seen
// in a soak.
func TestWhatWasHandedOnIsLetGo(t *testing.T) {
	s := newSession(DefaultConfig(), quiet(), nil, pace.NewBudget(45, 5))
	r := &request{done: make(chan struct{})}
	s.answered = append(s.answered, r)
	for range keepEvents {
		s.batch.Events = append(s.batch.Events, broker.ExecutionReport{})
	}
	events := s.batch.Events
	s.publish()
	select {
	case <-r.done:
	default:
		t.Fatal("the question has no answer")
	}
	if s.answered[:1][0] != nil || events[0] != nil {
		t.Errorf("kept: the question %v, the event %v", s.answered[:1][0], events[0])
	}
	b, some := s.pending.take()
	if !some || len(b.Events) != keepEvents || b.Events[0] == nil {
		t.Errorf("handed on: %d events, %v", len(b.Events), b.Events[0])
	}
	for range 100 * keepEvents {
		s.batch.Events = append(s.batch.Events, broker.ExecutionReport{})
	}
	s.publish()
	if n := cap(s.batch.Events); n > keepEvents {
		t.Errorf("room for %d events is kept", n)
	}
}
