package desk

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker/market"
)

// TestATickOfAnotherDayMovesNoClock: one wrong stamp would make tomorrow of
// today, and forget what the day's limits look back upon.
func TestATickOfAnotherDayMovesNoClock(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		now := func() time.Time { return r.desk.State(t.Context()).Market }
		for _, ahead := range []time.Duration{240 * time.Hour, market.MaxLead + time.Second, 240 * time.Hour} {
			r.session.at = now().Add(ahead)
			r.tick("AAPL", "187")
			r.send()
			if got := now(); got.Sub(day) > time.Minute {
				t.Fatalf("a tick %v ahead made it %v", ahead, got)
			}
		}
		if n := r.out.named("tick_time_wrong"); n != 1 {
			t.Errorf("told %d times", n)
		}
		for _, ticks := range r.out.ticksSeen {
			if at := ticks.Ticks[0].At; at.Sub(day) > time.Minute {
				t.Errorf("a tick of %v went to the strategies", at)
			}
		}
		at := now()
		_ = r.desk.take(t.Context())
		sent, notional := r.desk.books.Rates(at)
		r.desk.give()
		if len(sent) != 1 || notional.IsZero() {
			t.Errorf("the day was forgotten: %v, %v", sent, notional)
		}
		r.session.at = now().Add(2 * time.Second)
		r.tick("AAPL", "187")
		r.send()
		if got := now(); !got.Equal(r.session.at) {
			t.Errorf("a tick a little ahead made it %v, want %v", got, r.session.at)
		}
	})
}

// TestAFastGatewaysimIsNoWrongClock: its time is not this machine's, and market
// time runs on at its speed.
func TestAFastGatewaysimIsNoWrongClock(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.facts.Speed = 60
		note, err := r.desk.stepClock(t.Context(), r.session)
		if err != nil || strings.Contains(note, "warning") {
			t.Fatalf("the clock rung: %q, %v", note, err)
		}
		before := r.desk.State(t.Context()).Market
		time.Sleep(time.Second)
		if gone := r.desk.State(t.Context()).Market.Sub(before); gone != time.Minute {
			t.Errorf("a second at speed 60 moved market time by %v", gone)
		}
	})
}
