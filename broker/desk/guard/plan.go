package guard

import (
	"fmt"
	"slices"
	"time"

	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// exitsWithin is how long an exit may leave no room for the stop of a position
// before it is cancelled: longer than one that trades takes. Wall time.
const exitsWithin = 10 * time.Second

// plan is what is to be done for one position. Without an action, nothing is.
type plan struct {
	covered bool
	held    market.Qty   // what stops that the broker has confirmed hold
	cause   string       // why it is not covered, or not all of it can be
	stop    *books.Entry // the largest of the desk's stops for it, nil without one
	in      *order.Intent
}

// plan compares what should rest at the broker with what does.
func (g *Guard) plan(v View) (p plan) {
	pos := v.position(g.state.Symbol)
	r := Against(v.Books, v.Who, g.state.Symbol)
	for _, e := range r.Stops() {
		if p.stop == nil || p.stop.Remaining().Less(e.Remaining()) {
			p.stop = e
		}
	}
	if r.stray != nil {
		if p.stop == nil {
			p.stop = r.stray
		}
		p.cause = "a stop that is not wanted any more is being cancelled"
		if (v.settled(r.stray) || g.lost(v, r.stray)) && !v.Market.IsZero() {
			p.in = g.cancel(v, r.stray, "protects nothing any more")
		}
		return p
	}
	if pos.IsZero() {
		return p
	}
	p.held = r.held()
	p.covered = !p.held.Less(v.whole(r.pos))
	p.cause = uncovered(r, p.stop)
	if !v.Market.IsZero() {
		g.mend(v, r, pos, &p)
	}
	if p.covered {
		p.cause = ""
		if rest := r.pos.Sub(v.whole(r.pos)); !rest.IsZero() {
			p.cause = fmt.Sprintf("%v of %v is less than an order can be about", rest, r.pos)
		}
	}
	return p
}

// settled reports whether it is known how an order stands, and no fill of its
// group has still to be taken off it.
func (v View) settled(e *books.Entry) bool { return e.Settled(v.Wall) }

// lost reports whether a cancel went down with a session or a life.
func (g *Guard) lost(v View, e *books.Entry) bool {
	return e.State == order.Cancelling && v.Wall.Sub(g.ended) >= books.CancelAgain
}

// whole is what an order can be about of a quantity, never below 0.
func (v View) whole(q market.Qty) market.Qty { return Whole(v.Details, q) }

// Whole is what an order of a contract can be about of a quantity, never below 0.
// A contract that is not known, or tells no grid, has whole shares.
func Whole(of *market.Details, q market.Qty) market.Qty {
	step := market.Shares(1)
	if of != nil && of.SizeStep.Sign() > 0 {
		step = of.SizeStep
	}
	if q.Sign() < 0 {
		return market.Qty{}
	}
	return q.Floor(step)
}

// order is the same for one order.
func (v View) order(q market.Qty) market.Qty {
	if order.MaxQty.Less(q) {
		q = order.MaxQty
	}
	return v.whole(q)
}

// full reports whether a stop is for all that an order can be about.
func (v View) full(e *books.Entry) bool { return !e.Remaining().Less(v.order(order.MaxQty)) }

// mend plans what makes the stops what they should be. The contract's clock is
// known.
func (g *Guard) mend(v View, r *Rests, pos market.Qty, p *plan) {
	for _, e := range r.Stops() {
		switch {
		case g.lost(v, e):
			p.in = g.cancel(v, e, "protects nothing any more")
			return
		case !v.settled(e) && e.State != order.Unknown: // its report is on its way
			return
		}
	}
	if v.Details == nil {
		p.cause = fmt.Sprintf("the trader does not know the contract of %s; start it with that symbol, too", g.state.Symbol)
		return
	}
	loose := v.loose(r)
	if e := g.surplus(v, r, loose, pos); e != nil {
		p.in = g.cancel(v, e, "makes room for a stop that fits")
		return
	}
	if !g.fit(v, r, loose, pos, p) {
		g.place(v, r, pos, p)
	}
	g.hindered(v, r, p)
}

// loose are the groups whose stop can be changed or cancelled: it is known how it
// stands and no exit works beside it.
func (v View) loose(r *Rests) (list []*Group) {
	for _, g := range r.Groups {
		if len(g.Stops) == 1 && len(g.Exits) == 0 && v.settled(g.Stops[0]) {
			list = append(list, g)
		}
	}
	return list
}

// grows reports whether a stop can be given more to do: it waits for the market
// and has not begun.
func (v View) grows(e *books.Entry, pos market.Qty) bool {
	return e.Filled.IsZero() && (e.StopPrice == nil || v.Quote().lets(*e.StopPrice, pos))
}

// surplus returns a stop that is to be cancelled, so that one remains that can
// follow the position and that exits can join: one of two in a group, or one that
// is too large beside an exit; one of a used group, unless it is executing; the
// smaller of two that could be one.
func (g *Guard) surplus(v View, r *Rests, loose []*Group, pos market.Qty) (e *books.Entry) {
	for _, group := range r.Groups {
		if len(group.Stops) > 1 && v.settled(group.Stops[0]) {
			return group.Stops[0]
		}
		if len(group.Exits) > 0 && len(group.Stops) == 1 && v.settled(group.Stops[0]) && r.room(group).Less(group.Stops[0].Remaining()) {
			return group.Stops[0] // too large, and not to be changed beside an exit: one that fits joins it
		}
	}
	n := 0
	for _, group := range loose {
		stop := group.Stops[0]
		grows := v.grows(stop, pos)
		if (stop.Shut || v.Books.Used(group.Name, stop)) && stop.Filled.IsZero() && (grows || !v.Open) {
			return stop
		}
		if grows && !v.full(stop) {
			if n++; e == nil || stop.Remaining().Less(e.Remaining()) {
				e = stop
			}
		}
	}
	if n < 2 {
		return nil
	}
	return e
}

// fit sizes and prices the stops that stand alone; done says that one of them
// holds what there is to hold, or is to be changed.
func (g *Guard) fit(v View, r *Rests, loose []*Group, pos market.Qty, p *plan) (done bool) {
	for _, group := range loose {
		stop := group.Stops[0]
		left, grows := stop.Remaining(), v.grows(stop, pos)
		want := v.order(r.room(group))
		switch {
		case want.IsZero():
			p.in = g.cancel(v, stop, "orders for all of the position work beside it")
			return true
		case left.Less(want) && !grows:
			want = left
		case left.Less(want):
			if want = v.order(r.room(group).Sub(g.doubt(v))); want.Less(left) {
				want = left
			}
		}
		price := stop.StopPrice
		if grows {
			price = g.restingPrice(v, pos, stop, left.Less(want))
			done = done || !v.full(stop)
		}
		if left != want || !books.Alike(stop.StopPrice, price) {
			p.in = g.resize(v, stop, stop.Filled.Add(want), price)
			return true
		}
	}
	return done
}

// doubt is how much of the position the broker told otherwise of.
func (g *Guard) doubt(v View) market.Qty {
	return v.position(g.state.Symbol).Abs().Sub(v.Books.Surely(g.state.Symbol).Abs())
}

// place plans a stop for what no other holds: in a group in which exits wait for
// one, else in one of its own.
func (g *Guard) place(v View, r *Rests, pos market.Qty, p *plan) {
	name, want := "", market.Qty{}
	for _, group := range r.Groups {
		if room := v.order(r.room(group).Sub(g.doubt(v))); len(group.Stops) == 0 && !group.Used && room.Sign() > 0 {
			name, want = group.Name, room
			break
		}
	}
	side := books.ExitSide(pos)
	if name == "" {
		if want = v.order(r.room(nil).Sub(g.doubt(v))); want.IsZero() {
			return
		}
		name = inferred(v.Books, v.Who, g.state.Symbol, side)
	}
	price, why := g.newPrice(v, pos)
	if price == nil {
		p.cause = why
		return
	}
	ref := Name(g.state.Symbol, v.Market, v.Books.NextID)
	if name == "" {
		name = ref
	}
	p.in = &order.Intent{
		ID: ref, Action: order.Place, Strategy: books.OwnStrategy, Symbol: g.state.Symbol, Side: side, Type: order.Stop, TIF: order.GTC,
		Qty: want, Stop: price, OCA: name, Reason: "protects the position", At: v.Market,
	}
}

// hindered has the exit cancelled that leaves no room for a stop, when it does
// so for too long.
func (g *Guard) hindered(v View, r *Rests, p *plan) {
	stops := market.Qty{}
	for _, e := range r.Stops() {
		stops = stops.Add(e.MostLeft())
	}
	if p.in != nil || !stops.Less(v.whole(r.pos)) || !g.doubt(v).IsZero() {
		g.since = time.Time{}
		return
	}
	e := v.hinders(r)
	switch {
	case e == nil:
		if len(r.free) > 0 && p.stop == nil {
			p.cause = fmt.Sprintf("orders that the desk did not group take all of %v; a stop beside them could turn the position over: cancel them, or let them end", r.pos)
		}
		g.since = time.Time{}
		return
	case g.since.IsZero():
		g.since = v.Wall
	case v.Wall.Sub(g.since) >= exitsWithin:
		p.in = g.cancel(v, e, "leaves no room for the stop of the position; ask again when that rests")
	}
	p.cause = fmt.Sprintf("order %s against the position leaves no room for a stop; it is cancelled when it still works %v later", e.Ref, exitsWithin)
}

// hinders returns the newest exit of this client that may rest and that takes
// what a stop should hold: outside of the groups, or with others more than the
// stop of its group.
func (v View) hinders(r *Rests) *books.Entry {
	list := slices.Clone(r.free)
	for _, g := range r.Groups {
		if most(g.Stops).Less(g.takes()) {
			list = append(list, g.Exits...)
		}
	}
	for _, e := range slices.Backward(list) {
		if v.Books.Ours(v.Who, e) && e.Ref != "" && e.OrderID != 0 && e.Type == order.Limit && e.Stands() && !e.Closes() {
			return e
		}
	}
	return nil
}

// uncovered words why a position is not covered, before anything is done.
func uncovered(r *Rests, stop *books.Entry) string {
	switch held := r.held(); {
	case stop == nil:
		return "no stop rests at the broker yet"
	case stop.State == order.Unknown:
		return fmt.Sprintf("the outcome of stop %s is unknown; no other is placed before the broker has told: %s", stop.Ref, stop.Note)
	case stop.State == order.Inactive:
		return fmt.Sprintf("the broker holds stop %s back: %s", stop.Ref, stop.Note)
	case held.IsZero():
		return fmt.Sprintf("the broker has not confirmed stop %s yet", stop.Ref)
	default:
		return fmt.Sprintf("stops hold %v of %v", held, r.pos)
	}
}
