package market

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 4, 2, 14, 0, 0, 0, time.UTC)

func tick(k TickKind, price, size string, at time.Duration) Tick {
	return Tick{Symbol: "AAPL", Kind: k, Known: true, Price: MustPrice(price), Size: MustQty(size), At: t0.Add(at)}
}

func TestQuoteApply(t *testing.T) {
	var q Quote
	if _, _, ok := q.Newest(); ok || q.Fresh(t0, time.Hour) {
		t.Error("an empty quote knows a price")
	}
	q = q.Apply(tick(TickBid, "187.24", "3", 0))
	q = q.Apply(tick(TickAsk, "187.26", "4", time.Second))
	q = q.Apply(tick(TickTrade, "187.25", "5", 2*time.Second))
	q = q.Apply(tick(TickVolume, "0", "1000", 3*time.Second))
	q = q.Apply(tick(TickHigh, "190", "0", 3*time.Second))
	if q.Bid.String() != "187.24" || q.AskSize.String() != "4" || q.Last.String() != "187.25" || q.Volume.String() != "1000" || q.Halted {
		t.Errorf("quote %+v", q)
	}
	published := q
	gone := Tick{Symbol: "AAPL", Kind: TickBid, At: t0.Add(4 * time.Second)}
	q = q.Apply(gone)
	if q.Bid != nil || q.BidSize != nil || !q.BidAt.Equal(gone.At) {
		t.Errorf("a bid that the venue took back is %v at %v", q.Bid, q.BidAt)
	}
	if published.Bid == nil || published.Bid.String() != "187.24" {
		t.Error("a published quote changed")
	}
	gone.Kind = TickTrade
	if q = q.Apply(gone); q.Last == nil || !q.LastAt.Equal(t0.Add(2*time.Second)) {
		t.Error("a missing last undid a trade that happened")
	}
	if q = q.Apply(tick(TickHalted, "0", "1", 0)); !q.Halted {
		t.Error("not halted")
	}
	if q = q.Apply(tick(TickHalted, "0", "0", 0)); q.Halted {
		t.Error("still halted")
	}
	d := tick(TickBid, "1", "1", 0)
	d.Delayed = true
	if q = q.Apply(d); !q.Delayed {
		t.Error("delayed data is not marked")
	}
}

func TestNewestAndFresh(t *testing.T) {
	bid, ask, last := tick(TickBid, "1", "1", 0), tick(TickAsk, "2", "1", 0), tick(TickTrade, "3", "1", 0)
	for _, tt := range []struct {
		name  string
		ticks []Tick
		want  string
	}{
		{"tie goes to the last", []Tick{bid, ask, last}, "3"},
		{"then to the bid", []Tick{ask, bid}, "1"},
		{"newer ask", []Tick{bid, last, tick(TickAsk, "9", "1", time.Nanosecond)}, "9"},
		{"one taken back is not known", []Tick{last, {Kind: TickAsk, At: t0.Add(time.Hour)}}, "3"},
	} {
		var q Quote
		for _, t := range tt.ticks {
			q = q.Apply(t)
		}
		if p, _, ok := q.Newest(); !ok || p.String() != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.name, p, ok, tt.want)
		}
	}
	q := Quote{}.Apply(last)
	for age, want := range map[time.Duration]bool{0: true, 5 * time.Second: true, 5*time.Second + 1: false, -time.Second: true} {
		if got := q.Fresh(t0.Add(age), 5*time.Second); got != want {
			t.Errorf("age %v: fresh is %v", age, got)
		}
	}
}

func TestBarMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := rapid.SliceOfN(rapid.Int64Range(-1e10, 1e10), 1, 20).Draw(t, "prices")
		b := Bar{Start: t0}
		lo, hi := prices[0], prices[0]
		for _, p := range prices {
			b = b.Merge(Price{p}, Shares(2))
			lo, hi = min(lo, p), max(hi, p)
		}
		want := Bar{t0, Price{prices[0]}, Price{hi}, Price{lo}, Price{prices[len(prices)-1]}, Shares(int64(2 * len(prices))), len(prices)}
		if b != want {
			t.Fatalf("%+v, want %+v", b, want)
		}
	})
}

func TestTickKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := TickBid; k <= TickHalted; k++ {
		if s := k.String(); s == "unknown" || s == "" || seen[s] {
			t.Errorf("kind %d is called %q", k, s)
		} else {
			seen[s] = true
		}
	}
	if TickKind(0).String() != "unknown" || TickKind(200).String() != "unknown" {
		t.Error("a kind that does not exist has a name")
	}
}

func TestClock(t *testing.T) {
	wall := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return wall.Add(d) }
	var zero Clock
	if !zero.Now(wall).IsZero() {
		t.Error("the zero clock shows a time")
	}
	live := NewClock(t0, wall, 1)
	still := NewClock(t0, wall, 0)
	fast := NewClock(t0, wall, 60)
	for _, tt := range []struct {
		name string
		c    Clock
		wall time.Time
		want time.Time
	}{
		{"live", live, at(3 * time.Second), t0.Add(3 * time.Second)},
		{"a wall clock set back does not turn it back", live, at(-time.Hour), t0},
		{"lock-step stands still", still, at(time.Hour), t0},
		{"fast", fast, at(time.Second), t0.Add(time.Minute)},
		{"advanced", live.Advance(t0.Add(time.Minute), wall), at(time.Second), t0.Add(61 * time.Second)},
		{"a late tick does not turn it back", live.Advance(t0.Add(time.Second), at(time.Minute)), at(time.Minute), t0.Add(time.Minute)},
		{"lock-step advances", still.Advance(t0.Add(time.Minute), wall), at(time.Hour), t0.Add(time.Minute)},
		{"the zero clock begins with a tick", zero.Advance(t0, wall), at(time.Hour), t0},
	} {
		if got := tt.c.Now(tt.wall); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) { // whatever ticks come, market time does not go back
		c, w := NewClock(t0, wall, rapid.SampledFrom([]float64{0, 1, 3}).Draw(t, "speed")), wall
		for range 20 {
			before := c.Now(w)
			w = w.Add(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "gone")))
			c = c.Advance(t0.Add(time.Duration(rapid.Int64Range(-1e10, 1e12).Draw(t, "tick"))), w)
			if c.Now(w).Before(before) {
				t.Fatalf("market time went back from %v to %v", before, c.Now(w))
			}
		}
	})
}
