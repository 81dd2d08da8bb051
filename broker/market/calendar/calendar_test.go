package calendar

import (
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have none

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

func calendar(t testing.TB) Calendar {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noon is midday in New York on a date such as "2024-07-03".
func noon(t testing.TB, c Calendar, date string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(time.DateOnly, date, c.Zone())
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(12 * time.Hour)
}

// The exchange's published holidays: all of them, so that a day too many shows
// as well as one too few.
func TestHolidaysOfYears(t *testing.T) {
	c := calendar(t)
	for year, want := range map[int]string{
		1990: "01-01 02-19 04-13 05-28 07-04 09-03 11-22 12-25",
		2001: "01-01 01-15 02-19 04-13 05-28 07-04 09-03 09-11 09-12 09-13 09-14 11-22 12-25",
		2012: "01-02 01-16 02-20 04-06 05-28 07-04 09-03 10-29 10-30 11-22 12-25",
		2013: "01-01 01-21 02-18 03-29 05-27 07-04 09-02 11-28 12-25",
		2014: "01-01 01-20 02-17 04-18 05-26 07-04 09-01 11-27 12-25",
		2018: "01-01 01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-05 12-25",
		2021: "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24",
		2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26", // New Year on Saturday is not kept
		2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
		2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
		2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
		2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
		2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
	} {
		var got []string
		for day := time.Date(year, 1, 1, 12, 0, 0, 0, c.Zone()); day.Year() == year; day = day.AddDate(0, 0, 1) {
			if why := c.Closed(day); why != "" && why != "Saturday" && why != "Sunday" {
				got = append(got, day.Format("01-02"))
			}
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Error(year, d)
		}
	}
}

func TestEarlyCloses(t *testing.T) {
	c := calendar(t)
	for year, want := range map[int]string{
		1990: "",
		1996: "07-05 11-29 12-24", // the Fourth was a Thursday
		1999: "11-26 12-31",       // Christmas on Saturday, the Fourth on Sunday
		2003: "07-03 11-28 12-24 12-26",
		2012: "07-03 11-23 12-24",
		2013: "07-03 11-29 12-24",
		2014: "07-03 11-28 12-24",
		2019: "07-03 11-29 12-24",
		2020: "11-27 12-24",
		2021: "11-26",
		2022: "11-25",
		2024: "07-03 11-29 12-24",
		2025: "07-03 11-28 12-24",
		2026: "11-27 12-24",
		2027: "11-26",
	} {
		var got []string
		for _, s := range c.Sessions(noon(t, c, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)).AddDate(0, 0, -1), time.Date(year+1, 1, 1, 0, 0, 0, 0, c.Zone())) {
			if s.Date.Year() == year && s.Early {
				got = append(got, s.Date.Format("01-02"))
				if h, h2 := s.Regular.Close.Hour(), s.Extended.Close.Hour(); h != 13 || h2 != 17 {
					t.Errorf("%v closes at %d and %d h", s.Date, h, h2)
				}
			}
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Error(year, d)
		}
	}
}

func TestSessionTimes(t *testing.T) {
	c := calendar(t)
	for date, want := range map[string]string{ // regular, extended; in UTC, so that summer time shows
		"2026-03-06": "14:30-21:00 09:00-01:00",
		"2026-03-09": "13:30-20:00 08:00-00:00", // the first session of summer time
		"2026-11-02": "14:30-21:00 09:00-01:00",
		"2026-11-27": "14:30-18:00 09:00-22:00",
		"1985-09-26": "14:00-20:00 08:00-00:00", // opened at ten then
		"1985-09-30": "13:30-20:00 08:00-00:00",
		"2026-11-28": "", "2026-11-26": "", "1979-12-31": "", "2101-01-03": "",
	} {
		s, ok := c.Session(noon(t, c, date))
		got := ""
		if ok {
			clock := func(s market.Span) string { return s.Open.UTC().Format("15:04") + "-" + s.Close.UTC().Format("15:04") }
			got = clock(s.Regular) + " " + clock(s.Extended)
		}
		if got != want || ok == (c.Closed(noon(t, c, date)) != "") {
			t.Errorf("%s: %q, want %q; closed for %q", date, got, want, c.Closed(noon(t, c, date)))
		}
	}
}

// How many sessions a year had, as the exchange counts them.
func TestSessionsOfYears(t *testing.T) {
	c := calendar(t)
	for year, want := range map[int]int{
		1980: 253, 1985: 252, 1990: 253, 1994: 252, 2000: 252, 2001: 248, 2004: 252, 2007: 251, 2012: 250, 2013: 252,
		2014: 252, 2018: 251, 2020: 253, 2021: 252, 2022: 251, 2023: 250, 2024: 252, 2025: 250, 2026: 251,
	} {
		from := time.Date(year, 1, 1, 0, 0, 0, 0, c.Zone())
		if got := len(c.Sessions(from, from.AddDate(1, 0, 0))); got != want {
			t.Errorf("%d has %d sessions, want %d", year, got, want)
		}
	}
}

func TestHours(t *testing.T) {
	c := calendar(t)
	trading, liquid := c.Hours(noon(t, c, "2026-11-25"), 6)
	if got, want := liquid.Format(c.Zone()), "20261125:0930-20261125:1600;20261127:0930-20261127:1300;20261130:0930-20261130:1600"; got != want {
		t.Errorf("liquid %s, want %s", got, want)
	}
	if got, want := trading.Format(c.Zone()), "20261125:0400-20261125:2000;20261127:0400-20261127:1700;20261130:0400-20261130:2000"; got != want {
		t.Errorf("trading %s, want %s", got, want)
	}
	if trading, liquid := c.Hours(noon(t, c, "2026-11-28"), 2); trading != nil || liquid != nil {
		t.Errorf("a weekend has %v, %v", trading, liquid)
	}
	if _, liquid := c.Hours(noon(t, c, "2026-11-28"), 1<<40); len(liquid) > maxDays {
		t.Errorf("%d sessions told", len(liquid))
	}
}

// hoursOf reads a venue's list.
func hoursOf(t testing.TB, c Calendar, text string) market.Hours {
	t.Helper()
	h, err := market.ParseHours(text, c.Zone())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAgree(t *testing.T) {
	c := calendar(t)
	for _, tt := range []struct{ name, told, want string }{
		{"nothing told", "", ""},
		{"the same", "20261125:0930-20261125:1600;20261126:CLOSED", "20261125:0930-20261125:1600"},
		{"a holiday that the venue forgot", "20261126:0930-20261126:1600", "20261126:1600-20261126:1600"},
		{
			"a holiday among sessions", "20261125:0930-20261125:1600;20261126:0930-20261126:1600;20261127:0930-20261127:1300",
			"20261125:0930-20261125:1600;20261126:1600-20261126:1600;20261127:0930-20261127:1300",
		},
		{
			"a half day that the venue forgot", "20261127:0930-20261127:1600",
			"20261127:0930-20261127:1300;20261127:1600-20261127:1600",
		},
		{"closed by the venue", "20261125:CLOSED;20261127:0930-20261127:1300", "20261127:0930-20261127:1300"},
		{"shorter by the venue", "20261125:1000-20261125:1200", "20261125:1000-20261125:1200"},
		{"longer by the venue", "20261125:0400-20261125:2000", "20261125:0930-20261125:1600;20261125:2000-20261125:2000"},
		{
			"over several days", "20261124:0800-20261127:2000",
			"20261124:0930-20261124:1600;20261125:0930-20261125:1600;20261127:0930-20261127:1300;20261127:2000-20261127:2000",
		},
		{"a weekend", "20261128:0930-20261128:1600", "20261128:1600-20261128:1600"},
		{"before the years", "19791127:0930-19791127:1600", "19791127:0930-19791127:1600"},
		{"after the years", "21011127:0930-21011127:1600", "21011127:0930-21011127:1600"},
		{"never closed", "20261123:0000-20261125:0000;20261125:0000-20261130:0000", "20261123:0000-20261125:0000;20261125:0000-20261130:0000"},
		{"one long span beside another", "20261101:0000-20261120:0000;20261128:0930-20261128:1600", "20261101:0000-20261120:0000;20261128:1600-20261128:1600"},
		{
			"six days without a gap", "20261124:0000-20261130:0000",
			"20261124:0930-20261124:1600;20261125:0930-20261125:1600;20261127:0930-20261127:1300;20261130:0000-20261130:0000",
		},
	} {
		if got := c.Agree(hoursOf(t, c, tt.told)).Format(c.Zone()); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// What both say is open is open, what one says is closed is closed, and known
// stays known.
func TestAgreeIsBoth(t *testing.T) {
	c := calendar(t)
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(1979, 12, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 121*365*24*60).Draw(t, "start")) * time.Minute)
		var told market.Hours
		for range rapid.IntRange(0, 6).Draw(t, "spans") {
			open := at.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "gap")) * time.Minute)
			at = open.Add(time.Duration(rapid.IntRange(1, 6000).Draw(t, "length")) * time.Minute)
			told = append(told, market.Span{Open: open, Close: at})
		}
		both := c.Agree(slices.Clone(told))
		if len(told) == 0 {
			if len(both) != 0 {
				t.Fatal("unknown hours become ", both)
			}
			return
		}
		for i := 1; i < len(both); i++ {
			if both[i].Open.Before(both[i-1].Close) {
				t.Fatal("out of order: ", both)
			}
		}
		for range 50 {
			probe := told[0].Open.Add(time.Duration(rapid.Int64Range(-600, int64(at.Sub(told[0].Open)/time.Minute)+600).Draw(t, "probe")) * time.Minute)
			venue, known := told.Contains(probe)
			s, session := c.Session(probe)
			mine := session && !probe.Before(s.Regular.Open) && probe.Before(s.Regular.Close)
			got, stillKnown := both.Contains(probe)
			if y := probe.In(c.Zone()).Year(); y < FirstYear+1 || y > LastYear-1 {
				continue // spans at the edge are left alone
			}
			if got != (venue && mine) || known != stillKnown {
				t.Fatalf("%v: venue %v (known %v), calendar %v: %v (known %v)", probe, venue, known, mine, got, stillKnown)
			}
		}
	})
}

