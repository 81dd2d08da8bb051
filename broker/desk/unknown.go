package desk

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// proofAfter is how long after the last moment at which an order may have been
// written a question must be asked to prove that the venue does not have it.
// Our own choice: gateways describe an order within a second. Wall time.
const proofAfter = 5 * time.Second

// unsure bars entries in a symbol whose books cannot be trusted: an order of it
// has an unknown outcome, or its position differs from the broker's. Orders that
// only make the position smaller pass, and cancels do.
func (d *Desk) unsure(h *held, in order.Intent, own bool) bar {
	if in.Action != order.Place || own || d.reduces(in) {
		return bar{}
	}
	if s, ok := d.books.suspects[in.Symbol]; ok {
		return bar{"reconciling", fmt.Sprintf("the broker's position of %s differs by %v from the books; wait until it is settled, which takes some seconds", in.Symbol, s.diff)}
	}
	for _, e := range d.books.live[in.Symbol] {
		if e.State == order.Unknown && !h.foreign(e.Account) {
			return bar{"unknown_order", fmt.Sprintf("the outcome of order %.40q (%s %v) is unknown: %s; entries in %s wait until the broker tells", e.Ref, e.Side, e.Qty, e.Note, in.Symbol)}
		}
	}
	return bar{}
}

// reduces reports whether an order can only make the position smaller, also
// when all that is under way on its side fills, the unknown included.
func (d *Desk) reduces(in order.Intent) bool {
	position := d.books.holding(in.Symbol)
	if position == nil || position.Sign()*in.Side.Signed(in.Qty).Sign() >= 0 {
		return false
	}
	left := position.Abs().Sub(in.Qty)
	for _, e := range d.books.live[in.Symbol] {
		if e.Side == in.Side && (in.OCA == "" || e.OCA != in.OCA) { // of a group, what one executes another does not
			left = left.Sub(e.Remaining())
		}
	}
	return left.Sign() >= 0
}

