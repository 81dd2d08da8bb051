package main

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/websocket/server"
)

// TestFlattenNamesWhatItLeaves: traderctl says "flat" alone of an empty account
// alone, whoever did the flatten.
func TestFlattenNamesWhatItLeaves(t *testing.T) {
	now := time.Now()
	m := event.ModeChange{Mode: broker.Halted, Flat: &now}
	words := func() string {
		var b strings.Builder
		if err := printFlat(&b, m, 4); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := words(); !strings.HasPrefix(got, "flat: the broker, asked anew, shows no position and no order for stocks of client id 4 works\nmode    halted") {
		t.Errorf("an empty account: %s", got)
	}
	m.Left = []order.Position{{Symbol: "AAPL#7", Qty: market.Shares(2), SecType: "OPT"}}
	if got := words(); !strings.HasPrefix(got, "flat in stocks; 1 other position left: 2 AAPL#7 (OPT); close them at the broker\n") {
		t.Errorf("with an option: %s", got)
	}
	m.Flatten, m.Flat = true, nil
	var b strings.Builder
	if err := printMode(&b, server.Done{Done: "flatten", Mode: &m}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "left    1 other position left: 2 AAPL#7 (OPT); no flatten closes them") {
		t.Errorf("under way: %s", b.String())
	}
}
