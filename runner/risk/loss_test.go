package risk

import (
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestLossesAtTheirBounds(t *testing.T) {
	standing := func(change func(*broker.Standing)) func(*broker.View) {
		return func(v *broker.View) { change(&v.Standing) }
	}
	equity := func(start, peak, now string) func(*broker.View) {
		return standing(func(s *broker.Standing) { s.DayStart, s.Peak, s.Equity = amount(start), amount(peak), amount(now) })
	}
	realized := func(m string) func(*broker.View) {
		return standing(func(s *broker.Standing) { s.Realized = market.MustMoney(m) })
	}
	streak := func(n int) func(*broker.View) { return standing(func(s *broker.Standing) { s.LosingStreak = n }) }
	buy, sell := intent(order.Buy, 1), intent(order.Sell, 1)
	ask(t, gate(t), []row{
		{"1,999.99 lost", buy, equity("1000000", "1000000", "998000.01"), ""},
		{"2,000 lost", buy, equity("1000000", "1000000", "998000"), RuleDailyLoss},
		{"2,000.01 lost", buy, equity("1000000", "1000000", "997999.99"), RuleDailyLoss},
		{"1,999.99 lost by round trips", buy, realized("-1999.99"), ""},
		{"2,000 lost by round trips", buy, realized("-2000"), RuleDailyLoss},
		{"won", buy, realized("5000"), ""},
		{"a win by round trips hides no loss", buy, func(v *broker.View) {
			realized("5000")(v)
			equity("1000000", "1000000", "998000")(v)
		}, RuleDailyLoss},
		{"a reduction after a loss", sell, equity("1000000", "1000000", "900000"), ""},
		{"less than 5 % down", buy, equity("950000.01", "1000000", "950000.01"), ""},
		{"5 % down", buy, equity("950000", "1000000", "950000"), RuleDrawdown},
		{"more than 5 % down", buy, equity("949999.99", "1000000", "949999.99"), RuleDrawdown},
		{"above the peak", buy, equity("1000000", "999000", "1000000"), ""},
		{"a reduction far down", sell, equity("900000", "1000000", "900000"), ""},
		{"4 lost in a row", buy, streak(4), ""},
		{"5 lost in a row", buy, streak(5), RuleLosingStreak},
		{"6 lost in a row", buy, streak(6), RuleLosingStreak},
		{"a reduction after 6", sell, streak(6), ""},
		{"no start", buy, standing(func(s *broker.Standing) { s.DayStart = nil }), RuleEquity},
		{"no peak", buy, standing(func(s *broker.Standing) { s.Peak = nil }), RuleEquity},
	})
	ask(t, gate(t, off(RuleEquity, RuleLeverage)), []row{
		{"nothing known", buy, standing(func(s *broker.Standing) { *s = broker.Standing{} }), ""},
		{"the round trips count all the same", buy, standing(func(s *broker.Standing) {
			*s = broker.Standing{Realized: market.MustMoney("-2000")}
		}), RuleDailyLoss},
	})
}

// TestJudgeNeedsNoIntent: how the account fares ends entries also when nobody
// asks for one, and the rules that are off do not.
func TestJudgeNeedsNoIntent(t *testing.T) {
	lost := broker.Standing{Equity: amount("998000"), DayStart: amount("1000000"), Peak: amount("1000000")}
	if rule, why := gate(t).Judge(lost); rule != RuleDailyLoss || !strings.Contains(why, "2000") {
		t.Errorf("%q: %s", rule, why)
	}
	if rule, _ := gate(t, off(RuleDailyLoss)).Judge(lost); rule != "" {
		t.Errorf("switched off: %s", rule)
	}
	if rule, _ := gate(t).Judge(broker.Standing{LosingStreak: 5}); rule != RuleLosingStreak {
		t.Errorf("5 in a row: %q", rule)
	}
	if rule, _ := gate(t).Judge(broker.Standing{}); rule != "" {
		t.Errorf("nothing known: %q", rule)
	}
}

func TestWhatLatches(t *testing.T) {
	g := gate(t)
	for _, r := range rules {
		want := r.name == RuleDailyLoss || r.name == RuleDrawdown || r.name == RuleLosingStreak
		if g.Latches(r.name) != want {
			t.Errorf("%s latches: %v", r.name, !want)
		}
	}
	if g.Latches("no such rule") {
		t.Error("a rule that does not exist latches")
	}
}

func TestTheNumbersAreTold(t *testing.T) {
	v := good()
	v.Standing.Note, v.OthersNote = "the first after a restart", "MSFT is measured at its cost"
	v.Own, v.LastExit, v.Twin = true, noon, broker.Twin{ID: "x-0", At: noon}
	v.Trades = traded("100", "100", "100")
	saw := gate(t).Decide(v, intent(order.Buy, 1)).Saw.Map()
	for key, want := range map[string]string{
		"standing": v.Standing.Note, "others_note": v.OthersNote, "own": "true", "exit_ago": "0s",
		"same_asked": "x-0", "same_asked_ago": "0s", "median": "100",
	} {
		if saw[key] != want {
			t.Errorf("saw %s = %q, want %q", key, saw[key], want)
		}
	}
	v.Standing.Equity, v.Others, v.Position = nil, nil, nil
	saw = gate(t).Decide(v, intent(order.Buy, 1)).Saw.Map()
	if saw["equity"] != "unknown" || saw["position"] != "unknown" {
		t.Errorf("saw %v", saw)
	}
	if !strings.Contains(saw["limits"], "max_daily_loss=2000") {
		t.Errorf("limits %q", saw["limits"])
	}
}
