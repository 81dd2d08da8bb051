package exchange

import (
	"fmt"
	"time"

	"robotrader/broker/order"
)

// Modify changes an open order into what r asks for: price, quantity, type,
// time in force and terms, and with Hold = false it is transmitted with its
// family. What it has of account, parent and group it keeps where r names none.
// A change that is refused is told as [Unmodified], and the order stands. It
// keeps its place in the queue only when its quantity falls and nothing else
// changes. The error wraps [ErrNotOpen]; a TWS tells it under the code of
// [CannotModify].
func (x *Exchange) Modify(now time.Time, permID int64, r Request) ([]Report, error) {
	x.begin(now)
	o, ok := x.open[permID]
	if !ok {
		return x.out, fmt.Errorf("%w: perm id %d", ErrNotOpen, permID)
	}
	l := x.listings[o.Symbol]
	c := x.change(now, o, &r)
	if reason, text := x.refuseChange(o, c, l); reason != 0 {
		x.out = append(x.out, Unmodified{o.Order, reason, text})
		return x.out, nil
	}
	if !o.Qty.Less(c.Qty) && same(o.Limit, c.Limit) && o.Type == c.Type && o.TIF == c.TIF && o.equal(&c.Terms) {
		x.cut(now, o, c.Qty)
		return x.out, nil
	}
	x.replace(now, o, c, l)
	return x.out, nil
}

// change is the order that o is to become.
func (x *Exchange) change(now time.Time, o *resting, r *Request) *resting {
	c := x.draft(now, r)
	c.PermID, c.Filled = o.PermID, o.Filled
	if r.Account == "" {
		c.Account = o.Account
	}
	if c.Parent == 0 {
		c.Parent = o.Parent
	}
	if c.OCAGroup == "" && o.Parent != 0 {
		c.OCAGroup, c.OCAType = o.OCAGroup, o.OCAType
	}
	x.adopt(c)
	c.Hold = c.Hold && o.Hold // what was transmitted cannot be called back
	c.Triggered = o.Triggered && c.Type == o.Type
	if c.Triggered && c.Type == order.TrailLimit && r.Limit == nil {
		c.Limit = o.Limit
	}
	return c
}

func (x *Exchange) refuseChange(o, c *resting, l *listing) (Reason, string) {
	switch {
	case c.Account != o.Account:
		return Mismatch, fmt.Sprintf("account %.20q, but the order is of %s", c.Account, o.Account)
	case c.Symbol != o.Symbol:
		return Mismatch, fmt.Sprintf("symbol %.20q, but the order is of %s", c.Symbol, o.Symbol)
	case c.Side != o.Side:
		return Mismatch, fmt.Sprintf("side %.20q, but the order is a %s", c.Side, o.Side)
	case c.Parent != o.Parent:
		return Mismatch, fmt.Sprintf("parent %d, but the order has %d", c.Parent, o.Parent)
	case !o.Filled.Less(c.Qty):
		return BadQuantity, fmt.Sprintf("quantity %v is not above the %v that are filled: cancel what is left", c.Qty, o.Filled)
	}
	return x.refuse(c, l)
}

// replace puts an order anew under its changed terms.
func (x *Exchange) replace(now time.Time, o, c *resting, l *listing) {
	x.lift(o, l)
	x.leave(o)
	held, was := o.Hold, o.Qty
	if !trails(c.Type) || !o.trailsAs(&c.Terms) {
		o.TrailNow, o.TrailSeen = nil, nil
	}
	lasts := o.lastsAs(c)
	o.Type, o.TIF, o.Qty, o.Limit, o.Terms, o.Triggered = c.Type, c.TIF, c.Qty, c.Limit, c.Terms, c.Triggered
	o.seq, o.Updated, o.atClose, o.opened = x.nextSeq(), now, false, false
	if !lasts {
		o.expires = x.expiry(now, o, l)
	}
	x.join(o)
	x.out = append(x.out, Modified{o.Order})
	x.cutChildren(now, o, was)
	x.warnIgnored(o)
	if held && !o.Hold {
		o.Hold = true
		x.release(now, o.root())
		return
	}
	waited := o.Wait
	x.proceed(now, o, l)
	if waited != WaitSession {
		x.warn(now, o, l)
	}
}

// root is the order whose family o is of.
func (o *resting) root() int64 {
	if o.Parent != 0 {
		return o.Parent
	}
	return o.PermID
}

// same compares what may be unknown.
func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// lastsAs reports whether both end at one time: a DAY order that is changed after
// its session does not last for the next one.
func (o *resting) lastsAs(c *resting) bool {
	return o.TIF == c.TIF && o.GoodTill.Equal(c.GoodTill) && o.GoodAfter.Equal(c.GoodAfter) &&
		o.OutsideRTH == c.OutsideRTH && priced(o.Type) == priced(c.Type) && auction(o) == auction(c)
}

// trailsAs reports whether both keep the same distance from the market.
func (t *Terms) trailsAs(o *Terms) bool {
	return same(t.TrailAmount, o.TrailAmount) && same(t.TrailPercent, o.TrailPercent) && same(t.TrailStop, o.TrailStop)
}

func (t *Terms) equal(o *Terms) bool {
	return same(t.Stop, o.Stop) && t.trailsAs(o) && same(t.LimitOffset, o.LimitOffset) &&
		t.OutsideRTH == o.OutsideRTH && t.AllOrNone == o.AllOrNone && t.MinQty == o.MinQty && t.DisplaySize == o.DisplaySize &&
		t.GoodAfter.Equal(o.GoodAfter) && t.GoodTill.Equal(o.GoodTill) &&
		t.OCAGroup == o.OCAGroup && t.OCAType == o.OCAType && t.Hold == o.Hold
}
