package telemetry

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

func TestHealthMetrics(t *testing.T) {
	m := NewMetrics()
	if got := scrape(t, m); strings.Contains(got, "trader_health_") {
		t.Error("what nobody told is in the metrics")
	}
	ago := func(d time.Duration) *time.Time { at := time.Now().Add(-d); return &at }
	trip := 12.5
	m.Alarm("not_ready", true)
	m.Health(event.HealthState{
		Account: broker.Part{Name: "account", Kind: "account", State: broker.PartOK},
		Data: []broker.Freshness{
			{Symbol: "AAPL", State: "live", Last: ago(time.Hour), Asked: 3},
			{Symbol: "MSFT", State: "stale"},
		},
		Session: &broker.Health{
			LastFrame: ago(2 * time.Hour), RoundTripMS: &trip, Missed: 1, Competing: ago(0),
			Venue:  broker.Part{Name: "venue", Kind: "venue", State: broker.PartBroken},
			Farms:  []broker.Part{{Name: "usfarm\xff", Kind: "market", State: broker.PartIdle}, {Name: "usfarm\xfe", Kind: "market", State: broker.PartIdle}},
			Pacing: broker.Pacing{Limit: 45, Sent: 7, Waiting: 2, WaitedMS: 1500, LongestMS: 250, HalvedUntil: ago(time.Second)},
			Lines:  broker.Use{Used: 2, Limit: 100},
		},
	})
	got := scrape(t, m)
	for _, want := range []string{
		`trader_alarm{name="not_ready"} 1`,
		`trader_health_part{kind="account",part="account",state="ok"} 1`,
		`trader_health_part{kind="venue",part="venue",state="broken"} 1`,
		`trader_health_part{kind="market",part="usfarm?",state="idle"} 1`,
		`trader_health_symbols{state="live"} 1`, `trader_health_symbols{state="stale"} 1`, `trader_health_symbols{state="blocked"} 0`,
		`trader_health_tick_age_seconds{symbol="AAPL"} 3600.`, `trader_health_subscriptions_total{symbol="AAPL"} 3`,
		`trader_health_frame_age_seconds 7200.`, `trader_health_round_trip_seconds 0.0125`, `trader_health_missed 1`,
		`trader_health_competing 1`, `trader_health_read_only_api 0`,
		`trader_health_lines{which="used"} 2`, `trader_health_lines{which="limit"} 100`,
		`trader_health_pacing_sent 7`, `trader_health_pacing_waiting 2`, `trader_health_pacing_waited_seconds 1.5`,
		`trader_health_pacing_longest_wait_seconds 0.25`, `trader_health_pacing_halved 0`,
		"# HELP trader_health_pacing_sent Messages to the gateway in the last second.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if strings.Contains(got, `tick_age_seconds{symbol="MSFT"}`) || strings.Contains(got, "trader_health_answer_age") {
		t.Error("what is not known has a figure")
	}
	m.Health(event.HealthState{}) // the session is over
	if got := scrape(t, m); strings.Contains(got, "trader_health_lines") || strings.Contains(got, `symbol="AAPL"`) {
		t.Error("a session that is over is still in the metrics")
	}
}
