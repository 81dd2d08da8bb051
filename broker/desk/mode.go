package desk

import (
	"context"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

var strictness = map[broker.Mode]int{broker.Active: 0, broker.ReduceOnly: 1, broker.Halted: 2}

// SetMode changes the mode. It returns when the change is durable and no order
// that the mode forbids can go out any more. When the journal fails, a
// stricter mode holds all the same and a laxer one does not.
func (d *Desk) SetMode(ctx context.Context, m broker.Mode, reason string) (event.ModeChange, error) {
	rank, ok := strictness[m]
	if !ok {
		return event.ModeChange{}, fmt.Errorf("desk: mode %.20q is none of active, reduce_only, halted", m)
	}
	next := &broker.ModeRecord{Mode: m, Reason: reason, Since: time.Now()}
	stricter := rank > strictness[d.mode.Load().Mode]
	if stricter {
		d.mode.Store(next) // before the turn: an order that waits for the disk sees it
	}
	if err := d.take(ctx); err != nil {
		return event.ModeChange{}, err
	}
	defer d.give()
	return d.latch(ctx, next, stricter)
}

// restrict makes the mode reduce_only for a reason that the desk found itself,
// unless it is as strict already. The caller has the turn.
func (d *Desk) restrict(reason string) {
	if strictness[d.mode.Load().Mode] >= strictness[broker.ReduceOnly] {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	next := &broker.ModeRecord{Mode: broker.ReduceOnly, Reason: reason, Since: time.Now()}
	if _, err := d.latch(ctx, next, true); err != nil {
		d.warn(event.NoticeText{Level: "error", Name: "mode_not_stored", Text: err.Error()})
	}
}

// latch stores a mode and makes it hold. A stricter one holds before it is
// stored, and also when that fails. The caller has the turn.
func (d *Desk) latch(ctx context.Context, next *broker.ModeRecord, stricter bool) (event.ModeChange, error) {
	if stricter {
		d.mode.Store(next) // another change may have had the turn in between
	}
	err := d.journal.Record(ctx, broker.Record{Wall: next.Since, Market: d.floor.now(), Mode: next})
	if err == nil {
		err = d.journal.Sync(ctx)
	}
	if err != nil {
		err = fmt.Errorf("desk: mode %s: journal: %w", next.Mode, err)
		if !stricter {
			return event.ModeChange(*d.mode.Load()), err
		}
	}
	d.mode.Store(next)
	change := event.ModeChange(*next)
	d.out.mode(change)
	return change, err
}
