package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker"
)

// ladder tells of each rung: whether the newest attempt, or the session that it
// led to, stands on it, since when, and how often attempts ended before it.
type ladder struct {
	reached  *prometheus.GaugeVec
	since    *prometheus.GaugeVec
	failures *prometheus.CounterVec

	began time.Time // wall time of the newest attempt, as far as it is known
}

func newLadder() ladder {
	l := ladder{
		reached: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trader_link_rung_reached", Help: "1 while the link stands on a rung of the readiness ladder, 0 while not.",
		}, []string{"rung"}),
		since: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trader_link_rung_reached_timestamp_seconds", Help: "Unix time at which the link reached a rung on which it stands; absent while it does not.",
		}, []string{"rung"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trader_link_rung_failures_total", Help: "Attempts that ended at a rung, by the rung that was not reached.",
		}, []string{"rung"}),
	}
	for _, r := range broker.Rungs() {
		l.reached.WithLabelValues(r)
		l.failures.WithLabelValues(r)
	}
	return l
}

func (l *ladder) collectors() []prometheus.Collector {
	return []prometheus.Collector{l.reached, l.since, l.failures}
}

// begins notes a new attempt.
func (l *ladder) begins(at time.Time) {
	l.began = at
	l.clear()
}

func (l *ladder) clear() {
	l.since.Reset()
	for _, r := range broker.Rungs() {
		l.reached.WithLabelValues(r).Set(0)
	}
}

// told takes the rungs of a link. An attempt that has failed, and a session that
// is over, stand on none.
func (l *ladder) told(k broker.Link) {
	switch k.State {
	case broker.Waiting, broker.NeedsRestart, broker.Refused, broker.Stopped:
		l.clear()
		return
	}
	for _, r := range k.Rungs {
		if !r.OK {
			continue
		}
		l.reached.WithLabelValues(r.Name).Set(1)
		if !l.began.IsZero() {
			at := l.began.Add(time.Duration(r.AtMS * float64(time.Millisecond)))
			l.since.WithLabelValues(r.Name).Set(float64(at.UnixMicro()) / 1e6)
		}
	}
}

// failed counts an attempt that ended before it was ready, at its rung.
func (l *ladder) failed(k broker.Link) {
	for _, r := range k.Rungs {
		if !r.OK {
			l.failures.WithLabelValues(r.Name).Inc()
			return
		}
	}
}
