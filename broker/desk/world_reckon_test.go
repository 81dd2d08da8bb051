package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// What the desk may do is reckoned here from the venue's side: its position, its
// open orders, and what is in the socket or behind a dialog. Nothing that the
// gate or the guard say of themselves is believed.

// worldStale is how long the desk may not know of what happened elsewhere: a
// trade by hand, a correction, a price. Two looks, and climbs that fail.
const worldStale = 10 * time.Second

// mayFill is what of an order may still fill.
type mayFill struct {
	ref, group string
	id         int64 // 0 of another client's
	sym        market.Symbol
	side       order.Side
	qty        market.Qty
	price      *market.Price // of its own: the limit, else the stop
}

func (f mayFill) guards() bool { return strings.HasPrefix(f.ref, books.GuardPrefix) }

// pending lists what the venue has or will have. An order with a change under
// way counts as the larger of both versions.
func (v *worldVenue) pending() (list []mayFill) {
	for _, o := range v.x.Open() {
		f := mayFill{ref: o.Ref, group: o.OCAGroup, sym: o.Symbol, side: o.Side, qty: o.Remaining(), price: o.Limit}
		if o.ClientID == worldClient {
			f.id = o.OrderID
		}
		if f.price == nil {
			f.price = o.Stop
		}
		list = append(list, f)
	}
	for _, f := range v.out {
		if f.place != nil {
			list = v.with(list, *f.place, false)
		}
	}
	for _, t := range v.stuck {
		if !v.behind(list, t) {
			list = v.with(list, t, false)
		}
	}
	return list
}

// behind reports whether a change of a stop is held behind a dialog, and an exit
// that was written after it works in the group. No exit waits for that: one would
// wait for a click, and the guard mends what the change makes too large.
func (v *worldVenue) behind(list []mayFill, t broker.Ticket) bool {
	in := t.Intent
	return in.Action == order.Modify && in.OCA != "" && slices.ContainsFunc(list, func(f mayFill) bool {
		return f.group == in.OCA && !f.guards() && v.w.wrote[in.ID] < v.w.wrote[f.ref]
	})
}

// with adds an order that is about to be written. A change takes the place of
// the order, or, when it is not alone, counts if it is larger.
func (v *worldVenue) with(list []mayFill, t broker.Ticket, alone bool) []mayFill {
	in := t.Intent
	f := mayFill{ref: t.Ref(), group: in.OCA, id: t.OrderID, sym: in.Symbol, side: in.Side, qty: in.Qty, price: in.Limit}
	if f.price == nil {
		f.price = in.Stop
	}
	for n := range list {
		if list[n].id != t.OrderID {
			continue
		}
		if perm, known := v.perms[t.OrderID]; known {
			f.qty = f.qty.Sub(v.last[perm].Filled)
		}
		f.ref, f.group = list[n].ref, list[n].group
		if alone || list[n].qty.Less(f.qty) {
			list[n] = f
		}
		return list
	}
	if _, ended := v.perms[t.OrderID]; ended || in.OCA != "" && v.spent(in.OCA) {
		return list // the change of one that has ended, and one that the venue refuses
	}
	return append(list, f)
}

// takes is the most that orders may take on one side: of a group that a guard
// made, the largest, as a fill of one is taken off the others.
func takes(list []mayFill, sym market.Symbol, side order.Side, which func(mayFill) bool) (sum market.Qty) {
	largest := map[string]market.Qty{}
	for _, f := range list {
		if f.sym != sym || f.side != side || !which(f) {
			continue
		}
		if f.group == "" {
			sum = sum.Add(f.qty)
		} else if was := largest[f.group]; was.Less(f.qty) {
			sum, largest[f.group] = sum.Add(f.qty.Sub(was)), f.qty
		}
	}
	return sum
}

func anyOrder(mayFill) bool { return true }

func noStop(f mayFill) bool { return !f.guards() }

// happened is something of which the desk hears late.
type happened struct {
	at  time.Time
	sym market.Symbol
	qty market.Qty // traded by hand or taken back
}

// unheard is how much of a position the desk may not have heard of yet.
func (v *worldVenue) unheard(sym market.Symbol) (sum market.Qty) {
	for _, h := range v.elsewhere {
		if h.sym == sym && time.Since(h.at) <= worldStale {
			sum = sum.Add(h.qty)
		}
	}
	return sum
}

// held is the venue's position.
func (v *worldVenue) held(sym market.Symbol) market.Qty {
	p, _ := v.x.Position(worldAccount, sym)
	return p.Qty
}

// lowest is the lowest price of a symbol that the desk may take for the newest.
func (v *worldVenue) lowest(sym market.Symbol) market.Price {
	cents := v.cents
	for n := len(v.prices) - 1; n >= 0; n-- {
		cents = min(cents, v.prices[n].cents)
		if time.Since(v.prices[n].at) > worldStale {
			break
		}
	}
	return centsPrice(cents)
}

func centsPrice(n int64) market.Price {
	return market.MustPrice(fmt.Sprintf("%d.%02d", n/100, n%100))
}

// reduces reports whether an order leaves a position on its side of zero when it
// and all that may still fill beside it has filled. A stop does, too, that takes
// nothing beyond what its group may take without it, or that the venue refuses as
// the group has filled. So does a change that comes too late: the venue refuses
// it, and nothing can have told the desk that there is nothing left to change.
func (w *world) reduces(t broker.Ticket) bool {
	in, v := t.Intent, w.venue
	if o, known := v.last[v.perms[t.OrderID]]; known && in.Action == order.Modify && (o.State.Final() || !o.Filled.Less(in.Qty)) {
		return true
	}
	held := v.held(in.Symbol)
	if in.Side == order.Buy {
		held = held.Neg()
	}
	before := takes(v.pending(), in.Symbol, in.Side, anyOrder)
	after := takes(v.with(v.pending(), t, true), in.Symbol, in.Side, anyOrder)
	return !held.Add(v.unheard(in.Symbol)).Less(after) || in.Type == order.Stop && before == after
}

