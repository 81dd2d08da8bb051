package exchange

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Place gives an order. The order of the first report carries the number that
// the exchange gave it (PermID), also when it was rejected.
func (x *Exchange) Place(now time.Time, r Request) []Report {
	x.begin(now)
	x.orders++
	o := x.draft(now, &r)
	o.PermID = x.permBase + x.orders
	l := x.listings[r.Symbol]
	x.adopt(o)
	if reason, text := x.refuse(o, l); reason != 0 {
		o.State, o.Note = order.Rejected, text
		x.out = append(x.out, Rejected{o.Order, reason, text})
		return x.out
	}
	o.seq, o.alarm = x.nextSeq(), alarm{no: x.orders, order: o}
	o.expires = x.expiry(now, o, l)
	x.open[o.PermID] = o
	x.join(o)
	x.out = append(x.out, Accepted{o.Order})
	x.warnIgnored(o)
	if o.Parent == 0 {
		x.proceed(now, o, l)
		x.warn(now, o, l)
		return x.out
	}
	x.children[o.Parent] = append(x.children[o.Parent], o)
	if o.Hold {
		x.proceed(now, o, l)
		return x.out
	}
	o.Hold = true
	x.release(now, o.Parent)
	return x.out
}

// draft is the order that r asks for, without a number.
func (x *Exchange) draft(now time.Time, r *Request) *resting {
	o := &resting{Order: Order{Terms: r.Terms, Order: order.Order{
		Ref: r.Ref, OrderID: r.OrderID, ClientID: r.ClientID, Account: r.Account,
		Symbol: r.Symbol, Side: r.Side, Type: r.Type, TIF: r.TIF, Qty: r.Qty, State: order.Accepted,
		Created: now, Updated: now, Limit: r.Limit,
	}}}
	if o.Account == "" && len(x.cfg.Accounts) == 1 {
		o.Account = x.cfg.Accounts[0]
	}
	// The caller may change what his pointers point at.
	own(&o.Limit)
	own(&o.Stop)
	own(&o.TrailAmount)
	own(&o.TrailPercent)
	own(&o.TrailStop)
	own(&o.LimitOffset)
	if o.Type == order.TrailLimit && o.Limit != nil && o.LimitOffset == nil && o.TrailStop != nil {
		o.LimitOffset, o.Limit = o.distance(), nil
	}
	return o
}

func own[T any](p **T) {
	if *p != nil {
		v := **p
		*p = &v
	}
}

// distance is how far the limit is beyond the first stop, nil when it is not or
// one of them is out of bounds.
func (o *resting) distance() *market.Price {
	if o.Limit.Sign() <= 0 || o.TrailStop.Sign() <= 0 {
		return nil
	}
	d := o.TrailStop.Sub(*o.Limit)
	if o.Side == order.Buy {
		d = d.Neg()
	}
	return &d
}

// expiry is when an order ends by itself, zero for never.
func (x *Exchange) expiry(now time.Time, o *resting, l *listing) time.Time {
	switch o.TIF {
	case order.GTC:
		return time.Time{}
	case order.GTD:
		return o.GoodTill
	}
	return x.lastsUntil(l, o, now)
}

// take fills an arriving order against what is known: the opposite quote, for
// an order without a limit else the last trade.
func (x *Exchange) take(now time.Time, o *resting, l *listing) {
	against := &l.bidLeft
	if o.Side == order.Buy {
		against = &l.askLeft
	}
	if !against.Known && o.Limit == nil {
		against = &l.soldLeft
		if o.Side == order.Buy {
			against = &l.boughtLeft
		}
	}
	if against.Known && o.reaches(against.Price) {
		x.takeFrom(now, o, l, against.Price, against)
	}
}

