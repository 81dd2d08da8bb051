package supervisor

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have none

	"pgregory.net/rapid"

	"robotrader/broker"
)

func newYork(t interface{ Fatal(...any) }) *time.Location {
	z, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func nyCalendar(t interface{ Fatal(...any) }) Calendar {
	c, err := NewCalendar("23:45 America/New_York", 5*time.Minute, "sun 01:00 America/New_York", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewCalendarRefuses(t *testing.T) {
	_, err := NewCalendar("25:00", time.Minute, "sunday", time.Minute)
	if err == nil || !strings.Contains(err.Error(), "25:00") || !strings.Contains(err.Error(), "sunday") {
		t.Errorf("faults %v", err)
	}
	off, err := NewCalendar("off", time.Minute, "off", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 23, 45, 0, 0, time.UTC)
	if _, near := off.soon(now, now); near {
		t.Error("a restart that is off is near")
	}
	if p, _ := off.expected(now, now); p != broker.NoPhase {
		t.Errorf("phase %q without times", p)
	}
	if got := off.edge(now); got.Sub(now) != time.Minute {
		t.Errorf("edge %v", got)
	}
}

func TestCalendarPhases(t *testing.T) {
	ny := newYork(t)
	c := nyCalendar(t)
	at := func(text string) time.Time { // of April 2026; the 5th is a Sunday
		d, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-04-"+text, ny)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct {
		since, now string
		want       broker.Phase
		until      string
	}{
		{"01 12:00:00", "01 12:00:01", "", ""},
		{"01 23:43:29", "01 23:45:00", "", ""}, // a loss from before explains itself otherwise
		{"01 23:43:30", "01 23:43:30", broker.RestartPhase, "01 23:50:00"},
		{"01 23:45:00", "01 23:49:59", broker.RestartPhase, "01 23:50:00"},
		{"01 23:45:00", "01 23:50:00", "", ""},
		{"05 00:58:30", "05 01:00:00", broker.LoginPhase, "05 01:10:00"},
		{"05 01:00:00", "05 01:10:00", "", ""},
		{"05 12:00:00", "05 12:00:00", "", ""},
		{"05 23:45:00", "05 23:46:00", broker.LoginPhase, "05 23:55:00"}, // the first restart after the hour asks for it
		{"05 23:45:00", "05 23:54:59", broker.LoginPhase, "05 23:55:00"},
		{"06 23:45:00", "06 23:46:00", broker.RestartPhase, "06 23:50:00"},
	} {
		phase, until := c.expected(at(tt.now), at(tt.since))
		want := ""
		if !until.IsZero() {
			want = until.In(ny).Format("02 15:04:05")
		}
		if phase != tt.want || want != tt.until {
			t.Errorf("down since %s, at %s: %q until %q, want %q until %q", tt.since, tt.now, phase, want, tt.want, tt.until)
		}
	}
	for _, tt := range []struct {
		opened, now string
		near        bool
	}{
		{"01 10:00:00", "01 23:43:29", false},
		{"01 10:00:00", "01 23:43:30", true},
		{"01 10:00:00", "01 23:45:00", true},
		{"01 10:00:00", "01 23:49:59", true},
		{"01 10:00:00", "01 23:50:00", false}, // it did not restart: taken back
		{"01 23:44:00", "01 23:44:10", true},  // another loss, and the restart is still to come
		{"01 23:46:10", "01 23:46:20", false}, // that was it
	} {
		if _, near := c.soon(at(tt.now), at(tt.opened)); near != tt.near {
			t.Errorf("opened %s, at %s: near is %v", tt.opened, tt.now, near)
		}
	}
}

func TestJudge(t *testing.T) {
	ny := newYork(t)
	c := nyCalendar(t)
	sunday := time.Date(2026, 4, 5, 1, 1, 0, 0, ny)
	noon := time.Date(2026, 4, 1, 12, 0, 0, 0, ny)
	midnight := time.Date(2026, 4, 1, 23, 45, 0, 0, ny)
	factor := outlook{phase: broker.FactorPhase, since: noon, until: noon.Add(10 * time.Minute)}
	for name, tt := range map[string]struct {
		now  time.Time
		was  outlook
		d    absence
		want broker.Phase
		late bool
	}{
		"nothing special":                  {noon, outlook{}, absence{failure: broker.NobodyListens, evidence: shut}, "", false},
		"a login that is not finished":     {noon, outlook{}, absence{failure: broker.NoAccounts}, broker.FactorPhase, false},
		"still":                            {noon.Add(time.Minute), factor, absence{failure: broker.NoAccounts}, broker.FactorPhase, false},
		"too long":                         {noon.Add(10 * time.Minute), factor, absence{failure: broker.NoAccounts}, broker.FactorPhase, true},
		"the port shut, and it was seen":   {sunday, outlook{}, absence{since: sunday, evidence: shut, seen: true}, broker.FactorPhase, false},
		"the port shut, and never seen":    {sunday, outlook{}, absence{since: sunday, evidence: shut}, broker.LoginPhase, false},
		"the port open in the weekly hour": {sunday, outlook{}, absence{since: sunday, evidence: gateway1, seen: true}, broker.LoginPhase, false},
		"shut at noon on a weekday":        {noon, outlook{}, absence{since: noon, evidence: shut, seen: true}, "", false},
		"shut at the daily restart":        {midnight, outlook{}, absence{since: midnight, evidence: shut, seen: true}, broker.RestartPhase, false},
		"the port unreadable":              {sunday, outlook{}, absence{since: sunday, evidence: blind, seen: true}, broker.LoginPhase, false},
		"shut past the weekly hour":        {sunday.Add(time.Hour), factor, absence{since: sunday, evidence: shut, seen: true}, broker.FactorPhase, true},
		"the restart lasts": {
			midnight.Add(5 * time.Minute),
			outlook{phase: broker.RestartPhase, since: midnight, until: midnight.Add(5 * time.Minute)},
			absence{since: midnight, failure: broker.NobodyListens},
			"", true,
		},
	} {
		got := c.judge(tt.now, tt.was, tt.d)
		if got.phase != tt.want || got.overdue(tt.now) != tt.late {
			t.Errorf("%s: %q, overdue %v; want %q, %v", name, got.phase, got.overdue(tt.now), tt.want, tt.late)
		}
		before, advice := got.words(tt.now)
		if (before == "") != (got == outlook{}) || (advice == "") != (before == "") {
			t.Errorf("%s: words %q, %q", name, before, advice)
		}
		if got := (Calendar{}).judge(tt.now, tt.was, tt.d); got != (outlook{}) {
			t.Errorf("%s: without a calendar %+v", name, got)
		}
	}
	if before, _ := factor.words(noon.Add(time.Hour)); !strings.Contains(before, "a person must log in") {
		t.Errorf("overdue: %q", before)
	}
}

// Between two edges the calendar never changes its mind, also on days when the
// clocks change: whoever looks at the edges misses nothing.
func TestCalendarEdges(t *testing.T) {
	ny := newYork(t)
	c := nyCalendar(t)
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 0, 0, 0, rapid.IntRange(0, 999).Draw(t, "ns"), ny).
			Add(time.Duration(rapid.IntRange(0, 300*86400).Draw(t, "seconds")) * time.Second)
		edge := c.edge(now)
		if !edge.After(now) || edge.Sub(now) > time.Minute {
			t.Fatalf("edge %v of %v", edge, now)
		}
		opened := now.Add(-time.Duration(rapid.IntRange(0, 90000).Draw(t, "ago")) * time.Second)
		late := edge.Add(-1)
		_, near := c.soon(now, opened)
		_, near2 := c.soon(late, opened)
		p, _ := c.expected(now, opened)
		p2, _ := c.expected(late, opened)
		if near != near2 || p != p2 {
			t.Fatalf("between %v and its edge %v: near %v and %v, phase %q and %q", now, edge, near, near2, p, p2)
		}
	})
}

