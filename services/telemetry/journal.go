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

// Stored is how the journal's writes fare.
type Stored struct {
	Rows     uint64 // durable rows of its chain, of all its life
	Behind   uint64 // of them, those that the witness does not tell of yet
	Waiting  int    // records that wait to be written
	Failures uint64 // how often it began to fail, in this process's life
	Files    map[string]int64
	// Commits are how long it took to make an intent, and a group of reports,
	// durable, by kind.
	Commits map[string]Spans
}

// Spans is a histogram of lengths of time: how many were at most each bound, in
// seconds, of all that were counted.
type Spans struct {
	Count   uint64
	Sum     float64 // seconds
	Buckets map[float64]uint64
}

var (
	journalRows    = prometheus.NewDesc("trader_journal_rows_total", "Rows of the journal's chain that are durable, of all its life.", nil, nil)
	journalBehind  = prometheus.NewDesc("trader_journal_witness_behind_rows", "Durable rows that the witness beside the journal does not tell of yet.", nil, nil)
	journalWaiting = prometheus.NewDesc("trader_journal_waiting", "Records that wait to be written to the journal.", nil, nil)
	journalFails   = prometheus.NewDesc("trader_journal_failures_total", "How often the journal began to fail.", nil, nil)
	journalSize    = prometheus.NewDesc("trader_journal_file_bytes", "Size of the journal's files: the database and its log.", []string{"file"}, nil)
	journalCommit  = prometheus.NewDesc("trader_journal_commit_seconds",
		"Time until an intent, on its order's way, or a group of reports behind it was durable.", []string{"kind"}, nil)
)

// Stored adds the metrics of the journal's writes, once; now is asked at every
// scrape.
func (m *Metrics) Stored(now func() Stored) { m.registry.MustRegister(storedCollector(now)) }

type storedCollector func() Stored

// Describe implements [prometheus.Collector].
func (storedCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{journalRows, journalBehind, journalWaiting, journalFails, journalSize, journalCommit} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (now storedCollector) Collect(out chan<- prometheus.Metric) {
	s := now()
	out <- prometheus.MustNewConstMetric(journalRows, prometheus.CounterValue, float64(s.Rows))
	out <- prometheus.MustNewConstMetric(journalBehind, prometheus.GaugeValue, float64(s.Behind))
	out <- prometheus.MustNewConstMetric(journalWaiting, prometheus.GaugeValue, float64(s.Waiting))
	out <- prometheus.MustNewConstMetric(journalFails, prometheus.CounterValue, float64(s.Failures))
	for file, size := range s.Files {
		out <- prometheus.MustNewConstMetric(journalSize, prometheus.GaugeValue, float64(size), file)
	}
	for kind, c := range s.Commits {
		out <- prometheus.MustNewConstHistogram(journalCommit, c.Count, c.Sum, c.Buckets, kind)
	}
}
