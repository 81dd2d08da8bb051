package market

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrBadHours means that a text is not a venue's list of trading hours.
var ErrBadHours = errors.New("not trading hours")

// Span is one stretch of trading, [Open, Close).
type Span struct {
	Open  time.Time `json:"open"`
	Close time.Time `json:"close"`
}

// Hours lists the stretches in which a contract trades, in order. An empty
// list means that the venue told none: unknown, not closed.
type Hours []Span

// maxSpans bounds what ParseHours accepts; gateways send about ten days.
const maxSpans = 400

// ParseHours reads IBKR's trading hours, such as
// "20090507:0700-1830;20090508:CLOSED" and, as sent since 2018,
// "20260402:0930-20260402:1600;20260403:CLOSED", in the zone given.
func ParseHours(s string, zone *time.Location) (Hours, error) {
	var hours Hours
	for day := range strings.SplitSeq(s, ";") {
		day = strings.TrimSpace(day)
		if day == "" || strings.HasSuffix(day, ":CLOSED") {
			continue
		}
		date, _, _ := strings.Cut(day, ":")
		for part := range strings.SplitSeq(day[min(len(date)+1, len(day)):], ",") {
			from, to, ok := strings.Cut(part, "-")
			if !ok {
				return nil, fmt.Errorf("market: hours %.60q: %w", day, ErrBadHours)
			}
			open, err1 := parseHour(date, from, zone)
			end, err2 := parseHour(date, to, zone)
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("market: hours %.60q: %w", day, ErrBadHours)
			}
			if !end.After(open) {
				if strings.Contains(part, ":") {
					return nil, fmt.Errorf("market: hours %.60q: ends before it begins: %w", day, ErrBadHours)
				}
				open = open.AddDate(0, 0, -1) // the old form: an overnight session ends on its date
			}
			if len(hours) == maxSpans {
				return nil, fmt.Errorf("market: more than %d spans: %w", maxSpans, ErrBadHours)
			}
			hours = append(hours, Span{open, end})
		}
	}
	return hours, nil
}

func parseHour(date, s string, zone *time.Location) (time.Time, error) {
	if d, clock, ok := strings.Cut(s, ":"); ok {
		date, s = d, clock
	}
	at, err := time.ParseInLocation("20060102 1504", date+" "+s, zone)
	if err == nil && at.Year() < 1970 {
		err = ErrBadHours
	}
	return at, err
}

// Format writes h in the form that ParseHours reads, in the zone given.
func (h Hours) Format(zone *time.Location) string {
	var b strings.Builder
	for i, s := range h {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(s.Open.In(zone).Format("20060102:1504") + "-" + s.Close.In(zone).Format("20060102:1504"))
	}
	return b.String()
}

// Contains reports whether at is inside one of the spans, and known is false
// when h tells nothing about at: the list is empty, or ends before it.
func (h Hours) Contains(at time.Time) (in, known bool) {
	for _, s := range h {
		if !at.Before(s.Open) && at.Before(s.Close) {
			return true, true
		}
	}
	return false, len(h) > 0 && at.Before(h[len(h)-1].Close)
}
