// Package reconcile holds an account's books against what the broker answered.
//
// It promises that only a confirmed answer changes anything, so that one that
// failed is not "none"; that a position differs only when two looks, further
// apart than reports take, see the same difference; and that an order whose
// outcome is unknown is called absent only when the answers that would hold it
// do not, again and again. It is pure: what is to be told, stored or asked once more
// stands in the [books.Turn]. It does not ask the broker, and does not promise
// that the broker's answers are of one moment: whoever asks sees to that.
//
// What differs and is accounted for was done elsewhere and is adopted. Anything
// else is unexplained: the books take the broker's figure, the mode becomes
// reduce_only, and a finding names what was looked at. Nothing is ever traded to
// make books and broker agree.
package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Look is one look at the broker: what it answered, and the books.
type Look struct {
	Books *books.Books
	Who   *broker.Facts  // of the session that was asked
	Since *books.Inquiry // began before the first question; whoever began it ends it, too
	Mark  uint64         // of the books, before the first question
	Began time.Time      // market time before the first question, zero when it is not known

	Orders    broker.Answer[broker.OrderReport]
	Fills     broker.Answer[broker.ExecutionReport]
	Costs     []broker.CommissionReport // of Fills
	Positions broker.Answer[order.Position]
	// All are the open orders of all clients, asked when the books have a live one
	// of another client id; see [Look.Others].
	All broker.Answer[broker.OrderReport]
	// Completed is asked when an order of ours is not among the open ones; see
	// Unlisted.
	Completed broker.Answer[broker.CompletedReport]
	// Foreign are the executions of all clients, asked when a position differs.
	Foreign broker.Answer[broker.ExecutionReport]

	// Cash are the account's values, asked while a session stands, and
	// CashTolerance how much of a day's cash nothing need account for.
	Cash          broker.Answer[broker.AccountValue]
	CashTolerance market.Money

	// Calm says that a session stands and reports may be on their way.
	Calm bool
	// Lockstep says that market time stands while the broker is asked, so that
	// there is no second look.
	Lockstep bool
	// OrderDeadline bounds the time from an order's turn to its last byte.
	OrderDeadline time.Duration
	Zone          *time.Location // of the market day
	// Settled is the wall time since which the session has stood without being
	// cut off from its venue.
	Settled time.Time
	// SettledAfter is how long it must have stood so to prove by lists that an
	// order is not there. Wall time.
	SettledAfter time.Duration
	// DayOver reports whether an order for the day that was given at a market time
	// cannot fill any more at another.
	DayOver func(given, now time.Time) bool
}

// Reconcile folds the venue's answers, and settles what they leave open. It
// returns a note for people.
func (l *Look) Reconcile(t *books.Turn) string {
	meanwhile := l.Books.End(l.Since) // by executions that came as events while we asked
	orders, _ := l.Orders.Confirmed()
	fills, _ := l.Fills.Confirmed()
	others, _ := l.All.Confirmed()
	for _, o := range slices.Concat(orders, slices.DeleteFunc(slices.Clone(others), func(o broker.OrderReport) bool { return o.Order.ClientID == l.Who.ClientID })) {
		if e := l.Books.Find(o.Order.ClientID, o.Order.OrderID, o.Order.PermID, o.Order.Ref); e != nil && l.Since.Before[e] && e.State.Final() {
			continue // it ended since the question
		}
		l.Books.Listed(t, l.Who, o, l.Mark)
	}
	n := 0
	for _, f := range fills {
		if l.Books.Full() {
			break
		}
		l.Books.FoldExecution(t, l.Who, f.Fill)
	}
	for _, c := range l.Costs {
		l.Books.FoldCommission(t, c)
	}
	l.foldForeign(t)
	l.foldCompleted(t)
	if l.Books.Full() {
		l.Books.Overflown(t)
	} else {
		n = l.compare(t, l.theirs(t, meanwhile))
	}
	if values, ok := l.Cash.Confirmed(); ok && l.Calm && !l.Books.Full() {
		l.Books.CompareCash(t, l.Who, values, l.CashTolerance)
	}
	working, unknown := l.missing(t)
	notes := []string{fmt.Sprintf("%d working", working)}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d unknown to the broker", unknown))
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%d positions", n))
	}
	return strings.Join(notes, ", ")
}

