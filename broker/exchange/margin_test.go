package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestValueUnderMargin(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") }, "AAPL", "IBM")
	place := func(symbol market.Symbol, bid, s string) {
		ev := quote(bid, bid)
		ev.Symbol = symbol
		x.Apply(noon, ev)
		r := want(s)
		r.Symbol = symbol
		if _, bad := x.Place(noon, r)[0].(Rejected); bad {
			t.Fatalf("%s is refused", s)
		}
	}
	place("AAPL", "100", "BUY 100 MKT")
	place("IBM", "50", "SELL 80 MKT")
	ev := quote("110", "110")
	x.Apply(noon, ev)
	v, _ := x.Value("DU7654321")
	got := fmt.Sprint(v.Cash, v.Positions, v.GrossPositions, v.Equity, v.Unrealized, v.InitMargin, v.MaintMargin, v.Available, v.Excess, v.BuyingPower)
	// 10,000 − 10,000 − 1 + 4,000 − 1; 11,000 − 4,000; 5,500 + 2,000; 2,750 + 1,200
	if want := "3998 7000 15000 10998 1000 7500 3950 3498 7048 6996"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	cushion, _ := v.Cushion()
	leverage, _ := v.Leverage()
	if got := fmt.Sprintf("%.4f %.4f", cushion, leverage); got != "0.6408 1.3639" {
		t.Errorf("cushion and leverage %s", got)
	}
	var none Value
	if _, ok := none.Cushion(); ok {
		t.Error("a cushion without equity")
	}
}

func TestFunds(t *testing.T) {
	for _, tt := range []struct {
		name, before, ask string
		refused           bool
	}{
		{"all that the cash carries", "", "BUY 200 MKT", false},
		{"a share more", "", "BUY 201 MKT", true},
		{"short as much", "", "SELL 200 MKT", false},
		{"short a share more", "", "SELL 201 MKT", true},
		{"a limit counts, not the market", "", "BUY 210 LMT 95", false},
		{"a limit above the market takes the market's price", "", "BUY 200 LMT 150", false},
		{"a sale with a low limit takes the market's price", "", "SELL 201 LMT 50", true},
		{"working orders count", "BUY 150 LMT 90", "BUY 70 MKT", true},
		{"… as far as they want", "BUY 150 LMT 90", "BUY 60 MKT", false},
		{"buys and sells do not add up", "BUY 150 LMT 90", "SELL 150 LMT 110", false},
		{"closing is free", "BUY 199 MKT", "SELL 199 MKT", false},
		{"turning counts what opens", "BUY 199 MKT", "SELL 399 LMT 101", true},
		{"turning to what is carried", "BUY 199 MKT", "SELL 380 LMT 101", false},
		{"closing twice counts the second as short", "BUY 199 MKT,SELL 199 LMT 120", "SELL 199 LMT 120", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
			x.Apply(noon, quote("100", "100"))
			if tt.before != "" {
				for s := range strings.SplitSeq(tt.before, ",") {
					if _, bad := x.Place(noon, want(s))[0].(Rejected); bad {
						t.Fatalf("%s is refused", s)
					}
				}
			}
			r, refused := x.Place(noon, want(tt.ask))[0].(Rejected)
			if refused != tt.refused || refused && (r.Reason != InsufficientFunds || r.Reason.Code() != 201) {
				t.Errorf("refused: %v, %v %s", refused, r.Reason, r.Text)
			}
		})
	}
}

func TestFundsAreNamed(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("1000") })
	x.Apply(noon, quote("100", "100"))
	r, _ := x.Place(noon, want("BUY 21 MKT"))[0].(Rejected)
	if want := "YOUR EQUITY WITH LOAN VALUE [1000 USD] MUST EXCEED THE INITIAL MARGIN [1050 USD]"; !strings.Contains(r.Text, want) {
		t.Errorf("got %q", r.Text)
	}
	// Without a market nobody knows what a market order needs: it is taken.
	x = newExchange(t, func(c *Config) { c.Cash = market.MustMoney("1000") })
	if _, ok := x.Place(noon, want("BUY 21 MKT"))[0].(Accepted); !ok {
		t.Error("refused without a price")
	}
	x = newExchange(t, func(c *Config) { c.Cash, c.Margin = market.MustMoney("1000"), Margin{} })
	x.Apply(noon, quote("100", "100"))
	if _, ok := x.Place(noon, want("BUY 2100 MKT"))[0].(Accepted); !ok {
		t.Error("refused without a margin")
	}
}

