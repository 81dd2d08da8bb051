package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Build adds what the program was built from, and how it runs, once. An empty
// text is not known and told as "".
func (m *Metrics) Build(version, commit, language, broker string) {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "trader_build_info", Help: "1, with the version, the commit and the Go release of this program, and the broker it runs with.",
	}, []string{"version", "commit", "goversion", "broker"})
	g.WithLabelValues(valid(version), valid(commit), valid(language), valid(broker)).Set(1)
	m.registry.MustRegister(g)
}
