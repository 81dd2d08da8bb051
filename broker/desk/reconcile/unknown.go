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

// Others reports whether the books have live orders of the account that the
// session's own open orders would not list: by hand, or by this program under
// another client id.
func (l *Look) Others() bool {
	for e := range l.Since.Before {
		if !e.State.Final() && !books.Foreign(l.Who, e.Account) && e.ClientID != l.Who.ClientID {
			return true
		}
	}
	return false
}

// covered reports whether the answers would list an order as open if it were: a
// session is told its own orders, and others when it asks for all.
func (l *Look) covered(e *books.Entry) bool {
	if !l.Since.Before[e] || books.Foreign(l.Who, e.Account) {
		return false
	}
	answer := l.Orders
	if e.ClientID != l.Who.ClientID {
		answer = l.All
	}
	_, ok := answer.Confirmed()
	return ok
}

// Unlisted returns the live orders that the venue does not list as open though it
// would, of those that were live before the question. An execution that ends one
// may be in the same answers.
func (l *Look) Unlisted() []*books.Entry {
	listed := map[*books.Entry]bool{}
	for _, answer := range []broker.Answer[broker.OrderReport]{l.Orders, l.All} {
		open, _ := answer.Confirmed()
		for _, o := range open {
			if o := o.Order; !books.Foreign(l.Who, o.Account) {
				listed[l.Books.Find(o.ClientID, o.OrderID, o.PermID, o.Ref)] = true
			}
		}
	}
	var list []*books.Entry
	for _, sym := range slices.Sorted(maps.Keys(l.Books.Live)) {
		for _, e := range l.Books.Live[sym] {
			if l.covered(e) && !listed[e] {
				list = append(list, e)
			}
		}
	}
	return list
}

