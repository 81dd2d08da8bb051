package feed

import (
	"slices"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
)

// late plays the past of one symbol to its delayed lines.
type late struct {
	b      *book
	lines  []*line
	market exchange.Market // as it was
	dayEnd time.Time

	at     time.Time // played so far, exclusive
	read   time.Time // events are read so far, exclusive
	step   time.Duration
	events []tape.Event
	next   int // index into events
}

// The stretches in which the past is read.
const (
	leastStep = time.Second
	firstStep = time.Minute
	mostStep  = time.Hour
)

// lateLine begins a delayed line: with the market as it was, then as it went
// on. The first line of a symbol looks it up.
func (b *book) lateLine(l *line) {
	cut := b.f.v.At.Add(-b.f.cfg.Delay)
	if b.late == nil {
		b.late = newLate(b, cut)
		b.f.late = append(b.f.late, b)
	}
	b.late.playTo(cut)
	b.late.lines = append(b.late.lines, l)
	l.tell(&b.late.market)
}

// lateEnd ends a delayed line, and the past with the last one.
func (b *book) lateEnd(l *line) {
	if b.late.lines = without(b.late.lines, l); len(b.late.lines) == 0 {
		b.late = nil
		b.f.late = without(b.f.late, b)
	}
}

// newLate looks up what a symbol's market was before cut. What the past does
// not tell is not known.
func newLate(b *book, cut time.Time) *late {
	p := &late{b: b, at: cut, read: cut, step: firstStep}
	past, zone := b.f.past, b.f.v.Zone
	ask := func(kind tape.Kind, limit int) []tape.Event {
		list, err := past.Ticks(tape.TicksQuery{Symbol: b.symbol, Kind: kind, End: cut, Limit: limit})
		if err != nil {
			return nil
		}
		return list
	}
	m := &p.market
	if list := ask(tape.Quote, 1); len(list) > 0 {
		p.quote(&list[0])
	}
	for _, ev := range slices.Backward(ask(tape.Trade, 10)) {
		if !ev.Suspicious {
			m.Quote.Last, m.Quote.LastSize, m.Quote.LastAt = ev.Price.Ptr(), ev.Size.Ptr(), ev.At
			break
		}
	}
	y, mo, d := cut.In(zone).Date()
	today := time.Date(y, mo, d, 0, 0, 0, 0, zone)
	p.dayEnd = today.AddDate(0, 0, 1)
	// The end of the day before is cheaper to find by its last trade than by
	// the days' bars, and this is done under the mutex.
	if list, err := past.Ticks(tape.TicksQuery{Symbol: b.symbol, Kind: tape.Trade, End: today, Limit: 1}); err == nil && len(list) > 0 {
		m.PrevClose = &list[0].Price
	}
	bars, err := past.Bars(tape.BarsQuery{Symbol: b.symbol, From: today, End: cut, Width: day})
	if err == nil && len(bars) > 0 {
		bar := &bars[0]
		m.DayOpen, m.DayHigh, m.DayLow, m.Quote.Volume = &bar.Open, &bar.High, &bar.Low, &bar.Volume
	}
	return p
}

// playTo tells what happened before a time.
func (p *late) playTo(to time.Time) {
	for p.at.Before(to) {
		if p.next == len(p.events) && !p.read.Before(to) {
			p.at = to
			return
		}
		if p.next == len(p.events) {
			p.readOn()
			continue
		}
		ev := &p.events[p.next]
		if !ev.At.Before(to) {
			p.at = to
			return
		}
		p.next++
		p.play(ev)
	}
}

// readOn reads the next stretch of the past: a longer one than before where
// nothing is, a shorter one where too much is.
func (p *late) readOn() {
	p.events, p.next = p.events[:0], 0
	for {
		end := p.read.Add(p.step)
		q := tape.TicksQuery{Symbol: p.b.symbol, Kind: tape.Quote, From: p.read, End: end, Limit: tape.MaxTicks}
		quotes, err1 := p.b.f.past.Ticks(q)
		q.Kind = tape.Trade
		trades, err2 := p.b.f.past.Ticks(q)
		full := len(quotes) == tape.MaxTicks || len(trades) == tape.MaxTicks
		if full && p.step > leastStep {
			p.step = max(leastStep, p.step/4)
			continue
		}
		p.read = end
		if err1 != nil || err2 != nil {
			return // nothing is known of this stretch
		}
		p.events = append(append(p.events, quotes...), trades...)
		slices.SortStableFunc(p.events, func(a, b tape.Event) int { return a.At.Compare(b.At) }) // quotes first
		if len(p.events) == 0 {
			p.step = min(2*p.step, mostStep)
		}
		return
	}
}

func (p *late) play(ev *tape.Event) {
	m := &p.market
	if ev.Kind == tape.Quote {
		bid, ask := p.quote(ev)
		if !p.b.f.competing {
			tellQuote(p.lines, ev, bid, ask)
		}
		return
	}
	high, low := p.trade(ev)
	if !p.b.f.competing {
		tellTrade(p.lines, ev, m, high, low)
	}
}

// quote keeps a quote and tells which sides it changed.
func (p *late) quote(ev *tape.Event) (bid, ask bool) {
	q := &p.market.Quote
	bid = level(q.Bid, q.BidSize) != ev.Bid
	ask = level(q.Ask, q.AskSize) != ev.Ask
	q.Bid, q.BidSize = ev.Bid.Ptr()
	q.Ask, q.AskSize = ev.Ask.Ptr()
	return bid, ask
}

// trade keeps a trade as the exchange does, and tells whether it made a new
// high or low of the day.
func (p *late) trade(ev *tape.Event) (high, low bool) {
	m := &p.market
	if !ev.At.Before(p.dayEnd) {
		y, mo, d := ev.At.In(p.b.f.v.Zone).Date()
		p.dayEnd = time.Date(y, mo, d+1, 0, 0, 0, 0, p.b.f.v.Zone)
		m.PrevClose, m.DayOpen, m.DayHigh, m.DayLow, m.Quote.Volume = m.Quote.Last, nil, nil, nil, nil
	}
	volume := ev.Size
	if m.Quote.Volume != nil {
		volume = volume.Add(*m.Quote.Volume)
	}
	m.Quote.Volume = &volume
	if ev.Suspicious {
		return false, false
	}
	price, size := ev.Price, ev.Size
	m.Quote.Last, m.Quote.LastSize, m.Quote.LastAt = &price, &size, ev.At
	if m.DayOpen == nil {
		m.DayOpen = &price
	}
	if high = m.DayHigh == nil || m.DayHigh.Less(price); high {
		m.DayHigh = &price
	}
	if low = m.DayLow == nil || price.Less(*m.DayLow); low {
		m.DayLow = &price
	}
	return high, low
}

// permitted reports whether a request for what is not a line may be answered,
// and else tells so in the words of its service. Delayed data have no service
// of running bars, single ticks and books: from general knowledge.
func (c *client) permitted(req, code int, service string, b *book) bool {
	if c.f.cfg.Data == Live {
		return true
	}
	d := b.details.Contract
	text := service + ":No market data permissions for " + d.PrimaryExchange + " " + d.SecType
	if code == venue.NotSubscribed {
		text = "Requested market data is not subscribed. " + service
	}
	c.Fail(int64(req), code, "%s", text)
	return false
}
