package exchange

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Report is something that happened to an order: one of the types below, as a
// value. Order is the order after it.
type Report interface {
	// About is the order that the report is about, as it is after it.
	About() Order
}

// Accepted says that the order was taken (PreSubmitted).
type Accepted struct{ Order Order }

// HeldBack says that the order waits for what its Wait tells (PreSubmitted): it
// was just accepted, or it has got past one wait, or its session has ended.
type HeldBack struct{ Order Order }

// Triggered says that a trade reached the stop. Working follows, or HeldBack
// where a market order has to wait for the regular session.
type Triggered struct{ Order Order }

// Working says that the order is at the exchange (Submitted).
type Working struct{ Order Order }

// Modified says that the order was changed: by [Exchange.Modify], by a fill in
// its OCA group, or by the end of its parent.
type Modified struct{ Order Order }

// Unmodified says that a change was refused, and that the order stands as it
// was.
type Unmodified struct {
	Order  Order
	Reason Reason
	Text   string // plain words: value and mend
}

// Warning is something to know about an order that was taken.
type Warning struct {
	Order Order
	Code  int    // under which a TWS tells it: 399 or 2109
	Text  string // without what a TWS writes before "Warning: "
}

// Executed is one execution. The fill's commission is not known yet, as on the
// wire; cumulative quantity and average price are the order's.
type Executed struct {
	Order Order
	Fill  order.Fill
}

// Commission tells what an execution cost and earned.
type Commission struct {
	Order    Order
	ExecID   string
	Amount   market.Money
	Currency string
	// RealizedPNL is before commission, and nil when the execution closed
	// nothing.
	RealizedPNL *market.Money
	// RealizedNet is RealizedPNL less the commission of opening and closing
	// these shares, as a live gateway tells it; nil with it.
	RealizedNet *market.Money
}

// Corrected says that an execution has a new version. It carries the
// commission, too: on the wire both the execution and its commission report
// come again under the new id.
type Corrected struct {
	// Order is the order while it is open. Of one that has ended only what its
	// executions tell is known here: it has no quantity, type or time in force,
	// and its State says nothing.
	Order Order
	Old   order.Fill // as it was told before
	Fill  order.Fill // Qty 0 when it was taken back
	// RealizedNet is the new version's RealizedPNL after commission.
	RealizedNet *market.Money
}

// Cancelled says that what is left of the order will not fill.
type Cancelled struct {
	Order  Order
	Reason Reason
}

// Rejected says that the order was not taken.
type Rejected struct {
	Order  Order
	Reason Reason
	Text   string // plain words: value and mend
}

// About implements [Report].
func (r Accepted) About() Order { return r.Order }

// About implements [Report].
func (r HeldBack) About() Order { return r.Order }

// About implements [Report].
func (r Triggered) About() Order { return r.Order }

// About implements [Report].
func (r Working) About() Order { return r.Order }

// About implements [Report].
func (r Modified) About() Order { return r.Order }

// About implements [Report].
func (r Unmodified) About() Order { return r.Order }

// About implements [Report].
func (r Warning) About() Order { return r.Order }

// About implements [Report].
func (r Executed) About() Order { return r.Order }

// About implements [Report].
func (r Commission) About() Order { return r.Order }

// About implements [Report].
func (r Corrected) About() Order { return r.Order }

// About implements [Report].
func (r Cancelled) About() Order { return r.Order }

// About implements [Report].
func (r Rejected) About() Order { return r.Order }

// Reason says why an order was refused, or ended without filling whole.
type Reason uint8

// The reasons. From Asked on they end an order that was taken. The zero Reason
// is none.
const (
	UnknownSymbol     Reason = iota + 1
	UnknownAccount           // or none named where there are several
	BadQuantity              // not above 0, too many, or not whole shares
	BadPrice                 // a price that its type lacks, must not have, or that is not above 0
	OffTick                  // a limit that is not on the symbol's price grid
	BadOrder                 // a side, type, time in force or mixture of terms that is not built
	NoMarket                 // an immediate order where nothing is known about the market
	Full                     // a bound of the exchange is reached
	InsufficientFunds        // the account cannot carry it
	NoParent                 // its parent is not open
	CannotModify             // a change of an order that has ended
	Mismatch                 // a change of side, symbol, account or parent
	Asked                    // cancelled on request
	Expired                  // the session of a DAY order ended
	Remainder                // what an IOC, FOK or OPG order could not fill at its moment
	OCA                      // another order of its group filled
	ParentEnded              // its parent ended without a fill
	numReasons
)

// reasons holds the name of each reason and the code under which a TWS tells
// it (IBKR, "TWS API message codes"): 200 no security definition, 201 order
// rejected, 202 order cancelled, 104 cannot modify a filled order, 105 order
// being modified does not match the original order, 110 price does not conform
// to the minimum variation, 321 request does not validate, 10006 missing parent
// order.
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

	InsufficientFunds: {"insufficient_funds", 201},

	NoParent:     {"no_parent", 10006},
	CannotModify: {"cannot_modify", 104},
	Mismatch:     {"mismatch", 105},
	Asked:        {"asked", 202},
	Expired:      {"expired", 202},
	Remainder:    {"remainder", 202},
	OCA:          {"oca", 202},
	ParentEnded:  {"parent_ended", 202},
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
