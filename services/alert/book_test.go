package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/services/alert/post"
)

var noon = time.Date(2026, 4, 2, 12, 0, 0, 0, time.UTC)

func book(change func(*Config)) *Book {
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	return NewBook(cfg, "here")
}

// said is what a book says at a time, a line a message.
func said(b *Book, at time.Time) string {
	var lines []string
	for _, m := range b.Due(at) {
		lines = append(lines, strings.TrimPrefix(m.Title, "[here] ")+": "+strings.ReplaceAll(m.Text, "\n", " | "))
	}
	return strings.Join(lines, "\n")
}

func expect(t *testing.T, b *Book, at time.Time, want string) {
	t.Helper()
	if got := said(b, at); got != want {
		t.Errorf("at %v\n said %q\n want %q", at.Format(time.TimeOnly), got, want)
	}
}

func data(sym string) Trouble { return Trouble{Kind: StaleData, Key: sym, Cause: sym + " is stale"} }

// A trouble is said once, again when its cause changes, and when it is over.
func TestOnceAgainAndOver(t *testing.T) {
	b := book(nil)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	halt := Trouble{Kind: Mode, Cause: "the mode is halted: by ops", Advice: "resume it"}
	if !b.Raise(at(0), halt) || b.Raise(at(0), halt) {
		t.Error("the same twice is news, or the first is none")
	}
	expect(t, b, at(0), "Trading is stopped: the mode is halted: by ops; resume it")
	for i := range 100 {
		b.Raise(at(i), halt)
		expect(t, b, at(i), "")
	}
	halt.Cause = "the mode is reduce_only: a loss"
	b.Raise(at(100), halt)
	expect(t, b, at(100), "Trading is stopped: now: the mode is reduce_only: a loss; resume it")
	b.Clear(at(185), Mode, "")
	b.Clear(at(190), Mode, "")
	expect(t, b, at(190), "Over: Trading is stopped: over, lasted 3m5s: the mode is reduce_only: a loss")
	if b.Clear(at(191), Mode, "") || b.Clear(at(191), "nonsense", "") || b.Raise(at(191), Trouble{Kind: "nonsense"}) || len(b.On()) != 0 {
		t.Errorf("something is left: %+v", b.On())
	}
	if _, ok := b.Next(at(191)); ok {
		t.Error("it has something to say")
	}
}

// A kind says three things at once, then one a minute, in which all is that
// happened meanwhile, also what came and went.
func TestGapOfAKind(t *testing.T) {
	b := book(nil)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for i, sym := range []string{"A", "B", "C"} {
		b.Raise(at(i), data(sym))
		expect(t, b, at(i), "No market data: "+sym+" is stale")
	}
	b.Raise(at(3), data("D"))
	b.Raise(at(4), data("E"))
	b.Clear(at(9), StaleData, "E")
	b.Raise(at(12), data("E"))
	b.Clear(at(14), StaleData, "E")
	b.Clear(at(15), StaleData, "A")
	b.Raise(at(16), data("A")) // as it was told: no news
	b.Clear(at(17), StaleData, "B")
	expect(t, b, at(59), "")
	if next, ok := b.Next(at(59)); !ok || !next.Equal(at(60)) {
		t.Errorf("next at %v, %t", next, ok)
	}
	expect(t, b, at(60), "No market data: over, lasted 16s: B is stale | D is stale (since 12:00:03 UTC) | at 12:00:04 UTC, over after 10s (2 times since 12:00:04 UTC): E is stale")
	b.Clear(at(61), StaleData, "A")
	expect(t, b, at(61), "")
	expect(t, b, at(120), "Over: No market data: over, lasted 1m1s: A is stale")
	// Another kind is not held up by this one.
	b.Raise(at(61), Trouble{Kind: Journal, Cause: "disk full"})
	expect(t, b, at(121), "The journal cannot be written: disk full (since 12:01:01 UTC)")
	// After a calm hour there is a burst again, and no more than one.
	for i := range 5 {
		b.Raise(at(4000+i), data(fmt.Sprint("N", i)))
	}
	n := 0
	for i := range 5 {
		n += len(b.Due(at(4000 + i)))
		b.Raise(at(4000+i), data(fmt.Sprint("M", i)))
	}
	if n != 3 {
		t.Errorf("%d messages at once", n)
	}
}

