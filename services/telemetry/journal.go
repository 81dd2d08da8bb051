package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker"
)

var (
	journalFailed = prometheus.NewDesc("trader_journal_failed",
		"1 for the kind of failure for which the journal takes nothing, so that no entry is sent; 0 for all others.", []string{"kind"}, nil)
	journalSince = prometheus.NewDesc("trader_journal_failed_since_timestamp_seconds",
		"Unix time since which the journal fails; absent while it works.", nil, nil)
)

// Journal adds the journal's metrics, once; now is asked at every scrape and
// returns nil while the journal works.
func (m *Metrics) Journal(now func() *broker.JournalFailure) {
	m.registry.MustRegister(journalCollector(now))
}

type journalCollector func() *broker.JournalFailure

// Describe implements [prometheus.Collector].
func (journalCollector) Describe(out chan<- *prometheus.Desc) {
	out <- journalFailed
	out <- journalSince
}

// Collect implements [prometheus.Collector].
func (now journalCollector) Collect(out chan<- prometheus.Metric) {
	f := now()
	for _, kind := range broker.JournalFailureKinds() {
		v := 0.0
		if f != nil && f.Kind == kind {
			v = 1
		}
		out <- prometheus.MustNewConstMetric(journalFailed, prometheus.GaugeValue, v, kind)
	}
	if f != nil {
		out <- prometheus.MustNewConstMetric(journalSince, prometheus.GaugeValue, float64(f.Since.UnixMicro())/1e6)
	}
}
