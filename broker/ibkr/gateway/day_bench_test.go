package gateway

import (
	"runtime"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// BenchmarkDayWithoutClients plays 24 simulated hours without a client, as fast
// as it can. One operation is one day. It tells how fast market time ran, and
// what the memory has grown by after a day.
func BenchmarkDayWithoutClients(b *testing.B) {
	for _, symbols := range [][]market.Symbol{{"AAPL"}, {"AAPL", "MSFT", "SPY", "IBM"}} {
		b.Run(string(symbols[len(symbols)-1]), func(b *testing.B) { playDays(b, symbols) })
	}
}

func playDays(b *testing.B, symbols []market.Symbol) {
	var sources []tape.Source
	for _, symbol := range symbols {
		src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: symbol, Seed: 1, Start: opening})
		if err != nil {
			b.Fatal(err)
		}
		sources = append(sources, src)
	}
	src, err := tape.Merge(sources...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(lockStep(), src, quiet)
	if err != nil {
		b.Fatal(err)
	}
	play := func(d time.Duration) (events int) {
		s.lock()
		defer s.unlock()
		for end := s.next.At.Add(d); s.next.At.Before(end); events++ {
			s.step()
		}
		return events
	}
	play(time.Hour)
	before, events := heap(), 0
	for b.Loop() {
		events += play(24 * time.Hour)
	}
	day := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(86400/day, "market-s/s")
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(int64(heap())-int64(before))/1024/float64(b.N), "KiB-grown/day")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
