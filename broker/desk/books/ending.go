package books

import (
	"fmt"
	"time"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// Ending is a cancel that is under way, of this desk or of anybody. A report, a
// refusal or a confirmed list ends it.
type Ending struct {
	at      time.Time // wall time of the write, or of the broker's word that it works on it
	mark    uint64    // of that; see Books.Mark
	acked   bool      // the broker said that it works on it
	overdue bool      // it stays without an answer, or its session is over
	writing bool      // it is on its way to the socket, and nobody knows yet whether it got there
	before  *Ending   // the one that was under way, until this one is written
}

// Ends notes a cancel that is about to be written. EndWritten follows.
func (b *Books) Ends(t *Turn, e *Entry) *Ending {
	b.count++
	x := &Ending{at: t.Wall, mark: b.count, writing: true, before: e.Ending}
	if was := e.Ending; was != nil && was.overdue { // a list tells of that one, however often it is written
		x.mark, x.overdue = was.mark, true
	}
	e.Ending = x
	return x
}

// EndWritten takes what became of the write of a cancel: Written, NotWritten, or
// Silent when a part of it may have gone out. An answer that was faster is the
// truth.
func (b *Books) EndWritten(t *Turn, e *Entry, x *Ending, sig order.Signal, note string) {
	switch {
	case e.Ending != x || !e.State.Live():
	case sig == order.NotWritten:
		e.Ending = x.before
	default:
		x.before, x.writing = nil, false
		if note != "" {
			e.Note = note
		}
		b.ending(t, e)
	}
}

// ending moves an order that a cancel is under way for. One whose outcome is
// unknown is no better known by it.
func (b *Books) ending(t *Turn, e *Entry) {
	if e.State == order.Unknown {
		b.Become(t, e, order.Unknown)
		return
	}
	b.Step(t, e, order.CancelSent)
}

// EndIsWritten reports whether no cancel is on its way to the socket any more.
func (e *Entry) EndIsWritten() bool { return e.Ending == nil || !e.Ending.writing }

// EndsNow reports whether a cancel is under way that may still have an effect.
func (e *Entry) EndsNow() bool { return e.Ending != nil && !e.Ending.overdue }

// endAcked takes the broker's word that it works on a cancel.
func (b *Books) endAcked(t *Turn, e *Entry) {
	if e.State.Live() {
		e.Ending = &Ending{at: t.Wall, mark: b.count, acked: true}
	}
}

// judgeEnding tells of a cancel that stays without an answer, and has the broker
// asked: the order may fill at any time.
func (b *Books) judgeEnding(t *Turn, e *Entry, within time.Duration) {
	x := e.Ending
	if x == nil || x.acked || x.overdue || t.Wall.Sub(x.at) < within {
		return
	}
	x.overdue = true
	b.Raise(t, "cancel_silent "+e.Ref, event.NoticeText{
		Level: "error", Name: "cancel_silent", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("the cancel of order %d got no answer within %v: the order may work on and fill; the broker is asked", e.OrderID, within),
	})
	t.Ask(AskSoon)
}

// lostEnding is told when the session is over.
func (b *Books) lostEnding(t *Turn, e *Entry) {
	if e.Ending == nil {
		return
	}
	if e.Ending.overdue = true; e.State == order.Unknown {
		return
	}
	e.Note = "the session ended before the cancel had an effect: whether it still works is unknown until the broker is asked"
	t.warn(event.NoticeText{Name: "cancel_unknown", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s", e.OrderID, e.Note)})
	b.Step(t, e, order.Silent)
}

// notCancelled takes a refusal of a cancel. It proves nothing of an order that the
// broker never described.
func (b *Books) notCancelled(t *Turn, e *Entry) {
	e.Ending = nil
	if e.State == order.Cancelling && e.PermID == 0 && e.Filled.IsZero() {
		b.Step(t, e, order.Silent)
		t.Ask(AskSoon)
		return
	}
	b.Step(t, e, order.CancelFail)
}

// notEnded takes that a cancel had no effect: whoever wants the order ended has
// it cancelled again.
func (b *Books) notEnded(t *Turn, e *Entry) {
	e.Ending = nil
	e.Note = "the cancel had no effect: the broker lists the order as open"
	t.warn(event.NoticeText{Level: "error", Name: "cancel_lost", Symbol: e.Symbol, Ref: e.Ref, Text: fmt.Sprintf("order %d: %s; cancel it again", e.OrderID, e.Note)})
	b.Step(t, e, order.Listed)
}
