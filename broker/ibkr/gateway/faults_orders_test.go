package gateway

import (
	"slices"
	"strings"
	"testing"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

func TestFaultsOfOrders(t *testing.T) {
	setup := func(t *testing.T, script string) (*Server, *peer, int64) {
		t.Helper()
		s := paced(t, seconds(20), script)
		p, next := join(t, s, MaxVersion, 1)
		move(t, s, 1, 1)
		return s, p, next
	}
	has := func(list []wire.Message, name string) bool { return slices.Contains(names(list), name) }
	t.Run("fill first", func(t *testing.T) {
		_, p, next := setup(t, "on the 1st cancelOrder from client: fill it first")
		p.send(limitOrder(next, order.Buy, 5, "180.00"))
		p.sync()
		p.send(wire.CancelOrder{OrderID: next})
		list := p.sync()
		if !has(list, "execDetails") || !has(list, "orderStatus Filled") || has(list, "orderStatus Cancelled") {
			t.Errorf("got %v", names(list))
		}
		if got := codes(list); !slices.Equal(got, []int{venue.CannotCancel}) {
			t.Errorf("codes %v", got)
		}
	})
	t.Run("fill late", func(t *testing.T) {
		s, p, next := setup(t, "on the 1st cancelOrder from client: fill it late by 2s")
		p.send(limitOrder(next, order.Buy, 5, "180.00"))
		p.sync()
		p.send(wire.CancelOrder{OrderID: next})
		list := p.sync()
		if !has(list, "orderStatus Cancelled") || has(list, "execDetails") || !slices.Equal(codes(list), []int{venue.Cancelled}) {
			t.Errorf("first %v", names(list))
		}
		move(t, s, 1, 3)
		if list := p.sync(); !has(list, "execDetails") || !has(list, "orderStatus Filled") {
			t.Errorf("then %v", names(list))
		}
	})
	for _, tt := range []struct {
		what          string
		price, shares string
	}{{"correct it by 0.05 after 1s", "187.31", "5"}, {"bust it after 1s", "187.26", "0"}} {
		t.Run(tt.what, func(t *testing.T) {
			s, p, next := setup(t, "on every execDetails to client: "+tt.what)
			p.send(marketOrder(next, order.Buy, 5))
			p.sync()
			move(t, s, 1, 2)
			var again []wire.ExecDetails
			for _, m := range p.sync() {
				if e, ok := m.(wire.ExecDetails); ok {
					again = append(again, e)
				}
			}
			if len(again) != 1 || !strings.HasSuffix(again[0].ExecID, ".02") || again[0].Price.String() != tt.price || again[0].Shares.String() != tt.shares {
				t.Errorf("got %+v", again)
			}
			move(t, s, 1, 5) // and no more of them: it does not fire itself
			if list := p.sync(); has(list, "execDetails") {
				t.Errorf("again %v", names(list))
			}
		})
	}
	t.Run("lost, late and doubled reports", func(t *testing.T) {
		s, p, next := setup(t, `on every orderStatus to client: drop it
on every execDetails to client: duplicate it after 1s
on every commissionReport to client: delay it 2s`)
		p.send(marketOrder(next, order.Buy, 5))
		list := p.sync()
		move(t, s, 1, 4)
		list = append(list, p.sync()...)
		var got []string
		for _, n := range names(list) {
			if strings.HasPrefix(n, "exec") || strings.HasPrefix(n, "commission") || strings.HasPrefix(n, "orderStatus") {
				got = append(got, n)
			}
		}
		if want := []string{"execDetails", "execDetails", "commissionReport"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("ids back", func(t *testing.T) {
		_, p, next := setup(t, "on the 2nd reqIds from client: ids back by 1")
		p.send(marketOrder(next, order.Buy, 5))
		p.sync()
		p.send(wire.ReqIDs{Num: 1})
		list := p.await(wire.IDNextValidID)
		if got := list[len(list)-1].(wire.NextValidID).OrderID; got != next {
			t.Errorf("next id %d, want %d again", got, next)
		}
		p.send(marketOrder(next, order.Sell, 5)) // and it takes it
		if list := p.sync(); !has(list, "orderStatus Filled") {
			t.Errorf("got %v", names(list))
		}
	})
	t.Run("halt", func(t *testing.T) {
		s := paced(t, seconds(20), "after 1s: halt AAPL for 3s")
		p, next := watched(t, s, 1)
		move(t, s, 1, 2)
		p.sync()
		p.send(marketOrder(next, order.Buy, 5))
		if list := p.sync(); has(list, "execDetails") {
			t.Errorf("filled in the halt: %v", names(list))
		}
		move(t, s, 1, 5)
		if list := p.sync(); !has(list, "execDetails") {
			t.Errorf("not filled after it: %v", names(list))
		}
	})
}
