package feed

import (
	"slices"
	"strconv"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// maxPast bounds the ticks of one answer, the venue's limit; the second at its
// edge comes whole beyond it.
const maxPast = 1000

// firstTick is before all ticks that there are.
var firstTick = time.Unix(0, 0)

// What single ticks are of.
const (
	ofTrades    = "TRADES"
	ofQuotes    = "BID_ASK"
	ofMidpoints = "MIDPOINT"
)

func (c *client) reqHeadTimestamp(m wire.ReqHeadTimestamp) {
	id := int64(m.ReqID)
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	if _, ok := shows[m.WhatToShow]; !ok || m.FormatDate != 1 && m.FormatDate != 2 {
		c.invalid(m.ReqID, "cv", "what to show %.20q and date format %d are not TRADES, MIDPOINT, BID, ASK, BID_ASK or ADJUSTED_LAST, and 1 or 2", m.WhatToShow, m.FormatDate)
		return
	}
	head, err := c.f.past.Head(b.symbol)
	if err != nil || c.f.cfg.Data == None {
		c.Fail(id, venue.NoHistory, "Historical Market Data Service error message:No head time stamp")
		return
	}
	text := strconv.FormatInt(head.Unix(), 10)
	if m.FormatDate == 1 {
		text = head.UTC().Format("20060102-15:04:05")
	}
	c.Send(wire.HeadTimestamp{ReqID: m.ReqID, Timestamp: text})
}

// tickAsk is a checked request for ticks of the past. Of start and end one is
// the zero time.
type tickAsk struct {
	symbol     market.Symbol
	start, end time.Time
	newest     time.Time // nobody sees what comes at it or after it
	limit      int
	of         string
	regular    bool
	ignoreSize bool
}

func (c *client) reqHistoricalTicks(m wire.ReqHistoricalTicks) {
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	a, err := c.f.newTickAsk(m)
	if err != nil {
		c.invalid(m.ReqID, "bZ", "%v", err)
		return
	}
	a.symbol = b.symbol
	if c.f.cfg.Data == None && !c.permitted(m.ReqID, venue.NoPastTicks, "Failed to request historical ticks", b) {
		return
	}
	past, id := c.f.past, int64(m.ReqID)
	if !c.v.Defer(c.Peer, func() func() {
		answer, err := a.answer(past, m.ReqID)
		return func() {
			if err != nil {
				c.Fail(id, venue.NoPastTicks, "Failed to request historical ticks:%v", err)
				return
			}
			c.Send(answer)
		}
	}) {
		c.Fail(id, venue.NoHistory, pacingText)
	}
}

func (f *Feed) newTickAsk(m wire.ReqHistoricalTicks) (a tickAsk, err error) {
	a = tickAsk{limit: m.Ticks, of: m.WhatToShow, regular: m.RegularOnly, ignoreSize: m.IgnoreSize}
	if a.newest, err = f.end(""); err != nil {
		return a, err
	}
	switch {
	case m.Ticks < 1 || m.Ticks > maxPast:
		return a, refuse("number of ticks %d is not 1 to %d", m.Ticks, maxPast)
	case m.WhatToShow != ofTrades && m.WhatToShow != ofQuotes && m.WhatToShow != ofMidpoints:
		return a, refuse("Incorrect what to show %.20q: historical ticks have TRADES, MIDPOINT and BID_ASK", m.WhatToShow)
	case (m.Start == "") == (m.End == ""):
		return a, refuse("one of start and end is to be empty, and the other is not")
	case m.Start != "":
		if a.start, err = wire.ParseTime(m.Start, f.v.Zone); err != nil {
			return a, err
		}
		if a.start.Before(firstTick) {
			a.start = firstTick
		}
	default:
		if a.end, err = f.end(m.End); err != nil {
			return a, err
		}
	}
	return a, nil
}

// answer looks up the ticks. Ticks of quotes of which only a size changed are
// left out where that is asked for, and mid-points that did not change always:
// then fewer come than were asked for.
func (a *tickAsk) answer(past tape.Past, req int) (wire.Message, error) {
	list, err := a.events(past)
	if err != nil {
		return nil, err
	}
	switch a.of {
	case ofTrades:
		out := wire.HistoricalTicksLast{ReqID: req, Done: true}
		for i := range list {
			ev := &list[i]
			out.Ticks = append(out.Ticks, wire.HistoricalTickLast{
				Time: ev.At.Unix(), Unreported: ev.Suspicious, Price: ev.Price, Size: ev.Size, Exchange: exchangeName(ev.Exchange),
			})
		}
		return out, nil
	case ofQuotes:
		out := wire.HistoricalTicksBidAsk{ReqID: req, Done: true}
		for i := range list {
			ev := &list[i]
			if a.ignoreSize && i > 0 && samePrices(&list[i-1], ev) {
				continue
			}
			out.Ticks = append(out.Ticks, wire.HistoricalTickBidAsk{
				Time: ev.At.Unix(), Bid: priceOf(ev.Bid), Ask: priceOf(ev.Ask), BidSize: ev.Bid.Size, AskSize: ev.Ask.Size,
			})
		}
		return out, nil
	}
	out := wire.HistoricalTicks{ReqID: req, Done: true}
	for i := range list {
		mid, ok := midpoint(list[i].Bid, list[i].Ask)
		if n := len(out.Ticks); ok && (n == 0 || out.Ticks[n-1].Price != mid) {
			out.Ticks = append(out.Ticks, wire.HistoricalTick{Time: list[i].At.Unix(), Price: mid})
		}
	}
	return out, nil
}

// events looks up what the ticks are made of: the oldest from start on, or the
// newest before end, and the whole second at the far edge.
func (a *tickAsk) events(past tape.Past) ([]tape.Event, error) {
	q := tape.TicksQuery{Symbol: a.symbol, Kind: tape.Quote, From: a.start, End: a.newest, Limit: a.limit, RegularOnly: a.regular}
	if a.of == ofTrades {
		q.Kind = tape.Trade
	}
	if a.start.IsZero() {
		q.End = a.end
	} else if !a.start.Before(q.End) {
		return nil, nil
	}
	list, err := past.Ticks(q)
	if err != nil || len(list) < a.limit {
		return list, err
	}
	edge := list[len(list)-1].At
	if a.start.IsZero() {
		edge = list[0].At
	}
	second := edge.Truncate(time.Second)
	more := q
	more.From, more.End, more.Limit = second, second.Add(time.Second), tape.MaxTicks
	if more.From.Before(q.From) {
		more.From = q.From
	}
	if more.End.After(q.End) {
		more.End = q.End
	}
	whole, err := past.Ticks(more)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(ev tape.Event) bool { return ev.At.Truncate(time.Second).Equal(second) })
	if a.start.IsZero() {
		return append(whole, list...), nil
	}
	return append(list, whole...), nil
}

