package books

import (
	"time"

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
// to be in force.
func (e *Entry) proveChange(wall time.Time) {
	c := e.Change
	if c == nil || !e.Qty.Less(e.Filled) || c.Qty.Less(e.Filled) {
		return
	}
	e.replaced = replacedBy(c, e.Order, wall)
	e.Qty, e.Change, e.Unfit, e.Note = c.Qty, nil, false, ""
	if c.Limit != nil {
		e.Limit = c.Limit
	}
	if c.StopPrice != nil {
		e.StopPrice = c.StopPrice
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
