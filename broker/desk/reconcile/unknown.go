package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// proofAfter is how long after the last moment at which an order may have been
// written a question must be asked to prove that the venue does not have it.
// Our own choice: gateways describe an order within a second. Wall time.
const proofAfter = 5 * time.Second

// Unlisted returns our live orders that the venue does not list as open, of
// those that were live before the question. An execution that ends one may be
// in the same answers.
func (l *Look) Unlisted() []*books.Entry {
	open, ok := l.Orders.Confirmed()
	if !ok {
		return nil
	}
	listed := map[*books.Entry]bool{}
	for _, o := range open {
		if o := o.Order; !books.Foreign(l.Who, o.Account) {
			listed[l.Books.Find(o.ClientID, o.OrderID, o.PermID, o.Ref)] = true
		}
	}
	var list []*books.Entry
	for _, sym := range slices.Sorted(maps.Keys(l.Books.Live)) {
		for _, e := range l.Books.Live[sym] {
			if l.Before[e] && !listed[e] && l.Books.Ours(l.Who, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// missing settles our live orders that the venue does not list as open. They
// may have ended while nobody listened, or never have gone out: unknown.
func (l *Look) missing(t *books.Turn) (working, unknown int) {
	gone := map[*books.Entry]bool{}
	for _, e := range l.Unlisted() {
		gone[e] = true
	}
	for _, sym := range slices.Sorted(maps.Keys(l.Books.Live)) {
		for _, e := range slices.Clone(l.Books.Live[sym]) {
			switch {
			case !l.Before[e] || !l.Books.Ours(l.Who, e):
			case !gone[e]:
				e.Absent, e.Proven = 0, time.Time{}
				working++
			default:
				unknown += l.judge(t, e)
			}
		}
	}
	return working, unknown
}

// judge settles what to call an order that the venue does not list; it
// returns 1 when that is unknown.
func (l *Look) judge(t *books.Turn, e *books.Entry) int {
	if e.Absent++; l.Calm && e.State != order.Unknown && e.Absent < 2 {
		t.Ask(books.AskSoon) // it may have ended in this moment, and the report is on its way
		return 0
	}
	switch {
	case l.Who.Simulated:
		// A simulated gateway is the whole venue and forgets nothing in its
		// life: this order died with an earlier one, or on its way there.
		e.Note = "the simulated gateway knows nothing of it any more"
		l.Books.Step(t, e, order.CancelDone)
		return 0
	case e.State != order.Unknown:
		e.Note = "the broker lists it neither as open nor as executed"
		l.Books.Step(t, e, order.Silent)
		t.Ask(books.AskSoon)
		return 1
	}
	return l.prove(t, e)
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
func (l *Look) prove(t *books.Turn, e *books.Entry) int {
	if l.Orders.Asked().Before(e.Known.Add(l.OrderDeadline + proofAfter)) {
		t.Ask(books.AskSoon)
		return 1
	}
	_, completed := l.Completed.Confirmed()
	today := !e.Created.IsZero() && l.day(e.Created) == l.day(t.Market)
	if today && (!completed || e.PermID != 0) {
		e.Proven = time.Time{}
		l.adviseUnknown(t, e)
		return 1
	}
	if e.Proven.IsZero() {
		e.Proven = t.Wall
		t.Ask(books.AskSoon)
		return 1
	}
	if t.Wall.Sub(e.Proven) < books.SettleAfter {
		return 1
	}
	f := broker.Finding{
		Kind: books.FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: e.State.String(), Explained: true,
		Evidence: fmt.Sprintf("open orders, completed orders and executions were answered in full, twice, the first %v after the write, and hold nothing of order %d",
			e.Proven.Sub(e.Known).Round(time.Second), e.OrderID),
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
	l.Books.Step(t, e, sig)
	l.Books.Found(t, f)
	return 0
}

// adviseUnknown tells once what an order stays unknown for.
func (l *Look) adviseUnknown(t *books.Turn, e *books.Entry) {
	why := "the completed orders could not be asked: " + fmt.Sprint(l.Completed.Err())
	advice := "in the gateway's settings, under API, untick Read-Only API, so that it answers for completed orders"
	if e.PermID != 0 {
		why = fmt.Sprintf("the broker gave it the permanent id %d, and now lists it nowhere", e.PermID)
		advice = "look it up in the broker's own window"
	}
	l.Books.Raise(t, "unknown "+e.Ref, event.NoticeText{
		Level: "error", Name: "order_stays_unknown", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("order %d stays unknown: it is not open, and %s; %s. Entries in %s are refused until the broker tells of it, or its market day is over", e.OrderID, why, advice, e.Symbol),
	})
}

// day is the market day of a time.
func (l *Look) day(at time.Time) string { return at.In(l.Zone).Format(time.DateOnly) }

// foldCompleted takes in the orders that are done. They tell how ours ended of
// which nothing else is heard any more.
func (l *Look) foldCompleted(t *books.Turn) {
	for _, c := range l.Completed.Told() {
		e := l.Books.Find(0, 0, c.Order.PermID, c.Order.Ref)
		if e == nil || books.Foreign(l.Who, c.Order.Account) || e.State.Final() || !l.Books.Ours(l.Who, e) {
			continue
		}
		o := c.Order
		if o.Ref == "" {
			o.Ref = e.Ref
		}
		o.OrderID = 0 // it is not told
		if why := books.Disagrees(e, o); why != "" {
			l.Books.Quarantine(t, e, "a completed order", why)
			continue
		}
		l.Books.Learn(e, o.PermID)
		l.completed(t, e, c)
	}
}

// completed ends an order as the venue says that it ended.
func (l *Look) completed(t *books.Turn, e *books.Entry, c broker.CompletedReport) {
	e.Note = c.Why
	sig := c.Signal
	switch {
	case !c.Known:
		l.Books.Raise(t, "completed "+e.Ref, event.NoticeText{
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
	l.Books.Step(t, e, sig)
	if c.Order.Filled.Sign() > 0 && c.Order.Filled != ours {
		l.Books.Found(t, broker.Finding{
			Kind: books.FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: ours.String() + " filled", Theirs: c.Order.Filled.String() + " filled", Explained: true,
			Evidence: fmt.Sprintf("the completed order %d (%s) tells more than the day's executions", c.Order.PermID, c.Status),
			Done:     "the order has ended; the position is compared with the broker's by itself",
		})
	}
}
