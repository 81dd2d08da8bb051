package blotter

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue/venuetest"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// What a client asks for reaches the exchange, and comes back in openOrder.
func TestTerms(t *testing.T) {
	noon := time.Date(2026, 4, 2, 12, 0, 0, 0, newYork)
	with := func(f func(m *wire.PlaceOrder)) func(*wire.PlaceOrder) { return f }
	for name, tt := range map[string]struct {
		m    wire.PlaceOrder
		want exchange.Order // its type, time in force, limit and terms
	}{
		"LMT":     {asks(1, "BUY", "LMT", limit("180"), aux("0")), exchange.Order{Order: order.Order{Limit: price("180")}}},
		"STP":     {asks(1, "SELL", "STP", aux("180"), limit("0")), exchange.Order{Terms: exchange.Terms{Stop: price("180")}}},
		"STP LMT": {asks(1, "SELL", "STP LMT", aux("180"), limit("179")), exchange.Order{Order: order.Order{Limit: price("179")}, Terms: exchange.Terms{Stop: price("180")}}},
		"MIT":     {asks(1, "SELL", "MIT", aux("190")), exchange.Order{Terms: exchange.Terms{Stop: price("190")}}},
		"LIT":     {asks(1, "SELL", "LIT", aux("190"), limit("189")), exchange.Order{Order: order.Order{Limit: price("189")}, Terms: exchange.Terms{Stop: price("190")}}},
		"MOC":     {asks(1, "SELL", "MOC"), exchange.Order{}},
		"LOC":     {asks(1, "SELL", "LOC", limit("189")), exchange.Order{Order: order.Order{Limit: price("189")}}},
		"TRAIL by amount": {
			asks(1, "SELL", "TRAIL", aux("2"), with(func(m *wire.PlaceOrder) { m.TrailStopPrice = price("180") })),
			exchange.Order{Terms: exchange.Terms{TrailAmount: price("2"), TrailStop: price("180")}},
		},
		"TRAIL by per cent": {
			asks(1, "SELL", "TRAIL", with(func(m *wire.PlaceOrder) { m.TrailingPercent = "1.5" })),
			exchange.Order{Terms: exchange.Terms{TrailPercent: market.MustPercent("1.5").Ptr()}},
		},
		"TRAIL LIMIT": {
			asks(1, "SELL", "TRAIL LIMIT", aux("2"), with(func(m *wire.PlaceOrder) { m.LmtPriceOffset = price("0.1") })),
			exchange.Order{Terms: exchange.Terms{TrailAmount: price("2"), LimitOffset: price("0.1")}},
		},
		"GTC":                 {asks(1, "BUY", "LMT", limit("180"), tif("GTC")), exchange.Order{Order: order.Order{TIF: order.GTC, Limit: price("180")}}},
		"GTD with a zone":     {gtd("20260402 12:00:00 US/Eastern"), till(noon)},
		"GTD in UTC":          {gtd("20260402-16:00:00"), till(noon)},
		"GTD without a zone":  {gtd("20260402 12:00:00"), till(noon)},
		"GTD by day":          {gtd("20260402"), till(time.Date(2026, 4, 2, 23, 59, 59, 0, newYork))},
		"GAT":                 {asks(1, "BUY", "LMT", limit("180"), with(func(m *wire.PlaceOrder) { m.GoodAfterTime = "20260402 12:00:00 EST" })), exchange.Order{Order: order.Order{Limit: price("180")}, Terms: exchange.Terms{GoodAfter: noon}}},
		"all or none":         {asks(1, "BUY", "LMT", limit("180"), with(func(m *wire.PlaceOrder) { m.AllOrNone = true })), exchange.Order{Order: order.Order{Limit: price("180")}, Terms: exchange.Terms{AllOrNone: true}}},
		"least and displayed": {asks(1, "BUY", "LMT", limit("180"), with(func(m *wire.PlaceOrder) { m.MinQty, m.DisplaySize = ptr(50), 10 })), exchange.Order{Order: order.Order{Limit: price("180")}, Terms: exchange.Terms{MinQty: market.Shares(50), DisplaySize: market.Shares(10)}}},
		"outside hours":       {asks(1, "BUY", "LMT", limit("180"), with(func(m *wire.PlaceOrder) { m.OutsideRTH, m.Hidden, m.SweepToFill = true, true, true })), exchange.Order{Order: order.Order{Limit: price("180")}, Terms: exchange.Terms{OutsideRTH: true}}},
		"group":               {asks(1, "BUY", "LMT", limit("180"), with(func(m *wire.PlaceOrder) { m.OCAGroup, m.OCAType = "g", 2 })), exchange.Order{Order: order.Order{Limit: price("180")}, Terms: exchange.Terms{OCAGroup: "g", OCAType: exchange.ReduceBlock}}},
		"short sale":          {asks(1, "SSHORT", "LMT", limit("190")), exchange.Order{Order: order.Order{Limit: price("190")}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range versions {
				r := newRig(t, nil)
				e := r.join(1, v)
				e.send(tt.m)
				open := r.v.X.Open()
				if len(open) != 1 {
					t.Fatalf("version %d: %v", v, e.names())
				}
				got, want := open[0], tt.want
				if want.TIF == "" {
					want.TIF = order.Day
				}
				if got.TIF != want.TIF || string(got.Type) != tt.m.OrderType || got.Qty != market.Shares(100) {
					t.Errorf("version %d: %+v", v, got)
				}
				if diff := cmp.Diff(asJSON(t, []any{want.Limit, want.Terms}), asJSON(t, []any{got.Limit, inZone(got.Terms)})); diff != "" {
					t.Errorf("version %d: %s", v, diff)
				}
				echoes(t, &tt.m, e.Got[0].(wire.OpenOrder))
			}
		})
	}
}

