package books

import (
	"slices"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Past lists every execution that the books can tell apart, in its newest
// version: those of the market day and the two before, in the order of their
// times, and of one time in the order in which they were told. One that was taken
// back has the quantity 0. The list is the books' own: it is to be read in the
// turn, and its elements follow later corrections.
func (b *Books) Past() []*Execution { return b.past }

// Last returns the newest execution of a symbol, nil when there is none.
func (b *Books) Last(s market.Symbol) *Execution {
	for _, x := range slices.Backward(b.past) {
		if x.Symbol == s {
			return x
		}
	}
	return nil
}

// sorted puts an execution into its place among those of the past. Those that
// come as they happen are appended.
func (b *Books) sorted(x *Execution, at time.Time) {
	b.past = slices.Insert(b.past, rank(b.past, at), x)
}

// turnLedgers lets the ledgers begin a new market day when a time is in one.
func (b *Books) turnLedgers(at time.Time) {
	days := b.execs.today
	forgot := b.execs.turn(at, b.zone)
	if b.plain.turn(at, b.zone) || forgot {
		b.forgetPast()
	}
	if b.execs.today != days {
		clear(b.zones)
		clear(b.deals) // those of the day before stay with its executions
	}
}

// forgetPast drops from the past what the ledger has forgotten with its oldest
// day.
func (b *Books) forgetPast() {
	b.past = slices.DeleteFunc(b.past, b.forgotten)
}

// adopts tells the follower that a position was taken over from the broker with
// more than the executions account for.
func (b *Books) adopts(p order.Position, more market.Qty) {
	if b.Follower != nil {
		b.Follower.Adopted(b, p, more)
	}
}

// accounted tells the follower of an execution that the position had in it when it
// was taken over.
func (b *Books) accounted(f order.Fill) {
	if b.Follower != nil {
		b.Follower.Accounted(f)
	}
}
