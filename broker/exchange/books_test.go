package exchange

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

var update = flag.Bool("update", false, "write the golden files anew")

// exact lets values with unexported numbers be compared.
var exact = cmpopts.EquateComparable(market.Price{}, market.Qty{}, market.Money{}, market.Percent{})

func TestFixedCommission(t *testing.T) {
	for _, tt := range []struct{ qty, price, want string }{
		{"100", "187.25", "1"},               // the minimum
		{"200", "187.25", "1"},               // exactly the minimum
		{"201", "187.25", "1.005"},           // by the share
		{"1000", "0.25", "2.5"},              // IBKR's example: 1,000 shares at 0.25 = 2.50, also 1 %
		{"1000", "25", "5"},                  // IBKR's example
		{"10", "0.2", "0.02"},                // the maximum beats the minimum
		{"1", "50", "0.5"},                   // the same with one share
		{"10000", "0.01", "1"},               // 1 % of 100 dollars
		{"1", "645.80500001", "1"},           // odd prices stay exact
		{"3", "33.33333333", "0.9999999999"}, // … in the maximum, too
	} {
		q := market.MustQty(tt.qty)
		if got := FixedCommission(q, market.MustPrice(tt.price).Mul(q)); got != market.MustMoney(tt.want) {
			t.Errorf("%s at %s: got %v, want %s", tt.qty, tt.price, got, tt.want)
		}
	}
}

func TestBooks(t *testing.T) {
	x := newExchange(t, nil)
	steps := []struct{ price, order, qty, cost, realised, equity string }{
		{"10", "BUY 300 MKT", "300", "3000", "0", "999998.5"},
		{"12", "BUY 100 MKT", "400", "4200", "0", "1000597.5"},
		{"13", "SELL 100 MKT", "300", "3150", "250", "1000996.5"},
		{"11", "SELL 500 MKT", "-200", "-2200", "400", "1000394"}, // turns: 300 closed, 200 opened short
		{"14", "BUY 100 MKT", "-100", "-1100", "100", "999793"},
		{"9", "BUY 100 MKT", "0", "0", "300", "1000292"},
	}
	for _, s := range steps {
		x.Apply(noon, quote(s.price, s.price))
		x.Apply(noon, print(s.price))
		x.Place(noon, want(s.order))
		v, _ := x.Value("DU7654321")
		p := x.accounts["DU7654321"].positions["AAPL"]
		got := fmt.Sprint(p.qty, p.cost, v.Realized, v.Equity)
		if want := fmt.Sprint(s.qty, " ", s.cost, " ", s.realised, " ", s.equity); got != want {
			t.Errorf("after %s at %s: got %s, want %s", s.order, s.price, got, want)
		}
	}
	if got := x.Positions("DU7654321"); len(got) != 0 {
		t.Errorf("flat, but holds %v", got)
	}
}

// A part of a position takes its part of the cost, to the sixteenth decimal.
func TestCostOfAPartIsNotRoundedToCents(t *testing.T) {
	x := newExchange(t, nil)
	for _, s := range []struct{ price, order string }{{"10", "BUY 1 MKT"}, {"10.01", "BUY 2 MKT"}, {"11", "SELL 1 MKT"}} {
		x.Apply(noon, quote(s.price, s.price))
		x.Place(noon, want(s.order))
	}
	a := x.accounts["DU7654321"]
	if got := fmt.Sprint(a.positions["AAPL"].cost, a.realised); got != "20.0133333333333333 0.9933333333333333" {
		t.Errorf("cost and profit %s", got)
	}
}

func TestPositionsTellMarkAndAverage(t *testing.T) {
	x := newExchange(t, nil, "IBM", "AAPL")
	for _, s := range []market.Symbol{"IBM", "AAPL"} {
		ev := quote("10", "10.02")
		ev.Symbol = s
		x.Apply(noon, ev)
		r := want("SELL 100 MKT")
		r.Symbol = s
		x.Place(noon, r)
	}
	x.Apply(noon, print("11"))
	got := ""
	for _, p := range x.Positions("DU7654321") {
		got += fmt.Sprintln(p.Contract.Symbol, p.Contract.ConID, p.Qty, p.Cost, p.AvgCost, p.Mark)
	}
	if want := "AAPL 265598 -100 -1000 10 11\nIBM 8314 -100 -1000 10 10.01\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	v, ok := x.Value("DU7654321")
	if !ok || v.Unrealized != market.MustMoney("-101") || v.Positions != market.MustMoney("-2101") || v.GrossPositions != market.MustMoney("2101") {
		t.Errorf("value %+v", v)
	}
	if _, ok := x.Value("DU1"); ok || x.Positions("DU1") != nil {
		t.Error("an unknown account has a value")
	}
}