// The hour's budget: a third is kept for urgent kinds, who uses it up says so,
// and what was held back is one message when the hour is over.
func TestBudgetOfAnHour(t *testing.T) {
	b := book(func(c *Config) { c.PerHour, c.Burst = 6, 20 })
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for i := range 3 {
		b.Raise(at(i), data(fmt.Sprint(i)))
		expect(t, b, at(i), fmt.Sprintf("No market data: %d is stale", i))
	}
	b.Raise(at(3), data("3"))
	expect(t, b, at(3), "No market data: 3 is stale | 4 alerts in an hour: until 13:00:00 UTC only urgent ones come, the rest then, in one.")
	b.Raise(at(4), data("4"))
	b.Raise(at(4), Trouble{Kind: Disk, Cause: "little room"})
	expect(t, b, at(4), "")
	b.Raise(at(5), Trouble{Kind: Mode, Cause: "halted"})
	expect(t, b, at(5), "Trading is stopped: halted")
	b.Clear(at(6), Mode, "")
	expect(t, b, at(6), "Over: Trading is stopped: over, lasted 1s: halted | 6 alerts in an hour are enough: until 13:00:00 UTC only an urgent kind that was not heard yet speaks, the rest then, in one.")
	b.Raise(at(7), Trouble{Kind: NeedsRestart, Cause: "it hangs"})
	b.Raise(at(7), Trouble{Kind: Mode, Cause: "halted again"})
	expect(t, b, at(7), "The gateway needs a restart: it hangs") // the first of its kind
	b.Clear(at(8), StaleData, "4")
	expect(t, b, at(8), "")
	if next, ok := b.Next(at(8)); !ok || !next.Equal(at(3600)) {
		t.Errorf("next at %v, %t", next, ok)
	}
	expect(t, b, at(3600), "What was held back: Trading is stopped | halted again (since 12:00:07 UTC) | "+
		"No market data (over) | at 12:00:04 UTC, over after 4s: 4 is stale | The disk is nearly full, or hangs | little room (since 12:00:04 UTC)")
	if h := b.Held(); h[StaleData] != 2 || h[Disk] != 1 || h[NeedsRestart] != 0 || h[Mode] != 1 {
		t.Errorf("held %v", h)
	}
	b.Clear(at(3601), NeedsRestart, "")
	expect(t, b, at(3601), "Over: The gateway needs a restart: over, lasted 59m54s: it hangs")
}

// In quiet hours only urgent kinds are heard; at the end one message says the
// rest, as it then stands.
func TestQuietHours(t *testing.T) {
	b := book(func(c *Config) { c.QuietHours = "22:00-07:00 Europe/Berlin"; c.Off = []string{"clock"} })
	berlin := b.quiet.zone
	night := time.Date(2026, 6, 1, 23, 0, 0, 0, berlin)
	b.Raise(night, data("A"))
	b.Raise(night, data("B"))
	b.Raise(night, Trouble{Kind: Clock, Cause: "wrong"})
	b.Clear(night.Add(time.Minute), StaleData, "B")
	expect(t, b, night.Add(time.Minute), "")
	b.Raise(night.Add(time.Hour), Trouble{Kind: SecondFactor, Cause: "log in"})
	expect(t, b, night.Add(time.Hour), "The gateway waits for a log-in: log in")
	b.Clear(night.Add(2*time.Hour), SecondFactor, "")
	expect(t, b, night.Add(2*time.Hour), "Over: The gateway waits for a log-in: over, lasted 1h0m0s: log in")
	morning := time.Date(2026, 6, 2, 7, 0, 0, 0, berlin)
	if next, ok := b.Next(night.Add(3 * time.Hour)); !ok || !next.Equal(morning) {
		t.Errorf("next at %v, %t", next, ok)
	}
	expect(t, b, morning.Add(-time.Second), "")
	expect(t, b, morning, "What was held back: No market data | A is stale (since 23:00:00 CEST) | at 23:00:00 CEST, over after 1m0s: B is stale")
	b.Clear(morning, StaleData, "A")
	expect(t, b, morning.Add(time.Second), "Over: No market data: over, lasted 8h0m0s: A is stale")
	// The budget spares what urgent kinds need; the night does not spend it.
	if b.said != 2 {
		t.Errorf("%d messages in the hour", b.said)
	}
}

