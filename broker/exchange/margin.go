package exchange

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Margin says how much equity a position needs, in per cent of its market
// value. A zero Margin needs none, so that no order is refused for want of it.
type Margin struct {
	LongInitial      int // to open. Default 50, as Regulation T has it
	LongMaintenance  int // to hold. Default 25
	ShortInitial     int // to open, beside the proceeds. Default 50
	ShortMaintenance int // to hold. Default 30
}

// DefaultMargin returns the rates of a US margin account under Regulation T
// (12 CFR 220.12) and FINRA rule 4210, from general knowledge. A venue's own
// rates by symbol, time of day and concentration are left out.
func DefaultMargin() Margin {
	return Margin{LongInitial: 50, LongMaintenance: 25, ShortInitial: 50, ShortMaintenance: 30}
}

// maxRate bounds a margin rate, in per cent.
const maxRate = 1000

func (m Margin) validate() error {
	var errs []error
	for _, r := range []struct {
		name string
		rate int
	}{
		{"long initial", m.LongInitial},
		{"long maintenance", m.LongMaintenance},
		{"short initial", m.ShortInitial},
		{"short maintenance", m.ShortMaintenance},
	} {
		if r.rate < 0 || r.rate > maxRate {
			errs = append(errs, fmt.Errorf("exchange: margin: %s rate %d is not between 0 and %d per cent", r.name, r.rate, maxRate))
		}
	}
	if m.LongInitial < m.LongMaintenance || m.ShortInitial < m.ShortMaintenance {
		errs = append(errs, fmt.Errorf("exchange: margin: it takes more to hold than to open: %+v", m))
	}
	return errors.Join(errs...)
}

// perCent is rate per cent of m.
func perCent(m market.Money, rate int) market.Money {
	if rate == 0 || m.IsZero() {
		return market.Money{}
	}
	return m.MulFrac(market.Shares(int64(rate)), all)
}

// Value is what an account is worth and what that carries. The words in
// brackets are IBKR's. Positions without a mark count at cost.
type Value struct {
	Cash           market.Money // (TotalCashValue)
	Positions      market.Money // at their marks, shorts negative
	GrossPositions market.Money // the sum of their absolute values (GrossPositionValue)
	// Equity is Cash + Positions (NetLiquidation). In an account of stocks it
	// is also the equity with loan (EquityWithLoanValue).
	Equity      market.Money
	Realized    market.Money // before commission, of all days
	Unrealized  market.Money
	Commissions market.Money // of all days
	// RealizedNet is Realized less the commission of opening and closing those
	// shares, of all days; Commissions of shares still held are not in it.
	RealizedNet market.Money

	InitMargin  market.Money // (InitMarginReq) of positions; open orders are not in it
	MaintMargin market.Money // (MaintMarginReq)
	Available   market.Money // Equity − InitMargin (AvailableFunds), may be negative
	Excess      market.Money // Equity − MaintMargin (ExcessLiquidity), may be negative
	// BuyingPower is the worth of stock that Available can open long, never
	// negative: twice Available at the default rate of 50 %. An IBKR account
	// shows four times by day, which a LongInitial of 25 gives.
	BuyingPower market.Money

	Day PnL // the day's (RealizedPnL and UnrealizedPnL in a TWS are of it)
}

// Cushion is the part of the equity that is in excess of the maintenance
// margin; ok is false without equity.
func (v *Value) Cushion() (part float64, ok bool) { return ratio(v.Excess, v.Equity) }

// Leverage is how much larger than the equity the positions are; ok is false
// without equity.
func (v *Value) Leverage() (times float64, ok bool) { return ratio(v.GrossPositions, v.Equity) }

func ratio(a, b market.Money) (float64, bool) {
	if b.Sign() <= 0 {
		return 0, false
	}
	return a.Float() / b.Float(), true
}

// Value values an account; ok is false when it is not known.
func (x *Exchange) Value(id string) (v Value, ok bool) {
	a, ok := x.accounts[id]
	if !ok {
		return Value{}, false
	}
	return x.value(a, "", nil), true
}

