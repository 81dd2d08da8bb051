package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/reconcile"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// ErrNotSettled means that an order cannot be settled by a person's word, as
// things stand. The error around it says why.
var ErrNotSettled = errors.New("not settled")

// Settle takes a person's word for how an order ended whose outcome stays unknown,
// such as when the gateway has lost the day's completed orders. The broker is
// asked anew before: when it tells the outcome, or anything that contradicts the
// word, it is right and the word is refused. Who said it, what and why is durable
// before it counts, and the order's end is when Settle returns without an error. An
// order that has ended as asked is settled already. What was filled only the
// executions and the broker's position say. One word is taken at a time.
func (d *Desk) Settle(ctx context.Context, by string, s event.Settling) (order.Order, error) {
	if _, _, ok := reconcile.Settles(s.As); !ok || s.Ref == "" || s.Reason == "" {
		return order.Order{}, fmt.Errorf("settle: %w: order %.40q as %.20q needs a reference, one of absent, filled, cancelled, and a reason", ErrNotSettled, s.Ref, s.As)
	}
	select {
	case d.settling <- struct{}{}:
		defer func() { <-d.settling }()
	case <-ctx.Done():
		return order.Order{}, fmt.Errorf("settle: another order is being settled: %w", ctx.Err())
	}
	if o, done, err := d.settlable(ctx, s); done || err != nil {
		return o, err
	}
	h := d.held.Load()
	var src broker.AccountSource
	if h != nil {
		src, _ = h.session.(broker.AccountSource)
	}
	cut := fmt.Errorf("settle: %w: the broker is to be asked first, and the link does not stand; ask again when it is ready", ErrNotSettled)
	if state := d.linkState(); src == nil || d.cfg.Progress || state != broker.Ready && state != broker.Degraded || d.cutOff() {
		return order.Order{}, cut
	}
	var o order.Order
	var said error
	err := d.inquire(ctx, h, src, func(l *reconcile.Look) {
		if said = cut; d.cutOff() {
			return // it answers from what it remembers
		}
		if l.Positions.Err() == nil {
			d.seen()
		}
		l.Calm = true
		d.reconcile(h, l)
		o, said = d.settle(ctx, l, by, s)
	})
	if err != nil {
		return o, fmt.Errorf("settle: %w: the broker did not answer in full: %w", ErrNotSettled, err)
	}
	return o, said
}

// settlable looks whether there is anything to settle; done says that it was.
func (d *Desk) settlable(ctx context.Context, s event.Settling) (o order.Order, done bool, err error) {
	if err := d.take(ctx); err != nil {
		return o, false, err
	}
	defer d.give()
	e := d.books.Called(s.Ref)
	if e == nil {
		return o, false, fmt.Errorf("settle: %w: no order %.60q is in memory; traderctl orders lists them", ErrNotSettled, s.Ref)
	}
	return d.settledAs(e, s.As)
}

// settledAs compares how an order stands with a person's word; done says that it
// ended so. The caller has the turn.
func (d *Desk) settledAs(e *books.Entry, as string) (o order.Order, done bool, err error) {
	_, ends, _ := reconcile.Settles(as)
	switch {
	case e.State == ends:
		return e.Order, true, nil
	case e.State != order.Unknown:
		return e.Order, false, fmt.Errorf("settle: %w: the outcome of order %.60q is known: %s (%s)", ErrNotSettled, e.Ref, books.Describe(e.Order), e.Note)
	}
	return e.Order, false, nil
}

// settle takes the word, when the look does not contradict it. The caller has the
// turn.
func (d *Desk) settle(ctx context.Context, l *reconcile.Look, by string, s event.Settling) (order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	e := d.books.Called(s.Ref)
	if e == nil {
		return order.Order{}, fmt.Errorf("settle: %w: order %.60q is not in memory any more", ErrNotSettled, s.Ref)
	}
	if o, done, err := d.settledAs(e, s.As); done || err != nil {
		return o, err
	}
	if why := l.Contradicts(e, s.As); why != "" {
		return e.Order, fmt.Errorf("settle: %w: order %.60q is not taken for %s: %s", ErrNotSettled, e.Ref, s.As, why)
	}
	sig, _, _ := reconcile.Settles(s.As)
	note := said("settled as "+s.As, by, s.Reason)
	f := broker.Finding{
		Kind: books.FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: e.State.String(), Theirs: "nothing of it", Explained: true,
		Evidence: fmt.Sprintf("order %d, permanent id %d, %v of %v filled: %s", e.OrderID, e.PermID, e.Filled, e.Qty, note),
		Done:     "the word of a person counts, as the broker, asked anew, tells nothing that contradicts it", At: time.Now(),
	}
	if err := d.keep(ctx, broker.Record{Finding: &f}); err != nil {
		return e.Order, fmt.Errorf("settle: who said it could not be stored, so nothing is changed: %w", err)
	}
	t := d.begin()
	e.Note = note
	d.books.Step(t, e, sig)
	d.follow(t)
	d.out.finding(f)
	d.warn(event.NoticeText{Level: "warning", Name: "order_settled", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d was unknown and is %v: %s", e.OrderID, e.State, note)})
	if err := d.journal.Sync(ctx); err != nil {
		return e.Order, fmt.Errorf("settle: it counts as long as this program runs, but is not stored: %w", err)
	}
	return e.Order, nil
}

// keep returns when a record is durable.
func (d *Desk) keep(ctx context.Context, r broker.Record) error {
	now := d.stamp()
	r.Wall, r.Market = now.Wall, now.Market
	if err := d.journal.Record(ctx, r); err != nil {
		return err
	}
	return d.journal.Sync(ctx)
}
