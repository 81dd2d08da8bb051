package blotter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/gateway/venue/venuetest"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func master(id int) func(*venue.Venue, *Config, *exchange.Config) {
	return func(v *venue.Venue, _ *Config, _ *exchange.Config) { v.MasterClientID = id }
}

func TestMasterHearsAll(t *testing.T) {
	r := newRig(t, master(9))
	r.quote("187.24", "187.26")
	one := r.join(1, 200)
	one.send(asks(1, "BUY", "LMT", limit("180")))
	one.send(asks(2, "BUY", "MKT"))
	m := r.join(9, 178)
	// At start-up: what is open, and the executions of the day.
	if diff := cmp.Diff([]string{"open 1 Submitted", "status 1 Submitted", "openOrderEnd", "exec 2 BOT 100", "commissionReport"}, m.names()); diff != "" {
		t.Error(diff)
	}
	one.heard()
	one.send(asks(3, "SELL", "MKT"))
	heard := m.heard()
	if diff := cmp.Diff(one.names(), (&ear{Peer: &venuetest.Peer{Got: heard}}).names()); diff != "" {
		t.Errorf("the master hears something else: %s", diff)
	}
	if o := heard[0].(wire.OpenOrder); o.ClientID != 1 {
		t.Errorf("of client %d", o.ClientID)
	}
	m.send(wire.CancelOrder{OrderID: 1}) // another's
	if diff := cmp.Diff([]string{"status 1 PendingCancel", "status 1 Cancelled"}, m.names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"status 1 PendingCancel", "status 1 Cancelled", "error 1 202"}, one.names()); diff != "" {
		t.Error(diff)
	}
}

func TestOthersHearNothing(t *testing.T) {
	r := newRig(t, nil)
	r.quote("187.24", "187.26")
	one, two := r.join(1, 200), r.join(2, 200)
	one.send(asks(1, "BUY", "LMT", limit("180")))
	if got := two.names(); len(got) != 0 {
		t.Errorf("heard %v", got)
	}
	two.send(wire.CancelOrder{OrderID: 1})
	two.send(wire.ReqOpenOrders{})
	two.send(wire.ReqAllOpenOrders{})
	want := []string{"error 1 10147", "openOrderEnd", "open 1 Submitted", "status 1 Submitted", "openOrderEnd"}
	if diff := cmp.Diff(want, two.names()); diff != "" {
		t.Error(diff)
	}
}

func TestDownloadOnConnection(t *testing.T) {
	r := newRig(t, func(v *venue.Venue, _ *Config, xc *exchange.Config) {
		v.DownloadOpenOrders, xc.PartialFills = true, true
	})
	r.quote("187.24", "187.26")
	e := r.join(1, 200)
	if got := e.names(); len(got) != 0 {
		t.Errorf("with nothing open: %v", got)
	}
	e.send(asks(1, "BUY", "MKT", shares(50)))
	e.send(asks(2, "BUY", "LMT", limit("187.26"), shares(400)))
	r.b.Leave(e)
	r.join(2, 200).send(asks(1, "BUY", "LMT", limit("180")))
	again := r.join(1, 200)
	want := []string{"open 2 Submitted", "status 2 Submitted", "openOrderEnd", "exec 2 BOT 250", "commissionReport"}
	if diff := cmp.Diff(want, again.names()); diff != "" {
		t.Error(diff)
	}
	if next := r.b.NextID(1); next != 3 {
		t.Errorf("next id %d", next)
	}
}

