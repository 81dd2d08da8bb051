package tape

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker/market"
)

func BenchmarkSyntheticNext(b *testing.B) {
	s := synthetic(b, "AAPL", 1, start)
	b.ReportAllocs()
	for range b.N {
		s.Next()
	}
}

// hundred is a universe of a hundred symbols, each with so many times the
// events.
func hundred(b *testing.B, busy int) *Universe {
	b.Helper()
	u, err := NewUniverse(UniverseConfig{Synthetic: SyntheticConfig{Seed: 1, Start: start, Busy: busy}})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		symbol := market.Symbol(fmt.Sprintf("%c%c", 'A'+i/10, 'A'+i%10))
		if err := u.Add(symbol, start); err != nil {
			b.Fatal(err)
		}
	}
	return u
}

// One event of a hundred symbols, at about 20,000 a second of market time: the
// benchmark's events a second over that is how much faster than time it plays.
func BenchmarkNextOfHundredSymbols(b *testing.B) {
	u := hundred(b, 70)
	for range 1000 {
		u.Next()
	}
	b.ReportAllocs()
	from := u.newest
	for b.Loop() {
		u.Next()
	}
	gone := u.newest.Sub(from)
	b.ReportMetric(float64(b.N)/gone.Seconds(), "events/market-s")
	b.ReportMetric(gone.Seconds()/b.Elapsed().Seconds(), "times-real")
}

func BenchmarkDayOfMinutes(b *testing.B) {
	s := synthetic(b, "AAPL", 1, start)
	b.ReportAllocs()
	for range b.N {
		if _, err := s.History("AAPL", start, 24*time.Hour, time.Minute, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkYear(b *testing.B) {
	for _, sessions := range []Sessions{AlwaysOpen, NewYork} {
		for _, show := range []Show{ShowTrades, ShowBid, ShowBidAsk} {
			for _, width := range []time.Duration{24 * time.Hour, time.Hour} {
				b.Run(fmt.Sprintf("%v/%v/%v", sessions, show, width), func(b *testing.B) {
					b.ReportAllocs()
					for range b.N { // a market of its own: nothing is remembered
						s, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: start, Sessions: sessions})
						if err != nil {
							b.Fatal(err)
						}
						bars, err := s.Bars(BarsQuery{Symbol: "AAPL", From: start.AddDate(-1, 0, 0), End: start, Width: width, Show: show})
						if err != nil || len(bars) < 250 {
							b.Fatal(len(bars), err)
						}
					}
				})
			}
		}
	}
}
