package books

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// busy is how many orders things happen to: the first ones, which are at rest.
const busy = 6

func refOf(n int) string {
	return fmt.Sprintf("r1-sma_cross-AAPL-%d-%d", day.Add(time.Duration(n)*time.Second).Unix(), n)
}

// twins are two books that are told the same. In one of them an inquiry is under
// way all the time, so that no order is ever at rest.
type twins struct {
	rests, wakes *Books
	who          broker.Facts
	wall         time.Time
	orders       int
}

func newTwins() *twins {
	w := &twins{rests: New(time.UTC), wakes: New(time.UTC), who: broker.Facts{Account: "DU1", ClientID: 1}}
	for _, b := range []*Books{w.rests, w.wakes} {
		b.Positions = map[market.Symbol]order.Position{}
		b.SettledAfter = time.Minute
	}
	w.wakes.Begin()
	return w
}

// live lets n orders live their lives.
func (w *twins) live(n int) {
	for range n {
		ends(w.rests, &w.who, w.orders)
		ends(w.wakes, &w.who, w.orders)
		w.orders++
	}
	if at := day.Add(time.Duration(w.orders) * time.Second); w.wall.Before(at) {
		w.wall = at
	}
}

// both does one thing in both books, and tells what followed.
func (w *twins) both(do func(b *Books, t *Turn)) (a, b string) {
	tell := func(b *Books) string {
		t := &Turn{Wall: w.wall, Market: w.wall, ConID: func(market.Symbol) int64 { return 1 }, CanAsk: true}
		do(b, t)
		return effectWords(t.Effects)
	}
	return tell(w.rests), tell(w.wakes)
}

func effectWords(list []Effect) (s string) {
	for _, c := range list {
		switch {
		case c.Order != nil:
			s += "order " + orderWords(*c.Order)
		case c.Fill != nil:
			s += fillWords(*c.Fill)
		case c.Position != nil:
			s += positionWords(*c.Position)
		case c.Notice != nil:
			s += c.Notice.Name + c.Notice.Text
		case c.Finding != nil:
			s += c.Finding.Evidence + c.Finding.Done
		default:
			s += fmt.Sprint(c.Store != nil, c.Restrict, c.Ask)
		}
		s += "\n"
	}
	return s
}

// entryWords is all that others are told of an order at a wall time. A cut that
// is over counts for nothing; of an order that has ended nobody takes it away.
func entryWords(e *Entry, wall time.Time) string {
	x, c := *e, *e.course
	if x.course = &c; wall.Sub(c.cut.at) >= SettleAfter {
		c.cut = cut{}
	}
	return fmt.Sprint(orderWords(x.Order), x.EndIsWritten(), x.EndsNow(), x.EndTold(), x.Inferred(), x.Settled(wall), x.MostLeft(), x.Most().Qty,
		x.EndAsked != nil, x.Absent, x.Proofs, x.Unfit, x.Shut, x.known, x.spent)
}

// compare holds the orders of both that things happen to against each other.
func (w *twins) compare(t *rapid.T) {
	for n := range busy {
		a, b := w.rests.ByRef[refOf(n)], w.wakes.ByRef[refOf(n)]
		if x, y := entryWords(a, w.wall), entryWords(b, w.wall); x != y {
			t.Fatalf("an order is %q, and where none rests %q", x, y)
		}
		if a.State.Live() && a.course == w.rests.rest {
			t.Fatalf("order %d works, and is at rest", a.OrderID)
		}
	}
	if *w.rests.rest != (course{}) {
		t.Fatalf("what orders at rest share is %+v", *w.rests.rest)
	}
}

