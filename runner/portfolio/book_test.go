package portfolio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

var (
	money = market.MustMoney
	price = market.MustPrice
	qty   = market.MustQty
)

func fill(id string, side order.Side, q, p string) order.Fill {
	return order.Fill{ExecID: id, Symbol: "AAPL", Side: side, Qty: qty(q), Price: price(p)}
}

func with(f order.Fill, commission string) order.Fill {
	f.Commission = money(commission).Ptr()
	return f
}

func flat(cash string) *Book {
	return New(Baseline{Cash: money(cash).Ptr(), Positions: []order.Position{}})
}

func must(t interface{ Fatal(...any) }, k *Book, fs ...order.Fill) {
	for _, f := range fs {
		if _, err := k.Fill(f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBook(t *testing.T) {
	for _, tt := range []struct {
		name                                 string
		fills                                []order.Fill
		cash, realised, commission, position string
		avg, unrealised                      string // "" is unknown; the newest price is 110
	}{
		{name: "nothing", cash: "1000", realised: "0", commission: "0", position: "0", unrealised: "0"},
		{
			name:  "buy",
			fills: []order.Fill{with(fill("1", order.Buy, "10", "100"), "1")},
			cash:  "-1", realised: "0", commission: "1", position: "10", avg: "100", unrealised: "100",
		},
		{
			name:  "average of two",
			fills: []order.Fill{fill("1", order.Buy, "10", "100"), fill("2", order.Buy, "20", "106")},
			cash:  "-2120", realised: "0", commission: "0", position: "30", avg: "104", unrealised: "180",
		},
		{
			name:  "sell a part",
			fills: []order.Fill{fill("1", order.Buy, "10", "100"), fill("2", order.Sell, "4", "105.5")},
			cash:  "422", realised: "22", commission: "0", position: "6", avg: "100", unrealised: "60",
		},
		{
			name:  "short and cover",
			fills: []order.Fill{fill("1", order.Sell, "10", "100"), fill("2", order.Buy, "10", "90")},
			cash:  "1100", realised: "100", commission: "0", position: "0", unrealised: "0",
		},
		{
			name:  "long through zero to short",
			fills: []order.Fill{fill("1", order.Buy, "10", "100"), fill("2", order.Sell, "15", "120")},
			cash:  "1800", realised: "200", commission: "0", position: "-5", avg: "120", unrealised: "50",
		},
		{
			name:  "short through zero to long",
			fills: []order.Fill{fill("1", order.Sell, "10", "100"), fill("2", order.Buy, "15", "105")},
			cash:  "425", realised: "-50", commission: "0", position: "5", avg: "105", unrealised: "25",
		},
		{ // three thirds release the whole cost, though a third has no end
			name: "thirds",
			fills: []order.Fill{
				fill("1", order.Buy, "3", "100.01"), fill("2", order.Sell, "1", "100"),
				fill("3", order.Sell, "1", "100"), fill("4", order.Sell, "1", "100"),
			},
			cash: "999.97", realised: "-0.03", commission: "0", position: "0", unrealised: "0",
		},
		{
			name: "told twice, commission later and corrected",
			fills: []order.Fill{
				fill("1", order.Buy, "1", "100"), fill("1", order.Buy, "1", "100"),
				with(fill("1", order.Buy, "1", "100"), "1"), with(fill("1", order.Buy, "1", "100"), "1"),
				fill("1", order.Buy, "1", "100"), with(fill("1", order.Buy, "1", "100"), "1.25"),
			},
			cash: "898.75", realised: "0", commission: "1.25", position: "1", avg: "100", unrealised: "10",
		},
		{
			name: "bought for more than was told first, and the first told again",
			fills: []order.Fill{
				fill("a.01", order.Buy, "10", "100"), fill("b.01", order.Buy, "20", "106"), fill("a.02", order.Buy, "10", "103"), fill("a.01", order.Buy, "10", "100"),
			},
			cash: "-2150", realised: "0", commission: "0", position: "30", avg: "105", unrealised: "150",
		},
		{
			name:  "sold for more",
			fills: []order.Fill{fill("1", order.Buy, "10", "100"), fill("a.01", order.Sell, "4", "105.5"), fill("a.03", order.Sell, "4", "106")},
			cash:  "424", realised: "24", commission: "0", position: "6", avg: "100", unrealised: "60",
		},
		{
			name:  "sold less",
			fills: []order.Fill{fill("1", order.Buy, "10", "100"), fill("a.01", order.Sell, "10", "105"), fill("a.02", order.Sell, "4", "105")},
			cash:  "420", realised: "20", commission: "0", position: "6", avg: "100", unrealised: "60",
		},
		{
			name:  "taken back, with its commission",
			fills: []order.Fill{with(fill("a.01", order.Buy, "10", "100"), "1"), with(fill("a.02", order.Buy, "0", "100"), "0")},
			cash:  "1000", realised: "0", commission: "0", position: "0", unrealised: "0",
		},
		{
			name:  "taken back before it came",
			fills: []order.Fill{with(fill("a.02", order.Buy, "0", "100"), "0"), with(fill("a.01", order.Buy, "10", "100"), "1")},
			cash:  "1000", realised: "0", commission: "0", position: "0", unrealised: "0",
		},
		{ // the gain is then no gain of a trade, and is there all the same
			name:  "what was closed since is taken back",
			fills: []order.Fill{fill("a.01", order.Buy, "10", "100"), fill("2", order.Sell, "10", "120"), fill("a.02", order.Buy, "0", "100"), fill("3", order.Buy, "10", "110")},
			cash:  "1100", realised: "100", commission: "0", position: "0", unrealised: "0",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := flat("1000")
			k.Mark("AAPL", price("110"))
			must(t, k, tt.fills...)
			v := k.View()
			got := []string{v.Cash.String(), v.Realised.String(), v.Commission.String()}
			if want := []string{tt.cash, tt.realised, tt.commission}; !slices.Equal(got, want) {
				t.Errorf("cash, realised, commission %v, want %v", got, want)
			}
			if q, known := k.Position("AAPL"); q.String() != tt.position || !known {
				t.Errorf("position %v known %v, want %s", q, known, tt.position)
			}
			if got := fmt.Sprint(v.Unrealised); got != tt.unrealised {
				t.Errorf("unrealised %s, want %s", got, tt.unrealised)
			}
			if tt.avg != "" && fmt.Sprint(v.Positions[0].AvgCost) != tt.avg {
				t.Errorf("average %v, want %s", v.Positions[0].AvgCost, tt.avg)
			}
		})
	}
}

func TestUnknownIsNotZero(t *testing.T) {
	k := New(Baseline{})
	must(t, k, fill("1", order.Buy, "1", "100"))
	v := k.View()
	if v.Cash != nil || v.Equity != nil || v.Unrealised != nil {
		t.Errorf("without a baseline: cash %v, equity %v, unrealised %v", v.Cash, v.Equity, v.Unrealised)
	}
	if _, known := k.Position("AAPL"); known {
		t.Error("a position on top of an unknown one is known")
	}

	k = flat("1000")
	must(t, k, fill("1", order.Buy, "1", "100"))
	if v := k.View(); v.Equity != nil || v.Unrealised != nil || v.Positions[0].Unrealised != nil {
		t.Errorf("without a price: equity %v, unrealised %v", v.Equity, v.Unrealised)
	}

	// A position whose cost nobody told realises nothing until it is flat.
	k = New(Baseline{Cash: money("0").Ptr(), Positions: []order.Position{{Symbol: "AAPL", Qty: qty("10")}}})
	k.Mark("AAPL", price("100"))
	must(t, k, fill("1", order.Sell, "10", "100"), fill("2", order.Buy, "1", "100"), fill("3", order.Sell, "1", "101"))
	if v := k.View(); v.Realised != money("1") || *v.Cash != money("1001") {
		t.Errorf("realised %v, cash %v", v.Realised, v.Cash)
	}
}

func TestBaselineAndRebase(t *testing.T) {
	k := New(Baseline{
		Cash:      money("500").Ptr(),
		Positions: []order.Position{{Symbol: "AAPL", Qty: qty("5"), AvgCost: price("90").Ptr()}},
		Counted:   []string{"old"},
	})
	k.Mark("AAPL", price("100"))
	must(t, k, with(fill("old", order.Buy, "5", "90"), "1")) // in the baseline already
	if m, ok := k.Equity(); !ok || m != money("1000") {
		t.Errorf("equity %v %v", m, ok)
	}
	k.Rebase(order.Position{Symbol: "AAPL", Qty: qty("2"), AvgCost: price("95").Ptr()}, money("800").Ptr())
	v := k.View()
	if *v.Equity != money("1000") || *v.Unrealised != money("10") || !v.Realised.IsZero() {
		t.Errorf("after rebase: equity %v, unrealised %v, realised %v", v.Equity, v.Unrealised, v.Realised)
	}
}

func TestBadFills(t *testing.T) {
	good := fill("1", order.Buy, "1", "1")
	for name, spoil := range map[string]func(*order.Fill){
		"no id": func(f *order.Fill) { f.ExecID = "" }, "no symbol": func(f *order.Fill) { f.Symbol = "" },
		"no side": func(f *order.Fill) { f.Side = "SLD" }, "no quantity": func(f *order.Fill) { f.Qty = qty("0") },
		"negative": func(f *order.Fill) { f.Qty = qty("-1") }, "huge": func(f *order.Fill) { f.Qty = qty("90000000000") },
		"absurd price": func(f *order.Fill) { f.Price = price("-90000000000") },
	} {
		k, f := flat("0"), good
		spoil(&f)
		if fresh, err := k.Fill(f); fresh || !errors.Is(err, ErrBadFill) {
			t.Errorf("%s: fresh %v, error %v", name, fresh, err)
		}
		if v := k.View(); !v.Cash.IsZero() || v.Pending != 0 {
			t.Errorf("%s was counted: %+v", name, v)
		}
	}
}

func drawFills(t *rapid.T) []order.Fill {
	n := rapid.IntRange(0, 30).Draw(t, "n")
	fills := make([]order.Fill, 0, n)
	for i := range n {
		f := fill(fmt.Sprint(i), rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), "1", "1")
		f.Symbol = rapid.SampledFrom([]market.Symbol{"AAPL", "MSFT"}).Draw(t, "symbol")
		f.Qty = qty(fmt.Sprintf("%d.%04d", rapid.IntRange(0, 500).Draw(t, "shares"), rapid.IntRange(1, 9999).Draw(t, "part")))
		f.Price = price(fmt.Sprintf("%d.%04d", rapid.IntRange(1, 900).Draw(t, "dollars"), rapid.IntRange(0, 9999).Draw(t, "cents")))
		f.Commission = money(fmt.Sprintf("%d.%04d", rapid.IntRange(0, 9).Draw(t, "fee"), rapid.IntRange(0, 9999).Draw(t, "feepart"))).Ptr()
		fills = append(fills, f)
	}
	return fills
}

// cash + cost = cash₀ + realised - commission, after every step; and a flat
// book has realised exactly what flowed.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := flat("1000")
		var flow market.Money
		for _, f := range drawFills(t) {
			must(t, k, f)
			flow = flow.Add(f.Price.Mul(f.Side.Signed(f.Qty)).Neg())
			cost, allFlat := market.Money{}, true
			for _, l := range k.lines {
				cost = cost.Add(l.cost)
				allFlat = allFlat && l.qty.IsZero()
				if l.qty.IsZero() && !l.cost.IsZero() {
					t.Fatalf("flat with a cost of %v", l.cost)
				}
				if l.qty.Sign()*l.cost.Sign() < 0 {
					t.Fatalf("position %v with a cost of %v", l.qty, l.cost)
				}
			}
			left := k.cash.Add(cost)
			right := money("1000").Add(k.realised).Sub(k.commission)
			if left != right {
				t.Fatalf("cash + cost = %v, start + realised - commission = %v", left, right)
			}
			if allFlat && k.realised != flow {
				t.Fatalf("flat: realised %v, flows %v", k.realised, flow)
			}
		}
		// Closing everything realises all flows.
		for _, s := range []market.Symbol{"AAPL", "MSFT"} {
			q, _ := k.Position(s)
			if q.IsZero() {
				continue
			}
			f := fill("close "+string(s), order.Sell, "1", "123.45")
			f.Symbol, f.Qty = s, q.Abs()
			if q.Sign() < 0 {
				f.Side = order.Buy
			}
			must(t, k, f)
			flow = flow.Add(f.Price.Mul(f.Side.Signed(f.Qty)).Neg())
		}
		if k.realised != flow {
			t.Fatalf("closed: realised %v, flows %v", k.realised, flow)
		}
	})
}

