package desk

import (
	"context"
	"strings"
	"testing"
	"time"

	"robotrader/broker/desk/unwind"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// beside has the account hold shares of AAPL, and things that no flatten closes:
// an option on it, a future, and shares of that name at another exchange.
func beside(shares int64) func(*rig, *Config) {
	return func(r *rig, _ *Config) {
		r.session.held = []order.Position{
			{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(shares)},
			{Account: "DU1", Symbol: "AAPL#700", ConID: 700, Qty: market.Shares(-2), SecType: "OPT", Unmanaged: true},
			{Account: "DU1", Symbol: "ES#701", ConID: 701, Qty: market.Shares(1), SecType: "FUT", Unmanaged: true},
			{Account: "DU1", Symbol: "AAPL", ConID: 702, Qty: market.Shares(9)},
		}
	}
}

// TestAnAccountWithAnOptionIsNotFlat: what a flatten does not close it names, and
// the word is "flat in stocks".
func TestAnAccountWithAnOptionIsNotFlat(t *testing.T) {
	const left = "3 other positions left: -2 AAPL#700 (OPT), 9 AAPL#702 (another contract), 1 ES#701 (FUT)"
	in(t, func(t *testing.T, r *rig) {
		c := flatten(t, r)
		if event.LeftWords(c.Left) != left {
			t.Errorf("under way it leaves %q", event.LeftWords(c.Left))
		}
		placed := r.orders()
		if len(placed) != 1 || placed[0].Intent.Symbol != "AAPL" || placed[0].Intent.Qty != market.Shares(10) {
			t.Fatalf("it closes by %+v", placed)
		}
		r.trades("e1", 10)
		later(unwind.Again + holdEvery)
		m := r.modeNow()
		if m.Flat == nil || m.Flatten || len(m.Left) != 3 || len(m.Closing) != 1 {
			t.Fatalf("%+v", m)
		}
		for _, words := range []string{m.Reason, m.FlatWords()} {
			if !strings.Contains(words, "flat in stocks since ") || strings.Contains(words, "flat since") || !strings.Contains(words, "3 other positions left: ") {
				t.Errorf("%q", words)
			}
		}
		if r.out.named("flat") != 0 || r.out.named("flat_in_stocks") != 1 {
			t.Error("it tells that the account is flat")
		}
		if later(time.Minute); len(r.orders()) != 1 {
			t.Errorf("it ordered %+v", r.orders()[1:])
		}
		shown := map[market.Symbol]order.Position{}
		for _, p := range r.desk.State(context.Background()).Positions {
			shown[p.Symbol] = p
		}
		for s, kind := range map[market.Symbol]string{"AAPL#700": "OPT", "ES#701": "FUT", "AAPL#702": ""} {
			if p := shown[s]; !p.Unmanaged || p.SecType != kind || p.Qty.IsZero() {
				t.Errorf("%s is shown as %+v", s, p)
			}
		}
		if _, err := r.desk.Resume(context.Background(), "a person", ""); err != nil {
			t.Error(err)
		}
		if m := r.modeNow(); m.Left != nil || m.Flat != nil {
			t.Errorf("after resume: %+v", m)
		}
	}, beside(10), unlooked)
}

// TestAnAccountOfOptionsAloneIsNotFlat: there is nothing to close, and the broker
// is asked all the same before a word is said.
func TestAnAccountOfOptionsAloneIsNotFlat(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		later(unwind.Again + holdEvery)
		if m := r.modeNow(); m.Flat == nil || !strings.HasPrefix(m.FlatWords(), "flat in stocks since ") || len(m.Left) != 1 {
			t.Errorf("%+v", m)
		}
		if len(r.orders()) != 0 {
			t.Errorf("it ordered %+v", r.orders())
		}
	}, func(r *rig, _ *Config) {
		r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL#700", ConID: 700, Qty: market.Shares(3), SecType: "OPT", Unmanaged: true}}
	}, unlooked)
}
