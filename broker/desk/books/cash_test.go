package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// till is an account whose broker tells its cash.
type till struct {
	b   *Books
	who broker.Facts
	at  time.Time
	n   int
}

func newTill() *till {
	k := &till{b: New(time.UTC), who: broker.Facts{Account: "DU1", ClientID: 1}, at: time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)}
	k.b.Account, k.b.Positions = "DU1", map[market.Symbol]order.Position{}
	return k
}

func (k *till) turn() *Turn {
	return &Turn{Wall: k.at, Market: k.at, ConID: func(market.Symbol) int64 { return 1 }, CanAsk: true}
}

// looks holds the cash against the books every 30 s for six minutes, and returns
// what came of it.
func (k *till) looks(cash, currency string) (findings []broker.Finding, restricted int) {
	for range 12 {
		t := k.turn()
		k.b.CompareCash(t, &k.who, []broker.AccountValue{{Account: "DU1", Key: "TotalCashValue", Value: cash, Currency: currency}}, market.MustMoney("1000"))
		for _, c := range t.Effects {
			if c.Finding != nil {
				findings = append(findings, *c.Finding)
			}
			if c.Restrict != "" {
				restricted++
			}
		}
		k.at = k.at.Add(30 * time.Second)
	}
	return findings, restricted
}

// buys is an execution of 10 at 100; its commission may be told.
func (k *till) buys(commission string) {
	k.n++
	id := string(rune('a'+k.n)) + ".01"
	k.b.FoldExecution(k.turn(), &k.who, order.Fill{
		ExecID: id, Account: "DU1", ClientID: 1, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10), Price: market.MustPrice("100"), Currency: "USD", At: k.at,
	})
	if commission != "" {
		k.b.FoldCommission(k.turn(), broker.CommissionReport{ExecID: id, Commission: market.MustMoney(commission), Currency: "USD"})
	}
}

// TestCashIsHeldAgainstTheExecutions: what executions and commissions account
// for is no difference; what nothing accounts for is one, and a large one, or
// many small ones in a day, take entries away.
func TestCashIsHeldAgainstTheExecutions(t *testing.T) {
	for name, tt := range map[string]struct {
		play       func(k *till)
		cash       []string // of six minutes each, after 50000
		findings   int
		restricted int
	}{
		"nothing":              {cash: []string{"50000"}},
		"a purchase":           {play: func(k *till) { k.buys("1.25") }, cash: []string{"48998.75"}},
		"rounding":             {play: func(k *till) { k.buys("1.25") }, cash: []string{"48998.10"}},
		"cash that comes late": {play: func(k *till) { k.buys("1.25"); k.at = k.at.Add(3 * time.Minute) }, cash: []string{"48998.75"}},
		"interest":             {cash: []string{"50012.5", "50012.5"}, findings: 1},
		"a deposit":            {cash: []string{"60000", "60000"}, findings: 1, restricted: 1},
		"a loss of money":      {play: func(k *till) { k.buys("1") }, cash: []string{"40000"}, findings: 1, restricted: 1},
		"many small ones":      {cash: []string{"50600", "51200", "51200"}, findings: 2, restricted: 1},
		"no commission":        {play: func(k *till) { k.buys("") }, cash: []string{"40000"}},
		"a correction":         {play: func(k *till) { k.buys("1"); k.corrects() }, cash: []string{"40000"}},
		"not a number":         {cash: []string{"x"}},
	} {
		k := newTill()
		if f, r := k.looks("50000", "USD"); len(f) != 0 || r != 0 {
			t.Fatalf("%s: the first figure: %+v", name, f)
		}
		if tt.play != nil {
			tt.play(k)
		}
		var found []broker.Finding
		restricted := 0
		for _, c := range tt.cash {
			f, r := k.looks(c, "USD")
			found, restricted = append(found, f...), restricted+r
		}
		if len(found) != tt.findings || restricted != tt.restricted {
			t.Errorf("%s: %d restrictions, findings %+v", name, restricted, found)
		}
		if f, r := k.looks("7", "EUR"); len(f) != 0 || r != 0 {
			t.Errorf("%s: in another currency: %+v", name, f)
		}
	}
}

// corrects corrects the newest execution.
func (k *till) corrects() {
	f := k.b.Fills[len(k.b.Fills)-1].Fill()
	f.ExecID = f.ExecID[:1] + ".02"
	f.Qty = market.Shares(9)
	k.b.FoldExecution(k.turn(), &k.who, f)
}
