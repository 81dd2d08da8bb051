package books

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// recount brings the loaded orders up to sums, what their loaded executions add
// up to. An execution and the order that it changed are two records, and a crash
// may have kept the first alone: the execution is known then and never folded
// again, so that an order which was not brought up here would miss it for good.
// Of an order that has ended the newest executions may be all that was loaded,
// so there only more is believed, or what a correction took that the order
// missed. Fills are all that was loaded.
func (b *Books) recount(sums map[*Entry]market.Qty, fills []order.Fill) {
	cut := b.uncorrected(sums, fills)
	for _, e := range b.ByRef {
		sum := sums[e]
		if !cut[e] && (sum.IsZero() || sum == e.Filled || e.State.Final() && sum.Less(e.Filled)) {
			if e.AvgPrice != nil {
				e.spent = e.AvgPrice.Mul(e.Filled)
			}
			continue
		}
		e.Filled = sum
		e.average()
		e.proveChange(time.Time{})
		e.State, _ = e.State.Next(order.Executed)
		e.State = e.AfterFills()
		b.Place(e)
	}
}

// uncorrected returns the orders that count exactly what their executions were
// before the newest version of one of them.
func (b *Books) uncorrected(sums map[*Entry]market.Qty, fills []order.Fill) map[*Entry]bool {
	cut, versions := map[*Entry]bool{}, map[string]order.Fill{}
	for _, f := range fills {
		stem, v := order.ExecVersion(f.ExecID)
		was, known := versions[stem]
		versions[stem] = f
		e := b.ByRef[f.Ref]
		if v < 2 || !known || e == nil || f.Ref == "" || was.Qty == f.Qty {
			continue
		}
		if sums[e].Sub(f.Qty).Add(was.Qty) == e.Filled {
			cut[e] = true
		}
	}
	return cut
}
