package gateway

import (
	"runtime"
	"testing"
	"testing/synctest"
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

// At speed 400 a day without a client takes 216 s, and nothing of it is left
// out: the exchange has seen the time that the clock shows.
func TestADayWithoutClientsAtSpeed400(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: opening})
		if err != nil {
			t.Fatal(err)
		}
		counted := &counting{Source: src}
		cfg := DefaultConfig()
		cfg.Speed = 400
		s, err := New(cfg, counted, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(newPipeListener()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(216 * time.Second)
		now := s.Now()
		s.lock()
		seen := s.v.At
		s.unlock()
		if want := opening.Add(24 * time.Hour); !now.Equal(want) || want.Sub(seen) > 10*time.Second {
			t.Errorf("market time is %v and the exchange saw %v, want %v", now, seen, want)
		}
		if counted.events < 86_400 {
			t.Errorf("%d events in a day", counted.events)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// counting counts what is played.
type counting struct {
	tape.Source
	events int
}

func (c *counting) Next() (tape.Event, bool) {
	c.events++
	return c.Source.Next()
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
