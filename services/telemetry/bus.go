package telemetry

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/services/event"
)

// BusPublisher is what one place on the bus has written.
type BusPublisher struct {
	Name        string
	Published   uint64 // messages
	Undecodable uint64 // payloads that it could not read
}

// BusSubscriber is what one place on the bus hears of a topic.
type BusSubscriber struct {
	Name, Topic string
	Delivered   uint64 // messages that were handled
	Dropped     uint64 // that found the queue full
	Lost        uint64 // that its numbers show to be missing
	Pending     uint64 // that wait
}

// BusOutside is how the bridge to the programs outside stands.
type BusOutside struct {
	Kept, Loose, Ticks         int    // messages that wait, by kind; of ticks the symbols
	Bytes                      int    // of the kept ones
	Dropped, Skipped, Combined uint64 // messages
	Cuts                       uint64 // how often a connection broke
	Waiting                    int    // order requests in line
	Clients                    int    // programs outside that are connected here, below 0 where others listen
	Handed                     uint64 // order requests that went to the desk
	Refused                    map[string]uint64
}

// Bus adds the metrics of the bus in the process, once; now is asked at every
// scrape.
func (m *Metrics) Bus(now func() ([]BusPublisher, []BusSubscriber)) {
	m.registry.MustRegister(busCollector{now})
}

// Outside adds the metrics of the bridge to the programs outside, once, and
// returns what is to be told of each change of its state. Now is asked at every
// scrape.
func (m *Metrics) Outside(now func() BusOutside) (tell func(event.BusState)) {
	c := &outsideCollector{now: now}
	m.registry.MustRegister(c)
	return func(s event.BusState) { c.state.Store(&s) }
}

func busDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("trader_bus_"+name, help, labels, nil)
}

var (
	busPublished   = busDesc("published_total", "Messages that a part of the trader wrote to the bus; questions and answers are not among them.", "publisher")
	busUndecodable = busDesc("undecodable_total", "Payloads that a part of the trader could not read.", "subscriber")
	busDelivered   = busDesc("delivered_total", "Messages that a part of the trader has handled, by topic.", "subscriber", "topic")
	busDropped     = busDesc("dropped_total", "Messages that found a subscriber's queue full, by topic.", "subscriber", "topic")
	busLost        = busDesc("lost_total", "Messages whose numbers show that they never came, by topic.", "subscriber", "topic")
	busPending     = busDesc("pending", "Messages that wait for a subscriber, by topic.", "subscriber", "topic")

	outsideState   = busDesc("outside_state", "1 for the state of the bridge to programs outside, 0 for all others.", "state")
	outsideSince   = busDesc("outside_state_since_timestamp_seconds", "Unix time since which the bridge is in its state.")
	outsideWaiting = busDesc("outside_waiting", "Messages that wait to be written to programs outside, by kind; of ticks the symbols.", "kind")
	outsideBytes   = busDesc("outside_waiting_bytes", "Bytes of the kept messages that wait to be written or confirmed.")
	outsideDropped = busDesc("outside_dropped_total", "Messages of topics that never drop which found no room while the bus was away.")
	outsideSkipped = busDesc("outside_skipped_total", "Messages and trades that were left out because the bus was away or slow, and that the next one mends.")
	outsideMerged  = busDesc("outside_combined_total", "Messages of ticks that became part of another.")
	outsideCuts    = busDesc("outside_disconnects_total", "How often a connection to the bus outside broke.")
	outsideClients = busDesc("outside_clients", "Programs outside that are connected to the trader's own listener.")
	outsideLine    = busDesc("outside_requests_waiting", "Order requests of programs outside that wait in line.")
	outsideHanded  = busDesc("outside_requests_total", "Order requests of programs outside that went to the desk.")
	outsideRefused = busDesc("outside_refused_total", "Order requests of programs outside that the trader answered without the desk's answer, by rule.", "rule")
)

type busCollector struct {
	now func() ([]BusPublisher, []BusSubscriber)
}

// Describe implements [prometheus.Collector]. The collector is unchecked: who is
// on the bus depends on the configuration.
func (busCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c busCollector) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, t prometheus.ValueType, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, float64(v), labels...)
	}
	publishers, subscribers := c.now()
	for _, p := range publishers { // names are unique on the bus
		tell(busPublished, prometheus.CounterValue, p.Published, p.Name)
		tell(busUndecodable, prometheus.CounterValue, p.Undecodable, p.Name)
	}
	type key struct{ name, topic string }
	sums := map[key]BusSubscriber{} // one may hear a topic twice
	for _, s := range subscribers {
		k := key{s.Name, s.Topic}
		sum := sums[k]
		sum.Delivered += s.Delivered
		sum.Dropped += s.Dropped
		sum.Lost += s.Lost
		sum.Pending += s.Pending
		sums[k] = sum
	}
	for k, s := range sums {
		tell(busDelivered, prometheus.CounterValue, s.Delivered, k.name, k.topic)
		tell(busDropped, prometheus.CounterValue, s.Dropped, k.name, k.topic)
		tell(busLost, prometheus.CounterValue, s.Lost, k.name, k.topic)
		tell(busPending, prometheus.GaugeValue, s.Pending, k.name, k.topic)
	}
}

type outsideCollector struct {
	now   func() BusOutside
	state atomic.Pointer[event.BusState]
}

// Describe implements [prometheus.Collector]. The collector is unchecked: which
// of its metrics there are depends on what is known.
func (*outsideCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *outsideCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if s := c.state.Load(); s != nil {
		for _, state := range []string{event.BusConnecting, event.BusUp, event.BusLost, event.BusClaimed, event.BusStopped} {
			gauge(outsideState, one(s.State == state), state)
		}
		gauge(outsideSince, float64(s.Since.UnixMicro())/1e6)
	}
	o := c.now()
	gauge(outsideWaiting, float64(o.Kept), "kept")
	gauge(outsideWaiting, float64(o.Loose), "loose")
	gauge(outsideWaiting, float64(o.Ticks), "ticks")
	gauge(outsideBytes, float64(o.Bytes))
	gauge(outsideLine, float64(o.Waiting))
	if o.Clients >= 0 {
		gauge(outsideClients, float64(o.Clients))
	}
	counter(outsideDropped, o.Dropped)
	counter(outsideSkipped, o.Skipped)
	counter(outsideMerged, o.Combined)
	counter(outsideCuts, o.Cuts)
	counter(outsideHanded, o.Handed)
	for _, rule := range slices.Sorted(maps.Keys(o.Refused)) {
		counter(outsideRefused, o.Refused[rule], rule)
	}
}
