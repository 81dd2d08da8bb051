package exchange

import (
	"fmt"

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

// Reason says why an order was refused, or ended without filling whole.
type Reason uint8

// The reasons. From Asked on they end an order that was taken. The zero Reason
// is none.
const (
	UnknownSymbol  Reason = iota + 1
	UnknownAccount        // or none named where there are several
	BadQuantity           // not above 0, too many, or not whole shares
	BadPrice              // a limit order without a limit above 0, or a market order with one
	OffTick               // a limit that is not on the symbol's price grid
	BadOrder              // a side, type or time in force that is not built
	NoMarket              // an immediate order where nothing is known about the market
	Full                  // a bound of the exchange is reached
	Asked                 // cancelled on request
	Expired               // the session of a DAY order ended
	Remainder             // what an IOC order could not fill at once
	numReasons
)

// reasons holds the name of each reason and the code under which a TWS tells
// it (IBKR, "TWS API message codes"): 200 no security definition, 201 order
// rejected, 202 order cancelled, 110 price does not conform to the minimum
// variation, 321 request does not validate.
var reasons = [numReasons]struct {
	name string
	code int
}{
	UnknownSymbol:  {"unknown_symbol", 200},
	UnknownAccount: {"unknown_account", 321},
	BadQuantity:    {"bad_quantity", 201},
	BadPrice:       {"bad_price", 201},
	OffTick:        {"off_tick", 110},
	BadOrder:       {"bad_order", 201},
	NoMarket:       {"no_market", 201},
	Full:           {"full", 201},
	Asked:          {"asked", 202},
	Expired:        {"expired", 202},
	Remainder:      {"remainder", 202},
}

func (r Reason) String() string {
	if r > 0 && r < numReasons {
		return reasons[r].name
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// Code is the number under which a TWS tells the reason, 0 for none.
func (r Reason) Code() int {
	if r < numReasons {
		return reasons[r].code
	}
	return 0
}
