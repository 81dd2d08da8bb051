package tape

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// naive is the bars of a question, made of every event of a stream in the
// plainest way. It is what [Past.Bars] must equal.
type naive struct {
	q      BarsQuery
	zone   *time.Location
	open   []market.Span // what is asked for, and when the market is open
	events []Event
}

// start is when the bar begins in which at lies.
func (n naive) start(at time.Time) time.Time {
	local := at.In(n.zone)
	y, m, d := local.Date()
	switch n.q.Width {
	case Month:
		d = 1
	case Week:
		for time.Date(y, m, d, 0, 0, 0, 0, n.zone).Weekday() != time.Monday {
			d--
		}
	default:
		midnight := time.Date(y, m, d, 0, 0, 0, 0, n.zone)
		return midnight.Add(at.Sub(midnight).Truncate(n.q.Width)).UTC()
	}
	return time.Date(y, m, d, 0, 0, 0, 0, n.zone).UTC()
}

// end is when a bar ends.
func (n naive) end(start time.Time) time.Time {
	y, m, d := start.In(n.zone).Date()
	switch n.q.Width {
	case Month:
		return time.Date(y, m+1, 1, 0, 0, 0, 0, n.zone)
	case Week:
		return time.Date(y, m, d+7, 0, 0, 0, 0, n.zone)
	}
	end, midnight := start.Add(n.q.Width), time.Date(y, m, d+1, 0, 0, 0, 0, n.zone)
	if midnight.Before(end) {
		return midnight
	}
	return end
}

func (n naive) in(at time.Time) bool {
	for _, s := range n.open {
		if !at.Before(s.Open) && at.Before(s.Close) {
			return !at.Before(n.q.From) && at.Before(n.q.End)
		}
	}
	return false
}

func (n naive) trades() (bars []market.Bar) {
	for _, ev := range n.events {
		if ev.Kind != Trade || !n.in(ev.At) {
			continue
		}
		start := n.start(ev.At)
		if start.Before(n.q.From) {
			continue
		}
		if len(bars) == 0 || bars[len(bars)-1].Start != start {
			bars = append(bars, market.Bar{Start: start})
		}
		last := len(bars) - 1
		bars[last] = bars[last].Merge(ev.Price, ev.Size)
	}
	return bars
}

