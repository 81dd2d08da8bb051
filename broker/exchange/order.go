package exchange

import (
	"fmt"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Request asks for an order, or for an order to be changed into this.
type Request struct {
	ClientID int
	OrderID  int64  // the API client's number
	Ref      string // orderRef
	Account  string // empty: the only account
	Symbol   market.Symbol
	Side     order.Side
	Type     order.Type
	TIF      order.TIF
	Qty      market.Qty
	Limit    *market.Price // of LMT, STP LMT, LOC and LIT; of TRAIL LIMIT in place of LimitOffset
	Terms
}

// Terms are what an order may ask for beyond its size, price and time in force.
// The zero Terms ask for nothing.
type Terms struct {
	// Stop is the price that sets off STP, STP LMT, MIT and LIT orders (the
	// API's auxPrice).
	Stop *market.Price `json:"stop,omitempty"`
	// TrailAmount and TrailPercent are the distance that TRAIL and TRAIL LIMIT
	// orders keep from the market: exactly one of them, above 0, the
	// percentage below 100.
	TrailAmount  *market.Price   `json:"trail_amount,omitempty"`
	TrailPercent *market.Percent `json:"trail_percent,omitempty"`
	// TrailStop is where the stop of a trailing order begins. Default: the
	// distance from the first trade that it sees, the last one included.
	TrailStop *market.Price `json:"trail_stop,omitempty"`
	// LimitOffset is how far the limit of a TRAIL LIMIT order is from its
	// stop, on the worse side. With a Limit and a TrailStop in its place, it is
	// their distance.
	LimitOffset *market.Price `json:"limit_offset,omitempty"`
	// OutsideRTH lets an order work in the extended hours, too. Orders without
	// a limit are set off there, but do not trade there.
	OutsideRTH bool `json:"outside_rth,omitempty"`
	// AllOrNone fills an order whole or not yet. MinQty is the least that its
	// first fill may be, 0 for any.
	AllOrNone bool       `json:"all_or_none,omitempty"`
	MinQty    market.Qty `json:"min_qty,omitzero"`
	// DisplaySize is what others are to see of it, 0 for all. It is kept and
	// has no effect: nobody sees own orders here.
	DisplaySize market.Qty `json:"display_size,omitzero"`
	// GoodAfter is when the order begins to work, zero for at once. GoodTill
	// is when a GTD order expires.
	GoodAfter time.Time `json:"good_after,omitzero"`
	GoodTill  time.Time `json:"good_till,omitzero"`
	// Parent is the perm id of the open order whose fill this one waits for, 0
	// for none. An order with a parent has no children of its own.
	Parent int64 `json:"parent,omitempty"`
	// OCAGroup names orders of the account of which one fill takes the others
	// away. A child without one gets its siblings for a group, as at the venue:
	// the parent's perm id in digits, with ReduceOpen.
	OCAGroup string  `json:"oca_group,omitempty"`
	OCAType  OCAType `json:"oca_type,omitempty"`
	// Hold keeps the order back until one of its family is given without it
	// (the API's transmit = false).
	Hold bool `json:"hold,omitempty"`
}

// OCAType says what a fill does to the other orders of its group. Blocking,
// which at the venue keeps two of them from being at two exchanges at once, is
// no difference here: a group never fills beyond what one order of it would.
type OCAType int

// The types, with the API's numbers. 0 stands for ReduceOpen, as in a gateway's
// presets (from general knowledge).
const (
	CancelBlock OCAType = 1 // the others are cancelled, also by a part
	ReduceBlock OCAType = 2 // the others are reduced by the same share
	ReduceOpen  OCAType = 3 // … without blocking
)

// Wait is what keeps an accepted order from working.
type Wait uint8

// The waits, in the order in which an order gets past them.
const (
	WaitNone     Wait = iota
	WaitTransmit      // for one of its family without Hold
	WaitParent        // for its parent's fill; a TWS tells whyHeld "child"
	WaitTime          // for its GoodAfter
	WaitSession       // for hours in which it may work
	WaitTrigger       // for a trade at its stop; a TWS tells whyHeld "trigger"
	numWaits
)

var waitNames = [numWaits]string{"", "transmit", "parent", "time", "session", "trigger"}

func (w Wait) String() string {
	if w < numWaits {
		return waitNames[w]
	}
	return fmt.Sprintf("wait(%d)", uint8(w))
}

// MarshalText makes a Wait its name.
func (w Wait) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads a wait's name.
func (w *Wait) UnmarshalText(b []byte) error {
	for i, n := range waitNames {
		if n == string(b) {
			*w = Wait(i)
			return nil
		}
	}
	return fmt.Errorf("exchange: unknown wait %.40q", b)
}

// Order is an order as the exchange knows it.
//
// Its state is Accepted as long as it waits (a TWS tells PreSubmitted), Working
// or Partial while it may trade, then Filled, Cancelled or Rejected.
type Order struct {
	order.Order
	Terms
	// Wait is what keeps it from working.
	Wait Wait `json:"wait,omitempty"`
	// Triggered says that its stop was reached: it goes on as the market or
	// limit order that it becomes.
	Triggered bool `json:"triggered,omitempty"`
	// TrailNow is where the stop of a trailing order is now, nil before the
	// first trade that it sees. TrailSeen is the best trade that it saw. Both
	// move without a report.
	TrailNow  *market.Price `json:"trail_now,omitempty"`
	TrailSeen *market.Price `json:"trail_seen,omitempty"`
}