// An account under water may close, and nothing else.
func TestUnderWaterOnlyClosingPasses(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
	x.Apply(noon, quote("100", "100"))
	x.Place(noon, want("BUY 199 MKT"))
	x.Apply(noon, quote("40", "40"))
	if v, _ := x.Value("DU7654321"); v.Equity.Sign() >= 0 || v.BuyingPower.Sign() != 0 {
		t.Fatalf("the test shows nothing: %+v", v)
	}
	if _, ok := x.Place(noon, want("BUY 1 MKT"))[0].(Rejected); !ok {
		t.Error("may buy")
	}
	for range 2 {
		if r, bad := x.Place(noon, want("SELL 50 MKT"))[0].(Rejected); bad {
			t.Errorf("may not close: %s", r.Text)
		}
	}
}

// The short way to take an order agrees with the long one.
func TestPaidIsAffordable(t *testing.T) {
	paid := 0
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, nil)
		now := walk(t, x, func(time.Time, []Report) {})
		x.note()
		for range 5 {
			r := anyRequest(t)
			o := x.draft(now, &r)
			a := x.accounts[o.Account]
			if x.paid(a, o, x.equity(a)) {
				paid++
				if need := x.required(a, o); x.equity(a).Less(need) {
					t.Fatalf("taken, but needs %v of %v", need, x.equity(a))
				}
			}
		}
	})
	if paid == 0 {
		t.Error("none: the test shows nothing")
	}
}

func TestGroupCountsOnce(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
	x.Apply(noon, quote("100", "100"))
	place := func(s, group string) bool {
		r := want(s)
		r.OCAGroup, r.OCAType = group, ReduceOpen
		_, refused := x.Place(noon, r)[0].(Rejected)
		return !refused
	}
	for _, s := range []string{"BUY 150 LMT 99", "BUY 200 LMT 98", "BUY 180 LMT 97"} {
		if !place(s, "one") {
			t.Errorf("%s: of a group one order alone fills", s)
		}
	}
	if place("BUY 20 LMT 90", "two") {
		t.Error("a second group is taken beside 200 shares of the first")
	}
	if place("BUY 250 LMT 96", "one") {
		t.Error("a larger order of the group is taken")
	}
}

// Children undo what their parent does: they never fail for want of funds.
func TestBracketOfAllThatIsCarried(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
	x.Apply(noon, quote("100", "100"))
	r := want("BUY 200 LMT 99")
	r.Hold = true
	parent := x.Place(noon, r)[0].About().PermID
	for i, s := range []string{"SELL 200 LMT 110", "SELL 200 LMT 120"} {
		r := want(s)
		r.Parent, r.Hold = parent, i == 0
		if no, refused := x.Place(noon, r)[0].(Rejected); refused {
			t.Fatalf("%s: %s", s, no.Text)
		}
	}
	x.Apply(noon, quote("98", "98.5"))
	if p, _ := x.Position("DU7654321", "AAPL"); p.Qty != market.Shares(200) {
		t.Fatalf("holds %v", p.Qty)
	}
	x.note()
	a := x.accounts["DU7654321"]
	if v, _ := x.Value("DU7654321"); x.required(a, nil) != v.InitMargin {
		t.Errorf("with its exits %v is required, for the position %v", x.required(a, nil), v.InitMargin)
	}
}

// A change is judged as what the order becomes, not beside what it was.
func TestModifyIsJudged(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
	x.Apply(noon, quote("100", "100"))
	id := x.Place(noon, want("BUY 190 LMT 99"))[0].About().PermID
	for _, tt := range []struct {
		ask   string
		taken bool
	}{{"BUY 201 LMT 98", true}, {"BUY 210 LMT 99", false}, {"BUY 100 LMT 99", true}} {
		reports, err := x.Modify(noon, id, want(tt.ask))
		if err != nil {
			t.Fatal(err)
		}
		no, refused := reports[0].(Unmodified)
		if refused == tt.taken || refused && no.Reason != InsufficientFunds {
			t.Errorf("%s: %T %+v", tt.ask, reports[0], reports[0])
		}
	}
}

// A child whose parent is gone is an order like any other: a change of it is
// judged.
func TestModifyOfAChildIsJudged(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Cash = market.MustMoney("10000") })
	x.Apply(noon, quote("100", "100"))
	r := want("BUY 1 LMT 98")
	r.Parent = x.Place(noon, want("BUY 1 LMT 99"))[0].About().PermID
	child := x.Place(noon, r)[0].About().PermID
	x.Apply(noon, print("99"))
	reports, err := x.Modify(noon, child, want("BUY 1000 LMT 98"))
	if err != nil {
		t.Fatal(err)
	}
	if no, refused := reports[0].(Unmodified); !refused || no.Reason != InsufficientFunds {
		t.Errorf("%T %+v", reports[0], reports[0])
	}
}

