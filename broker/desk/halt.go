package desk

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/unwind"
	"robotrader/broker/order"
	"robotrader/services/event"
)

const (
	// holdEvery is how often it is looked at what a halt or a flatten has still
	// to do. Wall time; what changes the mode or the link has it looked at
	// at once.
	holdEvery = 250 * time.Millisecond
	// cancelsAtOnce is how many cancels are written between two turns: reports
	// are folded meanwhile, and what is shown as written is never far behind.
	cancelsAtOnce = 16
	// haltShows is how long the answer to a halt waits for its first cancels,
	// so that it shows them as written. Wall time.
	haltShows = 100 * time.Millisecond
)

// enforcement is what a halt or a flatten has still to do. All but wake is of
// the turn.
type enforcement struct {
	wake chan struct{}    // holds one token when it is to be looked at now
	told event.ModeChange // as published last
	pass chan struct{}    // closed and replaced when the cancels were looked at

	flatten unwind.Flatten
}

func (e *enforcement) init() { e.wake, e.pass = make(chan struct{}, 1), make(chan struct{}) }

// poke has it looked at. It does not block.
func (e *enforcement) poke() {
	select {
	case e.wake <- struct{}{}:
	default: // it will be, anyhow
	}
}

// Halt latches the mode halted: when it returns without an error the latch is
// durable, no entry goes out any more, and the cancels of the working entries
// are under way: at once with a link that is ready, else as soon as it is. The
// answer lists the orders that have not ended yet. An order that can only make
// a position smaller stays. By says who asks. When the journal fails, the halt
// holds all the same until the program ends, and the error says so.
func (d *Desk) Halt(ctx context.Context, by, reason string) (event.ModeChange, error) {
	c, err := d.change(ctx, broker.ModeRecord{Mode: broker.Halted, Reason: said("halted", by, reason), Since: time.Now()})
	switch {
	case err != nil:
		return c, fmt.Errorf("halt: it holds as long as this program runs, but is not stored: %w", err)
	case len(c.Pending) == 0:
		return c, nil
	}
	return d.shown(ctx, c), nil
}

// shown returns c as it is when the cancels were looked at once more, or as it
// was when that takes long.
func (d *Desk) shown(ctx context.Context, c event.ModeChange) event.ModeChange {
	ctx, cancel := context.WithTimeout(ctx, haltShows)
	defer cancel()
	if d.take(ctx) != nil {
		return c
	}
	pass := d.hold.pass
	d.give()
	d.hold.poke()
	select {
	case <-pass:
	case <-ctx.Done():
	}
	if d.take(ctx) != nil {
		return c
	}
	defer d.give()
	return d.modeChange()
}

// enforce carries out, over one session, what the mode asks for: it cancels the
// entries when it is reduce_only or halted, and closes positions when they are
// to be flattened. What a session cannot do any more the next one does, since
// the mode is latched.
func (d *Desk) enforce(ctx context.Context, h *held) {
	look := time.NewTicker(holdEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.hold.wake:
		case <-look.C:
		}
		m := d.mode.Load()
		if m.Mode == broker.Active || h.trader == nil {
			continue
		}
		d.sweep(ctx, h)
		if m.Flatten {
			d.flatten(ctx, h)
		}
		d.tellMode(ctx)
	}
}

