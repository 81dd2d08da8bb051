package telemetry

import (
	"strings"
	"testing"

	"robotrader/services/event"
)

func TestAlertMetrics(t *testing.T) {
	m := NewMetrics()
	if got := scrape(t, m); strings.Contains(got, "trader_alert_") || strings.Contains(got, "trader_heartbeat_") {
		t.Error("alerting that does not run is in the metrics")
	}
	state := event.AlertState{
		Targets: []event.AlertTarget{{Name: "ntfy", State: "failing", Waiting: 3}, {Name: "mail", State: "untried"}},
		On:      []event.AlertOn{{Kind: "stale_data", Key: "A"}, {Kind: "stale_data", Key: "B"}},
		Counts:  []event.AlertCount{{Kind: "mode", Said: 5, Held: 2, Delivered: 4, Failed: 1}},
	}
	m.Alerts(func() event.AlertState { return state })
	m.Heartbeat(func() (well, ill, lost uint64) { return 7, 2, 1 })
	got := scrape(t, m)
	for _, want := range []string{
		`trader_alert_on{kind="stale_data"} 2`, `trader_alert_messages_total{kind="mode"} 5`, `trader_alert_held_total{kind="mode"} 2`,
		`trader_alert_delivered_total{kind="mode"} 4`, `trader_alert_failed_total{kind="mode"} 1`,
		`trader_alert_target_up{target="ntfy"} 0`, `trader_alert_target_up{target="mail"} 1`, `trader_alert_waiting{target="ntfy"} 3`,
		"trader_heartbeat_well_total 7", "trader_heartbeat_ill_total 2", "trader_heartbeat_lost_total 1",
		"# HELP trader_alert_failed_total Messages that a target did not get",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}
