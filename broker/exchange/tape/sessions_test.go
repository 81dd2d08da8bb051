package tape

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

// newYork is a market that begins when New York's clock shows a time such as
// "2026-11-25 12:00".
func newYork(t testing.TB, at string, change func(*SyntheticConfig)) *Synthetic {
	t.Helper()
	zone, err := time.LoadLocation(ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := time.ParseInLocation("2006-01-02 15:04", at, zone)
	if err != nil {
		t.Fatal(err)
	}
	cfg := SyntheticConfig{Symbol: "AAPL", Seed: 5, Start: begin, Sessions: NewYork}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSynthetic(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// day is what was seen of one.
type day struct {
	First, Last   string
	Open, Close   string // the crosses
	regular, thin int
}

func (d *day) see(t *testing.T, ev Event, s *Synthetic) {
	at := ev.At.In(s.zone)
	session, ok := s.cal.Session(at)
	if !ok || at.Before(session.Extended.Open) || !at.Before(session.Extended.Close) {
		t.Fatalf("%v is in no session", at)
	}
	if d.First == "" {
		d.First = at.Format("15:04")
	}
	d.Last = at.Format("15:04")
	if at.Before(session.Regular.Open) || !at.Before(session.Regular.Close) {
		d.thin++
	} else {
		d.regular++
	}
	switch ev.Cross {
	case OpeningCross:
		d.Open = at.Format("15:04:05.000")
	case ClosingCross:
		d.Close = at.Format("15:04:05.000")
	}
	if ev.Cross != NoCross && (ev.Kind != Trade || ev.Size.Less(market.Shares(100_000)) || ev.Price.Sign() <= 0) {
		t.Errorf("a cross is %+v", ev)
	}
}

// Thanksgiving week of 2026: a day, a holiday, a half day, a weekend, a day.
func TestSessionsOfNewYork(t *testing.T) {
	s := newYork(t, "2026-11-24 21:00", nil)
	got := map[string]*day{}
	for {
		ev, ok := s.Next()
		date := ev.At.In(s.zone).Format(time.DateOnly)
		if !ok || date > "2026-11-30" {
			break
		}
		if got[date] == nil {
			got[date] = new(day)
		}
		got[date].see(t, ev, s)
	}
	for date, d := range got {
		if d.regular < 5*d.thin {
			t.Errorf("%s: %d events in the regular session, %d outside: not thin", date, d.regular, d.thin)
		}
		d.regular, d.thin = 0, 0
	}
	want := map[string]*day{
		"2026-11-25": {First: "04:00", Last: "19:59", Open: "09:30:00.000", Close: "15:59:59.999"},
		"2026-11-27": {First: "04:00", Last: "16:59", Open: "09:30:00.000", Close: "12:59:59.999"},
		"2026-11-30": {First: "04:00", Last: "19:59", Open: "09:30:00.000", Close: "15:59:59.999"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(day{})); d != "" {
		t.Error(d)
	}
}

// The crosses are the first and the last trade of the regular session.
func TestCrossesBoundTheSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := SyntheticConfig{
			Symbol: "SPY", Seed: rapid.Uint64().Draw(t, "seed"), Sessions: NewYork, Start: start,
			Busy: rapid.SampledFrom([]int{1, 7}).Draw(t, "busy"), HaltEvery: rapid.IntRange(0, 1).Draw(t, "halts"),
		}
		s, err := NewSynthetic(cfg)
		if err != nil {
			t.Fatal(err)
		}
		one := rapid.SampledFrom(s.cal.Sessions(start.AddDate(0, 0, -20), start.AddDate(0, 0, 20))).Draw(t, "day")
		var regular []Event
		prev := time.Time{}
		for _, middle := range []time.Time{one.Regular.Open, one.Regular.Close} {
			list, err := s.Ticks(TicksQuery{Symbol: "SPY", Kind: Trade, From: middle.Add(-2 * time.Minute), End: middle.Add(2 * time.Minute), Limit: MaxTicks})
			if err != nil {
				t.Fatal(err)
			}
			for _, ev := range list {
				if ev.At.Before(prev) {
					t.Fatalf("%v after %v", ev.At, prev)
				}
				prev = ev.At
				if !ev.At.Before(one.Regular.Open) && ev.At.Before(one.Regular.Close) {
					regular = append(regular, ev)
				} else if ev.Cross != NoCross {
					t.Fatalf("a cross outside of the session: %+v", ev)
				}
			}
		}
		for i, ev := range regular {
			want := NoCross
			switch i {
			case 0:
				want = OpeningCross
			case len(regular) - 1:
				want = ClosingCross
			}
			if ev.Cross != want {
				t.Fatalf("trade %d of %d is %+v", i, len(regular), ev)
			}
		}
	})
}

func TestAStartOutsideSessionsWaits(t *testing.T) {
	for at, want := range map[string]string{
		"2026-11-26 12:00": "2026-11-27 04:00", // a holiday
		"2026-11-25 20:00": "2026-11-27 04:00",
		"2026-11-27 03:59": "2026-11-27 04:00",
		"2026-11-27 17:00": "2026-11-30 04:00", // a half day is over
		"2026-11-27 10:00": "2026-11-27 10:00",
	} {
		s := newYork(t, at, nil)
		ev, ok := s.Next()
		if got := ev.At.In(s.zone).Format("2006-01-02 15:04"); !ok || got != want || ev.Kind != Quote {
			t.Errorf("from %s: first %s %v, want %s", at, got, ev.Kind, want)
		}
	}
}

func TestTheCalendarEnds(t *testing.T) {
	s := newYork(t, "2099-12-30 12:00", nil)
	s.opened = true
	s.stream.start(minuteOf(time.Date(2100, 12, 31, 19, 58, 0, 0, s.zone)))
	for n := 0; ; n++ {
		ev, ok := s.Next()
		if !ok {
			break
		}
		if n > 1000 {
			t.Fatal("the market goes on beyond the calendar, at ", ev.At)
		}
	}
}

// The stream and the past agree about sessions and hours.
func TestHoursOfNewYork(t *testing.T) {
	s := newYork(t, "2026-11-25 12:00", nil)
	h, err := s.Hours("AAPL", s.Start())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.Liquid[:4].Format(h.Zone), "20261124:0930-20261124:1600;20261125:0930-20261125:1600;20261127:0930-20261127:1300;20261130:0930-20261130:1600"; got != want {
		t.Errorf("hours %s, want %s", got, want)
	}
	sessions, err := s.Sessions("AAPL", s.Start(), s.Start().AddDate(0, 0, 5))
	if err != nil || len(sessions) != 2 || !sessions[0].Early || sessions[1].Early {
		t.Errorf("%+v, %v", sessions, err)
	}
	always := synthetic(t, "AAPL", 1, start)
	whole, err := always.Sessions("AAPL", start, start.AddDate(0, 0, 5))
	if err != nil || len(whole) != 5 || whole[0].Regular != whole[0].Extended || whole[0].Regular.Close.Sub(whole[0].Regular.Open) != 24*time.Hour {
		t.Errorf("%+v, %v", whole, err)
	}
	for i := 1; i < len(whole); i++ {
		if !whole[i].Regular.Open.Equal(whole[i-1].Regular.Close) {
			t.Errorf("a gap before %v", whole[i].Date)
		}
	}
}

func TestHalts(t *testing.T) {
	for sessions, want := range map[Sessions]int{AlwaysOpen: 5, NewYork: 4} { // Thanksgiving
		s := newYork(t, "2026-11-23 09:00", func(c *SyntheticConfig) { c.Sessions, c.HaltEvery = sessions, 1 })
		halts, resumes := 0, 0
		var since time.Time
		for {
			ev, ok := s.Next()
			if !ok || ev.At.In(s.zone).Format(time.DateOnly) > "2026-11-27" {
				break
			}
			clock := ev.At.In(s.zone).Format("15:04:05.000")
			switch {
			case ev.Kind == Halt:
				halts, since = halts+1, ev.At
				if clock < "10:00" || clock > "15:25" || !ev.At.Equal(ev.At.Truncate(time.Minute)) {
					t.Errorf("%v: halted at %s", sessions, clock)
				}
			case ev.Kind == Resume:
				if resumes++; ev.At.Sub(since) != haltMinutes*time.Minute {
					t.Errorf("%v: halted for %v", sessions, ev.At.Sub(since))
				}
				since = time.Time{}
			case !since.IsZero():
				t.Fatalf("%v: %v at %s, halted since %v", sessions, ev.Kind, clock, since)
			}
		}
		if halts != want || resumes != want {
			t.Errorf("%v: %d halts and %d resumes in the week, want %d", sessions, halts, resumes, want)
		}
	}
}

// Who begins within a halt is told of it.
func TestABeginningInAHalt(t *testing.T) {
	s := newYork(t, "2026-11-23 09:00", func(c *SyntheticConfig) { c.HaltEvery = 1 })
	halt := s.plan(minuteOf(s.cfg.Start)).halt
	u := universe(t, UniverseConfig{Synthetic: SyntheticConfig{Seed: 5, Start: s.cfg.Start, Sessions: NewYork, HaltEvery: 1}})
	at := minuteTime(halt.from + 2).Add(time.Second)
	if err := u.Add("AAPL", at); err != nil {
		t.Fatal(err)
	}
	evs := take(u, 3)
	if evs[0].Kind != Quote || evs[1].Kind != Halt || !evs[1].At.Equal(at) || evs[2].Kind != Resume || !evs[2].At.Equal(minuteTime(halt.to)) {
		t.Errorf("begins with %+v", evs)
	}
}

func TestBusyMultiplies(t *testing.T) {
	rate := func(busy int) float64 {
		s, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: start, Busy: busy})
		if err != nil {
			t.Fatal(err)
		}
		evs := take(s, 3000*max(1, busy))
		for i := 1; i < len(evs); i++ {
			if evs[i].At.Before(evs[i-1].At) {
				t.Fatalf("busy %d goes back at %d", busy, i)
			}
		}
		return float64(len(evs)) / evs[len(evs)-1].At.Sub(start).Seconds()
	}
	one := rate(1)
	for _, busy := range []int{10, 100} {
		if got := rate(busy) / one; got < 0.9*float64(busy) || got > 1.1*float64(busy) {
			t.Errorf("busy %d makes %.1f times the events", busy, got)
		}
	}
	if rate(0) != one {
		t.Error("busy 0 is not 1")
	}
}

