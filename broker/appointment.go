package broker

import (
	"fmt"
	"strings"
	"time"
)

// Appointment is a time that comes again every day or every week, such as a
// gateway's restart. The zero value never comes.
type Appointment struct {
	set          bool
	weekly       bool
	day          time.Weekday // of a weekly one
	hour, minute int
	zone         *time.Location // nil = the machine's
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// ParseAppointment reads "23:45", "sun 01:00", either with a zone after it as
// in "sun 01:00 America/New_York", or "off". Without a zone the time is the
// machine's.
func ParseAppointment(text string) (Appointment, error) {
	fail := func() (Appointment, error) {
		return Appointment{}, fmt.Errorf("%.60q is no time such as 23:45, \"sun 01:00 America/New_York\" or off", text)
	}
	if text == "off" {
		return Appointment{}, nil
	}
	a := Appointment{set: true}
	fields := strings.Fields(text)
	if len(fields) > 0 {
		if a.day, a.weekly = weekdays[strings.ToLower(fields[0])]; a.weekly {
			fields = fields[1:]
		}
	}
	if len(fields) == 0 || len(fields) > 2 || len(fields[0]) != len("15:04") {
		return fail()
	}
	at, err := time.Parse("15:04", fields[0])
	if err != nil {
		return fail()
	}
	a.hour, a.minute = at.Hour(), at.Minute()
	if len(fields) == 2 {
		if a.zone, err = time.LoadLocation(fields[1]); err != nil {
			return Appointment{}, fmt.Errorf("%.60q: no zone is called %.40q: write one such as America/New_York", text, fields[1])
		}
	}
	return a, nil
}

// Off reports whether it never comes.
func (a Appointment) Off() bool { return !a.set }

// Weekly reports whether it comes once a week and not every day.
func (a Appointment) Weekly() bool { return a.weekly }

// Last returns the newest one at or before now, the zero time when it is off.
// A time that a change of the clocks leaves out comes about an hour off, and
// one that comes twice counts once.
func (a Appointment) Last(now time.Time) time.Time {
	for back := 0; a.set && back <= 7; back++ {
		if at, ok := a.on(now, -back); ok && !at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// Next returns the first one after now, the zero time when it is off.
func (a Appointment) Next(now time.Time) time.Time {
	for ahead := 0; a.set && ahead <= 7; ahead++ {
		if at, ok := a.on(now, ahead); ok && at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// on returns the appointment of the day that is days after now's.
func (a Appointment) on(now time.Time, days int) (time.Time, bool) {
	zone := a.zone
	if zone == nil {
		zone = time.Local
	}
	y, m, d := now.In(zone).Date()
	if a.weekly && time.Date(y, m, d+days, 12, 0, 0, 0, time.UTC).Weekday() != a.day {
		return time.Time{}, false
	}
	return time.Date(y, m, d+days, a.hour, a.minute, 0, 0, zone), true
}