func TestOrdersGivenByHand(t *testing.T) {
	r := newRig(t, master(9))
	r.quote("187.24", "187.26")
	zero, one, m := r.join(0, 200), r.join(1, 200), r.join(9, 200)
	give := func(l string) int64 {
		perm, err := r.b.PlaceManual(asks(7, "BUY", "LMT", limit(l)))
		if err != nil || perm == 0 {
			t.Fatalf("perm id %d, %v", perm, err)
		}
		return perm
	}
	first := give("180")
	if got := append(zero.names(), one.names()...); len(got) != 0 {
		t.Errorf("nobody asked, and heard %v", got)
	}
	if got := m.names(); len(got) == 0 || got[0] != "open 0 PreSubmitted" {
		t.Errorf("the master heard %v", got)
	}
	one.send(wire.ReqAllOpenOrders{})
	if diff := cmp.Diff([]string{"open 0 Submitted", "status 0 Submitted", "openOrderEnd"}, one.names()); diff != "" {
		t.Error(diff)
	}
	zero.send(wire.ReqOpenOrders{})
	list := zero.heard()
	if list[0] != wire.Message(wire.OrderBound{PermID: first, ClientID: 0, OrderID: -1}) || name(list[1]) != "open -1 Submitted" {
		t.Errorf("bound by %v", list[0])
	}
	zero.send(asks(-1, "BUY", "LMT", limit("181")))
	if diff := cmp.Diff([]string{"open -1 Submitted", "status -1 Submitted"}, zero.names()); diff != "" {
		t.Error(diff)
	}
	zero.send(wire.ReqAutoOpenOrders{AutoBind: true})
	give("182")
	if got := zero.names(); len(got) != 6 || got[0] != "orderBound" || got[1] != "open -2 PreSubmitted" {
		t.Errorf("bound at once: %v", got)
	}
	zero.send(wire.CancelOrder{OrderID: -2})
	if diff := cmp.Diff([]string{"status -2 PendingCancel", "status -2 Cancelled", "error -2 202"}, zero.names()); diff != "" {
		t.Error(diff)
	}
	zero.send(wire.ReqCompletedOrders{})
	zero.send(wire.ReqCompletedOrders{APIOnly: true})
	want := []string{"completed Cancelled: Cancelled by Trader", "completedOrdersEnd", "completedOrdersEnd"}
	if diff := cmp.Diff(want, zero.names()); diff != "" {
		t.Error(diff)
	}
	if _, err := r.b.PlaceManual(asks(1, "BUY", "MKT", func(m *wire.PlaceOrder) { m.TotalQuantity = nil })); err == nil {
		t.Error("an order without a quantity was given")
	}
}

func TestReadOnlyBindsNothing(t *testing.T) {
	r := newRig(t, readOnly)
	zero := r.join(0, 200)
	zero.send(wire.ReqOpenOrders{})
	zero.send(wire.ReqAutoOpenOrders{AutoBind: true})
	if diff := cmp.Diff([]string{"error -1 321", "error -1 321"}, zero.names()); diff != "" {
		t.Error(diff)
	}
}

func TestGlobalCancelIsForAll(t *testing.T) {
	r := newRig(t, nil)
	one, two := r.join(1, 200), r.join(2, 200)
	one.send(asks(1, "BUY", "LMT", limit("180")))
	if _, err := r.b.PlaceManual(asks(1, "BUY", "LMT", limit("181"))); err != nil {
		t.Fatal(err)
	}
	one.heard()
	two.send(wire.ReqGlobalCancel{})
	if diff := cmp.Diff([]string{"status 1 PendingCancel", "status 1 Cancelled", "error 1 202"}, one.names()); diff != "" {
		t.Error(diff)
	}
	if open := r.v.X.Open(); len(open) != 0 {
		t.Errorf("%d are open", len(open))
	}
}

