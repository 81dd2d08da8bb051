package tape

import (
	"testing"
	"time"
)

// A market that goes on after a break with the anchor of its first life is the
// one that it would have been without the break.
func TestAnchorContinuesAMarket(t *testing.T) {
	began := time.Date(2026, 4, 2, 15, 0, 30, 0, time.UTC)
	for sessions, down := range map[Sessions]time.Duration{AlwaysOpen: 26 * time.Hour, NewYork: 2 * time.Hour} {
		again := began.Add(down)
		whole, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Seed: 3, Start: began, Sessions: sessions})
		if err != nil {
			t.Fatal(err)
		}
		part, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Seed: 3, Start: again, Anchor: began, Sessions: sessions})
		if err != nil {
			t.Fatal(err)
		}
		first, _ := part.Next() // the quote that holds at the start
		var newest Event
		ev, _ := whole.Next()
		for ; !ev.At.After(again); ev, _ = whole.Next() {
			if ev.Kind == Quote {
				newest = ev
			}
		}
		if first.Bid != newest.Bid || first.Ask != newest.Ask {
			t.Errorf("%v: it goes on at %v, and was at %v", sessions, first, newest)
		}
		for i := range 2000 {
			got, _ := part.Next()
			if got != ev {
				t.Fatalf("%v: event %d is %v, want %v", sessions, i, got, ev)
			}
			ev, _ = whole.Next()
		}
	}
}

func TestAnchorYear(t *testing.T) {
	_, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Start: time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC), Anchor: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err == nil {
		t.Error("an anchor before the first year is accepted")
	}
}
