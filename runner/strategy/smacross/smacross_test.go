package smacross

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/strategytest"
)

var open = time.Date(2014, 6, 5, 13, 30, 0, 0, time.UTC)

// bench feeds one strategy with closes, one a minute, and fills what it asks.
type bench struct {
	s strategy.Strategy
	c *strategytest.Context
	n int
}

func newBench(t testing.TB, set map[string]string) *bench {
	t.Helper()
	k := Kind()
	v, err := k.Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{s: k.New("AAPL", v), c: &strategytest.Context{
		Sym: "AAPL", Held: market.Shares(0).Ptr(), Worth: market.MustMoney("100000").Ptr(),
		Session: market.Hours{{Open: open, Close: open.Add(390 * time.Minute)}},
	}}
}

// bar feeds the next close and returns what was asked for, which is filled.
func (b *bench) bar(close string) string {
	b.n++
	b.c.At = open.Add(time.Duration(b.n) * time.Minute)
	p := market.MustPrice(close)
	b.c.Quoted.Last = &p
	b.s.OnBar(b.c, market.Bar{Start: b.c.At.Add(-time.Minute), Open: p, High: p, Low: p, Close: p})
	b.fill()
	return strings.Join(b.c.Take(), ",")
}

func (b *bench) fill() {
	for _, in := range b.c.Orders {
		b.c.Held = b.c.Held.Add(in.Side.Signed(in.Qty)).Ptr()
	}
}

var small = map[string]string{"fast": "2", "slow": "3", "fraction": "0.05"}

// Averages of 2 and 3: the crosses are worked out by hand.
func TestKnownCrosses(t *testing.T) {
	b := newBench(t, small)
	for i, step := range []struct{ close, want string }{
		{"100", ""},
		{"99", ""},
		{"98", ""}, // 98.5 under 99: the first that is known
		{"97", ""},
		{"101", "BUY 49"},  // 99 above 98.67: 5000 / 101
		{"105", ""},        // stays above
		{"102", ""},        // 103.5 above 102.67
		{"98", "SELL 49"},  // 100 under 101.67
		{"97", ""},         // stays under
		{"97.5", ""},       // 97.25 under 97.5
		{"97.5", "BUY 51"}, // 97.5 above 97.33
		{"97.5", ""},       // equal: no cross
		{"97.5", ""},       //
		{"96", "SELL 51"},  // 96.75 under 97
	} {
		if got := b.bar(step.close); got != step.want {
			t.Errorf("bar %d at %s: %q, want %q (%s)", i+1, step.close, got, step.want, b.c.Said)
		}
	}
	if b.c.Shown["fast"] != "96.7500" || b.c.Shown["slow"] != "97.0000" {
		t.Errorf("it shows %v", b.c.Shown)
	}
}

// toCross brings the bench to the bar before a cross upwards.
func toCross(t testing.TB, set map[string]string) *bench {
	b := newBench(t, set)
	for _, p := range []string{"100", "99", "98", "97"} {
		if got := b.bar(p); got != "" {
			t.Fatalf("order %q before the cross", got)
		}
	}
	return b
}

func TestEntryConditions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   map[string]string
		spoil func(*strategytest.Context)
		want  string
	}{
		{"good", small, func(*strategytest.Context) {}, "BUY 49"},
		{"position unknown", small, func(c *strategytest.Context) { c.Held = nil }, ""},
		{"short", small, func(c *strategytest.Context) { c.Held = market.Shares(-5).Ptr() }, ""},
		{"long already", small, func(c *strategytest.Context) { c.Held = market.Shares(5).Ptr() }, ""},
		{"an order is out", small, func(c *strategytest.Context) { c.Open = 1 }, ""},
		{"equity unknown", small, func(c *strategytest.Context) { c.Worth = nil }, ""},
		{"poor", small, func(c *strategytest.Context) { c.Worth = market.MustMoney("2019.99").Ptr() }, ""},
		{"just one share", small, func(c *strategytest.Context) { c.Worth = market.MustMoney("2020").Ptr() }, "BUY 1"},
		{"in debt", small, func(c *strategytest.Context) { c.Worth = market.MustMoney("-5").Ptr() }, ""},
		{"rich", small, func(c *strategytest.Context) { c.Worth = market.MustMoney("10000000").Ptr() }, "BUY 445"}, // 45,000
		{"warming", small, func(c *strategytest.Context) { c.Past = true }, ""},
		{"hours unknown", small, func(c *strategytest.Context) { c.Session = nil }, "BUY 49"}, // the gate decides
		{"before the session", small, func(c *strategytest.Context) { c.Session[0].Open = open.Add(time.Hour) }, ""},
		{"after the last session", small, func(c *strategytest.Context) { c.Session[0].Close = open.Add(time.Minute) }, ""},
		{"5 minutes before the end", small, func(c *strategytest.Context) { c.Session[0].Close = open.Add(10 * time.Minute) }, ""},
		{"5:01 before the end", small, func(c *strategytest.Context) { c.Session[0].Close = open.Add(10*time.Minute + time.Second) }, "BUY 49"},
		{
			"holding on",
			map[string]string{"fast": "2", "slow": "3", "flat_at_close": "0", "fraction": "1", "max_notional": "1000"},
			func(c *strategytest.Context) { c.Session[0].Close = open.Add(6 * time.Minute) }, "BUY 9",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := toCross(t, tt.set)
			held := b.c.Held
			tt.spoil(b.c)
			if b.c.Held == nil { // the bench cannot fill it
				defer func() { b.c.Held = held }()
			}
			if got := b.bar("101"); got != tt.want {
				t.Errorf("%q, want %q (%s)", got, tt.want, b.c.Said)
			}
			if b.c.Said == "" {
				t.Error("it says nothing about it")
			}
		})
	}
}