func TestLedgerGolden(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Accounts = []string{"DU7654321", "DU7654322"}; c.PartialFills = true })
	x.Apply(noon, quote("187.24", "187.26x400"))
	give := func(after time.Duration, s, ref string, id int64) {
		r := want(s)
		r.Account, r.Ref, r.OrderID = "DU7654321", ref, id
		x.Place(noon.Add(after), r)
	}
	give(0, "BUY 600 LMT 187.26", "sma:1", 1001)
	x.Apply(noon.Add(time.Minute), quote("188.1", "188.12x1000"))
	x.Apply(noon.Add(2*time.Minute), print("187.25x1000"))
	x.Apply(noon.Add(3*time.Minute), quote("188.30x1000", "188.32x1000"))
	give(3*time.Minute, "SELL 250 MKT", "sma:2", 1002)
	got, err := json.MarshalIndent(x.Ledger(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "ledger.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), string(got)+"\n"); d != "" {
		t.Errorf("the ledger's form changed; readers depend on it: %s", d)
	}
	var back Ledger
	if err := json.Unmarshal(got, &back); err != nil || back.Accounts[0].Cash != x.accounts["DU7654321"].cash {
		t.Errorf("does not read back: %v", err)
	}
}

// anyRun plays random orders and events, and calls check after each step.
func anyRun(t *rapid.T, check func(x *Exchange, reports []Report)) *Exchange {
	cfg := DefaultConfig()
	cfg.Accounts = []string{"A", "B"}
	cfg.PartialFills = rapid.Bool().Draw(t, "partial")
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	symbols := []market.Symbol{"AAPL", "IBM"}
	for _, s := range symbols {
		if err := x.List(StockDetails(s, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	price := rapid.Map(rapid.Int64Range(1, 400), func(c int64) market.Price { return market.MustPrice("0.01").Times(c) })
	qty := rapid.Map(rapid.Int64Range(1, 2000), market.Shares)
	side := rapid.Custom(func(t *rapid.T) tape.Level {
		if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
			return tape.Level{}
		}
		return tape.Level{Price: price.Draw(t, "price"), Size: qty.Draw(t, "size"), Known: true}
	})
	now := noon
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
		symbol := rapid.SampledFrom(symbols).Draw(t, "symbol")
		var got []Report
		switch rapid.IntRange(0, 9).Draw(t, "step") {
		case 0, 1, 2:
			got = x.Apply(now, tape.Event{At: now, Symbol: symbol, Kind: tape.Quote, Bid: side.Draw(t, "bid"), Ask: side.Draw(t, "ask")})
		case 3, 4:
			got = x.Apply(now, tape.Event{
				At: now, Symbol: symbol, Kind: tape.Trade, Price: price.Draw(t, "price"), Size: qty.Draw(t, "size"),
				Suspicious: rapid.IntRange(0, 9).Draw(t, "suspicious") == 0,
			})
		case 5:
			if open := x.Open(); len(open) > 0 {
				got, _ = x.Cancel(now, rapid.SampledFrom(open).Draw(t, "cancel").PermID)
			}
		default:
			r := Request{
				Account: rapid.SampledFrom(cfg.Accounts).Draw(t, "account"), Symbol: symbol, Qty: qty.Draw(t, "qty"),
				Side: rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), Type: order.Market,
				TIF: rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.IOC}).Draw(t, "tif"),
			}
			if rapid.Bool().Draw(t, "limit") {
				r.Type, r.Limit = order.Limit, price.Draw(t, "limit price").Ptr()
			}
			got = x.Place(now, r)
		}
		check(x, got)
	}
	return x
}

