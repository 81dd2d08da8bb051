package tape

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

var start = time.Date(2026, 4, 6, 13, 29, 47, 123_456_789, time.UTC) // a minute begun, 09:29 in New York

// exact lets values with unexported numbers be compared.
var exact = cmpopts.EquateComparable(market.Price{}, market.Qty{}, market.Money{})

func synthetic(t testing.TB, symbol market.Symbol, seed uint64, at time.Time) *Synthetic {
	t.Helper()
	s, err := NewSynthetic(SyntheticConfig{Symbol: symbol, Seed: seed, Start: at})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func take(s Source, n int) (evs []Event) {
	for range n {
		ev, ok := s.Next()
		if !ok {
			break
		}
		evs = append(evs, ev)
	}
	return evs
}

func TestSyntheticIsDeterministic(t *testing.T) {
	a, b := synthetic(t, "AAPL", 7, start), synthetic(t, "AAPL", 7, start)
	if _, err := b.History("AAPL", start, time.Hour, time.Minute, false); err != nil { // asking disturbs nothing
		t.Fatal(err)
	}
	evs := take(a, 5000)
	if d := cmp.Diff(evs, take(b, 5000), exact); d != "" {
		t.Error(d)
	}
	if cmp.Equal(evs, take(synthetic(t, "AAPL", 8, start), 5000), exact) {
		t.Error("another seed makes the same market")
	}
}

// TestSyntheticIsTheSameEverywhere pins numbers: a change to the model changes
// what every seeded test and demonstration trades, and must be meant.
func TestSyntheticIsTheSameEverywhere(t *testing.T) {
	bars, err := synthetic(t, "AAPL", 1, start).History("AAPL", start, 3*time.Minute, time.Minute, true)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, b := range bars {
		got += b.Start.Format("15:04 ") + b.Open.String() + " " + b.High.String() + " " + b.Low.String() + " " + b.Close.String() + " " + b.Volume.String() + "\n"
	}
	const want = `13:27 187.35 187.5 187.35 187.39 14909
13:28 187.35 187.42 187.13 187.13 14096
13:29 187.14 187.26 187.13 187.26 8749
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSyntheticLooksLikeAMarket(t *testing.T) {
	s := synthetic(t, "AAPL", 1, start)
	evs := take(s, 200_000)
	first := evs[0]
	if first.Kind != Quote || !first.At.Equal(start) || !first.Bid.Known {
		t.Errorf("begins with %+v", first)
	}
	if off := first.Bid.Price.Sub(market.MustPrice("187.25")).Abs(); market.MustPrice("0.05").Less(off) {
		t.Errorf("AAPL begins at %v", first.Bid.Price)
	}
	var quote Event
	trades, spreads := 0, map[market.Price]int{}
	low, high := first.Bid.Price, first.Bid.Price
	for i, ev := range evs {
		if i > 0 && ev.At.Before(evs[i-1].At) {
			t.Fatalf("event %d goes back in time", i)
		}
		if ev.Kind == Quote {
			quote = ev
			spreads[ev.Ask.Price.Sub(ev.Bid.Price)]++
			if !ev.Bid.Price.OnGrid(cent) || ev.Bid.Size.Sign() <= 0 || ev.Ask.Size.Sign() <= 0 {
				t.Fatalf("event %d: %+v", i, ev)
			}
			continue
		}
		trades++
		if ev.Price.Less(quote.Bid.Price) || quote.Ask.Price.Less(ev.Price) || !ev.Price.OnGrid(cent) || ev.Size.Sign() <= 0 {
			t.Fatalf("event %d: %+v outside %+v", i, ev, quote)
		}
		if ev.Price.Less(low) {
			low = ev.Price
		}
		if high.Less(ev.Price) {
			high = ev.Price
		}
	}
	rate := float64(len(evs)) / evs[len(evs)-1].At.Sub(start).Seconds()
	t.Logf("%.2f events a second, %d trades of %d, %v to %v, spreads %v", rate, trades, len(evs), low, high, spreads)
	if rate < 2 || rate > 5 || trades < len(evs)/3 || high.Sub(low).Less(market.MustPrice("2")) {
		t.Error("does not look alive")
	}
	if len(spreads) != 3 || spreads[cent] == 0 || spreads[cent.Times(3)] == 0 {
		t.Errorf("spreads %v are not 1 to 3 cents", spreads)
	}
}

func TestSyntheticPathHasNoGaps(t *testing.T) {
	w := walker{noise: synthetic(t, "AAPL", 1, start).noise}
	var a, b [knots + 1]int64
	for m := range int64(2000) {
		m -= 1000 // across the epoch
		w.fill(w.leg(m), &a)
		w.fill(w.leg(m+1), &b)
		if a[knots] != b[0] {
			t.Fatalf("minute %d ends at %d, the next begins at %d", m, a[knots], b[0])
		}
	}
}

// What a walker remembers changes nothing, and no point of a minute is beyond
// its reach.
func TestWalkingIsLookingUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := noise{rapid.Uint64().Draw(t, "seed")}
		w := walker{noise: n}
		minute := rapid.Int64Range(-1_000_000, 100_000_000).Draw(t, "minute")
		at := w.leg(minute)
		for range 100 {
			if rapid.IntRange(0, 9).Draw(t, "step") > 0 {
				at = w.after(at)
			} else {
				at = w.leg(at.minute + rapid.Int64Range(-5000, 5000).Draw(t, "jump"))
			}
			fresh := walker{noise: n}
			if want := fresh.leg(at.minute); at != want {
				t.Fatalf("walked to %+v, looked up %+v", at, want)
			}
			var path [knots + 1]int64
			w.fill(at, &path)
			low, high := at.reach()
			if a, b := slices.Min(path[:]), slices.Max(path[:]); a < low || b > high {
				t.Fatalf("minute %d goes from %d to %d, beyond %d to %d", at.minute, a, b, low, high)
			}
		}
	})
}

func TestSyntheticVolatilityClusters(t *testing.T) {
	n := synthetic(t, "AAPL", 1, start).noise
	const minutes = 20_000
	var near, all, calm, wild int64
	for m := range int64(minutes) {
		v := n.volatility(m)
		near += (n.volatility(m+1) - v) * (n.volatility(m+1) - v)
		all += (n.volatility(m*1009) - v) * (n.volatility(m*1009) - v)
		if v < 600 {
			calm++
		}
		if v > 1600 {
			wild++
		}
	}
	if near*20 > all {
		t.Errorf("neighbouring minutes differ by %d, any two by %d: no clusters", near, all)
	}
	if calm < minutes/50 || wild < minutes/50 {
		t.Errorf("%d calm and %d wild minutes of %d", calm, wild, minutes)
	}
}

// bounds: whatever the seed and name, no price gets near nothing.
func TestSyntheticStaysAboveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		symbol := rapid.StringMatching(`[A-Z]{1,4}`).Draw(t, "symbol")
		at := time.Unix(rapid.Int64Range(400_000_000, 7_000_000_000).Draw(t, "start"), 0)
		s, err := NewSynthetic(SyntheticConfig{Symbol: market.Symbol(symbol), Seed: rapid.Uint64().Draw(t, "seed"), Start: at})
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			m := rapid.Int64Range(5_000_000, 120_000_000).Draw(t, "minute")
			w := walker{noise: s.noise}
			x := w.level(m)
			if x < -600_000_000 || x > 600_000_000 {
				t.Fatalf("level %d at minute %d", x, m)
			}
			if bid := bidOf(scale(s.base, x-s.origin), 1); bid < 500 {
				t.Fatalf("%s at %d cents", symbol, bid)
			}
		}
	})
}

// TestSyntheticHistoryIsTheStream plays the stream and compares the bars made
// of it with the history told at random times, from other lives of the market.
func TestSyntheticHistoryIsTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := SyntheticConfig{
			Symbol: rapid.SampledFrom([]market.Symbol{"AAPL", "IBM"}).Draw(t, "symbol"), Seed: rapid.Uint64().Draw(t, "seed"),
			Start: start.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "from"))),
		}
		s, err := NewSynthetic(cfg)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := NewSynthetic(cfg)
		width := rapid.SampledFrom([]time.Duration{time.Second * 5, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "width")
		played := time.Duration(rapid.Int64Range(1, int64(20*time.Minute)).Draw(t, "played"))
		end := s.Start().Add(played)
		b := newBuilder(s.zone, BarsQuery{From: s.Start(), End: end, Width: width})
		for {
			ev, _ := s.Next()
			if !ev.At.Before(end) {
				break
			}
			if ev.Kind == Trade {
				b.add(ev.At.UnixNano(), ev.Price, ev.Size, false)
			}
		}
		got, err := other.History(cfg.Symbol, end, played, width, rapid.Bool().Draw(t, "regular"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(b.done(), got, exact); d != "" {
			t.Fatal(d)
		}
	})
}

// The past as told at the start and as told later is one.
func TestSyntheticPastStands(t *testing.T) {
	s := synthetic(t, "AAPL", 1, start)
	then, err := s.History("AAPL", start.Truncate(time.Minute), 24*time.Hour, time.Minute, false)
	if err != nil || len(then) != 24*60 {
		t.Fatalf("%d bars, %v", len(then), err)
	}
	take(s, 3000)
	now, err := s.History("AAPL", start.Truncate(time.Minute).Add(time.Hour), 25*time.Hour, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(then, now[:len(then)], exact); d != "" {
		t.Error(d)
	}
	day, err := s.History("AAPL", start, 48*time.Hour, 24*time.Hour, false)
	if err != nil || len(day) != 2 || day[0].Start.In(s.zone).Format("15:04") != "00:00" {
		t.Errorf("days %v, %v", day, err)
	}
}

func TestSyntheticRefuses(t *testing.T) {
	if _, err := NewSynthetic(SyntheticConfig{Symbol: "aapl!"}); err == nil {
		t.Error("a bad symbol without a start is taken")
	}
	s := synthetic(t, "AAPL", 1, start)
	for _, tt := range []struct {
		symbol      market.Symbol
		end         time.Time
		span, width time.Duration
		want        error
	}{
		{"IBM", start, time.Hour, time.Minute, ErrNoSymbol},
		{"AAPL", time.Time{}, time.Hour, time.Minute, ErrBadSpan},
		{"AAPL", start, 0, time.Minute, ErrBadSpan},
		{"AAPL", start, time.Hour, 0, ErrBadSpan},
		{"AAPL", start, time.Hour, 25 * time.Hour, ErrBadSpan},
		{"AAPL", start, time.Hour, time.Second / 2, ErrBadSpan},
		{"AAPL", start, MaxSpan + 1, time.Hour, ErrBadSpan},
		{"AAPL", start, MaxSpan, time.Second, ErrBadSpan},
		{"AAPL", start, time.Second * (MaxBars + 1), time.Second, ErrBadSpan},
		{"AAPL", start.AddDate(500, 0, 0), time.Hour, time.Minute, ErrBadSpan},
	} {
		if bars, err := s.History(tt.symbol, tt.end, tt.span, tt.width, false); !errors.Is(err, tt.want) || bars != nil {
			t.Errorf("%+v: %v, %v", tt, bars, err)
		}
	}
	if _, err := s.Hours("IBM", start); !errors.Is(err, ErrNoSymbol) {
		t.Errorf("hours of another symbol: %v", err)
	}
}

func TestSyntheticIsAlwaysInSession(t *testing.T) {
	s := synthetic(t, "AAPL", 1, start)
	for _, around := range []time.Time{start, start.AddDate(0, -1, 1), time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)} {
		h, err := s.Hours("AAPL", around)
		if err != nil {
			t.Fatal(err)
		}
		for at := around.Add(-24 * time.Hour); at.Before(around.Add(8 * 24 * time.Hour)); at = at.Add(17 * time.Minute) {
			if in, known := h.Liquid.Contains(at); !in || !known {
				t.Fatalf("closed at %v by hours told around %v", at, around)
			}
		}
		text, err := market.ParseHours(h.Trading.Format(h.Zone), h.Zone)
		if err != nil || !cmp.Equal(text, h.Trading) {
			t.Errorf("hours do not pass through the venue's form: %v", err)
		}
	}
}

func TestWriteBars(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(WriteBars(&a, "AAPL", 5, start), WriteBars(&b, "AAPL", 5, start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same day is written in two ways")
	}
	c, err := Read(&a, "day.csv", "AAPL")
	if err != nil {
		t.Fatal(err)
	}
	s := synthetic(t, "AAPL", 5, c.bars[0].asTime())
	end := s.Start().Add(16 * time.Hour)
	want, err := s.History("AAPL", end, 16*time.Hour, time.Minute, false)
	if err != nil || len(want) != 16*60 {
		t.Fatalf("%d bars, %v", len(want), err)
	}
	got, err := c.History("AAPL", end, 16*time.Hour, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plain(want), plain(got), exact); d != "" {
		t.Error(d)
	}
	if WriteBars(&failing{}, "AAPL", 5, start) == nil || WriteBars(&a, "?", 5, start) == nil {
		t.Error("a failure is not told")
	}
}

type failing struct{}

func (*failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// plain forgets the counts of trades, which a file of bars does not tell.
func plain(bars []market.Bar) []market.Bar {
	out := make([]market.Bar, 0, len(bars))
	for _, b := range bars {
		b.Trades = 0
		out = append(out, b)
	}
	return out
}

func (b *barLine) asTime() time.Time { return time.Unix(0, b.start) }
