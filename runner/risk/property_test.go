package risk

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// spoil makes a view worse in any number of ways.
func spoil(t *rapid.T, v *broker.View) {
	maybe := func(what string, change func()) {
		if rapid.Bool().Draw(t, what) {
			change()
		}
	}
	maybe("own", func() { v.Own = true })
	maybe("others unknown", func() { v.Others = nil })
	maybe("others", func() { v.Others = amount(fmt.Sprint(rapid.IntRange(0, 300_000).Draw(t, "others worth"))) })
	maybe("equity", func() { v.Standing.Equity = amount(fmt.Sprint(rapid.IntRange(-1000, 1_100_000).Draw(t, "equity"))) })
	maybe("nothing of the account", func() { v.Standing = broker.Standing{} })
	maybe("losses", func() { v.Standing.Realized = market.MustMoney(fmt.Sprint(-rapid.IntRange(0, 5000).Draw(t, "lost"))) })
	maybe("streak", func() { v.Standing.LosingStreak = rapid.IntRange(0, 9).Draw(t, "streak") })
	maybe("twin", func() {
		v.Twin = broker.Twin{ID: "x-0", At: v.Now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "ago")) * time.Second)}
	})
	maybe("exit", func() {
		v.LastExit = v.Now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "exit ago")) * time.Second)
	})
	maybe("crossed", func() { v.Quote.Bid = dollars("100.05") })
	maybe("jumped", func() { v.Trades = traded("50", "50", "50", "50") })
}

// Whatever else is wrong, no rule that is there to keep new risk out stands in
// the way of less risk.
func TestAReductionIsNeverRefusedByARuleForEntries(t *testing.T) {
	g, forEntries := gate(t), map[string]bool{}
	for _, r := range rules {
		forEntries[r.name] = r.entries
	}
	rapid.Check(t, func(t *rapid.T) {
		v, in := drawView(t), drawIntent(t)
		spoil(t, &v)
		d := g.Decide(v, in)
		if reduces(v, in) && forEntries[d.Rule] {
			t.Fatalf("a reduction is refused by %s: %s", d.Rule, d.Reason)
		}
		if reduces(v, in) && d.Rule == RuleTickSanity {
			t.Fatal("a new reduction is refused for the price")
		}
	})
}

func TestTheSameQuestionGetsTheSameAnswer(t *testing.T) {
	one, other := gate(t), gate(t)
	rapid.Check(t, func(t *rapid.T) {
		v, in := drawView(t), drawIntent(t)
		spoil(t, &v)
		first := one.Decide(v, in)
		for _, again := range []order.Decision{one.Decide(v, in), other.Decide(v, in)} {
			if diff := cmp.Diff(first, again); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// world is a market of three symbols at standing prices, in which orders fill,
// end and wait as they like.
type world struct {
	prices map[market.Symbol]market.Price
	held   map[market.Symbol]market.Qty
	open   []order.Order
}

func (w *world) exposure(s market.Symbol) broker.Exposure {
	e := broker.Exposure{
		Held: w.held[s], Buys: broker.OpenQty(w.open, s, order.Buy, "", nil), Sells: broker.OpenQty(w.open, s, order.Sell, "", nil),
	}
	p := w.prices[s]
	e.Raise(&p)
	return e
}

func (w *world) view(s market.Symbol) broker.View {
	v := good()
	p := w.prices[s]
	v.Quote = market.Quote{Last: &p, LastAt: noon}
	held := w.held[s]
	v.Position, v.Open = &held, slices.DeleteFunc(slices.Clone(w.open), func(o order.Order) bool { return o.Symbol != s })
	var others market.Money
	for other := range w.prices {
		if e := w.exposure(other); other != s {
			others = others.Add(e.Price.Mul(e.Worst()).Abs())
		}
	}
	v.Others = &others
	return v
}

// happen lets one open order fill by a part, or end.
func (w *world) happen(t *rapid.T) {
	if len(w.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.open)-1).Draw(t, "which")
	o := &w.open[i]
	if left := o.Remaining().Int(); left > 0 && rapid.Bool().Draw(t, "fills") {
		q := market.Shares(rapid.Int64Range(1, left).Draw(t, "filled"))
		o.Filled = o.Filled.Add(q)
		w.held[o.Symbol] = w.held[o.Symbol].Add(o.Side.Signed(q))
		if !o.Remaining().IsZero() {
			return
		}
	}
	w.open = slices.Delete(w.open, i, i+1)
}

// TestNoSequenceOfEntriesPassesTheLimits: 712 buys went out in two hours, each
// of them small. Whatever is asked, by however many, in whatever order, and
// whatever of it fills: what is held and may come to be held stays within the
// limits.
func TestNoSequenceOfEntriesPassesTheLimits(t *testing.T) {
	g := gate(t, func(c *Config) { c.Off = []string{RuleDuplicate, RuleChurn, RuleOrdersPerMinute, RuleNotionalPerDay} }, func(c *Config) {
		c.MaxGrossNotional = market.MustMoney("90000")
	})
	cfg := DefaultConfig()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			prices: map[market.Symbol]market.Price{"AAPL": market.MustPrice("100"), "MSFT": market.MustPrice("33.33"), "SPY": market.MustPrice("511.7")},
			held:   map[market.Symbol]market.Qty{},
		}
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "market") {
				w.happen(t)
			} else {
				in := intent(rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), rapid.Int64Range(1, 600).Draw(t, "qty"))
				in.ID, in.Symbol = fmt.Sprint("x-", n), rapid.SampledFrom([]market.Symbol{"AAPL", "MSFT", "SPY"}).Draw(t, "symbol")
				if g.Decide(w.view(in.Symbol), in).Allowed {
					w.open = append(w.open, order.Order{Ref: in.ID, Symbol: in.Symbol, Side: in.Side, Qty: in.Qty, State: order.Working})
				}
			}
			var gross market.Money
			for s := range w.prices {
				e := w.exposure(s)
				worst := e.Price.Mul(e.Worst()).Abs()
				if cfg.MaxPositionNotional.Less(worst) {
					t.Fatalf("%s may come to %v", s, worst)
				}
				gross = gross.Add(worst)
			}
			if market.MustMoney("90000").Less(gross) {
				t.Fatalf("all may come to %v", gross)
			}
		}
	})
}