// What is told as an event has no end: it is remembered for an hour, so that it
// is told once, and then forgotten.
func TestEventsAreForgotten(t *testing.T) {
	b := book(nil)
	fault := Trouble{Kind: Other, Key: "bad_fill", Cause: "a fill makes no sense"}
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	for m := range 50 {
		b.Raise(at(m), fault)
		want := ""
		if m == 0 {
			want = "Something went wrong: a fill makes no sense"
		}
		expect(t, b, at(m), want)
	}
	b.Forget(at(108))
	if len(b.On()) != 1 {
		t.Error("forgotten within the hour")
	}
	b.Forget(at(109))
	if len(b.On()) != 0 {
		t.Errorf("on: %+v", b.On())
	}
	b.Raise(at(110), fault)
	expect(t, b, at(110), "Something went wrong: a fill makes no sense")
}

func TestBookHasABound(t *testing.T) {
	b := book(nil)
	for i := range 500 {
		b.Raise(noon, data(fmt.Sprintf("S%03d", i)))
	}
	if n := len(b.On()); n != maxItems {
		t.Errorf("%d are kept", n)
	}
	if got := said(b, noon); !strings.HasSuffix(got, fmt.Sprintf("and %d more, of which nothing is kept: see the dashboard", 500-maxItems)) {
		t.Errorf("said %q", got[len(got)-100:])
	}
}

// heard is what one message did to the budgets.
type heard struct {
	at   time.Time
	kind string
}

