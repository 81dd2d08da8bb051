package desk

import (
	"context"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// A change of an order goes in two steps: it is written, and it counts when the
// broker shows it. Until then the order keeps its terms, and no other change and
// no second version of it goes out: a change written into an outage, and another
// order in its place, were two live orders. It goes under the order's own
// number, so the broker can never hold two of it.

// about completes an intent by the order that it is about: a cancel needs the
// market, a change keeps the group and the hours.
func about(in order.Intent, o order.Order) order.Intent {
	if in.Action == order.Cancel || in.Symbol == "" {
		in.Symbol = o.Symbol
	}
	if in.Action == order.Modify {
		in.OCA = o.OCA // a broker refuses a change of the group
		in.OutsideRTH = o.Extended
	}
	return in
}

// changes tells why an order cannot be changed now.
func changes(in order.Intent, e *books.Entry) bar {
	switch {
	case in.Symbol != e.Symbol || in.Side != e.Side || in.Type != e.Type || in.TIF != e.TIF:
		return bar{"mismatch", fmt.Sprintf("order %.40q is a %s %s %s of %s, and a change alters quantity and prices only; cancel it and place another", in.Target, e.TIF, e.Type, e.Side, e.Symbol)}
	case e.Change != nil:
		return bar{"change_in_flight", fmt.Sprintf("change %s of order %.40q is not confirmed yet; wait until the broker has shown it", e.Change.ID, in.Target)}
	case !e.Stands():
		return bar{"not_proven", fmt.Sprintf("order %.40q is %v; wait until the broker has told how it stands", in.Target, e.State)}
	case !e.Filled.Less(in.Qty):
		return bar{"below_filled", fmt.Sprintf("a quantity of %v is not above the %v that order %.40q has filled; cancel what is left of it", in.Qty, e.Filled, in.Target)}
	}
	return bar{}
}

// modify takes an allowed change to the wire.
func (d *Desk) modify(ctx context.Context, h *held, v broker.View, rec broker.IntentRecord, e *books.Entry) event.OrderReply {
	in := rec.Intent
	rec.OrderID, rec.ClientID = e.OrderID, e.ClientID
	c := order.Change{ID: in.ID, Qty: in.Qty, Limit: in.Limit, StopPrice: in.Stop}
	o := e.Order
	o.Change, rec.Changed = &c, &o // so that a later life knows of it, whenever this one ends
	if reply, done := d.intend(ctx, rec); done {
		if ctx.Err() != nil && !reply.Known { // it may be stored yet, behind a deadline: say that it was never written
			o := e.Order
			d.record(broker.Record{Wall: time.Now(), Market: v.Now, Order: &o})
		}
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
		t := d.begin()
		d.books.NotChanged(t, e)
		d.follow(t)
	} else {
		t := d.begin()
		d.books.Changing(t, e, c)
		d.follow(t)
		err := h.trader.Place(ctx, broker.Ticket{OrderID: e.OrderID, Account: e.Account, Contract: v.Details.Contract, Intent: in})
		t = d.begin()
		sig := d.outcome(h, err, &reply)
		switch sig {
		case order.NotWritten:
			d.books.NotChanged(t, e)
		case order.Silent:
			d.books.Unsure(t, e, "a part of change "+in.ID+" may have been written")
		}
		d.follow(t)
		if sig != order.NotWritten {
			d.tally(v, in, rec.Decision)
		}
	}
	d.books.Answered(in.ID, reply)
	d.out.decision(event.Decided{Intent: in, Decision: rec.Decision})
	return reply
}
