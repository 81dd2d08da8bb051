package feed

import (
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// accum makes the bar that runs, as the tape makes it of the past: of trades,
// or of a price that quotes have. Trades and quotes outside of the regular
// session are left out when only that is asked for.
type accum struct {
	book    *book
	show    tape.Show
	regular bool

	bar    market.Bar // Trades is 0 as long as it has no price
	sums   tally
	last   market.Price // of the bars before, where has
	has    bool
	stands *market.Price // the price that the quote has now
	at     time.Time     // since when, in the bar
	before market.Bar    // the bar without it: another quote of the same instant takes its place
}

func newAccum(b *book, show tape.Show, regular bool) accum {
	a := accum{book: b, show: show, regular: regular}
	a.stand(b.bid, b.ask)
	if m, ok := b.f.v.X.Market(b.symbol); ok && m.Quote.Last != nil {
		a.last, a.has = *m.Quote.Last, true
	}
	return a
}

// stand keeps the price that a quote has.
func (a *accum) stand(bid, ask tape.Level) {
	a.stands = nil
	switch {
	case a.show == tape.ShowBid && bid.Known:
		a.stands = bid.Price.Ptr()
	case a.show == tape.ShowAsk && ask.Known:
		a.stands = ask.Price.Ptr()
	case a.show == tape.ShowMidpoint && bid.Known && ask.Known:
		a.stands = bid.Price.Add(ask.Price).Half().Ptr()
	}
}

// begin forgets the bar and begins the next one. One of quotes opens at the
// quote that stands.
func (a *accum) begin(start time.Time) {
	a.bar, a.sums = market.Bar{Start: start}, tally{}
	a.at, a.before = start, a.bar
	if a.stands != nil && a.book.open(start, a.regular) {
		a.bar = a.bar.Merge(*a.stands, market.Qty{})
	}
}

// quote reports whether a quote changed the bar.
func (a *accum) quote(ev *tape.Event) bool {
	if a.show == tape.ShowTrades {
		return false
	}
	a.stand(ev.Bid, ev.Ask)
	if a.regular && !a.book.open(ev.At, true) {
		return false
	}
	if ev.At.Equal(a.at) {
		a.bar = a.before
	}
	a.at, a.before = ev.At, a.bar
	if a.stands == nil {
		return false
	}
	a.bar = a.bar.Merge(*a.stands, market.Qty{})
	return true
}

// trade reports whether a trade changed the bar.
func (a *accum) trade(ev *tape.Event) bool {
	if a.show != tape.ShowTrades || a.regular && !a.book.open(ev.At, true) {
		return false
	}
	if ev.Suspicious {
		a.bar.Volume = a.bar.Volume.Add(ev.Size)
		return a.bar.Trades > 0
	}
	a.bar = a.bar.Merge(ev.Price, ev.Size)
	a.sums.add(ev)
	a.last, a.has = ev.Price, true
	return true
}

// follow returns the bar that was begun by one part and went on with another.
func follow(bar, part market.Bar) market.Bar {
	if part.Trades > 0 {
		bar.Close = part.Close
		if bar.High.Less(part.High) {
			bar.High = part.High
		}
		if part.Low.Less(bar.Low) {
			bar.Low = part.Low
		}
		bar.Trades += part.Trades
	}
	bar.Volume = bar.Volume.Add(part.Volume)
	return bar
}
