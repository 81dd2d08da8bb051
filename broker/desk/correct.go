package desk

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// version returns the newest version of the execution with that id, if it is
// in the books under another id. Nil is none.
func (b *books) version(id string) *order.Fill {
	stem, v := order.ExecVersion(id)
	if v == 0 {
		return nil
	}
	if f := b.versions.m[stem]; f != nil && f.ExecID != id {
		return f
	}
	return nil
}

// corrected takes another version of an execution that is in the books. The
// newest one counts, in place of the one before: in its order, in the position
// and for all who listen. An older one that comes late is kept by the journal
// and counts nowhere.
func (d *Desk) corrected(was *order.Fill, f order.Fill) {
	_, before := order.ExecVersion(was.ExecID)
	if _, now := order.ExecVersion(f.ExecID); now < before {
		d.books.execs.put(f.ExecID, nil)
		d.stored(f)
		return
	}
	if f.Qty.Sign() < 0 || maxFill.Less(f.Qty) || f.Symbol != was.Symbol || f.Side != was.Side {
		d.raise("absurd "+f.ExecID, event.NoticeText{
			Level: "error", Name: "report_absurd", Symbol: f.Symbol, Ref: was.Ref,
			Text: fmt.Sprintf("execution %.60q, %s %v %s, cannot correct %s %v %s; it is not applied; look at it with the broker",
				f.ExecID, f.Side, f.Qty, f.Symbol, was.Side, was.Qty, was.Symbol),
		})
		return
	}
	old := *was
	f.Replaces, f.Ref = old.ExecID, old.Ref // whether it has an order was found out with the first version
	if c, ok := d.books.costs.m[f.ExecID]; ok {
		f = priced(f, c)
	} else if f.Commission == nil { // as long as nobody tells another
		f.Commission, f.RealizedPNL = old.Commission, old.RealizedPNL
	}
	*was = f
	d.books.score.built = "" // it is built anew, with this version
	d.books.execs.put(old.ExecID, nil)
	d.books.execs.put(f.ExecID, was)
	signed := f.Side.Signed(f.Qty.Sub(old.Qty))
	d.books.moved(f.ExecID, f.Symbol, signed)
	d.stored(f)
	d.out.fill(f)
	if e, why := d.owner(old); e != nil && why == "" {
		d.refilled(e, old, f)
	}
	if p, ok := d.books.amend(old, f); ok {
		d.out.position(p)
	}
	what := fmt.Sprintf("was corrected from %v at %v to %v at %v", old.Qty, old.Price, f.Qty, f.Price)
	if f.Qty.IsZero() {
		what = fmt.Sprintf("of %v at %v was taken back", old.Qty, old.Price)
	}
	d.warn(event.NoticeText{
		Level: "error", Name: "execution_corrected", Symbol: f.Symbol, Ref: f.Ref,
		Text: fmt.Sprintf("execution %.60q %s; the order, the position and our profit follow it: compare them with the broker's statement", old.ExecID, what),
	})
}

// takenBack takes the correction to nothing of an execution that the books
// never had: the versions before it, should they come, count nowhere.
func (d *Desk) takenBack(f order.Fill) {
	p := &f
	d.books.execs.put(f.ExecID, p)
	d.books.remember(p)
	d.stored(f)
}

// stored records an execution.
func (d *Desk) stored(f order.Fill) {
	r := d.stamp()
	r.Fill = &f
	d.record(r)
}

// refilled puts one version of an execution in place of another in its order.
// What has ended has ended: a fill that was taken back opens no order again.
func (d *Desk) refilled(e *entry, old, f order.Fill) {
	e.Filled = e.Filled.Sub(old.Qty).Add(f.Qty)
	e.spent = e.spent.Sub(old.Price.Mul(old.Qty)).Add(f.Price.Mul(f.Qty))
	e.average()
	after := e.State
	if e.Qty.Sign() > 0 && !e.Filled.Less(e.Qty) {
		if next, ok := e.State.Next(order.FilledUp); ok {
			after = next
		}
	}
	d.become(e, after)
}

// average reckons the price of what was filled.
func (e *entry) average() {
	e.AvgPrice = nil
	if e.Filled.Sign() <= 0 {
		return
	}
	if avg, ok := e.spent.DivQty(e.Filled); ok {
		e.AvgPrice = avg.Ptr()
	}
}

// amend puts one version of an execution in place of another in the position;
// changed is false as long as positions are unknown. The average cost is known
// afterwards only where the position still holds what the execution made.
func (b *books) amend(old, f order.Fill) (p order.Position, changed bool) {
	if b.positions == nil {
		return p, false
	}
	p, ok := b.positions[f.Symbol]
	if !ok {
		p = order.Position{Account: f.Account, Symbol: f.Symbol, AvgCost: &market.Price{}}
	}
	was, is := f.Side.Signed(old.Qty), f.Side.Signed(f.Qty)
	after := p.Qty.Sub(was).Add(is)
	holds := p.Qty.Sign() == was.Sign() && !p.Qty.Abs().Less(was.Abs()) && after.Sign() == p.Qty.Sign()
	switch {
	case after.IsZero():
		p.AvgCost = &market.Price{}
	case holds && p.AvgCost != nil:
		cost := p.AvgCost.Mul(p.Qty).Sub(old.Price.Mul(was)).Add(f.Price.Mul(is))
		p.AvgCost = nil
		if avg, ok := cost.DivQty(after); ok {
			p.AvgCost = avg.Ptr()
		}
	case p.Qty.Sign() == was.Sign(): // nobody can tell what is left of it
		p.AvgCost = nil
	}
	p.Qty = after
	b.positions[f.Symbol] = p
	return p, true
}
