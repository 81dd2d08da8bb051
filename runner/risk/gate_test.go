package risk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

var noon = time.Date(2014, 6, 5, 16, 0, 0, 0, time.UTC)

func shares(n int64) *market.Qty { return market.Shares(n).Ptr() }

func dollars(s string) *market.Price { return market.MustPrice(s).Ptr() }

// good is a view in which everything is in order, with 100 shares held.
func good() broker.View {
	return broker.View{
		Now: noon, Link: broker.Ready, Mode: broker.Active, Account: "DU1",
		Quote: market.Quote{
			Bid: dollars("99.98"), Ask: dollars("100.02"), Last: dollars("100"),
			BidAt: noon.Add(-2 * time.Second), AskAt: noon.Add(-2 * time.Second), LastAt: noon.Add(-time.Second),
		},
		Details:  &market.Details{Liquid: market.Hours{{Open: noon.Add(-2 * time.Hour), Close: noon.Add(4 * time.Hour)}}},
		Position: shares(100),
		Others:   new(market.Money),
		Standing: broker.Standing{
			Equity: amount("1000000"), DayStart: amount("1000000"), Peak: amount("1000000"), Currency: "USD",
		},
	}
}

func amount(s string) *market.Money { return market.MustMoney(s).Ptr() }

func intent(side order.Side, n int64) order.Intent {
	return order.Intent{
		ID: "x-1", Action: order.Place, Strategy: "test", Symbol: "AAPL", Side: side, Type: order.Market,
		TIF: order.Day, Qty: market.Shares(n), At: noon,
	}
}

func limit(in order.Intent, p string) order.Intent {
	in.Type, in.Limit = order.Limit, dollars(p)
	return in
}