// quotes cuts the life of each quote into bars and open stretches.
func (n naive) quotes() (bars []market.Bar) {
	var bids, asks market.Money
	var weight market.Qty
	mean := func() {
		if len(bars) > 0 && n.q.Show == ShowBidAsk {
			b := &bars[len(bars)-1]
			b.Open, _ = bids.DivQty(weight)
			b.Close, _ = asks.DivQty(weight)
		}
		bids, asks, weight = market.Money{}, market.Money{}, market.Qty{}
	}
	count := func(ev Event, from, to time.Time) {
		start := n.start(from)
		bid, ask := ev.Bid.Known || n.q.Show == ShowAsk, ev.Ask.Known || n.q.Show == ShowBid
		if start.Before(n.q.From) || !bid || !ask {
			return
		}
		if len(bars) == 0 || bars[len(bars)-1].Start != start {
			mean()
			bars = append(bars, market.Bar{Start: start})
		}
		b := &bars[len(bars)-1]
		switch n.q.Show {
		case ShowBid:
			*b = b.Merge(ev.Bid.Price, market.Qty{})
		case ShowAsk:
			*b = b.Merge(ev.Ask.Price, market.Qty{})
		case ShowMidpoint:
			*b = b.Merge(ev.Bid.Price.Add(ev.Ask.Price).Half(), market.Qty{})
		case ShowBidAsk:
			*b = b.Merge(ev.Bid.Price, market.Qty{}).Merge(ev.Ask.Price, market.Qty{})
			stood := market.Shares(max(1, to.Sub(from).Milliseconds()))
			bids, asks = bids.Add(ev.Bid.Price.Mul(stood)), asks.Add(ev.Ask.Price.Mul(stood))
			weight = weight.Add(stood)
		}
	}
	for i, ev := range n.events {
		until := n.q.End
		if i+1 < len(n.events) && n.events[i+1].At.Before(until) {
			until = n.events[i+1].At
		}
		for _, s := range n.open {
			from, to := later(ev.At, later(s.Open, n.q.From)), earlier(until, s.Close)
			for from.Before(to) {
				end := earlier(to, n.end(n.start(from)))
				count(ev, from, end)
				from = end
			}
		}
	}
	mean()
	for i := range bars {
		bars[i].Trades = 0
	}
	return bars
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (n naive) bars() []market.Bar {
	if n.q.Show == ShowTrades {
		return n.trades()
	}
	kept := n.events[:0:0]
	for _, ev := range n.events {
		if ev.Kind == Quote {
			kept = append(kept, ev)
		}
	}
	n.events = kept
	return n.quotes()
}

// everything generates all events of a market in [from, end), as its stream
// does; from is a whole minute.
func everything(m *model, from, end time.Time) (evs []Event) {
	k := newMaker(m)
	for minute := minuteOf(from); minuteTime(minute).Before(end); minute++ {
		k.start(minute)
		var t tick
		for k.next(&t) {
			if at := time.Unix(0, t.at); at.Before(end) {
				evs = append(evs, m.event(&t))
			}
		}
	}
	return evs
}

func anyMarket(t *rapid.T) *Synthetic {
	s, err := NewSynthetic(SyntheticConfig{
		Symbol: rapid.SampledFrom([]market.Symbol{"AAPL", "IBM", "QZX"}).Draw(t, "symbol"), Seed: rapid.Uint64().Draw(t, "seed"),
		Start:    start.Add(time.Duration(rapid.Int64Range(-1e16, 1e16).Draw(t, "start"))).Truncate(time.Millisecond),
		Sessions: rapid.SampledFrom([]Sessions{AlwaysOpen, NewYork}).Draw(t, "sessions"),
		Busy:     rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "busy"), HaltEvery: rapid.SampledFrom([]int{0, 1, 2}).Draw(t, "halts"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever is asked, the bars are those that the events make.
func TestBarsAreTheEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyMarket(t)
		q := BarsQuery{
			Symbol: s.cfg.Symbol, Show: Show(rapid.IntRange(0, int(ShowBidAsk)).Draw(t, "show")), RegularOnly: rapid.Bool().Draw(t, "regular"),
			Width: rapid.SampledFrom([]time.Duration{
				time.Second, 5 * time.Second, 90 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 7 * time.Hour, 24 * time.Hour,
			}).Draw(t, "width"),
		}
		// Around the start, and around where the tape becomes coarse.
		middle := rapid.SampledFrom([]time.Time{s.cfg.Start, minuteTime(s.recent), s.cfg.Start.AddDate(-3, 0, 0)}).Draw(t, "middle")
		longest := 3 * time.Hour
		if middle.Before(minuteTime(s.recent)) {
			longest = 80 * time.Hour
		}
		q.From = middle.Add(time.Duration(rapid.Int64Range(int64(-longest), int64(longest/3)).Draw(t, "from"))).Truncate(time.Millisecond)
		span := min(int64(longest), 3000*int64(q.Width))
		q.End = q.From.Add(time.Duration(rapid.Int64Range(1, span).Draw(t, "span"))).Add(time.Millisecond).Truncate(time.Millisecond)
		if rapid.Bool().Draw(t, "round") {
			q.From, q.End = q.From.Truncate(time.Hour), q.End.Truncate(time.Hour).Add(time.Hour)
		}
		n := naive{q: q, zone: s.zone, events: everything(s.model, q.From.Add(-10*time.Minute).Truncate(time.Minute), q.End)}
		sessions, err := s.Sessions(q.Symbol, s.cal.Clock(q.From, 0).AddDate(0, 0, -1), q.End)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range sessions {
			if q.RegularOnly {
				n.open = append(n.open, one.Regular)
				continue
			}
			n.open = append(n.open, one.Extended)
		}
		if s.cfg.Sessions == NewYork {
			n.events = withNights(n.events, sessions)
		}
		got, err := s.Bars(q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(n.bars(), got, exact); d != "" {
			t.Fatal(q, d)
		}
	})
}

// withNights puts an unknown quote at the beginning of each session: none stands
// over the night.
func withNights(evs []Event, sessions []calendar.Session) (out []Event) {
	for _, ev := range evs {
		for len(sessions) > 0 && !ev.At.Before(sessions[0].Extended.Open) {
			out = append(out, Event{At: sessions[0].Extended.Open, Kind: Quote})
			sessions = sessions[1:]
		}
		out = append(out, ev)
	}
	return out
}

// Weeks and months are the calendar's, and hold the days of it.
func TestWeeksAndMonths(t *testing.T) {
	for width, sessions := range map[time.Duration]Sessions{Week: AlwaysOpen, Month: NewYork} {
		s, err := NewSynthetic(SyntheticConfig{Symbol: "IBM", Seed: 3, Start: start, Sessions: sessions})
		if err != nil {
			t.Fatal(err)
		}
		q := BarsQuery{Symbol: "IBM", From: start.AddDate(0, -3, 0), End: start.AddDate(0, -2, 3), Width: width}
		n := naive{q: q, zone: s.zone, open: []market.Span{{Open: q.From, Close: q.End}}, events: everything(s.model, q.From.Truncate(time.Minute), q.End)}
		got, err := s.Bars(q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(n.trades(), got, exact); d != "" || len(got) == 0 {
			t.Error(sessions, width, d)
		}
		for _, b := range got {
			if at := b.Start.In(s.zone); width == Week && at.Weekday() != time.Monday || width == Month && at.Day() != 1 || at.Hour() != 0 {
				t.Errorf("a bar of %v begins at %v", width, at)
			}
		}
	}
}

// The bars of a day in a cache are those without one.
func TestDaysAreRemembered(t *testing.T) {
	for _, sessions := range []Sessions{AlwaysOpen, NewYork} {
		cfg := SyntheticConfig{Symbol: "AAPL", Seed: 4, Start: start, Sessions: sessions}
		s, err := NewSynthetic(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []time.Duration{24 * time.Hour, Week, Month} {
			q := BarsQuery{Symbol: "AAPL", From: start.AddDate(0, -4, 0), End: start.AddDate(0, -2, 0), Width: width}
			want := s.tradeBars(q, nil)
			for range 2 {
				got, err := s.Bars(q)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got, exact); d != "" {
					t.Error(sessions, width, d)
				}
			}
		}
		if n := len(s.days.bars); n < 35 || n != len(s.days.age) {
			t.Errorf("%d days remembered, %d counted", n, len(s.days.age))
		}
	}
}

func TestDayCacheIsBounded(t *testing.T) {
	var c dayCache
	for i := range int64(maxDays + 100) {
		c.put(dayKey{day: i}, market.Bar{Trades: 1})
	}
	_, first := c.get(dayKey{day: 99})
	_, kept := c.get(dayKey{day: 100})
	if len(c.bars) != maxDays || len(c.age) != maxDays || first || !kept {
		t.Errorf("%d bars, %d keys, the oldest kept: %v, a newer one: %v", len(c.bars), len(c.age), first, kept)
	}
}

// Ticks are the stream's events, from either end.
func TestTicksAreTheEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyMarket(t)
		q := TicksQuery{
			Symbol: s.cfg.Symbol, Kind: rapid.SampledFrom([]Kind{Trade, Quote}).Draw(t, "kind"), Limit: rapid.IntRange(1, 3000).Draw(t, "limit"),
			End: s.cfg.Start.Add(time.Duration(rapid.Int64Range(int64(-5*time.Hour), int64(5*time.Hour)).Draw(t, "end"))),
		}
		span := time.Duration(rapid.Int64Range(1, int64(90*time.Minute)).Draw(t, "span"))
		forward := rapid.Bool().Draw(t, "forward")
		if forward {
			q.From = q.End.Add(-span)
		}
		got, err := s.Ticks(q)
		if err != nil {
			t.Fatal(err)
		}
		back := q.End.Add(-2 * time.Hour).Truncate(time.Minute)
		var want []Event
		for _, ev := range everything(s.model, back, q.End) {
			if ev.Kind == q.Kind && (!forward || !ev.At.Before(q.From)) {
				want = append(want, ev)
			}
		}
		switch {
		case forward && len(want) > q.Limit:
			want = want[:q.Limit]
		case !forward && len(want) >= q.Limit:
			want = want[len(want)-q.Limit:]
		case !forward: // goes back further than we looked
			got = got[max(0, len(got)-len(want)):]
		}
		if d := cmp.Diff(want, got, exact); d != "" && len(want)+len(got) > 0 {
			t.Fatal(d)
		}
	})
}

