package calendar

import "time"

// date is a day of New York's calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

func (d date) weekday() time.Weekday { return d.utc().Weekday() }

func (d date) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

func (d date) before(o date) bool { return d.utc().Before(o.utc()) }

func (d date) add(days int) date {
	y, m, day := d.utc().AddDate(0, 0, days).Date()
	return date{y, m, day}
}

// once lists the closures that no rule foretells, from the exchange's history
// of special closings.
var once = map[date]string{
	{1980, time.November, 4}:   "Presidential election", // the last one that was a holiday
	{1985, time.September, 27}: "Hurricane Gloria",
	{1994, time.April, 27}:     "Funeral of President Nixon",
	{2001, time.September, 11}: "Attack on the World Trade Center",
	{2001, time.September, 12}: "Attack on the World Trade Center",
	{2001, time.September, 13}: "Attack on the World Trade Center",
	{2001, time.September, 14}: "Attack on the World Trade Center",
	{2004, time.June, 11}:      "Funeral of President Reagan",
	{2007, time.January, 2}:    "Funeral of President Ford",
	{2012, time.October, 29}:   "Hurricane Sandy",
	{2012, time.October, 30}:   "Hurricane Sandy",
	{2018, time.December, 5}:   "Funeral of President G. H. W. Bush",
	{2025, time.January, 9}:    "Funeral of President Carter",
}

// earlyOnce lists the early closes that no rule foretells.
var earlyOnce = map[date]bool{
	{1997, time.December, 26}: true,
	{1999, time.December, 31}: true,
	{2003, time.December, 26}: true,
}

// closed names why d has no session; empty when it has one.
func (d date) closed() string {
	switch d.weekday() {
	case time.Saturday, time.Sunday:
		return d.weekday().String()
	}
	if why, ok := once[d]; ok {
		return why
	}
	return d.holiday()
}

// holiday names the holiday by rule that is kept on the weekday d.
func (d date) holiday() string {
	switch {
	// A New Year on Saturday is not kept: the last day of a year is the end of
	// an accounting period.
	case d.month == time.January && d.observes(1, false):
		return "New Year's Day"
	case d.month == time.January && d.year >= 1998 && d.nth(time.Monday, 3):
		return "Martin Luther King Jr. Day"
	case d.month == time.February && d.nth(time.Monday, 3):
		return "Washington's Birthday"
	case d == easter(d.year).add(-2):
		return "Good Friday"
	case d.month == time.May && d.weekday() == time.Monday && d.day > 24:
		return "Memorial Day"
	case d.month == time.June && d.year >= 2022 && d.observes(19, true):
		return "Juneteenth"
	case d.month == time.July && d.observes(4, true):
		return "Independence Day"
	case d.month == time.September && d.nth(time.Monday, 1):
		return "Labor Day"
	case d.month == time.November && d.nth(time.Thursday, 4):
		return "Thanksgiving Day"
	case d.month == time.December && d.observes(25, true):
		return "Christmas Day"
	}
	return ""
}

// observes reports whether the holiday on a day of d's month is kept on d: on
// Monday when it is a Sunday, and on Friday when it is a Saturday, if it is
// kept then at all.
func (d date) observes(day int, onFriday bool) bool {
	switch d.weekday() {
	case time.Monday:
		return d.day == day || d.day == day+1
	case time.Friday:
		return d.day == day || onFriday && d.day == day-1
	}
	return d.day == day
}

// nth reports whether d is the n-th such weekday of its month.
func (d date) nth(w time.Weekday, n int) bool {
	return d.weekday() == w && (d.day-1)/7 == n-1
}

// early reports whether the session of d closes early.
func (d date) early() bool {
	if d.year < 1993 {
		return false
	}
	switch d.month {
	case time.July:
		return d.year >= 1995 && d.aroundFourth()
	case time.November: // the day after the fourth Thursday
		return d.weekday() == time.Friday && d.add(-1).nth(time.Thursday, 4)
	case time.December:
		return d.day == 24 || earlyOnce[d]
	}
	return false
}

// aroundFourth tells the early close beside Independence Day: the day before
// it, when both are weekdays. Until 2012 a Thursday's had it on the Friday
// after.
func (d date) aroundFourth() bool {
	if d.year < 2013 && (date{d.year, time.July, 4}).weekday() == time.Thursday {
		return d.day == 5
	}
	return d.day == 3
}

// easter is the date of Easter Sunday in the Gregorian calendar (Meeus, Jones,
// Butcher).
func easter(year int) date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return date{year, time.Month(n / 31), n%31 + 1}
}
