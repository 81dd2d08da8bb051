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

// dayOrderEnd is when DAY orders expire, as New York's clock shows it.
const dayOrderEnd = 20 // o'clock

// Place gives an order. The order of the first report carries the number that
// the exchange gave it (PermID), also when it was rejected.
func (x *Exchange) Place(now time.Time, r Request) []Report {
	x.begin(now)
	x.orders++
	o := x.draft(now, &r)
	o.seq, o.PermID = x.orders, x.permBase+x.orders
	l := x.listings[r.Symbol]
	if reason, text := x.refuse(o, l); reason != 0 {
		o.State, o.Note = order.Rejected, text
		x.out = append(x.out, Rejected{o.Order, reason, text})
		return x.out
	}
	x.out = append(x.out, Accepted{o.Order})
	o.State = order.Working
	x.out = append(x.out, Working{o.Order})
	x.take(now, o, l)
	switch {
	case o.State == order.Filled:
	case o.TIF == order.IOC:
		x.end(now, o, Remainder)
	default:
		x.rest(now, o, l)
	}
	return x.out
}

// draft is the order that r asks for, without a number.
func (x *Exchange) draft(now time.Time, r *Request) *resting {
	o := &resting{Order: Order{Terms: r.Terms, Order: order.Order{
		Ref: r.Ref, OrderID: r.OrderID, ClientID: r.ClientID, Account: r.Account,
		Symbol: r.Symbol, Side: r.Side, Type: r.Type, TIF: r.TIF, Qty: r.Qty, State: order.Accepted,
		Created: now, Updated: now,
	}}}
	if o.Account == "" && len(x.cfg.Accounts) == 1 {
		o.Account = x.cfg.Accounts[0]
	}
	if r.Limit != nil {
		o.Limit = r.Limit.Ptr() // the caller may change his
	}
	return o
}

// refuse judges an order before it is taken; a zero reason takes it.
func (x *Exchange) refuse(o *resting, l *listing) (Reason, string) {
	switch {
	case l == nil:
		return UnknownSymbol, fmt.Sprintf("symbol %.20q is not listed here", o.Symbol)
	case x.accounts[o.Account] == nil:
		return UnknownAccount, fmt.Sprintf("account %.20q is none of %v", o.Account, x.cfg.Accounts)
	case o.Side != order.Buy && o.Side != order.Sell:
		return BadOrder, fmt.Sprintf("side %.20q is neither BUY nor SELL", o.Side)
	case o.TIF != order.Day && o.TIF != order.GTC && o.TIF != order.IOC:
		return BadOrder, fmt.Sprintf("time in force %.20q is none of DAY, GTC, IOC", o.TIF)
	case o.Qty.Sign() <= 0 || order.MaxQty.Less(o.Qty):
		return BadQuantity, fmt.Sprintf("quantity %v is not above 0 and at most %v", o.Qty, order.MaxQty)
	case l.details.SizeStep == market.Shares(1) && o.Qty != o.Qty.Whole():
		return BadQuantity, fmt.Sprintf("quantity %v is not whole shares", o.Qty)
	}
	if reason, text := refusePrice(o, l.details.MinTick); reason != 0 {
		return reason, text
	}
	switch {
	case o.TIF == order.IOC && !l.bid.Known && !l.ask.Known && !l.last.Known:
		return NoMarket, fmt.Sprintf("nothing is known about the market of %s: an immediate order cannot wait", o.Symbol)
	case len(x.open) >= MaxOpen:
		return Full, fmt.Sprintf("%d orders are open: cancel some", len(x.open))
	case len(x.fills) >= MaxFills:
		return Full, fmt.Sprintf("the books hold %d executions: start a new exchange", len(x.fills))
	}
	return x.afford(o)
}

