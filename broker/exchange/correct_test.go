package exchange

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

// traded is an exchange on which orders filled at prices: "10 BUY 100,12 BUY 100".
func traded(t testing.TB, s string) *Exchange {
	x := newExchange(t, nil)
	for step := range strings.SplitSeq(s, ",") {
		f := strings.Fields(step)
		x.Apply(noon, quote(f[0], f[0]))
		x.Place(noon, want(f[1]+" "+f[2]+" MKT"))
	}
	return x
}

func fix(t testing.TB, x *Exchange, i int, price string, qty int64) Corrected {
	t.Helper()
	var reports []Report
	var err error
	if id := x.fills[i].ExecID; qty == 0 {
		reports, err = x.Bust(noon, id)
	} else {
		reports, err = x.Correct(noon, id, market.MustPrice(price), market.Shares(qty))
	}
	if err != nil {
		t.Fatal(err)
	}
	return reports[0].(Corrected)
}

// An account is, after a correction, as if it had been so from the start; what
// the correction changes in profit is its own.
func TestCorrect(t *testing.T) {
	for _, tt := range []struct {
		name, was     string
		at            int
		price         string
		qty           int64
		as            string // what makes the same account from the start
		pnl, net, fee string // of the new version
	}{
		{"price of what is held", "10 BUY 100", 0, "11", 100, "11 BUY 100", "-", "-", "1"},
		{"less of what is held", "10 BUY 1000", 0, "10", 400, "10 BUY 400", "-", "-", "2"},
		{"nothing is held", "10 BUY 100", 0, "", 0, "", "-", "-", "0"},
		{"price of a sale", "10 BUY 100,12 SELL 100", 1, "13", 100, "10 BUY 100,13 SELL 100", "300", "298", "1"},
		// The sale told 200: the difference is told with the purchase.
		{"price of what was sold since", "10 BUY 100,12 SELL 100", 0, "11", 100, "11 BUY 100,12 SELL 100", "-100", "-100", "1"},
		{"a part of what was sold since", "10 BUY 100,12 SELL 40", 0, "11", 100, "11 BUY 100,12 SELL 40", "-40", "-40", "1"},
		// The sale opens a short, and told 200 (198 after commission) for nothing.
		{"nothing was bought of what was sold", "10 BUY 100,12 SELL 100", 0, "", 0, "12 SELL 100", "-200", "-198", "0"},
		{"nothing was sold", "10 BUY 100,12 SELL 100", 1, "", 0, "10 BUY 100", "0", "0", "0"},
		{"a turn", "10 BUY 100,12 SELL 300,11 BUY 50", 0, "9", 50, "9 BUY 50,12 SELL 300,11 BUY 50", "-50", "-49.75", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := traded(t, tt.was)
			c := fix(t, x, tt.at, tt.price, tt.qty)
			y := newExchange(t, nil)
			if tt.as != "" {
				y = traded(t, tt.as)
			}
			x.Apply(noon, quote("20", "20"))
			y.Apply(noon, quote("20", "20"))
			if d := cmp.Diff(y.Positions("DU7654321"), x.Positions("DU7654321"), exact); d != "" {
				t.Errorf("positions: %s", d)
			}
			if d := cmp.Diff(values(y), values(x), exact); d != "" {
				t.Errorf("value: %s", d)
			}
			tell := func(m *market.Money) string {
				if m == nil {
					return "-"
				}
				return m.String()
			}
			if got := fmt.Sprint(tell(c.Fill.RealizedPNL), tell(c.RealizedNet), c.Fill.Commission); got != fmt.Sprint(tt.pnl, tt.net, tt.fee) {
				t.Errorf("tells %s, want %s %s %s", got, tt.pnl, tt.net, tt.fee)
			}
			if c.Old.ExecID == c.Fill.ExecID || c.Order.PermID != c.Fill.PermID || c.Order.Filled != c.Fill.Qty {
				t.Errorf("tells %+v", c)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	x := traded(t, "10 BUY 100,12 SELL 50")
	first := x.Fills()[0].ExecID
	fix(t, x, 0, "11", 100)
	fix(t, x, 0, "11.5", 60)
	fix(t, x, 0, "11.5", 100) // up to what was told first
	fix(t, x, 1, "", 0)
	got := ""
	for _, e := range x.Executions() {
		got += fmt.Sprintln(e.ExecID[len(e.ExecID)-5:], e.Side, e.Qty, e.Price, e.Replaced)
	}
	want := "01.01 BUY 100 10 true\n01.02 BUY 100 11 true\n01.03 BUY 60 11.5 true\n01.01 SELL 50 12 true\n" +
		"01.04 BUY 100 11.5 false\n01.02 SELL 0 12 false\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if fills := x.Fills(); len(fills) != 1 || fills[0].ExecID != strings.TrimSuffix(first, "1")+"4" {
		t.Errorf("standing: %+v", fills)
	}
	led := x.Ledger().Accounts[0]
	if len(led.Executions) != 2 || len(led.Replaced) != 4 || !led.Executions[1].Qty.IsZero() {
		t.Errorf("ledger: %+v", led)
	}
	for range maxVersions - 4 {
		fix(t, x, 0, "10", 100)
	}
	if _, err := x.Correct(noon, x.Fills()[0].ExecID, market.MustPrice("9"), market.Shares(1)); !errors.Is(err, ErrNoCorrection) {
		t.Errorf("a hundredth version: %v", err)
	}
}

func TestNoCorrection(t *testing.T) {
	x := traded(t, "10 BUY 100,10 BUY 50")
	known, busted := x.fills[0].ExecID, fix(t, x, 1, "", 0).Fill.ExecID
	price, some := market.MustPrice("10"), market.Shares(10)
	for _, tt := range []struct {
		says string
		try  func() ([]Report, error)
	}{
		{"is not known", func() ([]Report, error) { return x.Correct(noon, "nonsense", price, some) }},
		{"is not known", func() ([]Report, error) { return x.Bust(noon, x.replaced[0].ExecID) }},
		{"not above 0", func() ([]Report, error) { return x.Correct(noon, known, price, market.Qty{}) }},
		{"not above 0", func() ([]Report, error) { return x.Correct(noon, known, market.Price{}, some) }},
		{"told first", func() ([]Report, error) { return x.Correct(noon, known, price, market.Shares(101)) }},
		{"taken back", func() ([]Report, error) { return x.Correct(noon, busted, price, some) }},
		{"taken back", func() ([]Report, error) { return x.Bust(noon, busted) }},
	} {
		was := x.state()
		reports, err := tt.try()
		if !errors.Is(err, ErrNoCorrection) || !strings.Contains(err.Error(), tt.says) || len(reports) != 0 {
			t.Errorf("%v, want %q", err, tt.says)
		}
		if d := sameState(was, x.state()); d != "" {
			t.Errorf("%s: changed: %s", tt.says, d)
		}
	}
}

func TestCorrectWhileOpen(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.PartialFills = true })
	x.Apply(noon, quote("10", "10x40"))
	x.Place(noon, want("BUY 100 LMT 10"))
	id := x.Fills()[0].ExecID
	if _, err := x.Bust(noon, id); !errors.Is(err, ErrNoCorrection) || !strings.Contains(err.Error(), "is open") {
		t.Errorf("an open order loses its fill: %v", err)
	}
	fix(t, x, 0, "9", 40)
	if o := x.Open()[0]; o.Filled != market.Shares(40) || *o.AvgPrice != market.MustPrice("9") {
		t.Errorf("open order %+v", o)
	}
	x.Apply(noon, quote("10", "10x60"))
	if f := x.Fills(); len(f) != 2 || *f[1].Commission != (market.Money{}) {
		t.Errorf("the rest: %+v", f)
	}
}