// TestStorms: whatever happens, and whenever: no kind and no hour says more than
// it may, the night is quiet, the book never asks to be looked at when it has
// nothing to say, and in the end everything that is on was told, and all that
// is over is gone.
func TestStorms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.Burst = rapid.IntRange(1, 5).Draw(t, "burst")
		cfg.PerHour = rapid.IntRange(3, 40).Draw(t, "per hour")
		cfg.Gap = rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "gap")
		cfg.QuietHours = rapid.SampledFrom([]string{"", "22:00-07:00 Europe/Berlin", "12:00-12:30 America/New_York"}).Draw(t, "quiet")
		b := NewBook(cfg, "here")
		now := noon.Add(rapid.SampledFrom([]time.Duration{0, 9 * time.Hour, -5 * 24 * time.Hour}).Draw(t, "start"))
		var all []heard
		look := func() {
			for _, m := range b.Due(now) {
				all = append(all, heard{now, m.Kind})
				check(t, b, now, m)
			}
			if next, ok := b.Next(now); ok && !next.After(now) {
				t.Fatalf("at %v it has said all and wants to speak at %v", now, next)
			}
		}
		some := []Kind{StaleData, Mode, Disk, NeedsRestart}
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			k, key := rapid.SampledFrom(some).Draw(t, "kind"), fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "key"))
			if rapid.Bool().Draw(t, "on") {
				b.Raise(now, Trouble{Kind: k, Key: key, Cause: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "cause")})
			} else {
				b.Clear(now, k, key)
			}
			look()
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, 20 * time.Minute, 3 * time.Hour}).Draw(t, "wait"))
		}
		bounded(t, cfg, all)
		for range 1000 {
			next, ok := b.Next(now)
			if !ok {
				break
			}
			now = later(now, next)
			look()
		}
		bounded(t, cfg, all)
		for _, s := range b.On() {
			if s.Untold {
				t.Fatalf("never told: %+v", s)
			}
		}
		for k, l := range b.lines {
			for _, i := range l.items {
				if i.news() || !i.over.IsZero() {
					t.Fatalf("left of %s: %+v", k, i)
				}
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// check holds one message against the night.
func check(t *rapid.T, b *Book, now time.Time, m post.Message) {
	if b.quiet.At(now) && m.Kind != "summary" && !b.urgent[Kind(m.Kind)] {
		t.Fatalf("at %v, in quiet hours: %s", now, m.Title)
	}
	if b.quiet.At(now) && m.Kind == "summary" {
		for _, k := range kinds {
			if !k.urgent && strings.Contains(m.Text, k.title) {
				t.Fatalf("at %v, in quiet hours: %s", now, m.Text)
			}
		}
	}
	if m.Text == "" {
		t.Fatalf("%s says nothing", m.Title)
	}
}

// bounded holds all messages against the bounds.
func bounded(t *rapid.T, cfg Config, all []heard) {
	for i, first := range all {
		hour, burst := 0, 0
		for _, m := range all[i:] {
			if m.at.Sub(first.at) < time.Hour {
				hour++
			}
			if m.kind == first.kind && first.kind != "summary" && m.at.Sub(first.at) < cfg.Gap {
				burst++
			}
		}
		// The budget's hours are fixed ones, so an hour laid anywhere meets two; in
		// each, an urgent kind is heard once when it is used up.
		if hour > 2*(cfg.PerHour+len(cfg.Urgent)) || burst > cfg.Burst+1 {
			t.Fatalf("from %v on: %d messages in an hour, %d of %s in a gap", first.at, hour, burst, first.kind)
		}
	}
}

// The window's rule, held against the zone's clocks at each minute of days with
// and without a change of them.
func TestQuietWindow(t *testing.T) {
	days := []time.Time{
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC),  // Berlin: 2:00 becomes 3:00
		time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), // 3:00 becomes 2:00
		time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC),   // New York
		time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 4, 4, 0, 0, 0, 0, time.UTC), // Lord Howe: half an hour
		time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, window := range []string{"22:00-07:00", "02:00-03:00", "02:30-02:45", "00:00-23:59", "23:59-00:00", "01:00-02:30"} {
		for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"} {
			q, err := ParseQuiet(window + " " + zone)
			if err != nil {
				t.Fatal(err)
			}
			from, to, _ := strings.Cut(window, "-")
			for _, day := range days {
				for m := range 26 * 60 {
					at := day.Add(time.Duration(m)*time.Minute + 17*time.Second)
					clock := at.In(q.zone).Format("15:04")
					in := from <= clock && clock < to
					if from > to {
						in = clock >= from || clock < to
					}
					if q.At(at) != in {
						t.Fatalf("%s %s: at %v: %t", window, zone, at.In(q.zone), q.At(at))
					}
					if m%97 != 0 {
						continue
					}
					end := q.Ends(at)
					if q.At(end) || in && (!q.At(end.Add(-time.Second)) || end.Sub(at) > 25*time.Hour) || !in && !end.Equal(at) {
						t.Fatalf("%s %s: at %v it ends at %v", window, zone, at.In(q.zone), end.In(q.zone))
					}
				}
			}
		}
	}
	// The night in which Berlin's clocks are set forward has an hour less.
	q, _ := ParseQuiet("22:00-07:00 Europe/Berlin")
	evening := time.Date(2026, 3, 28, 22, 0, 0, 0, q.zone)
	if d := q.Ends(evening).Sub(evening); d != 8*time.Hour {
		t.Errorf("it lasts %v", d)
	}
	if d := q.Ends(evening.AddDate(0, 0, 210)).Sub(evening.AddDate(0, 0, 210)); d != 10*time.Hour {
		t.Errorf("in autumn it lasts %v", d)
	}
	for _, bad := range []string{"22:00", "22:00-07:00", "22:00-22:00 UTC", "22-07 UTC", "24:00-07:00 UTC", "22:00-07:00 Mars", "22:00-07:00 Local", "9:00-10:00 UTC", "x"} {
		if _, err := ParseQuiet(bad); err == nil || !strings.Contains(err.Error(), "such as") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Each kind has a title of its own, and defaults that exist.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if title := k.title(); title == string(k) || seen[title] {
			t.Errorf("%s has title %q", k, title)
		} else {
			seen[title] = true
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(DefaultConfig().Urgent, "mode") || slices.Contains(DefaultConfig().Urgent, "stale_data") {
		t.Errorf("urgent: %v", DefaultConfig().Urgent)
	}
}
