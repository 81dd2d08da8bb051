package feed

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

const day = 24 * time.Hour

// maxBars bounds one answer: its frame stays below 16 MiB, and the market does
// not stand still while it is made. A real gateway bounds durations by width,
// too.
const maxBars = 100_000

// barSizes are the venue's names of bar widths, section 4.3.
var barSizes = map[string]time.Duration{
	"1 secs": time.Second, "1 sec": time.Second, "5 secs": 5 * time.Second, "10 secs": 10 * time.Second,
	"15 secs": 15 * time.Second, "30 secs": 30 * time.Second,
	"1 min": time.Minute, "2 mins": 2 * time.Minute, "3 mins": 3 * time.Minute, "5 mins": 5 * time.Minute,
	"10 mins": 10 * time.Minute, "15 mins": 15 * time.Minute, "20 mins": 20 * time.Minute, "30 mins": 30 * time.Minute,
	"1 hour": time.Hour, "2 hours": 2 * time.Hour, "3 hours": 3 * time.Hour, "4 hours": 4 * time.Hour, "8 hours": 8 * time.Hour,
	"1 day": day,
}

// spanUnits are the venue's units of duration. Here a day is 24 hours of the
// clock; a real gateway counts trading days.
var spanUnits = map[string]time.Duration{
	"S": time.Second, "D": day, "W": 7 * day, "M": 30 * day, "Y": 365 * day,
}

// parseSpan reads a duration such as "2 D".
func parseSpan(text string) (time.Duration, error) {
	count, unit, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(count, 10, 32)
	width, ok := spanUnits[unit]
	if err != nil || n < 1 || !ok || n > int64(10*365*day/width) {
		return 0, fmt.Errorf("duration %.20q is not a count and one of S, D, W, M, Y, at most 10 years", text)
	}
	return time.Duration(n) * width, nil
}

// historyAsk is a checked request.
type historyAsk struct {
	symbol      market.Symbol
	end         time.Time
	span, width time.Duration
}

// historyAsk checks a request for bars of a listed symbol.
func (f *Feed) historyAsk(m wire.ReqHistoricalData) (a historyAsk, err error) {
	bad := func(format string, args ...any) (historyAsk, error) { return a, fmt.Errorf(format, args...) }
	var ok bool
	if a.width, ok = barSizes[m.BarSize]; !ok {
		return bad("bar size %.20q is not supported", m.BarSize)
	}
	if a.span, err = parseSpan(m.Duration); err != nil {
		return a, err
	}
	if n := a.span / a.width; n > maxBars {
		return bad("%s of %s are %d bars, at most %d: ask for a shorter duration", m.Duration, m.BarSize, n, maxBars)
	}
	if m.WhatToShow != "TRADES" {
		return bad("what to show %.20q: the simulated gateway has TRADES only", m.WhatToShow)
	}
	if m.KeepUpToDate {
		return bad("keepUpToDate is not built in the simulated gateway")
	}
	if m.FormatDate != 1 && m.FormatDate != 2 {
		return bad("format date %d is neither 1 nor 2", m.FormatDate)
	}
	a.end = f.v.At
	if m.EndDateTime != "" {
		end, err := wire.ParseTime(m.EndDateTime, f.v.Zone)
		if err != nil {
			return a, err
		}
		if end.Before(a.end) { // nobody can see the market's future
			a.end = end
		}
	}
	return a, nil
}

func (c *client) history(m wire.ReqHistoricalData) {
	f, id := c.f, int64(m.ReqID)
	d, ok := f.v.Find(m.Contract)
	if !ok {
		c.Fail(id, venue.NoContract, venue.NoContractText)
		return
	}
	ask, err := f.historyAsk(m)
	if err != nil {
		c.Fail(id, venue.Validation, "Error validating request.-'reqHistoricalData' : cause - %v", err)
		return
	}
	ask.symbol = d.Contract.Symbol
	bars, err := f.v.Source.History(ask.symbol, ask.end, ask.span, ask.width, m.RegularOnly)
	if errors.Is(err, tape.ErrBadSpan) {
		c.Fail(id, venue.Validation, "Error validating request.-'reqHistoricalData' : cause - %v", err)
		return
	}
	if err != nil || len(bars) == 0 {
		c.Fail(id, venue.NoHistory, "Historical Market Data Service error message:HMDS query returned no data: %s@SMART Trades", ask.symbol)
		return
	}
	answer := wire.HistoricalData{
		ReqID: m.ReqID, Start: f.v.TimeText(ask.end.Add(-ask.span)), End: f.v.TimeText(ask.end),
		Bars: make([]wire.Bar, len(bars)),
	}
	for i := range bars {
		answer.Bars[i] = f.wireBar(&bars[i], ask.width, m.FormatDate)
	}
	c.Send(answer)
	if c.Version() >= historyEndVersion {
		c.Send(wire.HistoricalDataEnd{ReqID: m.ReqID, Start: answer.Start, End: answer.End})
	}
}

// historyEndVersion is where start and end leave the answer and become a
// message of their own (section 2).
const historyEndVersion = 196

// wireBar writes a bar. Its weighted average is made up: the close.
func (f *Feed) wireBar(b *market.Bar, width time.Duration, format int) wire.Bar {
	date := ""
	switch {
	case width >= day:
		date = b.Start.In(f.v.Zone).Format("20060102")
	case format == 2:
		date = strconv.FormatInt(b.Start.Unix(), 10)
	default:
		date = f.v.TimeText(b.Start)
	}
	volume, wap := b.Volume, b.Close
	return wire.Bar{
		Date: date, Open: b.Open, High: b.High, Low: b.Low, Close: b.Close,
		Volume: &volume, WAP: &wap, Trades: b.Trades,
	}
}
