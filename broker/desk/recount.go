package desk

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// recount brings the loaded orders up to their loaded executions. An execution
// and the order that it changed are two records, and a crash may have kept the
// first alone: the execution is known then and never folded again, so that an
// order which was not brought up here would miss it for good. Only more is
// believed: of the executions the newest may be all that was loaded.
func (b *books) recount() {
	newest := map[string]*order.Fill{} // by what all versions of an execution have in common
	for _, f := range b.fills {
		base, version, ok := versionOf(f.ExecID)
		if !ok {
			newest[f.ExecID] = f
			continue
		}
		if was := newest[base]; was != nil {
			if _, before, _ := versionOf(was.ExecID); before > version {
				continue
			}
		}
		newest[base] = f
	}
	type total struct {
		qty   market.Qty
		spent market.Money
	}
	sums := map[*entry]total{}
	for _, f := range newest {
		e := b.byRef[f.Ref]
		if f.Ref == "" {
			e = b.find(f.ClientID, f.OrderID, f.PermID, "")
		}
		if e == nil {
			continue
		}
		s := sums[e]
		sums[e] = total{s.qty.Add(f.Qty), s.spent.Add(f.Price.Mul(f.Qty))}
	}
	for e, s := range sums {
		if !e.Filled.Less(s.qty) {
			continue
		}
		e.Filled, e.spent = s.qty, s.spent
		if avg, ok := s.spent.DivQty(s.qty); ok {
			e.AvgPrice = avg.Ptr()
		}
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
