package desk

import (
	"slices"
	"time"

	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// worldCoverWithin is how long a position may be without stops for all of it
// while all is well: the venue answers, and nothing is of unknown outcome. A look
// a half second, a stop that has to settle for 2 s, one that is cancelled first,
// and one that was refused for up to 8 s.
const worldCoverWithin = 15 * time.Second

// checkOver looks, after every step, that the desk's stops cannot turn a
// position over, long or short: what they and all that goes against it may take
// together is not more than it because of them.
func (w *world) checkOver(sym market.Symbol) {
	v := w.venue
	held, list := v.held(sym), v.pending()
	side := books.ExitSide(held)
	with, without := takes(list, sym, side, anyOrder), takes(list, sym, side, noStop)
	if without.Less(with) && held.Abs().Add(v.unheard(sym)).Less(with) && !w.overtaken(list) {
		w.fail("over", "stops and other orders against %v %s may take %v together, without the stops %v", held, sym, with, without)
	}
	for _, f := range list { // a stop of a position that is gone, or was turned over, ends soon
		if f.guards() && f.sym == sym && (held.IsZero() || f.side != side) {
			w.lingers(sym, f)
			return
		}
	}
	delete(w.wrong, sym)
}

// overtaken reports whether a stop is as large as a change said that a dialog
// held until after an exit of its group: the desk hears of it then, and has the
// time of any other stop to mend it.
func (w *world) overtaken(list []mayFill) bool {
	return slices.ContainsFunc(list, func(f mayFill) bool {
		since, known := w.venue.overtaken[f.ref]
		if known && !w.well() {
			since = time.Now()
			w.venue.overtaken[f.ref] = since
		}
		return known && time.Since(since) <= worldCoverWithin
	})
}

// lingers looks whether a stop that protects nothing is ended in time, as long
// as the desk can do so.
func (w *world) lingers(sym market.Symbol, f mayFill) {
	since, known := w.wrong[sym]
	switch {
	case !known || !w.well():
		w.wrong[sym] = time.Now()
	case time.Since(since) > worldCoverWithin:
		w.fail("lingers", "stop %s, to %s %v %s, rests for %v, and the position is %v", f.ref, f.side, f.qty, sym, time.Since(since), w.venue.held(sym))
	}
}

// checkCover looks, after every step, that the time in which stops do not cover
// a position is bounded while all is well.
func (w *world) checkCover(sym market.Symbol) {
	bare, why := w.bare(sym)
	since, known := w.naked[sym]
	switch {
	case !bare:
		delete(w.naked, sym)
	case !known || !w.well():
		w.naked[sym] = time.Now()
	case time.Since(since) > worldCoverWithin:
		w.fail("cover", "%v %s are without stops for all of it for %v: %s; the guard: %s", w.venue.held(sym), sym, time.Since(since), why, w.guardSays(sym))
	}
}

// bare reports whether a part of the position has neither a stop at the venue
// nor an order that takes it anyhow.
func (w *world) bare(sym market.Symbol) (bare bool, why string) {
	v := w.venue
	held := v.held(sym)
	side := books.ExitSide(held)
	if held.IsZero() {
		return false, ""
	}
	resting := map[string]bool{} // at the exchange, and not only on the way
	for _, o := range v.x.Open() {
		resting[o.Ref] = true
	}
	open := slices.DeleteFunc(v.pending(), func(f mayFill) bool { return !resting[f.ref] })
	most := takes(open, sym, side, anyOrder)
	stops := takes(open, sym, side, mayFill.guards)
	return most.Less(held.Abs()), "stops for " + stops.String() + ", with all orders " + most.String()
}

// well reports whether the desk can do what it is there for.
func (w *world) well() bool {
	if w.session == nil || w.session.cut || !w.venue.up || !w.link.Trades() || len(w.venue.stuck) > 0 {
		return false
	}
	for _, s := range worldSymbols {
		for _, e := range w.desk.books.Live[s] {
			if e.State == order.Unknown {
				return false
			}
		}
	}
	return true
}

func (w *world) guardSays(sym market.Symbol) string {
	if g := w.desk.guards[sym]; g != nil {
		return g.State().Cause
	}
	return "nothing"
}

// checkCoverEnd looks, when all is at rest, that the guard tells the truth.
func (w *world) checkCoverEnd(sym market.Symbol) {
	v := w.venue
	held := v.held(sym)
	stops := takes(v.pending(), sym, books.ExitSide(held), mayFill.guards)
	g := w.desk.guards[sym]
	if stops.Less(held.Abs()) && (g == nil || g.State().Covered) {
		w.fail("cover_told", "stops for %v of %v %s rest at the venue, and the guard calls it covered", stops, held, sym)
	}
	if bare, why := w.bare(sym); bare {
		w.fail("cover", "%v %s are without stops for all of it at rest: %s; the guard: %s", held, sym, why, w.guardSays(sym))
	}
}
