package feed

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// history is a request for bars that is not answered yet, or is kept up to
// date.
type history struct {
	client *client
	book   *book
	req    int
	ask    ask
	gone   atomic.Bool // nobody waits for the answer

	// With keepUpToDate: the bar that runs, of what happened after the end of
	// the question.
	accum
	until    time.Time // when the bar ends
	answered bool
	changed  bool         // since it was told
	whole    []market.Bar // that ended before the answer came
}

// maxWhole bounds the bars that may end before an answer is there: market time
// can run much faster than the clock. The oldest are let go.
const maxWhole = 1000

func (c *client) reqHistoricalData(m wire.ReqHistoricalData) {
	id := int64(m.ReqID)
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	if c.histories[m.ReqID] != nil {
		c.Fail(id, venue.Processing, "Error processing request.-'bQ' : cause - Duplicate ticker ID for API historical data query")
		return
	}
	a, err := c.f.newAsk(m)
	if err != nil {
		c.invalid(m.ReqID, "bQ", "%v", err)
		return
	}
	d := b.details.Contract
	if c.f.cfg.Data == None {
		c.Fail(id, venue.NoHistory, "Historical Market Data Service error message:No market data permissions for %s %s", d.PrimaryExchange, d.SecType)
		return
	}
	if a.keep && !c.permitted(m.ReqID, venue.BadRealTime, "Invalid Real-time Query", b) { // from general knowledge
		return
	}
	if len(c.histories) >= maxHistories {
		c.Fail(id, venue.NoHistory, pacingText)
		return
	}
	a.symbol = b.symbol
	if !c.paced(m, a) {
		c.Fail(id, venue.NoHistory, pacingText)
		return
	}
	h := &history{client: c, book: b, req: m.ReqID, ask: a}
	c.histories[m.ReqID] = h
	if a.keep {
		h.follow()
	}
	answer := h.answer(c.f.past, c.f.v, c.Version())
	if !c.v.Defer(c.Peer, answer) {
		h.end()
		c.Fail(id, venue.NoHistory, pacingText)
	}
}

// paced reports whether a question comes slowly enough.
func (c *client) paced(m wire.ReqHistoricalData, a ask) bool {
	if !c.f.cfg.HistoryPacing || c.f.cfg.LockStep || a.width > smallBar || a.schedule {
		return true
	}
	q := question{at: time.Now(), weight: 1, kind: string(a.symbol) + " " + m.WhatToShow}
	if a.show == tape.ShowBidAsk {
		q.weight = 2
	}
	q.whole = fmt.Sprint(a.symbol, m.EndDateTime, m.BarSize, m.Duration, m.RegularOnly, m.WhatToShow, m.FormatDate, m.KeepUpToDate)
	return c.f.pacing.allow(q)
}

// answer is the work that answers the question: until done it touches nothing
// but what it was given, what never changes, and gone.
func (h *history) answer(past tape.Past, v *venue.Venue, version wire.Version) func() (done func()) {
	a, zone := h.ask, v.Zone
	return func() func() {
		from := a.span.from(past, a.symbol, a.end, zone)
		if a.schedule {
			list, err := past.Sessions(a.symbol, from, a.end)
			answer := scheduleOf(h.req, a, list, zone)
			return func() { h.tell(err, len(answer.Sessions) > 0, answer) }
		}
		bars, err := h.lookUp(past, from, zone)
		answer := wire.HistoricalData{ReqID: h.req, Start: v.TimeText(from), End: v.TimeText(a.end), Bars: make([]wire.Bar, len(bars))}
		clip := newClip(past, &a, from, zone)
		for i := range bars {
			answer.Bars[i] = clip.wireBar(&bars[i])
		}
		list := []wire.Message{packed(answer, version)}
		if version >= historyEndVersion {
			list = append(list, wire.HistoricalDataEnd{ReqID: h.req, Start: answer.Start, End: answer.End})
		}
		return func() {
			if h.tell(err, len(bars) > 0, list...) {
				h.keepUp(bars)
			}
		}
	}
}

// lookAhead is how much of the past is looked up before it is asked whether
// anybody still waits for it.
const lookAhead = 62 * day

// lookUp returns the bars of a question, or as many as there are when nobody
// waits for it any more. The bound holds for any source.
func (h *history) lookUp(past tape.Past, from time.Time, zone *time.Location) ([]market.Bar, error) {
	a := &h.ask
	if n := a.end.Sub(from) / a.width; n > tape.MaxBars {
		return nil, fmt.Errorf("%w: %d bars, at most %d", tape.ErrBadSpan, n, tape.MaxBars)
	}
	var all []market.Bar
	for !h.gone.Load() {
		q := tape.BarsQuery{Symbol: a.symbol, From: from, End: a.end, Width: a.width, Show: a.show, RegularOnly: a.regular}
		if from.Add(lookAhead).Before(a.end) { // up to where a bar begins
			q.End, _ = begin(from.Add(lookAhead), max(a.width, day), zone)
		}
		bars, err := past.Bars(q)
		if err != nil {
			return nil, err
		}
		if all = append(all, bars...); !q.End.Before(a.end) {
			break
		}
		from = q.End
	}
	return all, nil
}

