package books

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// dialogAfter is how long an order may stay without a description before the
// gateway is suspected to show a dialog that waits for a click: a window in
// front of a gateway that nobody looks at holds every order back.
const dialogAfter = 3 * time.Second

// suspectDialog tells once an order that the gateway may show a dialog.
func (b *Books) suspectDialog(t *Turn, e *Entry) {
	if e.suspect || t.Wall.Sub(e.SentAt) < dialogAfter {
		return
	}
	e.suspect = true
	e.Note = fmt.Sprintf("dialog_suspect: no answer within %v of the write, the gateway may show a dialog", dialogAfter)
	t.warn(event.NoticeText{
		Level: "error", Name: "dialog_suspect", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("order %d went to the socket and was not described within %v: the gateway may show a dialog; look at its window, and switch off its order confirmations for API orders", e.OrderID, dialogAfter),
	})
	b.Become(t, e, e.State)
}

// Judge looks for silence: orders, and changes of them, that got no answer
// within a time after the write, and positions that were told and differ.
func (b *Books) Judge(t *Turn, within time.Duration) {
	for _, sym := range slices.Sorted(maps.Keys(b.Live)) {
		for _, e := range slices.Clone(b.Live[sym]) {
			b.judgeChange(t, e, within)
			b.judgeEnding(t, e, within)
			b.judgeLate(t, e)
			e.judgeCut(t.Wall)
			b.judgeLost(t, e)
			if e.State != order.Sent || e.SentAt.IsZero() {
				continue
			}
			b.suspectDialog(t, e)
			if t.Wall.Sub(e.SentAt) < within {
				continue
			}
			e.Note = fmt.Sprintf("no answer within %v of the write", within)
			t.warn(event.NoticeText{
				Name: "order_silent", Symbol: e.Symbol, Ref: e.Ref,
				Text: fmt.Sprintf("order %d got no answer within %v: its outcome is unknown; look for a dialog in the gateway's window", e.OrderID, within),
			})
			b.Step(t, e, order.Silent)
			t.Ask(AskSoon)
		}
	}
	b.settle(t)
	b.trim(t.Market)
	b.rests(t.Wall)
}

// Lost is told when a session is over: what was sent and not answered is
// unknown now. What the broker told of positions is forgotten: the executions
// behind it may come with the next session, which asks for both together.
func (b *Books) Lost(t *Turn) {
	clear(b.told)
	for _, sym := range slices.Sorted(maps.Keys(b.Live)) {
		for _, e := range slices.Clone(b.Live[sym]) {
			b.lostChange(t, e)
			b.lostEnding(t, e)
			if e.State != order.Sent {
				continue
			}
			e.Note = "the session ended before any answer"
			t.warn(event.NoticeText{
				Name: "order_unknown", Symbol: e.Symbol, Ref: e.Ref,
				Text: fmt.Sprintf("order %d was written and not answered when the session ended: its outcome is unknown until the broker is asked", e.OrderID),
			})
			b.Step(t, e, order.Silent)
		}
	}
}
