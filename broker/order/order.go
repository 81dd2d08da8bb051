package order

import (
	"time"

	"robotrader/broker/market"
)

// Order is what is known about one order. Values are immutable once published.
type Order struct {
	Ref       string        `json:"ref"`      // the intent's id, the venue's orderRef; empty for an order made elsewhere
	OrderID   int64         `json:"order_id"` // the API client's number for it
	PermID    int64         `json:"perm_id"`  // the venue's number for it, 0 = not told yet
	ClientID  int           `json:"client_id"`
	Account   string        `json:"account"`
	Strategy  string        `json:"strategy"`
	Symbol    market.Symbol `json:"symbol"`
	ConID     int64         `json:"-"` // of its contract, as the venue told it; 0 = not told
	Side      Side          `json:"side"`
	Type      Type          `json:"type"`
	TIF       TIF           `json:"tif"`
	Qty       market.Qty    `json:"qty"`
	Limit     *market.Price `json:"limit"`
	StopPrice *market.Price `json:"stop_price,omitempty"` // of a stop order
	OCA       string        `json:"oca,omitempty"`        // its one-cancels-all group
	// Extended says that it trades in the extended hours, too (outsideRth).
	Extended bool          `json:"extended,omitempty"`
	State    State         `json:"state"`
	Filled   market.Qty    `json:"filled"`          // the sum of its executions
	AvgPrice *market.Price `json:"avg_price"`       // of its executions, nil without one
	Reason   string        `json:"reason"`          // why it was asked for
	Note     string        `json:"note"`            // the venue's last words about it
	Created  time.Time     `json:"created"`         // market time
	Updated  time.Time     `json:"updated"`         // market time
	Trace    string        `json:"trace,omitempty"` // of the intent that made it
	// Change is one that was written and that the venue has not shown yet, nil
	// without one. Until then either version may be in force.
	Change *Change `json:"change,omitempty"`
	// Lost is a change that the venue's list of open orders did not show, nil
	// without one. It may come yet for a while, as from behind a dialog of the
	// gateway; until then what it may do counts.
	Lost *Change `json:"lost,omitempty"`
}

// Change is what an order was asked to become.
type Change struct {
	ID        string        `json:"id"` // of the intent that asked
	Qty       market.Qty    `json:"qty"`
	Limit     *market.Price `json:"limit"`
	StopPrice *market.Price `json:"stop_price,omitempty"`
}

// MostQty returns the largest quantity that the order may have at the venue, by
// what the venue showed. A lost change is not in it: it decides no state.
func (o Order) MostQty() market.Qty {
	if c := o.Change; c != nil && o.Qty.Less(c.Qty) {
		return c.Qty
	}
	return o.Qty
}

// Most returns the worst that the order may still do: the largest quantity and
// the highest prices of all versions of it that may come into force.
func (o Order) Most() Order {
	if o.Change == nil && o.Lost == nil {
		return o
	}
	for _, c := range [...]*Change{o.Change, o.Lost} {
		if c == nil {
			continue
		}
		if o.Qty.Less(c.Qty) {
			o.Qty = c.Qty
		}
		if o.Limit != nil && c.Limit != nil && o.Limit.Less(*c.Limit) {
			o.Limit = c.Limit
		}
		if o.StopPrice != nil && c.StopPrice != nil && o.StopPrice.Less(*c.StopPrice) {
			o.StopPrice = c.StopPrice
		}
	}
	o.Change, o.Lost = nil, nil
	return o
}

// MostLeft returns the most that the order may still fill, never below 0.
func (o Order) MostLeft() market.Qty {
	most := o.MostQty()
	if c := o.Lost; c != nil && most.Less(c.Qty) {
		most = c.Qty
	}
	return Order{Qty: most, Filled: o.Filled}.Remaining()
}

// AfterFills returns the state in which what was filled leaves the order: it
// follows from that and from the largest quantity that may be in force, and is
// to be looked at after each change of either. What has ended stays so, but for
// one that turns out to be full.
func (o Order) AfterFills() State {
	most := o.MostQty()
	sig := Executed
	switch {
	case o.Filled.Sign() <= 0 || most.Sign() <= 0:
		return o.State
	case !o.Filled.Less(most):
		sig = FilledUp
	case o.State != Sent && o.State != Accepted && o.State != Working:
		return o.State
	}
	after, _ := o.State.Next(sig)
	return after
}

// Remaining returns what is left to fill, never below 0.
func (o Order) Remaining() market.Qty {
	r := o.Qty.Sub(o.Filled)
	if r.Sign() < 0 {
		return market.Qty{}
	}
	return r
}

// Fill is one execution. ExecID identifies it: the same execution told twice
// is one fill. The commission comes later, with a message of its own.
type Fill struct {
	ExecID     string        `json:"exec_id"`
	Ref        string        `json:"ref"`
	OrderID    int64         `json:"order_id"`
	PermID     int64         `json:"perm_id"`
	ClientID   int           `json:"client_id"`
	Account    string        `json:"account"`
	Symbol     market.Symbol `json:"symbol"`
	ConID      int64         `json:"-"` // of its contract, as the venue told it; 0 = not told
	Side       Side          `json:"side"`
	Qty        market.Qty    `json:"qty"`
	Price      market.Price  `json:"price"`
	Exchange   string        `json:"exchange"`
	At         time.Time     `json:"at"`         // market time, as the venue told it
	Commission *market.Money `json:"commission"` // nil until told
	Currency   string        `json:"currency"`
	// RealizedPNL is the venue's own figure for this execution, nil when it
	// opened a position or is not told yet.
	RealizedPNL *market.Money `json:"realized_pnl"`
	// Replaces is the id of the version that this one corrects, empty for a
	// first version. The older one counts nowhere any more; quantity 0 means that
	// the execution was taken back. See [ExecVersion].
	Replaces string `json:"replaces,omitempty"`
}

// Position is what an account holds of one contract, as somebody told it.
type Position struct {
	Account string        `json:"account"`
	Symbol  market.Symbol `json:"symbol"`
	ConID   int64         `json:"con_id"`
	Qty     market.Qty    `json:"qty"`      // negative is short
	AvgCost *market.Price `json:"avg_cost"` // a share, nil when not told
	// SecType is the venue's kind of what is no stock, such as OPT or FUT; its
	// symbol is one that [market.Symbol.Other] made then. Empty is a stock.
	SecType string `json:"sec_type,omitempty"`
	// Unmanaged says that the account holds it and this program does not trade
	// it: it has no stop from here, and no exit or flatten closes it.
	Unmanaged bool `json:"unmanaged,omitempty"`
}
