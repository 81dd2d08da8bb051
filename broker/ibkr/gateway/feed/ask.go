package feed

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

const day = 24 * time.Hour

// barSizes are the venue's names of bar widths, section 4.3.
var barSizes = map[string]time.Duration{
	"1 secs": time.Second, "1 sec": time.Second, "5 secs": 5 * time.Second, "10 secs": 10 * time.Second,
	"15 secs": 15 * time.Second, "30 secs": 30 * time.Second,
	"1 min": time.Minute, "2 mins": 2 * time.Minute, "3 mins": 3 * time.Minute, "5 mins": 5 * time.Minute,
	"10 mins": 10 * time.Minute, "15 mins": 15 * time.Minute, "20 mins": 20 * time.Minute, "30 mins": 30 * time.Minute,
	"1 hour": time.Hour, "2 hours": 2 * time.Hour, "3 hours": 3 * time.Hour, "4 hours": 4 * time.Hour, "8 hours": 8 * time.Hour,
	"1 day": day, "1W": tape.Week, "1 week": tape.Week, "1M": tape.Month, "1 month": tape.Month,
}

const legalBarSizes = "1 secs, 5 secs, 10 secs, 15 secs, 30 secs, 1 min, 2 mins, 3 mins, 5 mins, 10 mins, 15 mins, 20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, 1W, 1M"

// smallBar is the widest bar that is paced, section 9.
const smallBar = 30 * time.Second

// shows are the things that bars can be of. ADJUSTED_LAST are the trades: no
// split or dividend is played.
var shows = map[string]tape.Show{
	"TRADES": tape.ShowTrades, "ADJUSTED_LAST": tape.ShowTrades, "MIDPOINT": tape.ShowMidpoint,
	"BID": tape.ShowBid, "ASK": tape.ShowAsk, "BID_ASK": tape.ShowBidAsk,
}

const (
	adjustedLast = "ADJUSTED_LAST"
	schedule     = "SCHEDULE"
)

// refusal is why a request is refused, in the words that the client is told.
type refusal string

func (r refusal) Error() string { return string(r) }

// refuse writes a refusal. What it repeats of a client's text may be anything;
// what no wire carries becomes a question mark.
func refuse(format string, args ...any) error {
	return refusal(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, fmt.Sprintf(format, args...)))
}

// span is how far a request looks back.
type span struct {
	n    int
	unit byte // S, D, W, M or Y
}

// The units of a span, their names for an error, and the longest that one may
// be asked for.
var spanLimits = map[byte]int{'S': 86_400 * 31, 'D': 365, 'W': 52 * 10, 'M': 12 * 20, 'Y': 20}

// parseSpan reads a duration such as "2 D". The texts are the venue's, from
// general knowledge.
func parseSpan(text string) (s span, err error) {
	count, unit, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || len(unit) != 1 || spanLimits[unit[0]] == 0 {
		return s, refuse("Invalid duration %.20q: integer{SPACE}unit (S|D|W|M|Y)", text)
	}
	s = span{n, unit[0]}
	if s.n > spanLimits[s.unit] {
		if s.unit == 'D' {
			return s, refuse("Historical data request for durations longer than 365 days must be made in years.")
		}
		return s, refuse("Historical data request for more than %d %c is not supported", spanLimits[s.unit], s.unit)
	}
	return s, nil
}

// from returns where a span begins that ends at end. Seconds and weeks are the
// clock's, months and years the calendar's. Days are trading days, and the one
// that end is in counts when it has begun; in a market that never closes, and
// where too few sessions are known, a day is 24 hours of the clock.
func (s span) from(past tape.Past, symbol market.Symbol, end time.Time, zone *time.Location) time.Time {
	switch s.unit {
	case 'S':
		return end.Add(-time.Duration(s.n) * time.Second)
	case 'W':
		return end.AddDate(0, 0, -7*s.n)
	case 'M':
		return end.In(zone).AddDate(0, -s.n, 0)
	case 'Y':
		return end.In(zone).AddDate(-s.n, 0, 0)
	}
	clock := end.Add(-time.Duration(s.n) * day)
	list, err := past.Sessions(symbol, end.AddDate(0, 0, -2*s.n-10), end)
	if err != nil {
		return clock
	}
	for len(list) > 0 && !list[len(list)-1].Extended.Open.Before(end) {
		list = list[:len(list)-1]
	}
	if len(list) < s.n {
		return clock
	}
	for i := 1; i < len(list); i++ {
		if list[i].Extended.Open.After(list[i-1].Extended.Close) {
			return list[len(list)-s.n].Date // it does close
		}
	}
	if len(list) == 1 {
		return list[0].Date
	}
	return clock
}

