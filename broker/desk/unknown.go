package desk

import (
	"fmt"

	"robotrader/broker/order"
)

// unsure bars entries in a symbol whose books cannot be trusted: an order of it
// has an unknown outcome, or its position differs from the broker's. Orders that
// only make the position smaller pass, and cancels do.
func (d *Desk) unsure(h *held, in order.Intent, own bool) bar {
	if in.Action != order.Place || own || d.reduces(in) {
		return bar{}
	}
	if s, ok := d.books.Suspects[in.Symbol]; ok {
		return bar{"reconciling", fmt.Sprintf("the broker's position of %s differs by %v from the books; wait until it is settled, which takes some seconds", in.Symbol, s.Diff)}
	}
	for _, e := range d.books.Live[in.Symbol] {
		if e.State == order.Unknown && !h.foreign(e.Account) {
			return bar{"unknown_order", fmt.Sprintf("the outcome of order %.40q (%s %v) is unknown: %s; entries in %s wait until the broker tells", e.Ref, e.Side, e.Qty, e.Note, in.Symbol)}
		}
	}
	return bar{}
}

// reduces reports whether an order can only make the position smaller, also
// when all that is under way on its side fills, the unknown included.
func (d *Desk) reduces(in order.Intent) bool {
	position := d.books.Holding(in.Symbol)
	if position == nil || position.Sign()*in.Side.Signed(in.Qty).Sign() >= 0 {
		return false
	}
	left := position.Abs().Sub(in.Qty)
	for _, e := range d.books.Live[in.Symbol] {
		if e.Side == in.Side && (in.OCA == "" || e.OCA != in.OCA) { // of a group, what one executes another does not
			left = left.Sub(e.MostLeft())
		}
	}
	return left.Sign() >= 0
}
