package books

import (
	"fmt"
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

// judgeLate ends an order without the executions that were told of. The position
// is compared with the broker's by itself.
func (b *Books) judgeLate(t *Turn, e *Entry) {
	if e.late == nil || t.Wall.Sub(e.late.at) < SettleAfter {
		return
	}
	end, ours := e.late, e.Filled
	e.late = nil
	b.Step(t, e, end.sig)
	b.Found(t, broker.Finding{
		Kind: FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: ours.String() + " filled", Theirs: end.told.String() + " filled", Explained: true,
		Evidence: fmt.Sprintf("the broker ended order %d (%s) and told more than the executions that came", e.OrderID, e.State),
		Done:     "the order has ended; the position is compared with the broker's by itself",
	})
}
