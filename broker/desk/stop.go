package desk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// What an orderly stop does with orders that still work.
const (
	// EndEntries asks those to end that may open or enlarge a position: what
	// they fill when the trader has gone has no stop.
	EndEntries    = "entries"
	LeaveWorking  = "leave"  // they work on at the broker; the next start finds them again
	CancelWorking = "cancel" // each is asked to end but the stops that protect positions
)

// lookAgain is how often an orderly stop looks whether its cancels are
// answered.
const lookAgain = 10 * time.Millisecond

// WindDown does what Config.OnStop says with the orders of this client that
// still work, and waits until the venue has answered. It is called when nobody
// asks for new orders any more and the session still stands. The error names
// the orders that had not ended when ctx did.
func (d *Desk) WindDown(ctx context.Context) error {
	if d.cfg.OnStop == LeaveWorking || !d.started.Load() {
		return nil
	}
	h := d.held.Load()
	if h == nil {
		return nil // there is nobody to ask; the orders are at the broker
	}
	working, err := d.working(ctx, h)
	if err != nil {
		return fmt.Errorf("desk: stop: nobody knows which orders still work: %w", err)
	}
	at := d.floor.Now(time.Now())
	if at.IsZero() {
		at = time.Now()
	}
	asked := map[string]bool{}
	for _, o := range working {
		reply := d.demand(ctx, order.Intent{
			ID: fmt.Sprintf("%s%d-%s", books.StopPrefix, o.OrderID, at.UTC().Format("060102T150405.000")), Action: order.Cancel,
			Strategy: books.OwnStrategy, Target: o.Ref, Reason: "the trader stops", At: at,
		})
		if reply.Result != event.Written {
			d.warn(event.NoticeText{Level: "warning", Name: "stop_not_cancelled", Ref: o.Ref, Text: reply.Reason})
		}
		// Of one whose outcome is unknown nothing may ever come.
		asked[o.Ref] = reply.Result == event.Written && o.State != order.Unknown
	}
	gone := func(o order.Order) bool { return !asked[o.Ref] }
	working = slices.DeleteFunc(working, gone)
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for len(working) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("desk: stop: %d orders still work, the first is %s: %w", len(working), working[0].Ref, ctx.Err())
		case <-look.C:
			// Without an answer the newest one holds: not to know is not "none".
			if list, err := d.working(ctx, h); err == nil {
				working = slices.DeleteFunc(list, gone)
			}
		}
	}
	return nil
}

// working lists the orders that a stop is to end and that this client can end.
// The stops that protect positions stay: nobody watches when the trader has gone.
func (d *Desk) working(ctx context.Context, h *held) (list []order.Order, err error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.give()
	for _, e := range d.unwinding(h).ToEnd(d.cfg.OnStop == CancelWorking) {
		if !e.Protects() {
			list = append(list, e.Order)
		}
	}
	return list, nil
}
