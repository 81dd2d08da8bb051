package risk

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// sighted is an account with numbers for every limit.
func sighted() broker.Sight {
	money := func(s string) *market.Money { return market.MustMoney(s).Ptr() }
	now := time.Date(2026, 4, 2, 14, 30, 0, 0, time.UTC)
	return broker.Sight{
		Now: now, Known: true, Sent: []time.Time{now.Add(-61 * time.Second), now.Add(-30 * time.Second), now}, SentNotional: market.MustMoney("125000"),
		Standing: broker.Standing{Equity: money("96000"), DayStart: money("96500"), Peak: money("100000"), Realized: market.MustMoney("-100"), LosingStreak: 2},
		Symbols: []broker.SymbolSight{
			{Symbol: "AAPL", Exposure: broker.Exposure{Held: market.Shares(100), Sells: market.Shares(100), Price: market.MustPrice("200"), Priced: true}},
			{Symbol: "MSFT", Exposure: broker.Exposure{Sells: market.Shares(40), Price: market.MustPrice("500"), Priced: true}},
			{Symbol: "NVDA"}, // nothing held, no price
		},
	}
}

// told are the uses as limit and symbol, with "unknown" or what is used.
func told(list []broker.LimitUse) map[string]string {
	m := map[string]string{}
	for _, l := range list {
		key := l.Limit
		if l.Symbol != "" {
			key += " " + string(l.Symbol)
		}
		switch {
		case l.Used == nil && l.Share == nil:
			m[key] = "unknown"
		case l.Used == nil || l.Share == nil:
			m[key] = "half known"
		default:
			m[key] = l.Used.String()
		}
	}
	return m
}

func TestUseOfTheLimits(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Off = []string{RuleLosingStreak}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*broker.Sight)
		want   map[string]string
	}{
		{"all known", func(*broker.Sight) {}, map[string]string{
			"max_daily_loss": "500", "max_drawdown": "4", "max_losing_streak": "2", "notional_per_day": "125000", "orders_per_minute": "2",
			"max_gross_notional": "40000", "max_leverage": "0.4167",
			"max_position_notional AAPL": "20000", "max_position_notional MSFT": "20000", "max_position_notional NVDA": "0",
		}},
		{"a gain is no use", func(s *broker.Sight) {
			s.Standing.Realized, s.Standing.DayStart, s.Standing.Peak = market.MustMoney("50"), market.MustMoney("95000").Ptr(), market.MustMoney("96000").Ptr()
		}, map[string]string{"max_daily_loss": "0", "max_drawdown": "0"}},
		{"no equity", func(s *broker.Sight) { s.Standing.Equity = nil }, map[string]string{
			"max_daily_loss": "unknown", "max_drawdown": "unknown", "max_leverage": "unknown", "max_gross_notional": "40000",
		}},
		{"no equity, and round trips lost enough", func(s *broker.Sight) {
			s.Standing.Equity, s.Standing.Realized = nil, market.MustMoney("-2000")
		}, map[string]string{"max_daily_loss": "2000"}},
		{"no price of what is held", func(s *broker.Sight) { s.Symbols[1].Exposure.Priced = false }, map[string]string{
			"max_position_notional MSFT": "unknown", "max_position_notional AAPL": "20000", "max_gross_notional": "unknown", "max_leverage": "unknown",
		}},
		{"no recovery yet", func(s *broker.Sight) { s.Known = false }, map[string]string{
			"max_daily_loss": "unknown", "max_drawdown": "unknown", "max_losing_streak": "unknown", "max_gross_notional": "unknown",
			"max_leverage": "unknown", "max_position_notional NVDA": "unknown", "notional_per_day": "125000",
		}},
		{"no clock yet", func(s *broker.Sight) { s.Now = time.Time{} }, map[string]string{"notional_per_day": "unknown", "orders_per_minute": "unknown"}},
		{"an option counts, and has no limit of its own", func(s *broker.Sight) { s.Symbols[0].Symbol = "AAPL#7" }, map[string]string{
			"max_gross_notional": "40000", "max_position_notional AAPL#7": "",
		}},
	} {
		s := sighted()
		tt.change(&s)
		got := told(g.Use(s))
		for limit, want := range tt.want {
			if got[limit] != want {
				t.Errorf("%s: %s is used %q, want %q", tt.name, limit, got[limit], want)
			}
		}
	}
	for _, l := range g.Use(sighted()) {
		if l.Off != (l.Rule == RuleLosingStreak) {
			t.Errorf("%s is off: %v", l.Rule, l.Off)
		}
	}
}

// TestUseAgreesWithTheRules: a rule that latches refuses exactly when all of its
// limit is used.
func TestUseAgreesWithTheRules(t *testing.T) {
	g, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	s := sighted()
	for equity := range 120 {
		s.Standing.Equity = market.MustMoney("94000").Add(market.MustMoney("33.33").MulFrac(market.Shares(int64(equity)), market.Shares(1))).Ptr()
		rule, _ := g.Judge(s.Standing)
		full := ""
		for _, l := range g.Use(s) {
			if full == "" && l.Share != nil && *l.Share >= 1 {
				full = l.Rule
			}
		}
		if rule != full {
			t.Errorf("with an equity of %v the rule %q refuses, and %q is used up", s.Standing.Equity, rule, full)
		}
	}
}
