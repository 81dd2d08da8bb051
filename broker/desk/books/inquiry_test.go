package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestEachInquirySeesWhatMovedSinceItBegan: one that ends, or fails, takes
// nothing from another that is under way.
func TestEachInquirySeesWhatMovedSinceItBegan(t *testing.T) {
	b := New(time.UTC)
	b.Positions = map[market.Symbol]order.Position{}
	who := &broker.Facts{Account: "DU1", ClientID: 1}
	execute := func(id string) {
		turn := &Turn{Wall: time.Now(), ConID: func(market.Symbol) int64 { return 1 }}
		b.FoldExecution(turn, who, order.Fill{ExecID: id, OrderID: 7, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10), Price: market.MustPrice("1")})
	}
	first := b.Begin()
	execute("a")
	second := b.Begin()
	execute("b")
	if moved := b.End(second); len(moved) != 1 || moved[0].Exec != "b" {
		t.Errorf("the second saw %+v", moved)
	}
	execute("c")
	if moved := b.End(first); len(moved) != 3 || moved[2].Exec != "c" {
		t.Errorf("the first saw %+v", moved)
	}
	if execute("d"); len(b.inquiries) != 0 || len(b.End(first)) != 0 {
		t.Errorf("%d inquiries are left", len(b.inquiries))
	}
}
