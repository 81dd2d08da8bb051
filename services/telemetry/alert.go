package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"robotrader/services/event"
)

// Alerts adds the metrics of alerting, once; now is asked at every scrape.
func (m *Metrics) Alerts(now func() event.AlertState) { m.registry.MustRegister(alertCollector{now}) }

// alertCollector tells how alerting stands, on demand.
type alertCollector struct{ now func() event.AlertState }

func alertDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("trader_alert_"+name, help, labels, nil)
}

var (
	alertOn        = alertDesc("on", "Troubles that are on, by kind.", "kind")
	alertSaid      = alertDesc("messages_total", "Messages that left for the targets, by kind.", "kind")
	alertHeld      = alertDesc("held_total", "News held back by quiet hours or the hour's budget and summed up, by kind.", "kind")
	alertDelivered = alertDesc("delivered_total", "Messages that a target took, each target counted, by kind.", "kind")
	alertFailed    = alertDesc("failed_total", "Messages that a target did not get, each target counted, by kind.", "kind")
	alertTarget    = alertDesc("target_up", "1 while a target takes messages or was not tried yet, 0 while it fails.", "target")
	alertWaiting   = alertDesc("waiting", "Messages that wait for a target.", "target")
)

// Describe implements [prometheus.Collector]. The collector is unchecked: which
// kinds there are depends on what happened.
func (alertCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c alertCollector) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, t prometheus.ValueType, v float64, label string) {
		out <- prometheus.MustNewConstMetric(d, t, v, valid(label))
	}
	s := c.now()
	on := map[string]int{}
	for _, x := range s.On {
		on[x.Kind]++
	}
	for kind, n := range on {
		tell(alertOn, prometheus.GaugeValue, float64(n), kind)
	}
	for _, k := range s.Counts {
		tell(alertSaid, prometheus.CounterValue, float64(k.Said), k.Kind)
		tell(alertHeld, prometheus.CounterValue, float64(k.Held), k.Kind)
		tell(alertDelivered, prometheus.CounterValue, float64(k.Delivered), k.Kind)
		tell(alertFailed, prometheus.CounterValue, float64(k.Failed), k.Kind)
	}
	for _, t := range s.Targets {
		up := 1.0
		if t.State == "failing" {
			up = 0
		}
		tell(alertTarget, prometheus.GaugeValue, up, t.Name)
		tell(alertWaiting, prometheus.GaugeValue, float64(t.Waiting), t.Name)
	}
}

// Heartbeat adds the metrics of the heartbeat, once; now is asked at every
// scrape.
func (m *Metrics) Heartbeat(now func() (well, ill, lost uint64)) {
	counter := func(result, help string, value func(well, ill, lost uint64) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "trader_heartbeat_" + result + "_total", Help: help,
		}, func() float64 { return float64(value(now())) }))
	}
	counter("well", "Beats of the external heartbeat that said that all is well.", func(well, _, _ uint64) uint64 { return well })
	counter("ill", "Beats that said, by /fail or by silence, that something is not.", func(_, ill, _ uint64) uint64 { return ill })
	counter("lost", "Beats that did not arrive.", func(_, _, lost uint64) uint64 { return lost })
}
