package brokertest

import (
	"context"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// watcher reads a session and remembers.
type watcher struct {
	t       *testing.T
	session broker.Session
	driver  Driver

	quote   market.Quote
	frames  uint64
	reports uint64
	orders  []broker.OrderReport
	status  []broker.StatusReport
	fills   map[string]order.Fill
	costs   map[string]broker.CommissionReport
	notices []broker.Notice
}

func watch(t *testing.T, s broker.Session, d Driver) *watcher {
	return &watcher{t: t, session: s, driver: d, fills: map[string]order.Fill{}, costs: map[string]broker.CommissionReport{}}
}

// until reads until cond holds, and makes the market move when nothing comes.
func (w *watcher) until(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatalf("no %s within %v; came: %d orders, %d statuses, %d fills, %d commissions, notices %+v",
				what, patience, len(w.orders), len(w.status), len(w.fills), len(w.costs), w.notices)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		b, err := w.session.Events(ctx)
		late := ctx.Err() != nil
		cancel()
		if err != nil && !late {
			w.t.Fatalf("events: %v", err)
		}
		if err != nil {
			w.driver.Move()
			continue
		}
		w.take(b)
	}
}

func (w *watcher) take(b broker.Batch) {
	if b.TickFrames < w.frames || b.ReportFrames < w.reports {
		w.t.Errorf("frame counts go back: %d after %d, %d after %d", b.TickFrames, w.frames, b.ReportFrames, w.reports)
	}
	w.frames, w.reports = b.TickFrames, b.ReportFrames
	for _, tick := range b.Ticks {
		if tick.Symbol != w.driver.Symbol() {
			w.t.Errorf("a tick of %q", tick.Symbol)
		}
		w.quote = w.quote.Apply(tick)
	}
	for _, e := range b.Events {
		switch e := e.(type) {
		case broker.OrderReport:
			w.orders = append(w.orders, e)
		case broker.StatusReport:
			w.status = append(w.status, e)
		case broker.ExecutionReport:
			w.fills[e.Fill.ExecID] = e.Fill
		case broker.CommissionReport:
			w.costs[e.ExecID] = e
		case broker.Notice:
			w.notices = append(w.notices, e)
		}
	}
}

// told reports whether a status with the signal came for an order.
func (w *watcher) told(id int64, sig order.Signal) bool {
	for _, s := range w.status {
		if s.OrderID == id && s.Known && s.Signal == sig {
			return true
		}
	}
	return false
}

// market1 is a market order for one share.
func market1(s broker.Session, ref string, sym market.Symbol) broker.Ticket {
	return broker.Ticket{
		OrderID: s.Facts().NextOrderID, Account: s.Facts().Account, Contract: market.USStock(sym),
		Intent: order.Intent{
			ID: ref, Action: order.Place, Symbol: sym, Side: order.Buy, Type: order.Market, TIF: order.Day,
			Qty: market.Shares(1), At: time.Now(),
		},
	}
}

// trading opens a session that has a quote.
func trading(t *testing.T, a broker.Adapter, d Driver) (broker.Session, *watcher, market.Contract) {
	t.Helper()
	s := openSession(t, a, broker.OpenConfig{})
	c := contract(t, s, d.Symbol())
	if err := s.(broker.MarketData).Subscribe(within(t), c); err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, d)
	w.until("quote", func() bool { return w.quote.Ask != nil })
	return s, w, c
}

func fills(t *testing.T, a broker.Adapter, d Driver) {
	s, w, c := trading(t, a, d)
	ticket := market1(s, "conform-1", d.Symbol())
	ticket.Contract, ticket.Intent.Qty = c, market.Shares(3)
	if err := s.(broker.Trader).Place(within(t), ticket); err != nil {
		t.Fatal(err)
	}
	var filled market.Qty
	w.until("fill and commission", func() bool {
		filled = market.Qty{}
		for id, f := range w.fills {
			if _, ok := w.costs[id]; !ok {
				return false
			}
			filled = filled.Add(f.Qty)
		}
		return !filled.Less(ticket.Intent.Qty) && len(w.orders) > 0 && w.told(ticket.OrderID, order.FilledUp)
	})
	if filled != ticket.Intent.Qty {
		t.Errorf("executions add up to %v", filled)
	}
	for id, f := range w.fills {
		if f.Ref != "conform-1" || f.OrderID != ticket.OrderID || f.ClientID != s.Facts().ClientID || f.PermID == 0 ||
			f.Side != order.Buy || f.Symbol != d.Symbol() || f.Price.Sign() <= 0 || f.At.IsZero() ||
			f.Account != s.Facts().Account || f.Commission != nil {
			t.Errorf("execution %+v", f)
		}
		if cost := w.costs[id]; cost.Commission.Sign() <= 0 || cost.Currency != "USD" || cost.RealizedPNL != nil {
			t.Errorf("commission %+v of an execution that opened a position", cost)
		}
	}
	for _, r := range w.orders {
		if o := r.Order; r.WhatIf || o.Ref != "conform-1" || o.OrderID != ticket.OrderID || o.PermID == 0 || o.Qty != ticket.Intent.Qty ||
			o.Side != order.Buy || o.Type != order.Market || o.TIF != order.Day || o.Limit != nil || o.Account != s.Facts().Account {
			t.Errorf("order report %+v", r)
		}
	}
	booked(t, s, w, ticket)
}

