package pace

import "testing"

// Request ids are away from order ids, below 2^31-1, and never given twice,
// also by two sessions of one budget.
func TestRequestIDs(t *testing.T) {
	for next, first := range map[int64]int{1: 1 << 30, 1<<29 - 1: 1 << 30, 1 << 29: 1, 1<<31 - 2: 1} {
		b := NewBudget(45, 5)
		ids := b.IDs(next)
		if ids.Ours(int64(first)) {
			t.Errorf("next order %d: %d is ours before it was given", next, first)
		}
		for i := range 3 {
			if got := ids.Next(); got != first+i || !ids.Ours(int64(got)) || ids.Ours(next) {
				t.Errorf("next order %d: id %d, want %d", next, got, first+i)
			}
		}
		if later := b.IDs(next); !later.Ours(int64(first)) || later.Next() != first+3 {
			t.Errorf("next order %d: another session of the budget begins anew", next)
		}
		b.given.Store(ids.span - 1)
		last := ids.Next()
		if again := ids.Next(); again != first || last >= 1<<31-1 || !ids.Ours(int64(last)) || ids.Ours(next) {
			t.Errorf("next order %d: behind id %d comes %d", next, last, again)
		}
	}
	if (IDs{}).Ours(0) {
		t.Error("an id is the zero value's")
	}
}