// rat is a money amount for sums that do not use Money's own arithmetic.
func rat(m market.Money) *big.Rat {
	b, _ := m.MarshalText()
	r, _ := new(big.Rat).SetString(string(b))
	return r
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filled := map[int64]market.Qty{}
		ended := map[int64]bool{}
		anyRun(t, func(x *Exchange, reports []Report) {
			for _, r := range reports {
				switch r := r.(type) {
				case Executed:
					checkFill(t, r, filled, ended)
				case Cancelled:
					if ended[r.Order.PermID] {
						t.Fatalf("order %d ended twice", r.Order.PermID)
					}
					ended[r.Order.PermID] = true
				}
			}
			for _, o := range x.Open() {
				if ended[o.PermID] || filled[o.PermID] != o.Filled || o.Remaining().IsZero() {
					t.Fatalf("order %+v is open", o)
				}
			}
			for _, id := range x.Accounts() {
				checkBooks(t, x, id)
			}
		})
	})
}

func checkFill(t *rapid.T, r Executed, filled map[int64]market.Qty, ended map[int64]bool) {
	o, f := r.Order, r.Fill
	sum := filled[o.PermID].Add(f.Qty)
	filled[o.PermID] = sum
	switch {
	case ended[o.PermID]:
		t.Fatalf("order %d filled after its end", o.PermID)
	case f.Qty.Sign() <= 0 || o.Qty.Less(sum) || sum != o.Filled:
		t.Fatalf("order of %v: executions of %v, told %v", o.Qty, sum, o.Filled)
	case (o.State == order.Filled) != (sum == o.Qty):
		t.Fatalf("order of %v is %v with %v filled", o.Qty, o.State, sum)
	case o.Limit != nil && o.Side == order.Buy && o.Limit.Less(f.Price), o.Limit != nil && o.Side == order.Sell && f.Price.Less(*o.Limit):
		t.Fatalf("%s with limit %v filled at %v", o.Side, o.Limit, f.Price)
	}
	ended[o.PermID] = o.State == order.Filled
}

// failer is a test, or one of rapid's.
type failer interface{ Fatalf(format string, a ...any) }

// checkBooks recomputes an account from its executions, in other arithmetic.
func checkBooks(t failer, x *Exchange, id string) {
	cash, realised, commissions := rat(x.cfg.Cash), new(big.Rat), new(big.Rat)
	held := map[market.Symbol]market.Qty{}
	byOrder := map[int64]*big.Rat{}
	for _, f := range x.fills { // those taken back included: a correction's profit may be theirs
		if f.Account != id {
			continue
		}
		held[f.Symbol] = held[f.Symbol].Add(f.Side.Signed(f.Qty))
		cash.Sub(cash, rat(f.Price.Mul(f.Side.Signed(f.Qty))))
		commissions.Add(commissions, rat(*f.Commission))
		if f.Commission.Sign() < 0 && strings.HasSuffix(f.ExecID, ".01") { // a correction may give back
			t.Fatalf("commission %v", f.Commission)
		}
		if f.RealizedPNL != nil {
			realised.Add(realised, rat(*f.RealizedPNL))
		}
		if byOrder[f.PermID] == nil {
			byOrder[f.PermID] = new(big.Rat)
		}
		byOrder[f.PermID].Add(byOrder[f.PermID], rat(*f.Commission))
	}
	cash.Sub(cash, commissions)
	a := x.accounts[id]
	if rat(a.cash).Cmp(cash) != 0 || rat(a.commissions).Cmp(commissions) != 0 || rat(a.realised).Cmp(realised) != 0 {
		t.Fatalf("%s: cash %v, commissions %v, realised %v; executions say %v, %v, %v",
			id, a.cash, a.commissions, a.realised, cash, commissions, realised)
	}
	left := rat(a.cash)
	for s, p := range a.positions {
		if p.qty != held[s] || p.qty.Sign() != p.cost.Sign() || p.qty.IsZero() && !p.fees.IsZero() {
			t.Fatalf("%s holds %v %s at cost %v, executions say %v", id, p.qty, s, p.cost, held[s])
		}
		left.Add(left, rat(p.cost))
	}
	right := rat(x.cfg.Cash)
	right.Add(right, realised).Sub(right, commissions)
	if left.Cmp(right) != 0 {
		t.Fatalf("%s: cash and cost %v, start and profit %v", id, left, right)
	}
	checkCommissions(t, x, byOrder)
}

// checkCommissions compares what orders paid with what they owe as a whole.
func checkCommissions(t failer, x *Exchange, byOrder map[int64]*big.Rat) {
	for perm, paid := range byOrder {
		var qty market.Qty
		var value market.Money
		for _, f := range x.Fills() {
			if f.PermID == perm {
				qty, value = qty.Add(f.Qty), value.Add(f.Price.Mul(f.Qty))
			}
		}
		if due := rat(FixedCommission(qty, value)); paid.Cmp(due) != 0 {
			t.Fatalf("order %d paid %v, owes %v", perm, paid, due)
		}
	}
}