// unheld tells what waits now that the session is over.
func (d *Desk) unheld() {
	if d.mode.Load().Mode == broker.Active {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	d.tellMode(ctx)
}

// sweep writes the cancels that are due. It writes outside the turn, as the
// 46th of a second waits for room, and reports are to be folded meanwhile.
//
// These cancels have no intent of their own in the journal. The latch is it:
// it says who asked and why, is durable when the halt is answered, and makes
// every later start do the same. What is written twice, or before the latch is
// on the disk, does no harm, as a cancel can only end an order; and that each
// was written is recorded with its order. So a hundred of them cost no commit
// on their way, where one each would be a hundred.
func (d *Desk) sweep(ctx context.Context, h *held) {
	defer d.passed(ctx)
	for {
		list := d.due(ctx, h)
		if len(list) == 0 {
			return
		}
		for i := range list {
			if d.mode.Load().Mode == broker.Active || d.bars(h, order.Intent{Action: order.Cancel}, true).rule != "" {
				list[i].err = errHeldUp
				continue
			}
			list[i].err = h.trader.Cancel(ctx, list[i].id)
		}
		if !d.swept(ctx, h, list) {
			return
		}
	}
}

func (d *Desk) passed(ctx context.Context) {
	if d.take(ctx) != nil {
		return
	}
	defer d.give()
	close(d.hold.pass)
	d.hold.pass = make(chan struct{})
}

// aimed is a cancel on its way.
type aimed struct {
	entry  *books.Entry
	ending *books.Ending
	id     int64
	err    error
}

// errHeldUp is of a cancel that was not written because the mode or the link
// changed before its turn.
var errHeldUp = fmt.Errorf("the mode or the link changed: %w", broker.ErrNotWritten)

// due takes the next cancels. They are noted before they are written: their
// refusal may be faster than swept.
func (d *Desk) due(ctx context.Context, h *held) (list []aimed) {
	if d.take(ctx) != nil {
		return nil
	}
	defer d.give()
	if d.bars(h, order.Intent{Action: order.Cancel}, true).rule != "" {
		return nil
	}
	now, t := time.Now(), d.begin()
	for _, e := range d.toEnd(h) {
		// One whose outcome is unknown is asked once a session: only the broker
		// can tell more of it, and what it tells comes by itself.
		if e.EndAsked == &h.facts && (e.EndsNow() || e.State == order.Unknown || now.Sub(e.EndAt) < books.CancelAgain) {
			continue
		}
		e.EndAsked, e.EndAt = &h.facts, now
		if list = append(list, aimed{entry: e, ending: d.books.Ends(t, e), id: e.OrderID}); len(list) == cancelsAtOnce {
			break
		}
	}
	return list
}

// swept folds what became of the writes; more is false when there is no sense
// in going on now.
func (d *Desk) swept(ctx context.Context, h *held, list []aimed) (more bool) {
	if len(list) == 0 || d.take(ctx) != nil {
		return false
	}
	defer d.give()
	more = true
	reason, t := d.mode.Load().Reason, d.begin()
	for _, a := range list {
		var reply event.OrderReply
		sig := d.outcome(h, a.err, &reply)
		d.books.EndWritten(t, a.entry, a.ending, sig, reason)
		if sig != order.Written {
			a.entry.EndAsked, more = nil, false
			d.warn(event.NoticeText{Name: "cancel_not_written", Symbol: a.entry.Symbol, Ref: a.entry.Ref, Text: a.err.Error() + "; it is tried again"})
		}
	}
	d.follow(t)
	return more
}

// toEnd lists the orders that the mode wants ended and that this client can
// end.
func (d *Desk) toEnd(h *held) []*books.Entry {
	m := d.mode.Load()
	if m.Mode == broker.Active {
		return nil
	}
	return d.unwinding(h).ToEnd(m.Flatten)
}

// pending lists what the mode wants ended and has not ended.
func (d *Desk) pending() (list []event.Ending) {
	h := d.held.Load()
	ready := h != nil && d.bars(h, order.Intent{Action: order.Cancel}, true).rule == ""
	for _, e := range d.toEnd(h) {
		p := event.Ending{OrderID: e.OrderID, Ref: e.Ref, Symbol: e.Symbol, Cancel: event.CancelNext}
		switch {
		case h != nil && e.EndAsked == &h.facts && e.EndIsWritten():
			p.Cancel = event.CancelWritten
		case !ready:
			p.Cancel = event.CancelWaits
		}
		list = append(list, p)
	}
	return list
}

func sameMode(x, y event.ModeChange) bool { return reflect.DeepEqual(x, y) }