// priceOf is a side of a quote; one that is not there is -1.
func priceOf(l tape.Level) market.Price {
	if !l.Known {
		return noQuote
	}
	return l.Price
}

func samePrices(a, b *tape.Event) bool {
	return priceOf(a.Bid) == priceOf(b.Bid) && priceOf(a.Ask) == priceOf(b.Ask)
}

func midpoint(bid, ask tape.Level) (p market.Price, ok bool) {
	return bid.Price.Add(ask.Price).Half(), bid.Known && ask.Known
}

// tickStream is a subscription to each single tick.
type tickStream struct {
	client     *client
	book       *book
	req        int
	kind       wire.TickByTickKind
	ignoreSize bool

	bid, ask tape.Level    // told last
	mid      *market.Price // told last
}

// tickKinds are what ticks of the past are of, for the kinds of streams.
var tickKinds = map[wire.TickByTickKind]string{
	wire.TBTLast: ofTrades, wire.TBTAllLast: ofTrades, wire.TBTBidAsk: ofQuotes, wire.TBTMidPoint: ofMidpoints,
}

func (c *client) reqTickByTick(m wire.ReqTickByTick) {
	id := int64(m.ReqID)
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	kind, ok := wire.TickByTickKindOf(m.Kind)
	switch {
	case !ok:
		c.invalid(m.ReqID, "ca", "tick type %.20q is not Last, AllLast, BidAsk or MidPoint", m.Kind)
		return
	case m.Ticks < 0 || m.Ticks > maxPast:
		c.invalid(m.ReqID, "ca", "number of ticks %d is not 0 to %d", m.Ticks, maxPast)
		return
	case c.ticks[m.ReqID] != nil:
		c.Fail(id, venue.DuplicateTicker, "Duplicate ticker id")
		return
	case len(c.ticks) >= c.f.cfg.tickStreams():
		c.Fail(id, venue.MaxTickStreams, "Max number of tick-by-tick requests has been reached")
		return
	case !c.permitted(m.ReqID, venue.NoTickStream, "Failed to request tick-by-tick data", b):
		return
	}
	s := &tickStream{client: c, book: b, req: m.ReqID, kind: kind, ignoreSize: m.IgnoreSize}
	if m.Ticks > 0 {
		// Few and new, so they are looked up at once: the stream goes on where
		// they end.
		a := tickAsk{symbol: b.symbol, end: c.v.At.Add(1), limit: m.Ticks, of: tickKinds[kind], ignoreSize: m.IgnoreSize}
		if answer, err := a.answer(c.f.past, m.ReqID); err == nil {
			c.Send(answer)
		}
	}
	s.bid, s.ask = b.bid, b.ask
	if mid, ok := midpoint(b.bid, b.ask); ok {
		s.mid = &mid
	}
	c.ticks[m.ReqID] = s
	b.ticks = append(b.ticks, s)
}