// Easter Sundays of the tables.
func TestEaster(t *testing.T) {
	for year, want := range map[int]string{1981: "04-19", 2000: "04-23", 2008: "03-23", 2011: "04-24", 2024: "03-31", 2025: "04-20", 2038: "04-25", 2100: "03-28"} {
		if got := easter(year).utc().Format("01-02"); got != want {
			t.Errorf("%d: %s, want %s", year, got, want)
		}
	}
}

// Nothing but a session or a reason, on every day.
func TestEveryDay(t *testing.T) {
	c := calendar(t)
	prev := time.Time{}
	for day := time.Date(FirstYear, 1, 1, 9, 0, 0, 0, c.Zone()); day.Year() <= LastYear; day = day.AddDate(0, 0, 1) {
		s, ok := c.Session(day)
		if ok != (c.Closed(day) == "") {
			t.Fatalf("%v: session %v, closed for %q", day, ok, c.Closed(day))
		}
		if !ok {
			continue
		}
		if !s.Regular.Open.Before(s.Regular.Close) || s.Regular.Open.Before(s.Extended.Open) || s.Extended.Close.Before(s.Regular.Close) {
			t.Fatalf("%+v", s)
		}
		if gap := s.Extended.Open.Sub(prev); !prev.IsZero() && (gap < 8*time.Hour || gap > 7*24*time.Hour) {
			t.Fatalf("%v of night before %v", gap, s.Date)
		}
		prev = s.Extended.Close
	}
}