// booked checks what the venue answers after the fill.
func booked(t *testing.T, s broker.Session, w *watcher, ticket broker.Ticket) {
	acc := s.(broker.AccountSource)
	execs, costs, err := acc.Executions(within(t))
	if err != nil || len(execs) != len(w.fills) || len(costs) != len(w.costs) {
		t.Fatalf("executions %+v, %+v, %v", execs, costs, err)
	}
	for _, e := range execs {
		if want := w.fills[e.Fill.ExecID]; e.Fill.Qty != want.Qty || e.Fill.Price != want.Price || !e.Fill.At.Equal(want.At) || e.Fill.Ref != want.Ref {
			t.Errorf("execution asked for: %+v, came: %+v", e.Fill, want)
		}
	}
	for _, c := range costs {
		if c.Commission != w.costs[c.ExecID].Commission {
			t.Errorf("commission asked for: %+v, came: %+v", c, w.costs[c.ExecID])
		}
	}
	positions, err := acc.Positions(within(t))
	if err != nil || len(positions) != 1 || positions[0].Qty != ticket.Intent.Qty || positions[0].Symbol != ticket.Contract.Symbol ||
		positions[0].AvgCost == nil || positions[0].ConID != ticket.Contract.ConID {
		t.Errorf("positions %+v, %v", positions, err)
	}
	if open, err := acc.OpenOrders(within(t)); err != nil || len(open) != 0 {
		t.Errorf("open orders %+v, %v", open, err)
	}
}

func rests(t *testing.T, a broker.Adapter, d Driver) {
	s, w, c := trading(t, a, d)
	ticket := market1(s, "conform-2", d.Symbol())
	ticket.Contract = c
	ticket.Intent.Type, ticket.Intent.Limit = order.Limit, market.MustPrice("1.25").Ptr() // far away from any market
	if err := s.(broker.Trader).Place(within(t), ticket); err != nil {
		t.Fatal(err)
	}
	w.until("working order", func() bool { return w.told(ticket.OrderID, order.WorkingNow) && len(w.orders) > 0 })
	acc := s.(broker.AccountSource)
	open, err := acc.OpenOrders(within(t))
	if err != nil || len(open) != 1 {
		t.Fatalf("open orders %+v, %v", open, err)
	}
	if o := open[0].Order; !open[0].Known || o.Ref != "conform-2" || o.OrderID != ticket.OrderID || o.PermID == 0 || o.ClientID != s.Facts().ClientID ||
		o.Type != order.Limit || o.Limit == nil || *o.Limit != *ticket.Intent.Limit || o.Qty != ticket.Intent.Qty {
		t.Errorf("open order %+v", open[0])
	}
	if err := s.(broker.Trader).Cancel(within(t), ticket.OrderID); err != nil {
		t.Fatal(err)
	}
	w.until("cancelled order", func() bool { return w.told(ticket.OrderID, order.CancelDone) })
	if open, err := acc.OpenOrders(within(t)); err != nil || len(open) != 0 {
		t.Errorf("open orders after the cancel: %+v, %v", open, err)
	}
	if len(w.fills) > 0 {
		t.Errorf("filled %+v", w.fills)
	}
}

func noCancel(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	id := s.Facts().NextOrderID + 77
	if err := s.(broker.Trader).Cancel(within(t), id); err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, d)
	w.until("word that there is nothing to cancel", func() bool {
		for _, n := range w.notices {
			if n.OrderID == id {
				return n.Kind == broker.NoticeNoCancel
			}
		}
		return false
	})
}