func TestCompletedOrders(t *testing.T) {
	for _, v := range versions {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		e := r.join(1, v)
		e.send(asks(1, "BUY", "MKT", shares(7)))
		e.send(asks(2, "BUY", "LMT", limit("180.001")))
		e.send(asks(3, "BUY", "LMT", limit("180")))
		e.heard()
		r.pass(11 * time.Hour) // past the end of DAY orders
		e.heard()
		e.send(wire.ReqCompletedOrders{APIOnly: true})
		list := e.heard()
		want := []string{
			"completed Filled: Filled Size: 7",
			"completed Inactive: Rejected by System: limit 180.001 is not a multiple of 0.01",
			"completed Cancelled: Cancelled by System: the session of a DAY order has ended", "completedOrdersEnd",
		}
		if diff := cmp.Diff(want, (&ear{Peer: &venuetest.Peer{Got: list}}).names()); diff != "" {
			t.Errorf("version %d: %s", v, diff)
		}
		if m := list[0].(wire.CompletedOrder); *m.FilledQuantity != market.Shares(7) || m.CompletedTime != "20260402 09:30:01 US/Eastern" || m.Order.PermID == 0 {
			t.Errorf("version %d: %+v", v, m)
		}
		r.pass(24 * time.Hour)
		e.send(wire.ReqCompletedOrders{})
		if diff := cmp.Diff([]string{"completedOrdersEnd"}, e.names()); diff != "" || r.b.Len() != 0 {
			t.Errorf("the day after %d are kept: %s", r.b.Len(), diff)
		}
		e.send(wire.ReqExecutions{ReqID: 1, LastNDays: ptr(2)}) // outlast the order
		if got := e.names(); v >= 200 && len(got) != 3 {
			t.Errorf("version %d: executions of yesterday: %v", v, got)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A client that is refused for days does not fill the memory.
func TestEndedOrdersAreBounded(t *testing.T) {
	r := newRig(t, nil)
	e := r.join(1, 200)
	for i := range int64(maxEnded + 50) {
		m := asks(i+1, "BUY", "LMT", limit("187.001"))
		r.b.Handle(e, m)
		e.Got = nil
	}
	if n := r.b.Len(); n != maxEnded {
		t.Errorf("%d are kept", n)
	}
	e.send(asks(1, "BUY", "MKT"))
	if diff := cmp.Diff([]string{"error 1 103"}, e.names()); diff != "" {
		t.Error(diff)
	}
	for id := range 1000 {
		r.b.Leave(r.join(id+100, 200))
	}
	if n := len(r.b.clients); n > 2 {
		t.Errorf("%d client ids are kept", n)
	}
}

func TestOpenOrdersOfAClientAreBounded(t *testing.T) {
	r := newRig(t, nil)
	e := r.join(1, 200)
	for i := range int64(maxOpen) {
		r.b.Handle(e, asks(i+1, "BUY", "LMT", limit("1"), shares(1)))
		e.Got = nil
	}
	e.send(asks(maxOpen+1, "BUY", "LMT", limit("1"), shares(1)))
	e.send(wire.CancelOrder{OrderID: 7})
	e.heard()
	e.send(asks(maxOpen+2, "BUY", "LMT", limit("1"), shares(1)))
	e.send(asks(maxOpen+3, "BUY", "LMT", limit("1"), shares(1)))
	list := e.names()
	if list[0] != "open 5002 PreSubmitted" || list[len(list)-1] != "error 5003 201" {
		t.Errorf("%v … %v", list[0], list[len(list)-1])
	}
}

func BenchmarkMarketOrder(b *testing.B) {
	r := newRig(&testing.T{}, nil)
	r.quote("187.24", "187.26")
	p := &counter{}
	r.b.Join(p)
	b.ReportAllocs()
	for i := range b.N {
		side := "BUY"
		if i%2 == 1 {
			side = "SELL"
		}
		r.b.Handle(p, asks(int64(i+1), side, "MKT", shares(1)))
	}
	b.ReportMetric(float64(p.bytes)/float64(b.N), "bytes/order")
}

// counter is a session that writes what it is sent and forgets it.
type counter struct {
	buffer []byte
	bytes  int
}

func (c *counter) ClientID() int                   { return 1 }
func (c *counter) Version() wire.Version           { return 200 }
func (c *counter) Fail(int64, int, string, ...any) {}

func (c *counter) Send(m wire.Message) {
	c.buffer, _ = m.Append(c.buffer[:0], 200)
	c.bytes += len(c.buffer)
}

func TestExecutionsByDay(t *testing.T) {
	r := newRig(t, nil)
	e := r.join(1, 200)
	for day := range 3 {
		r.quote("187.24", "187.26")
		e.send(asks(int64(day+1), "BUY", "MKT", shares(int64(day+1))))
		r.pass(24 * time.Hour)
	}
	r.pass(-24 * time.Hour)
	e.heard()
	for name, tt := range map[string]struct {
		m    wire.ReqExecutions
		want []string
	}{
		"today":        {wire.ReqExecutions{}, []string{"exec 3 BOT 3"}},
		"two days":     {wire.ReqExecutions{LastNDays: ptr(2)}, []string{"exec 2 BOT 2", "exec 3 BOT 3"}},
		"a week":       {wire.ReqExecutions{LastNDays: ptr(30)}, []string{"exec 1 BOT 1", "exec 2 BOT 2", "exec 3 BOT 3"}},
		"dates":        {wire.ReqExecutions{SpecificDates: []int{20260402, 20260404}}, []string{"exec 1 BOT 1", "exec 3 BOT 3"}},
		"since":        {wire.ReqExecutions{LastNDays: ptr(7), Time: "20260403 00:00:00 US/Eastern"}, []string{"exec 2 BOT 2", "exec 3 BOT 3"}},
		"no such date": {wire.ReqExecutions{SpecificDates: []int{20269999}}, []string{"error 0 321"}},
		"no such time": {wire.ReqExecutions{Time: "noon"}, []string{"error 0 321"}},
	} {
		t.Run(name, func(t *testing.T) {
			e.send(tt.m)
			got := []string{}
			for _, n := range e.names() {
				if n != "commissionReport" && n != "execDetailsEnd" {
					got = append(got, n)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
