package books

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Changing notes a change that is about to be written. It counts when the broker
// shows it: until then either version may be in force.
func (b *Books) Changing(t *Turn, e *Entry, c order.Change) {
	b.count++
	e.Change, e.changeAt, e.changed, e.Unfit = &c, t.Wall, b.count, false
	b.Become(t, e, e.State)
}

// NotChanged takes back what Changing noted: nothing of it was written.
func (b *Books) NotChanged(t *Turn, e *Entry) {
	e.Change = nil
	b.Become(t, e, e.State)
}

// shows reports whether the broker's description is that of the changed order.
func shows(o order.Order, c *order.Change) bool {
	return o.Qty == c.Qty && (c.Limit == nil || Alike(o.Limit, c.Limit)) && (c.StopPrice == nil || Alike(o.StopPrice, c.StopPrice))
}

// Stands reports whether it is known how the order stands, so that a change is
// a change of that.
func (e *Entry) Stands() bool {
	switch e.State {
	case order.Accepted, order.Working, order.Partial, order.Inactive:
		return e.Change == nil
	default:
		return false
	}
}

// Unsure calls an order unknown because nobody knows which version of it the
// broker holds.
func (b *Books) Unsure(t *Turn, e *Entry, why string) {
	e.changeAt = time.Time{}
	e.Note = why + ": which version of the order the broker holds is unknown until it is asked"
	t.warn(event.NoticeText{Name: "change_unknown", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s", e.OrderID, e.Note)})
	b.Step(t, e, order.Silent)
}

// judgeChange calls an order unknown whose change stays without an answer, and
// asks the broker.
func (b *Books) judgeChange(t *Turn, e *Entry, within time.Duration) {
	if e.Change == nil || e.changeAt.IsZero() || t.Wall.Sub(e.changeAt) < within {
		return
	}
	b.Unsure(t, e, fmt.Sprintf("no answer to change %s within %v", e.Change.ID, within))
	t.Ask(AskAll)
}

// lostChange is told when the session is over.
func (b *Books) lostChange(t *Turn, e *Entry) {
	if e.Change != nil && !e.changeAt.IsZero() {
		b.Unsure(t, e, "the session ended before any answer to change "+e.Change.ID)
	}
}

// changeLost takes that the broker does not have a change.
func (b *Books) changeLost(t *Turn, e *Entry) {
	e.Note = "change " + e.Change.ID + " did not reach the broker; the order stands as it was"
	e.Change, e.Unfit = nil, true
	t.warn(event.NoticeText{Name: "change_lost", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s", e.OrderID, e.Note)})
	b.Become(t, e, e.State)
}

// described takes over the terms of an order as the broker describes it: after a
// change, after one by hand, and when a fill in its group has made it smaller.
// Full says that the broker calls it filled: no other version comes into force
// any more.
func (b *Books) described(t *Turn, e *Entry, o order.Order, full bool) {
	if b.overtaken(t, e, o) {
		return
	}
	was, change := e.Order, e.Change
	if c := change; c != nil {
		switch {
		case shows(o, c):
			e.replaced = replacedBy(c, was, t.Wall)
			e.Change, e.Unfit, e.Note = nil, false, ""
		case full:
			b.changeLost(t, e)
		}
	}
	asked := change != nil && shows(o, change)
	if c := e.Lost; c != nil && shows(o, c) { // it came
		e.replaced, e.Lost, e.Note = replacedBy(c, was, t.Wall), nil, ""
		asked = true
	}
	if o.Qty.Sign() > 0 {
		e.Qty = o.Qty
	}
	if e.Type == o.Type && o.Limit != nil {
		e.Limit = o.Limit
	}
	if e.Type == o.Type && o.StopPrice != nil {
		e.StopPrice = o.StopPrice
	}
	if e.OCA == "" {
		e.OCA = o.OCA
		b.joins(e)
	}
	if o.Qty.Sign() > 0 && o.Qty.Less(was.Qty) && !asked {
		b.shrinks(t, e, was.Qty)
		e.Shut = e.Shut || e.Protects() // for a fill in its group that nobody told us of
	}
	e.Extended = e.Extended || o.Extended // ours are known; not every venue tells
	if e.State == order.Filled && was.Qty.Less(e.Qty) && e.Filled.Less(e.Qty) {
		b.Step(t, e, order.Listed) // it was full by what was known of it
	} else if was.Qty != e.Qty || !Alike(was.Limit, e.Limit) || !Alike(was.StopPrice, e.StopPrice) || was.OCA != e.OCA || was.Change != e.Change || was.Lost != e.Lost {
		b.Become(t, e, e.State)
	}
}

// The codes of a refused change that are not those of a rejected order.
const (
	codeFilledAlready = 104
	codeMismatch      = 105
	codeStillWorkedOn = 2102
)

// refusesChange reports whether a message about an order with a change in
// flight is the answer to that.
func refusesChange(n broker.Notice) bool {
	return n.Kind == broker.NoticeReject || n.Kind == broker.NoticeReadOnly ||
		n.Code == codeFilledAlready || n.Code == codeMismatch || n.Code == codeStillWorkedOn
}

// unchanged takes a refusal of a change: the old version stands. A broker uses
// the word for a rejected order, too, so it is asked.
func (b *Books) unchanged(t *Turn, e *Entry, n broker.Notice) {
	id := e.Change.ID
	e.Change, e.Unfit = nil, true
	e.Note = fmt.Sprintf("change %s was refused (%d %s); the order stands as it was", id, n.Code, n.Text)
	b.Become(t, e, e.State)
	t.Ask(AskAll)
}

// Noticed takes a message about an order. Only one that ends it, or what was
// asked for, is an answer: silence about the order goes on otherwise.
func (b *Books) Noticed(t *Turn, e *Entry, n broker.Notice) {
	e.Note, e.suspect = n.Text, true // no dialog holds back what the gateway has a word on
	if e.Change != nil && refusesChange(n) {
		b.unchanged(t, e, n)
		return
	}
	if e.Lost != nil && e.Stands() && e.Ending == nil && refusesChange(n) {
		b.lostRefused(t, e, n)
		return
	}
	if n.Code == codeCancelled && e.Protects() && !e.Owed.IsZero() {
		// A status is authoritative, and may be lost. A fill in the stop's group
		// and the venue's word that it is cancelled are two witnesses.
		b.Step(t, e, order.CancelDone)
		return
	}
	switch n.Kind {
	case broker.NoticeReadOnly: // it refused this very message, an order or its cancel
		if e.Ending != nil {
			b.notCancelled(t, e)
			break
		}
		b.Step(t, e, order.Refused)
	case broker.NoticeReject:
		b.Step(t, e, order.Refused)
	case broker.NoticeNoCancel:
		b.notCancelled(t, e)
		// The cancel is over; how the order stands, the code does not tell. It
		// may work, have ended, or never have been there.
		t.Ask(AskAll)
	default:
		// A cancel's notice too: the status that comes with it is
		// authoritative.
		b.Become(t, e, e.State)
		if e.State == order.Sent && n.Kind != broker.NoticeInfo { // it may mean anything
			t.Ask(AskSoon)
		}
	}
}

// codeCancelled is the venue's word that an order is cancelled.
const codeCancelled = 202