func TestRealizedAfterCommission(t *testing.T) {
	x := newExchange(t, nil)
	got := ""
	for _, s := range []struct{ price, order string }{
		{"10", "BUY 300 MKT"},  // 1.50
		{"12", "SELL 100 MKT"}, // earns 200, less a third of 1.50, less 1
		{"13", "SELL 400 MKT"}, // closes 200: 600 − 1.00 − half of 2.00; opens 200 short
		{"13", "BUY 200 MKT"},  // 0 − the other half − 1
	} {
		x.Apply(noon, quote(s.price, s.price))
		for _, r := range x.Place(noon, want(s.order)) {
			if c, ok := r.(Commission); ok {
				got += fmt.Sprint(c.RealizedPNL, " ", c.RealizedNet, ", ")
			}
		}
	}
	if want := "<nil> <nil>, 200 198.5, 600 598, 0 -2, "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	v, _ := x.Value("DU7654321")
	if v.RealizedNet != market.MustMoney("794.5") || v.RealizedNet != v.Realized.Sub(v.Commissions) || v.Day.RealizedNet != v.RealizedNet {
		t.Errorf("flat, and realised %v, %v of the day; commissions %v", v.RealizedNet, v.Day.RealizedNet, v.Commissions)
	}
}

func TestFullCost(t *testing.T) {
	x := traded(t, "10 BUY 300,10 SELL 100")
	p, _ := x.Position("DU7654321", "AAPL")
	if p.Cost != market.MustMoney("2000") || p.FullCost != market.MustMoney("2001") || *p.AvgFullCost != market.MustPrice("10.005") {
		t.Errorf("long: %v %v %v", p.Cost, p.FullCost, p.AvgFullCost)
	}
	x = traded(t, "10 SELL 300")
	if p, _ = x.Position("DU7654321", "AAPL"); p.FullCost != market.MustMoney("-2998.5") || *p.AvgFullCost != market.MustPrice("9.995") {
		t.Errorf("short: %v %v", p.FullCost, p.AvgFullCost)
	}
	if _, ok := x.Position("DU1", "AAPL"); ok {
		t.Error("a position of nobody")
	}
	if _, ok := x.Position("DU7654321", "GME"); ok {
		t.Error("a position of what is not listed")
	}
}

