package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/task/crash"
)

// request is the one door: it answers what became of an intent.
func (d *Desk) request(ctx context.Context, in order.Intent) event.OrderReply {
	if err := in.Validate(); err != nil {
		return event.OrderReply{IntentID: in.ID, Result: event.Invalid, Rule: "invalid", Reason: err.Error()}
	}
	if what := books.Reserved(in, d.cfg.Protect == ProtectOff); what != "" {
		return event.OrderReply{
			IntentID: in.ID, Result: event.Refused, Rule: "reserved",
			Reason: what + " are those of the desk's own orders; take another",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	if err := d.take(ctx); err != nil {
		return d.busy(in, err)
	}
	defer d.give()
	return d.handle(ctx, in, false)
}

// demand is request for what the desk itself asks.
func (d *Desk) demand(ctx context.Context, in order.Intent) event.OrderReply {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	if err := d.take(ctx); err != nil {
		return event.OrderReply{IntentID: in.ID, Result: event.Refused, Rule: "busy", Reason: err.Error()}
	}
	defer d.give()
	return d.handle(ctx, in, true)
}

// handle answers one intent. Own says that the desk itself asks. The caller
// has the turn.
func (d *Desk) handle(ctx context.Context, in order.Intent, own bool) event.OrderReply {
	h := d.held.Load()
	reply, known := d.known(in)
	if !known {
		reply = d.decide(ctx, h, in, own)
	}
	if h != nil {
		reply.Written = h.written.Load()
	}
	return reply
}

// decide asks bars and gate, and does what they allow.
func (d *Desk) decide(ctx context.Context, h *held, in order.Intent, own bool) event.OrderReply {
	began := time.Now()
	before := d.begun.began(in.ID)
	d.begun.begin(in.ID)
	var target *books.Entry
	if in.Action != order.Place {
		if target = d.books.ByRef[in.Target]; target != nil {
			in = about(in, target.Order)
		}
	}
	in = d.grouped(h, in)
	v := d.sense(h, in)
	v.Own = own
	if target != nil {
		o := target.Order
		v.Target = &o
	}
	var dec order.Decision
	if b := d.bars(h, in, own); b.rule != "" {
		dec = b.decision()
	} else if b := d.fits(h, v, in, target); b.rule != "" {
		dec = b.decision()
	} else if b := d.unsure(h, v, in); b.rule != "" {
		dec = b.decision()
	} else {
		dec = d.gate.Decide(v, in)
		d.latchOn(dec)
	}
	dec.IntentID = in.ID
	if dec.At.IsZero() {
		dec.At = v.Now
	}
	rec := broker.IntentRecord{Intent: in, Decision: dec, Account: v.Account, Wall: time.Now()}
	switch {
	case !dec.Allowed:
		return d.refuse(ctx, rec, before)
	case in.Action == order.Cancel:
		return d.cancel(ctx, h, v, rec, target)
	case in.Action == order.Modify:
		return d.modify(ctx, h, v, rec, target)
	default:
		at := stages{began: began, decided: rec.Wall}
		reply := d.place(ctx, h, v, rec, &at)
		d.timed(in, reply, at)
		return reply
	}
}

// bar is why an intent does not pass, if the rule is not empty.
type bar struct{ rule, reason string }

func (b bar) decision() order.Decision { return order.Decision{Rule: b.rule, Reason: b.reason} }

// bars are the desk's own: they hold whatever the gate says, and are asked
// again when the intent is durable.
func (d *Desk) bars(h *held, in order.Intent, own bool) bar {
	state := d.linkState()
	switch {
	case d.stopping.Load():
		return bar{"stopping", "the desk is stopping; ask again after the next start"}
	case d.cfg.ReadOnly:
		return bar{"read_only", "read-only is on: every order and cancel is refused; start without it to trade"}
	case h == nil || d.held.Load() != h:
		return bar{"link", "there is no session with the broker; wait until the link is ready"}
	case h.trader == nil:
		return bar{"link", "this adapter cannot write orders"}
	case state != broker.Ready && state != broker.Degraded:
		return bar{"link", "the link is " + state.String() + ", not ready; wait until it is"}
	case in.Action == order.Cancel:
		return bar{} // a cancel passes in any mode
	case h.fixed.Load():
		return bar{"read_only_api", readOnlyAPI}
	case d.mode.Load().Mode == broker.Halted && !own:
		return bar{"halted", "trading is halted: " + d.mode.Load().Reason + "; resume to trade"}
	}
	return bar{}
}

// fits tells whether the venue can be asked for this at all.
func (d *Desk) fits(h *held, v broker.View, in order.Intent, target *books.Entry) bar {
	if in.Action != order.Cancel && v.Details == nil {
		return bar{"contract", fmt.Sprintf("symbol %s is not wanted, or the venue told nothing about it; start the trader with it", in.Symbol)}
	}
	if in.Action == order.Place && d.markless {
		return bar{"journal", "the journal has not told the highest order number, so a new order might take another one's; wait until it works again"}
	}
	if in.Action == order.Place {
		return d.guarded(h, v, in, in.Qty)
	}
	switch {
	case target == nil:
		return bar{"unknown_target", fmt.Sprintf("no order with intent id %.40q is known; nothing to %s", in.Target, in.Action)}
	case target.State.Final():
		return bar{"already_ended", fmt.Sprintf("order %.40q is %v already", in.Target, target.State)}
	case target.OrderID == 0:
		return bar{"unknown_target", fmt.Sprintf("order %.40q has no number at this client; cancel it where it was made", in.Target)}
	case target.ClientID != h.facts.ClientID || h.foreign(target.Account):
		// Its number is another order's here.
		return bar{"unknown_target", fmt.Sprintf("order %.40q is of client id %d and account %s; cancel it where it was made", in.Target, target.ClientID, target.Account)}
	case in.Action == order.Modify:
		if b := changes(in, target); b.rule != "" {
			return b
		}
		return d.guarded(h, v, in, v.Left(in))
	}
	return bar{}
}

// stale tells whether the world became stricter since the gate saw it: the
// gate's word does not hold then.
func (d *Desk) stale(v broker.View, in order.Intent) bar {
	if in.Action == order.Cancel {
		return bar{}
	}
	if m := d.mode.Load().Mode; m != v.Mode && m != broker.Active && !v.Own {
		return bar{"mode", fmt.Sprintf("the mode became %s while the intent was stored", m)}
	}
	if s := d.linkState(); s != v.Link && s != broker.Ready {
		return bar{"link", fmt.Sprintf("the link became %v while the intent was stored", s)}
	}
	return bar{}
}

// intend makes the intent durable. When done is true, reply is the end of it.
func (d *Desk) intend(ctx context.Context, rec broker.IntentRecord) (reply event.OrderReply, done bool) {
	crash.At("intent_before_commit")
	err := d.journal.Intend(ctx, rec)
	crash.At("intent_after_commit")
	if err == nil {
		return reply, false
	}
	var dup *broker.DuplicateIntentError
	if errors.As(err, &dup) {
		return d.adopt(dup.Stored), true
	}
	reply = event.OrderReply{
		IntentID: rec.Intent.ID, Result: event.Refused, Rule: "journal",
		Reason: "the intent could not be stored, so nothing was sent: " + err.Error(),
	}
	d.books.Answered(rec.Intent.ID, reply)
	d.warn(event.NoticeText{Level: "error", Name: "journal_failed", Text: err.Error(), Ref: rec.Intent.ID})
	return reply, true
}

// place takes an allowed order to the wire.
func (d *Desk) place(ctx context.Context, h *held, v broker.View, rec broker.IntentRecord, at *stages) event.OrderReply {
	in := rec.Intent
	o := order.Order{
		Ref: in.ID, OrderID: d.books.NextID, ClientID: h.facts.ClientID, Account: v.Account, Strategy: in.Strategy,
		Symbol: in.Symbol, Side: in.Side, Type: in.Type, TIF: in.TIF, Qty: in.Qty, Limit: in.Limit,
		StopPrice: in.Stop, OCA: in.OCA, Extended: in.OutsideRTH, State: order.Intended, Reason: in.Reason, Created: v.Now, Updated: v.Now, Trace: in.Trace,
	}
	d.books.NextID++ // also when storing fails: a number is used once
	rec.OrderID, rec.ClientID, rec.Order = o.OrderID, o.ClientID, &o
	ticket := broker.Ticket{OrderID: o.OrderID, Account: o.Account, Contract: v.Details.Contract, Intent: in}
	if h.drafter != nil {
		h.drafter.Draft(ticket)
	}
	if reply, done := d.intend(ctx, rec); done {
		if ctx.Err() != nil && !reply.Known { // it may be stored yet, behind a deadline: say that it was never sent
			o.State, o.Note = order.Dropped, reply.Reason
			d.record(broker.Record{Wall: time.Now(), Market: v.Now, Order: &o})
		}
		return reply
	}
	at.stored = time.Now()
	reply := event.OrderReply{IntentID: in.ID, OrderID: o.OrderID, Result: event.Written}
	b := d.bars(h, in, v.Own)
	if b.rule == "" {
		b = d.stale(v, in)
	}
	if b.rule == "" && ctx.Err() != nil {
		// A disk that stood still took the time. Whoever asked has gone, and
		// the market that the gate saw is not this one any more.
		b = bar{"deadline", "storing the intent took longer than order_deadline, so it was not sent; look at the disk, and ask with a new id"}
	}
	sig := order.NotWritten
	if b.rule != "" {
		reply.Result, reply.Rule, reply.Reason = event.Refused, b.rule, b.reason
	} else {
		err := h.trader.Place(ctx, ticket)
		at.written = time.Now()
		crash.At("order_after_write")
		sig = d.outcome(h, err, &reply)
	}
	e := d.books.Add(o, time.Now()) // nobody looks before the turn ends, so it need not come before the bytes
	if sig != order.NotWritten {
		d.tally(v, in, rec.Decision)
	}
	if sig == order.Written {
		e.SentAt = time.Now()
	}
	e.Note = reply.Reason
	d.step(e, sig)
	d.out.decision(event.Decided{Intent: in, Decision: rec.Decision})
	return reply
}

// outcome tells what a write's error means.
func (d *Desk) outcome(h *held, err error, reply *event.OrderReply) order.Signal {
	switch {
	case err == nil:
		h.written.Add(1)
		return order.Written
	case errors.Is(err, broker.ErrNotWritten):
		reply.Result, reply.Rule, reply.Reason = event.Refused, "not_written", err.Error()
		return order.NotWritten
	default: // also an error that says nothing: a byte may have gone out
		h.written.Add(1)
		reply.Result, reply.Reason = event.Unknown, err.Error()
		return order.Silent
	}
}

// cancel takes a cancel to the wire.
func (d *Desk) cancel(ctx context.Context, h *held, v broker.View, rec broker.IntentRecord, e *books.Entry) event.OrderReply {
	rec.OrderID, rec.ClientID = e.OrderID, e.ClientID
	reply, done := d.intendCancel(ctx, rec)
	if done {
		return reply
	}
	reply.IntentID, reply.OrderID, reply.Result = rec.Intent.ID, e.OrderID, event.Written
	if b := d.bars(h, rec.Intent, v.Own); b.rule != "" {
		reply.Result, reply.Rule, reply.Reason = event.Refused, b.rule, b.reason
	} else {
		t := d.begin()
		x := d.books.Ends(t, e)
		sig := d.outcome(h, h.trader.Cancel(ctx, e.OrderID), &reply)
		d.books.EndWritten(t, e, x, sig, "")
		d.follow(t)
	}
	d.books.Answered(rec.Intent.ID, reply)
	d.out.decision(event.Decided{Intent: rec.Intent, Decision: rec.Decision})
	return reply
}

// known answers an intent that was asked before, as far as memory goes.
func (d *Desk) known(in order.Intent) (event.OrderReply, bool) {
	if e := d.books.ByRef[in.ID]; e != nil {
		reply := became(e.Order)
		if in.Action != order.Place || in.Symbol != e.Symbol || in.Side != e.Side || in.Qty != e.Qty {
			reply.Reason = "this id was used for another order before: " + books.Describe(e.Order)
		}
		return reply, true
	}
	reply, ok := d.books.Answer(in.ID)
	reply.Known = ok
	return reply, ok
}

// adopt answers an intent of an earlier life.
func (d *Desk) adopt(r broker.IntentRecord) event.OrderReply {
	if r.Order != nil {
		return became(*r.Order)
	}
	reply := event.OrderReply{IntentID: r.Intent.ID, Known: true, OrderID: r.OrderID}
	if r.Decision.Allowed { // a cancel: it was stored, and what came of it is in its order
		reply.Result, reply.Reason = event.Unknown, "asked before; see what became of the order "+r.Intent.Target
		return reply
	}
	reply.Result, reply.Rule, reply.Reason = event.Refused, r.Decision.Rule, r.Decision.Reason
	return reply
}

// became answers for an order that exists.
func became(o order.Order) event.OrderReply {
	reply := event.OrderReply{IntentID: o.Ref, OrderID: o.OrderID, Known: true, Result: event.Written, Reason: books.Describe(o)}
	switch o.State {
	case order.Dropped:
		reply.Result, reply.Rule = event.Refused, "dropped"
	case order.Intended, order.Unknown:
		reply.Result = event.Unknown
	}
	return reply
}
