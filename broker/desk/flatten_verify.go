package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// verify asks the broker for everything anew, and once more for the positions
// alone. Only a complete answer without any ends the flatten: an error is not
// flat.
func (d *Desk) verify(ctx context.Context, h *held) {
	left, err := d.remains(ctx, h)
	if ctx.Err() != nil || d.take(ctx) != nil {
		return
	}
	defer d.give()
	m := d.mode.Load()
	if !m.Flatten {
		return
	}
	d.hold.due = time.Now().Add(flattenAgain)
	switch {
	case err != nil:
		d.hold.doubt = "not verified: " + err.Error() + "; the broker is asked again"
	case len(left) > 0:
		d.hold.doubt = fmt.Sprintf("the broker still shows %v of %s", left[0].Qty, left[0].Symbol)
		d.hold.poke()
	case !d.settled(h):
		d.hold.poke() // something came while we asked
	default:
		d.finish(ctx, m)
	}
}

// remains returns the account's positions as the broker tells them now, those
// of 0 left out.
func (d *Desk) remains(ctx context.Context, h *held) ([]order.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline)
	defer cancel()
	src, ok := h.session.(broker.AccountSource)
	if !ok {
		return nil, errors.New("this adapter tells nothing about positions")
	}
	if _, err := d.recover(ctx, h.session); err != nil {
		return nil, err
	}
	list, err := src.Positions(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the positions: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(list), func(p order.Position) bool {
		return p.Qty.IsZero() || h.foreign(p.Account)
	}), nil
}

// settled reports whether the books show no position, known to be none, and no
// order of ours that works.
func (d *Desk) settled(h *held) bool {
	if d.books.Positions == nil {
		return false
	}
	for _, sym := range d.toClose(h) {
		if works, others, unknown := d.liveOf(h, sym); works != nil || others > 0 || unknown != nil {
			return false
		}
		if pos := d.position(h, sym); pos == nil || !pos.IsZero() {
			return false
		}
	}
	return true
}

// finish ends a flatten that is verified. The mode stays halted.
func (d *Desk) finish(ctx context.Context, m *broker.ModeRecord) {
	now := time.Now()
	next := *m
	next.Flatten = false
	next.Reason += "; flat since " + now.UTC().Format(time.RFC3339)
	before := d.hold.flat
	d.hold.flat = &now
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	if _, err := d.latch(ctx, m, &next); err != nil {
		d.hold.flat, d.hold.doubt = before, "flat, but this could not be stored: "+err.Error()
		return
	}
	d.warn(event.NoticeText{Level: "info", Name: "flat", Text: "the broker, asked anew, shows no position"})
}