func TestPastRefuses(t *testing.T) {
	s := synthetic(t, "AAPL", 1, start)
	c := read(t, dailyHeader+"\n2014-06-05,1,1,1,1,1\n")
	day := 24 * time.Hour
	for _, p := range []Past{s, c} {
		for _, q := range []BarsQuery{
			{Symbol: "AAPL", From: start, End: start, Width: day},
			{Symbol: "AAPL", From: start, End: start.Add(-1), Width: day},
			{Symbol: "AAPL", From: start.Add(-day), End: start},
			{Symbol: "AAPL", From: start.Add(-day), End: start, Width: day + time.Second},
			{Symbol: "AAPL", From: start.Add(-day), End: start, Width: 2 * Week},
			{Symbol: "AAPL", From: start.Add(-day), End: start, Width: 1500 * time.Millisecond},
			{Symbol: "AAPL", From: start.Add(-day), End: start, Width: day, Show: 9},
			{Symbol: "AAPL", From: start.Add(-day), Width: day},
		} {
			if bars, err := p.Bars(q); !errors.Is(err, ErrBadSpan) || bars != nil {
				t.Errorf("%T %+v: %v, %v", p, q, bars, err)
			}
		}
		for _, q := range []TicksQuery{
			{Symbol: "AAPL", End: start, Limit: 1},
			{Symbol: "AAPL", Kind: Halt, End: start, Limit: 1},
			{Symbol: "AAPL", Kind: Trade, End: start},
			{Symbol: "AAPL", Kind: Trade, End: start, Limit: MaxTicks + 1},
			{Symbol: "AAPL", Kind: Trade, Limit: 1},
			{Symbol: "AAPL", Kind: Trade, From: start, End: start, Limit: 1},
			{Symbol: "AAPL", Kind: Trade, End: start.AddDate(500, 0, 0), Limit: 1},
		} {
			if evs, err := p.Ticks(q); !errors.Is(err, ErrBadSpan) || evs != nil {
				t.Errorf("%T %+v: %v, %v", p, q, evs, err)
			}
		}
		_, err1 := p.Bars(BarsQuery{Symbol: "X", From: start.Add(-day), End: start, Width: day})
		_, err2 := p.Ticks(TicksQuery{Symbol: "X", Kind: Trade, End: start, Limit: 1})
		_, err3 := p.Head("X")
		_, err4 := p.Sessions("X", start, start.Add(day))
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, ErrNoSymbol) {
				t.Errorf("%T: question %d about an unknown symbol: %v", p, i, err)
			}
		}
	}
}

