package blotter

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// lives is what a client may conclude from what it hears.
type lives struct {
	rt    *rapid.T
	over  map[int64]string // final status, by perm id
	fills map[int64]market.Qty
	execs map[string]bool // without their commission so far
}

func (l *lives) hear(m wire.Message) {
	switch m := m.(type) {
	case wire.OrderStatus:
		l.status(m)
	case wire.OpenOrder:
		if end, over := l.over[m.PermID]; over && m.Status != end {
			l.rt.Fatalf("order %d is %s after it was %s", m.OrderID, m.Status, end)
		}
	case wire.ExecDetails:
		if end, over := l.over[m.PermID]; over {
			l.rt.Fatalf("order %d fills after it was %s", m.OrderID, end)
		}
		l.fills[m.PermID] = l.fills[m.PermID].Add(m.Shares)
		if *m.CumQty != l.fills[m.PermID] {
			l.rt.Fatalf("order %d: %v in all, executions make %v", m.OrderID, m.CumQty, l.fills[m.PermID])
		}
		l.execs[m.ExecID] = true
	case wire.CommissionReport:
		if !l.execs[m.ExecID] {
			l.rt.Fatalf("commission of %s, which was not told or has one", m.ExecID)
		}
		delete(l.execs, m.ExecID)
	}
}

func (l *lives) status(m wire.OrderStatus) {
	if end, over := l.over[m.PermID]; over && m.Status != end {
		l.rt.Fatalf("order %d is %s after it was %s", m.OrderID, m.Status, end)
	}
	if *m.Filled != l.fills[m.PermID] {
		l.rt.Fatalf("order %d is %s with %v filled, executions make %v", m.OrderID, m.Status, m.Filled, l.fills[m.PermID])
	}
	switch m.Status {
	case "Filled":
		if !m.Remaining.IsZero() {
			l.rt.Fatalf("order %d is filled but for %v", m.OrderID, m.Remaining)
		}
		l.over[m.PermID] = m.Status
	case "Cancelled", "ApiCancelled", "Inactive":
		l.over[m.PermID] = m.Status
	}
}

// Whatever orders do, a client hears of each one life that adds up, and of each
// execution one commission.
func TestLivesAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, func(_ *venue.Venue, _ *Config, xc *exchange.Config) { xc.PartialFills = true })
		e := r.join(1, 200)
		l := &lives{rt, map[int64]string{}, map[int64]market.Qty{}, map[string]bool{}}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			live(rt, r, e)
			for _, m := range e.heard() {
				l.hear(m)
			}
			if len(l.execs) > 0 {
				rt.Fatalf("without commission: %v", l.execs)
			}
		}
		for _, o := range r.v.X.Open() {
			if end, over := l.over[o.PermID]; over {
				rt.Fatalf("order %d was told as %s and is open", o.OrderID, end)
			}
		}
	})
}

// live lets something happen: the market moves, time passes or leaps, orders
// of brackets and groups come, change and go.
func live(rt *rapid.T, r *rig, e *ear) {
	cents := func(name string) *market.Price {
		return market.MustPrice("0.01").Times(rapid.Int64Range(18700, 18712).Draw(rt, name)).Ptr()
	}
	id := rapid.Int64Range(1, max(1, r.b.NextID(1)-1)).Draw(rt, "known")
	order := func(id int64) wire.PlaceOrder {
		kind := rapid.SampledFrom([]string{"MKT", "LMT", "STP", "STP LMT", "TRAIL", "MOC", "LIT"}).Draw(rt, "type")
		m := asks(id, rapid.SampledFrom([]string{"BUY", "SELL"}).Draw(rt, "side"), kind, shares(rapid.Int64Range(1, 400).Draw(rt, "shares")))
		m.LmtPrice, m.AuxPrice = cents("limit"), cents("stop")
		if kind == "TRAIL" {
			m.AuxPrice = price("0.02")
		}
		if kind != "MOC" {
			m.TIF = rapid.SampledFrom([]string{"DAY", "GTC", "IOC", "FOK", "OPG"}).Draw(rt, "tif")
		}
		m.Transmit, m.OutsideRTH = rapid.IntRange(0, 2).Draw(rt, "transmit") > 0, rapid.Bool().Draw(rt, "outside")
		m.AllOrNone = rapid.IntRange(0, 5).Draw(rt, "aon") == 0
		if rapid.IntRange(0, 2).Draw(rt, "grouped") == 0 {
			m.OCAGroup, m.OCAType = "g", rapid.IntRange(0, 3).Draw(rt, "kind")
		}
		return m
	}
	switch rapid.IntRange(0, 9).Draw(rt, "what") {
	case 0, 1:
		e.send(order(r.b.NextID(1)))
	case 2, 3:
		m := order(r.b.NextID(1))
		m.ParentID = id
		e.send(m)
	case 4:
		e.send(order(id))
	case 5:
		e.send(wire.CancelOrder{OrderID: id})
	case 6, 7:
		r.print(fmt.Sprint(cents("print")), rapid.Int64Range(1, 500).Draw(rt, "size"))
	case 8:
		bid := cents("bid")
		r.quote(fmt.Sprint(bid), fmt.Sprint(bid.Add(market.MustPrice("0.01"))))
	default:
		r.pass(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
	}
}
