package tape

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

// anyFile is a file of bars or trades over a few days around a half day.
func anyFile(t *rapid.T) *CSV {
	price := rapid.Map(rapid.Int64Range(100, 110), func(n int64) market.Price { return cent.Times(n) })
	at := time.Date(2026, 11, 25, 19, 0, 0, 0, time.UTC) // Wednesday afternoon
	trades := rapid.Bool().Draw(t, "trades")
	var b strings.Builder
	b.WriteString(barsHeader + "\n")
	if trades {
		b.Reset()
		b.WriteString(tradesHeader + "\n")
	}
	for range rapid.IntRange(1, 40).Draw(t, "lines") {
		gap := rapid.SampledFrom([]int{1, 1, 1, 2, 7, 300, 1500}).Draw(t, "gap")
		if trades {
			at = at.Add(time.Duration(rapid.IntRange(0, gap*60_000).Draw(t, "ms")) * time.Millisecond)
			fmt.Fprintf(&b, "%s,%v,%d,P,%d\n", at.Format(time.RFC3339Nano), price.Draw(t, "price"), rapid.IntRange(1, 900).Draw(t, "size"), rapid.IntRange(0, 1).Draw(t, "suspicious"))
			continue
		}
		at = at.Add(time.Duration(gap) * time.Minute)
		p := price.Draw(t, "low")
		quote := rapid.SampledFrom([]string{",", "1.01,1.02", ",1.02", "1.01,", "1.02,1.01"}).Draw(t, "quote")
		fmt.Fprintf(&b, "%s,%v,%v,%v,%v,%d,%s\n", at.Format(time.RFC3339), p, p.Add(cent.Times(3)), p, p.Add(cent.Times(rapid.Int64Range(0, 3).Draw(t, "close"))), rapid.IntRange(0, 900).Draw(t, "volume"), quote)
	}
	c, err := Read(strings.NewReader(b.String()), "made", "AAPL")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everyEvent plays a file again from its beginning.
func everyEvent(c *CSV) (evs []Event) {
	again := *c
	again.opened, again.line, again.last, again.pending, again.next = false, 0, market.Price{}, nil, 0
	for ev, ok := again.Next(); ok; ev, ok = again.Next() {
		evs = append(evs, ev)
	}
	return evs
}

// days are what a file has of each: from its first line to the end of its last
// of the day.
func (n *naive) days(c *CSV) {
	for i, midnight := range c.days {
		next := midnight.AddDate(0, 0, 1)
		var span market.Span
		for line := range c.lines() {
			at := time.Unix(0, c.at(line))
			if at.Before(midnight) || !at.Before(next) {
				continue
			}
			if span.Open.IsZero() {
				span.Open = at
			}
			span.Close = time.Unix(0, c.end(line))
		}
		if i == 0 {
			span.Open = span.Open.Add(-time.Second)
		}
		n.events = append(n.events, Event{})
		at := 0
		for at < len(n.events)-1 && n.events[at].At.Before(span.Open) {
			at++
		}
		copy(n.events[at+1:], n.events[at:])
		n.events[at] = Event{At: span.Open, Kind: Quote} // none stands over the night
		if regular := c.session(midnight).Regular; n.q.RegularOnly {
			span = market.Span{Open: later(span.Open, regular.Open), Close: earlier(span.Close, regular.Close)}
		}
		n.open = append(n.open, span)
	}
}

// Whatever is asked of a file, the bars are those that its events make.
func TestBarsOfAFileAreItsEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyFile(t)
		q := BarsQuery{
			Symbol: "AAPL", Show: Show(rapid.IntRange(0, int(ShowBidAsk)).Draw(t, "show")), RegularOnly: rapid.Bool().Draw(t, "regular"),
			Width: rapid.SampledFrom([]time.Duration{30 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour, Week}).Draw(t, "width"),
		}
		q.From = c.Start().Add(time.Duration(rapid.Int64Range(-300, 300).Draw(t, "from")) * time.Minute)
		q.End = q.From.Add(time.Duration(rapid.Int64Range(1, 3000).Draw(t, "span")) * time.Minute)
		if rapid.Bool().Draw(t, "all") {
			q.From, q.End = q.From.AddDate(0, 0, -14), q.End.AddDate(0, 0, 60)
		}
		n := naive{q: q, zone: c.zone, events: everyEvent(c)}
		if q.Show == ShowTrades {
			n.open = []market.Span{{Open: q.From, Close: q.End}}
			for _, day := range c.days {
				if s := c.session(day); q.RegularOnly {
					n.open = append(n.open, s.Regular)
				}
			}
			if q.RegularOnly {
				n.open = n.open[1:]
			}
		} else {
			n.days(c)
		}
		for _, ev := range n.events { // the naive way counts all alike
			if ev.Suspicious && q.Show == ShowTrades {
				t.Skip("tested by name")
			}
		}
		got, err := c.Bars(q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(n.bars(), got, exact); d != "" && len(got)+len(n.bars()) > 0 {
			t.Fatal(q, d)
		}
	})
}

func TestTicksOfAFileAreItsEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyFile(t)
		q := TicksQuery{
			Symbol: "AAPL", Kind: rapid.SampledFrom([]Kind{Trade, Quote}).Draw(t, "kind"), Limit: rapid.IntRange(1, 60).Draw(t, "limit"),
			End: c.Start().Add(time.Duration(rapid.IntRange(-10, 4000).Draw(t, "end")) * time.Minute), RegularOnly: rapid.Bool().Draw(t, "regular"),
		}
		forward := rapid.Bool().Draw(t, "forward")
		if forward {
			q.From = q.End.Add(-time.Duration(rapid.IntRange(1, 3000).Draw(t, "span")) * time.Minute)
		}
		var want []Event
		for _, ev := range everyEvent(c)[1:] { // without the opening quote
			s := c.session(ev.At).Regular
			regular := !ev.At.Before(s.Open) && ev.At.Before(s.Close)
			if ev.Kind == q.Kind && ev.At.Before(q.End) && (!forward || !ev.At.Before(q.From)) && (regular || !q.RegularOnly) {
				want = append(want, ev)
			}
		}
		if n := len(want) - q.Limit; n > 0 {
			if forward {
				want = want[:q.Limit]
			} else {
				want = want[n:]
			}
		}
		got, err := c.Ticks(q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, exact); d != "" && len(want)+len(got) > 0 {
			t.Fatal(q, d)
		}
	})
}

func TestSessionsOfAFile(t *testing.T) {
	c := read(t, dailyHeader+"\n2026-11-25,1,1,1,1,1\n2026-11-26,1,1,1,1,1\n2026-11-27,1,2,1,2,9\n")
	list, err := c.Sessions("AAPL", c.days[1], c.days[2].AddDate(0, 0, 1))
	if err != nil || len(list) != 2 || list[0].Early || !list[1].Early {
		t.Errorf("%+v, %v", list, err)
	}
	h, err := c.Hours("AAPL", c.days[2])
	if err != nil || h.Liquid.Format(h.Zone) != "20261125:0930-20261125:1600;20261126:0930-20261126:1600;20261127:0930-20261127:1300" {
		t.Errorf("hours %s, %v", h.Liquid.Format(h.Zone), err)
	}
	// A half day's bar is played in its session, so that it is whole there.
	bars, err := c.Bars(BarsQuery{Symbol: "AAPL", From: c.days[2], End: c.days[2].AddDate(0, 0, 1), Width: 24 * time.Hour, RegularOnly: true})
	if err != nil || len(bars) != 1 || bars[0].Volume != market.Shares(9) || bars[0].Close != market.MustPrice("2") {
		t.Errorf("%+v, %v", bars, err)
	}
	if head, err := c.Head("AAPL"); err != nil || !head.Equal(c.Start().Add(time.Second)) {
		t.Errorf("head %v, %v", head, err)
	}
}

func TestTooManyBarsOfQuotes(t *testing.T) {
	var b strings.Builder
	b.WriteString(dailyHeader + "\n")
	for i := range 10 {
		fmt.Fprintf(&b, "2026-11-%02d,1,1,1,1,1\n", 10+i)
	}
	c := read(t, b.String())
	q := BarsQuery{Symbol: "AAPL", From: c.Start(), End: c.Start().AddDate(0, 1, 0), Width: time.Second, Show: ShowBid}
	if bars, err := c.Bars(q); !errors.Is(err, ErrBadSpan) || bars != nil {
		t.Errorf("%d bars, %v", len(bars), err)
	}
	q.Width = time.Minute
	if bars, err := c.Bars(q); err != nil || len(bars) < 3000 {
		t.Errorf("%d bars, %v", len(bars), err)
	}
}

// past of a source that is not one of this package's.
func TestPastOfAnyOther(t *testing.T) {
	c := read(t, dailyHeader+"\n2026-11-25,1,1,1,1,1\n")
	p := PastOf(struct{ Source }{c})
	q := BarsQuery{Symbol: "AAPL", From: c.days[0], End: c.days[0].AddDate(0, 0, 1), Width: 24 * time.Hour}
	bars, err := p.Bars(q)
	if err != nil || len(bars) != 1 {
		t.Errorf("%v, %v", bars, err)
	}
	q.Show = ShowBid
	if bars, err := p.Bars(q); err != nil || bars != nil {
		t.Errorf("%v, %v", bars, err)
	}
	if evs, err := p.Ticks(TicksQuery{Symbol: "AAPL", Kind: Trade, End: q.End, Limit: 5}); err != nil || evs != nil {
		t.Errorf("%v, %v", evs, err)
	}
	if at, err := p.Head("AAPL"); err != nil || !at.Equal(c.Start()) {
		t.Errorf("%v, %v", at, err)
	}
	if list, err := p.Sessions("AAPL", q.From, q.End); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := p.Head("X"); !errors.Is(err, ErrNoSymbol) {
		t.Error(err)
	}
	if PastOf(c) != Past(c) {
		t.Error("a file's past is not its own")
	}
}
