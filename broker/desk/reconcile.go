package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/reconcile"
	"robotrader/services/event"
)

// What follows from orders and executions that were made elsewhere.
const (
	ForeignAdopt    = "adopt"    // the books take them over, and people are told
	ForeignRestrict = "restrict" // besides, the mode becomes reduce_only
)

// lookSoonAfter is how long a second look waits for the first one. Longer than
// settleAfter, so that what both see is no report on its way. Wall time.
const lookSoonAfter = 5 * time.Second

// completedDeadline bounds the question for completed orders: some gateways
// never answer it, and what it may tell is not worth a rung. Wall time.
const completedDeadline = 3 * time.Second

// lookSoon asks for another look at the broker in a moment. The caller has the
// turn.
func (d *Desk) lookSoon() {
	if h := d.held.Load(); h != nil && !d.cfg.Progress {
		h.ask(chore{soon: true})
	}
}

// look holds the books against the broker while a session stands. It asks
// nothing as long as the link is not ready, or the gateway answers from what it
// remembers because it lost the venue.
func (d *Desk) look(ctx context.Context, h *held) {
	src, ok := h.session.(broker.AccountSource)
	state := d.linkState()
	if !ok || d.cfg.Progress || state != broker.Ready && state != broker.Degraded || d.cutOff() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline)
	defer cancel()
	l, err := d.inquire(ctx, h, src)
	if err == nil {
		err = d.take(ctx)
	}
	if err != nil {
		h.blind++
		if h.blind == 1 && !errors.Is(ctx.Err(), context.Canceled) {
			d.warn(event.NoticeText{Name: "reconciliation_failed", Text: err.Error() + "; nothing is changed by it, and it is asked again"})
		}
		return
	}
	defer d.give()
	h.blind = 0
	if !d.cutOff() {
		l.Calm = true
		d.reconcile(h, l)
	}
}

// inquire asks the venue all of it. An error means that an answer is not
// confirmed without which nothing can be compared.
func (d *Desk) inquire(ctx context.Context, h *held, src broker.AccountSource) (*reconcile.Look, error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	l := &reconcile.Look{
		Books: d.books, Who: &h.facts, Before: d.books.Begin(), Mark: d.books.Mark(),
		Lockstep: d.cfg.Progress, OrderDeadline: d.cfg.OrderDeadline, Zone: d.zone, DayOver: d.hours.DayOver, SettledAfter: d.cfg.SettledAfter,
	}
	suspects := len(d.books.Suspects) > 0
	d.give()
	if err := ask(ctx, src, l); err != nil {
		return nil, err
	}
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	lacking := len(l.Unlisted()) > 0
	d.give()
	if c, ok := h.session.(broker.CompletedSource); ok && lacking && !h.facts.Simulated {
		short, cancel := context.WithTimeout(ctx, completedDeadline)
		asked := time.Now()
		list, err := c.CompletedOrders(short)
		cancel()
		l.Completed = broker.Answered(asked, list, err)
	}
	if f, ok := h.session.(broker.ForeignSource); ok && suspects {
		short, cancel := context.WithTimeout(ctx, completedDeadline)
		asked := time.Now()
		list, err := f.AllExecutions(short)
		cancel()
		l.Foreign = broker.Answered(asked, list, err)
	}
	return l, nil
}

// ask asks what every comparison needs. Executions are asked on both sides of
// the positions: the answer counts when nothing was executed in between.
func ask(ctx context.Context, src broker.AccountSource, l *reconcile.Look) error {
	asked := time.Now()
	orders, err := src.OpenOrders(ctx)
	if l.Orders = broker.Answered(asked, orders, err); err != nil {
		return fmt.Errorf("ask the open orders: %w", err)
	}
	executions := func() (n int, err error) {
		asked := time.Now()
		fills, costs, err := src.Executions(ctx)
		if l.Fills = broker.Answered(asked, fills, err); err != nil {
			return 0, fmt.Errorf("ask the executions: %w", err)
		}
		l.Costs = costs
		return len(fills), nil
	}
	before, err := executions()
	if err != nil {
		return err
	}
	for range positionTries {
		asked := time.Now()
		positions, err := src.Positions(ctx)
		if l.Positions = broker.Answered(asked, positions, err); err != nil {
			return fmt.Errorf("ask the positions: %w", err)
		}
		for _, p := range positions {
			if books.MaxHolding.Less(p.Qty.Abs()) {
				return fmt.Errorf("ask the positions: %v of %s cannot be", p.Qty, p.Symbol)
			}
		}
		after, err := executions()
		if err != nil || after == before { // a day's executions only become more
			return err
		}
		before = after
	}
	return fmt.Errorf("ask the positions: executions came between each of %d answers; the market is too fast to count", positionTries)
}

// reconcile holds the books against what was answered. It returns a note for
// people. The caller has the turn.
func (d *Desk) reconcile(h *held, l *reconcile.Look) string {
	l.Settled = d.settled(h)
	t := d.begin()
	note := l.Reconcile(t)
	d.follow(t)
	return note
}
