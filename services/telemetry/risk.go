package telemetry

import (
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// riskCollector tells how far the limits of the account are used up, by the
// numbers of the newest decision that saw them. What no decision has seen yet
// is absent, and so is a limit that is switched off.
type riskCollector struct {
	newest atomic.Pointer[order.Decision]
}

var (
	riskUse = prometheus.NewDesc("trader_risk_use_ratio",
		"How much of a limit of the account is used, 1 is all of it, by the newest decision that saw it; absent while it is not known or the rule is off.",
		[]string{"limit"}, nil)
	riskAt = prometheus.NewDesc("trader_risk_seen_timestamp_seconds",
		"Unix time, by the market, of the decision whose numbers trader_risk_use_ratio tells.", nil, nil)
)

// limits are the limits of the whole account, and the rule that holds each: the
// number in a decision, the limit's name beside it, the rule. Those of a single
// order and of one symbol are in each decision.
var limits = [...]struct{ used, limit, rule string }{
	{"day_loss", "max_daily_loss", "daily_loss"},
	{"drawdown", "max_drawdown", "drawdown"},
	{"losing_streak", "max_losing_streak", "losing_streak"},
	{"notional_today", "notional_per_day", "notional_per_day"},
	{"orders_last_minute", "orders_per_minute", "orders_per_minute"},
	{"gross", "max_gross_notional", "max_gross_notional"},
}

// decided takes a decision. One about a cancel saw no limits.
func (c *riskCollector) decided(d order.Decision) {
	if d.Saw.IsZero() || len(d.Saw.Map()["limits"]) == 0 {
		return
	}
	c.newest.Store(&d)
}

// Describe implements [prometheus.Collector].
func (*riskCollector) Describe(out chan<- *prometheus.Desc) {
	out <- riskUse
	out <- riskAt
}

// Collect implements [prometheus.Collector].
func (c *riskCollector) Collect(out chan<- prometheus.Metric) {
	d := c.newest.Load()
	if d == nil {
		return
	}
	out <- prometheus.MustNewConstMetric(riskAt, prometheus.GaugeValue, float64(d.At.UnixMicro())/1e6)
	saw := d.Saw.Map()
	most := map[string]string{}
	for _, w := range strings.Fields(saw["limits"]) {
		if name, v, ok := strings.Cut(w, "="); ok {
			most[name] = v
		}
	}
	off := "," + most["off"] + ","
	for _, l := range limits {
		if share, ok := ratio(saw[l.used], most[l.limit]); ok && !strings.Contains(off, ","+l.rule+",") {
			out <- prometheus.MustNewConstMetric(riskUse, prometheus.GaugeValue, share, l.limit)
		}
	}
}

// ratio returns how much of a limit is used, never below 0; ok is false when it
// is not known. Nothing is refused by it.
func ratio(used, limit string) (share float64, ok bool) {
	u, err := market.ParseMoney(strings.TrimSuffix(used, "%"))
	l, errL := market.ParseMoney(strings.TrimSuffix(limit, "%"))
	if err != nil || errL != nil || l.Sign() <= 0 {
		return 0, false
	}
	return max(0, u.Float()/l.Float()), true
}
