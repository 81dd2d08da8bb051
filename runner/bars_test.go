package runner

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

var exact = cmp.Options{
	cmp.Comparer(func(a, b market.Price) bool { return a == b }),
	cmp.Comparer(func(a, b market.Qty) bool { return a == b }),
}

// Cut by ticks or by grouping, the bars are the same, and nothing that came in
// time is lost.
func TestCutterIsGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type tradeAt struct {
			at    time.Time
			price market.Price
		}
		var trades []tradeAt
		at := day
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			at = at.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "gap")) * time.Second)
			trades = append(trades, tradeAt{at, market.MustPrice("100").Add(market.MustPrice("0.01").Times(rapid.Int64Range(0, 500).Draw(t, "p")))})
		}
		c := cutter{width: time.Minute}
		var got, want []market.Bar
		for _, x := range trades {
			if b, ok := c.advance(x.at); ok {
				got = append(got, b)
			}
			c.trade(x.at, x.price, market.Shares(1))
			start := x.at.Truncate(time.Minute)
			if len(want) == 0 || !want[len(want)-1].Start.Equal(start) {
				want = append(want, market.Bar{Start: start})
			}
			want[len(want)-1] = want[len(want)-1].Merge(x.price, market.Shares(1))
		}
		if b, ok := c.advance(at.Add(time.Hour)); ok {
			got = append(got, b)
		}
		if d := cmp.Diff(want, got, exact); d != "" || c.late != 0 {
			t.Fatalf("%d late; %s", c.late, d)
		}
	})
}

// Whatever mixture of past bars, trades and clock comes, each bar comes once
// and in order.
func TestCutterEachBarOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cutter{width: time.Minute}
		var seen []time.Time
		now := day
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 150).Draw(t, "gap")) * time.Second)
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				if b, ok := c.advance(now); ok {
					seen = append(seen, b.Start)
				}
				back := time.Duration(rapid.IntRange(0, 90).Draw(t, "late")) * time.Second
				c.trade(now.Add(-back), px("1"), market.Shares(1))
			case 2:
				if b, ok := c.advance(now); ok {
					seen = append(seen, b.Start)
				}
			case 3:
				back := time.Duration(rapid.IntRange(0, 10).Draw(t, "back")) * time.Minute
				for _, b := range c.past(pastBars(now.Add(-back).Truncate(time.Minute), 12), now) {
					if b.Start.Add(time.Minute).After(now) {
						t.Fatalf("at %v a bar of %v is past", now, b.Start)
					}
					seen = append(seen, b.Start)
				}
			}
		}
		if !slices.IsSortedFunc(seen, time.Time.Compare) {
			t.Fatalf("out of order: %v", seen)
		}
		if n := len(slices.CompactFunc(slices.Clone(seen), time.Time.Equal)); n != len(seen) {
			t.Fatalf("twice: %v", seen)
		}
	})
}
