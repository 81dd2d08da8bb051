package books

import (
	"fmt"
	"time"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// corrected takes another version of an execution that is in the books. The
// newest one counts, in place of the one before: in its order, in the position
// and for all who listen. An older one that comes late is kept by the journal
// and counts nowhere.
func (b *Books) corrected(t *Turn, was *Execution, f order.Fill) {
	_, before := order.ExecVersion(was.ExecID)
	if _, now := order.ExecVersion(f.ExecID); now < before {
		was.overruled(f.ExecID)
		t.stored(f)
		return
	}
	if f.Qty.Sign() < 0 || maxFill.Less(f.Qty) || f.Symbol != was.Symbol || f.Side != was.Side {
		b.Raise(t, "absurd "+f.ExecID, event.NoticeText{
			Level: "error", Name: "report_absurd", Symbol: f.Symbol, Ref: was.Ref,
			Text: fmt.Sprintf("execution %.60q, %s %v %s, cannot correct %s %v %s; it is not applied; look at it with the broker",
				f.ExecID, f.Side, f.Qty, f.Symbol, was.Side, was.Qty, was.Symbol),
		})
		return
	}
	old := was.Fill()
	f.Replaces, f.Ref = old.ExecID, old.Ref // whether it has an order was found out with the first version
	if c, ok := b.costs.m[f.ExecID]; ok {
		f = priced(f, c)
	} else if f.Commission == nil { // as long as nobody tells another
		f.Commission, f.RealizedPNL = old.Commission, old.RealizedPNL
	}
	was.overruled(old.ExecID)
	b.set(was, f)
	b.cash.unsure()
	if b.Follower != nil {
		b.Follower.Corrected()
	}
	signed := f.Side.Signed(f.Qty.Sub(old.Qty))
	b.moved(f.ExecID, f.Symbol, signed)
	t.stored(f)
	t.fill(f)
	if e, why := b.owner(old); e != nil && why == "" {
		b.refilled(t, e, old, f)
	}
	if p, ok := b.amend(old, f); ok {
		t.Position(p)
	}
	what := fmt.Sprintf("was corrected from %v at %v to %v at %v", old.Qty, old.Price, f.Qty, f.Price)
	if f.Qty.IsZero() {
		what = fmt.Sprintf("of %v at %v was taken back", old.Qty, old.Price)
	}
	t.warn(event.NoticeText{
		Level: "error", Name: "execution_corrected", Symbol: f.Symbol, Ref: f.Ref,
		Text: fmt.Sprintf("execution %.60q %s; the order, the position and our profit follow it: compare them with the broker's statement", old.ExecID, what),
	})
}

// takenBack takes the correction of an execution that the books never had: the
// versions before it, should they come, count nowhere.
func (b *Books) takenBack(t *Turn, f order.Fill) {
	b.takes(f)
	t.stored(f)
}

// orphan reports whether an execution corrects one of which the books do not
// know whether they count it: its first version may be older than what is in
// memory, and in the order and in the position since long.
func (b *Books) orphan(f order.Fill, e *Entry) bool {
	if _, v := order.ExecVersion(f.ExecID); v < 2 {
		return false
	}
	if e != nil {
		return e.known != e.Filled
	}
	return f.At.Before(b.Counted.Truncate(time.Second))
}

// adopt takes such a correction: it moves nothing, and the broker's figure is
// asked for. Versions that come after it are held against it.
func (b *Books) adopt(t *Turn, f order.Fill) {
	b.takenBack(t, f)
	t.warn(event.NoticeText{
		Level: "error", Name: "execution_corrected", Symbol: f.Symbol, Ref: f.Ref,
		Text: fmt.Sprintf("execution %.60q, %s %v at %v, corrects one that is older than what is in memory; it changes nothing, and the position is held against the broker's", f.ExecID, f.Side, f.Qty, f.Price),
	})
	t.Ask(AskSoon)
}

// refilled puts one version of an execution in place of another in its order.
// What has ended has ended: a fill that was taken back opens no order again.
func (b *Books) refilled(t *Turn, e *Entry, old, f order.Fill) {
	e.Filled = e.Filled.Sub(old.Qty).Add(f.Qty)
	e.known = e.known.Sub(old.Qty).Add(f.Qty)
	e.spent = e.spent.Sub(old.Price.Mul(old.Qty)).Add(f.Price.Mul(f.Qty))
	e.average()
	e.proveChange(t.Wall)
	b.overfilled(t, e, f.ExecID)
	b.Become(t, e, e.State)
}

// average reckons the price of what was filled.
func (e *Entry) average() {
	e.AvgPrice = nil
	if e.Filled.Sign() <= 0 {
		return
	}
	if avg, ok := e.spent.DivQty(e.Filled); ok {
		e.AvgPrice = avg.Ptr()
	}
}