// TestOrdersAtRestAreAsAllOthers: whatever is told of orders that ended long ago, or
// done with them, follows and stands as if none had ever been at rest, and what they
// share stays empty.
func TestOrdersAtRestAreAsAllOthers(t *testing.T) {
	woken := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins()
		w.live(3 * restAfter)
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.IntRange(0, busy-1).Draw(t, "order")
			if w.rests.ByRef[refOf(n)].course == w.rests.rest {
				woken++
			}
			if w.orders+2*restAfter <= KeepEnded+spare && rapid.IntRange(0, 19).Draw(t, "more") == 0 {
				w.live(restAfter + restAfter/2) // what was woken comes to rest again
			}
			do := anything(t, w, n)
			if a, b := w.both(do); a != b {
				t.Fatalf("step %d: what follows is\n%s, and where none rests\n%s", step, a, b)
			}
			w.compare(t)
		}
	})
	if woken == 0 {
		t.Error("none was ever at rest")
	}
}

// anything is one thing that happens to an order, or to all.
func anything(t *rapid.T, w *twins, n int) func(*Books, *Turn) {
	id, ref := int64(n+1), refOf(n)
	pick := func(name string, list ...order.Signal) order.Signal { return rapid.SampledFrom(list).Draw(t, name) }
	told := []order.Signal{order.Acked, order.WorkingNow, order.FilledUp, order.CancelSent, order.CancelFail, order.CancelDone, order.Refused, order.HeldBack}
	switch rapid.IntRange(0, 11).Draw(t, "what") {
	case 0:
		r := described(id, ref, pick("described", told...))
		r.Order.Qty = market.Shares(int64(rapid.IntRange(9, 12).Draw(t, "qty")))
		return func(b *Books, t *Turn) { b.Fold(t, &w.who, r) }
	case 1:
		r := status(id, pick("status", told...))
		r.Filled = market.Shares(int64(rapid.IntRange(0, 13).Draw(t, "filled")))
		return func(b *Books, t *Turn) { b.Fold(t, &w.who, r) }
	case 2, 3: // new ones, and other versions
		exec := fmt.Sprintf("0000e0d5.%08x.%02d.%02d", n, rapid.IntRange(1, 4).Draw(t, "execution"), rapid.IntRange(1, 3).Draw(t, "version"))
		x := executed(id, ref, exec, fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "qty")))
		return func(b *Books, t *Turn) { b.Fold(t, &w.who, x) }
	case 4:
		c := cost(fmt.Sprintf("0000e0d5.%08x.%02d.01", n, rapid.IntRange(1, 4).Draw(t, "execution")))
		c.Commission = market.MustMoney(fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "cost")))
		return func(b *Books, t *Turn) { b.Fold(t, &w.who, c) }
	case 5:
		kind := rapid.SampledFrom([]broker.NoticeKind{broker.NoticeInfo, broker.NoticeReject, broker.NoticeCancelled, broker.NoticeNoCancel, broker.NoticeReadOnly}).Draw(t, "notice")
		return func(b *Books, t *Turn) {
			b.Noticed(t, b.Find(1, id, 0, ""), broker.Notice{Kind: kind, Code: 399, OrderID: id, Text: "x"})
		}
	case 6, 7:
		r := described(id, ref, pick("listed", order.Acked, order.WorkingNow, order.CancelSent, order.HeldBack))
		return func(b *Books, t *Turn) { b.Listed(t, &w.who, r, b.Mark()) }
	case 8:
		w.wall = w.wall.Add(time.Duration(rapid.SampledFrom([]int{1, 3, 30, 600}).Draw(t, "later")) * time.Second)
		return func(b *Books, t *Turn) { b.Judge(t, time.Second) }
	case 9:
		return func(b *Books, t *Turn) { b.Lost(t) }
	case 10:
		sig := pick("person", order.CancelDone, order.Silent, order.Listed)
		return func(b *Books, t *Turn) { b.Step(t, b.Called(ref), sig) }
	default:
		change := rapid.Bool().Draw(t, "change")
		return func(b *Books, t *Turn) {
			switch e := b.ByRef[ref]; {
			case e.State.Final():
			case change && e.Stands():
				b.Changing(t, e, order.Change{ID: "m", Qty: market.Shares(12)})
			default:
				b.EndWritten(t, e, b.Ends(t, e), order.Written, "")
			}
		}
	}
}