func gtd(text string) wire.PlaceOrder {
	return asks(1, "BUY", "LMT", limit("180"), tif("GTD"), func(m *wire.PlaceOrder) { m.GoodTillDate = text })
}

func till(at time.Time) exchange.Order {
	return exchange.Order{Order: order.Order{TIF: order.GTD, Limit: price("180")}, Terms: exchange.Terms{GoodTill: at}}
}

func inZone(t exchange.Terms) exchange.Terms {
	if !t.GoodAfter.IsZero() {
		t.GoodAfter = t.GoodAfter.In(newYork)
	}
	if !t.GoodTill.IsZero() {
		t.GoodTill = t.GoodTill.In(newYork)
	}
	return t
}

// echoes checks that a client's own words come back.
func echoes(t *testing.T, m *wire.PlaceOrder, o wire.OpenOrder) {
	t.Helper()
	same := func(name string, told, asked any) {
		t.Helper()
		if a, b := asJSON(t, told), asJSON(t, asked); a != b {
			t.Errorf("%s: told %s, asked %s", name, a, b)
		}
	}
	same("action", o.Action, m.Action)
	same("quantity", o.TotalQuantity, m.TotalQuantity)
	same("time in force", o.TIF, m.TIF)
	same("good till", o.GoodTillDate, m.GoodTillDate)
	same("good after", o.GoodAfterTime, m.GoodAfterTime)
	same("all or none", o.AllOrNone, m.AllOrNone)
	same("least", o.MinQty, m.MinQty)
	same("outside hours", []bool{o.OutsideRTH, o.Hidden, o.SweepToFill}, []bool{m.OutsideRTH, m.Hidden, m.SweepToFill})
	same("group", o.OCAGroup, m.OCAGroup)
	if m.AuxPrice != nil {
		same("aux price", o.AuxPrice, m.AuxPrice)
	}
	if m.TrailStopPrice != nil {
		same("trailing stop", o.TrailStopPrice, m.TrailStopPrice)
	}
	if o.Contract.ConID != 265598 || o.Contract.Right != "" || o.DeltaNeutralOrderType != "None" || o.AdjustedOrderType != "None" {
		t.Errorf("contract %+v, %q, %q", o.Contract, o.DeltaNeutralOrderType, o.AdjustedOrderType)
	}
}

// The stop of a trailing order is told where it is.
// Numbers that no order can have are refused, whatever their size.
func TestNumbersBeyondAll(t *testing.T) {
	most, least := market.MustQty("90000000000"), market.MustQty("-90000000000")
	for _, change := range []func(*wire.PlaceOrder, int){
		func(m *wire.PlaceOrder, n int) { m.MinQty = &n },
		func(m *wire.PlaceOrder, n int) { m.DisplaySize = n },
		func(m *wire.PlaceOrder, n int) { m.OCAGroup, m.OCAType = "g", n },
		func(m *wire.PlaceOrder, n int) { m.ParentID = int64(n) },
		func(m *wire.PlaceOrder, _ int) { m.TotalQuantity, m.LmtPrice = &most, price("90000000000") },
		func(m *wire.PlaceOrder, _ int) { m.TotalQuantity, m.LmtPrice = &least, price("-90000000000") },
		func(m *wire.PlaceOrder, _ int) {
			m.OrderType, m.TrailStopPrice = "TRAIL LIMIT", price("1")
			m.LmtPrice, m.AuxPrice = price("90000000000"), price("90000000000")
		},
	} {
		for _, n := range []int{-1, math.MinInt64 + 1, 3_000_000_000, 100_000_000_000, math.MaxInt64 - 1} {
			r := newRig(t, nil)
			e := r.join(1, 200)
			e.send(asks(1, "BUY", "LMT", limit("187"), func(m *wire.PlaceOrder) { change(m, n) }))
			if list := e.names(); len(list) == 0 || list[0] != "error 1 201" && list[0] != "error 1 10006" {
				t.Errorf("%d: %v", n, list)
			}
		}
	}
}

