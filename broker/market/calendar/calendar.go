// Package calendar is New York's stock market calendar: which days are
// sessions from 1980 to 2100, and from when to when.
//
// It promises the exchange's rule: its holidays with the way in which they
// move off a weekend, the early closes, and the closures that no rule foretells
// as far as they are listed here. It does not promise the future (a day of
// mourning, a storm, a changed rule), nor the trading halts and late openings
// of single days. Early closes are told from 1993 on; the extended hours are
// today's for every year.
//
// # Design
//
// A venue tells the hours of its contracts, and is believed where it says
// closed. [Calendar.Agree] is for a trader who wants two opinions before he
// takes a market for open: what both say is open, is open.
package calendar

import (
	"fmt"
	"time"

	"robotrader/broker/market"
)

// Zone is the name of the market's time zone.
const Zone = "America/New_York"

// The years that the calendar knows.
const (
	FirstYear = 1980
	LastYear  = 2100
)

// The times of a session, as New York's clock shows them.
const (
	ExtendedOpen  = 4 * time.Hour
	RegularOpen   = 9*time.Hour + 30*time.Minute
	RegularClose  = 16 * time.Hour
	ExtendedClose = 20 * time.Hour

	earlyClose         = 13 * time.Hour
	earlyExtendedClose = 17 * time.Hour
	oldOpen            = 10 * time.Hour // before 1985-09-30
)

// Session is one day of trading.
type Session struct {
	Date     time.Time // midnight of New York's date
	Regular  market.Span
	Extended market.Span // from before the regular session to after it
	Early    bool        // closes early
}

// Calendar is the calendar. It is a value and safe for concurrent use; the
// zero Calendar is not usable.
type Calendar struct{ zone *time.Location }

// New returns the calendar. It fails where the machine and the program have no
// time zones.
func New() (Calendar, error) {
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return Calendar{}, fmt.Errorf("calendar: time zone %s (import time/tzdata): %w", Zone, err)
	}
	return Calendar{zone}, nil
}

// Zone returns New York's time zone.
func (c Calendar) Zone() *time.Location { return c.zone }

// Clock returns when New York's clock shows the time of day on New York's date
// of at: not midnight plus a duration, which is an hour off twice a year.
func (c Calendar) Clock(at time.Time, clock time.Duration) time.Time {
	y, m, d := at.In(c.zone).Date()
	return time.Date(y, m, d, 0, 0, int(clock/time.Second), 0, c.zone)
}

// Session returns the session on New York's date of at; ok is false on a
// closed day, and outside of the years that the calendar knows.
func (c Calendar) Session(at time.Time) (s Session, ok bool) {
	y, m, d := at.In(c.zone).Date()
	day := date{y, m, d}
	if y < FirstYear || y > LastYear || day.closed() != "" {
		return Session{}, false
	}
	clock := func(t time.Duration) time.Time {
		return time.Date(y, m, d, 0, 0, int(t/time.Second), 0, c.zone)
	}
	open, end, late := RegularOpen, RegularClose, ExtendedClose
	if day.before(date{1985, time.September, 30}) {
		open = oldOpen
	}
	early := day.early()
	if early {
		end, late = earlyClose, earlyExtendedClose
	}
	return Session{
		Date: clock(0), Regular: market.Span{Open: clock(open), Close: clock(end)},
		Extended: market.Span{Open: clock(ExtendedOpen), Close: clock(late)}, Early: early,
	}, true
}

// Closed returns why New York's date of at has no session: "Saturday",
// "Good Friday" and so on. It is empty for a session.
func (c Calendar) Closed(at time.Time) string {
	y, m, d := at.In(c.zone).Date()
	if y < FirstYear || y > LastYear {
		return fmt.Sprintf("not in %d to %d", FirstYear, LastYear)
	}
	return date{y, m, d}.closed()
}

// Sessions returns the sessions whose dates lie in [from, to), in order.
func (c Calendar) Sessions(from, to time.Time) []Session {
	var list []Session
	day := c.Clock(from, 0)
	if day.Before(from) {
		day = day.AddDate(0, 0, 1)
	}
	if first := time.Date(FirstYear, 1, 1, 0, 0, 0, 0, c.zone); day.Before(first) {
		day = first
	}
	for ; day.Before(to) && day.Year() <= LastYear; day = day.AddDate(0, 0, 1) {
		if s, ok := c.Session(day); ok {
			list = append(list, s)
		}
	}
	return list
}

// maxDays bounds a list of hours: a venue tells about ten.
const maxDays = 366

// Hours returns the hours of the sessions in a number of calendar days, at
// most 366, from New York's date of around on, as a venue tells them.
func (c Calendar) Hours(around time.Time, days int) (trading, liquid market.Hours) {
	first := c.Clock(around, 0)
	for _, s := range c.Sessions(first, first.AddDate(0, 0, min(days, maxDays))) {
		trading, liquid = append(trading, s.Extended), append(liquid, s.Regular)
	}
	return trading, liquid
}
