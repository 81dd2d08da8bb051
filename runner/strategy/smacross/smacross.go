// Package smacross holds the strategy "sma_cross": it is long while a fast
// simple moving average of closes is above a slow one.
//
// It promises to hold whole shares, long or none, to have one order
// outstanding at a time, and to be flat at the end of a regular session whose
// hours are known. It takes the account's whole position of its symbol for its
// own, so that it can go on after a restart: do not give it a symbol that you
// hold for another reason. It does not promise to earn money, nor to touch a
// short position.
//
// # Design
//
// An entry needs a cross on a bar that closed just now: being above is not
// enough, so neither a start in mid-trend nor a refused entry is chased. An
// exit needs only the state, fast below slow, so one that was refused is asked
// again on the next bar. The size of an entry is a fraction of equity at the
// newest price, cut at max_notional, which stands below the risk gate's own
// limit so that a growing account does not run into refusals.
package smacross

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/indicator"
	"robotrader/runner/strategy"
)

// Kind returns the strategy for the runner's list.
func Kind() strategy.Kind {
	return strategy.Kind{
		Name: "sma_cross",
		Params: []strategy.Param{
			{Name: "fast", Doc: "length of the fast average", Unit: "bars", Default: "10", Min: "1", Max: "1000", Whole: true},
			{Name: "slow", Doc: "length of the slow average", Unit: "bars", Default: "20", Min: "2", Max: "2000", Whole: true},
			{Name: "fraction", Doc: "of equity for one entry", Default: "0.02", Min: "0.0001", Max: "1"},
			{Name: "max_notional", Doc: "largest entry", Unit: "USD", Default: "45000", Min: "1", Max: "1000000000"},
			{
				Name: "flat_at_close", Doc: "before the regular session's end to exit and to enter no more; 0 holds on",
				Unit: "minutes", Default: "5", Min: "0", Max: "240", Whole: true,
			},
		},
		Check: func(v strategy.Values) error {
			if v.Int("fast") >= v.Int("slow") {
				return fmt.Errorf("parameter fast=%d is not below slow=%d: %w", v.Int("fast"), v.Int("slow"), errOrder)
			}
			return nil
		},
		New: newCross,
	}
}

var errOrder = errors.New("the fast average needs fewer bars than the slow one")

// retry is how much market time passes between two tries to be flat at the
// close.
const retry = 30 * time.Second

type cross struct {
	need        int
	fast, slow  *indicator.SMA
	fraction    market.Qty
	maxNotional market.Money
	flatBefore  time.Duration

	above   bool // fast was above slow on the newest bar
	known   bool // above means something
	bars    int
	exitTry time.Time // market time of the newest try to be flat at the close
}

func newCross(_ market.Symbol, v strategy.Values) strategy.Strategy {
	return &cross{
		need:        v.Int("slow") + 1, // one more, to know what was before the first cross
		fast:        indicator.NewSMA(v.Int("fast")),
		slow:        indicator.NewSMA(v.Int("slow")),
		fraction:    v.Decimal("fraction"),
		maxNotional: market.MustPrice("1").Mul(v.Decimal("max_notional")),
		flatBefore:  time.Duration(v.Int("flat_at_close")) * time.Minute,
	}
}

// Need implements [strategy.Strategy].
func (x *cross) Need() int { return x.need }

// OnFill implements [strategy.Strategy]; the position says it all.
func (x *cross) OnFill(strategy.Context, order.Fill) {}

// OnBar moves the averages and acts on what they say.
func (x *cross) OnBar(c strategy.Context, b market.Bar) {
	x.bars++
	fast, _ := x.fast.Add(b.Close.Float())
	slow, full := x.slow.Add(b.Close.Float())
	if !full {
		c.Say(fmt.Sprintf("%d of %d bars", x.bars, x.need))
		return
	}
	was, knew := x.above, x.known
	// Equal averages keep what was: only a real cross counts.
	if fast != slow || !knew {
		x.above, x.known = fast > slow, true
	}
	c.Show("fast", figure(fast))
	c.Show("slow", figure(slow))
	if c.Warming() {
		c.Say("warmed up by past bars, waiting for the next one")
		return
	}
	x.act(c, b, knew && x.above && !was)
}

