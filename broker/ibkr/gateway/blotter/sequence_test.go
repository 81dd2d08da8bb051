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

// The sequences of section 4.6, at every version.
func TestSequences(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(r *rig, e *ear)
		want []string
	}{
		{"market order", func(_ *rig, e *ear) { e.send(asks(1, "BUY", "MKT")) }, []string{
			"open 1 PreSubmitted", "status 1 PreSubmitted", "exec 1 BOT 100", "open 1 Filled", "status 1 Filled", "commissionReport",
		}},
		{"limit that rests and fills", func(r *rig, e *ear) {
			e.send(asks(1, "SELL", "LMT", limit("188")))
			r.quote("188.01", "188.02")
		}, []string{
			"open 1 PreSubmitted", "status 1 PreSubmitted", "open 1 Submitted", "status 1 Submitted", "status 1 Submitted",
			"exec 1 SLD 100", "open 1 Filled", "status 1 Filled", "commissionReport",
		}},
		{"stop", func(r *rig, e *ear) {
			e.send(asks(1, "SELL", "STP", aux("187")))
			r.print("187", 10)
			r.quote("186.99", "187.01")
		}, []string{
			"open 1 PreSubmitted", "status 1 PreSubmitted", "open 1 PreSubmitted", "status 1 PreSubmitted trigger",
			"status 1 PreSubmitted", "exec 1 SLD 100", "open 1 Filled", "status 1 Filled", "commissionReport",
		}},
		{"cancel", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180")))
			e.heard()
			e.send(wire.CancelOrder{OrderID: 1})
		}, []string{"status 1 PendingCancel", "status 1 Cancelled", "error 1 202"}},
		{"cancel before it is transmitted", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180"), hold))
			e.send(wire.ReqOpenOrders{})
			e.send(wire.CancelOrder{OrderID: 1})
		}, []string{"open 1 ApiPending", "status 1 ApiPending", "openOrderEnd", "status 1 ApiCancelled", "error 1 202"}},
		{"immediate or cancel", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180"), tif("IOC")))
		}, []string{
			"open 1 PreSubmitted", "status 1 PreSubmitted", "open 1 Submitted", "status 1 Submitted", "status 1 Submitted",
			"status 1 Cancelled", "error 1 202",
		}},
		{"rejected", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180.001")))
		}, []string{"error 1 110", "status 1 Inactive"}},
		{"changed", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180")))
			e.heard()
			e.send(asks(1, "BUY", "LMT", limit("181")))
		}, []string{"open 1 Submitted", "status 1 Submitted"}},
		{"changed into a fill", func(_ *rig, e *ear) {
			e.send(asks(1, "BUY", "LMT", limit("180")))
			e.heard()
			e.send(asks(1, "BUY", "LMT", limit("190")))
		}, []string{
			"open 1 Submitted", "status 1 Submitted", "exec 1 BOT 100", "open 1 Filled", "status 1 Filled", "commissionReport",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, v := range versions {
				r := newRig(t, nil)
				r.quote("187.24", "187.26")
				e := r.join(1, v)
				tt.do(r, e)
				if diff := cmp.Diff(tt.want, e.names()); diff != "" {
					t.Errorf("version %d: %s", v, diff)
				}
			}
		})
	}
}

// A bracket is silent until its last order transmits it; then the parent works
// and the children wait for it. The fill of one child ends the other.
func TestBracket(t *testing.T) {
	for _, v := range versions {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		e := r.join(1, v)
		e.send(asks(10, "BUY", "LMT", limit("187"), hold))
		e.send(asks(11, "SELL", "LMT", limit("189"), parent(10), hold))
		if got := e.names(); len(got) != 0 {
			t.Fatalf("before it is transmitted: %v", got)
		}
		e.send(asks(12, "SELL", "STP", aux("185"), parent(10)))
		e.heard()
		e.send(wire.ReqOpenOrders{})
		want := []string{
			"open 10 Submitted", "status 10 Submitted", "open 11 PreSubmitted", "status 11 PreSubmitted child",
			"open 12 PreSubmitted", "status 12 PreSubmitted child,trigger", "openOrderEnd",
		}
		list := e.heard()
		for i, m := range list {
			if name(m) != want[i] {
				t.Fatalf("version %d: %s, want %s", v, name(m), want[i])
			}
			if o, ok := m.(wire.OpenOrder); ok && o.OrderID > 10 && (o.ParentID != 10 || o.OCAGroup == "") {
				t.Errorf("child %d has parent %d and group %q", o.OrderID, o.ParentID, o.OCAGroup)
			}
			if st, ok := m.(wire.OrderStatus); ok && st.OrderID > 10 && st.ParentID != 10 {
				t.Errorf("status of child %d has parent %d", st.OrderID, st.ParentID)
			}
		}
		r.quote("186.98", "187") // fills the parent
		e.send(asks(11, "SELL", "LMT", limit("188"), parent(10)))
		r.quote("188", "188.02") // fills a child
		ends := map[int64]string{}
		for _, m := range e.heard() {
			if st, ok := m.(wire.OrderStatus); ok {
				ends[st.OrderID] = st.Status
			}
		}
		if diff := cmp.Diff(map[int64]string{10: "Filled", 11: "Filled", 12: "Cancelled"}, ends); diff != "" {
			t.Errorf("version %d: %s", v, diff)
		}
	}
}

