package desk

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// measurer is a gate that tells how far its limits are used up, without an
// intent.
type measurer interface {
	Use(s broker.Sight) []broker.LimitUse
}

// tellLimits tells how far the limits are used up, at most once a second and when
// that is not what was told last. The caller has the turn.
func (d *Desk) tellLimits(wall time.Time) {
	f := &d.figures
	if wall.Sub(f.usedAt) < lookEvery {
		return
	}
	f.usedAt = wall
	now := d.limits(wall)
	if reflect.DeepEqual(now, f.used) {
		return
	}
	f.used = now
	d.out.limits(now)
}

// limits measures the limits as they are at a wall time. The caller has the turn.
func (d *Desk) limits(wall time.Time) event.LimitState {
	m, ok := d.gate.(measurer)
	if !ok {
		return event.LimitState{}
	}
	who := broker.Facts{Account: d.books.Account} // between two sessions
	if h := d.held.Load(); h != nil {
		who = h.facts
	}
	s := broker.Sight{Now: d.floor.Now(wall), Known: d.books.Positions != nil}
	s.Sent, s.SentNotional = d.books.Rates(s.Now)
	d.score.Build(d.books)
	s.Standing = d.score.As(who.Account, s.Now, d.mode.Load())
	s.Symbols = d.exposures(&who)
	return event.LimitState{Limits: m.Use(s), Currency: s.Standing.Currency}
}

// exposures returns that of each symbol that is wanted, held or has open orders,
// by name.
func (d *Desk) exposures(who *broker.Facts) (list []broker.SymbolSight) {
	names := map[market.Symbol]bool{}
	wanted, _ := d.floor.Standing()
	for _, s := range wanted {
		names[s.Symbol] = true
	}
	for s := range d.books.Positions {
		names[s] = true
	}
	for s, live := range d.books.Live {
		if len(live) > 0 {
			names[s] = true
		}
	}
	d.floor.Prices(func(newest func(market.Symbol) (market.Price, bool)) {
		for s := range names {
			e, _ := d.exposure(who, s, d.books.Positions[s], newest)
			list = append(list, broker.SymbolSight{Symbol: s, Exposure: e})
		}
	})
	slices.SortFunc(list, func(x, y broker.SymbolSight) int { return cmp.Compare(x.Symbol, y.Symbol) })
	return list
}

// exposure returns what one symbol may be held for with its open orders filled,
// measured at the highest of market and order prices; cost says that it is what
// the position cost, as no price is known.
func (d *Desk) exposure(who *broker.Facts, s market.Symbol, p order.Position, newest func(market.Symbol) (market.Price, bool)) (e broker.Exposure, cost bool) {
	open := d.books.AppendOpen(d.opened[:0], s, who)
	d.opened = open
	e = broker.Exposure{
		Held:  p.Qty,
		Buys:  broker.OpenQty(open, s, order.Buy, "", nil),
		Sells: broker.OpenQty(open, s, order.Sell, "", nil),
	}
	if newest, ok := newest(s); ok {
		e.Raise(&newest)
	} else if !p.Qty.IsZero() && p.AvgCost != nil {
		paid := p.AvgCost.Abs()
		e.Raise(&paid)
		cost = true
	}
	for i := range open {
		e.Raise(open[i].Limit)
		e.Raise(open[i].StopPrice)
	}
	return e, cost
}
