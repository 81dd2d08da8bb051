package broker

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Exposure tells how large a symbol's position may become: with all of the
// open orders on one side filled, or none.
type Exposure struct {
	Held   market.Qty
	Buys   market.Qty // that the open orders may still take
	Sells  market.Qty
	Price  market.Price // the highest of the market and the orders' own prices
	Priced bool         // without it there is nothing to measure with
}

// Worst returns the largest size that the position may come to.
func (e Exposure) Worst() market.Qty {
	worst := e.Held.Abs()
	for _, q := range [...]market.Qty{e.Held.Add(e.Buys).Abs(), e.Held.Sub(e.Sells).Abs()} {
		if worst.Less(q) {
			worst = q
		}
	}
	return worst
}

// Raise makes p the price if it is above it, or the first.
func (e *Exposure) Raise(p *market.Price) {
	if p != nil && (!e.Priced || e.Price.Less(*p)) {
		e.Price, e.Priced = *p, true
	}
}

// OpenQty returns what the live orders of a symbol may still take on one side.
// A stop of a one-cancels-all group takes only what the largest of its group
// leaves it; other orders of a group count each for itself, because a fill that
// nobody has told yet may have ended the group. Stops of the group without, and
// the order except, are left out.
func OpenQty(open []order.Order, s market.Symbol, side order.Side, without string, except *order.Order) (sum market.Qty) {
	counts := func(o *order.Order) bool {
		return o.Side == side && o.Symbol == s && o.State.Live() && !Same(o, except)
	}
	for i := range open {
		o := &open[i]
		switch {
		case !counts(o):
		case o.OCA == "" || o.Type != order.Stop:
			sum = sum.Add(o.Remaining())
		case o.OCA != without:
			sum = sum.Add(stopTakes(open, i, counts))
		}
	}
	return sum
}

// OpenBeside is OpenQty beside an order that is to join a group. A stop in it
// takes only what the others of the group leave, so that these do not count for
// it.
func OpenBeside(open []order.Order, in order.Intent, except *order.Order) market.Qty {
	sum := OpenQty(open, in.Symbol, in.Side, in.OCA, except)
	if in.Type != order.Stop || in.OCA == "" {
		return sum
	}
	for i := range open {
		if o := &open[i]; o.OCA == in.OCA && o.Type != order.Stop && o.Side == in.Side && o.Symbol == in.Symbol && o.State.Live() && !Same(o, except) {
			sum = sum.Sub(o.Remaining())
		}
	}
	return sum
}

// stopTakes is what a group's largest stop takes beside the other orders of the
// group, 0 for its smaller stops; the first of equals is the largest.
func stopTakes(open []order.Order, i int, counts func(*order.Order) bool) (left market.Qty) {
	left = open[i].Remaining()
	mine := left
	for k := range open {
		o := &open[k]
		if k == i || o.OCA != open[i].OCA || !counts(o) {
			continue
		}
		r := o.Remaining()
		if o.Type != order.Stop {
			left = left.Sub(r)
		} else if mine.Less(r) || r == mine && k < i {
			return market.Qty{}
		}
	}
	if left.Sign() < 0 {
		return market.Qty{}
	}
	return left
}

// Same reports whether both are one order: by its reference, its number at the
// client and the venue's.
func Same(a, b *order.Order) bool {
	return a != nil && b != nil && a.Ref == b.Ref && a.OrderID == b.OrderID && a.ClientID == b.ClientID && a.PermID == b.PermID
}