func (c *client) cancelTickByTick(m wire.CancelTickByTick) {
	s := c.ticks[m.ReqID]
	if s == nil {
		c.Fail(int64(m.ReqID), venue.NoTicker, "Can't find EId with tickerId:%d", m.ReqID)
		return
	}
	s.end()
}

func (s *tickStream) end() {
	delete(s.client.ticks, s.req)
	s.book.ticks = without(s.book.ticks, s)
}

// trade tells a trade. One that is suspicious is unreported, and told to who
// asks for all of them only.
func (s *tickStream) trade(ev *tape.Event) {
	if s.kind != wire.TBTAllLast && (s.kind != wire.TBTLast || ev.Suspicious) {
		return
	}
	out := &s.client.f.out.tick
	*out = wire.TickByTick{
		ReqID: s.req, Kind: s.kind, Time: ev.At.Unix(), Price: ev.Price, Size: ev.Size,
		Unreported: ev.Suspicious, Exchange: exchangeName(ev.Exchange),
	}
	s.client.Send(out)
}

func (s *tickStream) quote(ev *tape.Event) {
	out := &s.client.f.out.tick
	switch s.kind {
	case wire.TBTBidAsk:
		same := priceOf(s.bid) == priceOf(ev.Bid) && priceOf(s.ask) == priceOf(ev.Ask)
		s.bid, s.ask = ev.Bid, ev.Ask
		if s.ignoreSize && same {
			return
		}
		*out = wire.TickByTick{
			ReqID: s.req, Kind: s.kind, Time: ev.At.Unix(),
			Bid: priceOf(ev.Bid), Ask: priceOf(ev.Ask), BidSize: ev.Bid.Size, AskSize: ev.Ask.Size,
		}
	case wire.TBTMidPoint:
		mid, ok := midpoint(ev.Bid, ev.Ask)
		if !ok || !changed(&s.mid, &mid) {
			return
		}
		*out = wire.TickByTick{ReqID: s.req, Kind: s.kind, Time: ev.At.Unix(), Price: mid}
	default:
		return
	}
	s.client.Send(out)
}
