// Package strategytest holds a Context for tests of strategies: its fields are
// what the strategy sees, and what the strategy does stands in it afterwards.
//
// It promises nothing about orders: they neither fill nor end unless the test
// says so. For a strategy in its whole surroundings, replay a day.
package strategytest

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
)

// Context is what a strategy sees.
type Context struct {
	Sym     market.Symbol
	At      time.Time
	Past    bool // Warming
	Quoted  market.Quote
	Session market.Hours
	Held    *market.Qty // nil is unknown
	Pending market.Qty  // what outstanding orders will do to Held
	Worth   *market.Money
	Open    int // outstanding orders

	Orders []order.Intent    // what it asked for, without ids
	Shown  map[string]string // what it showed
	Said   string            // what it said last
}

var _ strategy.Context = (*Context)(nil)

// Symbol implements [strategy.Context].
func (c *Context) Symbol() market.Symbol { return c.Sym }

// Now implements [strategy.Context].
func (c *Context) Now() time.Time { return c.At }

// Warming implements [strategy.Context].
func (c *Context) Warming() bool { return c.Past }

// Quote implements [strategy.Context].
func (c *Context) Quote() market.Quote { return c.Quoted }

// Hours implements [strategy.Context].
func (c *Context) Hours() market.Hours { return c.Session }

// Position implements [strategy.Context].
func (c *Context) Position() (market.Qty, bool) {
	if c.Held == nil {
		return market.Qty{}, false
	}
	return *c.Held, true
}

// Expected implements [strategy.Context].
func (c *Context) Expected() (market.Qty, bool) {
	q, known := c.Position()
	return q.Add(c.Pending), known
}

// Equity implements [strategy.Context].
func (c *Context) Equity() (market.Money, bool) {
	if c.Worth == nil {
		return market.Money{}, false
	}
	return *c.Worth, true
}

// Outstanding implements [strategy.Context].
func (c *Context) Outstanding() int { return c.Open }

// Market implements [strategy.Context]. In the past it does nothing, as live.
func (c *Context) Market(side order.Side, qty market.Qty, reason string) {
	if c.Past {
		return
	}
	c.Orders = append(c.Orders, order.Intent{
		Action: order.Place, Symbol: c.Sym, Side: side, Type: order.Market, TIF: order.Day, Qty: qty, Reason: reason, At: c.At,
	})
}

// Show implements [strategy.Context].
func (c *Context) Show(name, value string) {
	if c.Shown == nil {
		c.Shown = map[string]string{}
	}
	c.Shown[name] = value
}

// Say implements [strategy.Context].
func (c *Context) Say(detail string) { c.Said = detail }

// Take removes and returns what was asked for, as text such as "BUY 10".
func (c *Context) Take() (all []string) {
	for _, in := range c.Orders {
		all = append(all, string(in.Side)+" "+in.Qty.String())
	}
	c.Orders = nil
	return all
}
