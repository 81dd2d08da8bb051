package exchange

import (
	"slices"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// stops reports whether orders of a type wait for a trade at a price, and
// trails whether that price moves with the market.
func stops(t order.Type) bool {
	switch t {
	case order.Stop, order.StopLimit, order.MarketIfTouched, order.LimitIfTouched:
		return true
	}
	return trails(t)
}

func trails(t order.Type) bool { return t == order.Trail || t == order.TrailLimit }

// touched reports whether orders of a type are set off by a better price than
// now, not by a worse one.
func touched(t order.Type) bool { return t == order.MarketIfTouched || t == order.LimitIfTouched }

func (o *resting) waitsForStop() bool { return stops(o.Type) && !o.Triggered }

// trigger is the price that sets the order off, nil while it is not known.
func (o *resting) trigger() *market.Price {
	if trails(o.Type) {
		return o.TrailNow
	}
	return o.Stop
}

// rises reports whether a trade at or above the trigger sets the order off, not
// one at or below.
func (o *resting) rises() bool { return (o.Side == order.Buy) != touched(o.Type) }

// reached reports whether a trade sets the order off.
func (o *resting) reached(p market.Price) bool {
	t := o.trigger()
	switch {
	case t == nil:
		return false
	case o.rises():
		return !p.Less(*t)
	}
	return !t.Less(p)
}

// byRise and byFall order orders by which a market that rises, or falls,
// reaches first.
func byRise(a, b *resting) int {
	if c := a.trigger().Cmp(*b.trigger()); c != 0 {
		return c
	}
	return bySeq(a, b)
}

func byFall(a, b *resting) int {
	if c := b.trigger().Cmp(*a.trigger()); c != 0 {
		return c
	}
	return bySeq(a, b)
}

// trailing is what a listing's trailing orders have in common: a trade sets
// none of their stops unless it is above low or below high.
type trailing struct {
	list      []*resting // as they came
	low, high market.Price
	unseen    bool // one of them has seen no trade
}

// bound widens what no trade may leave without a look at the orders.
func (t *trailing) bound(o *resting) {
	switch seen := o.TrailSeen; {
	case seen == nil:
		t.unseen = true
	case o.Side == order.Sell && seen.Less(t.low):
		t.low = *seen
	case o.Side == order.Buy && t.high.Less(*seen):
		t.high = *seen
	}
}

// noTrails are the bounds without an order.
func (t *trailing) reset() {
	t.low, t.high, t.unseen = market.MustPrice("90000000000"), market.MustPrice("-90000000000"), false
}

// passed reports whether the market is through the order's stop already.
func (l *listing) passed(o *resting) bool {
	l.begin(o)
	return l.printed && !l.halted && o.reached(l.last.Price)
}

// begin gives a trailing order its first stop, as far as it is known.
func (l *listing) begin(o *resting) {
	if !trails(o.Type) {
		return
	}
	if o.TrailNow == nil && o.TrailStop != nil {
		o.TrailNow = o.TrailStop.Ptr()
	}
	if l.printed && !l.halted {
		o.follow(l.last.Price, l.details.MinTick)
	}
}

// follow moves the stop after a trade that is better than all before it, never
// back. It is rounded to the grid, away from the market.
func (o *resting) follow(p, tick market.Price) {
	if o.TrailSeen != nil && !o.better(p, *o.TrailSeen) || MaxPrice.Less(p.Abs()) {
		return
	}
	o.TrailSeen = p.Ptr()
	away, ok := market.Price{}, true
	if o.TrailAmount != nil {
		away = *o.TrailAmount
	} else {
		away, ok = o.TrailPercent.Of(p)
	}
	if !ok {
		return
	}
	stop := p.Sub(away).Floor(tick)
	if o.Side == order.Buy {
		stop = p.Add(away).Neg().Floor(tick).Neg()
	}
	if o.TrailNow == nil || o.better(stop, *o.TrailNow) {
		o.TrailNow = &stop
	}
}

// better reports whether a price is above another for a sell, below for a buy.
func (o *resting) better(p, than market.Price) bool {
	if o.Side == order.Sell {
		return than.Less(p)
	}
	return p.Less(than)
}

// arm puts an order among those that wait for a trade.
func (l *listing) arm(o *resting) {
	l.begin(o)
	o.place = atStop
	if trails(o.Type) {
		if len(l.trails.list) == 0 {
			l.trails.reset()
		}
		l.trails.bound(o)
		insert(&l.trails.list, o, bySeq)
	}
	if o.trigger() == nil {
		return
	}
	if o.rises() {
		insert(&l.up, o, byRise)
	} else {
		insert(&l.down, o, byFall)
	}
}

// disarm takes it out of them.
func (l *listing) disarm(o *resting) {
	if trails(o.Type) {
		remove(&l.trails.list, o, bySeq)
	}
	if o.trigger() == nil {
		return
	}
	if o.rises() {
		remove(&l.up, o, byRise)
	} else {
		remove(&l.down, o, byFall)
	}
}

// follow moves the stops of the trailing orders after a trade. One that
// betters no order's best looks at none.
func (l *listing) follow(p market.Price) {
	t := &l.trails
	if len(t.list) == 0 || !t.unseen && !t.low.Less(p) && !p.Less(t.high) {
		return
	}
	t.reset()
	for _, o := range t.list {
		known := o.TrailNow != nil
		o.follow(p, l.details.MinTick)
		t.bound(o)
		switch {
		case known || o.TrailNow == nil:
		case o.rises():
			l.up = append(l.up, o)
		default:
			l.down = append(l.down, o)
		}
	}
	slices.SortFunc(l.up, byRise)
	slices.SortFunc(l.down, byFall)
}

// elect sets off the orders whose stops a trade reached, the nearest first.
func (x *Exchange) elect(now time.Time, l *listing) {
	p := l.last.Price
	for len(l.up) > 0 && l.up[0].reached(p) {
		o := l.up[0]
		x.lift(o, l)
		x.setOff(now, o, l)
	}
	for len(l.down) > 0 && l.down[0].reached(p) {
		o := l.down[0]
		x.lift(o, l)
		x.setOff(now, o, l)
	}
}

// setOff makes an order whose stop was reached the market or limit order that
// it becomes.
func (x *Exchange) setOff(now time.Time, o *resting, l *listing) {
	o.Triggered, o.Updated = true, now
	if o.Type == order.TrailLimit {
		o.Limit = o.offset(l.details.MinTick)
	}
	x.out = append(x.out, Triggered{o.Order})
	x.proceed(now, o, l)
}

// offset is the limit that belongs to the stop of a TRAIL LIMIT order: above 0
// whatever the stop is, because a sale at the least price is one at any.
func (o *resting) offset(tick market.Price) *market.Price {
	if o.Side == order.Buy {
		return o.TrailNow.Add(*o.LimitOffset).Ptr()
	}
	limit := o.TrailNow.Sub(*o.LimitOffset)
	if limit.Sign() <= 0 {
		limit = tick
	}
	return &limit
}