func gate(t interface{ Fatal(...any) }, change ...func(*Config)) *Gate {
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func off(names ...string) func(*Config) { return func(c *Config) { c.Off = names } }

func working(side order.Side, n, filled int64) order.Order {
	return order.Order{Symbol: "AAPL", Side: side, Qty: market.Shares(n), Filled: market.Shares(filled), State: order.Working}
}

// Each row is one way in which the good view is spoiled. Want is the rule that
// refuses a buy of 10, reduces the one that refuses a sell of 10 of the 100;
// "" is allowed.
func TestEachRule(t *testing.T) {
	buy, sell := intent(order.Buy, 10), intent(order.Sell, 10)
	for _, tt := range []struct {
		name          string
		spoil         func(*broker.View)
		entry, reduce string
	}{
		{"good", func(*broker.View) {}, "", ""},
		{"connecting", func(v *broker.View) { v.Link = broker.Connecting }, RuleLink, RuleLink},
		{"handshaking", func(v *broker.View) { v.Link = broker.Handshaking }, RuleLink, RuleLink},
		{"recovering", func(v *broker.View) { v.Link = broker.Recovering }, RuleLink, RuleLink},
		{"waiting", func(v *broker.View) { v.Link = broker.Waiting }, RuleLink, RuleLink},
		{"needs restart", func(v *broker.View) { v.Link = broker.NeedsRestart }, RuleLink, RuleLink},
		{"refused", func(v *broker.View) { v.Link = broker.Refused }, RuleLink, RuleLink},
		{"stopped", func(v *broker.View) { v.Link = broker.Stopped }, RuleLink, RuleLink},
		{"degraded", func(v *broker.View) { v.Link = broker.Degraded }, RuleLink, ""},
		{"reduce only", func(v *broker.View) { v.Mode = broker.ReduceOnly }, RuleMode, ""},
		{"halted mode", func(v *broker.View) { v.Mode = broker.Halted }, RuleMode, RuleMode},
		{"no mode", func(v *broker.View) { v.Mode = "" }, RuleMode, RuleMode},
		{"read-only", func(v *broker.View) { v.ReadOnly = true }, RuleReadOnly, RuleReadOnly},
		{"position unknown", func(v *broker.View) { v.Position = nil }, RulePosition, RulePosition},
		{"no clock", func(v *broker.View) { v.Now = time.Time{} }, RuleFreshQuote, ""},
		{"no quote", func(v *broker.View) { v.Quote = market.Quote{} }, RuleFreshQuote, ""},
		{"delayed data", func(v *broker.View) { v.Quote.Delayed = true }, RuleFreshQuote, ""},
		{"quote 6 s old", func(v *broker.View) { v.Now = v.Now.Add(5 * time.Second) }, RuleFreshQuote, ""},
		{"quote 5 s old", func(v *broker.View) { v.Now = v.Now.Add(4 * time.Second) }, "", ""},
		{"halted symbol", func(v *broker.View) { v.Quote.Halted = true }, RuleHalted, ""},
		{"no details", func(v *broker.View) { v.Details = nil }, RuleSession, ""},
		{"no hours", func(v *broker.View) { v.Details = &market.Details{} }, RuleSession, ""},
		{"before hours", func(v *broker.View) { v.Details.Liquid[0].Open = noon.Add(time.Second) }, RuleSession, ""},
		{"hours begin now", func(v *broker.View) { v.Details.Liquid[0].Open = noon }, "", ""},
		{"hours end now", func(v *broker.View) { v.Details.Liquid[0].Close = noon }, RuleSession, ""},
		{"30 orders a minute", func(v *broker.View) { v.Sent = slices.Repeat([]time.Time{noon.Add(-59 * time.Second)}, 30) }, RuleOrdersPerMinute, ""},
		{"29 orders a minute", func(v *broker.View) { v.Sent = slices.Repeat([]time.Time{noon.Add(-59 * time.Second)}, 29) }, "", ""},
		{"30 orders before the minute", func(v *broker.View) { v.Sent = slices.Repeat([]time.Time{noon.Add(-time.Minute)}, 30) }, "", ""},
		{"499,000 today", func(v *broker.View) { v.SentNotional = market.MustMoney("499000") }, "", ""},
		{"499,000.01 today", func(v *broker.View) { v.SentNotional = market.MustMoney("499000.01") }, RuleNotionalPerDay, ""},
		{"short 100", func(v *broker.View) { v.Position = shares(-100); v.Mode = broker.ReduceOnly }, "", RuleMode},
		{"flat", func(v *broker.View) { v.Position = shares(0); v.Mode = broker.ReduceOnly }, RuleMode, RuleMode},
		{"holds 9", func(v *broker.View) { v.Position = shares(9); v.Mode = broker.ReduceOnly }, RuleMode, RuleMode},
		{"91 of 100 are being sold", func(v *broker.View) {
			v.Mode, v.Open = broker.ReduceOnly, []order.Order{working(order.Sell, 91, 0)}
		}, RuleMode, RuleMode},
		{"90 of 100 are being sold", func(v *broker.View) {
			v.Mode, v.Open = broker.ReduceOnly, []order.Order{working(order.Sell, 90, 0), working(order.Buy, 500, 0)}
		}, RuleMode, ""},
		{"91 were, 1 is filled", func(v *broker.View) {
			v.Mode, v.Open = broker.ReduceOnly, []order.Order{working(order.Sell, 91, 1)}
		}, RuleMode, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, v := gate(t), good()
			tt.spoil(&v)
			for in, want := range map[*order.Intent]string{&buy: tt.entry, &sell: tt.reduce} {
				d := g.Decide(v, *in)
				if d.Rule != want || d.Allowed != (want == "") || (d.Reason == "") != d.Allowed {
					t.Errorf("%s: allowed %v, rule %q (%s), want %q", in.Side, d.Allowed, d.Rule, d.Reason, want)
				}
				if d.IntentID != "x-1" || !d.At.Equal(v.Now) || !d.Saw.Is("link", v.Link.String()) {
					t.Errorf("%s: decision %+v", in.Side, d)
				}
			}
		})
	}
}

func TestSizesAndLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		in     order.Intent
		change func(*broker.View)
		want   string
	}{
		{"500 × 100", intent(order.Buy, 500), flat, ""},
		{"501 × 100", intent(order.Buy, 501), flat, RuleMaxNotional},
		{"500 at 100.01", limit(intent(order.Buy, 500), "100.01"), nil, RuleMaxNotional},
		{"500 at 99, the market at 100", limit(intent(order.Buy, 500), "99"), flat, ""},
		{"501 at 99, the market at 100", limit(intent(order.Buy, 501), "99"), nil, RuleMaxNotional},
		{"10,001 of a cheap share", intent(order.Buy, 10_001), cheap, RuleMaxQty},
		{"10,000 of a cheap share", intent(order.Buy, 10_000), cheap, ""},
		{"closing 20,000", intent(order.Sell, 20_000), func(v *broker.View) { v.Position = shares(20_000) }, ""},
		{"closing 20,000 and one more", intent(order.Sell, 20_001), func(v *broker.View) { v.Position = shares(20_000) }, RuleMaxQty},
		{"5 % above", limit(intent(order.Buy, 1), "105"), nil, ""},
		{"more than 5 % above", limit(intent(order.Buy, 1), "105.01"), nil, RuleCollar},
		{"5 % below", limit(intent(order.Buy, 1), "95"), nil, ""},
		{"more than 5 % below", limit(intent(order.Buy, 1), "94.99"), nil, RuleCollar},
		{"a reduction far off", limit(intent(order.Sell, 1), "1"), nil, RuleCollar},
		{"a reduction without a market", limit(intent(order.Sell, 1), "1"), func(v *broker.View) { v.Quote = market.Quote{} }, ""},
		{"an absurd limit", limit(intent(order.Sell, 1), "92233720368"), nil, RuleCollar},
		{"no side", order.Intent{ID: "x-1", Action: order.Place, At: noon}, nil, RuleIntent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := good()
			if tt.change != nil {
				tt.change(&v)
			}
			if d := gate(t).Decide(v, tt.in); d.Rule != tt.want || d.Allowed != (tt.want == "") {
				t.Errorf("rule %q (%s), want %q", d.Rule, d.Reason, tt.want)
			}
		})
	}
}

func flat(v *broker.View) { v.Position = shares(0) }

func cheap(v *broker.View) { v.Quote = market.Quote{Last: dollars("1"), LastAt: noon} }

func TestCancels(t *testing.T) {
	in := order.Intent{ID: "c-1", Action: order.Cancel, Target: "x-1", At: noon}
	for _, tt := range []struct {
		name  string
		spoil func(*broker.View)
		want  string
	}{
		{"ready", func(*broker.View) {}, ""},
		{"degraded", func(v *broker.View) { v.Link = broker.Degraded }, ""},
		{"halted", func(v *broker.View) { v.Mode = broker.Halted }, ""}, // a halt cancels
		{"nothing known", func(v *broker.View) { v.Position, v.Quote, v.Details = nil, market.Quote{}, nil }, ""},
		{"down", func(v *broker.View) { v.Link = broker.Waiting }, RuleLink},
		{"read-only", func(v *broker.View) { v.ReadOnly = true }, RuleReadOnly},
	} {
		v := good()
		tt.spoil(&v)
		if d := gate(t).Decide(v, in); d.Rule != tt.want {
			t.Errorf("%s: rule %q (%s), want %q", tt.name, d.Rule, d.Reason, tt.want)
		}
	}
}

func TestReasonsNameValueLimitAndMend(t *testing.T) {
	d := gate(t).Decide(good(), intent(order.Buy, 501))
	want := "501 shares are worth 50100, more than 50000; ask for less or raise risk.max_order_notional"
	if d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
	if diff := cmp.Diff(map[string]string{
		"link": "ready", "mode": "active", "position": "100", "open_same_side": "0", "reduction": "false",
		"reference": "100", "bid": "99.98", "ask": "100.02", "quote_age": "1s", "notional": "50100",
		"position_after": "601", "position_notional": "60100", "others": "0", "gross": "60100",
		"equity": "1000000", "currency": "USD", "day_start_equity": "1000000", "peak_equity": "1000000",
		"day_loss": "0", "drawdown": "0", "realized_today": "0", "losing_streak": "0",
		"orders_last_minute": "0", "notional_today": "0", "session": "open",
		"limits": DefaultConfig().Limits(),
	}, d.Saw.Map()); diff != "" {
		t.Errorf("saw: %s", diff)
	}
}

