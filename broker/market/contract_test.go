package market

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSymbol(t *testing.T) {
	for in, want := range map[string]Symbol{ // "" means ErrBadSymbol
		"AAPL": "AAPL", "aapl": "AAPL", "BRK B": "BRK B", "BRK.B": "BRK.B", "bf-b": "BF-B", "X": "X", "ABCDEFGHIJKL": "ABCDEFGHIJKL", "T1": "T1",
		"": "", "1A": "", " A": "", "A ": "", ".A": "", "-": "", "ABCDEFGHIJKLM": "", "A*": "", "A>": "", "A/B": "", "A\nB": "", "Ä": "", "A\x00": "", "../A": "",
	} {
		got, err := ParseSymbol(in)
		if got != want || (want == "") != errors.Is(err, ErrBadSymbol) {
			t.Errorf("%q was read as %q, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzParseSymbol(f *testing.F) {
	f.Add("AAPL")
	f.Add("brk b")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSymbol(in)
		if err != nil {
			return
		}
		if again, err := ParseSymbol(string(s)); err != nil || again != s {
			t.Fatalf("%q became %q, and that %q, %v", in, s, again, err)
		}
		if strings.ContainsAny(string(s), "*>/\\\x00\r\n\t\"'<&") || len(s) > 12 || strings.ToUpper(in) != string(s) {
			t.Fatalf("%q became %q", in, s)
		}
	})
}

func newYork(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("this machine has no zone America/New_York:", err)
	}
	return zone
}

func TestParseHours(t *testing.T) {
	ny := newYork(t)
	at := func(s string) time.Time {
		tm, err := time.ParseInLocation("2006-01-02 15:04", s, ny)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, tt := range []struct {
		in   string
		want []string // pairs; nil means ErrBadHours
	}{
		{"20260402:0930-20260402:1600;20260403:CLOSED", []string{"2026-04-02 09:30", "2026-04-02 16:00"}},
		{"20090507:0700-1830;20090508:CLOSED", []string{"2009-05-07 07:00", "2009-05-07 18:30"}},
		{"20090507:0700-1130,1230-1830", []string{"2009-05-07 07:00", "2009-05-07 11:30", "2009-05-07 12:30", "2009-05-07 18:30"}},
		{"20090507:1700-1600", []string{"2009-05-06 17:00", "2009-05-07 16:00"}}, // the old form overnight
		{"20260401:1700-20260402:1600", []string{"2026-04-01 17:00", "2026-04-02 16:00"}},
		{"20260306:0930-20260306:1600; 20260309:0930-20260309:1600", []string{"2026-03-06 09:30", "2026-03-06 16:00", "2026-03-09 09:30", "2026-03-09 16:00"}}, // over the change of clocks
		{"", []string{}},
		{";;", []string{}},
		{"20260403:CLOSED", []string{}},
		{"20261231:0000-00000101:0000", nil},
		{"20260402:0930-20260402:0900", nil}, // explicit dates are no overnight session
		{"nonsense", nil},
		{"20260402:0930", nil},
		{"20260402:0930-", nil},
		{"20260402:2530-2600", nil},
		{"2026:0930-1600", nil},
		{"20260402:0930-20261302:1600", nil},
		{strings.Repeat("20260402:0930-20260402:1600;", maxSpans+1), nil},
	} {
		got, err := ParseHours(tt.in, ny)
		if tt.want == nil {
			if !errors.Is(err, ErrBadHours) {
				t.Errorf("%.60q was read as %v, %v", tt.in, got, err)
			}
			continue
		}
		if err != nil || len(got) != len(tt.want)/2 {
			t.Errorf("%q: %v, %v", tt.in, got, err)
			continue
		}
		for i, s := range got {
			if !s.Open.Equal(at(tt.want[2*i])) || !s.Close.Equal(at(tt.want[2*i+1])) {
				t.Errorf("%q: span %d is %v to %v, want %s to %s", tt.in, i, s.Open, s.Close, tt.want[2*i], tt.want[2*i+1])
			}
		}
	}
}

func TestHoursRoundTrip(t *testing.T) {
	ny := newYork(t)
	rapid.Check(t, func(t *rapid.T) {
		var want Hours
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, ny)
		for range rapid.IntRange(0, 10).Draw(t, "days") {
			day = day.AddDate(0, 0, rapid.IntRange(1, 4).Draw(t, "skip"))
			y, m, d := day.Date()
			from := rapid.IntRange(4*60, 12*60).Draw(t, "open")
			to := rapid.IntRange(from+1, 20*60).Draw(t, "close")
			want = append(want, Span{time.Date(y, m, d, 0, from, 0, 0, ny), time.Date(y, m, d, 0, to, 0, 0, ny)})
		}
		got, err := ParseHours(want.Format(ny), ny)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %v, %v", want.Format(ny), got, err)
		}
		for i := range got {
			if !got[i].Open.Equal(want[i].Open) || !got[i].Close.Equal(want[i].Close) {
				t.Fatalf("span %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestHoursContain(t *testing.T) {
	h := Hours{{t0, t0.Add(time.Hour)}, {t0.Add(24 * time.Hour), t0.Add(25 * time.Hour)}}
	for at, want := range map[time.Duration][2]bool{
		-1:                    {false, true}, // before all of it
		0:                     {true, true},
		time.Hour - 1:         {true, true},
		time.Hour:             {false, true}, // the close is outside
		12 * time.Hour:        {false, true},
		24 * time.Hour:        {true, true},
		25 * time.Hour:        {false, false}, // beyond what was told
		1000 * 24 * time.Hour: {false, false},
	} {
		if in, known := h.Contains(t0.Add(at)); in != want[0] || known != want[1] {
			t.Errorf("%v after the first opening: %v, %v", at, in, known)
		}
	}
	if in, known := Hours(nil).Contains(t0); in || known {
		t.Error("hours that nobody told are known")
	}
}

func FuzzParseHours(f *testing.F) {
	f.Add("20260402:0930-20260402:1600;20260403:CLOSED")
	f.Add("20090507:0700-1130,1230-1830;20090508:CLOSED")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHours(s, time.UTC)
		if err != nil {
			return
		}
		if len(h) > maxSpans {
			t.Fatalf("%d spans", len(h))
		}
		again, err := ParseHours(h.Format(time.UTC), time.UTC)
		if err != nil || len(again) != len(h) {
			t.Fatalf("%q became %v, and its format %q became %v, %v", s, h, h.Format(time.UTC), again, err)
		}
		for i := range h {
			if !h[i].Open.Equal(again[i].Open) || !h[i].Close.Equal(again[i].Close) {
				t.Fatalf("span %d: %v became %v", i, h[i], again[i])
			}
		}
	})
}
