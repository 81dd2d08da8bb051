package desk

import (
	"context"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// A change of an order goes in two steps: it is written, and it counts when the
// broker shows it. Until then the order keeps its terms, and no other change and
// no second version of it goes out: a change written into an outage, and another
// order in its place, were two live orders. It goes under the order's own
// number, so the broker can never hold two of it.

// change is one that was written and that the broker has not shown.
type change struct {
	id     string // of its intent
	qty    market.Qty
	limit  *market.Price
	stop   *market.Price
	sentAt time.Time // wall time of the write; zero once the order is unknown for it
}

// is reports whether the broker's description is that of the changed order.
func (c *change) is(o order.Order) bool {
	return o.Qty == c.qty && (c.limit == nil || alike(o.Limit, c.limit)) && (c.stop == nil || alike(o.StopPrice, c.stop))
}

// proven reports whether it is known how the order stands, so that a change is
// a change of that.
func proven(e *entry) bool {
	switch e.State {
	case order.Accepted, order.Working, order.Partial, order.Inactive:
		return e.change == nil
	default:
		return false
	}
}

// about completes an intent by the order that it is about: a cancel needs the
// market, a change keeps the group.
func about(in order.Intent, o order.Order) order.Intent {
	if in.Action == order.Cancel || in.Symbol == "" {
		in.Symbol = o.Symbol
	}
	if in.Action == order.Modify {
		in.OCA = o.OCA // a broker refuses a change of the group
	}
	return in
}

// changes tells why an order cannot be changed now.
func changes(in order.Intent, e *entry) bar {
	switch {
	case in.Symbol != e.Symbol || in.Side != e.Side || in.Type != e.Type || in.TIF != e.TIF:
		return bar{"mismatch", fmt.Sprintf("order %.40q is a %s %s %s of %s, and a change alters quantity and prices only; cancel it and place another", in.Target, e.TIF, e.Type, e.Side, e.Symbol)}
	case e.change != nil:
		return bar{"change_in_flight", fmt.Sprintf("change %s of order %.40q is not confirmed yet; wait until the broker has shown it", e.change.id, in.Target)}
	case !proven(e):
		return bar{"not_proven", fmt.Sprintf("order %.40q is %v; wait until the broker has told how it stands", in.Target, e.State)}
	case !e.Filled.Less(in.Qty):
		return bar{"below_filled", fmt.Sprintf("a quantity of %v is not above the %v that order %.40q has filled; cancel what is left of it", in.Qty, e.Filled, in.Target)}
	}
	return bar{}
}

// modify takes an allowed change to the wire.
func (d *Desk) modify(ctx context.Context, h *held, v broker.View, rec broker.IntentRecord, e *entry) event.OrderReply {
	in := rec.Intent
	rec.OrderID, rec.ClientID = e.OrderID, e.ClientID
	if reply, done := d.intend(ctx, rec); done {
		return reply
	}
	reply := event.OrderReply{IntentID: in.ID, OrderID: e.OrderID, Result: event.Written}
	b := d.bars(h, in, v.Own)
	if b.rule == "" {
		b = d.stale(v, in)
	}
	if b.rule == "" && ctx.Err() != nil {
		b = bar{"deadline", "storing the intent took longer than order_deadline, so it was not sent; look at the disk, and ask with a new id"}
	}
	if b.rule != "" {
		reply.Result, reply.Rule, reply.Reason = event.Refused, b.rule, b.reason
	} else {
		err := h.trader.Place(ctx, broker.Ticket{OrderID: e.OrderID, Account: e.Account, Contract: v.Details.Contract, Intent: in})
		sig := d.outcome(h, err, &reply)
		if sig != order.NotWritten {
			e.change, e.unfit = &change{id: in.ID, qty: in.Qty, limit: in.Limit, stop: in.Stop, sentAt: time.Now()}, false
		}
		if sig == order.Silent {
			d.changeUnsure(e, "a part of change "+in.ID+" may have been written")
		}
	}
	d.books.answers.put(in.ID, reply)
	d.out.decision(event.Decided{Intent: in, Decision: rec.Decision})
	return reply
}

// changeUnsure calls an order unknown because nobody knows which version of it the
// broker holds.
func (d *Desk) changeUnsure(e *entry, why string) {
	e.change.sentAt = time.Time{}
	e.Note = why + ": which version of the order the broker holds is unknown until it is asked"
	d.warn(event.NoticeText{Name: "change_unknown", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s", e.OrderID, e.Note)})
	d.step(e, order.Silent)
}

// judgeChange calls an order unknown whose change stays without an answer, and
// asks the broker.
func (d *Desk) judgeChange(e *entry, wall time.Time) {
	if e.change == nil || e.change.sentAt.IsZero() || wall.Sub(e.change.sentAt) < d.cfg.SilenceAfter {
		return
	}
	d.changeUnsure(e, fmt.Sprintf("no answer to change %s within %v", e.change.id, d.cfg.SilenceAfter))
	if h := d.held.Load(); h != nil {
		h.ask(chore{recover: true})
	}
}

// lostChange is told when the session is over.
func (d *Desk) lostChange(e *entry) {
	if e.change != nil && !e.change.sentAt.IsZero() {
		d.changeUnsure(e, "the session ended before any answer to change "+e.change.id)
	}
}

// described takes over the terms of an order as the broker describes it: after a
// change, after one by hand, and when a fill in its group has made it smaller.
func (d *Desk) described(e *entry, o order.Order) {
	was := e.Order
	if c := e.change; c != nil {
		switch {
		case c.is(o):
			e.change, e.unfit, e.Note = nil, false, ""
		case e.State == order.Unknown: // asked for after the silence: the change is not there
			e.change, e.unfit = nil, true
			e.Note = "change " + c.id + " did not reach the broker; the order stands as it was"
			d.warn(event.NoticeText{Name: "change_lost", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s", e.OrderID, e.Note)})
		}
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
	}
	if was.Qty != e.Qty || !alike(was.Limit, e.Limit) || !alike(was.StopPrice, e.StopPrice) || was.OCA != e.OCA {
		d.become(e, e.State)
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
func (d *Desk) unchanged(h *held, e *entry, n broker.Notice) {
	id := e.change.id
	e.change, e.unfit = nil, true
	e.Note = fmt.Sprintf("change %s was refused (%d %s); the order stands as it was", id, n.Code, n.Text)
	d.become(e, e.State)
	h.ask(chore{recover: true})
}
