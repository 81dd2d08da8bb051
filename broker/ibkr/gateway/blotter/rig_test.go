package blotter

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/gateway/venue/venuetest"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// versions are those that change a layout of an order, and the least and the
// greatest.
var versions = []wire.Version{176, 178, 187, 190, 192, 195, 196, 200}

var (
	newYork = mustZone(tape.ZoneName)
	opening = time.Date(2026, 4, 2, 9, 30, 0, 0, newYork)
)

func mustZone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

// rig is a blotter before an exchange of its own, in the regular session of one
// day, with AAPL and MSFT and no market yet.
type rig struct {
	t *testing.T
	v *venue.Venue
	b *Blotter
}

func newRig(t *testing.T, change func(*venue.Venue, *Config, *exchange.Config)) *rig {
	t.Helper()
	cfg, xc := Config{}, exchange.DefaultConfig()
	v := &venue.Venue{Zone: newYork, Accounts: xc.Accounts, MasterClientID: -1, At: opening, Clock: market.NewClock(opening, time.Now(), 0)}
	if change != nil {
		change(v, &cfg, &xc)
	}
	xc.Accounts = v.Accounts
	x, err := exchange.New(xc)
	if err != nil {
		t.Fatal(err)
	}
	v.X = x
	list(t, x)
	r := &rig{t: t, v: v}
	r.b = New(v, cfg, slog.New(slog.DiscardHandler), func(string, market.Symbol) {})
	return r
}

// list lists what the rig trades, for a week of days.
func list(t *testing.T, x *exchange.Exchange) {
	t.Helper()
	var trading, liquid market.Hours
	for day := range 5 {
		at := opening.AddDate(0, 0, day)
		trading = append(trading, market.Span{Open: at.Add(-330 * time.Minute), Close: at.Add(630 * time.Minute)})
		liquid = append(liquid, market.Span{Open: at, Close: at.Add(390 * time.Minute)})
	}
	for _, s := range []market.Symbol{"AAPL", "MSFT"} {
		if err := x.List(exchange.StockDetails(s, trading, liquid)); err != nil {
			t.Fatal(err)
		}
	}
}

// ear is a client's session in its rig.
type ear struct {
	*venuetest.Peer
	r *rig
}

func (r *rig) join(id int, v wire.Version) *ear {
	r.t.Helper()
	e := &ear{venuetest.NewPeer(r.t, id, v), r}
	r.b.Join(e)
	return e
}

// send hands a request in.
func (e *ear) send(m wire.Message) {
	e.r.t.Helper()
	if !e.r.b.Handle(e, e.Asked(m)) {
		e.r.t.Fatalf("%s is not handled", wire.ClientName(m.ID()))
	}
}

// heard returns what came since it was asked last.
func (e *ear) heard() []wire.Message { return e.Heard() }

// names returns what came in short form.
func (e *ear) names() []string {
	out := []string{}
	for _, m := range e.heard() {
		out = append(out, name(m))
	}
	return out
}

func name(m wire.Message) string {
	switch m := m.(type) {
	case wire.OpenOrder:
		return fmt.Sprintf("open %d %s", m.OrderID, m.Status)
	case wire.OrderStatus:
		held := ""
		if m.WhyHeld != "" {
			held = " " + m.WhyHeld
		}
		return fmt.Sprintf("status %d %s%s", m.OrderID, m.Status, held)
	case wire.ErrMsg:
		return fmt.Sprintf("error %d %d", m.RequestID, m.Code)
	case wire.ExecDetails:
		return fmt.Sprintf("exec %d %s %v", m.OrderID, m.Side, m.Shares)
	case wire.CompletedOrder:
		return fmt.Sprintf("completed %s: %s", m.Order.Status, m.CompletedStatus)
	}
	return wire.Name(m.ID())
}

func level(price string, size int64) tape.Level {
	return tape.Level{Price: market.MustPrice(price), Size: market.Shares(size), Known: true}
}

// quote tells a quote of AAPL with 300 shares on each side, a second later.
func (r *rig) quote(bid, ask string) {
	r.pass(time.Second)
	r.apply(tape.Event{Symbol: "AAPL", Kind: tape.Quote, Bid: level(bid, 300), Ask: level(ask, 300)})
}

// print tells a trade of AAPL, a second later.
func (r *rig) print(price string, size int64) {
	r.pass(time.Second)
	r.apply(tape.Event{Symbol: "AAPL", Kind: tape.Trade, Price: market.MustPrice(price), Size: market.Shares(size)})
}

func (r *rig) apply(ev tape.Event) {
	ev.At = r.v.At
	r.b.Report(append([]exchange.Report(nil), r.v.X.Apply(r.v.At, ev)...))
}

// pass lets market time pass.
func (r *rig) pass(d time.Duration) {
	r.v.At = r.v.At.Add(d)
	r.b.Report(append([]exchange.Report(nil), r.v.X.Advance(r.v.At)...))
}

func contract(symbol market.Symbol) wire.Contract { return wire.ContractOf(market.USStock(symbol)) }

// asks is an order for AAPL of 100 shares.
func asks(id int64, side, kind string, change ...func(*wire.PlaceOrder)) wire.PlaceOrder {
	m := wire.NewPlaceOrder(id, contract("AAPL"))
	m.Action, m.OrderType, m.TIF, m.TotalQuantity = side, kind, "DAY", market.Shares(100).Ptr()
	for _, f := range change {
		f(&m)
	}
	return m
}

func price(s string) *market.Price { return market.MustPrice(s).Ptr() }

func limit(s string) func(*wire.PlaceOrder) {
	return func(m *wire.PlaceOrder) { m.LmtPrice = price(s) }
}

func aux(s string) func(*wire.PlaceOrder)    { return func(m *wire.PlaceOrder) { m.AuxPrice = price(s) } }
func tif(s string) func(*wire.PlaceOrder)    { return func(m *wire.PlaceOrder) { m.TIF = s } }
func parent(id int64) func(*wire.PlaceOrder) { return func(m *wire.PlaceOrder) { m.ParentID = id } }
func hold(m *wire.PlaceOrder)                { m.Transmit = false }

func shares(n int64) func(*wire.PlaceOrder) {
	return func(m *wire.PlaceOrder) { m.TotalQuantity = market.Shares(n).Ptr() }
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