func TestMarginFaults(t *testing.T) {
	for _, tt := range []struct {
		m    Margin
		says string
	}{
		{DefaultMargin(), ""},
		{Margin{}, ""},
		{Margin{LongInitial: -1, LongMaintenance: -2}, "long initial rate -1"},
		{Margin{ShortInitial: 1001}, "short initial rate 1001"},
		{Margin{LongInitial: 10, LongMaintenance: 20}, "more to hold than to open"},
	} {
		c := DefaultConfig()
		c.Margin = tt.m
		if err := c.Validate(); (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.m, err)
		}
	}
}

// checkValue compares an account's value with sums of its own, and claims with
// its open orders.
func checkValue(t *rapid.T, x *Exchange, id string) {
	v, _ := x.Value(id)
	var worth, long, short, unrealised market.Money
	for _, p := range x.Positions(id) {
		w := p.Cost
		if p.Mark != nil {
			w = p.Mark.Mul(p.Qty)
		}
		worth, unrealised = worth.Add(w), unrealised.Add(w.Sub(p.Cost))
		if p.Qty.Sign() > 0 {
			long = long.Add(w)
		} else {
			short = short.Add(w.Abs())
		}
	}
	full := v.RealizedNet // and what is unrealised over the full cost
	for _, p := range x.Positions(id) {
		w := p.Cost
		if p.Mark != nil {
			w = p.Mark.Mul(p.Qty)
		}
		full = full.Add(w).Sub(p.FullCost)
	}
	if full != v.Equity.Sub(x.cfg.Cash) {
		t.Fatalf("%s: profits after commission %v, equity %v from %v", id, full, v.Equity, x.cfg.Cash)
	}
	half := market.Shares(2)
	switch {
	case v.Positions != worth, v.Equity != v.Cash.Add(worth), v.GrossPositions != long.Add(short), v.Unrealized != unrealised:
		t.Fatalf("%s: worth %v, long %v, short %v, value %+v", id, worth, long, short, v)
	case v.InitMargin != long.Add(short).MulFrac(market.Shares(1), half):
		t.Fatalf("%s: initial margin %v of %v and %v", id, v.InitMargin, long, short)
	case v.Available != v.Equity.Sub(v.InitMargin), v.Excess != v.Equity.Sub(v.MaintMargin), v.Excess.Less(v.Available):
		t.Fatalf("%s: %+v does not add up", id, v)
	case v.BuyingPower.Sign() < 0, v.Available.Sign() > 0 && v.BuyingPower != v.Available.Add(v.Available):
		t.Fatalf("%s: buying power %v of %v", id, v.BuyingPower, v.Available)
	}
	x.note()
	fresh := newClaims()
	for _, o := range x.arrivals() {
		if o.Account == id && o.Wait != WaitParent {
			fresh.add(o.PermID, o.claim())
		}
	}
	if d := cmp.Diff(fresh, x.accounts[id].claims, cmp.AllowUnexported(claims{}, claim{}, exposure{}, flow{}), exact); d != "" {
		t.Fatalf("%s: the claims are not those of the open orders: %s", id, d)
	}
}

func TestValuesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, nil)
		walk(t, x, func(time.Time, []Report) {
			for _, id := range walkAccounts {
				checkBooks(t, x, id)
				checkValue(t, x, id)
			}
		})
	})
}

// More of a position never needs less margin, in either direction.
func TestMarginIsMonotone(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		m := Margin{LongMaintenance: rapid.IntRange(0, 100).Draw(t, "lm"), ShortMaintenance: rapid.IntRange(0, 100).Draw(t, "sm")}
		m.LongInitial = rapid.IntRange(m.LongMaintenance, 100).Draw(t, "li")
		m.ShortInitial = rapid.IntRange(m.ShortMaintenance, 100).Draw(t, "si")
		side := rapid.SampledFrom([]string{"BUY", "SELL"}).Draw(t, "side")
		x := newExchange(tt, func(c *Config) { c.Margin = m })
		x.Apply(noon, quote("10", "10"))
		var init, maint market.Money
		for range rapid.IntRange(2, 10).Draw(t, "orders") {
			x.Place(noon, want(fmt.Sprintf("%s %d MKT", side, rapid.IntRange(1, 500).Draw(t, "qty"))))
			v, _ := x.Value("DU7654321")
			if v.InitMargin.Less(init) || v.MaintMargin.Less(maint) || v.InitMargin.Less(v.MaintMargin) {
				t.Fatalf("margins %v and %v after %v and %v", v.InitMargin, v.MaintMargin, init, maint)
			}
			init, maint = v.InitMargin, v.MaintMargin
		}
		need := x.required(x.accounts["DU7654321"], nil)
		if need != init {
			t.Fatalf("without open orders %v is required, positions need %v", need, init)
		}
		x.Place(noon, want("BUY 10 LMT 9"))
		x.note()
		if more := x.required(x.accounts["DU7654321"], nil); more.Less(need) {
			t.Fatalf("an open order lowers what is required from %v to %v", need, more)
		}
	})
}