// unlistedOf returns our live orders that the venue does not list as open, of
// those that were live before the question. An execution that ends one may be
// in the same answers.
func (d *Desk) unlistedOf(h *held, r recovery, before map[*entry]bool) []*entry {
	open, ok := r.orders.Confirmed()
	if !ok {
		return nil
	}
	listed := map[*entry]bool{}
	for _, o := range open {
		if o := o.Order; !h.foreign(o.Account) {
			listed[d.books.find(o.ClientID, o.OrderID, o.PermID, o.Ref)] = true
		}
	}
	var list []*entry
	for _, sym := range slices.Sorted(maps.Keys(d.books.live)) {
		for _, e := range d.books.live[sym] {
			if before[e] && !listed[e] && d.ours(h, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// ours reports whether the session's open orders would list an order.
func (d *Desk) ours(h *held, e *entry) bool {
	return !h.foreign(e.Account) && e.ClientID == h.facts.ClientID
}

// missing settles our live orders that the venue does not list as open. They
// may have ended while nobody listened, or never have gone out: unknown.
func (d *Desk) missing(h *held, r recovery, before map[*entry]bool, calm bool) (working, unknown int) {
	gone := map[*entry]bool{}
	for _, e := range d.unlistedOf(h, r, before) {
		gone[e] = true
	}
	for _, sym := range slices.Sorted(maps.Keys(d.books.live)) {
		for _, e := range slices.Clone(d.books.live[sym]) {
			switch {
			case !before[e] || !d.ours(h, e):
			case !gone[e]:
				e.absent, e.proven = 0, time.Time{}
				working++
			default:
				unknown += d.unlisted(h, e, r, calm)
			}
		}
	}
	return working, unknown
}

// unlisted settles what to call an order that the venue does not list; it
// returns 1 when that is unknown.
func (d *Desk) unlisted(h *held, e *entry, r recovery, calm bool) int {
	if e.absent++; calm && e.State != order.Unknown && e.absent < 2 {
		d.lookSoon() // it may have ended in this moment, and the report is on its way
		return 0
	}
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
		d.lookSoon()
		return 1
	}
	return d.prove(e, r)
}

// prove looks whether the answers prove that an unknown order is not at the
// venue; it returns 1 when they do not. It takes two reconciliations, each asked
// long enough after the write, whose open orders and executions are confirmed
// and do not hold it. Then:
//
//   - written today and never acknowledged: it is proven absent when the completed
//     orders are confirmed, too, and do not hold it;
//   - of an earlier day: it cannot fill any more. Whether it did, the position tells;
//   - anything else stays unknown: no answer covers it.
func (d *Desk) prove(e *entry, r recovery) int {
	if r.orders.Asked().Before(e.known.Add(d.cfg.OrderDeadline + proofAfter)) {
		d.lookSoon()
		return 1
	}
	_, completed := r.completed.Confirmed()
	today := !e.Created.IsZero() && d.day(e.Created) == d.day(d.floor.now())
	if today && (!completed || e.PermID != 0) {
		e.proven = time.Time{}
		d.adviseUnknown(e, r)
		return 1
	}
	if e.proven.IsZero() {
		e.proven = time.Now()
		d.lookSoon()
		return 1
	}
	if time.Since(e.proven) < settleAfter {
		return 1
	}
	f := broker.Finding{
		Kind: findOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: e.State.String(), Explained: true,
		Evidence: fmt.Sprintf("open orders, completed orders and executions were answered in full, twice, the first %v after the write, and hold nothing of order %d",
			e.proven.Sub(e.known).Round(time.Second), e.OrderID),
		Theirs: "nothing of it", Done: "it is called dropped; asking again takes a new id",
	}
	sig := order.NotWritten
	e.Note = "proven absent"
	if !today {
		sig, e.Note = order.CancelDone, "not open any more, and its day is over"
		f.Theirs = "not open"
		f.Evidence = fmt.Sprintf("open orders and executions were answered in full, twice, and hold nothing of order %d, which is of an earlier day", e.OrderID)
		f.Done = "it is called cancelled; what it filled is in the broker's position"
	}
	d.step(e, sig)
	d.found(f)
	return 0
}

// adviseUnknown tells once what an order stays unknown for.
func (d *Desk) adviseUnknown(e *entry, r recovery) {
	why := "the completed orders could not be asked: " + fmt.Sprint(r.completed.Err())
	advice := "in the gateway's settings, under API, untick Read-Only API, so that it answers for completed orders"
	if e.PermID != 0 {
		why = fmt.Sprintf("the broker gave it the permanent id %d, and now lists it nowhere", e.PermID)
		advice = "look it up in the broker's own window"
	}
	d.raise("unknown "+e.Ref, event.NoticeText{
		Level: "error", Name: "order_stays_unknown", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("order %d stays unknown: it is not open, and %s; %s. Entries in %s are refused until the broker tells of it, or its market day is over", e.OrderID, why, advice, e.Symbol),
	})
}

// day is the market day of a time.
func (d *Desk) day(at time.Time) string { return at.In(d.zone).Format(time.DateOnly) }

// foldCompleted takes in the orders that are done. They tell how ours ended of
// which nothing else is heard any more.
func (d *Desk) foldCompleted(h *held, r recovery) {
	for _, c := range r.completed.Told() {
		e := d.books.find(0, 0, c.Order.PermID, c.Order.Ref)
		if e == nil || h.foreign(c.Order.Account) || e.State.Final() || !d.ours(h, e) {
			continue
		}
		o := c.Order
		if o.Ref == "" {
			o.Ref = e.Ref
		}
		o.OrderID = 0 // it is not told
		if why := disagrees(e, o); why != "" {
			d.quarantine(e, "a completed order", why)
			continue
		}
		d.learn(e, o.PermID)
		d.completed(e, c)
	}
}

// completed ends an order as the venue says that it ended.
func (d *Desk) completed(e *entry, c broker.CompletedReport) {
	e.Note = c.Why
	sig := c.Signal
	switch {
	case !c.Known:
		d.raise("completed "+e.Ref, event.NoticeText{
			Name: "status_unknown", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("completed order %d has status %.40q, which is no word we know; it changes nothing", e.OrderID, c.Status),
		})
		return
	case sig == order.HeldBack: // status Inactive of an order that is done
		sig = order.Refused
	case sig == order.FilledUp || sig == order.CancelDone || sig == order.Refused:
	default: // no end: the next answer tells
		return
	}
	ours := e.Filled
	d.step(e, sig)
	if c.Order.Filled.Sign() > 0 && c.Order.Filled != ours {
		d.found(broker.Finding{
			Kind: findOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: ours.String() + " filled", Theirs: c.Order.Filled.String() + " filled", Explained: true,
			Evidence: fmt.Sprintf("the completed order %d (%s) tells more than the day's executions", c.Order.PermID, c.Status),
			Done:     "the order has ended; the position is compared with the broker's by itself",
		})
	}
}
