// Package everytick holds the strategy "every_tick", which measures latency:
// it answers each trade with a market order for one share.
//
// It promises one order a trade, and that the position which its orders are
// heading for stays within one share of where it began on its first trade's
// side. It does not promise to earn anything; it is made to lose the spread.
// It refuses accounts that are not paper accounts.
//
// # Design
//
// It needs no bar, no history and no quote, so it can be measured from the
// first trade on. It buys when the expected position (held, and what its
// outstanding orders will do to it) is 0 or less, and sells otherwise, so that
// a thousand trades do not build a thousand shares. While the position is
// unknown it counts from 0; the gate refuses its entries then.
package everytick

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
)

// Kind returns the strategy for the runner's list.
func Kind() strategy.Kind {
	return strategy.Kind{
		Name:      "every_tick",
		PaperOnly: true,
		New:       func(market.Symbol, strategy.Values) strategy.Strategy { return everyTick{} },
	}
}

type everyTick struct{}

var one = market.Shares(1)

// Need implements [strategy.Strategy]: no warm-up.
func (everyTick) Need() int { return 0 }

// OnBar implements [strategy.Strategy]; bars do not matter.
func (everyTick) OnBar(strategy.Context, market.Bar) {}

// OnFill implements [strategy.Strategy]; the expected position says it all.
func (everyTick) OnFill(strategy.Context, order.Fill) {}

// OnTick answers a trade.
func (everyTick) OnTick(c strategy.Context, t market.Tick) {
	if t.Kind != market.TickTrade || !t.Known {
		return
	}
	side := order.Buy
	if expected, _ := c.Expected(); expected.Sign() > 0 {
		side = order.Sell
	}
	c.Market(side, one, "a trade")
}