// A preview changes nothing; and an order that then fills whole at once makes
// of its account what was told.
func TestPreviewIsWhatAFillMakes(t *testing.T) {
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, func(c *Config) { c.PartialFills = false })
		now := walk(t, x, func(time.Time, []Report) {})
		r := anyRequest(t)
		was := x.state()
		p, reason, text := x.Preview(now, r)
		if d := sameState(was, x.state()); d != "" {
			t.Fatalf("the preview changed: %s", d)
		}
		before, _ := x.Value(r.Account)
		reports := slices.Clone(x.Place(now, r))
		if no, refused := reports[0].(Rejected); refused || reason != 0 && reason != NoMarket {
			if no.Reason != reason || no.Text != text {
				t.Fatalf("preview refuses with %v %s, place with %v %s", reason, text, no.Reason, no.Text)
			}
			return
		}
		i := slices.IndexFunc(reports, func(r Report) bool { _, ok := r.(Executed); return ok })
		if i < 0 || reports[i].About().State != order.Filled {
			return
		}
		told++
		f, c := reports[i].(Executed).Fill, reports[i+1].(Commission)
		after, _ := x.Value(r.Account)
		if p.Price != f.Price || p.Commission != c.Amount || p.MaxCommission.Less(p.MinCommission) {
			t.Fatalf("told %v and %v, was %v and %v", p.Price, p.Commission, f.Price, c.Amount)
		}
		if d := cmp.Diff([]Value{before, after}, []Value{p.Before, p.After}, exact); d != "" {
			t.Fatalf("preview of the value: %s", d)
		}
		initial, maintenance, equity := p.Changes()
		if initial != after.InitMargin.Sub(before.InitMargin) || maintenance != after.MaintMargin.Sub(before.MaintMargin) ||
			equity != after.Equity.Sub(before.Equity) {
			t.Fatalf("changes %v %v %v", initial, maintenance, equity)
		}
	})
	if told < 10 {
		t.Errorf("only %d orders filled: the test shows little", told)
	}
}

func TestPreviewWithoutAMarket(t *testing.T) {
	x := newExchange(t, nil)
	if _, reason, _ := x.Preview(noon, want("BUY 1 MKT")); reason != NoMarket {
		t.Errorf("reason %v", reason)
	}
	if p, reason, _ := x.Preview(noon, want("BUY 1000 LMT 10")); reason != 0 || p.Price != market.MustPrice("10") || p.Commission != market.MustMoney("5") {
		t.Errorf("%v: %+v", reason, p)
	}
	x.Apply(noon, quote("1000", "1000"))
	p, reason, text := x.Preview(noon, want("BUY 3000 MKT"))
	if reason != InsufficientFunds || text == "" || p.After.InitMargin != market.MustMoney("1500000") {
		t.Errorf("%v %s: %+v", reason, text, p.After)
	}
	if _, reason, _ := x.Preview(noon, Request{Symbol: "GME"}); reason != UnknownSymbol {
		t.Errorf("reason %v", reason)
	}
}

func BenchmarkValue(b *testing.B) {
	symbols := make([]market.Symbol, 100)
	for i := range symbols {
		symbols[i] = market.Symbol(fmt.Sprintf("S%d", i))
	}
	x := newExchange(b, nil, symbols...)
	for _, s := range symbols {
		ev, r := quote("10", "10.02"), want("BUY 10 MKT")
		ev.Symbol, r.Symbol = s, s
		x.Apply(noon, ev)
		x.Place(noon, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		if v, _ := x.Value("DU7654321"); v.GrossPositions.IsZero() {
			b.Fatal("holds nothing")
		}
	}
}

// An order is judged without a look at all that are open.
func BenchmarkPlaceBesideOpenOrders(b *testing.B) {
	for _, open := range []int{0, 9000} {
		b.Run(fmt.Sprint(open), func(b *testing.B) {
			x := newExchange(b, nil)
			x.Apply(noon, quote("187.24", "187.26"))
			for range open {
				x.Place(noon, want("BUY 1 LMT 1 GTC"))
			}
			r := want("BUY 1 LMT 100 IOC")
			b.ReportAllocs()
			for b.Loop() {
				x.Place(noon, r)
			}
		})
	}
}
