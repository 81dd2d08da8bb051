package feed

import (
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// follow begins to make the bar that runs while the question is answered.
func (h *history) follow() {
	f := h.client.f
	h.accum = newAccum(h.book, h.ask.show, h.ask.regular)
	h.accum.bar.Start, h.until = begin(f.v.At, h.ask.width, f.v.Zone)
	h.book.keeps = append(h.book.keeps, h)
	f.timeBars(h.book)
}

// keepUp tells what happened since the question, once its answer is sent: the
// answer's last bar goes on where it is the one that ran then.
func (h *history) keepUp(bars []market.Bar) {
	if !h.ask.keep {
		return
	}
	h.answered = true
	if n := len(bars); n > 0 {
		first := &h.accum.bar
		if len(h.whole) > 0 {
			first = &h.whole[0]
		}
		if last := bars[n-1]; last.Start.Equal(first.Start) {
			last.Trades = max(last.Trades, 1) // bars of quotes count none, and yet have a price
			*first = follow(last, *first)
		}
	}
	changed := h.changed
	for i := range h.whole {
		h.update(&h.whole[i])
	}
	h.whole = nil
	if changed {
		h.update(&h.accum.bar)
	}
}

// update tells a bar, message 90.
func (h *history) update(b *market.Bar) {
	h.changed = false
	if b.Trades == 0 || h.client.f.competing {
		return
	}
	clip := newClip(h.client.f.past, &h.ask, b.Start, h.client.v.Zone)
	h.client.Send(wire.HistoricalDataUpdate{ReqID: h.req, Bar: clip.wireBar(b)})
}

// beat tells the bar that runs when it changed, and ends it when it is over:
// every five seconds of market time. Of a long silence only the last bar is
// begun.
func (h *history) beat(at time.Time) {
	if at.Before(h.until) {
		if h.answered && h.changed {
			h.update(&h.accum.bar)
		}
		return
	}
	h.finish()
	for n := 0; n < maxEmpty && !at.Before(h.until); n++ {
		h.next(h.until)
		if !at.Before(h.until) {
			h.finish()
		}
	}
	if !at.Before(h.until) {
		h.next(at)
	}
}

// finish tells the bar that is over, or keeps it until the answer is there.
func (h *history) finish() {
	switch {
	case !h.answered:
		if len(h.whole) == maxWhole {
			h.whole = h.whole[1:]
		}
		h.whole = append(h.whole, h.accum.bar)
	case h.changed:
		h.update(&h.accum.bar)
	}
}

// next begins the bar that a time is in.
func (h *history) next(at time.Time) {
	var start time.Time
	start, h.until = begin(at, h.ask.width, h.client.v.Zone)
	h.accum.begin(start)
	h.changed = h.accum.bar.Trades > 0
}

// quote and trade leave out what the answer has already.
func (h *history) quote(ev *tape.Event) {
	if !ev.At.Before(h.ask.end) && h.accum.quote(ev) {
		h.changed = true
	}
}

func (h *history) trade(ev *tape.Event) {
	if !ev.At.Before(h.ask.end) && h.accum.trade(ev) {
		h.changed = true
	}
}
