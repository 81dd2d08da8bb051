// Package strategy is the port between the runner and what decides to trade:
// what a strategy is told, what it may ask, and which parameters it has.
// Strategies live in sub-packages and import this package; it imports none of
// them.
//
// It promises a strategy that it is called by one goroutine at a time, with
// closed bars in order and each once, and that nothing it asks for passes by
// the desk and its risk gate. It does not promise that an order is allowed,
// written or filled: a strategy reads its position, not its wishes.
//
// # Design
//
// A strategy is told and answers at once; it keeps no goroutine, no clock and
// no connection. Time is an argument ([Context].Now), so that a recorded day
// behaves as it did. What it asks for is collected and sent after the call
// returns, so a call cannot block on the broker. A strategy that panics is
// stopped and shown as failed; the runner goes on.
package strategy

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// A Strategy decides for one symbol.
type Strategy interface {
	// Need returns how many closed bars it wants to see before it is useful; 0
	// asks for no warm-up and no history.
	Need() int
	// OnBar is told of a closed bar. Bars of the past, in the warm-up and after
	// an outage, come while Context.Warming is true.
	OnBar(c Context, b market.Bar)
	// OnTick is told of each tick, after the quote has taken it in.
	OnTick(c Context, t market.Tick)
	// OnFill is told of each execution of its own orders, once, after the
	// position has taken it in.
	OnFill(c Context, f order.Fill)
}

// Context is what a strategy sees and may do during one call. It must not be
// kept.
type Context interface {
	Symbol() market.Symbol
	// Now returns market time.
	Now() time.Time
	// Warming reports whether the call is about the past: orders asked for now
	// are dropped.
	Warming() bool
	Quote() market.Quote
	// Hours returns the contract's regular sessions; empty is unknown.
	Hours() market.Hours
	// Position returns what the account holds of the symbol; known is false as
	// long as nobody could tell.
	Position() (q market.Qty, known bool)
	// Expected returns the position when all its outstanding orders will have
	// filled.
	Expected() (q market.Qty, known bool)
	// Equity returns the account's worth: cash and positions at their newest
	// price.
	Equity() (m market.Money, known bool)
	// Outstanding returns how many of its orders have not ended, those of
	// unknown outcome included.
	Outstanding() int
	// Market asks for a market order, good for the day. Reason is for people.
	Market(side order.Side, qty market.Qty, reason string)
	// Show tells people what the strategy looks at, such as "fast", "187.21".
	Show(name, value string)
	// Say tells people what it does, such as "12 of 20 bars".
	Say(detail string)
}

// Kind is a strategy that can be selected by name.
type Kind struct {
	// Name selects it, such as "sma_cross".
	Name string
	// Params are all its parameters.
	Params []Param
	// PaperOnly refuses accounts that are not paper accounts.
	PaperOnly bool
	// Check tells what is wrong with values that are each in range, such as a
	// fast average that is slower than the slow one. Nil checks nothing.
	Check func(Values) error
	// New makes one for a symbol, with values that passed Parse.
	New func(s market.Symbol, v Values) Strategy
}
