package market

import (
	"testing"
	"time"
)

// TestATickIsBelievedAsFarAsTheClockRan: at a higher speed a tick may be
// further ahead, and no further than the same wall time is worth.
func TestATickIsBelievedAsFarAsTheClockRan(t *testing.T) {
	told := time.Date(2026, 11, 16, 14, 0, 0, 0, time.UTC)
	wall := told.Add(time.Hour)
	for _, tt := range []struct {
		speed float64
		gone  time.Duration // wall time
		ahead time.Duration // of what was told
		want  bool
	}{
		{1, 0, MaxLead, true},
		{1, 0, MaxLead + time.Nanosecond, false},
		{1, time.Minute, time.Minute + MaxLead, true},
		{1, time.Minute, 2 * time.Minute, false},
		{60, time.Minute, time.Hour, true},
		{60, time.Minute, time.Hour + 60*MaxLead, true},
		{60, time.Minute, time.Hour + 61*MaxLead, false},
		{0.5, 0, MaxLead, true}, // gateways tell whole seconds at any speed
	} {
		c := NewClock(time.Time{}, wall, tt.speed).Tell(told, wall)
		if got := c.Believes(told.Add(tt.ahead), wall.Add(tt.gone)); got != tt.want {
			t.Errorf("speed %v: %v after the clock was told, a tick %v ahead is believed: %v", tt.speed, tt.gone, tt.ahead, got)
		}
	}
}