// Each optional rule, switched off, lets through what it alone refuses.
func TestOff(t *testing.T) {
	for rule, spoil := range map[string]func(*broker.View, *order.Intent){
		RuleFreshQuote: func(v *broker.View, _ *order.Intent) { v.Now = v.Now.Add(time.Minute) },
		RuleHalted:     func(v *broker.View, _ *order.Intent) { v.Quote.Halted = true },
		RuleSession:    func(v *broker.View, _ *order.Intent) { v.Details = nil },
		RuleMaxQty:     func(v *broker.View, in *order.Intent) { in.Qty = market.Shares(20_000); cheap(v) },
		RuleMaxNotional: func(v *broker.View, in *order.Intent) { // buying back a short: the position stays small
			v.Position, in.Qty = shares(-600), market.Shares(1000)
		},
		RuleCollar: func(_ *broker.View, in *order.Intent) { *in = limit(*in, "1") },
		RuleOrdersPerMinute: func(v *broker.View, _ *order.Intent) {
			v.Sent = slices.Repeat([]time.Time{noon}, 100)
		},
		RuleNotionalPerDay: func(v *broker.View, _ *order.Intent) { v.SentNotional = market.MustMoney("1000000") },
		RuleTickSanity:     func(v *broker.View, _ *order.Intent) { v.Quote.Bid = dollars("100.03") },
		RuleEquity:         func(v *broker.View, _ *order.Intent) { v.Standing.Peak = nil },
		RuleDailyLoss:      func(v *broker.View, _ *order.Intent) { v.Standing.Realized = market.MustMoney("-2000") },
		RuleDrawdown:       func(v *broker.View, _ *order.Intent) { v.Standing.Peak = amount("1100000") },
		RuleLosingStreak:   func(v *broker.View, _ *order.Intent) { v.Standing.LosingStreak = 5 },
		RulePositionNotional: func(v *broker.View, _ *order.Intent) {
			v.Position = shares(500)
		},
		RuleGrossNotional: func(v *broker.View, _ *order.Intent) { v.Others = amount("199999") },
		RuleLeverage: func(v *broker.View, _ *order.Intent) {
			v.Standing.Equity, v.Standing.DayStart, v.Standing.Peak = amount("10000"), amount("10000"), amount("10000")
		},
		RuleDuplicate: func(v *broker.View, _ *order.Intent) { v.Twin = broker.Twin{ID: "x-0", At: noon} },
		RuleChurn:     func(v *broker.View, _ *order.Intent) { v.LastExit = noon },
	} {
		v, in := good(), intent(order.Buy, 10)
		spoil(&v, &in)
		if d := gate(t).Decide(v, in); d.Rule != rule {
			t.Errorf("%s: refused by %q (%s)", rule, d.Rule, d.Reason)
		}
		if d := gate(t, off(rule)).Decide(v, in); !d.Allowed {
			t.Errorf("%s is off: refused by %q (%s)", rule, d.Rule, d.Reason)
		}
	}
	if len(Optional()) != 18 {
		t.Errorf("%d optional rules, 18 are tested", len(Optional()))
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Config{Off: []string{"link", "session", "session"}}.Validate()
	if err == nil {
		t.Fatal("an empty configuration is valid")
	}
	for _, want := range []string{
		"risk.max_order_qty 0", "risk.max_order_notional 0", "risk.orders_per_minute 0", "risk.max_quote_age 0s",
		"risk.price_collar 0", "risk.notional_per_day 0", "risk.max_position_notional 0", "risk.max_gross_notional 0",
		"risk.max_leverage 0", "risk.max_jump 0", "risk.max_spread 0", "risk.duplicate_within 0s", "risk.churn_cooldown 0s",
		"risk.max_daily_loss 0", "risk.max_drawdown 0", "risk.max_losing_streak 0", `risk.off: "link"`, "risk.off: session is named twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func drawView(t *rapid.T) broker.View {
	v := good()
	v.Link = broker.LinkState(rapid.IntRange(0, 8).Draw(t, "link"))
	v.Mode = rapid.SampledFrom([]broker.Mode{broker.Active, broker.ReduceOnly, broker.Halted}).Draw(t, "mode")
	v.Now = noon.Add(time.Duration(rapid.IntRange(-10, 30).Draw(t, "now")) * time.Second)
	v.Quote.Halted = rapid.Bool().Draw(t, "halted")
	if rapid.Bool().Draw(t, "no quote") {
		v.Quote = market.Quote{}
	}
	if rapid.Bool().Draw(t, "no details") {
		v.Details = nil
	}
	v.Position = rapid.SampledFrom([]*market.Qty{nil, shares(0), shares(700), shares(-700), shares(30_000)}).Draw(t, "position")
	for range rapid.IntRange(0, 3).Draw(t, "open") {
		o := working(rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), rapid.Int64Range(1, 900).Draw(t, "qty"), 0)
		o.State = order.State(rapid.IntRange(0, 11).Draw(t, "state"))
		v.Open = append(v.Open, o)
	}
	v.Sent = slices.Repeat([]time.Time{v.Now}, rapid.IntRange(0, 60).Draw(t, "sent"))
	v.SentNotional = market.MustMoney(fmt.Sprint(rapid.IntRange(0, 900_000).Draw(t, "today")))
	return v
}

func drawIntent(t *rapid.T) order.Intent {
	in := intent(rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "intent side"), rapid.Int64Range(1, 40_000).Draw(t, "intent qty"))
	if rapid.Bool().Draw(t, "limit") {
		in = limit(in, fmt.Sprintf("%d.%02d", rapid.IntRange(1, 200).Draw(t, "dollars"), rapid.IntRange(0, 99).Draw(t, "cents")))
	}
	return in
}