// missing settles the live orders that the venue does not list as open. They
// may have ended while nobody listened, or never have gone out: unknown.
func (l *Look) missing(t *books.Turn) (working, unknown int) {
	gone := map[*books.Entry]bool{}
	for _, e := range l.Unlisted() {
		gone[e] = true
	}
	for _, sym := range slices.Sorted(maps.Keys(l.Books.Live)) {
		for _, e := range slices.Clone(l.Books.Live[sym]) {
			switch {
			case !l.covered(e):
			case !gone[e]:
				e.Absent, e.Proven, e.Proofs = 0, time.Time{}, 0
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
	case l.Who.Simulated && l.Lockstep: // there is no second look
		e.Note = forgotten
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

// forgotten is the note of an order that a simulated gateway does not list. It
// is the whole venue and forgets nothing in its life: the order died with an
// earlier one, or on its way there.
const forgotten = "the simulated gateway knows nothing of it any more"

// prove looks whether the answers prove that an unknown order is not at the
// venue; it returns 1 when they do not. It takes looks, each asked long enough
// after the write, whose open orders and executions are confirmed and do not hold
// it, and whose positions are confirmed: those of [proof.looks] over [proof.over].
func (l *Look) prove(t *books.Turn, e *books.Entry) int {
	asked := l.Orders.Asked()
	if asked.Before(e.Known.Add(l.OrderDeadline + proofAfter)) {
		t.Ask(books.AskSoon)
		return 1
	}
	if l.Positions.Err() != nil { // what it filled, only they tell; this look counts neither way
		return 1
	}
	p, why := l.provable(t, e)
	if why != "" {
		e.Proven, e.Proofs = time.Time{}, 0
		l.adviseUnknown(t, e, why)
		return 1
	}
	if e.Proven.IsZero() || p.settled && e.Proven.Before(l.Settled) {
		e.Proven, e.Proofs = asked, 0
		t.Ask(books.AskSoon)
	}
	if e.Proofs++; e.Proofs < p.looks || asked.Sub(e.Proven) < p.over {
		return 1
	}
	l.absent(t, e, p)
	return 0
}

// proof is what proves that an order is not at the venue, and what it is then.
type proof struct {
	looks   int           // how many
	over    time.Duration // from the first to the last at least, in wall time
	settled bool          // all in one session that was not disturbed between
	sig     order.Signal
	note    string
	covered string // what the answers were of, beside open orders and executions
	done    string
}

// A gateway may list open orders in full before it has got them all from its
// venue, as right after its own start. So where nothing but lists tells that an
// order is not there, they are to be the same for a while in which the session
// was not disturbed: [Look.SettledAfter].
const settledLooks = 3

// provable returns what would prove that an unknown order is not at the venue.
// Why is set when nothing that can be asked does:
//
//   - a DAY order whose session is over cannot fill any more. Whether it did, the
//     position tells;
//   - a venue that is simulated forgets nothing;
//   - one that the venue has acknowledged is somewhere, whatever a list holds. GTC
//     has no day that could be over;
//   - one that was never acknowledged is absent when the completed orders are
//     confirmed, too, and do not hold it. They are those of the venue's present
//     day.
func (l *Look) provable(t *books.Turn, e *books.Entry) (p proof, why string) {
	_, completed := l.Completed.Confirmed()
	p = proof{looks: 2, over: books.SettleAfter, sig: order.CancelDone, done: "it is called cancelled; what it filled is in the broker's position"}
	switch {
	case e.TIF == order.Day && l.DayOver(e.Created, t.Market):
		p.note, p.covered = "not open any more, and its day is over", ", and its day is over"
	case l.Who.Simulated:
		p.note = forgotten
	case e.PermID != 0:
		return p, fmt.Sprintf("the broker gave it the permanent id %d, and now lists it nowhere", e.PermID)
	case !completed:
		return p, "the completed orders could not be asked: " + fmt.Sprint(l.Completed.Err())
	default:
		p.looks, p.over, p.settled = settledLooks, l.SettledAfter, true
		p.note, p.covered = "proven absent", ", nor do the completed orders"
		if l.day(e.Created) == l.day(t.Market) {
			p.sig, p.done = order.NotWritten, "it is called dropped; asking again takes a new id"
		}
	}
	return p, ""
}

// absent ends an order that is proven not to be at the venue.
func (l *Look) absent(t *books.Turn, e *books.Entry, p proof) {
	f := broker.Finding{
		Kind: books.FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: e.State.String(), Theirs: "nothing of it", Explained: true, Done: p.done,
		Evidence: fmt.Sprintf("open orders and executions were answered in full %d times over %v, first %v after the write, and hold nothing of order %d%s",
			e.Proofs, l.Orders.Asked().Sub(e.Proven).Round(time.Second), e.Proven.Sub(e.Known).Round(time.Second), e.OrderID, p.covered),
	}
	e.Note = p.note
	l.Books.Step(t, e, p.sig)
	l.Books.Found(t, f)
}

// adviseUnknown tells once what an order stays unknown for.
func (l *Look) adviseUnknown(t *books.Turn, e *books.Entry, why string) {
	advice, until := "look it up in the broker's own window", "until the broker tells of it"
	if e.PermID == 0 {
		advice = "in the gateway's settings, under API, untick Read-Only API, so that it answers for completed orders"
	}
	if e.TIF == order.Day {
		until += ", or its market day is over"
	}
	until += ", or a person who has looked it up says how it ended: traderctl orders settle"
	l.Books.Raise(t, fmt.Sprintf("unknown %s %d %d", e.Ref, e.ClientID, e.OrderID), event.NoticeText{
		Level: "error", Name: "order_stays_unknown", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("order %d stays unknown: it is not open, and %s; %s. Entries in %s are refused %s", e.OrderID, why, advice, e.Symbol, until),
	})
}

// day is the market day of a time.
func (l *Look) day(at time.Time) string { return at.In(l.Zone).Format(time.DateOnly) }

// foldCompleted takes in the orders that are done. They tell how orders ended of
// which nothing else is heard any more.
func (l *Look) foldCompleted(t *books.Turn) {
	for _, c := range l.Completed.Told() {
		e := l.Books.Find(0, 0, c.Order.PermID, c.Order.Ref)
		if e == nil || books.Foreign(l.Who, c.Order.Account) || e.State.Final() {
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
	l.Books.EndedWith(t, e, sig, c.Order.Filled)
}