// takeFrom fills as much of an order as there is to trade with and the order
// allows, and reports whether that was anything.
func (x *Exchange) takeFrom(now time.Time, o *resting, l *listing, price market.Price, against *tape.Level) bool {
	size := o.Remaining()
	if x.cfg.PartialFills && against.Size.Less(size) {
		if size = against.Size; o.AllOrNone || o.TIF == order.FOK {
			return false
		}
		if o.Filled.IsZero() && size.Less(o.MinQty) {
			return false
		}
	}
	if size.Sign() <= 0 {
		return false
	}
	if x.cfg.PartialFills {
		against.Size = against.Size.Sub(size)
		l.changed = true
	}
	x.fill(now, o, l, price, size)
	return true
}

// reaches reports whether the order, when it works, may trade at p.
func (o *resting) reaches(p market.Price) bool {
	switch {
	case o.Limit == nil:
		return true
	case o.Side == order.Buy:
		return !o.Limit.Less(p)
	}
	return !p.Less(*o.Limit)
}

// Advance moves market time: what is due by now happens, such as the end of DAY
// orders whose session is over.
func (x *Exchange) Advance(now time.Time) []Report {
	x.begin(now)
	return x.out
}

// Cancel ends an open order. Its children end with it, or go live for what it
// filled. The error wraps [ErrNotOpen].
func (x *Exchange) Cancel(now time.Time, permID int64) ([]Report, error) {
	x.begin(now)
	o, ok := x.open[permID]
	if !ok {
		return x.out, fmt.Errorf("%w: perm id %d", ErrNotOpen, permID)
	}
	x.withdraw(now, o, Asked)
	return x.out, nil
}

// CancelAll ends the open orders that which reports true of, all when it is
// nil: the children first, and else in the order in which they came.
func (x *Exchange) CancelAll(now time.Time, which func(Order) bool) []Report {
	x.begin(now)
	all := slices.DeleteFunc(x.arrivals(), func(o *resting) bool { return which != nil && !which(o.Order) })
	for _, children := range [...]bool{true, false} { // first, so that none goes live on the way
		for _, o := range all {
			if (o.Parent != 0) == children && x.open[o.PermID] == o {
				x.withdraw(now, o, Asked)
			}
		}
	}
	return x.out
}

// Apply tells the exchange what happened in the market, and fills what it
// fills. An event of a symbol that is not listed is ignored.
func (x *Exchange) Apply(now time.Time, ev tape.Event) []Report {
	x.begin(now)
	l := x.listings[ev.Symbol]
	if l == nil {
		return x.out
	}
	l.changed = true
	x.instant++
	switch ev.Kind {
	case tape.Quote:
		l.bid, l.ask = ev.Bid, ev.Ask
		l.bidAt, l.askAt = ev.At, ev.At
		l.bidLeft, l.askLeft = x.allowed(l, ev.Bid), x.allowed(l, ev.Ask)
		x.quoted(now, l)
	case tape.Trade:
		l.trade(&ev, x.zone)
		if !ev.Suspicious {
			// Each side of the print is there for the orders opposite.
			l.boughtLeft = x.allowed(l, l.last)
			l.soldLeft = l.boughtLeft
			x.traded(now, l)
		}
	case tape.Halt, tape.Resume:
		l.halt(ev.Kind == tape.Halt)
	}
	l.beginDay()
	return x.out
}

// trade enters a print into the symbol's market.
func (l *listing) trade(ev *tape.Event, zone *time.Location) {
	if !ev.At.Before(l.dayEnd) {
		if l.last.Known {
			l.prevClose, l.hasClose = l.last.Price, true
		}
		l.volume, l.hasDay = market.Qty{}, false
		y, m, d := ev.At.In(zone).Date()
		l.dayEnd = time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	}
	l.volume, l.hasVolume = l.volume.Add(ev.Size), true
	if ev.Suspicious {
		return
	}
	l.last, l.lastAt = tape.Level{Price: ev.Price, Size: ev.Size, Known: true}, ev.At
	if !l.hasDay {
		l.hasDay, l.dayOpen, l.dayHigh, l.dayLow = true, ev.Price, ev.Price, ev.Price
	}
	if l.dayHigh.Less(ev.Price) {
		l.dayHigh = ev.Price
	}
	if ev.Price.Less(l.dayLow) {
		l.dayLow = ev.Price
	}
}

