package books

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// replaced are the terms that an order had before the newest change of it.
type replaced struct {
	order.Change           // the terms, under the id of the change that ended them
	at           time.Time // wall time of that, zero = there was none
}

// replacedBy is what a change replaces.
func replacedBy(c *order.Change, was order.Order, wall time.Time) replaced {
	return replaced{order.Change{ID: c.ID, Qty: was.Qty, Limit: was.Limit, StopPrice: was.StopPrice}, wall}
}

// proveChange takes over a change that executions beyond the old quantity prove
// to be in force, also one that was called lost.
func (e *Entry) proveChange(wall time.Time) {
	for _, c := range [...]*order.Change{e.Change, e.Lost} {
		if c == nil || !e.Qty.Less(e.Filled) || c.Qty.Less(e.Filled) {
			continue
		}
		e.replaced = replacedBy(c, e.Order, wall)
		e.Qty, e.Unfit, e.Note = c.Qty, false, ""
		if c.Limit != nil {
			e.Limit = c.Limit
		}
		if c.StopPrice != nil {
			e.StopPrice = c.StopPrice
		}
		if c == e.Change {
			e.Change = nil
		} else {
			e.Lost = nil
		}
	}
}

// loses keeps what a change may do that a list did not show. One that is lost
// stays so; one that a dialog of the gateway holds back comes when somebody clicks.
func (e *Entry) loses(c *order.Change, wall time.Time) {
	e.mixed = e.Lost != nil
	if e.mixed { // the worst of both
		o := order.Order{Qty: c.Qty, Limit: c.Limit, StopPrice: c.StopPrice, Lost: e.Lost}.Most()
		c = &order.Change{ID: c.ID, Qty: o.Qty, Limit: o.Limit, StopPrice: o.StopPrice}
	}
	e.Lost, e.lostAt = c, wall
}

// lostRefused takes a refusal that came for a lost change, as of somebody who says
// no in a dialog. Which of two it was is not told, so both count on. A broker uses
// the word for a rejected order, too, so it is asked.
func (b *Books) lostRefused(t *Turn, e *Entry, n broker.Notice) {
	e.Note = fmt.Sprintf("lost change %s was refused (%d %s); the order stands as it was", e.Lost.ID, n.Code, n.Text)
	if !e.mixed {
		e.Lost = nil
	}
	b.Become(t, e, e.State)
	t.Ask(AskAll)
}

// judgeLost gives it up when no list has shown it for long.
func (b *Books) judgeLost(t *Turn, e *Entry) {
	if e.Lost != nil && t.Wall.Sub(e.lostAt) >= b.SettledAfter {
		e.Lost = nil
		b.Become(t, e, e.State)
	}
}

// overtaken takes in a description with the terms that a change has replaced a
// moment ago. An answer in full, or an execution, may have overtaken it; or the
// venue showed the change, and took it back. Until it is asked either version may
// be in force. Executions beyond its quantity say that it is old.
func (b *Books) overtaken(t *Turn, e *Entry, o order.Order) bool {
	was := e.replaced
	if was.at.IsZero() || t.Wall.Sub(was.at) >= SettleAfter || e.terms(o) || !shows(o, &was.Change) {
		return false
	}
	t.Ask(AskLook)
	if e.Change == nil && !e.State.Final() && !o.Qty.Less(e.Filled) {
		e.Change = &order.Change{ID: was.ID, Qty: e.Qty, Limit: e.Limit, StopPrice: e.StopPrice}
		e.changeAt, e.changed = time.Time{}, b.count
		e.Qty, e.Limit, e.StopPrice = was.Qty, was.Limit, was.StopPrice
		b.Become(t, e, e.State)
	}
	return true
}

// cut is what an order was for before the venue showed less, and no change of
// ours asked for it: it executed in its group, and no execution has told so yet.
// Until one does, or SettleAfter is over, the position is as old as the quantity
// before, and they are reckoned together.
type cut struct {
	qty market.Qty // the quantity before, zero = there was none
	at  time.Time  // wall time of the newest description that showed less
}

// shrinks notes that the venue shows less than was known of an order.
func (b *Books) shrinks(t *Turn, e *Entry, was market.Qty) {
	if !e.Owed.IsZero() { // its group's execution has come before
		return
	}
	e.judgeCut(t.Wall) // one that is over does not go on: what it was cut by is in the position by now
	if e.cut.qty.Less(was) {
		e.cut.qty = was
	}
	e.cut.at = t.Wall
}

// judgeCut ends it.
func (e *Entry) judgeCut(wall time.Time) {
	if !e.cut.qty.IsZero() && wall.Sub(e.cut.at) >= SettleAfter {
		e.cut = cut{}
	}
}

// Most is [order.Order.Most], of a quantity that was cut without explanation.
func (e *Entry) Most() order.Order {
	o := e.Order.Most()
	if o.Qty.Less(e.cut.qty) {
		o.Qty = e.cut.qty
	}
	return o
}

// MostLeft returns the most that the order may still fill, never below 0.
func (e *Entry) MostLeft() market.Qty {
	left := e.Order.MostLeft()
	if o := (order.Order{Qty: e.cut.qty, Filled: e.Filled}).Remaining(); left.Less(o) {
		return o
	}
	return left
}

// Settled reports whether it is known how the order stands, and what its group
// executes has come to be known of it.
func (e *Entry) Settled(wall time.Time) bool {
	return e.Stands() && e.cut.qty.IsZero() && wall.Sub(e.Owed) >= SettleAfter
}