// theirs returns the broker's positions at this moment: its answer, and the
// executions that came after it.
func (l *Look) theirs(t *books.Turn, meanwhile []books.Moved) map[market.Symbol]order.Position {
	positions, ok := l.Positions.Confirmed()
	if !ok {
		return nil
	}
	all := l.Books.Held(t, l.Who, positions)
	fills, _ := l.Fills.Confirmed()
	counted := make(map[string]bool, len(fills))
	for _, f := range fills {
		counted[f.Fill.ExecID] = true
	}
	for _, m := range meanwhile {
		if counted[m.Exec] {
			continue
		}
		p, ok := all[m.Symbol]
		if !ok {
			p = order.Position{Account: l.Books.Account, Symbol: m.Symbol, ConID: t.ConID(m.Symbol)}
		}
		p.Qty, p.AvgCost = p.Qty.Add(m.Qty), nil // the cost is the venue's to tell
		if ours, ok := l.Books.Positions[m.Symbol]; ok && ours.Qty == p.Qty {
			p.AvgCost = ours.AvgCost
		}
		all[m.Symbol] = p
	}
	return all
}

// compare holds the broker's positions, nil when they are not confirmed, against
// the books, and returns how many there are.
func (l *Look) compare(t *books.Turn, theirs map[market.Symbol]order.Position) int {
	if theirs == nil {
		return 0
	}
	l.Books.Overrule()
	l.Books.Recounted(l.Mark)
	if l.Books.Positions == nil { // nothing to compare with
		l.Books.Positions, l.Books.Counted = theirs, t.Market
		for _, sym := range slices.Sorted(maps.Keys(theirs)) {
			if p := theirs[sym]; sym.IsOther() {
				delete(theirs, sym) // told as news
				l.Books.Other(t, p)
				continue
			}
			t.Position(theirs[sym])
		}
		return len(theirs)
	}
	all := map[market.Symbol]bool{}
	for sym := range theirs {
		all[sym] = true
	}
	for sym := range l.Books.Positions {
		all[sym] = true
	}
	for sym := range l.Books.Suspects { // which may be in neither by now
		all[sym] = true
	}
	for _, sym := range slices.Sorted(maps.Keys(all)) {
		p, ok := theirs[sym]
		if !ok {
			p = order.Position{Account: l.Books.Account, Symbol: sym, ConID: t.ConID(sym), AvgCost: &market.Price{}}
		}
		ours, known := l.Books.Positions[sym]
		if !known {
			ours = order.Position{Account: p.Account, Symbol: sym, ConID: p.ConID}
		}
		if sym.IsOther() {
			l.Books.Other(t, p)
			continue
		}
		if ours.Qty != p.Qty {
			l.differs(t, sym, ours, p)
			continue
		}
		delete(l.Books.Suspects, sym)
		if ok && (!known || !books.Alike(ours.AvgCost, p.AvgCost)) {
			l.Books.Positions[sym] = p
			t.Position(p)
		}
	}
	return len(theirs)
}

// differs settles a position that differs: when a second look finds the same,
// the broker's figure is taken. Until then entries in the symbol wait.
func (l *Look) differs(t *books.Turn, sym market.Symbol, ours, theirs order.Position) {
	now := t.Wall
	diff := theirs.Qty.Sub(ours.Qty)
	was, seen := l.Books.Suspects[sym]
	if !seen || was.Diff != diff {
		was = books.Suspect{Diff: diff, At: now}
		l.Books.Suspects[sym] = was
	}
	if now.Sub(was.At) < books.SettleAfter && !l.Lockstep {
		t.Ask(books.AskSoon)
		return
	}
	orders, _ := l.Orders.Confirmed()
	fills, _ := l.Fills.Confirmed()
	foreign := "the executions of other clients are not to be had"
	if list, ok := l.Foreign.Confirmed(); ok {
		foreign = fmt.Sprintf("nor do the %d executions of all clients", len(list))
	} else if l.Foreign.Asked() != (time.Time{}) {
		foreign = "the question for the executions of other clients failed: " + l.Foreign.Err().Error()
	}
	l.Books.Unexplained(t, sym, ours, theirs, fmt.Sprintf("%d executions and %d open orders of the day do not account for %v; %s", len(fills), len(orders), diff, foreign))
}

// foldForeign takes in executions of other clients, where a position differs.
// Those from before the positions were told first are in them.
func (l *Look) foldForeign(t *books.Turn) {
	list, _ := l.Foreign.Confirmed()
	for _, f := range list {
		_, differs := l.Books.Suspects[f.Fill.Symbol]
		if l.Books.Full() || f.Fill.ClientID == l.Who.ClientID || !differs || f.Fill.At.Before(l.Books.Counted.Truncate(time.Second)) {
			continue
		}
		l.Books.FoldExecution(t, l.Who, f.Fill)
	}
}
