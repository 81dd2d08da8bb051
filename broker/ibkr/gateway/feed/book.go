package feed

import (
	"slices"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// book is one symbol's market as its subscribers know it, and who they are, in
// the order in which they came.
type book struct {
	f       *Feed
	symbol  market.Symbol
	details market.Details

	bid, ask  tape.Level
	high, low *market.Price // told last
	mark      *market.Price // told last
	letter    string        // of the exchange that traded last
	halted    bool
	day       tally
	minute    tally
	rate      tally // the minute before
	hours     hours
	year      *misc

	lines  []*line
	bars   []*running
	keeps  []*history
	ticks  []*tickStream
	depths []*depth
	late   *late // nil without a delayed line
}

// tally counts trades until its end.
type tally struct {
	end    time.Time
	trades int64
	volume market.Qty
	value  market.Money
}

func (t *tally) add(ev *tape.Event) {
	t.trades++
	t.volume = t.volume.Add(ev.Size)
	t.value = t.value.Add(ev.Price.Mul(ev.Size))
}

// average is the volume-weighted average price, or the last one where nothing
// was weighed.
func (t *tally) average(last market.Price) market.Price {
	if t.volume.Sign() > 0 {
		if p, ok := t.value.DivQty(t.volume); ok {
			return p
		}
	}
	return last
}

// book returns the book of a listing, as far as the exchange knows its market.
func (f *Feed) book(d market.Details) *book {
	symbol := d.Contract.Symbol
	if b := f.books[symbol]; b != nil {
		return b
	}
	b := &book{f: f, symbol: symbol, details: d}
	f.books[symbol] = b
	if m, ok := f.v.X.Market(symbol); ok {
		b.bid, b.ask = level(m.Quote.Bid, m.Quote.BidSize), level(m.Quote.Ask, m.Quote.AskSize)
		b.high, b.low, b.halted = m.DayHigh, m.DayLow, m.Quote.Halted
	}
	return b
}

func level(p *market.Price, size *market.Qty) tape.Level {
	if p == nil || size == nil {
		return tape.Level{}
	}
	return tape.Level{Price: *p, Size: *size, Known: true}
}

// publish tells what an event changed.
func (b *book) publish(ev tape.Event) {
	switch ev.Kind {
	case tape.Quote:
		b.publishQuote(&ev)
	case tape.Trade:
		b.publishTrade(&ev)
	case tape.Halt, tape.Resume:
		b.publishHalt(ev.Kind == tape.Halt)
	}
}

// publishQuote tells the sides that changed; a quote that repeats itself is
// told whole, because the market said so again.
func (b *book) publishQuote(ev *tape.Event) {
	old := [2]tape.Level{b.bid, b.ask}
	b.bid, b.ask = ev.Bid, ev.Ask
	for _, r := range b.bars {
		r.quote(ev)
	}
	for _, h := range b.keeps {
		h.quote(ev)
	}
	if b.f.competing {
		return
	}
	tellQuote(b.lines, ev, ev.Bid != old[0], ev.Ask != old[1])
	b.tellMark()
	for _, s := range b.ticks {
		s.quote(ev)
	}
	for _, d := range b.depths {
		d.follow()
	}
}

// tellQuote tells lines the sides of a quote that changed, or both.
func tellQuote(lines []*line, ev *tape.Event, bid, ask bool) {
	if !bid && !ask {
		bid, ask = true, true
	}
	for _, l := range lines {
		if l.noTop {
			continue
		}
		l.thaw()
		if bid {
			l.side(wire.TickBid, ev.Bid)
		}
		if ask {
			l.side(wire.TickAsk, ev.Ask)
		}
		l.look()
	}
}

func (b *book) publishTrade(ev *tape.Event) {
	b.count(ev)
	for _, r := range b.bars {
		r.trade(ev)
	}
	for _, h := range b.keeps {
		h.trade(ev)
	}
	if b.f.competing {
		return
	}
	if len(b.lines) > 0 {
		b.tellTrade(ev)
	}
	for _, s := range b.ticks {
		s.trade(ev)
	}
}

// count keeps the day's and the minute's trades.
func (b *book) count(ev *tape.Event) {
	if !ev.At.Before(b.day.end) {
		y, m, d := ev.At.In(b.f.v.Zone).Date()
		b.day = tally{end: time.Date(y, m, d+1, 0, 0, 0, 0, b.f.v.Zone)}
	}
	if !ev.At.Before(b.minute.end) {
		b.rate, b.minute = b.minute, tally{end: ev.At.Truncate(time.Minute).Add(time.Minute)}
	}
	b.day.add(ev)
	b.minute.add(ev)
}

// tellTrade tells lines a trade. The exchange has applied it.
func (b *book) tellTrade(ev *tape.Event) {
	m, ok := b.f.v.X.Market(b.symbol)
	if !ok {
		return
	}
	high, low := changed(&b.high, m.DayHigh), changed(&b.low, m.DayLow)
	if ev.Suspicious {
		high, low = false, false
	}
	tellTrade(b.lines, ev, &m, high, low)
	moved := ev.Exchange != b.letter && ev.Exchange != "" && !ev.Suspicious
	if moved {
		b.letter = ev.Exchange
	}
	for _, l := range b.lines {
		if moved && !l.noTop {
			l.tellLetter()
		}
		l.tradeGenerics(ev)
	}
	b.tellMark()
}

// tellTrade tells lines a trade, and what it did to the day.
func tellTrade(lines []*line, ev *tape.Event, m *exchange.Market, high, low bool) {
	for _, l := range lines {
		if l.noTop {
			continue
		}
		l.thaw()
		if !ev.Suspicious {
			l.lastTime(ev.At)
			l.price(wire.TickLast, ev.Price, ev.Size, 0)
		}
		l.volume(m)
		if high {
			l.optional(wire.TickHigh, m.DayHigh, nil)
		}
		if low {
			l.optional(wire.TickLow, m.DayLow, nil)
		}
		l.look()
	}
}

// publishHalt tells that trading stopped or goes on, tick type 49. A book of
// orders is told anew when it goes on, section 8: 317.
func (b *book) publishHalt(halted bool) {
	if b.halted == halted {
		return
	}
	b.halted = halted
	if b.f.competing {
		return
	}
	for _, l := range b.lines {
		l.tellHalted(halted)
	}
	if !halted {
		for _, d := range b.depths {
			d.reset()
		}
	}
}

// changed keeps a new value and reports whether it is one.
func changed(old **market.Price, now *market.Price) bool {
	if now == nil || *old != nil && **old == *now {
		return false
	}
	p := *now
	*old = &p
	return true
}

// without removes one item of a list.
func without[T comparable](list []T, item T) []T {
	return slices.DeleteFunc(list, func(t T) bool { return t == item })
}

// hours remembers when a symbol trades, as its source tells it.
type hours struct {
	trading, liquid market.Hours
	until           time.Time   // what is remembered is good until then
	now             market.Span // the stretch that was found last
	in, inLiquid    bool        // whether it is one of the two
}

// open reports whether the symbol trades at a time of the market: in its
// regular session, or in any.
func (b *book) open(at time.Time, regular bool) bool {
	h := &b.hours
	if at.Before(h.now.Open) || !at.Before(h.now.Close) {
		h.find(b, at)
	}
	if regular {
		return h.inLiquid
	}
	return h.in
}

// find remembers the stretch of time around at in which nothing opens or
// closes.
func (h *hours) find(b *book, at time.Time) {
	if !at.Before(h.until) || at.Before(h.now.Open) {
		h.trading, h.liquid = b.details.Trading, b.details.Liquid
		if told, err := b.f.v.Source.Hours(b.symbol, at); err == nil {
			h.trading, h.liquid = told.Trading, told.Liquid
		}
		h.until = at.Add(time.Hour)
		if n := len(h.trading); n > 0 && h.trading[n-1].Close.After(h.until) {
			h.until = h.trading[n-1].Close
		}
	}
	h.now = market.Span{Open: at.Add(-24 * time.Hour), Close: at.Add(time.Hour)}
	h.in = h.narrow(h.trading, at)
	h.inLiquid = h.narrow(h.liquid, at)
}

// narrow cuts now to where none of the spans begins or ends, and reports
// whether at is in one.
func (h *hours) narrow(spans market.Hours, at time.Time) (in bool) {
	for _, s := range spans {
		for _, edge := range [...]time.Time{s.Open, s.Close} {
			if edge.After(at) && edge.Before(h.now.Close) {
				h.now.Close = edge
			}
			if !edge.After(at) && edge.After(h.now.Open) {
				h.now.Open = edge
			}
		}
		in = in || !at.Before(s.Open) && at.Before(s.Close)
	}
	return in
}
