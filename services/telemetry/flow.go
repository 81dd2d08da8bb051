package telemetry

import (
	"hash/maphash"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// flow counts what happens, as the desk tells it.
type flow struct {
	decisions   *prometheus.CounterVec
	transitions *prometheus.CounterVec
	fills       *prometheus.CounterVec
	differences *prometheus.CounterVec
	stages      *prometheus.HistogramVec
	rules       *words
	kinds       *words // of differences
	states      lastStates
}

// stageBuckets are the bounds of a stage of an order's way out, in seconds: its
// budget is 150 µs over the journal's commit, and a slow disk takes a second.
var stageBuckets = []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3, 250e-3, 1, 5}

func newFlow() *flow {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trader_" + name, Help: help}, labels)
	}
	f := &flow{
		decisions: counter("decisions_total", "Decisions about what was asked for, by outcome and, for a refusal, by the rule that refused.", "outcome", "rule"),
		transitions: counter("order_transitions_total",
			"Changes of an order's state in this process's life, by the state that it came to.", "state"),
		fills:       counter("executions_total", "Executions of orders, as they were told first, by side.", "side"),
		differences: counter("reconcile_differences_total", "Differences between books and broker, by what differs and whether the evidence explains it.", "kind", "explained"),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trader_order_stage_seconds", Buckets: stageBuckets,
			Help: "Time that the stages of an allowed order take: the gate's decision, the journal's commit, the write to the session.",
		}, []string{"stage"}),
		rules:  newWords(mostRules),
		kinds:  newWords(mostKinds),
		states: lastStates{seed: maphash.MakeSeed(), of: map[uint64]order.State{}},
	}
	f.decisions.WithLabelValues("allowed", "")
	for s := order.Sent; s <= order.Dropped; s++ {
		f.transitions.WithLabelValues(s.String())
	}
	f.fills.WithLabelValues(string(order.Buy))
	f.fills.WithLabelValues(string(order.Sell))
	for _, kind := range []string{"position", "order", "execution", "cash"} {
		f.differences.WithLabelValues(kind, "true")
		f.differences.WithLabelValues(kind, "false")
	}
	for _, stage := range []string{"gate", "journal", "wire"} {
		f.stages.WithLabelValues(stage)
	}
	return f
}

func (f *flow) collectors() []prometheus.Collector {
	return []prometheus.Collector{f.decisions, f.transitions, f.fills, f.differences, f.stages}
}

// Decided takes a decision of the desk or its gate.
func (m *Metrics) Decided(d event.Decided) {
	if d.Decision.Allowed {
		m.flow.decisions.WithLabelValues("allowed", "").Inc()
	} else {
		m.flow.decisions.WithLabelValues("refused", m.flow.rules.of(d.Decision.Rule)).Inc()
	}
}

// Order takes what is known about an order, and counts it when its state is
// another one than before.
func (m *Metrics) Order(o order.Order) {
	if m.flow.states.changed(o) {
		m.flow.transitions.WithLabelValues(o.State.String()).Inc()
	}
}

// Fill takes an execution. It is told again with its commission, which is not
// counted.
func (m *Metrics) Fill(f order.Fill) {
	if f.Commission == nil && f.Replaces == "" {
		m.flow.fills.WithLabelValues(string(f.Side)).Inc()
	}
}

// Finding takes a difference between books and broker.
func (m *Metrics) Finding(f broker.Finding) {
	explained := "false"
	if f.Explained {
		explained = "true"
	}
	m.flow.differences.WithLabelValues(m.flow.kinds.of(f.Kind), explained).Inc()
}

// Timed takes how long the stages of an order's way out took.
func (m *Metrics) Timed(t broker.Timing) {
	m.flow.stages.WithLabelValues("gate").Observe(t.Gate.Seconds())
	m.flow.stages.WithLabelValues("journal").Observe(t.Journal.Seconds())
	m.flow.stages.WithLabelValues("wire").Observe(t.Wire.Seconds())
}

// mostOrders bounds the orders whose newest state is remembered: many times what
// an account has open. The oldest is forgotten first; one that is told again
// after that, in the state that it had, counts twice.
const mostOrders = 4096

// lastStates are the newest states of the newest orders.
type lastStates struct {
	mu   sync.Mutex // guards what follows
	seed maphash.Seed
	of   map[uint64]order.State // by a hash of who they are: two of 4,096 are the same in no lifetime
	told []uint64               // keys of of, the oldest at next once it is full
	next int
}

// changed notes the order's state, and reports whether it is another one than
// before.
func (l *lastStates) changed(o order.Order) bool {
	name := o.Ref
	if name == "" { // made elsewhere
		name = "\x00" + strconv.FormatInt(o.PermID, 10) + "/" + strconv.FormatInt(o.OrderID, 10)
	}
	key := maphash.String(l.seed, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	was, known := l.of[key]
	l.of[key] = o.State
	switch {
	case known:
		return was != o.State
	case len(l.told) < mostOrders:
		l.told = append(l.told, key)
	default:
		delete(l.of, l.told[l.next])
		l.told[l.next] = key
		l.next = (l.next + 1) % mostOrders
	}
	return true
}
