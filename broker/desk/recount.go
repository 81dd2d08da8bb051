package desk

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// recount brings the loaded orders up to sums, what their loaded executions add
// up to. An execution and the order that it changed are two records, and a crash
// may have kept the first alone: the execution is known then and never folded
// again, so that an order which was not brought up here would miss it for good.
// Of an order that has ended the newest executions may be all that was loaded,
// so there only more is believed.
func (b *books) recount(sums map[*entry]market.Qty) {
	for _, e := range b.byRef {
		sum := sums[e]
		if sum.IsZero() || sum == e.Filled || e.State.Final() && sum.Less(e.Filled) {
			if e.AvgPrice != nil {
				e.spent = e.AvgPrice.Mul(e.Filled)
			}
			continue
		}
		e.Filled = sum
		e.average()
		sig := order.Executed
		if e.Qty.Sign() > 0 && !e.Filled.Less(e.Qty) {
			sig = order.FilledUp
		}
		if after, ok := e.State.Next(sig); ok {
			e.State = after
			b.place(e)
		}
	}
}