func TestSyntheticConfigIsChecked(t *testing.T) {
	good := SyntheticConfig{Symbol: "AAPL", Start: start}
	for name, change := range map[string]func(*SyntheticConfig){
		"symbol":             func(c *SyntheticConfig) { c.Symbol = "a" },
		"too early":          func(c *SyntheticConfig) { c.Start = start.AddDate(-60, 0, 0) },
		"too late":           func(c *SyntheticConfig) { c.Start = start.AddDate(200, 0, 0) },
		"beyond the rules":   func(c *SyntheticConfig) { c.Sessions, c.Start = NewYork, start.AddDate(100, 0, 0) },
		"sessions":           func(c *SyntheticConfig) { c.Sessions = 7 },
		"busy":               func(c *SyntheticConfig) { c.Busy = MaxBusy + 1 },
		"less than not busy": func(c *SyntheticConfig) { c.Busy = -1 },
		"halts":              func(c *SyntheticConfig) { c.HaltEvery = -1 },
	} {
		c := good
		change(&c)
		if _, err := NewSynthetic(c); err == nil {
			t.Errorf("%s: %+v is taken", name, c)
		}
		c.Symbol = ""
		if _, err := NewUniverse(UniverseConfig{Synthetic: c}); (err == nil) != (name == "symbol") {
			t.Errorf("%s: a universe of %+v: %v", name, c, err)
		}
	}
	for _, s := range []Sessions{AlwaysOpen, NewYork} {
		if got, err := ParseSessions(s.String()); got != s || err != nil {
			t.Errorf("%v is read as %v, %v", s, got, err)
		}
	}
	if _, err := ParseSessions("sometimes"); err == nil {
		t.Error("bad sessions are taken")
	}
}

// A quote stands through a halt, for who asks from within it, too.
func TestQuotesStandInAHalt(t *testing.T) {
	s := newYork(t, "2026-11-23 09:00", func(c *SyntheticConfig) { c.HaltEvery = 1 })
	halt := s.plan(minuteOf(s.cfg.Start)).halt
	last, err := s.Ticks(TicksQuery{Symbol: "AAPL", Kind: Quote, End: minuteTime(halt.from), Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for from := halt.from; from < halt.to; from++ {
		bars, err := s.Bars(BarsQuery{Symbol: "AAPL", From: minuteTime(from), End: minuteTime(halt.to), Width: time.Minute, Show: ShowAsk})
		if err != nil || len(bars) != int(halt.to-from) {
			t.Fatalf("%d bars from minute %d of the halt on, %v", len(bars), from-halt.from, err)
		}
		for _, b := range bars {
			if b.Low != last[0].Ask.Price || b.High != last[0].Ask.Price {
				t.Errorf("%+v in a halt, the ask stood at %v", b, last[0].Ask.Price)
			}
		}
	}
}
