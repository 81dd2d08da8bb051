package tape

import (
	"time"

	"robotrader/broker/market"
)

// How long before the end of a bar its last trade and its own quote come.
const (
	closeTrade = 20 * time.Millisecond
	closeQuote = 10 * time.Millisecond
)

var tenth = market.MustQty("0.1")

// opening is the quote 1 s before the first event.
func (c *CSV) opening() Event {
	ev := c.around(c.firstPrice())
	if c.layout == barsHeader {
		ev = c.bars[0].quote(c.bars[0].open)
	}
	ev.At, ev.Symbol, ev.Kind = c.Start(), c.symbol, Quote
	return ev
}

func (c *CSV) firstPrice() market.Price {
	if len(c.bars) > 0 {
		return c.bars[0].open
	}
	for i := range c.trades {
		if !c.trades[i].suspicious {
			return c.trades[i].price
		}
	}
	return c.trades[0].price
}

// around is the made-up quote of layouts that tell none: the price minus and
// plus 0.01.
func (c *CSV) around(p market.Price) Event {
	bid := p.Sub(cent)
	return Event{
		Kind: Quote, Symbol: c.symbol,
		Bid: Level{bid, market.Shares(100), bid.Sign() > 0},
		Ask: Level{p.Add(cent), market.Shares(100), true},
	}
}

// quote is the quote around p with the bar's own spread, or an unknown one.
func (b *barLine) quote(p market.Price) Event {
	if b.bid.IsZero() || b.ask.IsZero() {
		return Event{Kind: Quote}
	}
	spread := b.ask.Sub(b.bid)
	if spread.Less(cent) { // locked or crossed at the close
		spread = cent
	}
	bid := p.Sub(spread.Half()).Round(cent)
	if p.Less(bid) {
		bid = p
	}
	ask := bid.Add(spread)
	return Event{
		Kind: Quote,
		Bid:  Level{bid, market.Shares(100), bid.Sign() > 0},
		Ask:  Level{ask, market.Shares(100), true},
	}
}

// expand appends the events of a line to dst, ordered by time. last is the
// price of the trade before, 0 when there was none.
func (c *CSV) expand(line int, last market.Price, dst []Event) []Event {
	if len(c.trades) > 0 {
		return c.expandTrade(&c.trades[line], last, dst)
	}
	b := &c.bars[line]
	points, n := b.points()
	for i, p := range points[:n] {
		quote := c.around(p.price)
		if c.layout == barsHeader {
			quote = b.quote(p.price)
		}
		quote.Symbol, quote.At = c.symbol, time.Unix(0, p.at).UTC()
		dst = append(dst, quote, Event{
			At: quote.At, Symbol: c.symbol, Kind: Trade, Price: p.price, Size: share(b.volume, n, i),
		})
	}
	if c.layout == barsHeader {
		size := market.Shares(100)
		dst = append(dst, Event{
			At: time.Unix(0, b.end).UTC().Add(-closeQuote), Symbol: c.symbol, Kind: Quote,
			Bid: Level{b.bid, size, !b.bid.IsZero()}, Ask: Level{b.ask, size, !b.ask.IsZero()},
		})
	}
	return dst
}

// expandTrade appends a trade and, when it moved the price, the quote that is
// made up from it.
func (c *CSV) expandTrade(t *tradeLine, last market.Price, dst []Event) []Event {
	ev := Event{
		At: time.Unix(0, t.at).UTC(), Symbol: c.symbol, Kind: Trade,
		Price: t.price, Size: t.size, Exchange: c.venues[t.venue], Suspicious: t.suspicious,
	}
	dst = append(dst, ev)
	if !t.suspicious && (t.opens || t.price != last) {
		quote := c.around(t.price)
		quote.At = ev.At
		dst = append(dst, quote)
	}
	return dst
}

type point struct {
	at    int64
	price market.Price
}

// points are the trades that make the bar: only those that change something.
func (b *barLine) points() (pts [4]point, n int) {
	width := b.end - b.start
	first, second := b.low, b.high
	if b.close.Less(b.open) {
		first, second = b.high, b.low
	}
	put := func(at int64, p market.Price) { pts[n], n = point{at, p}, n+1 }
	put(b.start, b.open)
	if first != b.open && first != b.close {
		put(b.start+width/4, first)
	}
	if second != b.open && second != b.close {
		put(b.start+width/2, second)
	}
	if n > 1 || b.close != b.open {
		put(b.end-int64(closeTrade), b.close)
	}
	return pts, n
}

// share is the size of trade i of n in a volume: equal whole shares, and the
// rest in the last. Where there are fewer shares than trades, all but the last
// are prints of 0.1, and of nothing in a volume below one share: a price was
// traded, and the volume stays exact.
func share(volume market.Qty, n, i int) market.Qty {
	part := market.Shares(volume.Int() / int64(n))
	switch {
	case !part.IsZero():
	case volume.Int() >= 1:
		part = tenth
	}
	if i < n-1 {
		return part
	}
	for range n - 1 {
		volume = volume.Sub(part)
	}
	return volume
}
