package tape

import (
	"time"

	"robotrader/broker/market"
)

// stretch is a stretch of time, [from, to), in Unix nanoseconds.
type stretch struct{ from, to int64 }

// quoteBuilder makes bars of quotes that come ordered by time. A quote counts
// from when it comes until the next one, within the stretches of a session.
type quoteBuilder struct {
	grid
	show     Show
	first    int64
	sessions []stretch // in [first, end), in order
	bid, ask Level     // the quote that stands
	since    int64     // it has been counted up to there

	have   bool
	bar    market.Bar
	barEnd int64
	bids   market.Money // bid × milliseconds that it stood
	asks   market.Money
	weight int64 // milliseconds
	bars   []market.Bar
}

func newQuoteBuilder(zone *time.Location, q BarsQuery, sessions []stretch) *quoteBuilder {
	return &quoteBuilder{
		grid: grid{zone: zone, width: q.Width}, show: q.Show, first: q.From.UnixNano(), sessions: sessions,
	}
}

// quote tells what stands from at on.
func (b *quoteBuilder) quote(at int64, bid, ask Level) {
	b.advance(at)
	b.bid, b.ask = bid, ask
}

// advance counts the quote that stands up to a time.
func (b *quoteBuilder) advance(to int64) {
	for len(b.sessions) > 0 && b.sessions[0].from < to {
		s := b.sessions[0]
		b.stand(max(b.since, s.from), min(to, s.to))
		if s.to > to {
			break
		}
		b.sessions = b.sessions[1:]
	}
	b.since = max(b.since, to)
}

// stand counts the quote over a stretch of a session, bar by bar.
func (b *quoteBuilder) stand(from, to int64) {
	for from < to {
		if !b.have || from >= b.barEnd {
			b.flush()
			start, end := b.grid.bar(from)
			b.barEnd = end
			if b.have = start >= b.first; b.have { // else begun before the request: not whole
				b.bar, b.bids, b.asks, b.weight = market.Bar{Start: time.Unix(0, start).UTC()}, market.Money{}, market.Money{}, 0
				b.bar.Trades = 0
			}
		}
		end := min(to, b.barEnd)
		if b.have {
			b.count(end - from)
		}
		from = end
	}
}

// count takes the quote that stands into the bar. While it is made, Trades
// counts quotes.
func (b *quoteBuilder) count(stood int64) {
	switch {
	case b.show == ShowBid && b.bid.Known:
		b.bar = b.bar.Merge(b.bid.Price, market.Qty{})
	case b.show == ShowAsk && b.ask.Known:
		b.bar = b.bar.Merge(b.ask.Price, market.Qty{})
	case b.show == ShowMidpoint && b.bid.Known && b.ask.Known:
		b.bar = b.bar.Merge(b.bid.Price.Add(b.ask.Price).Half(), market.Qty{})
	case b.show == ShowBidAsk && b.bid.Known && b.ask.Known:
		b.bar = b.bar.Merge(b.bid.Price, market.Qty{}).Merge(b.ask.Price, market.Qty{})
		ms := max(1, stood/int64(time.Millisecond))
		b.bids = b.bids.Add(b.bid.Price.Mul(market.Shares(ms)))
		b.asks = b.asks.Add(b.ask.Price.Mul(market.Shares(ms)))
		b.weight += ms
	}
}

func (b *quoteBuilder) flush() {
	if b.have && b.bar.Trades > 0 {
		if b.show == ShowBidAsk {
			weight := market.Shares(b.weight)
			if p, ok := b.bids.DivQty(weight); ok {
				b.bar.Open = p
			}
			if p, ok := b.asks.DivQty(weight); ok {
				b.bar.Close = p
			}
		}
		b.bar.Trades = 0
		b.bars = append(b.bars, b.bar)
	}
	b.have = false
}

// done ends the stretch that is asked for and returns the bars.
func (b *quoteBuilder) done() []market.Bar {
	if n := len(b.sessions); n > 0 {
		b.advance(b.sessions[n-1].to)
	}
	b.flush()
	return b.bars
}