func TestBracketEndsWithItsParent(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	e.send(asks(10, "BUY", "LMT", limit("187"), hold))
	e.send(asks(11, "SELL", "LMT", limit("189"), parent(10)))
	e.heard()
	e.send(wire.CancelOrder{OrderID: 10})
	want := []string{"status 10 PendingCancel", "status 10 Cancelled", "error 10 202", "status 11 Cancelled", "error 11 202"}
	if diff := cmp.Diff(want, e.names()); diff != "" {
		t.Error(diff)
	}
	e.send(asks(12, "SELL", "LMT", limit("189"), parent(10)))
	if diff := cmp.Diff([]string{"error 12 201"}, e.names()); diff != "" {
		t.Error(diff)
	}
}

func TestGroupLeavesOne(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	group := func(m *wire.PlaceOrder) { m.OCAGroup, m.OCAType = "g", 1 }
	e.send(asks(1, "SELL", "LMT", limit("188"), group))
	e.send(asks(2, "SELL", "STP", aux("186"), group))
	if o := e.Got[0].(wire.OpenOrder); o.OCAGroup != "g" || o.OCAType != 1 {
		t.Errorf("told of group %q, type %d", o.OCAGroup, o.OCAType)
	}
	e.heard()
	r.quote("188", "188.01")
	var filled, cancelled int
	for _, m := range e.heard() {
		if st, ok := m.(wire.OrderStatus); ok && st.Status == "Filled" {
			filled++
		} else if ok && st.Status == "Cancelled" {
			cancelled++
		}
	}
	if filled != 1 || cancelled != 1 {
		t.Errorf("%d filled, %d cancelled", filled, cancelled)
	}
}

func TestPartialFillsThenCancel(t *testing.T) {
	r := newRig(t, func(_ *venue.Venue, _ *Config, xc *exchange.Config) { xc.PartialFills = true })
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	e.send(asks(1, "BUY", "MKT", shares(1000)))
	want := []string{
		"open 1 PreSubmitted", "status 1 PreSubmitted", "exec 1 BOT 300", "open 1 Submitted", "status 1 Submitted", "commissionReport",
	}
	list := e.heard()
	for i, m := range list {
		if name(m) != want[i] {
			t.Errorf("%s, want %s", name(m), want[i])
		}
	}
	st := list[4].(wire.OrderStatus)
	if *st.Filled != market.Shares(300) || *st.Remaining != market.Shares(700) || *st.LastFillPrice != market.MustPrice("187.26") {
		t.Errorf("status %+v", st)
	}
	e.send(wire.CancelOrder{OrderID: 1})
	list = e.heard()
	if st := list[1].(wire.OrderStatus); st.Status != "Cancelled" || *st.Filled != market.Shares(300) {
		t.Errorf("status %+v", st)
	}
}

func TestRealisedProfitIsAfterCommission(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	e.send(asks(1, "BUY", "MKT"))
	e.send(asks(2, "SELL", "MKT"))
	var told []*market.Money
	for _, m := range e.heard() {
		if c, ok := m.(wire.CommissionReport); ok {
			told = append(told, c.RealizedPNL)
		}
	}
	// 100 × −0.02, less one dollar for each of both orders.
	if len(told) != 2 || told[0] != nil || told[1] == nil || *told[1] != market.MustMoney("-4") {
		t.Errorf("told %v", told)
	}
}

// Time may leap over a midnight: what happened before it is told whole.
func TestLeapOverMidnight(t *testing.T) {
	r := newRig(t, nil)
	e := r.join(1, 200)
	r.print("187.25", 100)
	e.send(asks(1, "BUY", "MOC"))
	e.heard()
	r.pass(24 * time.Hour)
	want := []string{"exec 1 BOT 100", "open 1 Filled", "status 1 Filled", "commissionReport"}
	if diff := cmp.Diff(want, e.names()); diff != "" {
		t.Error(diff)
	}
	if r.b.Len() != 0 {
		t.Error("the order of the day before is kept")
	}
}

func TestCorrectedExecution(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	e.send(asks(1, "BUY", "MKT"))
	first := ""
	for _, m := range e.heard() {
		if x, ok := m.(wire.ExecDetails); ok {
			first = x.ExecID
		}
	}
	reports, err := r.v.X.Correct(r.v.At, first, market.MustPrice("187.20"), market.Shares(100))
	if err != nil {
		t.Fatal(err)
	}
	r.b.Report(append([]exchange.Report(nil), reports...))
	list := e.heard()
	if len(list) != 2 {
		t.Fatalf("%d messages", len(list))
	}
	x := list[0].(wire.ExecDetails)
	if x.ExecID == first || x.ExecID[:len(x.ExecID)-2] != first[:len(first)-2] || x.Price != market.MustPrice("187.20") {
		t.Errorf("corrected %s to %+v", first, x)
	}
	e.send(wire.ReqExecutions{ReqID: 3})
	if diff := cmp.Diff([]string{"exec 1 BOT 100", "commissionReport", "execDetailsEnd"}, e.names()); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsLeaveTheOrder(t *testing.T) {
	r := newRig(t, nil)
	r.pass(-time.Hour) // before the opening
	e := r.join(1, 200)
	e.send(asks(1, "BUY", "LMT", limit("180")))
	want := []string{"open 1 PreSubmitted", "status 1 PreSubmitted", "open 1 PreSubmitted", "status 1 PreSubmitted", "error 1 399"}
	if diff := cmp.Diff(want, e.names()); diff != "" {
		t.Error(diff)
	}
	e.send(asks(2, "BUY", "MKT", func(m *wire.PlaceOrder) { m.OutsideRTH = true }))
	found := false
	for _, n := range e.names() {
		found = found || n == "error 2 2109"
	}
	if !found {
		t.Error("no 2109")
	}
	if open := r.v.X.Open(); len(open) != 2 {
		t.Errorf("%d open", len(open))
	}
}
