package wire

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestParseTime(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in   string
		want string // in UTC; empty means an error
		err  error
	}{
		{"20260413 15:27:04 US/Eastern", "2026-04-13T19:27:04Z", nil},
		{"20260113 15:27:04 US/Eastern", "2026-01-13T20:27:04Z", nil},
		{"20260413 15:27:04 EST", "2026-04-13T19:27:04Z", nil}, // New York's clock, not a fixed five hours
		{"20260413  15:27:04", "2026-04-13T19:27:04Z", nil},    // two blanks, no zone
		{"20260413 15:27:04 ", "2026-04-13T19:27:04Z", nil},
		{"20250225-15:15:00", "2025-02-25T15:15:00Z", nil},
		{"20250225-15:15:00 US/Eastern", "2025-02-25T20:15:00Z", nil},
		{"20260405 23:49:26 CET", "2026-04-05T21:49:26Z", nil},
		{"20260405 23:49:26 British Summer Time", "2026-04-05T22:49:26Z", nil},
		{"20260405 23:49:26 Central European Standard Time", "2026-04-05T21:49:26Z", nil},
		{"20260405 23:49:26 中国标准时间", "2026-04-05T15:49:26Z", nil},
		{"20260405 23:49:26 Asia/Tokyo", "2026-04-05T14:49:26Z", nil},
		{"20260405 23:49:26 GMT", "2026-04-05T23:49:26Z", nil},
		{"20260402", "2026-04-02T04:00:00Z", nil},
		{"1775425766", "2026-04-05T21:49:26Z", nil},
		{"20260405 23:49:26 \uFFFD\uFFFD", "", ErrTimeZone},
		{"20260405 23:49:26 Local", "", ErrTimeZone},
		{"20260405 23:49:26 ../../etc/passwd", "", ErrTimeZone},
		{"20260405 23:49:26CET", "", ErrNotTime},
		{"20260230 10:00:00", "", ErrNotTime},
		{"20260405 24:49:26", "", ErrNotTime},
		{"20260405T23:49:26", "", ErrNotTime},
		{"20261332", "", ErrNotTime},
		{"2026040", "", ErrNotTime},
		{"", "", ErrNotTime},
	} {
		got, err := ParseTime(tt.in, newYork)
		if tt.want == "" {
			if !errors.Is(err, tt.err) {
				t.Errorf("%q: %v, %v; want %v", tt.in, got, err, tt.err)
			}
			continue
		}
		if s := got.UTC().Format(time.RFC3339); err != nil || s != tt.want {
			t.Errorf("%q: %s, %v; want %s", tt.in, s, err, tt.want)
		}
	}
	for _, in := range []string{"20260413 15:27:04", "20260413"} {
		if got, err := ParseTime(in, nil); !errors.Is(err, ErrTimeZone) {
			t.Errorf("%q without a zone: %v, %v", in, got, err)
		}
	}
	if _, err := ParseTime(strings.Repeat("9", 100)+" x", nil); err == nil || len(err.Error()) > 120 {
		t.Errorf("error %v", err)
	}
}

func TestParseZone(t *testing.T) {
	known, err := ParseZone("US/Eastern", nil)
	if err != nil || known.String() != "America/New_York" {
		t.Fatalf("US/Eastern: %v, %v", known, err)
	}
	if again, err := ParseZone("EST", known); err != nil || again != known {
		t.Errorf("EST: %v, %v", again, err)
	}
	for _, name := range []string{"", "Local", "Mars/Olympus", strings.Repeat("x", 1000)} {
		if z, err := ParseZone(name, known); !errors.Is(err, ErrTimeZone) || len(err.Error()) > 150 {
			t.Errorf("%.20q: %v, %v", name, z, err)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"20260413 15:27:04 US/Eastern", "20250225-15:15:00", "20260402", "1775425766", "20260413  15:27:04"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseTime(in, time.UTC)
		if err != nil {
			return
		}
		// What was read, written the same way, is the same time.
		again, err := ParseTime(got.UTC().Format("20060102-15:04:05"), nil)
		if got.Year() > 9999 || got.Year() < 0 {
			return
		}
		if err != nil || !again.Equal(got) {
			t.Fatalf("%q: %v, then %v, %v", in, got, again, err)
		}
	})
}
