// Package unwind decides what is still to be done when trading was halted or is
// to reduce only, or all positions are to be closed: which orders are to end, and which order
// closes a position next.
//
// It promises that an order that can only make a position smaller is not among
// the entries that a halt ends; that an order closes a position only when all
// others of its symbol have ended, and another follows only when that one has;
// that the first one waits until the broker was asked for its positions, and each
// as long as its word differs from the books; that no step has the id of another,
// in whatever life of the program; and that it gives up after a number of tries. It is pure: whoever has it asks for what
// it wants, by the one door, as any order is, and tells it what became of that.
// It does not promise that a position is closed: only a new answer of the
// broker's says so, and whoever asked for that ends the flatten.
package unwind

import (
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// View is the account that is unwound.
type View struct {
	Books *books.Books
	Who   *broker.Facts // of the session; nil without one
	// Keeps says that the protective stops are looked after: they are cancelled
	// when they protect nothing any more, and not before.
	Keeps bool
	Wall  time.Time
}

// ToEnd lists the orders that are to end and that this client can end: when
// reduce_only or halted the entries, when flattening all but those that close and the
// protective stops.
func (v View) ToEnd(flatten bool) (list []*books.Entry) {
	for _, sym := range slices.Sorted(maps.Keys(v.Books.Live)) {
		if flatten {
			for _, e := range v.Books.Live[sym] {
				if v.cancellable(e) && !e.Closes() && !v.keeps(e) {
					list = append(list, e)
				}
			}
			continue
		}
		list = append(list, v.entries(sym)...)
	}
	return list
}

// keeps reports whether an order is a protective stop that is looked after.
func (v View) keeps(e *books.Entry) bool { return v.Keeps && e.Protects() }

// cancellable reports whether an order is one of this client's that still
// works, or may.
func (v View) cancellable(e *books.Entry) bool {
	if !e.State.Live() || e.OrderID == 0 || e.Ref == "" {
		return false
	}
	return v.Who == nil || v.Books.Ours(v.Who, e)
}

// entries lists the orders of a symbol that may open or enlarge a position, or
// turn it over: those that do not fit into the position, taken together. The
// desk's own are none. In doubt, with the position unknown, every other is one.
func (v View) entries(sym market.Symbol) (list []*books.Entry) {
	pos := v.Books.Holding(sym)
	var room market.Qty
	groups := map[string]bool{} // one-cancels-all groups that have their room
	if pos != nil {
		room = pos.Abs()
		for _, e := range v.Books.Live[sym] {
			if e.Strategy == books.OwnStrategy && against(*pos, e) && e.State.Live() {
				room = room.Sub(e.MostLeft())
				groups[e.OCA] = e.OCA != ""
			}
		}
	}
	for _, e := range v.Books.Live[sym] {
		switch {
		case e.Strategy == books.OwnStrategy || !v.cancellable(e):
		case pos == nil || !against(*pos, e):
			list = append(list, e)
		case e.OCA != "" && groups[e.OCA] && !pos.Abs().Less(e.MostLeft()): // what it executes, another does not
		case room.Less(e.MostLeft()):
			list = append(list, e)
		default:
			room = room.Sub(e.MostLeft())
			groups[e.OCA] = e.OCA != ""
		}
	}
	return list
}

// against reports whether an order goes against a position.
func against(pos market.Qty, e *books.Entry) bool {
	return pos.Sign()*e.Side.Signed(market.Shares(1)).Sign() < 0
}

// position is the account's holding by the books, nil when unknown.
func (v View) position(sym market.Symbol) *market.Qty {
	if p, ok := v.Books.Positions[sym]; ok && books.Foreign(v.Who, p.Account) {
		return nil
	}
	if sym.IsOther() { // not ours to close
		return &market.Qty{}
	}
	return v.Books.Holding(sym)
}

// live looks through the orders of a symbol that may still work: the one that
// closes, the number of others that have to end before it, and one whose
// outcome is unknown and that could close what is closed as well.
func (v View) live(sym market.Symbol) (works *books.Entry, others int, unknown *books.Entry) {
	pos := v.position(sym)
	for _, e := range v.Books.Live[sym] {
		switch {
		case !v.cancellable(e):
		case e.State == order.Unknown && pos != nil && !pos.IsZero() && !against(*pos, e):
			// It can only add to the position. What is held is closed meanwhile, and
			// what it turns out to have filled after that.
		case e.State == order.Unknown:
			unknown = e
		case e.Closes():
			works = e
		case v.keeps(e) && pos != nil && against(*pos, e):
			// The order that closes joins its group, so the position is never
			// without it.
		default:
			others++
		}
	}
	return works, others, unknown
}

// untold returns an order that has closed more of a position than is counted, ""
// without one.
func (v View) untold(sym market.Symbol, pos market.Qty) string {
	ref, _ := v.Books.Untold(sym, books.ExitSide(pos))
	return ref
}

// elsewhere returns an order against the position that works and is not this
// client's, nil when there is none.
func (v View) elsewhere(sym market.Symbol, pos market.Qty) *books.Entry {
	for _, e := range v.Books.Live[sym] {
		if e.State.Live() && !books.Foreign(v.Who, e.Account) && !v.cancellable(e) && against(pos, e) {
			return e
		}
	}
	return nil
}
