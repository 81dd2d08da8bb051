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

// blindAfter is for how long looks may fail before the link is degraded: ten of
// them by default. Our own choice. Wall time.
const blindAfter = 5 * time.Minute

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
	cash := d.askCash(ctx, src)
	var uncounted error
	err := d.inquire(ctx, h, src, func(l *reconcile.Look) {
		if uncounted = l.Positions.Err(); uncounted == nil {
			d.seen()
		}
		if !d.cutOff() {
			l.Calm, l.Cash, l.CashTolerance = true, cash, d.cfg.CashTolerance
			d.reconcile(h, l)
		}
	})
	if err = errors.Join(err, uncounted); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		d.unseen(err)
	}
}

// askCash asks the account's values, where its cash is among them. What fails
// compares nothing.
func (d *Desk) askCash(ctx context.Context, src broker.AccountSource) (cash broker.Answer[broker.AccountValue]) {
	if d.take(ctx) != nil {
		return cash
	}
	tells := d.books.TellsCash()
	d.give()
	if !tells {
		return cash
	}
	return shortly(ctx, src.Account)
}

// unseen takes in that a look failed. Books that drift while nobody can look
// (field-lessons §2.16) are no ground for new risk: after blindAfter the link is
// degraded, so that only what reduces goes out, until a look answers again.
func (d *Desk) unseen(err error) {
	d.figures.looked(false)
	now := time.Now()
	var first, blind bool
	d.troubled(func(t *trouble) {
		if first = t.unseen.IsZero(); first {
			t.unseen = now
		}
		if gone := now.Sub(t.unseen); gone >= blindAfter {
			blind = t.blind == ""
			t.blind = "the books could not be held against the broker since " + t.unseen.UTC().Format(time.RFC3339) + ": " + err.Error()
		}
	})
	switch {
	case first:
		d.warn(event.NoticeText{Name: "reconciliation_failed", Text: err.Error() + "; nothing is changed by it, and it is asked again"})
	case blind:
		d.warn(event.NoticeText{Level: "error", Name: "reconciliation_blind", Text: fmt.Sprintf("for %v no look at the broker's orders, executions and positions was answered, so entries are refused until one is: %v", blindAfter, err)})
	}
}

// seen takes in that a look was answered.
func (d *Desk) seen() {
	d.figures.looked(true)
	was := ""
	d.troubled(func(t *trouble) { was, t.blind, t.unseen = t.blind, "", time.Time{} })
	if was != "" {
		d.warn(event.NoticeText{Level: "info", Name: "reconciliation_back", Text: "the broker answers again, and the books were held against it"})
	}
}

// sight tells since when and why the books could not be held against the broker,
// nil when they were.
func (d *Desk) sight() *broker.Part {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	if d.trouble.blind == "" {
		return nil
	}
	return &broker.Part{Name: "books", Kind: "account", State: broker.PartBroken, Text: d.trouble.blind, Since: d.trouble.unseen}
}

// inquire asks the venue all of it, and then calls then in the turn. An error
// means that an answer is not confirmed without which nothing can be compared, and
// that then was not called. Several inquiries may be under way.
func (d *Desk) inquire(ctx context.Context, h *held, src broker.AccountSource, then func(*reconcile.Look)) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	l := &reconcile.Look{
		Books: d.books, Who: &h.facts, Since: d.books.Begin(), Mark: d.books.Mark(),
		Began:    d.floor.Now(time.Now()),
		Lockstep: d.cfg.Progress, OrderDeadline: d.cfg.OrderDeadline, Zone: d.zone, DayOver: d.hours.DayOver, SettledAfter: d.cfg.SettledAfter,
	}
	suspects := len(d.books.Suspects) > 0
	d.give()
	err := d.questions(ctx, h, src, l, suspects)
	d.turn <- struct{}{} // an inquiry that failed ends, too; whoever has the turn is bounded by its own deadline
	defer d.give()
	defer d.books.End(l.Since)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("ask the broker: %w", ctx.Err())
	}
	if err == nil {
		then(l)
	}
	return err
}

// questions asks them, one after the other.
func (d *Desk) questions(ctx context.Context, h *held, src broker.AccountSource, l *reconcile.Look, suspects bool) error {
	if err := ask(ctx, src, l); err != nil {
		return err
	}
	if err := d.take(ctx); err != nil {
		return err
	}
	others := l.Others()
	d.give()
	if a, ok := h.session.(broker.AllOrdersSource); ok && others {
		l.All = shortly(ctx, a.AllOpenOrders)
	}
	if err := d.take(ctx); err != nil {
		return err
	}
	lacking := len(l.Unlisted()) > 0
	d.give()
	if c, ok := h.session.(broker.CompletedSource); ok && lacking && !h.facts.Simulated {
		l.Completed = shortly(ctx, c.CompletedOrders)
	}
	if f, ok := h.session.(broker.ForeignSource); ok && suspects {
		l.Foreign = shortly(ctx, f.AllExecutions)
	}
	return nil
}

// shortly asks what some gateways never answer.
func shortly[T any](ctx context.Context, question func(context.Context) ([]T, error)) broker.Answer[T] {
	ctx, cancel := context.WithTimeout(ctx, completedDeadline)
	defer cancel()
	asked := time.Now()
	list, err := question(ctx)
	return broker.Answered(asked, list, err)
}

// ask asks what every comparison needs. Executions are asked on both sides of
// the positions: the answer counts when nothing was executed in between. When
// something always was, the answer for positions is partial, which changes no
// position, and the rest counts: an order that fills must not keep the link from
// being ready, nor a cancel of it from going out.
func ask(ctx context.Context, src broker.AccountSource, l *reconcile.Look) error {
	asked := time.Now()
	orders, err := src.OpenOrders(ctx)
	if l.Orders = broker.Answered(asked, orders, err); err != nil {
		return fmt.Errorf("ask the open orders: %w", err)
	}
	executions := func() ([]broker.ExecutionReport, error) {
		asked := time.Now()
		fills, costs, err := src.Executions(ctx)
		if l.Fills = broker.Answered(asked, fills, err); err != nil {
			return nil, fmt.Errorf("ask the executions: %w", err)
		}
		l.Costs = costs
		return fills, nil
	}
	before, err := executions()
	if err != nil {
		return err
	}
	for try := range positionTries {
		if try > 0 && !pause(ctx, positionPause<<(try-1)) {
			return fmt.Errorf("ask the positions: %w", ctx.Err())
		}
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
		if err != nil || len(after) == len(before) { // a day's executions only become more
			return err
		}
		l.Positions = broker.Answered(asked, positions, fmt.Errorf("ask the positions: executions came between each of %d answers; the market is too fast to count", try+1))
		if !l.Happened(before, after) { // nobody traded meanwhile: the list was not whole
			return l.Positions.Err()
		}
		before = after
	}
	return nil
}

// positionPause is how long the second try to count the positions waits, and each
// further one twice as long as the one before. Our own choice: the parts of an
// order fill within a tenth of a second or take seconds. Wall time.
const positionPause = 100 * time.Millisecond

// pause waits, and reports false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reconcile holds the books against what was answered. It returns a note for
// people. The caller has the turn.
func (d *Desk) reconcile(h *held, l *reconcile.Look) string {
	l.Settled = d.settled(h)
	t := d.begin()
	note := l.Reconcile(t)
	d.follow(t)
	if l.Positions.Err() != nil {
		d.lookSoon()
		note += ", positions not counted: executions came meanwhile"
	}
	return note
}
