package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

// decided writes a data folder in which one order was made, and one refused.
func decided(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	in := order.Intent{
		ID: "sma-1", Action: order.Place, Strategy: "sma", Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day,
		Qty: market.Shares(10), Reason: "fast crossed slow", At: first,
	}
	o := order.Order{
		Ref: in.ID, OrderID: 104, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day, Qty: in.Qty,
	}
	made := broker.IntentRecord{
		Intent: in, Account: "DU1", ClientID: 1, OrderID: 104, Wall: wall, Order: &o,
		Decision: order.Decision{IntentID: in.ID, Allowed: true, At: first, Saw: order.SawOf(
			"gross", "1872.5", "limits", "max_gross_notional=200000 max_losing_streak=5",
		)},
	}
	no := made
	no.Intent.ID, no.Order, no.OrderID = "sma-2", nil, 0
	no.Decision = order.Decision{IntentID: "sma-2", Rule: "daily_loss", Reason: "enough for today", Saw: order.SawOf("day_loss", "2000")}
	for _, r := range []broker.IntentRecord{made, no} {
		if err := j.Intend(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	after := o
	after.State, after.PermID, after.Filled, after.AvgPrice = order.Filled, 555, in.Qty, market.MustPrice("187.25").Ptr()
	f := order.Fill{
		ExecID: "e1", Ref: in.ID, OrderID: 104, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: in.Qty,
		Price: market.MustPrice("187.25"), At: first,
	}
	if err := j.Record(t.Context(), broker.Record{Wall: wall, Fill: &f}, broker.Record{Wall: wall, Order: &after}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhy(t *testing.T) {
	dir := decided(t)
	for _, tt := range []struct {
		id   string
		code int
		want []string
	}{
		{"sma-1", 0, []string{
			"sma-1: BUY 10 AAPL MKT DAY", "sma: fast crossed slow", "allowed", "by every rule", "gross", "1872.5",
			"limit max_gross_notional", "200000", "104 of client id 1, permanent id 555: filled, 10 of 10 filled at 187.25 on average",
			"intended", "BUY 10 AAPL at 187.25, commission -, execution e1",
		}},
		{"104", 0, []string{"sma-1: BUY 10 AAPL", "filled"}},
		{"sma-2", 0, []string{"by daily_loss: enough for today", "day_loss", "2000", "none: nothing was sent"}},
		{"sma-3", 1, []string{`no intent id and no order number "sma-3" is in`}},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"orders", "--data", dir, "--why", tt.id}, &out, &errs)
		if code != tt.code {
			t.Errorf("%s: exit %d: %s", tt.id, code, errs.String())
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String()+errs.String(), want) {
				t.Errorf("%s: %q is not in\n%s%s", tt.id, want, out.String(), errs.String())
			}
		}
	}
}

func TestWhyAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"orders", "--data", decided(t), "--why", "sma-1", "--json"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var stories []journal.Story
	if err := json.Unmarshal(out.Bytes(), &stories); err != nil {
		t.Fatal(err)
	}
	if len(stories) != 1 || stories[0].Intents[0].Decision.Saw.Map()["gross"] != "1872.5" || len(stories[0].Fills) != 1 || len(stories[0].States) != 2 {
		t.Errorf("stories %+v", stories)
	}
}
