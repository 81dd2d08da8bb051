package feed

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func barLine(b wire.Bar) string {
	volume := "-"
	if b.Volume != nil {
		volume = b.Volume.String()
	}
	return fmt.Sprint(b.Date, " ", b.Open, " ", b.High, " ", b.Low, " ", b.Close, " ", volume, " ", b.Trades)
}

// TestKeptBarsAreALaterHistory compares the last update of each bar with what
// the history says afterwards.
func TestKeptBarsAreALaterHistory(t *testing.T) {
	for _, what := range []string{"TRADES", "MIDPOINT", "BID", "ASK"} {
		for _, size := range []string{"5 secs", "1 min", "3 mins", "1 day"} {
			t.Run(what+" "+size, func(t *testing.T) {
				r := newRig(t, universe(t, nil), nil)
				p := r.join()
				r.play(100 * time.Second)
				kept := askBars()
				kept.WhatToShow, kept.BarSize, kept.KeepUpToDate, kept.Duration = what, size, true, "900 S"
				if size == "1 day" {
					kept.Duration = "1 D"
				}
				seen := map[string]string{}
				order := []string{}
				note := func(b wire.Bar) {
					if _, ok := seen[b.Date]; !ok {
						order = append(order, b.Date)
					}
					seen[b.Date] = barLine(b)
				}
				for _, b := range of[wire.HistoricalData](r.ask(p, kept))[0].Bars {
					note(b)
				}
				r.play(7*time.Minute + 1300*time.Millisecond)
				updates := of[wire.HistoricalDataUpdate](p.take())
				for _, u := range updates {
					note(u.Bar)
				}
				if len(updates) < 50 {
					t.Errorf("%d updates", len(updates))
				}
				// Told are changes every five seconds, so the question ends there.
				later := askBars()
				later.ReqID, later.WhatToShow, later.BarSize, later.Duration = 9, what, size, kept.Duration
				later.EndDateTime = r.v.At.Truncate(5 * time.Second).UTC().Format("20060102-15:04:05")
				bars := of[wire.HistoricalData](r.ask(p, later))[0].Bars
				bars = bars[len(bars)-min(len(bars), len(order)):]
				var want, got []string
				for _, b := range bars {
					want = append(want, barLine(b))
				}
				for _, date := range order[len(order)-len(bars):] {
					got = append(got, seen[date])
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				r.ask(p, wire.CancelHistoricalData{ReqID: 8})
				r.play(time.Minute)
				if got := p.take(); len(got) != 0 {
					t.Errorf("after the cancel: %v", names(got))
				}
			})
		}
	}
}

// TestKeptBarsMissNothingMeanwhile answers a question long after it was asked.
func TestKeptBarsMissNothingMeanwhile(t *testing.T) {
	r := newRig(t, universe(t, nil), nil)
	p := r.join()
	var work []func() func()
	r.v.Later = func(_ venue.Peer, w func() func()) bool { work = append(work, w); return true }
	r.play(100 * time.Second)
	kept := askBars()
	kept.KeepUpToDate = true
	if got := r.ask(p, kept); len(got) != 0 {
		t.Fatalf("answered at once: %v", names(got))
	}
	r.play(5 * time.Minute)
	if got := p.take(); len(got) != 0 {
		t.Fatalf("updates before the answer: %v", names(got))
	}
	work[0]()()
	seen := map[string]string{}
	list := p.take()
	for _, b := range of[wire.HistoricalData](list)[0].Bars {
		seen[b.Date] = barLine(b)
	}
	for _, u := range of[wire.HistoricalDataUpdate](list) {
		seen[u.Bar.Date] = barLine(u.Bar)
	}
	r.v.Later = nil
	later := askBars()
	later.ReqID = 9
	for _, b := range of[wire.HistoricalData](r.ask(p, later))[0].Bars {
		if b.Date >= "20260409 09:35" && seen[b.Date] != barLine(b) {
			t.Errorf("got %q, want %q", seen[b.Date], barLine(b))
		}
	}
}

func TestCancelBeforeTheAnswer(t *testing.T) {
	r := newRig(t, universe(t, nil), nil)
	p := r.join()
	var work []func() func()
	r.v.Later = func(_ venue.Peer, w func() func()) bool {
		if len(work) == 2 {
			return false
		}
		work = append(work, w)
		return true
	}
	r.ask(p, askBars())
	if got := r.ask(p, askBars()); code(got) != 322 {
		t.Errorf("the same id twice: %v", got)
	}
	if got := r.ask(p, wire.CancelHistoricalData{ReqID: 8}); code(got) != 162 || !containsText(got[0].(wire.ErrMsg).Text, "query cancelled: 8") {
		t.Errorf("cancel: %v", got)
	}
	r.ask(p, askBars()) // the id is free again
	work[0]()()
	if got := p.take(); len(got) != 0 {
		t.Errorf("a cancelled question was answered: %v", names(got))
	}
	again := askBars()
	again.ReqID = 9
	if got := r.ask(p, again); code(got) != 162 || !containsText(got[0].(wire.ErrMsg).Text, "pacing violation") {
		t.Errorf("too many: %v", got)
	}
	work[1]()()
	if got := of[wire.HistoricalData](p.take()); len(got) != 1 {
		t.Errorf("%d answers", len(got))
	}
}

// TestRealTimeBarsAreThePast compares running bars with history of 5 seconds.
func TestRealTimeBarsAreThePast(t *testing.T) {
	for _, what := range []string{"TRADES", "MIDPOINT", "BID", "ASK"} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, universe(t, nil), nil)
			p := r.join()
			r.play(7 * time.Second)
			asked := r.v.At
			r.ask(p, wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), BarSize: 5, WhatToShow: what})
			r.play(10 * time.Minute)
			var got []string
			next := asked.Truncate(5 * time.Second).Add(5 * time.Second).Unix()
			for _, b := range of[wire.RealTimeBar](p.take()) {
				if b.Time != next {
					t.Fatalf("bar of %d, want %d", b.Time, next)
				}
				next += 5
				if b.Trades == 0 {
					continue // nothing was traded: told, and not a bar of the past
				}
				got = append(got, fmt.Sprint(b.Time, b.Open, b.High, b.Low, b.Close, b.Trades))
			}
			past, err := r.f.past.Bars(tape.BarsQuery{
				Symbol: "AAPL", From: asked, End: r.v.At.Truncate(5 * time.Second), Width: 5 * time.Second, Show: shows[what],
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, b := range past {
				trades := b.Trades
				if what != "TRADES" {
					trades = -1
				}
				want = append(want, fmt.Sprint(b.Start.Unix(), b.Open, b.High, b.Low, b.Close, trades))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRealTimeBarsOfSilence(t *testing.T) {
	r := quietRig(t, nil)
	p := r.join()
	r.ask(p, wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), WhatToShow: "TRADES"})
	r.apply(tradeAt(thursday.Add(time.Second), "187.25", 100))
	r.moveTo(thursday.Add(20 * time.Second))
	for i, b := range of[wire.RealTimeBar](p.take()) {
		if b.Trades != 0 || b.Close.String() != "187.25" || !b.Volume.IsZero() || b.Time != thursday.Unix()+int64(5+5*i) {
			t.Errorf("bar %d: %+v", i, b)
		}
	}
	r.moveTo(thursday.Add(3 * time.Hour))
	if got := p.take(); len(got) != 1 { // the one that ran
		t.Errorf("three silent hours are %d bars", len(got))
	}
}

func TestSpans(t *testing.T) {
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	newYork := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tt := range []struct{ sessions, span, end, want string }{
		{"new_york", "1 D", "2026-04-09 10:00", "2026-04-09 00:00"},
		{"new_york", "1 D", "2026-04-09 03:00", "2026-04-08 00:00"}, // the day has not begun
		{"new_york", "2 D", "2026-04-13 10:00", "2026-04-10 00:00"}, // a weekend between
		{"new_york", "2 D", "2026-04-12 10:00", "2026-04-09 00:00"}, // on a Sunday
		{"new_york", "3 D", "2026-04-06 12:00", "2026-04-01 00:00"}, // Good Friday was the 3rd
		{"new_york", "1 W", "2026-04-09 10:00", "2026-04-02 10:00"},
		{"new_york", "1 M", "2026-04-09 10:00", "2026-03-09 10:00"},
		{"new_york", "2 Y", "2026-04-09 10:00", "2024-04-09 10:00"},
		{"new_york", "90 S", "2026-04-09 10:00", "2026-04-09 09:58"},
		{"always", "2 D", "2026-04-09 10:00", "2026-04-07 10:00"},
	} {
		sessions, err := tape.ParseSessions(tt.sessions)
		if err != nil {
			t.Fatal(err)
		}
		src := universe(t, func(c *tape.SyntheticConfig) { c.Sessions = sessions })
		s, err := parseSpan(tt.span)
		if err != nil {
			t.Fatal(err)
		}
		got := s.from(tape.PastOf(src), "AAPL", newYork(tt.end), zone).In(zone).Format("2006-01-02 15:04")
		if got != tt.want {
			t.Errorf("%s, %s before %s: %s, want %s", tt.sessions, tt.span, tt.end, got, tt.want)
		}
	}
}

func TestHistoryOfSessions(t *testing.T) {
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork }), nil)
	p := r.join()
	m := askBars()
	m.BarSize, m.Duration, m.WhatToShow, m.RegularOnly = "1 day", "3 D", "SCHEDULE", true
	m.EndDateTime = "20260406 12:00:00 US/Eastern"
	got := of[wire.HistoricalSchedule](r.ask(p, m))[0]
	want := wire.HistoricalSchedule{
		ReqID: 8, Start: "20260401-09:30:00", End: "20260406-16:00:00", TimeZone: "US/Eastern",
		Sessions: []wire.ScheduleSession{
			{Start: "20260401-09:30:00", End: "20260401-16:00:00", RefDate: "20260401"},
			{Start: "20260402-09:30:00", End: "20260402-16:00:00", RefDate: "20260402"},
			{Start: "20260406-09:30:00", End: "20260406-16:00:00", RefDate: "20260406"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The first hour of a regular session is told from the open on, as in the
	// recorded frame of the vectors.
	m.BarSize, m.Duration, m.WhatToShow, m.EndDateTime = "1 hour", "1 D", "TRADES", "20260402 23:00:00 US/Eastern"
	var dates []string
	for _, b := range of[wire.HistoricalData](r.ask(p, m))[0].Bars {
		dates = append(dates, b.Date)
	}
	wantDates := []string{}
	for _, clock := range []string{"09:30", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00"} {
		wantDates = append(wantDates, "20260402 "+clock+":00 US/Eastern")
	}
	if diff := cmp.Diff(wantDates, dates); diff != "" {
		t.Error(diff)
	}
	m.BarSize, m.Duration = "1 day", "10 D"
	if n := len(of[wire.HistoricalData](r.ask(p, m))[0].Bars); n != 10 {
		t.Errorf("10 D are %d daily bars", n)
	}
}

// TestLongQuestionsAreOneQuestion compares an answer that is looked up in parts
// with what the past says to the whole question.
func TestLongQuestionsAreOneQuestion(t *testing.T) {
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork }), nil)
	p := r.join()
	for _, size := range []string{"4 hours", "1 day", "1W", "1M"} {
		for _, what := range []string{"TRADES", "BID"} {
			m := askBars()
			m.BarSize, m.Duration, m.WhatToShow = size, "4 M", what
			got := of[wire.HistoricalData](r.ask(p, m))[0].Bars
			want, err := r.f.past.Bars(tape.BarsQuery{
				Symbol: "AAPL", From: thursday.In(r.v.Zone).AddDate(0, -4, 0), End: thursday, Width: barSizes[size], Show: shows[what],
			})
			if err != nil {
				t.Fatal(err)
			}
			same := len(got) == len(want)
			for i := range got {
				same = same && got[i].Open == want[i].Open && got[i].High == want[i].High && got[i].Low == want[i].Low && got[i].Close == want[i].Close
			}
			if !same {
				t.Errorf("%s of %s: %d bars, want %d, or not the same", what, size, len(got), len(want))
			}
		}
	}
}

