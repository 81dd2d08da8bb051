package tape

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

func universe(t testing.TB, cfg UniverseConfig, sources ...Source) *Universe {
	t.Helper()
	if cfg.Synthetic.Start.IsZero() {
		cfg.Synthetic.Start = start
	}
	u, err := NewUniverse(cfg, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A symbol's market does not depend on when it was added, nor on the others.
func TestASymbolIsTheSameWheneverAdded(t *testing.T) {
	alone := synthetic(t, "MSFT", 3, start)
	u := universe(t, UniverseConfig{Synthetic: SyntheticConfig{Seed: 3}}, synthetic(t, "AAPL", 3, start))
	take(u, 2000)
	at := u.newest.Add(90 * time.Second)
	for range 2 { // the second time it is played already
		if err := u.Add("MSFT", at); err != nil {
			t.Fatal(err)
		}
	}
	var want, got []Event
	for _, ev := range take(alone, 6000) {
		if !ev.At.Before(at) {
			want = append(want, ev)
		}
	}
	prev := u.newest
	for _, ev := range take(u, 4000) {
		if ev.At.Before(prev) {
			t.Fatalf("time goes back from %v to %v", prev, ev.At)
		}
		if prev = ev.At; ev.Symbol == "MSFT" {
			got = append(got, ev)
		}
	}
	// First the quote that stands at that time.
	list, err := alone.Ticks(TicksQuery{Symbol: "MSFT", Kind: Quote, End: at, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	list[0].At = at
	if d := cmp.Diff(list[0], got[0], exact); d != "" {
		t.Error("the first quote: ", d)
	}
	n := min(len(want), len(got)-1)
	if d := cmp.Diff(want[:n], got[1:1+n], exact); d != "" || n < 500 {
		t.Errorf("%d events: %s", n, d)
	}
	bars := func(p Past) []market.Bar {
		list, err := p.Bars(BarsQuery{Symbol: "MSFT", From: start.AddDate(0, 0, -1), End: at, Width: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if d := cmp.Diff(bars(alone), bars(u), exact); d != "" {
		t.Error("the past: ", d)
	}
}

func TestAddToThePastBeginsNow(t *testing.T) {
	u := universe(t, UniverseConfig{}, synthetic(t, "AAPL", 0, start))
	take(u, 500)
	newest := u.newest
	if err := u.Add("IBM", start); err != nil {
		t.Fatal(err)
	}
	if ev, _ := u.Next(); ev.At.Before(newest) {
		t.Errorf("%v after %v", ev.At, newest)
	}
}

func TestUniverseIsBounded(t *testing.T) {
	u := universe(t, UniverseConfig{MaxSymbols: 3}, synthetic(t, "AAPL", 0, start))
	for _, symbol := range []market.Symbol{"aapl", "TOOLONG", "A1", "", "BRK.BB", "A-B", "A.B.C"} {
		if err := u.Add(symbol, start); !errors.Is(err, ErrNoSymbol) || errors.Is(err, ErrFull) {
			t.Errorf("%q: %v", symbol, err)
		}
	}
	for _, symbol := range []market.Symbol{"BRK B", "BRK.A"} {
		if err := u.Add(symbol, start); err != nil {
			t.Errorf("%q: %v", symbol, err)
		}
	}
	err := u.Add("IBM", start)
	if !errors.Is(err, ErrNoSymbol) || !errors.Is(err, ErrFull) || len(u.Symbols()) != 3 {
		t.Errorf("%v is played, %v", u.Symbols(), err)
	}
	if err := u.Add("AAPL", start); err != nil {
		t.Errorf("a symbol that is played: %v", err)
	}
	if _, err := NewUniverse(UniverseConfig{Synthetic: SyntheticConfig{Start: start}, MaxSymbols: 1}, synthetic(t, "AAPL", 0, start), synthetic(t, "IBM", 0, start)); err == nil {
		t.Error("more symbols than the bound are taken")
	}
	if _, err := NewUniverse(UniverseConfig{Synthetic: SyntheticConfig{Symbol: "AAPL", Start: start}}); err == nil {
		t.Error("a universe of one symbol is taken")
	}
}

func TestAnEmptyUniverse(t *testing.T) {
	u := universe(t, UniverseConfig{})
	if ev, ok := u.Next(); ok {
		t.Errorf("an empty universe plays %+v", ev)
	}
	if !u.Start().Equal(start) || u.Describe() == "" || len(u.Symbols()) != 0 {
		t.Errorf("starts at %v: %s", u.Start(), u.Describe())
	}
	if _, err := u.Hours("AAPL", start); !errors.Is(err, ErrNoSymbol) {
		t.Error(err)
	}
	if err := u.Add("AAPL", start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if ev, ok := u.Next(); !ok || !ev.At.Equal(start.Add(time.Hour)) {
		t.Errorf("%+v, %t", ev, ok)
	}
}

// listed is a source of events at given seconds.
type listed struct {
	symbol market.Symbol
	at     []int
	Source
}

func (l *listed) Next() (Event, bool) {
	if len(l.at) == 0 {
		return Event{}, false
	}
	ev := Event{At: start.Add(time.Duration(l.at[0]) * time.Second), Symbol: l.symbol, Kind: Trade}
	l.at = l.at[1:]
	return ev, true
}

func (l *listed) Symbols() []market.Symbol { return []market.Symbol{l.symbol} }

// However many sources there are: by time, then by their order.
func TestMergeIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sources []Source
		total := 0
		for i := range rapid.IntRange(2, 20).Draw(t, "sources") {
			l := &listed{symbol: market.Symbol(fmt.Sprintf("S%02d", i))}
			at := 0
			for range rapid.IntRange(0, 12).Draw(t, "events") {
				at += rapid.IntRange(0, 3).Draw(t, "gap")
				l.at = append(l.at, at)
				total++
			}
			sources = append(sources, l)
		}
		m, err := Merge(sources...)
		if err != nil {
			t.Fatal(err)
		}
		var prev Event
		for range total {
			ev, ok := m.Next()
			if !ok || ev.At.Before(prev.At) || ev.At.Equal(prev.At) && ev.Symbol < prev.Symbol {
				t.Fatalf("%v %s after %v %s, %t", ev.At, ev.Symbol, prev.At, prev.Symbol, ok)
			}
			prev = ev
		}
		if ev, ok := m.Next(); ok {
			t.Fatalf("one event too many: %+v", ev)
		}
	})
}
