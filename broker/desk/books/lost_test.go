package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// losing are books with an order whose change to c the broker's list does not show.
func losing(t *testing.T, o order.Order, c order.Change) (b *Books, e *Entry, turn func(after time.Duration) *Turn) {
	t.Helper()
	_, _, turn = changing()
	b = New(time.UTC)
	b.SettledAfter = time.Minute
	e = b.Add(o, day)
	b.Changing(turn(0), e, c)
	b.Lost(turn(time.Second))
	b.Listed(turn(2*time.Second), us, broker.OrderReport{Order: o, Known: true, Signal: order.WorkingNow}, b.Mark())
	if e.Lost == nil || !e.Stands() {
		t.Fatalf("listed as it was: %+v", e.Order)
	}
	return b, e, turn
}

// TestALostChangeThatIsRefusedEndsNoOrder: whoever says no in the gateway's dialog
// refuses the change, by a word that a refused order has, too. The order works on.
func TestALostChangeThatIsRefusedEndsNoOrder(t *testing.T) {
	o := described(1, "a", order.WorkingNow).Order
	o.State = order.Working
	b, e, turn := losing(t, o, order.Change{ID: "m", Qty: market.Shares(30)})
	refused := turn(3 * time.Second)
	b.Noticed(refused, e, broker.Notice{Kind: broker.NoticeReject, Code: 201, Text: "rejected"})
	if e.State != order.Working || e.Lost != nil || e.MostLeft() != market.Shares(10) {
		t.Errorf("%+v", e.Order)
	}
	asks := false
	for _, f := range refused.Effects {
		asks = asks || f.Ask == AskAll
	}
	if !asks {
		t.Errorf("the broker is not asked whether it was the order: %+v", refused.Effects)
	}
}

// TestALostChangeThatComesIsNoFillOfTheGroup: the guard made its stop smaller, the
// change was called lost, and comes. Nothing executed, so orders may join the stop's
// group, and no larger quantity counts.
func TestALostChangeThatComesIsNoFillOfTheGroup(t *testing.T) {
	o := described(1, GuardPrefix+"AAPL-1", order.WorkingNow).Order
	o.State, o.Type, o.Side, o.StopPrice, o.OCA = order.Working, order.Stop, order.Sell, market.MustPrice("180").Ptr(), GuardPrefix+"AAPL-1"
	b, e, turn := losing(t, o, order.Change{ID: "m", Qty: market.Shares(6), StopPrice: o.StopPrice})
	o.Qty = market.Shares(6)
	b.Fold(turn(3*time.Second), us, broker.OrderReport{Order: o, Known: true, Signal: order.WorkingNow})
	if e.Qty != market.Shares(6) || e.Lost != nil || e.Shut || e.MostLeft() != market.Shares(6) {
		t.Errorf("shut %v, %v left, %+v", e.Shut, e.MostLeft(), e.Order)
	}
}

// TestTwoLostChangesCountByTheWorst: each may come yet, with its price.
func TestTwoLostChangesCountByTheWorst(t *testing.T) {
	o := described(1, "a", order.WorkingNow).Order
	o.State, o.Type, o.Limit = order.Working, order.Limit, market.MustPrice("100").Ptr()
	b, e, turn := losing(t, o, order.Change{ID: "m", Qty: market.Shares(20), Limit: market.MustPrice("200").Ptr()})
	b.Changing(turn(3*time.Second), e, order.Change{ID: "n", Qty: market.Shares(30), Limit: market.MustPrice("110").Ptr()})
	b.Lost(turn(4 * time.Second))
	b.Listed(turn(5*time.Second), us, broker.OrderReport{Order: o, Known: true, Signal: order.WorkingNow}, b.Mark())
	if most := e.Most(); most.Qty != market.Shares(30) || *most.Limit != market.MustPrice("200") {
		t.Errorf("at most %v at %v", most.Qty, most.Limit)
	}
}
