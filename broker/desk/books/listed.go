package books

import (
	"robotrader/broker"
	"robotrader/broker/order"
)

// Mark is the age of what is known: it rises with every report that is folded
// and every change or cancel that is written. One taken before a question tells
// what is older than its answer.
func (b *Books) Mark() uint64 { return b.count }

// hears notes that a report about an order is folded.
func (b *Books) hears(e *Entry) {
	b.count++
	e.heard = b.count
}

// Listed takes in an order as a confirmed answer shows it open, to a question
// that was asked at mark. Unlike an event it cannot have been overtaken by
// anything from before the question, so it ends the doubt about a change and a
// cancel. What was reported since is newer than the answer.
func (b *Books) Listed(t *Turn, who *broker.Facts, r broker.OrderReport, mark uint64) {
	o := r.Order
	e := b.Find(o.ClientID, o.OrderID, o.PermID, o.Ref)
	if e == nil || r.WhatIf || Foreign(who, o.Account) || Disagrees(e, o) != "" {
		b.FoldOrder(t, who, r)
		return
	}
	if e.heard > mark && !e.terms(o) {
		return // gateways tell the answer as events, too: then the terms are the same
	}
	if c := e.Change; c != nil && e.changeAt.IsZero() && e.changed <= mark && !shows(o, c) {
		b.changeLost(t, e)
	}
	if x := e.Ending; x != nil && (x.acked || x.overdue) && x.mark <= mark && r.Known && r.Signal != order.CancelSent {
		b.notEnded(t, e)
	}
	b.FoldOrder(t, who, r)
}

// terms reports whether a description has the terms that the books have.
func (e *Entry) terms(o order.Order) bool {
	return o.Qty == e.Qty && (e.Type != o.Type || Alike(e.Limit, o.Limit) && Alike(e.StopPrice, o.StopPrice))
}
