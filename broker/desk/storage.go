package desk

import (
	"context"
	"errors"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/services/event"
)

// What the desk does around a journal that does not work: entries are refused
// (rule "journal"), cancels pass, reports are folded and told, and what the
// journal missed is recorded again when it is back.

// restorer is a journal that can come back after a failure.
type restorer interface {
	// Restored gives a word each time that the journal works again.
	Restored() <-chan struct{}
}

// back is where the journal says that it works again; nil, which never says
// anything, when it cannot.
func (d *Desk) back() <-chan struct{} {
	if r, ok := d.journal.(restorer); ok {
		return r.Restored()
	}
	return nil
}

// failing is a journal that can tell why it takes nothing.
type failing interface {
	// Trouble returns nil while the journal works.
	Trouble() *broker.JournalFailure
}

// failure is why the journal takes nothing, nil when it works or cannot tell.
func (d *Desk) failure() *broker.JournalFailure {
	if f, ok := d.journal.(failing); ok {
		return f.Trouble()
	}
	return nil
}

// retell records all orders and executions in memory and the mode again: some
// of it the journal refused while it did not work. An execution that it knows
// is one all the same.
func (d *Desk) retell() {
	d.turn <- struct{}{} // whoever has the turn is bounded by its own deadline
	defer d.give()
	var rs []broker.Record
	add := func(e *books.Entry) {
		r, o := d.stamp(), e.Order
		r.Order = &o
		rs = append(rs, r)
	}
	for _, e := range d.books.All() {
		add(e)
	}
	for _, f := range d.books.Fills {
		r, known := d.stamp(), f.Fill()
		r.Fill = &known
		rs = append(rs, r)
	}
	if h := d.held.Load(); h != nil && d.markless {
		h.ask(chore{recover: true}) // for the mark
	}
	r := d.stamp()
	r.Mode = d.mode.Load()
	d.record(append(rs, r)...)
	d.warn(event.NoticeText{Level: "warn", Name: "journal_restored", Text: "the journal works again; orders, executions and the mode were recorded anew"})
}

// intendCancel makes a cancel durable, or lets it pass without: it can only
// make the risk smaller, and a broken disk is no time to keep orders alive. It
// does not pass when ctx ended: whoever asked has gone. When done is true,
// reply is the end of it.
func (d *Desk) intendCancel(ctx context.Context, rec broker.IntentRecord) (reply event.OrderReply, done bool) {
	err := d.journal.Intend(ctx, rec)
	var dup *broker.DuplicateIntentError
	switch {
	case err == nil:
		return reply, false
	case errors.As(err, &dup):
		return d.adopt(dup.Stored), true
	case ctx.Err() != nil:
		reply = event.OrderReply{
			IntentID: rec.Intent.ID, Result: event.Refused, Rule: "journal",
			Reason: "storing the cancel took too long, so nothing was sent; ask again with a new id: " + err.Error(),
		}
		d.books.Answered(rec.Intent.ID, reply)
		return reply, true
	}
	d.warn(event.NoticeText{
		Level: "error", Name: "journal_failed", Ref: rec.Intent.ID,
		Text: "a cancel goes out without being stored: " + err.Error(),
	})
	return event.OrderReply{Reason: "the journal does not work, so this cancel is not stored"}, false
}