// A market has no past before its head, and says so by an empty answer.
func TestBeforeTheHead(t *testing.T) {
	for _, sessions := range []Sessions{AlwaysOpen, NewYork} {
		s, err := NewSynthetic(SyntheticConfig{Symbol: "AAPL", Start: start, Sessions: sessions})
		if err != nil {
			t.Fatal(err)
		}
		head, err := s.Head("AAPL")
		if err != nil {
			t.Fatal(err)
		}
		bars, err := s.Bars(BarsQuery{Symbol: "AAPL", From: head.AddDate(-1, 0, 0), End: head.AddDate(0, 0, 3), Width: time.Minute * 10})
		if err != nil || len(bars) == 0 || !bars[0].Start.Equal(head) {
			t.Errorf("%v: %d bars, %v, head %v", sessions, len(bars), err, head)
		}
		evs, err := s.Ticks(TicksQuery{Symbol: "AAPL", Kind: Quote, End: head.Add(time.Minute), Limit: 100})
		if err != nil || len(evs) == 0 {
			t.Errorf("%v: %d ticks, %v", sessions, len(evs), err)
		}
		if before, err := s.Ticks(TicksQuery{Symbol: "AAPL", Kind: Quote, End: head, Limit: 100}); err != nil || before != nil {
			t.Errorf("%v: %d ticks before the head, %v", sessions, len(before), err)
		}
	}
}

// Questions about the past while the market plays, from many sides at once.
// Its worth is in a run with -race.
func TestPastIsSafeBesideTheStream(t *testing.T) {
	u, err := NewUniverse(UniverseConfig{Synthetic: SyntheticConfig{Seed: 2, Start: start}}, read(t, dailyHeader+"\n2026-06-05,1,1,1,1,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add("MSFT", start); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, symbol := range []market.Symbol{"MSFT", "AAPL", "IBM"} {
				for show := ShowTrades; show <= ShowBidAsk; show++ {
					_, err1 := u.Bars(BarsQuery{Symbol: symbol, From: start.AddDate(0, 0, -3), End: start, Width: 24 * time.Hour, Show: show})
					_, err2 := u.Ticks(TicksQuery{Symbol: symbol, Kind: Trade, End: start, Limit: 10})
					_, err3 := u.Hours(symbol, start)
					for _, err := range []error{err1, err2, err3} {
						if err != nil && (symbol != "IBM" || !errors.Is(err, ErrNoSymbol)) {
							t.Error(symbol, show, err)
						}
					}
				}
			}
		})
	}
	for i := range 5_000 {
		if _, ok := u.Next(); !ok {
			t.Fatal("the market ends")
		}
		if i == 2_000 {
			if err := u.Add("IBM", start); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
}
