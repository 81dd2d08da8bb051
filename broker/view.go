package broker

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Mode is what the desk lets through.
type Mode string

// The modes.
const (
	Active     Mode = "active"
	ReduceOnly Mode = "reduce_only"
	Halted     Mode = "halted"
)

// View is what the risk gate sees when it decides: a snapshot taken inside the
// desk's command loop, so that check and reserve are one step. Only market
// time is in it.
type View struct {
	Now      time.Time // market time
	Link     LinkState
	Mode     Mode
	ReadOnly bool // broker.read_only
	Account  string
	Live     bool // the account is not a paper account
	Quote    market.Quote
	// Details is what the venue told about the intent's contract; nil when it
	// did not.
	Details *market.Details
	// Position is the account's holding of the intent's symbol by the desk's
	// books; nil means unknown, as before the first recovery.
	Position *market.Qty
	// Open are the live orders of the intent's symbol.
	Open []order.Order
	// Own says that the desk itself asks: for a protective stop, or to close a
	// position. Nobody on the bus can say so.
	Own bool
	// Target is the order that a cancel or a modification is about; nil when it
	// is not known, and for a new order.
	Target *order.Order
	// Sent are the market times of the orders written in the last minute,
	// oldest first.
	Sent []time.Time
	// SentNotional is the notional of all orders written in this market day.
	SentNotional market.Money
}

// Instant is one step of a lock-step replay: all that happens at one market
// time. The counts are those of the trader's present session.
type Instant struct {
	At      time.Time // market time
	Ticks   uint64    // market-data frames that the gateway wrote so far
	Reports uint64    // order-report frames that the gateway wrote so far
}
