package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/reconcile"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// maxSkew is how far market time and this machine's clock may be apart before
// a person is told. Our own choice: a quote's age is judged in seconds.
const maxSkew = 2 * time.Second

// positionTries bounds how often positions are asked in a look until executions
// before and after agree.
const positionTries = 3

// Steps returns the rungs after the handshake, for the symbols that are wanted
// from now on. It is called once, before Start.
func (d *Desk) Steps(symbols []market.Symbol) []broker.Step {
	d.floor.Want(symbols, time.Now())
	return []broker.Step{
		{Name: broker.RungClock, Deadline: d.cfg.ClockDeadline, Run: d.stepClock},
		{Name: broker.RungAccount, Deadline: d.cfg.AccountDeadline, Run: d.stepAccount},
		{Name: broker.RungRecovered, Deadline: d.cfg.RecoveredDeadline, Run: d.recover},
		{Name: broker.RungData, Deadline: d.cfg.DataDeadline, Run: d.stepData},
	}
}

// stepClock waits until the session is served, asks the venue's time and starts
// market time with it.
func (d *Desk) stepClock(ctx context.Context, s broker.Session) (string, error) {
	if err := d.served(ctx, s); err != nil {
		return "", err
	}
	asked := time.Now()
	at, err := s.Time(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the time: %w", err)
	}
	if at.IsZero() {
		return "", errors.New("ask the time: the venue told none")
	}
	f := s.Facts()
	if f.Simulated {
		d.floor.Set(at, f.Speed, true, time.Now())
		return "market time " + at.UTC().Format(time.RFC3339), nil
	}
	d.floor.Set(at, f.Speed, false, time.Now())
	if f.Speed != 1 { // a gatewaysim's clock is not this machine's
		return "market time " + at.UTC().Format(time.RFC3339), nil
	}
	// The venue tells whole seconds, so half a second is its own rounding.
	skew := at.Add(500 * time.Millisecond).Sub(asked.Add(time.Since(asked) / 2)).Round(100 * time.Millisecond)
	if skew.Abs() > maxSkew {
		return fmt.Sprintf("warning: this machine's clock is %v off the venue's; set it by NTP", -skew), nil
	}
	return "", nil
}

// stepAccount asks the account's values and keeps hearing of changes.
func (d *Desk) stepAccount(ctx context.Context, s broker.Session) (string, error) {
	src, ok := s.(broker.AccountSource)
	if !ok {
		return "", errors.New("this adapter tells nothing about accounts")
	}
	values, err := src.Account(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the account's values: %w", err)
	}
	if len(values) == 0 {
		return "", errors.New("ask the account's values: the venue told none")
	}
	if err := d.watch(ctx, s); err != nil {
		return "", err
	}
	if err := d.take(ctx); err != nil {
		return "", err
	}
	defer d.give()
	d.books.Account = s.Facts().Account
	facts := s.Facts()
	d.foldValues(&facts, values)
	return "", nil
}

// recover brings the books to what the venue says. Each answer that it needs is
// confirmed or fails the rung, but for positions while somebody trades: these stay
// as they are, unknown in a first life, until a look could count them.
func (d *Desk) recover(ctx context.Context, s broker.Session) (string, error) {
	note, _, err := d.recovered(ctx, s)
	return note, err
}

// recounted is recover for who needs the positions.
func (d *Desk) recounted(ctx context.Context, s broker.Session) (string, error) {
	note, uncounted, err := d.recovered(ctx, s)
	if err == nil {
		err = uncounted
	}
	return note, err
}

// recovered is recover; uncounted is why the positions are not confirmed.
func (d *Desk) recovered(ctx context.Context, s broker.Session) (note string, uncounted, err error) {
	src, ok := s.(broker.AccountSource)
	if !ok {
		return "", nil, errors.New("this adapter tells nothing about orders")
	}
	facts := s.Facts()
	mark, marked, err := d.highWater(ctx, facts)
	if err != nil {
		return "", nil, err
	}
	h := d.heldFor(s)
	// What the journal remembers of a simulated market's day belongs to
	// another run of it.
	first := d.fresh.CompareAndSwap(false, true)
	err = d.inquire(ctx, h, src, func(l *reconcile.Look) {
		if first && facts.Simulated {
			d.books.ForgetRates()
		}
		if first {
			d.books.ForgetDebts(d.floor.Now(time.Now()))
		}
		d.books.NextID = max(d.books.NextID, mark+1, facts.NextOrderID)
		d.marked = d.marked || marked
		d.markless = !d.marked
		note, uncounted = d.reconcile(h, l), l.Positions.Err()
	})
	return note, uncounted, err
}

// highWater returns the highest order number that the journal knows; marked is
// false when it cannot tell. That must not keep the link from being ready: working
// orders can be cancelled and the account be asked without a disk. The numbers of
// this process go on from memory, and where it never had a mark nothing is placed
// before the journal is back.
func (d *Desk) highWater(ctx context.Context, facts broker.Facts) (mark int64, marked bool, err error) {
	short, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	mark, err = d.journal.HighWater(short, facts.Account, facts.ClientID)
	if err == nil || ctx.Err() != nil {
		return mark, err == nil, err
	}
	d.warn(event.NoticeText{Level: "error", Name: "journal_failed", Text: "the highest order number could not be read, the one in memory holds: " + err.Error()})
	return 0, false, nil
}

// heldFor returns what is held of a session that may not be served yet.
func (d *Desk) heldFor(s broker.Session) *held {
	if h := d.held.Load(); h != nil && h.session == s {
		return h
	}
	return &held{session: s, facts: s.Facts(), since: time.Now()}
}

// today returns the journal's memory without that of an ephemeral account: its
// venue is gone with the process that played it, and its orders with it. Those
// that still worked are recorded as cancelled, so that nobody waits for them.
func (d *Desk) today(past broker.Books) broker.Books {
	gone := d.cfg.Ephemeral
	if gone == "" {
		return past
	}
	var orders []order.Order
	for _, o := range past.Orders {
		if o.Account != gone {
			orders = append(orders, o)
			continue
		}
		if !o.State.Final() {
			o.State, o.Note = order.Cancelled, "the simulated venue ended with its process"
			d.record(broker.Record{Wall: time.Now(), Order: &o})
		}
	}
	past.Orders, past.Adopted = orders, nil
	past.Fills = slices.DeleteFunc(slices.Clone(past.Fills), func(f order.Fill) bool { return f.Account == gone })
	return past
}
