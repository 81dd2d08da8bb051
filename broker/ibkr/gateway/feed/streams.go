package feed

import (
	"slices"
	"strconv"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// MaxLines bounds a session's market-data subscriptions, the venue's default.
const MaxLines = 100

// Made up, and the same for every stock: which exchanges quote it, and that
// paid snapshots are to be had.
const (
	bboExchange         = "9c0001"
	snapshotPermissions = 3
)

// book is what subscribers of a symbol were told last, and who they are.
type book struct {
	bid, ask  tape.Level
	high, low *market.Price
	subs      []subscription // in the order in which they came
}

type subscription struct {
	client *client
	req    int
}

// drop ends the subscriptions that match.
func (b *book) drop(match func(subscription) bool) { b.subs = slices.DeleteFunc(b.subs, match) }

func (c *client) reqMktData(m wire.ReqMktData) {
	d, ok := c.v.Find(m.Contract)
	if !ok {
		c.Fail(int64(m.ReqID), venue.NoContract, venue.NoContractText)
		return
	}
	if _, taken := c.lines[m.ReqID]; taken {
		c.Fail(int64(m.ReqID), venue.DuplicateTicker, "Duplicate ticker id")
		return
	}
	if len(c.lines) >= MaxLines {
		c.Fail(int64(m.ReqID), venue.MaxLines, "Max number of tickers has been reached")
		return
	}
	symbol := d.Contract.Symbol
	tick := d.MinTick
	c.Send(wire.TickReqParams{ReqID: m.ReqID, MinTick: &tick, BBOExchange: bboExchange, SnapshotPermissions: snapshotPermissions})
	c.Send(wire.MarketDataType{ReqID: m.ReqID, Kind: wire.MarketDataLive})
	c.tellMarket(m.ReqID, symbol)
	if m.Snapshot || m.Regulatory {
		c.Send(wire.TickSnapshotEnd{ReqID: m.ReqID})
		return
	}
	c.lines[m.ReqID] = symbol
	b := c.f.books[symbol]
	b.subs = append(b.subs, subscription{c, m.ReqID})
}

// tellMarket sends all that is known about a symbol's market.
func (c *client) tellMarket(req int, symbol market.Symbol) {
	m, ok := c.v.X.Market(symbol)
	if !ok {
		return
	}
	q := m.Quote
	c.tellSide(req, wire.TickBid, q.Bid, q.BidSize)
	c.tellSide(req, wire.TickAsk, q.Ask, q.AskSize)
	if q.Last != nil {
		c.tellLastTime(req, q.LastAt)
		c.tellSide(req, wire.TickLast, q.Last, q.LastSize)
	}
	c.tellVolume(req, m)
	c.tellSide(req, wire.TickHigh, m.DayHigh, nil)
	c.tellSide(req, wire.TickLow, m.DayLow, nil)
	c.tellSide(req, wire.TickClose, m.PrevClose, nil)
	c.tellSide(req, wire.TickOpen, m.DayOpen, nil)
}

// tellSide sends a price where there is one.
func (c *client) tellSide(req int, kind wire.TickType, p *market.Price, size *market.Qty) {
	if p == nil {
		return
	}
	m := wire.TickPrice{ReqID: req, Type: kind, Price: *p}
	if size != nil {
		m.Size = *size
	}
	c.Send(m)
}

func (c *client) tellLastTime(req int, at time.Time) {
	c.Send(wire.TickString{ReqID: req, Type: wire.TickLastTime, Text: strconv.AppendInt(nil, at.Unix(), 10)})
}

func (c *client) tellVolume(req int, m exchange.Market) {
	if m.Quote.Volume != nil {
		c.Send(wire.TickSize{ReqID: req, Type: wire.TickVolume, Size: *m.Quote.Volume})
	}
}

func (c *client) cancelMktData(m wire.CancelMktData) {
	symbol, ok := c.lines[m.ReqID]
	if !ok {
		c.Fail(int64(m.ReqID), venue.NoTicker, "Can't find EId with tickerId:%d", m.ReqID)
		return
	}
	delete(c.lines, m.ReqID)
	b := c.f.books[symbol]
	b.drop(func(sub subscription) bool { return sub == subscription{c, m.ReqID} })
}

func (f *Feed) publish(b *book, ev tape.Event) {
	if ev.Kind == tape.Quote {
		b.publishQuote(ev)
		return
	}
	m, ok := f.v.X.Market(ev.Symbol)
	if !ok {
		return
	}
	high, low := changed(&b.high, m.DayHigh), changed(&b.low, m.DayLow)
	for _, sub := range b.subs {
		if !ev.Suspicious {
			sub.client.tellLastTime(sub.req, ev.At)
			sub.client.Send(wire.TickPrice{ReqID: sub.req, Type: wire.TickLast, Price: ev.Price, Size: ev.Size})
		}
		sub.client.tellVolume(sub.req, m)
		if high {
			sub.client.tellSide(sub.req, wire.TickHigh, m.DayHigh, nil)
		}
		if low {
			sub.client.tellSide(sub.req, wire.TickLow, m.DayLow, nil)
		}
	}
}

// publishQuote tells the sides that changed; a quote that repeats itself is
// told whole, because the market said so again.
func (b *book) publishQuote(ev tape.Event) {
	bid, ask := ev.Bid != b.bid, ev.Ask != b.ask
	if !bid && !ask {
		bid, ask = true, true
	}
	b.bid, b.ask = ev.Bid, ev.Ask
	for _, sub := range b.subs {
		if bid {
			sub.client.Send(sidePrice(sub.req, wire.TickBid, ev.Bid))
		}
		if ask {
			sub.client.Send(sidePrice(sub.req, wire.TickAsk, ev.Ask))
		}
	}
}

var noQuote = market.MustPrice("-1")

// sidePrice is a side of a quote; one that is not there is a price of -1 with
// size 0.
func sidePrice(req int, kind wire.TickType, l tape.Level) wire.TickPrice {
	if !l.Known {
		return wire.TickPrice{ReqID: req, Type: kind, Price: noQuote}
	}
	return wire.TickPrice{ReqID: req, Type: kind, Price: l.Price, Size: l.Size, Attrs: wire.TickCanAutoExecute}
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