func refusePrice(o *resting, tick market.Price) (Reason, string) {
	switch o.Type {
	case order.Market:
		if o.Limit != nil {
			return BadPrice, fmt.Sprintf("limit %v on a market order", o.Limit)
		}
	case order.Limit:
		if o.Limit == nil {
			return BadPrice, "limit order without a limit"
		}
		if o.Limit.Sign() <= 0 {
			return BadPrice, fmt.Sprintf("limit %v is not above 0", o.Limit)
		}
		if !o.Limit.OnGrid(tick) {
			return OffTick, fmt.Sprintf("limit %v is not a multiple of %v", o.Limit, tick)
		}
	default:
		return BadOrder, fmt.Sprintf("type %.20q is neither MKT nor LMT", o.Type)
	}
	return 0, ""
}

// take fills an arriving order against what is known.
func (x *Exchange) take(now time.Time, o *resting, l *listing) {
	against := l.opposite(o.Side)
	if !against.Known && o.Type == order.Market {
		against = &l.last
	}
	if against.Known && o.reaches(against.Price) {
		x.fill(now, o, against.Price, against)
	}
}

// opposite is the level that an order of a side takes from.
func (l *listing) opposite(side order.Side) *tape.Level {
	if side == order.Buy {
		return &l.ask
	}
	return &l.bid
}

// reaches reports whether the order may trade at p.
func (o *resting) reaches(p market.Price) bool {
	switch {
	case o.Type == order.Market:
		return true
	case o.Side == order.Buy:
		return !o.Limit.Less(p)
	}
	return !p.Less(*o.Limit)
}

// rest puts an order among those that wait, by price and then time.
func (x *Exchange) rest(now time.Time, o *resting, l *listing) {
	if o.TIF == order.Day {
		o.expires = x.sessionEnd(now)
		if x.expiry.IsZero() || o.expires.Before(x.expiry) {
			x.expiry = o.expires
		}
	}
	x.open[o.PermID] = o
	side := l.side(o.Side)
	i, _ := slices.BinarySearchFunc(*side, o, priority)
	*side = slices.Insert(*side, i, o)
}

func (l *listing) side(s order.Side) *[]*resting {
	if s == order.Buy {
		return &l.buys
	}
	return &l.sells
}

// priority orders the orders of one side: market orders first, then the better
// limit, then the earlier.
func priority(a, b *resting) int {
	switch {
	case a.Limit == nil && b.Limit != nil:
		return -1
	case a.Limit != nil && b.Limit == nil:
		return 1
	case a.Limit != nil && *a.Limit != *b.Limit:
		c := a.Limit.Cmp(*b.Limit)
		if a.Side == order.Buy {
			return -c
		}
		return c
	}
	return cmp.Compare(a.seq, b.seq)
}

// sessionEnd is when a DAY order given at now expires.
func (x *Exchange) sessionEnd(now time.Time) time.Time {
	y, m, d := now.In(x.zone).Date()
	end := time.Date(y, m, d, dayOrderEnd, 0, 0, 0, x.zone)
	if !now.Before(end) {
		end = time.Date(y, m, d+1, dayOrderEnd, 0, 0, 0, x.zone)
	}
	return end
}

// begin starts a call: it forgets the reports of the last one and expires what
// has expired by now.
func (x *Exchange) begin(now time.Time) {
	x.watch.reports(x.out)
	clear(x.out)
	x.out = x.out[:0]
	x.turnDay(now)
	if x.expiry.IsZero() || now.Before(x.expiry) {
		return
	}
	x.expiry = time.Time{}
	for _, o := range x.arrivals() {
		switch {
		case o.expires.IsZero():
		case !now.Before(o.expires):
			x.withdraw(now, o, Expired)
		case x.expiry.IsZero() || o.expires.Before(x.expiry):
			x.expiry = o.expires
		}
	}
}

// Advance moves market time: DAY orders whose session has ended expire.
func (x *Exchange) Advance(now time.Time) []Report {
	x.begin(now)
	return x.out
}

