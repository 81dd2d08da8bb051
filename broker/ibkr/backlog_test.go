package ibkr

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Whatever comes: trades keep order and count, of everything else the newest
// is there, and what is pending stays bounded by trades and kinds.
func TestBacklogPolicy(t *testing.T) {
	symbols := []market.Symbol{"AAPL", "IBM", "MSFT"}
	rapid.Check(t, func(rt *rapid.T) {
		var q backlog
		var trades []market.Tick
		type key struct {
			s market.Symbol
			k market.TickKind
		}
		newest := map[key]market.Tick{}
		n := rapid.IntRange(0, 6000).Draw(rt, "ticks")
		heavy := rapid.IntRange(1, 20).Draw(rt, "one trade in")
		seed := rapid.Uint64().Draw(rt, "seed")
		for i := range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			tick := market.Tick{Symbol: symbols[seed>>40%3], Kind: market.TickKind(seed>>50%9) + 1, Size: market.Shares(int64(i))}
			if seed>>33%uint64(heavy) == 0 {
				tick.Kind = market.TickTrade
			}
			if tick.Kind == market.TickTrade {
				trades = append(trades, tick)
			}
			newest[key{tick.Symbol, tick.Kind}] = tick
			q.add(&broker.Batch{Ticks: []market.Tick{tick}, TickFrames: 1})
			if limit := max(conflateFrom, 2*(len(trades)+30)); len(q.batch.Ticks) > limit {
				rt.Fatalf("%d ticks pending, of which %d trades", len(q.batch.Ticks), len(trades))
			}
		}
		b, some := q.take()
		if some != (n > 0) || b.TickFrames != uint64(n) {
			rt.Fatalf("some %v, %d frames, want %d", some, b.TickFrames, n)
		}
		var kept []market.Tick
		last := map[key]market.Tick{}
		for _, tick := range b.Ticks {
			if tick.Kind == market.TickTrade {
				kept = append(kept, tick)
			}
			last[key{tick.Symbol, tick.Kind}] = tick
		}
		if diff := cmp.Diff(trades, kept, exact, exactQty); diff != "" {
			rt.Fatal(diff)
		}
		if diff := cmp.Diff(newest, last, exact, exactQty); n > 0 && diff != "" {
			rt.Fatal(diff)
		}
		if _, some := q.take(); some {
			rt.Fatal("something is left")
		}
	})
}

// With 65,536 trades pending the reader stops, says so, and goes on when they
// are fetched: none is lost.
func TestTheReaderStopsWhenNobodyFetches(t *testing.T) {
	const sent = maxPending + 5000
	var wrote int
	live(t, func(p *peer) {
		p.next()
		b := p.frames(price("187.25", 1, wire.TickLast))
		for wrote = 0; wrote < sent; wrote++ {
			p.raw(b)
		}
	}, func(t *testing.T, s *Session) {
		if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if wrote < maxPending || wrote > maxPending+2 {
			t.Fatalf("the gateway could write %d trades, want %d and a few", wrote, maxPending)
		}
		time.Sleep(time.Hour)
		trades, notices := 0, 0
		for trades < sent {
			b, err := s.Events(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			trades += len(b.Ticks)
			notices += len(b.Events)
			if b.TickFrames != uint64(trades) {
				t.Errorf("%d frames told with %d trades", b.TickFrames, trades)
			}
		}
		if trades != sent || notices != 1 {
			t.Errorf("%d trades and %d notices, want %d and 1", trades, notices, sent)
		}
	})
}

// Closing must not wait for somebody to fetch.
func TestCloseWhileTheReaderStands(t *testing.T) {
	live(t, func(p *peer) {
		p.next()
		b := p.frames(price("187.25", 1, wire.TickLast))
		for range maxPending + 100 {
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		}
	}, func(t *testing.T, s *Session) {
		if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	})
}

func TestRecent(t *testing.T) {
	var r recent
	for n := range int64(5000) {
		r.put(n)
		r.put(n)
	}
	if len(r.set) != 4096 || len(r.ring) != 4096 || r.has(903) || !r.has(904) || !r.has(4999) {
		t.Errorf("%d kept, 903 %v, 904 %v", len(r.set), r.has(903), r.has(904))
	}
}

// FuzzReader gives the reader any bytes behind a handshake: it neither
// panics nor hangs, and nothing is left running.
func FuzzReader(f *testing.F) {
	p := &peer{v: 200}
	f.Add(p.frames(openOrder(1, "Filled"), execution(-1, "a"), commission("a")))
	f.Add(p.frames(price("1", 1, wire.TickLast), size(1, wire.TickLastSize), wire.TickString{ReqID: 1 << 30, Type: 45, Text: []byte("1.5")}))
	f.Add(p.frames(wire.ErrMsg{RequestID: 1 << 30, Code: 200, Text: "x"}, wire.PositionEnd{}, wire.OpenOrderEnd{}))
	f.Add([]byte{0, 0, 0, 2, '5', 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		live(t, func(p *peer) {
			p.next()
			_, _ = p.conn.Write(b)
			p.conn.Close()
		}, func(t *testing.T, s *Session) {
			_ = s.Subscribe(t.Context(), market.USStock("AAPL"))
			for {
				if _, err := s.Events(t.Context()); err != nil {
					return
				}
			}
		})
	})
}

func BenchmarkTick(b *testing.B) {
	p := &peer{v: 200}
	frame := p.frames(price("187.25", 3, wire.TickBid))[4:]
	s := newSession(DefaultConfig(), quiet(), nil, pace.NewBudget(45, 5))
	s.v = 200
	s.editSubs(func(m map[int]*subscription) { m[1<<30] = &subscription{symbol: "AAPL"} })
	s.readAt = time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.dispatch(frame)
		s.batch.Ticks = s.batch.Ticks[:0]
	}
}
