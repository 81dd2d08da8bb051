package reconcile

import (
	"fmt"
	"time"

	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Settles returns what a person's word about an unknown order does to it; ok is
// false for another word.
func Settles(as string) (sig order.Signal, ends order.State, ok bool) {
	switch as {
	case event.SettleAbsent:
		return order.NotWritten, order.Dropped, true
	case event.SettleFilled:
		return order.FilledUp, order.Filled, true
	case event.SettleCancelled:
		return order.CancelDone, order.Cancelled, true
	default:
		return 0, order.Unknown, false
	}
}

// Contradicts says what in the broker's answers speaks against a person's word
// about an order that stays unknown after them, "" when nothing does. The answers
// have been folded: an order that is open, or of which the broker tells the end,
// is not unknown any more.
func (l *Look) Contradicts(e *books.Entry, as string) string {
	ripe := e.Known
	if ripe.Before(l.Settled) {
		ripe = l.Settled
	}
	ripe = ripe.Add(l.OrderDeadline + proofAfter)
	more := l.Books.Unaccounted(e.Symbol)
	towards := more.Sign() != 0 && more.Sign() == e.Side.Signed(e.Qty).Sign()
	switch {
	case l.Orders.Asked().Before(ripe):
		return fmt.Sprintf("the broker may not list it yet; ask again in %v", ripe.Sub(l.Orders.Asked()).Round(time.Second)+time.Second)
	case l.Positions.Err() != nil:
		return "executions came while the positions were asked; ask again in a moment"
	case !l.covered(e):
		return "the broker's open orders of all clients could not be asked, and it may be among them"
	case e.EndTold():
		return "the broker has told how it ended, and the executions are awaited for some seconds"
	case as == event.SettleAbsent && e.Filled.Sign() > 0:
		return fmt.Sprintf("the broker told executions of %v, so it was there", e.Filled)
	case as == event.SettleAbsent && e.PermID != 0:
		return fmt.Sprintf("the broker gave it the permanent id %d, so it was there: it is filled or cancelled", e.PermID)
	case as == event.SettleAbsent && towards:
		return fmt.Sprintf("the broker's position of %s has %v more than the executions account for, which this order may have made", e.Symbol, more)
	case as == event.SettleFilled && l.Books.Followed(e) && (!towards || more.Abs().Less(e.Remaining())):
		return fmt.Sprintf("it lacks %v, and the broker's position of %s has %v more than the executions account for", e.Remaining(), e.Symbol, more)
	default:
		return ""
	}
}