// TestWorkEndsWithItsQuestion stops a long look-up when its question is
// cancelled.
func TestWorkEndsWithItsQuestion(t *testing.T) {
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork }), nil)
	p := r.join()
	counted := &countedPast{Past: r.f.past}
	r.f.past = counted
	var work func() func()
	r.v.Later = func(_ venue.Peer, w func() func()) bool { work = w; return true }
	m := askBars()
	m.BarSize, m.Duration = "1 day", "10 Y"
	r.ask(p, m)
	counted.then = func() { r.ask(p, wire.CancelHistoricalData{ReqID: 8}) }
	work()()
	if counted.bars != 1 {
		t.Errorf("%d parts were looked up for nobody", counted.bars)
	}
	if got := p.take(); len(got) != 0 {
		t.Errorf("told: %v", names(got))
	}
}

// countedPast counts the questions for bars, and does something at each.
type countedPast struct {
	tape.Past
	bars int
	then func()
}

func (c *countedPast) Bars(q tape.BarsQuery) ([]market.Bar, error) {
	c.bars++
	c.then()
	c.then = func() {}
	return c.Past.Bars(q)
}

func TestNobodySeesTheFuture(t *testing.T) {
	r := newRig(t, universe(t, nil), nil)
	p := r.join()
	r.play(time.Minute)
	m := askBars()
	m.EndDateTime = "20270101-00:00:00"
	future := of[wire.HistoricalData](r.ask(p, m))[0]
	m.EndDateTime = ""
	if diff := cmp.Diff(of[wire.HistoricalData](r.ask(p, m))[0], future, cmp.Comparer(func(a, b market.Price) bool { return a == b }), cmp.Comparer(func(a, b market.Qty) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	ticks := of[wire.HistoricalTicksLast](r.ask(p, wire.ReqHistoricalTicks{
		ReqID: 1, Contract: aapl(), Start: r.v.At.Add(-time.Second).UTC().Format("20060102-15:04:05"), Ticks: 1000, WhatToShow: "TRADES",
	}))[0]
	for _, tick := range ticks.Ticks {
		if tick.Time >= r.v.At.Unix()+1 {
			t.Errorf("a tick of %d, and it is %d", tick.Time, r.v.At.Unix())
		}
	}
}

// TestHistoricalTicksComeWholeSeconds pages through a past by the last time, as
// clients do, and misses nothing.
func TestHistoricalTicksComeWholeSeconds(t *testing.T) {
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Busy = 20 }), nil)
	p := r.join()
	begin := thursday.Add(-time.Minute)
	var got []string
	for at := begin; at.Before(thursday); {
		list := of[wire.HistoricalTicksLast](r.ask(p, wire.ReqHistoricalTicks{
			ReqID: 1, Contract: aapl(), Start: at.UTC().Format("20060102-15:04:05"), Ticks: 50, WhatToShow: "TRADES",
		}))[0]
		if len(list.Ticks) == 0 || !list.Done {
			break
		}
		for _, m := range list.Ticks {
			got = append(got, fmt.Sprint(m.Time, m.Price, m.Size))
		}
		at = time.Unix(list.Ticks[len(list.Ticks)-1].Time+1, 0)
	}
	past, err := r.f.past.Ticks(tape.TicksQuery{Symbol: "AAPL", Kind: tape.Trade, From: begin, End: thursday, Limit: tape.MaxTicks})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, ev := range past {
		want = append(want, fmt.Sprint(ev.At.Unix(), ev.Price, ev.Size))
	}
	if len(want) < 500 {
		t.Fatalf("only %d trades", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPacing(t *testing.T) {
	at := time.Now()
	ask := func(after time.Duration, whole, kind string, weight int) question {
		return question{at.Add(after), whole, kind, weight}
	}
	for name, tt := range map[string]struct {
		asks  []question
		wants []bool
	}{
		"the same within 15 s": {
			[]question{ask(0, "a", "k", 1), ask(14*time.Second, "a", "k", 1), ask(15*time.Second, "a", "k", 1)},
			[]bool{true, false, true},
		},
		"quotes count twice": {
			[]question{ask(0, "a", "k", 2), ask(1, "b", "k", 2), ask(2, "c", "k", 2), ask(3, "d", "k", 2), ask(4, "e", "other", 2)},
			[]bool{true, true, true, false, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p pacing
			for i, q := range tt.asks {
				if got := p.allow(q); got != tt.wants[i] {
					t.Errorf("question %d: %v", i, got)
				}
			}
		})
	}
	var p pacing
	allowed := 0
	for i := range 100 {
		if p.allow(ask(time.Duration(i)*time.Second, fmt.Sprint(i), fmt.Sprint(i), 1)) {
			allowed++
		}
	}
	if allowed != 60 || len(p.asked) != 60 {
		t.Errorf("%d in ten minutes, %d remembered", allowed, len(p.asked))
	}
	if !p.allow(ask(11*time.Minute, "z", "z", 1)) {
		t.Error("ten minutes later it is still refused")
	}
}

func TestPacingAppliesToSmallBars(t *testing.T) {
	r := newRig(t, universe(t, nil), func(c *Config) { c.LockStep = false })
	p := r.join()
	small := askBars()
	small.BarSize, small.Duration = "30 secs", "600 S"
	if got := r.ask(p, small); code(got) != 0 {
		t.Fatal(got)
	}
	if got := r.ask(p, small); code(got) != 162 || !containsText(got[0].(wire.ErrMsg).Text, "pacing violation") {
		t.Errorf("the same again: %v", names(got))
	}
	for range 20 { // bars of a minute are not paced
		if got := r.ask(p, askBars()); code(got) != 0 {
			t.Fatal(got)
		}
	}
	r.f.cfg.HistoryPacing = false
	if got := r.ask(p, small); code(got) != 0 {
		t.Errorf("with pacing off: %v", names(got))
	}
}