func (x *cross) act(c strategy.Context, b market.Bar, crossed bool) {
	held, known := c.Position()
	switch {
	case !known:
		c.Say("the position is unknown")
	case held.Sign() < 0:
		c.Say("the account is short; left alone")
	case c.Outstanding() > 0:
		c.Say("an order is outstanding")
	case held.Sign() > 0 && x.closing(c):
		x.exitAtClose(c, held)
	case held.Sign() > 0 && !x.above:
		c.Say("fast is below slow: exit")
		c.Market(order.Sell, held, "fast is below slow")
	case held.Sign() > 0:
		c.Say("long")
	case crossed:
		x.enter(c, b)
	default:
		c.Say("flat, waiting for a cross")
	}
}

func (x *cross) enter(c strategy.Context, b market.Bar) {
	// Hours that have all passed count as closed, too; only a venue that told
	// none leaves the question to the gate.
	if in, _ := c.Hours().Contains(c.Now()); !in && len(c.Hours()) > 0 {
		c.Say("a cross outside the regular session; left alone")
		return
	}
	if x.closing(c) {
		c.Say("a cross too near to the session's end; left alone")
		return
	}
	equity, known := c.Equity()
	if !known {
		c.Say("a cross, but the account's equity is unknown")
		return
	}
	price := b.Close
	if q := c.Quote(); q.Last != nil {
		price = *q.Last
	}
	budget := equity.MulFrac(x.fraction, market.Shares(1))
	if x.maxNotional.Less(budget) {
		budget = x.maxNotional
	}
	size := wholeShares(budget, price)
	if size.Sign() <= 0 {
		c.Say(fmt.Sprintf("a cross, but %v buys no share at %v", budget.Round(2), price))
		return
	}
	c.Say("fast crossed above slow: enter")
	c.Market(order.Buy, size, "fast crossed above slow")
}

// OnTick makes flat in time, when no bar closes in the last minutes.
func (x *cross) OnTick(c strategy.Context, t market.Tick) {
	if t.Kind != market.TickTrade || c.Warming() || c.Outstanding() > 0 {
		return
	}
	if held, known := c.Position(); known && held.Sign() > 0 && x.closing(c) {
		x.exitAtClose(c, held)
	}
}

func (x *cross) exitAtClose(c strategy.Context, held market.Qty) {
	if !x.exitTry.IsZero() && c.Now().Sub(x.exitTry) < retry {
		return
	}
	x.exitTry = c.Now()
	c.Say("the session ends: exit")
	c.Market(order.Sell, held, "the regular session ends")
}

// closing reports whether the regular session ends within the last minutes.
func (x *cross) closing(c strategy.Context) bool {
	now := c.Now()
	for _, s := range c.Hours() {
		if !now.Before(s.Open) && now.Before(s.Close) {
			return s.Close.Sub(now) <= x.flatBefore && x.flatBefore > 0
		}
	}
	return false
}

// wholeShares returns how many whole shares budget buys. The float is only a
// first guess; the answer is exact.
func wholeShares(budget market.Money, price market.Price) market.Qty {
	if price.Sign() <= 0 || budget.Sign() <= 0 {
		return market.Qty{}
	}
	guess := budget.Float() / price.Float()
	if guess >= order.MaxQty.Float() {
		return order.MaxQty
	}
	n := int64(guess)
	for n > 0 && budget.Less(price.Mul(market.Shares(n))) {
		n--
	}
	for !budget.Less(price.Mul(market.Shares(n + 1))) {
		n++
	}
	return market.Shares(n)
}

func figure(f float64) string { return strconv.FormatFloat(f, 'f', 4, 64) }
