package desk

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

// TestALookThatFailsForMinutesTakesEntriesAway is field-lessons §2.16 where
// nothing can be looked at: it is told twice and no more, health names it, the
// link is degraded, which keeps entries out, and all of it ends with an answer.
func TestALookThatFailsForMinutesTakesEntriesAway(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		told := func(name string, want int) {
			t.Helper()
			if n := r.out.named(name); n != want {
				t.Errorf("%s was told %d times, want %d", name, n, want)
			}
		}
		k.fails("positions", broker.ErrNoAnswer)
		time.Sleep(5 * time.Minute)
		if calls := r.take(); slices.ContainsFunc(calls, degraded) || r.desk.State(t.Context()).Health.Books != nil {
			t.Errorf("after a few looks: %q", calls)
		}
		time.Sleep(time.Minute)
		if calls := r.take(); !slices.ContainsFunc(calls, degraded) {
			t.Errorf("after six minutes: %q", calls)
		}
		b := r.desk.State(t.Context()).Health.Books
		if b == nil || b.State != broker.PartBroken || time.Since(b.Since) < 5*time.Minute {
			t.Errorf("health %+v", b)
		}
		r.desk.LinkChanged(broker.Link{State: broker.Degraded})
		time.Sleep(6 * time.Hour)
		told("reconciliation_failed", 1)
		told("reconciliation_blind", 1)
		k.fails("positions", nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		told("reconciliation_back", 1)
		if calls := r.take(); !slices.Contains(calls, "recover") || r.desk.State(t.Context()).Health.Books != nil {
			t.Errorf("when it answers: %q", calls)
		}
	})
}

func degraded(call string) bool { return len(call) > 8 && call[:8] == "degrade " }