func TestTrailingStopIsToldWhereItIs(t *testing.T) {
	r := newRig(t, nil)
	r.print("187", 10)
	e := r.join(1, 200)
	e.send(asks(1, "SELL", "TRAIL", aux("2")))
	r.print("190", 10)
	e.heard()
	e.send(wire.ReqOpenOrders{})
	if o := e.Got[0].(wire.OpenOrder); o.TrailStopPrice == nil || *o.TrailStopPrice != market.MustPrice("188") {
		t.Errorf("told %v", o.TrailStopPrice)
	}
}

func TestWhatIf(t *testing.T) {
	for _, v := range versions {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		e := r.join(1, v)
		whatIf := func(m *wire.PlaceOrder) { m.WhatIf = true }
		e.send(asks(1, "BUY", "MKT", whatIf))
		if len(e.Got) != 1 {
			t.Fatalf("version %d: %v", v, e.names())
		}
		o := e.heard()[0].(wire.OpenOrder)
		worth := market.MustMoney("9362.50") // half of 100 × 187.25, the middle of the quote
		if !o.WhatIf || o.Status != "PreSubmitted" || *o.Margin.InitChange != worth || *o.Commission != market.MustMoney("1") ||
			*o.Margin.EquityBefore != market.MustMoney("1000000") || o.CommissionCurrency != "USD" {
			t.Errorf("version %d: %+v", v, o.Margin)
		}
		if got := o.Preview.MarginCurrency; (got == "USD") != (v >= 195) {
			t.Errorf("version %d: margin currency %q", v, got)
		}
		e.send(asks(1, "BUY", "LMT", limit("187.005"), whatIf))
		e.send(asks(1, "BUY", "MKT", shares(900_000), whatIf))
		list := e.heard()
		if name(list[0]) != "error 1 110" || list[1].(wire.OpenOrder).WarningText == "" {
			t.Errorf("version %d: %v", v, (&ear{Peer: &venuetest.Peer{Got: list}}).names())
		}
		if n := len(r.v.X.Open()) + len(r.v.X.Fills()) + r.b.Len(); n != 0 {
			t.Errorf("version %d: something was placed", v)
		}
		e.send(asks(1, "BUY", "MKT")) // the number may be used again
		if got := e.names(); got[0] != "open 1 PreSubmitted" {
			t.Errorf("version %d: %v", v, got)
		}
	}
}

// What the official client writes is taken.
func TestOfficialOrders(t *testing.T) {
	f, err := os.Open("../../../../../shared/vectors/requests-official.jsonl")
	if err != nil {
		t.Skip("the recorded vectors are not here:", err)
	}
	defer f.Close()
	seen := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row struct {
			Name    string       `json:"name"`
			Version wire.Version `json:"server_version"`
			Payload string       `json:"payload"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		m, err := wire.DecodeClient(row.Version, []byte(strings.ReplaceAll(row.Payload, "|", "\x00")))
		ask, ok := m.(wire.PlaceOrder)
		if err != nil || !ok {
			continue // other requests are not ours to test
		}
		r := newRig(t, nil)
		r.v.Accounts = []string{"DU7654321"}
		r.quote("187.24", "187.26")
		r.print("187.25", 10)
		e := r.join(1, row.Version)
		if ask.ParentID != 0 {
			e.send(asks(ask.ParentID, "BUY", "LMT", limit("185"), hold))
		}
		ask.Account = "" // not one of ours
		if !r.b.Handle(e, ask) {
			t.Fatal("not handled")
		}
		for _, m := range e.heard() {
			if bad, ok := m.(wire.ErrMsg); ok {
				t.Errorf("%s at %d: %d %s", row.Name, row.Version, bad.Code, bad.Text)
			}
		}
		if !ask.WhatIf && r.b.placed[orderKey{1, ask.OrderID}] == nil {
			t.Errorf("%s at %d was not taken", row.Name, row.Version)
		}
		seen++
	}
	t.Logf("%d orders of the official client", seen)
	if seen == 0 {
		t.Error("none was read")
	}
}
