package main

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

func TestHealthTellsEachThingByItself(t *testing.T) {
	now := time.Date(2026, 4, 2, 14, 30, 0, 0, time.UTC)
	before := now.Add(-1500 * time.Millisecond)
	trip := 0.47
	h := event.HealthState{
		Session: &broker.Health{
			LastFrame: &before, RoundTripMS: &trip, Missed: 1, ReadOnlyAPI: &before, Competing: &before,
			Farms:  []broker.Part{{Name: "usfarm", State: broker.PartBroken}, {Name: "ushmds"}},
			Pacing: broker.Pacing{Sent: 3, Limit: 45, Waiting: 2},
		},
		Data: []broker.Freshness{{Symbol: "AAPL", State: "stale", Cause: "no tick for 30s", Last: &before}, {Symbol: "MSFT", State: "wanted"}},
	}
	var b strings.Builder
	printHealth(&b, nil, now)
	printHealth(&b, &event.HealthState{}, now)
	if b.Len() != 0 {
		t.Errorf("what is not known is told: %q", b.String())
	}
	printHealth(&b, &h, now)
	want := `orders	newest frame 1.5s ago, round trip 0.47 ms, 1 time requests UNANSWERED, 3 of 45 messages a second, 2 wait
servers	usfarm broken
warning	the gateway's API is read-only: untick it in its API settings
warning	another session of this user takes the market data: end it, or use a second user name
data	AAPL stale, newest tick 1.5s ago (no tick for 30s)
data	MSFT wanted, newest tick not yet
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHealthTellsOfAJournalThatFails(t *testing.T) {
	since := time.Date(2026, 4, 2, 14, 28, 0, 0, time.Local)
	var b strings.Builder
	printHealth(&b, &event.HealthState{Journal: &broker.JournalFailure{Kind: "full", Since: since, Cause: "disk full", Advice: "free some space"}}, since)
	if want := "journal\tENTRIES STOP since 2026-04-02 14:28:00: disk full; free some space\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestWarningsTellWhatLasts(t *testing.T) {
	var b strings.Builder
	printWarnings(&b, &broker.Link{Phase: broker.RestartPhase, Warnings: []string{"the handshake took 1.2 s"}, Breaker: broker.Breaker{State: broker.BreakerOpen, Tries: 1, MaxTries: 12}})
	want := "phase\tdaily restart\nbreaker\topen: 1 of 12 tries used\nwarning\tthe handshake took 1.2 s\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
