package exchange

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// account is the books of one account. Between calls it holds, exactly:
//
//	cash + Σ cost = start + realised − commissions
type account struct {
	id          string
	start       market.Money
	cash        market.Money
	realised    market.Money // before commission
	commissions market.Money
	positions   map[market.Symbol]*position
	claims      claims // of open orders
	changed     bool   // since it was last told
}

// holding is a number of shares and what they cost. Quantity and cost have the
// same sign, or are zero.
type holding struct {
	qty  market.Qty
	cost market.Money // without commission
	fees market.Money // the commission paid for the shares still held
}

// position is what an account has of one symbol, and what happened to it.
type position struct {
	holding
	base    holding // before the oldest execution in the books
	day     dayBook
	changed bool // since it was last told
}

// closing is what an execution earned by the shares that it closed.
type closing struct {
	before market.Money // commission
	after  market.Money // the commission of opening and closing these shares
}

// position returns the account's position in a symbol, a flat one at first.
func (a *account) position(s market.Symbol) *position {
	p := a.positions[s]
	if p == nil {
		p = new(position)
		a.positions[s] = p
	}
	return p
}

// book enters an execution of the present day with its commission. The result
// is nil when it closed nothing.
func (a *account) book(f *order.Fill, commission market.Money) *closing {
	p := a.position(f.Symbol)
	change := f.Side.Signed(f.Qty)
	paid := f.Price.Mul(change)
	a.changed, p.changed = true, true
	a.cash = a.cash.Sub(paid).Sub(commission)
	a.commissions = a.commissions.Add(commission)
	c := p.trade(change, f.Price, commission)
	if c != nil {
		a.realised = a.realised.Add(c.before)
	}
	p.day.enter(paid, commission, c)
	return c
}

// trade changes the holding by an execution: what goes against it closes, the
// rest opens. The commission is shared between both by their shares. The
// result is nil when nothing was closed.
func (h *holding) trade(change market.Qty, price market.Price, commission market.Money) (c *closing) {
	if h.qty.Sign() != 0 && h.qty.Sign() != change.Sign() && !change.IsZero() {
		c = h.reduce(&change, price, &commission)
	}
	h.qty = h.qty.Add(change)
	h.cost = h.cost.Add(price.Mul(change))
	if !h.qty.IsZero() {
		h.fees = h.fees.Add(commission)
	}
	return c
}

// reduce closes as much of the holding as change can, and takes that and its
// share of the commission from change and commission.
func (h *holding) reduce(change *market.Qty, price market.Price, commission *market.Money) *closing {
	closed := change.Neg() // in the holding's own direction
	if h.qty.Abs().Less(closed.Abs()) {
		closed = h.qty
	}
	cost, fees := part(h.cost, closed, h.qty), part(h.fees, closed, h.qty)
	share := part(*commission, closed.Neg(), *change)
	h.qty = h.qty.Sub(closed)
	h.cost, h.fees = h.cost.Sub(cost), h.fees.Sub(fees)
	*change = change.Add(closed)
	*commission = commission.Sub(share)
	earned := price.Mul(closed).Sub(cost)
	return &closing{before: earned, after: earned.Sub(fees).Sub(share)}
}

// part is m × num / den, without arithmetic in the common cases.
func part(m market.Money, num, den market.Qty) market.Money {
	if num == den || m.IsZero() {
		return m
	}
	return m.MulFrac(num, den)
}

// average is the cost of one share, nil when flat.
func (h *holding) average() *market.Price { return perUnit(h.cost, h.qty) }

func perUnit(m market.Money, q market.Qty) *market.Price {
	if q.IsZero() {
		return nil
	}
	avg, ok := m.DivQty(q)
	if !ok {
		return nil
	}
	return &avg
}

// Position is what an account holds of one symbol.
type Position struct {
	Account  string
	Contract market.Contract
	Qty      market.Qty    // negative is short
	Cost     market.Money  // exact, without commission; negative for a short
	AvgCost  *market.Price // Cost / Qty, to eight decimals
	Mark     *market.Price // last, else the middle of the quote; nil when unknown
	// FullCost is Cost with the commission paid for these shares: what an IBKR
	// account calls the cost. A short's commission takes from its proceeds.
	FullCost    market.Money
	AvgFullCost *market.Price // FullCost / Qty, to eight decimals
	PnL         PnL
}

// Positions returns the positions of an account that are not flat, ordered by
// symbol. An account that is not known has none.
func (x *Exchange) Positions(id string) []Position {
	a, ok := x.accounts[id]
	if !ok {
		return nil
	}
	var all []Position
	for _, s := range sortedKeys(a.positions) {
		if p := a.positions[s]; !p.qty.IsZero() {
			all = append(all, p.tell(id, x.listings[s]))
		}
	}
	return all
}

// Position returns what an account holds of a listed symbol, also when that is
// nothing, as it is after the day's trades closed it. ok is false when account
// or symbol are not known.
func (x *Exchange) Position(id string, s market.Symbol) (p Position, ok bool) {
	a, l := x.accounts[id], x.listings[s]
	if a == nil || l == nil {
		return Position{}, false
	}
	have := a.positions[s]
	if have == nil {
		have = new(position)
	}
	return have.tell(id, l), true
}

func (p *position) tell(id string, l *listing) Position {
	full := p.cost.Add(p.fees)
	return Position{
		Account: id, Contract: l.details.Contract, Qty: p.qty, Cost: p.cost, AvgCost: p.average(), Mark: l.mark(),
		FullCost: full, AvgFullCost: perUnit(full, p.qty), PnL: p.pnl(l),
	}
}

// price is that at which a holding is valued: the last, else the middle of the
// quote.
func (l *listing) price() (p market.Price, known bool) {
	switch {
	case l.last.Known:
		return l.last.Price, true
	case l.bid.Known && l.ask.Known:
		return l.bid.Price.Add(l.ask.Price).Half(), true
	}
	return market.Price{}, false
}

func (l *listing) mark() *market.Price {
	if p, known := l.price(); known {
		return &p
	}
	return nil
}

// worth is the value of a holding: at its mark, at its cost without one.
func (h *holding) worth(l *listing) market.Money {
	if p, known := l.price(); known {
		return p.Mul(h.qty)
	}
	return h.cost
}
