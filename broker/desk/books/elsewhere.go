package books

import (
	"fmt"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// executedElsewhere tells of an execution that no order of ours made. It is in
// the books already.
func (b *Books) executedElsewhere(t *Turn, who *broker.Facts, f order.Fill, e *Entry) {
	if e != nil && f.ClientID == who.ClientID {
		return
	}
	now := b.Positions[f.Symbol].Qty
	b.adopted(t, broker.Finding{
		Kind: findExecution, Symbol: f.Symbol, Ref: f.Ref,
		Ours: now.Sub(f.Side.Signed(f.Qty)).String(), Theirs: now.String(),
		Evidence: fmt.Sprintf("execution %.60s, %s %v at %v, of client %d, order %d, permanent id %d", f.ExecID, f.Side, f.Qty, f.Price, f.ClientID, f.OrderID, f.PermID),
		Done:     "counted in the position; no order of ours is changed",
	})
}

// orderElsewhere tells of an order that is at the broker and that neither this
// process nor its journal made.
func (b *Books) orderElsewhere(t *Turn, o order.Order, status string) {
	where := "made elsewhere"
	if o.Ref != "" {
		where = fmt.Sprintf("with the reference %.60q", o.Ref)
	}
	b.adopted(t, broker.Finding{
		Kind: FindOrder, Symbol: o.Symbol, Ref: o.Ref, Ours: "nothing of it", Theirs: fmt.Sprintf("%s %v, %.20s", o.Side, o.Qty, status),
		Evidence: fmt.Sprintf("an open order %s: client %d, number %d, permanent id %d", where, o.ClientID, o.OrderID, o.PermID),
		Done:     "taken into the books and shown",
	})
}

// KeepFindings bounds the findings in the desk's state. The journal keeps all.
const KeepFindings = 50

// The kinds of finding; see broker.Finding.
const (
	findPosition  = "position"
	FindOrder     = "order"
	findExecution = "execution"
	findCash      = "cash"
)

// Found notes, stores and tells a finding. One that is not explained makes the
// mode reduce_only, for a person to look at.
func (b *Books) Found(t *Turn, f broker.Finding) {
	f.At = t.Wall
	list := &b.findings
	if *list = append(*list, f); len(*list) > KeepFindings {
		*list = append([]broker.Finding(nil), (*list)[1:]...)
	}
	t.store(broker.Record{Finding: &f})
	t.follows(Effect{Finding: &f})
	text := fmt.Sprintf("%s: the books had %s, the broker has %s; %s; %s", f.Kind, f.Ours, f.Theirs, f.Evidence, f.Done)
	if f.Explained {
		t.warn(event.NoticeText{Level: "info", Name: "reconciliation_explained", Symbol: f.Symbol, Ref: f.Ref, Text: text})
		return
	}
	t.warn(event.NoticeText{Level: "error", Name: "reconciliation_difference", Symbol: f.Symbol, Ref: f.Ref, Text: text})
	about := f.Kind
	if f.Symbol != "" {
		about += " of " + string(f.Symbol)
	}
	t.restrict(fmt.Sprintf("unexplained difference, %s: the books had %s, the broker has %s; compare with the broker, then resume", about, f.Ours, f.Theirs))
}

// adopted tells of something that was done elsewhere and that the books have
// taken over. By the strict policy that also takes entries away until a person
// has looked.
func (b *Books) adopted(t *Turn, f broker.Finding) {
	f.Explained = true
	b.Found(t, f)
	if b.Strict {
		t.restrict("something was done elsewhere: " + f.Evidence + "; look at it, then resume")
	}
}

// Raise tells a person once of what comes again with every answer of the venue.
// Key says what it is.
func (b *Books) Raise(t *Turn, key string, n event.NoticeText) {
	if b.raised.m[key] {
		return
	}
	b.raised.Put(key, true)
	t.warn(n)
}
