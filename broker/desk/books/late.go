package books

import (
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// late is the end of an order that was told before all that it filled: the
// executions are under way. Until they are counted, or are late for too long, the
// order is not ended: it would be in no exposure any more, and what it filled in
// no position yet, so that a limit, an exit or a stop could be too large by it.
type late struct {
	sig  order.Signal
	told market.Qty // filled, by the word about the end
	at   time.Time  // wall time of that word
}

// EndedWith takes in how an order has ended, and that told of it was filled by
// then.
func (b *Books) EndedWith(t *Turn, e *Entry, sig order.Signal, told market.Qty) {
	switch {
	case !e.State.Live() || !e.Filled.Less(told):
		b.Step(t, e, sig)
	case e.late == nil:
		e.late = &late{sig: sig, told: told, at: t.Wall}
		t.Ask(AskSoon)
	}
}

// ripe ends an order whose end was told, when what it filled is counted.
func (b *Books) ripe(t *Turn, e *Entry) {
	if e.late == nil || e.Filled.Less(e.late.told) {
		return
	}
	sig := e.late.sig
	e.late = nil
	if e.State.Live() {
		b.Step(t, e, sig)
	}
}

// untold is what an order filled by the broker's word and no execution has told:
// the position is wrong by it until a look has counted it.
type untold struct {
	ref  string
	side order.Side
	qty  market.Qty
	mark uint64 // a look that began before it may be from before the fill
}

// Untold returns an order of a symbol and side of which more has filled than
// executions told, and that no look has counted since; ok is false without one. An
// empty side is either.
func (b *Books) Untold(s market.Symbol, side order.Side) (ref string, ok bool) {
	for _, u := range b.untold[s] {
		if side == "" || u.side == side {
			return u.ref, true
		}
	}
	return "", false
}

// Recounted is told that all positions were counted by a look that began at mark.
func (b *Books) Recounted(mark uint64) {
	for s, list := range b.untold {
		list = slices.DeleteFunc(list, func(u untold) bool { return u.mark <= mark })
		if b.untold[s] = list; len(list) == 0 {
			delete(b.untold, s)
		}
	}
}

// judgeLate ends an order without the executions that were told of. Until
// positions are counted anew the symbol is barred by it; see [Books.Untold].
func (b *Books) judgeLate(t *Turn, e *Entry) {
	if e.late == nil || t.Wall.Sub(e.late.at) < SettleAfter {
		return
	}
	end, ours := e.late, e.Filled
	e.late = nil
	if t.CanAsk { // else the broker tells of a position that differs, and that is taken over
		b.count++
		b.untold[e.Symbol] = append(b.untold[e.Symbol], untold{ref: e.Ref, side: e.Side, qty: end.told.Sub(ours), mark: b.count})
		t.Ask(AskLook)
	}
	b.Step(t, e, end.sig)
	b.Found(t, broker.Finding{
		Kind: FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: ours.String() + " filled", Theirs: end.told.String() + " filled", Explained: true,
		Evidence: fmt.Sprintf("the broker ended order %d (%s) and told more than the executions that came", e.OrderID, e.State),
		Done:     "the order has ended; entries wait until a look has counted the position at the broker",
	})
}
