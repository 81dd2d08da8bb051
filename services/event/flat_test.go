package event_test

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestFlatIsSaidOnlyOfAnEmptyAccount: whatever else is held, the word does not
// stand alone.
func TestFlatIsSaidOnlyOfAnEmptyAccount(t *testing.T) {
	at := time.Date(2026, 4, 2, 14, 30, 0, 0, time.UTC)
	left := make([]order.Position, 7)
	for i := range left {
		left[i] = order.Position{Symbol: market.Symbol("ES").Other(int64(i)), Qty: market.Shares(1), SecType: "FUT"}
	}
	for _, tt := range []struct {
		in   event.ModeChange
		want string
	}{
		{event.ModeChange{}, "not flat"},
		{event.ModeChange{Left: left}, "not flat"},
		{event.ModeChange{Flat: &at}, "flat since 2026-04-02T14:30:00Z"},
		{event.ModeChange{Flat: &at, Left: left[:1]}, "flat in stocks since 2026-04-02T14:30:00Z; 1 other position left: 1 ES#0 (FUT)"},
		{event.ModeChange{Flat: &at, Left: left}, "flat in stocks since 2026-04-02T14:30:00Z; 7 other positions left: 1 ES#0 (FUT), 1 ES#1 (FUT), 1 ES#2 (FUT), 1 ES#3 (FUT), 1 ES#4 (FUT), and 2 more"},
	} {
		if got := tt.in.FlatWords(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if s := event.LeftWords(nil); strings.TrimSpace(s) != "" {
		t.Errorf("nothing left is %q", s)
	}
}