func TestSameStepsSameReports(t *testing.T) {
	run := func() (told []Report, led Ledger) {
		s, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 3, Start: noon})
		if err != nil {
			t.Fatal(err)
		}
		x := newExchange(t, nil)
		for i := range 2000 {
			ev, _ := s.Next()
			told = append(told, x.Apply(ev.At, ev)...)
			if i%20 == 5 {
				told = append(told, x.Place(ev.At, want("BUY 10 MKT"))...)
				told = append(told, x.Place(ev.At, want("SELL 10 LMT 187.30"))...)
			}
		}
		return told, x.Ledger()
	}
	reports, ledger := run()
	again, same := run()
	if d := cmp.Diff(reports, again, exact); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ledger, same, exact); d != "" {
		t.Error(d)
	}
	if n := len(ledger.Accounts[0].Executions); n < 150 {
		t.Errorf("only %d executions: the test shows little", n)
	}
}

func TestContracts(t *testing.T) {
	x := newExchange(t, nil, "AAPL", "IBM", "MSFT")
	for _, tt := range []struct {
		c    market.Contract
		want market.Symbol
	}{
		{market.Contract{ConID: 265598}, "AAPL"},
		{market.Contract{ConID: 8314, Symbol: "IBM"}, "IBM"},
		{market.Contract{Symbol: "MSFT"}, "MSFT"},
		{market.Contract{ConID: 8314, Symbol: "AAPL"}, ""},
		{market.Contract{Symbol: "TSLA"}, ""},
		{market.Contract{ConID: 1, Symbol: "AAPL"}, ""},
	} {
		if d, ok := x.Find(tt.c); d.Contract.Symbol != tt.want || ok != (tt.want != "") {
			t.Errorf("%+v: found %v, %v", tt.c, d.Contract.Symbol, ok)
		}
	}
	var names []market.Symbol
	for _, d := range x.Listed() {
		names = append(names, d.Contract.Symbol)
		if d.MinTick != market.MustPrice("0.01") || d.Contract.Exchange != "SMART" || d.Contract.Currency != "USD" || d.LongName == "" {
			t.Errorf("details %+v", d)
		}
	}
	if d := cmp.Diff([]market.Symbol{"AAPL", "IBM", "MSFT"}, names); d != "" {
		t.Error(d)
	}
	d := StockDetails("TSLA", nil, nil)
	if d.Contract.ConID != StockDetails("TSLA", nil, nil).Contract.ConID || d.Contract.PrimaryExchange != "NASDAQ" {
		t.Errorf("by rule: %+v", d.Contract)
	}
	d.Contract.ConID = 8314
	if x.List(d) == nil || x.List(StockDetails("aapl", nil, nil)) == nil || x.List(market.Details{}) == nil {
		t.Error("a bad listing is taken")
	}
	again := StockDetails("IBM", market.Hours{{Open: noon}}, nil)
	if err := x.List(again); err != nil {
		t.Error(err)
	}
	if d, _ := x.Find(market.Contract{ConID: 8314}); len(d.Trading) != 1 {
		t.Error("listing again does not replace the hours")
	}
}

func BenchmarkApply(b *testing.B) {
	for _, resting := range []int{0, 100} {
		b.Run(fmt.Sprintf("resting=%d", resting), func(b *testing.B) {
			x := newExchange(b, nil)
			for i := range resting {
				r := want("BUY 1 LMT 100 GTC")
				if i%2 == 0 {
					r = want("SELL 1 LMT 300 GTC")
				}
				x.Place(noon, r)
			}
			events := []tape.Event{quote("187.24", "187.26"), print("187.25")}
			b.ReportAllocs()
			for i := range b.N {
				x.Apply(noon, events[i%2])
			}
		})
	}
}

func BenchmarkMarketOrder(b *testing.B) {
	x := newExchange(b, nil)
	x.Apply(noon, quote("187.24", "187.26"))
	orders := []Request{want("BUY 1 MKT"), want("SELL 1 MKT")}
	b.ReportAllocs()
	for i := range b.N {
		if len(x.fills) == MaxFills {
			x.fills = x.fills[:0]
		}
		x.Place(noon, orders[i%2])
	}
}