func TestDayPnL(t *testing.T) {
	x := newExchange(t, nil)
	at := noon
	day := func(step, want string) {
		t.Helper()
		p, _ := x.Position("DU7654321", "AAPL")
		got := fmt.Sprint(p.PnL.Daily, p.PnL.Unrealized, p.PnL.Realized, p.PnL.RealizedNet, p.PnL.Commissions)
		if got != want {
			t.Errorf("%s: got %s, want %s", step, got, want)
		}
		if v, _ := x.Value("DU7654321"); cmp.Diff(v.Day, p.PnL, exact) != "" {
			t.Errorf("%s: the account has %+v", step, v.Day)
		}
	}
	day("nothing", "0 0 0 0 0")
	x.Apply(at, quote("", "10"))
	x.Place(at, want("BUY 100 MKT"))
	day("no mark", "<nil> <nil> 0 0 1")
	x.Apply(at, print("11"))
	day("a mark", "99 100 0 0 1")
	at = at.Add(24 * time.Hour)
	x.Advance(at)
	day("the day after", "0 100 0 0 0")
	x.Apply(at, quote("12", "12"))
	x.Place(at, want("SELL 40 MKT")) // yesterday's close is 11, the cost 10.01
	day("a sale", "39 60 80 78.6 1")
	x.Apply(at, print("12"))
	day("a rise", "99 120 80 78.6 1")
	if _, err := x.Correct(at, x.Fills()[0].ExecID, market.MustPrice("11"), market.Shares(50)); err != nil {
		t.Fatal(err)
	}
	// Of 50 that were there at 11, 40 went at 12, and 10 stand at 12: 40 − 1 + 10.
	day("yesterday corrected", "49 10 80 78.6 1")
}

// A position that was taken over without a mark counts from the day's first.
func TestDayBeginsWithItsFirstMark(t *testing.T) {
	x := newExchange(t, nil)
	x.Apply(noon, quote("", "10"))
	x.Place(noon, want("BUY 100 MKT"))
	at := noon.Add(24 * time.Hour)
	x.Advance(at)
	x.Apply(at, print("15"))
	x.Apply(at, print("16"))
	if v, _ := x.Value("DU7654321"); *v.Day.Daily != market.MustMoney("100") || *v.Day.Unrealized != market.MustMoney("600") {
		t.Errorf("day %v, unrealised %v", v.Day.Daily, v.Day.Unrealized)
	}
}

// The day's profit is by how much the equity changed since it began.
func TestDayIsTheChangeOfEquity(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, nil)
		now, began := noon, map[string]*market.Money{}
		for range rapid.IntRange(1, 60).Draw(t, "moves") {
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			if !now.Before(x.dayEnd) {
				turn := x.dayEnd
				if turn.IsZero() {
					turn = now
				}
				x.Advance(turn) // before anything happens in the day
				for _, id := range walkAccounts {
					v, _ := x.Value(id)
					began[id] = nil
					if v.Day.Unrealized != nil { // all marks are known
						began[id] = &v.Equity
					}
				}
			}
			for _, r := range anyMove(t, x, now)(x) {
				if c, ok := r.(Corrected); ok && c.Old.At.Before(x.dayStart) {
					return // changes where the day began
				}
			}
			for _, id := range walkAccounts {
				v, _ := x.Value(id)
				if v.Day.Daily == nil || began[id] == nil {
					continue
				}
				compared++
				if *v.Day.Daily != v.Equity.Sub(*began[id]) {
					t.Fatalf("%s: day %v, equity %v from %v", id, v.Day.Daily, v.Equity, began[id])
				}
			}
		}
	})
	if compared < 100 {
		t.Errorf("only %d compared: the test shows little", compared)
	}
}
