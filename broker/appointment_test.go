package broker

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have none

	"pgregory.net/rapid"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseAppointment(t *testing.T) {
	ny := zone(t, "America/New_York")
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, ny) // a Wednesday
	for _, tt := range []struct {
		in         string
		last, next string // in New York, "" = never; in = "" means that it is refused
	}{
		{"off", "", ""},
		{"23:45 America/New_York", "2026-03-31 23:45", "2026-04-01 23:45"},
		{"12:00 America/New_York", "2026-04-01 12:00", "2026-04-02 12:00"},
		{"sun 01:00 America/New_York", "2026-03-29 01:00", "2026-04-05 01:00"},
		{"Wed 12:00 America/New_York", "2026-04-01 12:00", "2026-04-08 12:00"},
		{"wed 12:01 America/New_York", "2026-03-25 12:01", "2026-04-01 12:01"},
		{"20:00 Europe/London", "2026-03-31 15:00", "2026-04-01 15:00"},
	} {
		a, err := ParseAppointment(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		for _, g := range []struct {
			got  time.Time
			want string
		}{{a.Last(now), tt.last}, {a.Next(now), tt.next}} {
			text := ""
			if !g.got.IsZero() {
				text = g.got.In(ny).Format("2006-01-02 15:04")
			}
			if text != g.want {
				t.Errorf("%q: %q, want %q", tt.in, text, g.want)
			}
		}
		if a.Off() != (tt.last == "") {
			t.Errorf("%q: off is %v", tt.in, a.Off())
		}
	}
	for _, bad := range []string{
		"", " ", "never", "24:00", "23:60", "2:30", "23:45:00", "sun", "sunday 01:00", "01:00 sun", "23:45 Nowhere/Atlantis",
		"23:45 ../../etc/passwd", "23:45 UTC UTC", strings.Repeat("9", 5000),
	} {
		if a, err := ParseAppointment(bad); err == nil {
			t.Errorf("%.60q was read as %+v", bad, a)
		} else if len(err.Error()) > 300 {
			t.Errorf("%.60q: an error of %d bytes", bad, len(err.Error()))
		}
	}
}

// Whatever the day, also when the clocks change: a daily one comes once a day,
// a weekly one once a week, and last and next never miss one another.
func TestAppointmentsComeOnceADayAlsoWhenClocksChange(t *testing.T) {
	ny := zone(t, "America/New_York")
	rapid.Check(t, func(t *rapid.T) {
		a := Appointment{
			set: true, zone: ny, weekly: rapid.Bool().Draw(t, "weekly"), day: time.Weekday(rapid.IntRange(0, 6).Draw(t, "day")),
			hour: rapid.IntRange(0, 23).Draw(t, "hour"), minute: rapid.IntRange(0, 59).Draw(t, "minute"),
		}
		now := time.Date(2026, 1, 1, 0, 0, rapid.IntRange(0, 366*86400).Draw(t, "second"), 0, ny)
		last, next := a.Last(now), a.Next(now)
		if last.IsZero() || last.After(now) || !next.After(now) {
			t.Fatalf("last %v, now %v, next %v", last, now, next)
		}
		period := 24 * time.Hour
		if a.weekly {
			period *= 7
		}
		if gap := next.Sub(last); gap < period-time.Hour || gap > period+time.Hour {
			t.Fatalf("%v between %v and %v", gap, last, next)
		}
		if again := a.Next(last); !again.Equal(next) {
			t.Fatalf("the next of %v is %v and %v", last, next, again)
		}
		if a.weekly && last.In(ny).Weekday() != a.day {
			t.Fatalf("%v is no %v", last, a.day)
		}
	})
}

func FuzzParseAppointment(f *testing.F) {
	for _, s := range []string{"off", "23:45", "sun 01:00 America/New_York", "sun 1:00", "99:99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAppointment(s)
		now := time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC)
		if err == nil && !a.Off() && (a.Last(now).IsZero() || !a.Next(now).After(now)) {
			t.Errorf("%q: last %v, next %v", s, a.Last(now), a.Next(now))
		}
	})
}
