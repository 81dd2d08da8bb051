package brokertest

import (
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// stopped places a stop far below any market, in a group, and waits until the
// venue has it.
func stopped(t *testing.T, a broker.Adapter, d Driver) (broker.Session, *watcher, broker.Ticket) {
	t.Helper()
	s, w, c := trading(t, a, d)
	ticket := market1(s, "conform-stop", d.Symbol())
	ticket.Contract = c
	in := &ticket.Intent
	in.Side, in.Type, in.TIF, in.Qty = order.Sell, order.Stop, order.GTC, market.Shares(2)
	in.Stop, in.OCA = market.MustPrice("1.25").Ptr(), "conform-group"
	if err := s.(broker.Trader).Place(within(t), ticket); err != nil {
		t.Fatal(err)
	}
	w.until("resting stop", func() bool { return w.told(ticket.OrderID, order.Acked) && len(w.orders) > 0 })
	return s, w, ticket
}

// stops checks that a stop is told back as it was asked for, and that a change
// leaves one order, with the new terms.
func stops(t *testing.T, a broker.Adapter, d Driver) {
	s, w, ticket := stopped(t, a, d)
	acc := s.(broker.AccountSource)
	holds := func(qty, stop string) {
		t.Helper()
		open, err := acc.OpenOrders(within(t))
		if err != nil || len(open) != 1 {
			t.Fatalf("open orders %+v, %v", open, err)
		}
		if o := open[0].Order; o.Ref != "conform-stop" || o.OrderID != ticket.OrderID || o.Type != order.Stop || o.TIF != order.GTC || o.Side != order.Sell ||
			o.StopPrice == nil || *o.StopPrice != market.MustPrice(stop) || o.Limit != nil || o.OCA != "conform-group" || o.Qty != market.MustQty(qty) {
			t.Errorf("open order %+v", o)
		}
	}
	holds("2", "1.25")
	change := ticket
	change.Intent.ID, change.Intent.Action, change.Intent.Target = "conform-change", order.Modify, ticket.Intent.ID
	change.Intent.Qty, change.Intent.Stop = market.Shares(3), market.MustPrice("1.5").Ptr()
	if err := s.(broker.Trader).Place(within(t), change); err != nil {
		t.Fatal(err)
	}
	w.until("changed stop", func() bool {
		o := w.orders[len(w.orders)-1].Order
		return o.Qty == market.Shares(3) && o.StopPrice != nil && *o.StopPrice == market.MustPrice("1.5")
	})
	holds("3", "1.5")
	if err := s.(broker.Trader).Cancel(within(t), ticket.OrderID); err != nil {
		t.Fatal(err)
	}
	w.until("cancelled stop", func() bool { return w.told(ticket.OrderID, order.CancelDone) })
	seen := len(w.notices)
	if err := s.(broker.Trader).Place(within(t), change); err != nil {
		t.Fatal(err)
	}
	w.until("word that the stop is not there to change", func() bool {
		for _, n := range w.notices[seen:] {
			if n.OrderID == ticket.OrderID && n.Kind == broker.NoticeReject {
				return true
			}
		}
		return false
	})
}

// groups checks that what one order of a group fills, the others do not.
func groups(t *testing.T, a broker.Adapter, d Driver) {
	s, w, stop := stopped(t, a, d)
	exit := stop
	exit.OrderID++
	in := &exit.Intent
	in.ID, in.Type, in.TIF, in.Stop = "conform-exit", order.Market, order.Day, nil
	if err := s.(broker.Trader).Place(within(t), exit); err != nil {
		t.Fatal(err)
	}
	w.until("filled exit and ended stop", func() bool {
		return w.told(exit.OrderID, order.FilledUp) && w.told(stop.OrderID, order.CancelDone)
	})
	var filled market.Qty
	for _, f := range w.fills {
		if f.OrderID != exit.OrderID {
			t.Errorf("execution %+v is not the exit's", f)
		}
		filled = filled.Add(f.Qty)
	}
	if filled != in.Qty {
		t.Errorf("%v of the group filled, want %v", filled, in.Qty)
	}
	late := exit
	late.OrderID++
	late.Intent.ID = "conform-late"
	if err := s.(broker.Trader).Place(within(t), late); err != nil {
		t.Fatal(err)
	}
	w.until("word that the group has filled", func() bool {
		for _, n := range w.notices {
			if n.OrderID == late.OrderID && n.Kind == broker.NoticeReject {
				return true
			}
		}
		return false
	})
	if open, err := s.(broker.AccountSource).OpenOrders(within(t)); err != nil || len(open) != 0 {
		t.Errorf("open orders %+v, %v", open, err)
	}
}