// When and how often commissions are told does not matter.
func TestCommissionsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fills := drawFills(t)
		want := flat("1000")
		must(t, want, fills...)

		late := make([]order.Fill, 0, 3*len(fills))
		got := flat("1000")
		for _, f := range fills {
			bare := f
			bare.Commission = nil
			must(t, got, bare)
			late = append(late, f, bare, f)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
		if v := got.View(); v.Pending != len(fills) {
			t.Fatalf("%d commissions pending, want %d", v.Pending, len(fills))
		}
		must(t, got, late...)
		if d := cmp.Diff(want.View(), got.View(), cmp.Comparer(func(a, b market.Money) bool { return a == b }),
			cmp.Comparer(func(a, b market.Price) bool { return a == b }),
			cmp.Comparer(func(a, b market.Qty) bool { return a == b })); d != "" {
			t.Fatal(d)
		}
	})
}

// A day of many executions is not all in memory; what is remembered counts once.
func TestExecutionsInMemoryAreBounded(t *testing.T) {
	k := New(Baseline{Cash: &market.Money{}, Positions: []order.Position{}, Counted: []string{"before"}})
	const more = 100
	f := fill("", order.Buy, "1", "10")
	f.Commission = nil
	for i := range keepFills + more {
		f.ExecID = fmt.Sprint(i)
		must(t, k, f)
	}
	if len(k.fills) != keepFills || len(k.ids) != keepFills {
		t.Errorf("%d executions and %d ids are in memory, want %d", len(k.fills), len(k.ids), keepFills)
	}
	for _, i := range []int{more, keepFills, keepFills + more - 1} { // the oldest known, and newer ones
		f.ExecID = fmt.Sprint(i)
		must(t, k, f)
	}
	if q, _ := k.Position(f.Symbol); q != market.Shares(keepFills+more) {
		t.Errorf("position %v after %d shares were bought one by one", q, keepFills+more)
	}
}

func BenchmarkFill(b *testing.B) {
	b.ReportAllocs()
	k := flat("1000000")
	f := fill("x", order.Buy, "100", "187.25")
	for i := range b.N {
		f.ExecID = fmt.Sprint(i)
		if f.Side = order.Buy; i%2 == 1 {
			f.Side = order.Sell
		}
		if _, err := k.Fill(f); err != nil {
			b.Fatal(err)
		}
	}
}
