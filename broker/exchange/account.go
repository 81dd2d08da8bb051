package exchange

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// account is the books of one account. Between calls it holds:
//
//	cash + Σ cost = starting cash + realised − commissions
type account struct {
	id          string
	cash        market.Money
	realised    market.Money // before commission
	commissions market.Money
	positions   map[market.Symbol]*position
}

// position is a holding and what it cost, without commission. Both have the
// same sign, or are zero.
type position struct {
	qty  market.Qty
	cost market.Money
}

// book enters an execution and its commission. realised is nil when the
// execution closed nothing.
func (a *account) book(f *order.Fill, commission market.Money) (realised *market.Money) {
	p := a.positions[f.Symbol]
	if p == nil {
		p = new(position)
		a.positions[f.Symbol] = p
	}
	change := f.Side.Signed(f.Qty)
	a.cash = a.cash.Sub(f.Price.Mul(change)).Sub(commission)
	a.commissions = a.commissions.Add(commission)
	if p.qty.Sign() != 0 && p.qty.Sign() != change.Sign() {
		r := p.reduce(&change, f.Price)
		a.realised = a.realised.Add(r)
		realised = &r
	}
	p.qty = p.qty.Add(change)
	p.cost = p.cost.Add(f.Price.Mul(change))
	return realised
}

// reduce closes as much of the position as change can, takes that from change,
// and returns what was earned.
func (p *position) reduce(change *market.Qty, price market.Price) market.Money {
	closed := change.Neg() // in the position's own direction
	if p.qty.Abs().Less(closed.Abs()) {
		closed = p.qty
	}
	cost := p.cost.MulFrac(closed, p.qty)
	p.qty = p.qty.Sub(closed)
	p.cost = p.cost.Sub(cost)
	*change = change.Add(closed)
	return price.Mul(closed).Sub(cost)
}

// average is the cost of one share, nil when flat.
func (p *position) average() *market.Price {
	if p.qty.IsZero() {
		return nil
	}
	avg, ok := p.cost.DivQty(p.qty)
	if !ok {
		return nil
	}
	return &avg
}
