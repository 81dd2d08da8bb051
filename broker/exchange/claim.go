package exchange

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// claim is what one open order may still trade. It is counted in its
// account's claims as long as the order is open, so that a new order does not
// have to look at all of them.
type claim struct {
	symbol market.Symbol
	side   order.Side
	group  string // OCA: of a group one order alone counts
	qty    market.Qty
	value  market.Money // at the order's own price
	priced bool         // it has a price of its own
}

// claims is what the open orders of one account may still trade.
type claims struct {
	all     map[int64]claim // by perm id
	sums    map[market.Symbol]*exposure
	grouped map[int64]struct{}
}

func newClaims() claims {
	return claims{make(map[int64]claim), make(map[market.Symbol]*exposure), make(map[int64]struct{})}
}

// flow is what orders of one side may trade: shares at own prices, and shares
// at what the market will be.
type flow struct {
	qty, open market.Qty
	value     market.Money // of qty
}

func (f *flow) add(c *claim) {
	if c.priced {
		f.qty, f.value = f.qty.Add(c.qty), f.value.Add(c.value)
		return
	}
	f.open = f.open.Add(c.qty)
}

func (f *flow) sub(c *claim) {
	if c.priced {
		f.qty, f.value = f.qty.Sub(c.qty), f.value.Sub(c.value)
		return
	}
	f.open = f.open.Sub(c.qty)
}

// exposure is what open orders can make of one symbol.
type exposure struct{ buys, sells flow }

func (e *exposure) side(s order.Side) *flow {
	if s == order.Buy {
		return &e.buys
	}
	return &e.sells
}

// note takes in the reports that were not yet looked at: an order changes what
// its account must carry, and what the record of changes tells, with a report.
func (x *Exchange) note() {
	for _, r := range x.out[x.noted:] {
		o := r.About()
		x.recount(o.Account, o.PermID)
		if x.watch.on {
			x.watch.orders[o.PermID] = struct{}{}
		}
	}
	x.noted = len(x.out)
}

// recount counts what an order may trade now in place of what it might before.
// A child counts from its parent's fill on.
func (x *Exchange) recount(account string, permID int64) {
	a := x.accounts[account]
	if a == nil || x.cfg.Margin == (Margin{}) {
		return
	}
	was, counted := a.claims.all[permID]
	if counted {
		a.claims.remove(permID, &was)
	}
	if o, open := x.open[permID]; open && o.Wait != WaitParent {
		a.claims.add(permID, o.claim())
	}
}

func (k *claims) add(permID int64, c claim) {
	k.all[permID] = c
	if c.group != "" {
		k.grouped[permID] = struct{}{}
		return
	}
	e := k.sums[c.symbol]
	if e == nil {
		e = new(exposure)
		k.sums[c.symbol] = e
	}
	e.side(c.side).add(&c)
}

func (k *claims) remove(permID int64, c *claim) {
	delete(k.all, permID)
	if c.group != "" {
		delete(k.grouped, permID)
		return
	}
	e := k.sums[c.symbol]
	e.side(c.side).sub(c)
	if *e == (exposure{}) {
		delete(k.sums, c.symbol)
	}
}

// claim is what the order may trade. Orders that go with the market have no
// price of their own, also while they wait for it.
func (o *resting) claim() claim {
	c := claim{symbol: o.Symbol, side: o.Side, group: o.OCAGroup, qty: o.Remaining()}
	own := o.Limit
	if own == nil && !o.Triggered {
		own = o.Stop
	}
	if own != nil && o.TrailAmount == nil && o.TrailPercent == nil {
		c.value, c.priced = own.Mul(c.qty), true
	}
	return c
}

// likelyClaim is the claim of an order that is only asked for, at the price that
// it is likely to get.
func (o *resting) likelyClaim(l *listing) claim {
	c := o.claim()
	if p, known := o.likely(l); known {
		c.value, c.priced = p.Mul(c.qty), true
	}
	return c
}

// largest returns, of each OCA group and side of a symbol, the claim for the
// most shares: no more than one of them fills.
func (k *claims) largest(without int64) map[claim]claim {
	if len(k.grouped) == 0 {
		return nil
	}
	most := make(map[claim]claim)
	for _, id := range sortedKeys(k.grouped) { // the earliest of equals
		if id == without {
			continue
		}
		c := k.all[id]
		key := claim{symbol: c.symbol, side: c.side, group: c.group}
		if best, ok := most[key]; !ok || best.qty.Less(c.qty) {
			most[key] = c
		}
	}
	return most
}

// exposures returns what may become of each symbol by the account's open
// orders, with an order given in place of the one of its number, or beside
// all.
func (x *Exchange) exposures(a *account, with *resting) map[market.Symbol]exposure {
	all := make(map[market.Symbol]exposure, len(a.claims.sums)+1)
	for s, e := range a.claims.sums {
		all[s] = *e
	}
	change := func(c claim, do func(*flow, *claim)) {
		e := all[c.symbol]
		do(e.side(c.side), &c)
		all[c.symbol] = e
	}
	if with == nil {
		for _, c := range a.claims.largest(0) {
			change(c, (*flow).add)
		}
		return all
	}
	if was, ok := a.claims.all[with.PermID]; ok && was.group == "" {
		change(was, (*flow).sub)
	}
	c := with.likelyClaim(x.listings[with.Symbol])
	for key, other := range a.claims.largest(with.PermID) {
		if key != (claim{symbol: c.symbol, side: c.side, group: c.group}) {
			change(other, (*flow).add)
		} else if c.qty.Less(other.qty) {
			c = other
		}
	}
	change(c, (*flow).add)
	return all
}

