package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker/market"
	"robotrader/services/event"
)

// workCollector tells what the runner does: its strategies, and cash, profit
// and loss by the executions.
type workCollector struct {
	mu         sync.Mutex // guards what follows
	strategies map[strategyKey]string
	portfolio  *event.PortfolioState // nil before the first
}

type strategyKey struct{ name, symbol string }

// strategyStates are those of [event.StrategyState].
var strategyStates = []string{"waiting", "warming", "running", "paused", "failed"}

var (
	workState = deskDesc("strategy_state", "1 for the state in which a strategy is for a symbol, 0 for all others.", "strategy", "symbol", "state")

	workCash       = deskDesc("portfolio_cash", "Cash by the executions, in the account's currency; absent while it is not known.")
	workEquity     = deskDesc("portfolio_equity", "Cash and positions at their newest price, in the account's currency; absent while it is not known.")
	workRealized   = deskDesc("portfolio_realized", "Profit that was realized in this run, before commission, in the account's currency.")
	workUnrealized = deskDesc("portfolio_unrealized", "Profit that is not realized, in the account's currency; absent while it is not known.")
	workCommission = deskDesc("portfolio_commission", "Commission of this run as far as it was told, in the account's currency.")
	workUntold     = deskDesc("portfolio_fills_without_commission", "Executions whose commission was not told yet.")
)

// Strategy takes the state of a strategy.
func (m *Metrics) Strategy(s event.StrategyState) { m.work.strategy(s) }

// Portfolio takes the newest cash, profit and loss.
func (m *Metrics) Portfolio(p event.PortfolioState) {
	m.work.mu.Lock()
	defer m.work.mu.Unlock()
	m.work.portfolio = &p
}

func (c *workCollector) strategy(s event.StrategyState) {
	key := strategyKey{valid(s.Name), valid(string(s.Symbol))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.strategies[key]; !known && len(c.strategies) >= mostStrategies {
		return
	}
	if c.strategies == nil {
		c.strategies = map[strategyKey]string{}
	}
	c.strategies[key] = s.State
}

// Describe implements [prometheus.Collector]. The collector is unchecked: which
// of its metrics there are depends on what is known.
func (*workCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *workCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, now := range c.strategies {
		for _, state := range strategyStates {
			gauge(workState, one(state == now), key.name, key.symbol, state)
		}
	}
	p := c.portfolio
	if p == nil {
		return
	}
	some := func(d *prometheus.Desc, m *market.Money) {
		if m != nil {
			gauge(d, m.Float())
		}
	}
	some(workCash, p.Cash)
	some(workEquity, p.Equity)
	some(workUnrealized, p.Unrealized)
	gauge(workRealized, p.Realized.Float())
	gauge(workCommission, p.Commission.Float())
	gauge(workUntold, float64(p.Pending))
}
