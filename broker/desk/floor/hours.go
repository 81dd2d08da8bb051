package floor

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
	"robotrader/services/event"
)

// Hours are the calendar that a venue's hours are held against: a venue
// that forgets a holiday, or an early close, must not make us trade into it.
// The zero Hours knows none: the venue's word stands.
type Hours struct {
	cal calendar.Calendar
	on  bool // there is a calendar on this machine

	mu   sync.Mutex                  // guards told
	told map[market.Symbol]time.Time // the newest day whose disagreement was told; wanted symbols only
}

// NewHours returns New York's hours. With an error there are none on this
// machine, and the venue's word stands.
func NewHours() (*Hours, error) {
	cal, err := calendar.New()
	return &Hours{cal: cal, on: err == nil, told: make(map[market.Symbol]time.Time)}, err
}

// Known reports whether there is a calendar to hold the venue's hours against.
func (o *Hours) Known() bool { return o.on }

// Open tells whether the regular session is on, by the calendar.
func (o *Hours) Open(at time.Time) bool {
	s, ok := o.cal.Session(at)
	return ok && !at.Before(s.Regular.Open) && at.Before(s.Regular.Close)
}

// longestClosure bounds in calendar days how long after any day the next session
// comes. In 2001 it took six.
const longestClosure = 15

// DayOver reports whether an order for the day that was given at that time cannot
// fill any more. One that was given after a regular session's end is good for
// the next one, and none fills after the extended hours of its session. Without a
// calendar nobody knows, and it is not over.
func (o *Hours) DayOver(given, now time.Time) bool {
	if !o.on || given.IsZero() {
		return false
	}
	first := o.cal.Clock(given, 0)
	for _, s := range o.cal.Sessions(first, first.AddDate(0, 0, longestClosure)) {
		if given.Before(s.Regular.Close) {
			return !now.Before(s.Extended.Close)
		}
	}
	return false
}

// Agreed returns a contract's details with the regular session that venue and
// calendar agree on: where they differ it is closed. What is to be told of
// that are the notices. This is the one place where hours of a venue become ours;
// see [calendar.Calendar.Agree].
func (o *Hours) Agreed(in market.Details) (out market.Details, notices []event.NoticeText) {
	if !o.on {
		return in, nil
	}
	told := in.Liquid
	in.Liquid = o.cal.Agree(told)
	for _, span := range told {
		both := within(in.Liquid, span)
		if len(both) == 1 && both[0] == span || !o.first(in.Contract.Symbol, o.cal.Clock(span.Open, 0)) {
			continue
		}
		notices = append(notices, event.NoticeText{
			Name: "hours_disagree", Symbol: in.Contract.Symbol,
			Text: fmt.Sprintf("%s: the venue says open %s, New York's calendar says %s: taken as %s",
				in.Contract.Symbol, o.span(span), o.ours(span), o.words(both)),
		})
	}
	return in, notices
}

// within returns the parts of hours inside a span, the empty ones left out.
func within(h market.Hours, span market.Span) (parts market.Hours) {
	for _, p := range h {
		if p.Open.Before(p.Close) && !p.Open.Before(span.Open) && !span.Close.Before(p.Close) {
			parts = append(parts, p)
		}
	}
	return parts
}

// first reports whether a disagreement about a day is to be told: once a
// symbol and day. Venues tell days in order.
func (o *Hours) first(s market.Symbol, day time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !day.After(o.told[s]) {
		return false
	}
	o.told[s] = day
	return true
}

// ours is what the calendar says of the days that a span touches.
func (o *Hours) ours(span market.Span) string {
	var regular market.Hours
	day := o.cal.Clock(span.Open, 0)
	for _, s := range o.cal.Sessions(day, span.Close) {
		regular = append(regular, s.Regular)
	}
	if why := o.cal.Closed(span.Open); len(regular) == 0 && why != "" {
		return "closed (" + why + ")"
	}
	return o.words(regular)
}

func (o *Hours) words(h market.Hours) string {
	if len(h) == 0 {
		return "closed"
	}
	var list []string
	for _, s := range h {
		list = append(list, o.span(s))
	}
	return strings.Join(list, ", ")
}

func (o *Hours) span(s market.Span) string {
	from, to := s.Open.In(o.cal.Zone()), s.Close.In(o.cal.Zone())
	layout := "15:04"
	if from.YearDay() != to.YearDay() || from.Year() != to.Year() {
		layout = "2006-01-02 15:04"
	}
	return from.Format("2006-01-02 15:04") + " to " + to.Format(layout)
}
