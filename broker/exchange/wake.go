package exchange

import (
	"time"

	"robotrader/broker/order"
)

// alarm is the one time at which an order or a listing is to be looked at. The
// zero alarm is off.
type alarm struct {
	at   time.Time // zero: at the next call
	rank int8      // of alarms at one time, see below
	no   int64     // … and at one rank
	pos  int       // place in the heap, counted from 1; 0 = off

	order   *resting // one of both is set
	listing *listing
}

// At one time a market opens or closes first: whatever goes live on an order's
// end is in the new session. Then orders end, and then others begin.
const (
	rankTurn int8 = iota
	rankEnd
	rankBegin
)

func (a *alarm) before(b *alarm) bool {
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	return a.no < b.no
}

// alarms is a heap, the earliest first. It holds each alarm at most once.
type alarms []*alarm

// set makes a ring at a time, in place of what it was set to.
func (h *alarms) set(a *alarm, at time.Time, rank int8) {
	a.at, a.rank = at, rank
	if a.pos == 0 {
		*h = append(*h, a)
		a.pos = len(*h)
	}
	h.fix(a.pos - 1)
}

// off keeps a from ringing.
func (h *alarms) off(a *alarm) {
	if a.pos == 0 {
		return
	}
	i, last := a.pos-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	a.pos = 0
	if i < last {
		h.fix(i)
	}
}

func (h alarms) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i+1, j+1
}

// fix moves the alarm at i to where it belongs.
func (h alarms) fix(i int) {
	for i > 0 && h[i].before(h[(i-1)/2]) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}

// begin starts a call: it forgets the reports of the last one and does what
// was due by now, each thing at its own time.
func (x *Exchange) begin(now time.Time) {
	x.note()
	clear(x.out)
	x.out, x.noted = x.out[:0], 0
	for len(x.alarms) > 0 && !x.alarms[0].at.After(now) {
		a := x.alarms[0]
		x.alarms.off(a)
		at := a.at
		if at.IsZero() {
			at = now
		}
		x.turnDay(at)
		if a.listing != nil {
			x.turn(at, a.listing)
		} else {
			x.ring(at, a.order)
		}
	}
	x.turnDay(now)
}

// ring does what an order's alarm was set for.
func (x *Exchange) ring(now time.Time, o *resting) {
	l := x.listings[o.Symbol]
	switch {
	case !o.expires.IsZero() && !now.Before(o.expires):
		x.withdraw(now, o, Expired)
	case o.atClose:
		x.closing(now, o, l)
	case o.Wait == WaitSession && o.TIF == order.OPG:
		o.opened = true
		x.proceed(now, o, l)
	default:
		x.proceed(now, o, l)
	}
}

// schedule sets the order's alarm to the next time at which it has to be looked
// at.
func (x *Exchange) schedule(now time.Time, o *resting) {
	var at time.Time
	rank := rankEnd
	switch {
	case o.Wait == WaitTime:
		at, rank = o.GoodAfter, rankBegin
	case o.Wait == WaitSession && o.TIF == order.OPG:
		at, rank = x.nextOpening(x.listings[o.Symbol], now), rankBegin
	case o.atClose:
		at = x.nextClosing(x.listings[o.Symbol], now)
	}
	if !o.expires.IsZero() && (at.IsZero() || !o.expires.After(at)) {
		at, rank = o.expires, rankEnd
	}
	if at.IsZero() {
		x.alarms.off(&o.alarm)
		return
	}
	x.alarms.set(&o.alarm, at, rank)
}