// value values an account, with other in place of what it holds of symbol.
func (x *Exchange) value(a *account, symbol market.Symbol, other *position) Value {
	v := Value{Cash: a.cash, Realized: a.realised, Commissions: a.commissions}
	var long, short, held market.Money
	var day pnlSum
	add := func(p *position, l *listing) {
		day.add(p, l)
		if p.qty.IsZero() {
			return
		}
		worth := p.worth(l)
		v.Unrealized = v.Unrealized.Add(worth.Sub(p.cost))
		held = held.Add(p.fees)
		if p.qty.Sign() > 0 {
			long = long.Add(worth)
		} else {
			short = short.Sub(worth)
		}
	}
	for s, p := range a.positions { // sums are exact: their order does not matter
		if other == nil || s != symbol {
			add(p, x.listings[s])
		}
	}
	if other != nil {
		add(other, x.listings[symbol])
	}
	v.Positions, v.GrossPositions = long.Sub(short), long.Add(short)
	v.RealizedNet = v.Realized.Sub(v.Commissions.Sub(held))
	v.Day = day.tell()
	m := &x.cfg.Margin
	v.InitMargin = perCent(long, m.LongInitial).Add(perCent(short, m.ShortInitial))
	v.MaintMargin = perCent(long, m.LongMaintenance).Add(perCent(short, m.ShortMaintenance))
	v.carry(m)
	return v
}

// carry derives what the account's worth and margin leave.
func (v *Value) carry(m *Margin) {
	v.Equity = v.Cash.Add(v.Positions)
	v.Available, v.Excess = v.Equity.Sub(v.InitMargin), v.Equity.Sub(v.MaintMargin)
	v.BuyingPower = market.Money{}
	if v.Available.Sign() > 0 {
		v.BuyingPower = v.Available
		if m.LongInitial > 0 {
			v.BuyingPower = v.Available.MulFrac(all, market.Shares(int64(m.LongInitial)))
		}
	}
}

// likely is the price at which an order would fill: the one that it would take
// at once, else its own. It is not known for a market order without a market.
func (o *resting) likely(l *listing) (p market.Price, known bool) {
	against := *l.opposite(o.Side)
	if !against.Known && o.Type == order.Market {
		against = tape.Level{}
		against.Price, against.Known = l.price()
	}
	if against.Known && o.reaches(against.Price) {
		return against.Price, true
	}
	if o.Limit != nil {
		return *o.Limit, true
	}
	return market.Price{}, false
}

// exposure is what one symbol can become for an account.
type exposure struct {
	qty          market.Qty   // held
	worth        market.Money // of what is held
	buys, sells  market.Qty   // what open orders may still trade
	bought, sold market.Money // at their likely prices
}

// add counts an order. One without a likely price is not counted: nobody knows
// what it needs.
func (e *exposure) add(o *resting, l *listing) {
	p, known := o.likely(l)
	if !known {
		return
	}
	if o.Side == order.Buy {
		e.buys = e.buys.Add(o.Remaining())
		e.bought = e.bought.Add(p.Mul(o.Remaining()))
		return
	}
	e.sells = e.sells.Add(o.Remaining())
	e.sold = e.sold.Add(p.Mul(o.Remaining()))
}

// needs is the initial margin of the worst that can become of the symbol:
// either all buys fill and no sell, or the other way round.
func (e *exposure) needs(m *Margin) market.Money {
	up, down := e.qty.Add(e.buys), e.qty.Sub(e.sells)
	long := opening(e.qty, e.worth, up, e.bought, e.buys)
	short := opening(e.qty.Neg(), e.worth.Neg(), down.Neg(), e.sold, e.sells)
	most := perCent(long, m.LongInitial)
	if s := perCent(short, m.ShortInitial); most.Less(s) {
		return s
	}
	return most
}

// opening is the worth of what is held in one direction after trades of num
// shares for value: what is there counts at its worth, what opens at the
// trades' average price.
func opening(held market.Qty, worth market.Money, after market.Qty, value market.Money, num market.Qty) market.Money {
	if after.Sign() <= 0 {
		return market.Money{}
	}
	if held.Sign() < 0 {
		return part(value, after, num)
	}
	return worth.Add(part(value, after.Sub(held), num))
}

