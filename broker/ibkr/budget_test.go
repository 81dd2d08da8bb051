package ibkr

import (
	"slices"
	"testing"
	"testing/synctest"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// What the gateway says about our rate holds over the session's end, as what it
// has counted does.
func TestTheBudgetOutlivesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []int
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			for m := p.next(); m != nil; m = p.next() {
				if q, ok := m.(wire.ReqMktData); ok {
					ids = append(ids, q.ReqID)
				}
			}
		})
		a := New(cfg)
		for range 2 {
			opened, err := a.Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := opened.(*Session)
			if s.budget != a.budget {
				t.Error("the session has a budget of its own")
			}
			if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		if h := a.budget.pace.health(); h.Sent != 4 {
			t.Errorf("two START_API and two subscriptions are %d messages", h.Sent)
		}
		if want := []int{1 << 30, 1<<30 + 1}; !slices.Equal(ids, want) {
			t.Errorf("request ids %d, want %d", ids, want)
		}
	})
}

// Request ids are away from order ids, below 2^31-1, and never given twice.
func TestRequestIDs(t *testing.T) {
	for next, first := range map[int64]int{1: 1 << 30, 1<<29 - 1: 1 << 30, 1 << 29: 1, 1<<31 - 2: 1} {
		s := newSession(DefaultConfig(), quiet(), nil, newBudget(DefaultConfig()))
		s.ids = requestIDs(next)
		if s.ours(int64(first)) {
			t.Errorf("next order %d: %d is ours before it was given", next, first)
		}
		for i := range 3 {
			if got := s.newID(); got != first+i || !s.ours(int64(got)) || s.ours(next) {
				t.Errorf("next order %d: id %d, want %d", next, got, first+i)
			}
		}
		s.budget.asked.Store(s.ids.span - 1)
		last := s.newID()
		if again := s.newID(); again != first || last >= 1<<31-1 || !s.ours(int64(last)) || s.ours(next) {
			t.Errorf("next order %d: behind id %d comes %d", next, last, again)
		}
	}
}