// An entry that was missed is not chased: above is not a cross.
func TestNoChase(t *testing.T) {
	b := toCross(t, small)
	b.c.Open = 1
	b.bar("101")
	b.c.Open = 0
	if got := b.bar("103"); got != "" {
		t.Errorf("%q on the bar after the cross", got)
	}
}

// An exit that was refused is asked for again with each bar.
func TestExitIsAskedAgain(t *testing.T) {
	b := toCross(t, small)
	b.c.Held = market.Shares(30).Ptr()
	for range 3 {
		b.n++
		b.c.At = open.Add(time.Duration(b.n) * time.Minute)
		b.s.OnBar(b.c, market.Bar{Close: market.MustPrice("90")})
		if got := b.c.Take(); !slices.Equal(got, []string{"SELL 30"}) {
			t.Fatalf("bar %d: %v", b.n, got)
		}
	}
}

func TestFlatAtClose(t *testing.T) {
	b := toCross(t, small)
	if got := b.bar("101"); got != "BUY 49" {
		t.Fatalf("%q", got)
	}
	tick := market.Tick{Symbol: "AAPL", Kind: market.TickTrade, Known: true, Price: market.MustPrice("101")}
	at := func(d time.Duration) string {
		b.c.At = open.Add(390*time.Minute - d)
		b.s.OnTick(b.c, tick)
		return strings.Join(b.c.Take(), ",")
	}
	for _, step := range []struct {
		before time.Duration
		want   string
	}{
		{5*time.Minute + time.Second, ""},
		{5 * time.Minute, "SELL 49"},
		{4*time.Minute + 31*time.Second, ""}, // asked a moment ago, and refused
		{4*time.Minute + 30*time.Second, "SELL 49"},
		{-time.Minute, ""}, // after the end
	} {
		if got := at(step.before); got != step.want {
			t.Errorf("%v before the end: %q, want %q", step.before, got, step.want)
		}
	}
}

func TestParams(t *testing.T) {
	k := Kind()
	if v, err := k.Parse(nil); err != nil || v.Int("fast") != 10 || v.Int("slow") != 20 || k.New("AAPL", v).Need() != 21 {
		t.Errorf("defaults: %v, %v", v, err)
	}
	for _, set := range []map[string]string{{"fast": "20"}, {"slow": "5"}, {"fraction": "0"}, {"fraction": "1.1"}, {"flat_at_close": "-1"}} {
		if _, err := k.Parse(set); err == nil {
			t.Errorf("%v is taken", set)
		}
	}
}

// The size is the largest whole one that the budget pays.
func TestWholeShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := market.MustMoney(fmt.Sprintf("%d.%08d", rapid.Int64Range(0, 1e7).Draw(t, "dollars"), rapid.IntRange(0, 99_999_999).Draw(t, "part")))
		price := market.MustPrice(fmt.Sprintf("%d.%04d", rapid.Int64Range(0, 2000).Draw(t, "price"), rapid.IntRange(1, 9999).Draw(t, "cents")))
		q := wholeShares(budget, price)
		if q == order.MaxQty {
			return
		}
		if budget.Less(price.Mul(q)) || q != q.Whole() {
			t.Fatalf("%v at %v are more than %v", q, price, budget)
		}
		if more := price.Mul(q.Add(market.Shares(1))); !budget.Less(more) {
			t.Fatalf("%v at %v: one more costs %v of %v", q, price, more, budget)
		}
	})
}