// Whatever stands in the view: what is allowed is a reduction, or it is within
// every limit.
func TestWhatIsAllowed(t *testing.T) {
	g, entryRules := gate(t), map[string]bool{}
	for _, r := range rules {
		entryRules[r.name] = r.entries
	}
	rapid.Check(t, func(t *rapid.T) {
		v, in := drawView(t), drawIntent(t)
		d := g.Decide(v, in)
		reduction := reduces(v, in)
		if !d.Allowed {
			if reduction && entryRules[d.Rule] {
				t.Fatalf("a reduction is refused by %s, which is for entries", d.Rule)
			}
			return
		}
		if v.Mode == broker.Halted || v.Link != broker.Ready && v.Link != broker.Degraded {
			t.Fatalf("allowed in mode %s, link %v", v.Mode, v.Link)
		}
		if reduction {
			return
		}
		price, _, ok := v.Quote.Newest()
		if !ok {
			t.Fatal("an entry without a quote")
		}
		if in.Limit != nil && price.Less(*in.Limit) {
			price = *in.Limit
		}
		worth := price.Mul(in.Qty)
		if DefaultConfig().MaxOrderNotional.Less(worth) {
			t.Fatalf("an entry worth %v", worth)
		}
		if v.Position == nil || v.Link != broker.Ready || v.Mode != broker.Active || len(v.Sent) >= 30 {
			t.Fatalf("an entry with %+v", v)
		}
	})
}

// reduces is the definition, written another way: the position's size falls
// with this order and all open ones of its side filled, and never passes zero.
func reduces(v broker.View, in order.Intent) bool {
	if v.Position == nil || v.Position.IsZero() {
		return false
	}
	after := v.Position.Add(in.Side.Signed(in.Qty))
	for _, o := range v.Open {
		if o.Side == in.Side && o.State.Live() {
			after = after.Add(o.Side.Signed(o.Qty))
		}
	}
	return after.Abs().Less(v.Position.Abs()) && after.Sign()*v.Position.Sign() >= 0
}

func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	g, v, in := gate(b), good(), intent(order.Buy, 10)
	for range b.N {
		if d := g.Decide(v, in); !d.Allowed {
			b.Fatal(d.Reason)
		}
	}
}
