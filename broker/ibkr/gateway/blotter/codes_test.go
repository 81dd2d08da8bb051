package blotter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Each code about orders, and what brings it about.
func TestCodes(t *testing.T) {
	place := func(m wire.PlaceOrder) func(*rig, *ear) { return func(_ *rig, e *ear) { e.send(m) } }
	after := func(first wire.PlaceOrder, then ...wire.Message) func(*rig, *ear) {
		return func(_ *rig, e *ear) {
			e.send(first)
			e.heard()
			for _, m := range then {
				e.send(m)
			}
		}
	}
	rests := asks(5, "BUY", "LMT", limit("180"))
	for name, tt := range map[string]struct {
		change func(*venue.Venue, *Config, *exchange.Config)
		do     func(*rig, *ear)
		want   []string
	}{
		"103 id below the highest":     {nil, after(rests, asks(4, "BUY", "MKT")), []string{"error 4 103"}},
		"103 id 0":                     {nil, place(asks(0, "BUY", "MKT")), []string{"error 0 103"}},
		"103 id too large":             {nil, place(asks(1<<31-1, "BUY", "MKT")), []string{"error 2147483647 103"}},
		"103 id of a cancelled order":  {nil, after(asks(5, "BUY", "LMT", limit("180"), tif("IOC")), rests), []string{"error 5 103"}},
		"104 a filled order":           {nil, after(asks(5, "BUY", "MKT"), asks(5, "BUY", "MKT", shares(7))), []string{"error 5 104"}},
		"105 the other side":           {nil, after(rests, asks(5, "SELL", "LMT", limit("190"))), []string{"error 5 105"}},
		"105 another symbol":           {nil, after(rests, asks(5, "BUY", "LMT", limit("180"), func(m *wire.PlaceOrder) { m.Contract = contract("MSFT") })), []string{"error 5 105"}},
		"110 a change off the grid":    {nil, after(rests, asks(5, "BUY", "LMT", limit("180.005"))), []string{"error 5 110", "status 5 Submitted"}},
		"135 cancel of nothing":        {oldCodes, place2(wire.CancelOrder{OrderID: 9}), []string{"error 9 135"}},
		"161 cancel too late":          {oldCodes, after(asks(5, "BUY", "MKT"), wire.CancelOrder{OrderID: 5}), []string{"error 5 161"}},
		"10147 cancel of nothing":      {nil, place2(wire.CancelOrder{OrderID: 9}), []string{"error 9 10147"}},
		"10148 cancel too late":        {nil, after(asks(5, "BUY", "MKT"), wire.CancelOrder{OrderID: 5}), []string{"error 5 10148"}},
		"200 no such symbol":           {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.Contract = contract("ZZZZ") })), []string{"error 5 200"}},
		"201 a type that is not there": {nil, place(asks(5, "BUY", "REL", limit("180"))), []string{"error 5 201", "status 5 Inactive"}},
		"201 too much for the account": {nil, place(asks(5, "BUY", "MKT", shares(900_000))), []string{"error 5 201", "status 5 Inactive"}},
		"321 conditions": {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) {
			m.Conditions = []wire.Condition{{Type: 1, Connector: "a", More: true, Value: "190", ConID: 265598, Exchange: "SMART"}}
		})), []string{"error 5 321"}},
		"321 an algorithm": {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.AlgoStrategy = "Vwap" })), []string{"error 5 321"}},
		"321 a peg":        {nil, place(asks(5, "BUY", "PEG MID")), []string{"error 5 321"}},
		"321 a bad time":   {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.GoodAfterTime = "soon" })), []string{"error 5 321"}},
		"321 an adviser's": {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.FAGroup = "all" })), []string{"error 5 321"}},
		"327 binding":      {nil, place2(wire.ReqAutoOpenOrders{AutoBind: true}), []string{"error -1 327"}},
		"435 no such account": {
			nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.Account = "DU1" })),
			[]string{"error 5 435", "status 5 Inactive"},
		},
		"2102 too soon": {
			func(_ *venue.Venue, c *Config, _ *exchange.Config) { c.ModifyWait = time.Minute },
			after(rests, asks(5, "BUY", "LMT", limit("181"))),
			[]string{"error 5 2102"},
		},
		"10006 no such parent": {nil, place(asks(5, "BUY", "LMT", limit("180"), parent(3))), []string{"error 5 10006"}},
		"10243 a fraction": {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) {
			m.TotalQuantity = market.MustQty("1.5").Ptr()
		})), []string{"error 5 10243"}},
		"10244 by amount": {nil, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) {
			m.CashQty = market.MustMoney("100").Ptr()
		})), []string{"error 5 10244"}},
		"10349 preset": {
			func(_ *venue.Venue, c *Config, _ *exchange.Config) { c.PresetTIF = true },
			place(asks(5, "BUY", "LMT", limit("180"), tif(""))),
			[]string{"error 5 10349", "open 5 PreSubmitted", "status 5 PreSubmitted", "open 5 Submitted", "status 5 Submitted", "status 5 Submitted"},
		},
		"read-only place":     {readOnly, place(asks(5, "BUY", "MKT")), []string{"error 5 321"}},
		"read-only what if":   {readOnly, place(asks(5, "BUY", "MKT", func(m *wire.PlaceOrder) { m.WhatIf = true })), []string{"error 5 321"}},
		"read-only cancel":    {readOnly, place2(wire.CancelOrder{OrderID: 5}), []string{"error 5 321"}},
		"read-only all":       {readOnly, place2(wire.ReqGlobalCancel{}), []string{"error -1 321"}},
		"read-only completed": {readOnly, place2(wire.ReqCompletedOrders{}), []string{"error -1 321"}},
		"read-only open":      {readOnly, place2(wire.ReqOpenOrders{}), []string{"openOrderEnd"}}, // binds nothing
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range versions {
				r := newRig(t, tt.change)
				r.quote("187.24", "187.26")
				e := r.join(1, v)
				tt.do(r, e)
				for _, m := range e.Got {
					if bad, ok := m.(wire.ErrMsg); ok && bad.Text == "" {
						t.Errorf("%d has no text", bad.Code)
					}
				}
				if diff := cmp.Diff(tt.want, e.names()); diff != "" {
					t.Errorf("version %d: %s", v, diff)
				}
			}
		})
	}
}

