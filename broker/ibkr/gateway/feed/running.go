package feed

import (
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// barStep is the width of real-time bars, and how often history that is kept
// up to date is told anew.
const barStep = 5 * time.Second

// maxEmpty is how many bars without a trade are told in a row when market time
// jumps; a longer silence is left out.
const maxEmpty = 12

// running is a subscription to real-time bars. The first one is the first that
// it sees whole. One of trades in which nothing was traded repeats the last
// price, with volume 0, while the symbol is in session.
type running struct {
	accum
	client  *client
	req     int
	started bool
}

func (c *client) reqRealTimeBars(m wire.ReqRealTimeBars) {
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	show, ok := shows[m.WhatToShow]
	switch {
	case !ok || show == tape.ShowBidAsk || m.WhatToShow == adjustedLast:
		c.invalid(m.ReqID, "bO", "Incorrect what to show %.20q: real-time bars have TRADES, MIDPOINT, BID and ASK", m.WhatToShow)
		return
	case c.bars[m.ReqID] != nil:
		c.Fail(int64(m.ReqID), venue.DuplicateTicker, "Duplicate ticker id")
		return
	case len(c.bars) >= c.f.cfg.Lines:
		c.Fail(int64(m.ReqID), venue.MaxLines, "Max number of tickers has been reached")
		return
	case !c.permitted(m.ReqID, venue.BadRealTime, "Invalid Real-time Query", b):
		return
	}
	r := &running{accum: newAccum(b, show, m.RegularOnly), client: c, req: m.ReqID}
	c.bars[m.ReqID] = r
	b.bars = append(b.bars, r)
	c.f.timeBars(b)
}

func (c *client) cancelRealTimeBars(m wire.CancelRealTimeBars) {
	r := c.bars[m.ReqID]
	if r == nil {
		c.Fail(int64(m.ReqID), venue.NoTicker, "Can't find EId with tickerId:%d", m.ReqID)
		return
	}
	r.end()
}

func (r *running) end() {
	delete(r.client.bars, r.req)
	r.book.bars = without(r.book.bars, r)
	r.client.f.untimeBars(r.book)
}

// timeBars sees to it that a book's bars end.
func (f *Feed) timeBars(b *book) {
	if len(f.timed) == 0 {
		f.next = f.v.At.Truncate(barStep).Add(barStep)
	}
	if !slices.Contains(f.timed, b) {
		f.timed = append(f.timed, b)
	}
}

func (f *Feed) untimeBars(b *book) {
	if len(b.bars) == 0 && len(b.keeps) == 0 {
		f.timed = without(f.timed, b)
	}
}

// endBars ends the bars that are over at a market time.
func (f *Feed) endBars(at time.Time) {
	first, newest := f.next, at.Truncate(barStep)
	for _, b := range f.timed {
		for _, r := range b.bars {
			r.beat(first, newest)
		}
		for _, h := range b.keeps {
			h.beat(newest)
		}
	}
	f.next = newest.Add(barStep)
}

// beat ends the bar at first, and those after it until newest.
func (r *running) beat(first, newest time.Time) {
	if r.started {
		r.tell()
		if newest.Sub(first) <= maxEmpty*barStep {
			for at := first; at.Before(newest); at = at.Add(barStep) {
				r.begin(at)
				r.tell()
			}
		}
	}
	r.started = true
	r.begin(newest)
}

func (r *running) tell() {
	if r.client.f.competing {
		return
	}
	bar, trades := &r.bar, -1
	out := wire.RealTimeBar{ReqID: r.req, Time: bar.Start.Unix()}
	if bar.Trades == 0 {
		if r.show != tape.ShowTrades || !r.has || !r.book.open(bar.Start, r.regular) {
			return
		}
		bar.Open, bar.High, bar.Low, bar.Close = r.last, r.last, r.last, r.last
	}
	if r.show == tape.ShowTrades {
		average := r.sums.average(bar.Close)
		out.Volume, out.WAP, trades = &bar.Volume, &average, bar.Trades
	}
	out.Open, out.High, out.Low, out.Close, out.Trades = bar.Open, bar.High, bar.Low, bar.Close, trades
	r.client.Send(out)
}

func (r *running) quote(ev *tape.Event) { r.accum.quote(ev) }

func (r *running) trade(ev *tape.Event) { r.accum.trade(ev) }