// TestAWeeklyLoginAtTheHourOfTheRestart: that restart asks for it, and not the
// one of the next day.
func TestAWeeklyLoginAtTheHourOfTheRestart(t *testing.T) {
	c, err := NewCalendar("23:45 America/New_York", 5*time.Minute, "sun 23:45 America/New_York", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[int]broker.Phase{4: broker.RestartPhase, 5: broker.LoginPhase, 6: broker.RestartPhase} { // the 5th is a Sunday
		now := time.Date(2026, 4, day, 23, 46, 0, 0, newYork(t))
		if p, _ := c.expected(now, now); p != want {
			t.Errorf("on the %dth: %q, want %q", day, p, want)
		}
	}
}

// Expected says what a person who asks from outside is to expect.
func TestExpectedFromOutside(t *testing.T) {
	c, err := NewCalendar("23:45 America/New_York", 5*time.Minute, "sun 01:00 America/New_York", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]broker.Phase{
		"2026-11-25T23:47:00-05:00": broker.RestartPhase,
		"2026-11-25T23:51:00-05:00": broker.NoPhase,
		"2026-11-29T01:05:00-05:00": broker.LoginPhase,
		"2026-11-25T12:00:00-05:00": broker.NoPhase,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		phase, until := c.Expected(now)
		if phase != want || want != broker.NoPhase && !until.After(now) {
			t.Errorf("%s: %q until %v, want %q", at, phase, until, want)
		}
	}
}