// tell sends an answer, or why there is none, unless the question was
// cancelled meanwhile.
func (h *history) tell(err error, any bool, answer ...wire.Message) bool {
	c, id := h.client, int64(h.req)
	if c.histories[h.req] != h {
		return false
	}
	switch {
	case errors.Is(err, tape.ErrBadSpan):
		h.end()
		c.Fail(id, venue.NoHistory, "Historical Market Data Service error message:Time length exceed max. (%v)", err)
		return false
	case err != nil || !any && !h.ask.keep:
		h.end()
		c.Fail(id, venue.NoHistory, "Historical Market Data Service error message:HMDS query returned no data: %s@SMART %s", h.ask.symbol, showNames[h.ask.show])
		return false
	}
	for _, m := range answer {
		c.Send(m)
	}
	if !h.ask.keep {
		h.end()
	}
	return true
}

// scheduleOf writes sessions as the venue does, message 106.
func scheduleOf(req int, a ask, list []calendar.Session, zone *time.Location) wire.HistoricalSchedule {
	const layout = "20060102-15:04:05"
	out := wire.HistoricalSchedule{ReqID: req, TimeZone: venue.ZoneText}
	for _, s := range list {
		span := s.Extended
		if a.regular {
			span = s.Regular
		}
		out.Sessions = append(out.Sessions, wire.ScheduleSession{
			Start: span.Open.In(zone).Format(layout), End: span.Close.In(zone).Format(layout), RefDate: s.Date.In(zone).Format("20060102"),
		})
	}
	if n := len(out.Sessions); n > 0 {
		out.Start, out.End = out.Sessions[0].Start, out.Sessions[n-1].End
	}
	return out
}

// showNames are how the service calls what bars are of.
var showNames = map[tape.Show]string{
	tape.ShowTrades: "Trades", tape.ShowBid: "Bid", tape.ShowAsk: "Ask", tape.ShowMidpoint: "Midpoint", tape.ShowBidAsk: "Bid_Ask",
}

// end forgets the question.
func (h *history) end() {
	h.gone.Store(true)
	delete(h.client.histories, h.req)
	if h.ask.keep {
		h.book.keeps = without(h.book.keeps, h)
		h.client.f.untimeBars(h.book)
	}
}

func (c *client) cancelHistoricalData(m wire.CancelHistoricalData) {
	h := c.histories[m.ReqID]
	if h == nil {
		c.Fail(int64(m.ReqID), venue.NoQuery, "No historical data query found for ticker id:%d", m.ReqID)
		return
	}
	h.end()
	c.Fail(int64(m.ReqID), venue.NoHistory, "Historical Market Data Service error message:API historical data query cancelled: %d", m.ReqID)
}

// historyEndVersion is where start and end leave the answer and become a
// message of their own (section 2).
const historyEndVersion = 196

// packedFrom is the number of bars from which an answer is encoded off the
// mutex.
const packedFrom = 1000

// packed returns a message that is encoded already when it is a long one. One
// that cannot be encoded stays as it is: who sends it tells so.
func packed(m wire.HistoricalData, version wire.Version) wire.Message {
	if len(m.Bars) < packedFrom {
		return m
	}
	payload, err := m.Append(nil, version)
	if err != nil {
		return m
	}
	return encoded{m.ID(), payload}
}

// encoded is a message's payload.
type encoded struct {
	id      int
	payload []byte
}

// ID implements [wire.Message].
func (m encoded) ID() int { return m.id }

// Append implements [wire.Message]. The version was known before.
func (m encoded) Append(dst []byte, _ wire.Version) ([]byte, error) {
	return append(dst, m.payload...), nil
}

// clip writes bars as the venue does: the first one of a regular session, when
// it is wider than what is left before the open, begins at the open.
type clip struct {
	ask   *ask
	zone  *time.Location
	opens map[time.Time]time.Time // of bars that begin before it
}

func newClip(past tape.Past, a *ask, from time.Time, zone *time.Location) clip {
	c := clip{a, zone, nil}
	if !a.regular || a.width >= day || a.width <= 30*time.Minute { // sessions open on the half hour
		return c
	}
	list, err := past.Sessions(a.symbol, from.AddDate(0, 0, -1), a.end)
	if err != nil {
		return c
	}
	c.opens = make(map[time.Time]time.Time, len(list))
	for _, s := range list {
		start, _ := begin(s.Regular.Open, a.width, zone)
		c.opens[start.UTC()] = s.Regular.Open
	}
	return c
}

// wireBar writes a bar. The weighted average of one of the past is made up: the
// close.
func (c clip) wireBar(b *market.Bar) wire.Bar {
	start := b.Start
	if open, ok := c.opens[start.UTC()]; ok {
		start = open
	}
	out := wire.Bar{Open: b.Open, High: b.High, Low: b.Low, Close: b.Close, Trades: -1}
	switch {
	case c.ask.width >= day:
		out.Date = start.In(c.zone).Format("20060102")
	case c.ask.format == 2:
		out.Date = strconv.FormatInt(start.Unix(), 10)
	default:
		out.Date = start.In(c.zone).Format("20060102 15:04:05 ") + venue.ZoneText
	}
	if c.ask.ofTrades() {
		volume, average := b.Volume, b.Close
		out.Volume, out.WAP, out.Trades = &volume, &average, b.Trades
	}
	return out
}
