package exchange

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Report is something that happened to an order: one of the types below, as a
// value. Order is the order after it.
type Report interface{ report() }

// Accepted says that the order was taken (PreSubmitted).
type Accepted struct{ Order order.Order }

// Working says that the order is at the exchange (Submitted).
type Working struct{ Order order.Order }

// Executed is one execution. The fill's commission is not known yet, as on the
// wire; cumulative quantity and average price are the order's.
type Executed struct {
	Order order.Order
	Fill  order.Fill
}

// Commission tells what an execution cost and earned. RealizedPNL is before
// commission, and nil when the execution closed nothing.
type Commission struct {
	Order       order.Order
	ExecID      string
	Amount      market.Money
	Currency    string
	RealizedPNL *market.Money
}

// Cancelled says that what is left of the order will not fill.
type Cancelled struct {
	Order  order.Order
	Reason Reason
}

// Rejected says that the order was not taken.
type Rejected struct {
	Order  order.Order
	Reason Reason
	Text   string // plain words: value and mend
}

func (Accepted) report()   {}
func (Working) report()    {}
func (Executed) report()   {}
func (Commission) report() {}
func (Cancelled) report()  {}
func (Rejected) report()   {}

// Reason says why an order was refused or ended without filling.
type Reason uint8

// The reasons. From Asked on they end an order that was taken.
const (
	UnknownSymbol Reason = iota + 1
	UnknownAccount
	BadQuantity
	BadPrice // a limit order without a limit above 0, or a market order with one
	OffTick
	BadOrder // side, type or time in force that is not built
	NoMarket // an immediate order where nothing is known about the market
	Full     // a bound of the exchange is reached
	Asked    // cancelled on request
	Expired  // the session of a DAY order ended
	Remainder
)
