package exchange

import (
	"errors"
	"fmt"
	"time"

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
	against := l.opposite(o.Side)
	switch own := o.Limit; {
	case own != nil && o.Side == order.Buy && against.Known && !own.Less(against.Price),
		own != nil && o.Side == order.Sell && against.Known && !against.Price.Less(*own):
		return against.Price, true
	case own != nil:
		return *own, true
	case o.Stop != nil && !o.Triggered:
		return *o.Stop, true
	case against.Known:
		return against.Price, true
	}
	return l.price()
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
	x.adopt(o)
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
