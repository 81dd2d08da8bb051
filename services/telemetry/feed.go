package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Feed is how the dashboards are served.
type Feed struct {
	Clients int    // that are connected
	Slow    uint64 // that were closed as too slow
	Behind  int    // messages that wait for the slowest of them
	Queue   int    // after how many it is closed
	Sent    uint64 // messages that were given to all of them
}

// Feed adds the metrics of the dashboards' feed, once; now is asked at every
// scrape.
func (m *Metrics) Feed(now func() Feed) {
	gauge := func(name, help string, value func(Feed) int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trader_feed_" + name, Help: help},
			func() float64 { return float64(value(now())) }))
	}
	counter := func(name, help string, value func(Feed) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "trader_feed_" + name, Help: help},
			func() float64 { return float64(value(now())) }))
	}
	gauge("clients", "Clients of the feed that are connected.", func(f Feed) int { return f.Clients })
	gauge("behind", "Messages that wait for the slowest client of the feed.", func(f Feed) int { return f.Behind })
	gauge("behind_limit", "Messages that may wait for a client before it is closed as too slow.", func(f Feed) int { return f.Queue })
	counter("slow_total", "Clients of the feed that were closed as too slow.", func(f Feed) uint64 { return f.Slow })
	counter("messages_total", "Messages of the feed, each counted once whoever hears it.", func(f Feed) uint64 { return f.Sent })
}