// allowed is what own orders may take of a level.
func (x *Exchange) allowed(l *listing, of tape.Level) tape.Level {
	if x.cfg.PartialFills && of.Size.Sign() > 0 {
		if x.cfg.FillShare.Sign() > 0 {
			of.Size = x.cfg.FillShare.OfQty(of.Size, l.details.SizeStep)
		}
		of.Size = of.Size.Floor(l.details.SizeStep)
	}
	return of
}

// quoted fills what a quote fills.
func (x *Exchange) quoted(now time.Time, l *listing) {
	if l.halted || l.phase == shut {
		return
	}
	x.sweep(now, l, &l.buys, &l.askLeft)
	x.sweep(now, l, &l.sells, &l.bidLeft)
	x.settle(now, l, l.ask.Known, l.bid.Known)
}

// traded fills what a trade fills, and sets off what it sets off.
func (x *Exchange) traded(now time.Time, l *listing) {
	if l.halted || l.phase == shut {
		return
	}
	x.sweep(now, l, &l.buys, &l.boughtLeft)
	x.sweep(now, l, &l.sells, &l.soldLeft)
	x.settle(now, l, true, true)
	l.printed = true
	l.follow(l.last.Price)
	x.elect(now, l)
}

// sweep fills the orders that rest on one side, best first, against a quote or
// a print, as long as they reach it. An order without a limit, and one that
// went live while the market was not playing, trades at its price; another at
// its own, because it was there first.
func (x *Exchange) sweep(now time.Time, l *listing, side *[]*resting, against *tape.Level) {
	for i := 0; against.Known && i < len(*side); {
		o := (*side)[i]
		if !o.reaches(against.Price) || x.cfg.PartialFills && against.Size.Sign() <= 0 {
			return
		}
		price := against.Price
		if o.Limit != nil && !o.fresh {
			price = *o.Limit
		}
		if o.born == x.instant || !x.takeFrom(now, o, l, price, against) {
			i++
			continue
		}
		i = 0 // its fill may have ended others
	}
}

// settle makes orders that went live while the market was not playing ordinary
// ones, and ends those that had this one chance.
func (x *Exchange) settle(now time.Time, l *listing, buys, sells bool) {
	if len(l.fresh) == 0 {
		return
	}
	for _, o := range slices.Clone(l.fresh) {
		known := sells
		if o.Side == order.Buy {
			known = buys
		}
		switch {
		case !known || x.open[o.PermID] != o || !o.fresh || o.born == x.instant:
		case o.TIF == order.OPG || atOnce(o.TIF):
			x.withdraw(now, o, Remainder)
		default:
			remove(&l.fresh, o, bySeq)
			o.fresh = false
			x.watch.order(o)
		}
	}
}

// fill executes size of the order, tells it, enters it into the books, and does
// what follows from it.
func (x *Exchange) fill(now time.Time, o *resting, l *listing, price market.Price, size market.Qty) {
	left := o.Remaining()
	o.Filled = o.Filled.Add(size)
	o.value = o.value.Add(price.Mul(size))
	o.Updated, o.State = now, order.Partial
	if o.Remaining().IsZero() {
		o.State = order.Filled
		x.drop(o)
	}
	if avg, ok := o.value.DivQty(o.Filled); ok {
		o.AvgPrice = &avg
	}
	f := order.Fill{
		ExecID: x.nextExecID(),
		Ref:    o.Ref, OrderID: o.OrderID, PermID: o.PermID, ClientID: o.ClientID, Account: o.Account,
		Symbol: o.Symbol, Side: o.Side, Qty: size, Price: price, Exchange: "SMART", At: now, Currency: currency,
	}
	x.out = append(x.out, Executed{o.Order, f})
	x.enter(o, f)
	x.shareOut(now, o, size, left)
	if o.State == order.Filled {
		x.ended(now, o)
	}
}

// sortedKeys makes what is kept in a map come in one order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
