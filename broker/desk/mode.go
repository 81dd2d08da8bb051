package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

var strictness = map[broker.Mode]int{broker.Active: 0, broker.ReduceOnly: 1, broker.Halted: 2}

// ErrFlattening means that a flatten is under way and keeps the mode.
var ErrFlattening = errors.New("a flatten is under way; it ends when the broker shows no position: " +
	"see what it waits for, or close the rest at the broker, then resume")

// maxWords bounds who asked and why, in characters.
const maxWords = 200

// SetMode changes the mode. It returns when the change is durable and no order
// that the mode forbids can go out any more. When the journal fails, a
// stricter mode holds all the same and a laxer one does not. Of a mode that is
// stricter already it makes no laxer one, but for active: what is returned is
// the mode that holds.
func (d *Desk) SetMode(ctx context.Context, m broker.Mode, reason string) (event.ModeChange, error) {
	if _, ok := strictness[m]; !ok {
		return event.ModeChange{}, fmt.Errorf("desk: mode %.20q is none of active, reduce_only, halted", m)
	}
	return d.change(ctx, broker.ModeRecord{Mode: m, Reason: reason, Since: time.Now()})
}

// Resume makes the mode active again, whoever made it stricter. It is refused
// with [ErrFlattening] while positions are being closed. By says who asks.
func (d *Desk) Resume(ctx context.Context, by, reason string) (event.ModeChange, error) {
	c, err := d.change(ctx, broker.ModeRecord{Mode: broker.Active, Reason: said("resumed", by, reason), Since: time.Now()})
	if err != nil {
		return c, fmt.Errorf("resume: %w", err)
	}
	return c, nil
}

// said is the reason of a mode that a person asked for.
func said(what, by, reason string) string {
	s := fmt.Sprintf("%s by %.*s", what, maxWords, by)
	if reason != "" {
		s += fmt.Sprintf(": %.*s", maxWords, reason)
	}
	return s
}

// change brings the mode to next in a turn of its own. A stricter one holds
// before the turn, so that an order that waits for the disk sees it.
func (d *Desk) change(ctx context.Context, next broker.ModeRecord) (event.ModeChange, error) {
	_, tightened := d.tighten(next)
	if err := d.take(ctx); err != nil {
		return event.ModeChange{}, err
	}
	defer d.give()
	// Again: a laxer one may have come out of the turn before this one.
	cur, again := d.tighten(next)
	laxer := strictness[next.Mode] < strictness[cur.Mode]
	switch {
	case (tightened || again) && laxer: // a still stricter one overtook it; who asked for that stores it
		return d.modeChange(), nil
	case laxer && cur.Flatten:
		return d.modeChange(), fmt.Errorf("desk: mode %s: %w", next.Mode, ErrFlattening)
	case laxer && next.Mode != broker.Active: // who asks for reduce_only wants it stricter, not a halt undone
		return d.modeChange(), nil
	case cur.Flatten && !next.Flatten: // halted once more: what is under way goes on
		next.Flatten, next.Reason, next.Since = true, cur.Reason, cur.Since
	}
	return d.latch(ctx, cur, &next)
}

// tighten makes a stricter mode hold at once, without its order to flatten,
// which is carried out only when it is durable. It returns the mode that holds
// then, and reports whether next was stricter.
func (d *Desk) tighten(next broker.ModeRecord) (holds *broker.ModeRecord, stricter bool) {
	next.Flatten = false
	for {
		cur := d.mode.Load()
		if strictness[next.Mode] <= strictness[cur.Mode] {
			return cur, false
		}
		if d.mode.CompareAndSwap(cur, &next) {
			return &next, true
		}
	}
}

// restrict makes the mode reduce_only for a reason that the desk found itself,
// unless it is as strict already. The caller has the turn.
func (d *Desk) restrict(reason string) {
	next := broker.ModeRecord{Mode: broker.ReduceOnly, Reason: reason, Since: time.Now()}
	cur, stricter := d.tighten(next)
	if !stricter {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	if _, err := d.latch(ctx, cur, &next); err != nil {
		d.warn(event.NoticeText{Level: "error", Name: "mode_not_stored", Text: err.Error()})
	}
}

// latch stores a mode and makes it hold, when it is durable, instead of cur. A
// stricter one that came meanwhile stays: it waits for this turn to be stored
// behind this one. Who wants a mode to hold also when storing fails tightens
// before. The caller has the turn.
func (d *Desk) latch(ctx context.Context, cur, next *broker.ModeRecord) (event.ModeChange, error) {
	err := d.journal.Record(ctx, broker.Record{Wall: next.Since, Market: d.floor.Now(time.Now()), Mode: next})
	if err == nil {
		err = d.journal.Sync(ctx)
	}
	if err != nil {
		err = fmt.Errorf("desk: mode %s: journal: %w", next.Mode, err)
	} else {
		d.mode.CompareAndSwap(cur, next)
		if next.Mode != broker.Halted {
			d.hold.flatten.End()
		}
	}
	d.hold.poke()
	c := d.modeChange()
	d.hold.told = c
	d.out.mode(c)
	return c, err
}

// modeChange is the mode with what it has still to do. The caller has the
// turn.
func (d *Desk) modeChange() event.ModeChange {
	m := d.mode.Load()
	c := event.ModeChange{Mode: m.Mode, Reason: m.Reason, Since: m.Since, Flatten: m.Flatten}
	if m.Mode != broker.Active {
		c.Pending = d.pending()
		c.Closing, c.Flat, c.Left = d.hold.flatten.List(d.books), d.hold.flatten.Flat, d.hold.flatten.Left
		if c.Flatten {
			c.Left = d.books.Others()
		}
	}
	return c
}

// tellMode publishes the mode when what it has still to do is not as told
// last. It takes a turn.
func (d *Desk) tellMode(ctx context.Context) {
	if d.take(ctx) != nil {
		return // it is told at the next look
	}
	defer d.give()
	if c := d.modeChange(); !sameMode(c, d.hold.told) {
		d.hold.told = c
		d.out.mode(c)
	}
}
