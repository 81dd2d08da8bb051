package exchange

import (
	"time"

	"robotrader/broker/market"
)

// PnL is what an account, or its position in one symbol, earned. The day began
// at midnight in New York. What was held then counts from the last mark before
// it, and where there was none from the day's first.
type PnL struct {
	// Daily is by how much the worth changed since the day began, trades and
	// the day's commissions counted. It is nil while a mark is missing.
	Daily *market.Money
	// Unrealized is the worth of what is held over its cost without
	// commission, nil while the mark is missing.
	Unrealized *market.Money
	// Realized is what the day's closed shares earned, before commission.
	Realized market.Money
	// RealizedNet is Realized less the commission of opening and closing these
	// shares, as a live gateway tells it.
	RealizedNet market.Money
	Commissions market.Money // of the day
}

// dayBook is what happened to a position since the day began.
type dayBook struct {
	qty      market.Qty   // held when it began
	paid     market.Money // for shares, without commission; sales take from it
	fees     market.Money
	realised closing
}

func (d *dayBook) enter(paid, commission market.Money, c *closing) {
	d.paid = d.paid.Add(paid)
	d.fees = d.fees.Add(commission)
	if c != nil {
		d.realised.add(*c)
	}
}

func (c *closing) add(o closing) {
	c.before = c.before.Add(o.before)
	c.after = c.after.Add(o.after)
}

// turnDay begins a new day when now is one: every holding counts from its mark.
func (x *Exchange) turnDay(now time.Time) {
	if now.Before(x.dayEnd) {
		return
	}
	y, m, d := now.In(x.zone).Date()
	x.dayStart = time.Date(y, m, d, 0, 0, 0, 0, x.zone)
	x.dayEnd = time.Date(y, m, d+1, 0, 0, 0, 0, x.zone)
	for _, l := range x.listings {
		l.ref, l.hasRef = l.price()
		l.changed = true
	}
	for _, a := range x.accounts {
		a.changed = true
		for _, p := range a.positions {
			p.day, p.changed = dayBook{qty: p.qty}, true
		}
	}
}

// beginDay takes the day's first mark where the day before left none.
func (l *listing) beginDay() {
	if !l.hasRef {
		l.ref, l.hasRef = l.price()
	}
}

// pnl is what the position earned.
func (p *position) pnl(l *listing) PnL {
	var sum pnlSum
	sum.add(p, l)
	return sum.tell()
}

// pnlSum sums the figures of positions; an unknown part makes a sum unknown.
type pnlSum struct {
	daily, unrealized     market.Money
	noDaily, noUnrealized bool
	realised              closing
	fees                  market.Money
}

func (v *pnlSum) add(p *position, l *listing) {
	v.realised.add(p.day.realised)
	v.fees = v.fees.Add(p.day.fees)
	mark, known := l.price()
	if !p.qty.IsZero() && !known {
		v.noDaily, v.noUnrealized = true, true
		return
	}
	worth := mark.Mul(p.qty)
	v.unrealized = v.unrealized.Add(worth.Sub(p.cost))
	if !p.day.qty.IsZero() && !l.hasRef {
		v.noDaily = true
		return
	}
	began := l.ref.Mul(p.day.qty)
	v.daily = v.daily.Add(worth).Sub(began).Sub(p.day.paid).Sub(p.day.fees)
}

func (v *pnlSum) tell() PnL {
	t := PnL{Realized: v.realised.before, RealizedNet: v.realised.after, Commissions: v.fees}
	if !v.noDaily {
		t.Daily = v.daily.Ptr()
	}
	if !v.noUnrealized {
		t.Unrealized = v.unrealized.Ptr()
	}
	return t
}