// required is the initial margin of the worst that can become of all that an
// account holds and has ordered; with as in exposures.
func (x *Exchange) required(a *account, with *resting) market.Money {
	all := x.exposures(a, with)
	for s, p := range a.positions {
		if _, ok := all[s]; !ok && !p.qty.IsZero() {
			all[s] = exposure{}
		}
	}
	var sum market.Money
	for s, e := range all {
		var h holding
		if p := a.positions[s]; p != nil {
			h = p.holding
		}
		sum = sum.Add(e.needs(&h, x.listings[s], &x.cfg.Margin))
	}
	return sum
}

// needs is the initial margin of the worst that can become of a symbol: either
// all buys fill and no sell, or the other way round.
func (e *exposure) needs(h *holding, l *listing, m *Margin) market.Money {
	long, short := e.worst(h, l)
	most := perCent(long, m.LongInitial)
	if s := perCent(short, m.ShortInitial); most.Less(s) {
		return s
	}
	return most
}

// worst is what may be held of a symbol at most, in either direction.
func (e *exposure) worst(h *holding, l *listing) (long, short market.Money) {
	worth := h.worth(l)
	mark, known := l.price()
	long = e.buys.opens(h.qty, worth, mark, known)
	// What is sold short is worth the market, if that is above the limit.
	sells := e.sells
	if at := mark.Mul(sells.qty); known && sells.value.Less(at) {
		sells.value = at
	}
	return long, sells.opens(h.qty.Neg(), worth.Neg(), mark, known)
}

// opens is the worth of what is held in the flow's direction after it: what is
// there counts at its worth, what opens at the flow's average price. Shares
// that go at the market count at its mark, and not before there is one: nobody
// knows what they need.
func (f *flow) opens(held market.Qty, worth market.Money, mark market.Price, known bool) market.Money {
	trades, value := f.qty, f.value
	if known {
		trades, value = trades.Add(f.open), value.Add(mark.Mul(f.open))
	}
	after := held.Add(trades)
	switch {
	case after.Sign() <= 0:
		return market.Money{}
	case held.Sign() < 0:
		return part(value, after, trades)
	}
	return worth.Add(value)
}

// afford refuses an order that the account's equity does not carry beside its
// positions and open orders. One that asks for no more margin than before,
// such as one that closes, passes whatever the account is worth; so does a
// child, which is not counted before its parent fills.
func (x *Exchange) afford(o *resting) (Reason, string) {
	if x.cfg.Margin == (Margin{}) || x.open[o.Parent] != nil {
		return 0, ""
	}
	x.note()
	a := x.accounts[o.Account]
	equity := x.equity(a)
	if x.paid(a, o, equity) {
		return 0, ""
	}
	need := x.required(a, o)
	if !equity.Less(need) || !x.required(a, nil).Less(need) {
		return 0, ""
	}
	// The words of a TWS, from general knowledge.
	return InsufficientFunds, fmt.Sprintf("YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION "+
		"YOUR EQUITY WITH LOAN VALUE [%v %s] MUST EXCEED THE INITIAL MARGIN [%v %s]",
		equity.Round(2), currency, need.Round(2), currency)
}

// equity is what the account is worth.
func (x *Exchange) equity(a *account) market.Money {
	sum := a.cash
	for s, p := range a.positions {
		sum = sum.Add(p.worth(x.listings[s]))
	}
	return sum
}

// paid reports whether equity is worth all that the account may come to hold,
// long and short, so that no margin has to be computed: the common case, and
// one without allocations. It leaves accounts with groups to the long way.
func (x *Exchange) paid(a *account, with *resting, equity market.Money) bool {
	m := &x.cfg.Margin
	if len(a.claims.grouped) > 0 || with.OCAGroup != "" || max(m.LongInitial, m.ShortInitial) > 100 {
		return false
	}
	left := equity
	take := func(s market.Symbol, e *exposure) {
		var h holding
		if p := a.positions[s]; p != nil {
			h = p.holding
		}
		long, short := e.worst(&h, x.listings[s])
		if long.Less(short) {
			long = short
		}
		left = left.Sub(long)
	}
	var own exposure
	if e := a.claims.sums[with.Symbol]; e != nil {
		own = *e
	}
	if was, ok := a.claims.all[with.PermID]; ok {
		own.side(was.side).sub(&was)
	}
	c := with.likelyClaim(x.listings[with.Symbol])
	own.side(c.side).add(&c)
	take(with.Symbol, &own)
	for s, e := range a.claims.sums {
		if s != with.Symbol {
			take(s, e)
		}
	}
	var none exposure
	for s := range a.positions {
		if s != with.Symbol && a.claims.sums[s] == nil {
			take(s, &none)
		}
	}
	return left.Sign() >= 0
}
