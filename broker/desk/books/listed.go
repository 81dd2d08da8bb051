package books

import (
	"fmt"
	"time"

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
		if !who.Simulated { // a simulated one holds nothing back
			e.loses(c, t.Wall)
		}
		b.changeLost(t, e)
	}
	if x := e.Ending; x != nil && (x.acked || x.overdue) && x.mark <= mark && r.Known && r.Signal != order.CancelSent {
		b.notEnded(t, e)
	}
	e.replaced = replaced{}
	b.FoldOrder(t, who, r)
	if e.State.Final() && r.Known && opens(e.State, r.Signal) {
		b.relisted(t, e, r)
	}
}

// opens reports whether a list says with this signal that an order which the
// books call ended is open. Gateways list what they refused as held back.
func opens(ended order.State, sig order.Signal) bool {
	switch sig {
	case order.Acked, order.WorkingNow, order.CancelSent:
		return true
	case order.HeldBack:
		return ended != order.Rejected
	default:
		return false
	}
}

// relistWithin bounds the time between two lists that show an order which the
// books call ended. Wall time: some reconciliations.
const relistWithin = 2 * time.Minute

// relisted opens an order again that the books call ended, when a second list
// shows it open: one may have been made before its end. Nothing explains it, so a
// person has to look. One that its executions fill stays filled, and is told
// once.
func (b *Books) relisted(t *Turn, e *Entry, r broker.OrderReport) {
	full := e.State == order.Filled && !e.Filled.Less(e.MostQty())
	key := "relisted " + e.Ref
	switch since := t.Wall.Sub(e.relistedAt); {
	case full && b.raised.m[key]:
		return
	case e.relistedAt.IsZero() || since > relistWithin:
		e.relistedAt = t.Wall
		t.Ask(AskSoon)
		return
	case since < SettleAfter:
		t.Ask(AskSoon)
		return
	}
	b.raised.Put(key, true)
	f := broker.Finding{
		Kind: FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: fmt.Sprintf("%v, %v of %v filled", e.State, e.Filled, e.Qty), Theirs: fmt.Sprintf("open, %.20s", r.Status),
		Evidence: fmt.Sprintf("two answers in full, %v apart, list order %d as open", t.Wall.Sub(e.relistedAt).Round(time.Second), e.OrderID),
		Done:     "it is open in the books again, and entries are refused until a person resumes",
	}
	e.relistedAt, e.Note = time.Time{}, "the broker lists it as open, though it had ended by the books"
	b.Step(t, e, order.Listed)
	b.hint(t, e, r.Signal, r.Known, r.Status)
	if full {
		f.Done = "its executions are all of it, so the books leave it; entries are refused until a person resumes"
	}
	b.Found(t, f)
}

// terms reports whether a description has the terms that the books have.
func (e *Entry) terms(o order.Order) bool {
	return o.Qty == e.Qty && (e.Type != o.Type || Alike(e.Limit, o.Limit) && Alike(e.StopPrice, o.StopPrice))
}
