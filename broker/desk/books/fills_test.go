package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestTheNewestFillsAreTheNewestByTime: after a restart the venue tells the older
// executions of the day behind the loaded ones.
func TestTheNewestFillsAreTheNewestByTime(t *testing.T) {
	b, who, at := New(time.UTC), broker.Facts{Account: "DU1", ClientID: 1}, time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	turn := func() *Turn { return &Turn{Wall: at, Market: at, ConID: func(market.Symbol) int64 { return 1 }} }
	const n = 3 * KeepEnded
	fill := func(i int) order.Fill {
		return order.Fill{
			ExecID: time.Duration(i).String() + ".01", Account: "DU1", ClientID: 1, Symbol: "AAPL", Side: order.Buy,
			Qty: market.Shares(1), Price: market.MustPrice("100"), At: at.Add(time.Duration(i) * time.Second),
		}
	}
	var past broker.Books
	for i := n - KeepEnded; i < n; i++ {
		past.Fills = append(past.Fills, fill(i))
	}
	b.Load(past, at)
	for i := range n {
		b.FoldExecution(turn(), &who, fill(i))
	}
	newest := b.Fills[len(b.Fills)-KeepEnded:]
	if first, last := newest[0].ExecID, newest[KeepEnded-1].ExecID; first != fill(n-KeepEnded).ExecID || last != fill(n-1).ExecID {
		t.Errorf("shown are %s to %s", first, last)
	}
}
