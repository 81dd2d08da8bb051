package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// maxSkew is how far market time and this machine's clock may be apart before
// a person is told. Our own choice: a quote's age is judged in seconds.
const maxSkew = 2 * time.Second

// positionTries bounds how often positions are asked until executions before
// and after agree.
const positionTries = 3

// Steps returns the rungs after the handshake, for the symbols that are wanted
// from now on. It is called once, before Start.
func (d *Desk) Steps(symbols []market.Symbol) []broker.Step {
	d.floor.want(symbols)
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
		d.floor.set(at, f.Speed, true)
		return "market time " + at.UTC().Format(time.RFC3339), nil
	}
	d.floor.set(at, f.Speed, false)
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
	d.books.account = s.Facts().Account
	d.foldValues(&held{facts: s.Facts()}, values)
	return "", nil
}

// recovery is what the venue answered about orders, executions and positions.
type recovery struct {
	orders    []broker.OrderReport
	fills     []broker.ExecutionReport
	costs     []broker.CommissionReport
	positions []order.Position
}

// recover brings the books to what the venue says. Each answer is complete or
// fails the rung.
func (d *Desk) recover(ctx context.Context, s broker.Session) (string, error) {
	src, ok := s.(broker.AccountSource)
	if !ok {
		return "", errors.New("this adapter tells nothing about orders")
	}
	facts := s.Facts()
	mark, err := d.journal.HighWater(ctx, facts.Account, facts.ClientID)
	if err != nil {
		return "", fmt.Errorf("journal: highest order number: %w", err)
	}
	// What the journal remembers of a simulated market's day belongs to
	// another run of it.
	first := d.fresh.CompareAndSwap(false, true)
	if err := d.take(ctx); err != nil {
		return "", err
	}
	before := d.books.begin()
	d.give()
	r, err := ask(ctx, src)
	if err != nil {
		return "", err
	}
	if err := d.take(ctx); err != nil {
		return "", err
	}
	defer d.give()
	if first && facts.Simulated {
		d.books.minute, d.books.notional = nil, market.Money{}
	}
	d.books.nextID = max(d.books.nextID, mark+1, facts.NextOrderID)
	return d.reconcile(&held{facts: facts}, r, before), nil
}

// ask asks all of it. Executions are asked on both sides of the positions: the
// answer counts when nothing was executed in between.
func ask(ctx context.Context, src broker.AccountSource) (r recovery, err error) {
	if r.orders, err = src.OpenOrders(ctx); err != nil {
		return r, fmt.Errorf("ask the open orders: %w", err)
	}
	if r.fills, r.costs, err = src.Executions(ctx); err != nil {
		return r, fmt.Errorf("ask the executions: %w", err)
	}
	for range positionTries {
		if r.positions, err = src.Positions(ctx); err != nil {
			return r, fmt.Errorf("ask the positions: %w", err)
		}
		for _, p := range r.positions {
			if maxHolding.Less(p.Qty.Abs()) {
				return r, fmt.Errorf("ask the positions: %v of %s cannot be", p.Qty, p.Symbol)
			}
		}
		before := len(r.fills)
		if r.fills, r.costs, err = src.Executions(ctx); err != nil {
			return r, fmt.Errorf("ask the executions: %w", err)
		}
		if len(r.fills) == before { // a day's executions only become more
			return r, nil
		}
	}
	return r, fmt.Errorf("ask the positions: executions came between each of %d answers; the market is too fast to count", positionTries)
}

// reconcile folds the venue's answers, and calls unknown what it does not
// know. Before are the orders that were live before the question. It returns a
// note for people.
func (d *Desk) reconcile(h *held, r recovery, before map[*entry]bool) string {
	meanwhile := d.books.since                  // executions that came as events while we asked
	d.books.positions, d.books.since = nil, nil // the executions below are in the answer already
	for _, o := range r.orders {
		d.foldOrder(h, o)
	}
	for _, f := range r.fills {
		d.foldExecution(h, f.Fill)
	}
	for _, c := range r.costs {
		d.foldCommission(c)
	}
	d.books.positions = map[market.Symbol]order.Position{}
	clear(d.books.told)
	for _, p := range r.positions {
		if !h.foreign(p.Account) {
			d.books.positions[p.Symbol] = p
		}
	}
	for _, f := range meanwhile {
		if !slices.ContainsFunc(r.fills, func(r broker.ExecutionReport) bool { return r.Fill.ExecID == f.ExecID }) {
			d.books.move(f, d.conID(f.Symbol)) // it came after the answer
		}
	}
	for _, sym := range slices.Sorted(maps.Keys(d.books.positions)) {
		d.out.position(d.books.positions[sym])
	}
	working, unknown := d.missing(h, r.orders, before)
	notes := []string{fmt.Sprintf("%d working", working)}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d unknown to the broker", unknown))
	}
	if n := len(r.positions); n > 0 {
		notes = append(notes, fmt.Sprintf("%d positions", n))
	}
	return strings.Join(notes, ", ")
}

// missing looks for our live orders that the venue does not list as open. They
// may have ended while nobody listened, or never have gone out: unknown.
func (d *Desk) missing(h *held, open []broker.OrderReport, before map[*entry]bool) (working, unknown int) {
	listed := map[*entry]bool{}
	for _, r := range open {
		if o := r.Order; !r.WhatIf && !h.foreign(o.Account) {
			listed[d.books.find(o.ClientID, o.OrderID, o.PermID, o.Ref)] = true
		}
	}
	for _, sym := range slices.Sorted(maps.Keys(d.books.live)) {
		for _, e := range slices.Clone(d.books.live[sym]) {
			switch {
			case !before[e] || h.foreign(e.Account) || e.ClientID != h.facts.ClientID:
			case listed[e]:
				working++
			default:
				unknown += d.unlisted(h, e)
			}
		}
	}
	return working, unknown
}

// unlisted settles what to call an order that the venue does not list; it
// returns 1 when that is unknown.
func (d *Desk) unlisted(h *held, e *entry) int {
	switch {
	case h.facts.Simulated:
		// A simulated gateway is the whole venue and forgets nothing in its
		// life: this order died with an earlier one, or on its way there.
		e.Note = "the simulated gateway knows nothing of it any more"
		d.step(e, order.CancelDone)
		return 0
	case e.State != order.Unknown:
		e.Note = "the broker lists it neither as open nor as executed"
		d.step(e, order.Silent)
	}
	return 1
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
	past.Orders = orders
	past.Fills = slices.DeleteFunc(slices.Clone(past.Fills), func(f order.Fill) bool { return f.Account == gone })
	return past
}