// ask is a checked request for bars.
type ask struct {
	symbol   market.Symbol
	end      time.Time
	span     span
	width    time.Duration
	show     tape.Show
	schedule bool // the sessions, and no bars
	regular  bool
	format   int
	keep     bool
}

// ofTrades reports whether the bars have volumes.
func (a *ask) ofTrades() bool { return a.show == tape.ShowTrades }

// newAsk checks a request for bars of a listed symbol. The texts are the
// venue's where they are known, from general knowledge.
func (f *Feed) newAsk(m wire.ReqHistoricalData) (a ask, err error) {
	bad := func(format string, args ...any) (ask, error) { return a, refuse(format, args...) }
	var ok bool
	if a.width, ok = barSizes[m.BarSize]; !ok {
		return bad("Historical data bar size setting is invalid. Legal ones are: %s", legalBarSizes)
	}
	if a.span, err = parseSpan(m.Duration); err != nil {
		return a, err
	}
	a.show, ok = shows[m.WhatToShow]
	if a.schedule = m.WhatToShow == schedule; !ok && !a.schedule {
		return bad("Incorrect what to show %.20q: this contract has TRADES, MIDPOINT, BID, ASK, BID_ASK, ADJUSTED_LAST and SCHEDULE", m.WhatToShow)
	}
	if a.schedule && a.width != day {
		return bad("Only bar size \"1 day\" is supported for SCHEDULE")
	}
	if m.FormatDate != 1 && m.FormatDate != 2 {
		return bad("Incorrect date format %d, it is 1 or 2", m.FormatDate)
	}
	a.format, a.regular, a.keep = m.FormatDate, m.RegularOnly, m.KeepUpToDate
	if err := a.checkKeep(m); err != nil {
		return a, err
	}
	a.end, err = f.end(m.EndDateTime)
	if err == nil && a.keep {
		// What happened at this very instant is in the answer, and what
		// happens after it in the updates.
		a.end = f.v.At.Add(1)
	}
	return a, err
}

func (a *ask) checkKeep(m wire.ReqHistoricalData) error {
	switch {
	case m.WhatToShow == adjustedLast && m.EndDateTime != "":
		return refuse("End date not supported with adjusted last")
	case !a.keep:
	case m.EndDateTime != "":
		return refuse("End date not supported with keepUpToDate")
	case a.schedule || a.show == tape.ShowBidAsk:
		return refuse("keepUpToDate is not supported for %s", m.WhatToShow)
	case a.width < 5*time.Second:
		return refuse("keepUpToDate is not supported for bars of less than 5 secs")
	}
	return nil
}

// end reads the end of a request: nobody can see the market's future, and
// delayed data not its last minutes.
func (f *Feed) end(text string) (time.Time, error) {
	newest := f.v.At
	if f.cfg.Data == Delayed {
		newest = newest.Add(-f.cfg.Delay)
	}
	if text == "" {
		return newest, nil
	}
	end, err := wire.ParseTime(text, f.v.Zone)
	if err != nil {
		return end, refuse("Historical data query end date/time string [%.40s] is invalid.  Format is 'YYYYMMDD{SPACE}hh:mm:ss[{SPACE}TMZ]'.", text)
	}
	if end.After(newest) {
		end = newest
	}
	return end, nil
}

// begin returns when the bar began that at is in, and when it ends. Bars are
// counted from midnight of the zone, weeks from Monday.
func begin(at time.Time, width time.Duration, zone *time.Location) (start, end time.Time) {
	y, m, d := at.In(zone).Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone) }
	today, tomorrow := date(y, m, d), date(y, m, d+1)
	switch width {
	case day:
		return today, tomorrow
	case tape.Week:
		back := (int(today.Weekday()) + 6) % 7
		return date(y, m, d-back), date(y, m, d-back+7)
	case tape.Month:
		return date(y, m, 1), date(y, m+1, 1)
	}
	start = today.Add(at.Sub(today) / width * width)
	end = start.Add(width)
	if end.After(tomorrow) {
		end = tomorrow
	}
	return start, end
}