// required is the initial margin of all that an account holds and has ordered,
// with the order given in place of the one of its number, or beside all.
func (x *Exchange) required(a *account, with *resting) market.Money {
	all := make(map[market.Symbol]*exposure, len(a.positions)+1)
	of := func(s market.Symbol) *exposure {
		e := all[s]
		if e == nil {
			e = new(exposure)
			all[s] = e
		}
		return e
	}
	for s, p := range a.positions {
		if !p.qty.IsZero() {
			e := of(s)
			e.qty, e.worth = p.qty, p.worth(x.listings[s])
		}
	}
	for _, o := range x.open {
		if o.Account == a.id && (with == nil || o.PermID != with.PermID) {
			of(o.Symbol).add(o, x.listings[o.Symbol])
		}
	}
	if with != nil {
		of(with.Symbol).add(with, x.listings[with.Symbol])
	}
	var sum market.Money
	for _, e := range all {
		sum = sum.Add(e.needs(&x.cfg.Margin))
	}
	return sum
}

// afford refuses an order that the account's equity does not carry beside its
// positions and open orders. One that asks for no more margin than before,
// such as one that closes, passes whatever the account is worth.
func (x *Exchange) afford(o *resting) (Reason, string) {
	if x.cfg.Margin == (Margin{}) {
		return 0, ""
	}
	a := x.accounts[o.Account]
	need := x.required(a, o)
	v := x.value(a, "", nil)
	if !v.Equity.Less(need) || !x.required(a, nil).Less(need) {
		return 0, ""
	}
	// The words of a TWS, from general knowledge.
	return InsufficientFunds, fmt.Sprintf("YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION "+
		"YOUR EQUITY WITH LOAN VALUE [%v %s] MUST EXCEED THE INITIAL MARGIN [%v %s]",
		v.Equity.Round(2), currency, need.Round(2), currency)
}

// Preview is what an order would make of its account if it filled whole, now,
// at the price it is likely to get.
type Preview struct {
	Price      market.Price
	Before     Value
	After      Value
	Commission market.Money
	// MinCommission and MaxCommission bound the commission. They are equal to
	// it: fixed pricing knows no range.
	MinCommission, MaxCommission market.Money
}

// Changes are the differences of initial margin, maintenance margin and
// equity with loan between After and Before.
func (p *Preview) Changes() (initial, maintenance, equity market.Money) {
	return p.After.InitMargin.Sub(p.Before.InitMargin), p.After.MaintMargin.Sub(p.Before.MaintMargin),
		p.After.Equity.Sub(p.Before.Equity)
}

// Preview judges an order as [Exchange.Place] would, and tells what it would
// make of its account. Nothing is changed by it. A zero reason means that it
// would be taken; with [InsufficientFunds] the preview is told all the same. A
// market order without a market is refused with [NoMarket]: nobody knows what
// it would cost.
func (x *Exchange) Preview(now time.Time, r Request) (Preview, Reason, string) {
	o, l := x.draft(now, &r), x.listings[r.Symbol]
	reason, text := x.refuse(o, l)
	if reason != 0 && reason != InsufficientFunds {
		return Preview{}, reason, text
	}
	price, known := o.likely(l)
	if !known {
		return Preview{}, NoMarket, fmt.Sprintf("nothing is known about the market of %s: a preview needs a price", o.Symbol)
	}
	a := x.accounts[o.Account]
	c := FixedCommission(o.Qty, price.Mul(o.Qty))
	p := Preview{Price: price, Before: x.value(a, "", nil), Commission: c, MinCommission: c, MaxCommission: c}
	p.After = x.after(a, o, price, c)
	return p, reason, text
}

// after values a copy of the account in which the order has filled.
func (x *Exchange) after(a *account, o *resting, price market.Price, commission market.Money) Value {
	copied := *a
	var p position
	if have := a.positions[o.Symbol]; have != nil {
		p = *have
	}
	copied.positions = map[market.Symbol]*position{o.Symbol: &p}
	copied.book(&order.Fill{Symbol: o.Symbol, Side: o.Side, Qty: o.Qty, Price: price}, commission)
	copied.positions = a.positions
	return x.value(&copied, o.Symbol, &p)
}
