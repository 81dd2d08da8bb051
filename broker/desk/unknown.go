package desk

import (
	"fmt"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/order"
)

// unsure bars entries, and changes that enlarge one, in a symbol whose books
// cannot be trusted: an order of it has an unknown outcome, or its position
// differs from the broker's, or may. Orders that only make the position smaller
// pass, and cancels do; the former not when the position may be smaller already.
func (d *Desk) unsure(h *held, v broker.View, in order.Intent) bar {
	if v.Own || !enlarges(v, in) {
		return bar{}
	}
	var side order.Side
	if d.reduces(h, v, in) {
		side = in.Side
	}
	if ref, ok := d.books.Untold(in.Symbol, side); ok {
		return bar{"reconciling", fmt.Sprintf("order %.40q has ended with more filled than executions told, so the position of %s is not sure; wait until a look has counted it, which takes some seconds", ref, in.Symbol)}
	}
	if side != "" {
		return bar{}
	}
	_, suspect := d.books.Suspects[in.Symbol]
	if told := d.books.Told(in.Symbol); told != nil && (suspect || d.books.Positions[in.Symbol].Qty.Sign()*in.Side.Signed(in.Qty).Sign() < 0) {
		return bar{"reconciling", fmt.Sprintf("the broker told a position of %v %s and the books have %v; wait until it is settled, which takes some seconds", told, in.Symbol, d.books.Positions[in.Symbol].Qty)}
	}
	for _, e := range d.books.Live[in.Symbol] {
		if e.State == order.Unknown && !h.foreign(e.Account) {
			return bar{"unknown_order", fmt.Sprintf("the outcome of order %.40q (%s %v) is unknown: %s; entries in %s wait until the broker tells", e.Ref, e.Side, e.Qty, e.Note, in.Symbol)}
		}
	}
	return bar{}
}

// enlarges reports whether an intent asks for risk that is not there yet: a new
// order, or a change by which one has more left to fill, would fill sooner, or
// at another stop price.
func enlarges(v broker.View, in order.Intent) bool {
	t := v.Target
	switch {
	case in.Action != order.Modify || t == nil:
		return in.Action == order.Place
	case t.Remaining().Less(v.Left(in)) || !books.Alike(t.StopPrice, in.Stop):
		return true
	case t.Limit == nil || in.Limit == nil:
		return !books.Alike(t.Limit, in.Limit)
	case in.Side == order.Buy:
		return t.Limit.Less(*in.Limit)
	default:
		return in.Limit.Less(*t.Limit)
	}
}

// reduces reports whether an order, or a change of one, can only make the
// position smaller, also when all that is under way on its side fills, the
// unknown included.
func (d *Desk) reduces(h *held, v broker.View, in order.Intent) bool {
	position, qty := d.books.Surely(in.Symbol), v.Left(in)
	if position == nil || position.Sign()*in.Side.Signed(qty).Sign() >= 0 {
		return false
	}
	left := position.Abs().Sub(qty)
	for _, e := range d.books.Live[in.Symbol] {
		if e.Side != in.Side || h.foreign(e.Account) || broker.Same(&e.Order, v.Target) {
			continue
		}
		if in.OCA == "" || e.OCA != in.OCA { // of a group, what one executes another does not
			left = left.Sub(e.MostLeft())
		}
	}
	return left.Sign() >= 0
}
