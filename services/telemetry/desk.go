package telemetry

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Looks counts how often the books were held against the broker.
type Looks struct {
	Answered, Failed uint64
	Last             float64 // Unix time of the newest one that was answered, seconds; 0 = none yet
}

// Desk adds the metrics of the desk's books, once. Both are asked at every
// scrape; books is not ok when the desk does not answer, and then nothing is
// told of them.
func (m *Metrics) Desk(books func() (d event.Desk, ok bool), looks func() Looks) {
	m.registry.MustRegister(deskCollector{books, looks})
}

type deskCollector struct {
	books func() (event.Desk, bool)
	looks func() Looks
}

func deskDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("trader_"+name, help, labels, nil)
}

var (
	booksKnown  = deskDesc("books_known", "1 while the desk tells its books, 0 while it does not answer: all figures of orders, positions, guards, risk and mode are absent then.")
	openOrders  = deskDesc("orders", "Orders that have not ended, by state, as the books have them: before the first recovery those of the journal alone.", "state")
	heldShares  = deskDesc("position_shares", "Shares held of a symbol, below 0 is short; absent while positions are not known.", "symbol")
	guardCover  = deskDesc("guard_covered", "1 while a stop at the broker covers all of a position, 0 while not; absent where no stops are wanted.", "symbol")
	guardSince  = deskDesc("guard_since_timestamp_seconds", "Unix time since which trader_guard_covered is what it is.", "symbol")
	guardLacks  = deskDesc("guard_uncovered_positions", "Positions that no stop at the broker covers; absent where no stops are wanted or positions are not known.")
	deskMode    = deskDesc("mode", "1 for the mode in which the desk is, 0 for all others.", "mode")
	modeSince   = deskDesc("mode_since_timestamp_seconds", "Unix time since which the desk is in its mode.")
	toEnd       = deskDesc("mode_orders_to_end", "Orders that the mode wants ended and that have not ended.")
	flattening  = deskDesc("mode_flattening", "1 while positions are being closed by a flatten.")
	readOnly    = deskDesc("mode_read_only", "1 where the desk is told to refuse every order.")
	leftOut     = deskDesc("metrics_left_out", "Symbols that are left out of the figures by symbol, because there are too many.")
	looksTotal  = deskDesc("reconcile_looks_total", "How often the broker was asked so that the books could be held against it, by result.", "result")
	looksNewest = deskDesc("reconcile_last_look_timestamp_seconds", "Unix time of the newest look at the broker that was answered; absent before the first.")
)

// Describe implements [prometheus.Collector]. The collector is unchecked: which
// of its metrics there are depends on what is known.
func (deskCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c deskCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	l := c.looks()
	out <- prometheus.MustNewConstMetric(looksTotal, prometheus.CounterValue, float64(l.Answered), "answered")
	out <- prometheus.MustNewConstMetric(looksTotal, prometheus.CounterValue, float64(l.Failed), "failed")
	if l.Last > 0 {
		gauge(looksNewest, l.Last)
	}
	d, ok := c.books()
	gauge(booksKnown, one(ok))
	if !ok {
		return
	}
	byState := map[order.State]int{}
	for _, o := range d.Orders {
		byState[o.State]++
	}
	for s := order.Intended; !s.Final(); s++ {
		gauge(openOrders, float64(byState[s]), s.String())
	}
	gauge(leftOut, float64(positions(gauge, d.Positions)+guards(gauge, d.Guards)+risk(gauge, d.Limits.Limits)))
	mode(gauge, d)
}

type gaugeFunc func(d *prometheus.Desc, v float64, labels ...string)

// positions tells the first symbols and returns how many it left out. A symbol
// may have several contracts.
func positions(gauge gaugeFunc, list []order.Position) (left int) {
	shares := map[market.Symbol]market.Qty{}
	for _, p := range list {
		shares[p.Symbol] = shares[p.Symbol].Add(p.Qty)
	}
	for i, s := range slices.Sorted(maps.Keys(shares)) {
		if i >= mostSymbols {
			return len(shares) - mostSymbols
		}
		gauge(heldShares, shares[s].Float(), valid(string(s)))
	}
	return 0
}

func guards(gauge gaugeFunc, list []event.GuardState) (left int) {
	if list == nil {
		return 0
	}
	lacks := 0
	seen := map[market.Symbol]bool{}
	for _, g := range list {
		if !g.Covered {
			lacks++
		}
		switch {
		case seen[g.Symbol]: // a scrape with a series twice fails as a whole
		case len(seen) >= mostSymbols:
			left++
		default:
			seen[g.Symbol] = true
			gauge(guardCover, one(g.Covered), valid(string(g.Symbol)))
			if !g.Since.IsZero() {
				gauge(guardSince, float64(g.Since.UnixMicro())/1e6, valid(string(g.Symbol)))
			}
		}
	}
	gauge(guardLacks, float64(lacks))
	return left
}

func mode(gauge gaugeFunc, d event.Desk) {
	for _, m := range []broker.Mode{broker.Active, broker.ReduceOnly, broker.Halted} {
		gauge(deskMode, one(d.Mode.Mode == m), string(m))
	}
	if !d.Mode.Since.IsZero() {
		gauge(modeSince, float64(d.Mode.Since.UnixMicro())/1e6)
	}
	gauge(toEnd, float64(len(d.Mode.Pending)))
	gauge(flattening, one(d.Mode.Flatten))
	gauge(readOnly, one(d.ReadOnly))
}

// one is 1 for true and 0 for false.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
