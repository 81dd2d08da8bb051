package desk

import (
	"slices"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// TestCashThatNothingAccountsForIsRaised: it is asked at every look, an answer
// that failed changes nothing, and more than the tolerance takes entries away.
func TestCashThatNothingAccountsForIsRaised(t *testing.T) {
	cash := func(v string) []broker.AccountValue {
		return []broker.AccountValue{{Account: "DU1", Key: "TotalCashValue", Value: v, Currency: "USD"}}
	}
	found := func(r *rig) []broker.Finding {
		r.out.mu.Lock()
		defer r.out.mu.Unlock()
		return slices.Clone(r.out.findings)
	}
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		time.Sleep(6 * time.Minute)
		k.fails("account", broker.ErrNoAnswer)
		k.venue(func() { k.values = nil })
		time.Sleep(6 * time.Minute)
		if r.mode() != broker.Active || len(found(r)) != 0 {
			t.Fatalf("without an answer: %s, %+v", r.mode(), found(r))
		}
		k.fails("account", nil)
		k.venue(func() { k.values = cash("50020") })
		time.Sleep(6 * time.Minute)
		if r.mode() != broker.Active || len(found(r)) != 1 || r.out.named("cash_differs") != 1 {
			t.Errorf("interest: %s, %+v", r.mode(), found(r))
		}
		k.venue(func() { k.values = cash("48000") })
		time.Sleep(6 * time.Minute)
		if f := found(r); r.mode() != broker.ReduceOnly || len(f) != 2 || f[1].Kind != "cash" || f[1].Ours != "50020 USD" || f[1].Theirs != "48000 USD" {
			t.Errorf("2020 are gone: %s, %+v", r.mode(), f)
		}
	}, func(r *rig, c *Config) { c.CashTolerance, r.session.values = market.MustMoney("1000"), cash("50000") })
}
