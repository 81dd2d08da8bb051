package floor

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/services/event"
)

// TestHowALineStands walks the judgement of one symbol with ticks, questions
// and time in any order.
func TestHowALineStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := patience{stale: 30 * time.Second, first: time.Minute, word: "30s"}
		wall, l, is := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC), &line{}, event.DataState{State: Wanted}
		l.renewed(wall, 10*time.Second)
		var asks []time.Time
		for range rapid.IntRange(1, 400).Draw(t, "seconds") {
			wall = wall.Add(time.Second)
			open := rapid.IntRange(0, 19).Draw(t, "closed") > 0
			if rapid.IntRange(0, 29).Draw(t, "tick") == 0 {
				l.ticked(wall)
				is.State, is.Cause = Live, ""
			}
			was := is.State
			is.State, is.Cause = l.next(is, open, wall, p)
			old := wall.Sub(l.last) > p.stale
			switch {
			case open && is.State == Live && old:
				t.Fatalf("live, and the newest tick is %v old", wall.Sub(l.last))
			case is.State == Stale && was != Stale && !open:
				t.Fatal("stale outside its session")
			case is.State == Stale && l.due.IsZero():
				t.Fatal("stale, and not to be asked for again")
			case is.State == Stale && l.due.Sub(wall) > askAgain[len(askAgain)-1]:
				t.Fatalf("asked for again in %v only", l.due.Sub(wall))
			}
			if (is.State == Stale || is.State == Blocked) && !l.due.IsZero() && !wall.Before(l.due) {
				asks = append(asks, wall)
				l.renewed(wall, 10*time.Second)
			}
		}
		if most := 400/30 + 2; len(asks) > most {
			t.Fatalf("asked %d times: %v", len(asks), asks)
		}
	})
}