func place2(m wire.Message) func(*rig, *ear) { return func(_ *rig, e *ear) { e.send(m) } }

func oldCodes(_ *venue.Venue, c *Config, _ *exchange.Config) { c.OldCancelCodes = true }
func readOnly(v *venue.Venue, _ *Config, _ *exchange.Config) { v.ReadOnly = true }

// At 192 and above a cancel without its extra fields is dropped in silence.
func TestCancelAtEveryVersion(t *testing.T) {
	for v := wire.Version(176); v <= 200; v++ {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		e := r.join(1, v)
		e.send(asks(1, "BUY", "LMT", limit("180")))
		e.heard()
		if v >= 192 {
			e.send(wire.CancelOrder{OrderID: 1, Incomplete: true})
			if got := e.names(); len(got) != 0 {
				t.Errorf("version %d: %v", v, got)
			}
		}
		e.send(wire.CancelOrder{OrderID: 1})
		if diff := cmp.Diff([]string{"status 1 PendingCancel", "status 1 Cancelled", "error 1 202"}, e.names()); diff != "" {
			t.Errorf("version %d: %s", v, diff)
		}
	}
}

// A change that the fill overtakes is refused, and one of a child whose parent
// has ended is none of the parent's business.
func TestChangesInTime(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	e.send(asks(1, "BUY", "LMT", limit("187"), hold))
	e.send(asks(2, "SELL", "LMT", limit("189"), parent(1)))
	r.quote("186.99", "187") // fills the parent
	e.heard()
	e.send(asks(1, "BUY", "LMT", limit("186")))
	e.send(asks(2, "SELL", "LMT", limit("190"), parent(1)))
	if diff := cmp.Diff([]string{"error 1 104", "open 2 Submitted", "status 2 Submitted"}, e.names()); diff != "" {
		t.Error(diff)
	}
	e.send(asks(2, "SELL", "LMT", limit("190"), parent(1), shares(40)))
	if o := e.Got[0].(wire.OpenOrder); *o.LmtPrice != market.MustPrice("190") || *o.TotalQuantity != market.Shares(40) {
		t.Errorf("after the change: %+v", o)
	}
	e.heard()
	e.send(wire.CancelOrder{OrderID: 2})
	e.heard()
	e.send(asks(2, "SELL", "LMT", limit("191"), parent(1)))
	if diff := cmp.Diff([]string{"error 2 103"}, e.names()); diff != "" {
		t.Error(diff)
	}
}
