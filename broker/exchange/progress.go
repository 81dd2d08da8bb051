package exchange

import (
	"fmt"
	"time"

	"robotrader/broker/order"
)

// waits is what keeps an order from working now. It asks in the order in which
// an order gets past them.
func (x *Exchange) waits(now time.Time, o *resting, l *listing) Wait {
	switch {
	case o.Hold:
		return WaitTransmit
	case o.Parent != 0 && x.open[o.Parent] != nil:
		return WaitParent
	case now.Before(o.GoodAfter):
		return WaitTime
	case o.TIF == order.OPG && !o.opened, !l.lets(o):
		return WaitSession
	case o.waitsForStop():
		return WaitTrigger
	}
	return WaitNone
}

// proceed moves an order that is in no queue as far as it gets.
func (x *Exchange) proceed(now time.Time, o *resting, l *listing) {
	wait := x.waits(now, o, l)
	switch {
	case wait == WaitNone:
		x.work(now, o, l)
	case wait == WaitTrigger && l.passed(o):
		x.setOff(now, o, l)
	default:
		x.hold(now, o, l, wait)
	}
}

// hold makes an order wait.
func (x *Exchange) hold(now time.Time, o *resting, l *listing, wait Wait) {
	told := o.Wait == wait && o.State == order.Accepted
	o.Wait, o.State, o.fresh = wait, order.Accepted, false
	if !told {
		o.Updated = now
		x.out = append(x.out, HeldBack{o.Order})
	}
	if wait == WaitTrigger {
		l.arm(o)
	}
	x.schedule(now, o)
}

// work puts an order to the exchange: it takes what is there, and what is left
// of it rests or ends.
func (x *Exchange) work(now time.Time, o *resting, l *listing) {
	if o.Wait != WaitNone && o.Wait != WaitSession {
		o.seq = x.nextSeq() // it comes to the exchange now
	}
	o.Wait = WaitNone
	if o.State == order.Accepted {
		o.State, o.Updated = order.Working, now
		if o.Filled.Sign() > 0 {
			o.State = order.Partial
		}
		x.out = append(x.out, Working{o.Order})
	}
	switch {
	case onClose(o.Type):
		o.atClose = true
		if !x.nextClosing(l, now).After(o.expires) {
			o.expires = time.Time{} // its auction ends it, also where the day ends with that
		}
		x.schedule(now, o)
		return
	case o.TIF == order.OPG:
		o.fresh = true
	case l.halted && atOnce(o.TIF):
		x.withdraw(now, o, Remainder)
		return
	case l.halted:
		o.fresh = true
	case !o.fresh:
		x.take(now, o, l)
	}
	switch {
	case x.open[o.PermID] != o: // filled
	case atOnce(o.TIF) && !o.fresh:
		x.withdraw(now, o, Remainder)
	default:
		x.rest(now, o, l)
	}
}

// atOnce reports whether orders with a time in force never rest.
func atOnce(t order.TIF) bool { return t == order.IOC || t == order.FOK }

func (x *Exchange) nextSeq() int64 {
	x.seqs++
	return x.seqs
}

// withdraw ends an open order.
func (x *Exchange) withdraw(now time.Time, o *resting, why Reason) {
	x.drop(o)
	o.State, o.Wait, o.Updated, o.Note = order.Cancelled, WaitNone, now, why.String()
	x.out = append(x.out, Cancelled{o.Order, why})
	x.ended(now, o)
}

// warn tells what a client may not expect of an order that it just gave. The
// texts are from general knowledge.
func (x *Exchange) warn(now time.Time, o *resting, l *listing) {
	if x.open[o.PermID] != o || o.Wait != WaitSession || o.TIF == order.OPG {
		return
	}
	if at, known := x.begins(l, o, now); known {
		x.out = append(x.out, Warning{o.Order, 399, fmt.Sprintf(
			"Your order will not be placed at the exchange until %s US/Eastern", at.In(x.zone).Format("2006-01-02 15:04:05"))})
	}
}

// warnIgnored tells that an order's wish to work in the extended hours means
// nothing.
func (x *Exchange) warnIgnored(o *resting) {
	if o.OutsideRTH && (o.Type == order.Market || auction(o)) {
		x.out = append(x.out, Warning{o.Order, 2109, "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored " +
			"based on the order type and destination. PlaceOrder is now being processed."})
	}
}
