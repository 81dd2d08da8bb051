// Package tickcount holds the strategy "tick_count", which measures throughput:
// it counts what it hears and orders nothing.
//
// It promises exact counts since it was started: ticks of all kinds, and of
// trades their number and their shares, shown as "ticks", "trades" and
// "shares". It does not promise anything about what the venue left out.
//
// # Design
//
// Whoever sends knows how many trades it sent and of how many shares; equal
// figures here say that none was lost and none told twice. It needs no bar and
// no history, so that counting begins with the first tick.
package tickcount

import (
	"strconv"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
)

// Kind returns the strategy for the runner's list.
func Kind() strategy.Kind {
	return strategy.Kind{
		Name: "tick_count",
		New:  func(market.Symbol, strategy.Values) strategy.Strategy { return &tickCount{} },
	}
}

type tickCount struct {
	ticks, trades uint64
	shares        market.Qty
}

// Need implements [strategy.Strategy]: no warm-up.
func (*tickCount) Need() int { return 0 }

// OnBar implements [strategy.Strategy]; bars do not matter.
func (*tickCount) OnBar(strategy.Context, market.Bar) {}

// OnFill implements [strategy.Strategy]; there are no orders.
func (*tickCount) OnFill(strategy.Context, order.Fill) {}

// OnTick counts. What is shown is brought up to date with each trade, so that
// it stands when the last one has come; the other ticks are shown with the
// next trade.
func (s *tickCount) OnTick(c strategy.Context, t market.Tick) {
	s.ticks++
	if t.Kind != market.TickTrade || !t.Known {
		return
	}
	s.trades++
	s.shares = s.shares.Add(t.Size)
	c.Show("ticks", strconv.FormatUint(s.ticks, 10))
	c.Show("trades", strconv.FormatUint(s.trades, 10))
	c.Show("shares", s.shares.String())
}