// Cancel ends an open order. The error wraps [ErrNotOpen].
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
// nil, in the order in which they came.
func (x *Exchange) CancelAll(now time.Time, which func(Order) bool) []Report {
	x.begin(now)
	for _, o := range x.arrivals() {
		if which == nil || which(o.Order) {
			x.withdraw(now, o, Asked)
		}
	}
	return x.out
}

// Modify changes an open order into what r asks for: price, quantity, time in
// force and terms, and with Hold = false it is transmitted with its family. A
// change that is refused is told as [Unmodified], and the order stands. It
// keeps its place in the queue only when its quantity falls and nothing else
// changes. The error wraps [ErrNotOpen]; a TWS tells it as code 104.
func (x *Exchange) Modify(now time.Time, permID int64, r Request) ([]Report, error) {
	x.begin(now)
	if _, ok := x.open[permID]; !ok {
		return x.out, fmt.Errorf("%w: perm id %d", ErrNotOpen, permID)
	}
	return x.out, nil
}

// Halt stops trading in a symbol, or lets it go on. While it is halted nothing
// fills and no stop is set off; orders come, change and go. When it goes on,
// the next quote or trade fills. A symbol that is not listed is ignored.
func (x *Exchange) Halt(now time.Time, s market.Symbol, on bool) []Report {
	x.begin(now)
	return x.out
}

// withdraw ends an order that rests.
func (x *Exchange) withdraw(now time.Time, o *resting, why Reason) {
	delete(x.open, o.PermID)
	side := x.listings[o.Symbol].side(o.Side)
	if i, ok := slices.BinarySearchFunc(*side, o, priority); ok {
		*side = slices.Delete(*side, i, i+1)
	}
	x.end(now, o, why)
}

// end tells that the rest of an order is cancelled.
func (x *Exchange) end(now time.Time, o *resting, why Reason) {
	o.State, o.Updated, o.Note = order.Cancelled, now, why.String()
	x.out = append(x.out, Cancelled{o.Order, why})
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
	switch ev.Kind {
	case tape.Quote:
		l.bid, l.ask = ev.Bid, ev.Ask
		l.bidAt, l.askAt = ev.At, ev.At
		x.sweep(now, l, &l.buys, &l.ask)
		x.sweep(now, l, &l.sells, &l.bid)
	case tape.Trade:
		l.trade(&ev, x.zone)
		if ev.Suspicious {
			break
		}
		bought := l.last // each side of the print is there for the orders opposite
		x.sweep(now, l, &l.buys, &bought)
		sold := l.last
		x.sweep(now, l, &l.sells, &sold)
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

// sweep fills the orders that rest on one side, best first, against a quote or
// a print, as long as they reach it. A market order trades at its price, a
// limit order at its own.
func (x *Exchange) sweep(now time.Time, l *listing, side *[]*resting, against *tape.Level) {
	if !against.Known || len(*side) == 0 {
		return
	}
	filled := 0
	for _, o := range *side {
		if !o.reaches(against.Price) {
			break
		}
		price := against.Price
		if o.Type == order.Limit {
			price = *o.Limit
		}
		x.fill(now, o, price, against)
		if o.State != order.Filled {
			break // what was there is used up
		}
		delete(x.open, o.PermID)
		filled++
	}
	*side = slices.Delete(*side, 0, filled)
}

// fill executes as much of the order as there is to trade with, tells it, and
// enters it into the books.
func (x *Exchange) fill(now time.Time, o *resting, price market.Price, against *tape.Level) {
	size := o.Remaining()
	if x.cfg.PartialFills {
		if against.Size.Less(size) {
			size = against.Size
		}
		against.Size = against.Size.Sub(size)
	}
	if size.Sign() <= 0 {
		return
	}
	o.Filled = o.Filled.Add(size)
	o.value = o.value.Add(price.Mul(size))
	o.Updated, o.State = now, order.Partial
	if o.Remaining().IsZero() {
		o.State = order.Filled
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
}

// sortedKeys makes what is kept in a map come in one order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