// checkTime looks whether this is a moment at which an order may go out, and
// whether it is one that may.
func (w *world) checkTime(rec *broker.IntentRecord, t broker.Ticket) {
	ref, entry := t.Intent.ID, !w.reduces(t)
	own := !strings.HasPrefix(ref, "w-")
	switch {
	case entry && rec.Decision.Saw.Is("reduction", "true"):
		w.fail("reduction", "order %s, %s %v %s, goes out as a reduction, and %v are held beside %v that may fill", ref, t.Intent.Side, t.Intent.Qty,
			t.Intent.Symbol, w.venue.held(t.Intent.Symbol), takes(w.venue.pending(), t.Intent.Symbol, t.Intent.Side, anyOrder))
	case entry && own:
		w.fail("own", "order %s of the desk itself, %s %v, does more than reduce: %v are held", ref, t.Intent.Side, t.Intent.Qty, w.venue.held(t.Intent.Symbol))
	case w.link != broker.Ready && (w.link != broker.Degraded || entry):
		w.fail("ready", "order %s goes out while the link is %v", ref, w.link)
	case own: // it passes in any mode
	case w.mode == broker.Halted, w.mode == broker.ReduceOnly && entry:
		w.fail("mode", "order %s goes out though %s was acknowledged", ref, w.mode)
	}
	if entry && !own && !rec.Decision.Saw.Is("reduction", "true") { // what is told above says it all, else
		w.checkLimits(t)
	}
}

// checkLimits reckons the limits of an entry anew, from what went out before
// and what the venue holds. Prices are the lowest that the desk may have seen, so
// that it never counts more than the gate had to.
func (w *world) checkLimits(t broker.Ticket) {
	in, v, now := t.Intent, w.venue, w.market()
	low := v.lowest(in.Symbol)
	if in.Limit != nil && low.Less(*in.Limit) {
		low = *in.Limit
	}
	worth := low.Mul(in.Qty)
	if in.Action == order.Modify {
		if o, known := v.last[v.perms[t.OrderID]]; known { // what it is larger by
			worth = low.Mul(in.Qty.Sub(o.Filled)).Abs()
			if o.Limit != nil && !in.Qty.Less(o.Qty) {
				worth = low.Mul(in.Qty.Sub(o.Qty))
			}
		}
	}
	recent := 0
	for _, at := range w.times {
		if at.After(now.Add(-time.Minute)) {
			recent++
		}
	}
	held, worst := w.exposed(t)
	most := &worldLimits
	_, known := w.liquid.Contains(now)
	was, _ := w.liquid.Contains(now.Add(-1100 * time.Millisecond)) // the clock is told by the second
	is, _ := w.liquid.Contains(now)
	switch {
	case known && !is && !was:
		w.fail("hours", "order %s goes out while the regular session is closed", in.ID)
	case most.MaxOrderQty.Less(in.Qty):
		w.fail("limits", "order %s of %v shares goes out, and %v are the most", in.ID, in.Qty, most.MaxOrderQty)
	case in.Action == order.Place && most.MaxOrderNotional.Less(worth):
		w.fail("limits", "order %s worth %v goes out, and %v is the most", in.ID, worth, most.MaxOrderNotional)
	case recent >= most.OrdersPerMinute:
		w.fail("limits", "order %s goes out after %d in the last minute", in.ID, recent)
	case most.MaxPositionNotional.Less(held):
		w.fail("limits", "order %s goes out, and %s may be held for %v, %v is the most", in.ID, in.Symbol, held, most.MaxPositionNotional)
	case most.MaxGrossNotional.Less(worst):
		w.fail("limits", "order %s goes out, and all may be held for %v, %v is the most", in.ID, worst, most.MaxGrossNotional)
	case most.NotionalPerDay.Less(w.spent.Add(worth)):
		w.fail("limits", "order %s goes out, and makes %v today, %v is the most", in.ID, w.spent.Add(worth), most.NotionalPerDay)
	}
	w.times = append(w.times, now)
	w.spent = w.spent.Add(worth)
}

// exposed is what the order's symbol may be held for when all of its side
// fills, the order with it, and what all symbols may be. The guards' stops fill
// in place of others.
func (w *world) exposed(t broker.Ticket) (own, all market.Money) {
	v := w.venue
	list := v.with(v.pending(), t, false)
	for _, sym := range worldSymbols {
		held, unheard := v.held(sym), v.unheard(sym)
		buys, sells := held.Add(takes(list, sym, order.Buy, noStop)), held.Sub(takes(list, sym, order.Sell, noStop))
		low := v.lowest(sym)
		worth := func(q market.Qty) market.Money {
			q = q.Abs().Sub(unheard)
			if q.Sign() < 0 {
				return market.Money{}
			}
			return low.Mul(q)
		}
		worst := worth(buys)
		if s := worth(sells); worst.Less(s) {
			worst = s
		}
		all = all.Add(worst)
		if sym != t.Intent.Symbol {
			continue
		}
		if own = worth(buys); t.Intent.Side == order.Sell {
			own = worth(sells)
		}
	}
	return own, all
}
