package telemetry

import (
	"net/http"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"robotrader/broker"
)

// Metrics is one registry with the metrics of this program. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	state    *prometheus.GaugeVec
	rung     *prometheus.GaugeVec
	since    prometheus.Gauge
	attempts prometheus.Counter
	readies  prometheus.Counter
	losses   prometheus.Counter
	alarms   *prometheus.GaugeVec
	health   healthCollector
	ladder   ladder
	flow     *flow
	work     workCollector

	seen chan linkSeen // holds the link told last: one token, its own lock
}

// linkSeen is what is needed of the link told before, to count changes.
type linkSeen struct {
	told    bool
	state   broker.LinkState
	attempt int
}

// linkStates lists all states, so that each has its series from the start.
var linkStates = []broker.LinkState{
	broker.Connecting, broker.Handshaking, broker.Recovering, broker.Ready, broker.Degraded,
	broker.Waiting, broker.NeedsRestart, broker.Refused, broker.Stopped,
}

// NewMetrics returns a registry with the runtime's and the process's
// collectors and the link's metrics.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trader_link_state", Help: "1 for the state in which the link to the broker is, 0 for all others.",
		}, []string{"state"}),
		rung: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trader_link_rung_seconds", Help: "Seconds from the start of the newest attempt to each rung that it reached.",
		}, []string{"rung"}),
		since: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trader_link_state_since_timestamp_seconds", Help: "Unix time since which the link is in its state.",
		}),
		attempts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trader_link_attempts_total", Help: "Attempts to open a session with the broker's gateway.",
		}),
		readies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trader_link_ready_total", Help: "How often the link became ready.",
		}),
		losses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trader_link_lost_total", Help: "Sessions that ended after they were ready.",
		}),
		alarms: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trader_alarm", Help: "1 while an alarm is on, by its name; not_ready: not ready to trade for too many market minutes.",
		}, []string{"name"}),
		ladder: newLadder(),
		flow:   newFlow(),
		seen:   make(chan linkSeen, 1),
	}
	m.seen <- linkSeen{}
	for _, s := range linkStates {
		m.state.WithLabelValues(s.String())
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
			Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`), // what grows when something leaks; all else goes up and down
		})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.state, m.rung, m.since, m.attempts, m.readies, m.losses,
		m.alarms, &m.health, &m.work,
	)
	m.registry.MustRegister(append(m.ladder.collectors(), m.flow.collectors()...)...)
	return m
}

// Link tells where the link stands after a change.
func (m *Metrics) Link(l broker.Link) {
	was := <-m.seen
	defer func() { m.seen <- linkSeen{true, l.State, l.Attempt} }()
	for _, s := range linkStates {
		v := 0.0
		if s == l.State {
			v = 1
		}
		m.state.WithLabelValues(s.String()).Set(v)
	}
	m.since.Set(float64(l.Since.UnixMicro()) / 1e6)
	changed := !was.told || was.state != l.State
	if l.State == broker.Connecting && (changed || was.attempt != l.Attempt) {
		m.attempts.Inc()
		m.rung.Reset()
		m.ladder.begins(l.Since)
	}
	m.ladder.told(l)
	for _, r := range l.Rungs {
		if r.OK {
			m.rung.WithLabelValues(r.Name).Set(r.AtMS / 1000)
		}
	}
	up := func(s broker.LinkState) bool { return s == broker.Ready || s == broker.Degraded }
	climbs := func(s broker.LinkState) bool { return s <= broker.Recovering }
	if was.told && climbs(was.state) && !climbs(l.State) && !up(l.State) && l.State != broker.Stopped {
		m.ladder.failed(l)
	}
	switch {
	case changed && l.State == broker.Ready && (!was.told || !up(was.state)):
		m.readies.Inc()
	case was.told && up(was.state) && !up(l.State):
		m.losses.Inc()
	}
}

// Alarm tells whether an alarm is on.
func (m *Metrics) Alarm(name string, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	m.alarms.WithLabelValues(name).Set(v)
}

// Handler serves the metrics in Prometheus' text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry: m.registry, Timeout: 5 * time.Second,
		DisableCompression: true, // one compressor holds more memory than ten scrapes
	})
}
