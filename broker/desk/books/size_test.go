package books

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Bounds of what an order costs that has ended, with two executions and their
// commissions, in bytes. A day of a strategy of minutes has some hundred; see
// scripts/soak for what that may add up to.
const (
	mostShown = 1600 // among those that are kept
	mostPast  = 700  // beyond them: its executions
)

// ends lets an order to buy 10 AAPL live its life, in words of its own as they come
// from messages.
func ends(b *Books, who *broker.Facts, n int) {
	at := day.Add(time.Duration(n) * time.Second)
	turn := func() *Turn {
		return &Turn{Wall: at, Market: at, ConID: func(market.Symbol) int64 { return 1 }}
	}
	id, own := int64(n+1), strings.Clone
	ref := fmt.Sprintf("r1-sma_cross-AAPL-%d-%d", at.Unix(), n)
	b.Add(order.Order{
		Ref: own(ref), OrderID: id, ClientID: 1, Account: own("DU1"), Strategy: own("sma_cross"), Symbol: "AAPL", Side: order.Side(own("BUY")), Type: order.Type(own("MKT")), TIF: order.TIF(own("DAY")),
		Qty: market.Shares(10), State: order.Sent, Reason: own("the fast average 187.25 rose above the slow one, 187.21"), Created: at, Updated: at, Trace: own("t-19d8a2b3c-77"),
	}, at)
	b.Fold(turn(), who, described(id, own(ref), order.Acked))
	for k := range 2 {
		x := executed(id, own(ref), fmt.Sprintf("0000e0d5.%08x.%02d.01", n, k+1), "5")
		x.Fill.Account, x.Fill.Exchange, x.Fill.Currency, x.Fill.At = own("DU1"), own("ISLAND"), own("USD"), at
		b.Fold(turn(), who, x)
		c := cost(own(x.Fill.ExecID))
		c.RealizedPNL = market.MustMoney("1.5").Ptr()
		b.Fold(turn(), who, c)
	}
	b.Judge(turn(), time.Second)
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found to be finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // of a test
}

// TestAnEndedOrderCostsLittleMemory: a trader runs for weeks, and what each order
// leaves behind is all that grows.
func TestAnEndedOrderCostsLittleMemory(t *testing.T) {
	b, who := New(time.UTC), broker.Facts{Account: "DU1", ClientID: 1}
	b.Positions = map[market.Symbol]order.Position{}
	made := 0
	each := func(orders, most int, what string) {
		before := heap()
		for range orders {
			ends(b, &who, made)
			made++
		}
		got := (heap() - before) / int64(orders)
		t.Logf("an order %s with two executions: %d bytes", what, got)
		if got > int64(most) {
			t.Errorf("an order %s leaves %d bytes, want at most %d", what, got, most)
		}
	}
	const kept = int(keepFor / time.Second) // one ends each second
	each(kept, mostShown, "that is kept")
	each(spare, mostShown, "that is kept") // what is beyond is as much as goes
	each(3000, mostPast, "that is kept no more")
	if len(b.past) != 2*made || len(b.ended) > kept+spare {
		t.Fatalf("%d executions and %d orders of %d are there", len(b.past), len(b.ended), made)
	}
	atRest := 0
	for _, e := range b.ended {
		if e.course == b.rest {
			atRest++
		}
	}
	if atRest < kept-3*restAfter || *b.rest != (course{}) {
		t.Errorf("%d of %d orders are at rest, which is %+v", atRest, len(b.ended), *b.rest)
	}
	runtime.KeepAlive(b)
}

// TestAnOrderAtRestTakesReports: whatever is told of an order that ended long ago
// finds it as it was, and touches no other.
func TestAnOrderAtRestTakesReports(t *testing.T) {
	b, who := New(time.UTC), broker.Facts{Account: "DU1", ClientID: 1}
	b.Positions = map[market.Symbol]order.Position{}
	const orders = 3 * restAfter
	for n := range orders {
		ends(b, &who, n)
	}
	first := b.ended[0]
	if first.course != b.rest || b.ended[1].course != b.rest {
		t.Fatal("the first orders are not at rest")
	}
	wall := day.Add(time.Hour)
	turn := func() *Turn {
		return &Turn{Wall: wall, Market: wall, ConID: func(market.Symbol) int64 { return 1 }}
	}
	ref, id := first.Ref, first.OrderID
	for _, r := range []broker.Event{
		described(id, ref, order.CancelDone), status(id, order.WorkingNow), status(id, order.CancelSent), status(id, order.CancelFail),
		executed(id, ref, "late.01", "1"), executed(id, ref, "late.02", "2"), executed(id, ref, fmt.Sprintf("0000e0d5.%08x.01.02", 0), "4"),
	} {
		b.Fold(turn(), &who, r)
	}
	for range 2 { // a list that shows it open, twice
		wall = wall.Add(2 * SettleAfter)
		b.Listed(turn(), &who, described(id, ref, order.WorkingNow), b.Mark())
	}
	if want := market.Shares(11); first.Filled != want { // 10, 2 that came late, and 1 less by a correction
		t.Errorf("filled is %v, want %v", first.Filled, want)
	}
	if b.Called(ref) != first || b.ByRef[ref] != first {
		t.Error("it is another order now")
	}
	if *b.rest != (course{}) {
		t.Errorf("what is at rest has %+v", *b.rest)
	}
	for _, e := range b.ended {
		if e != first && e.Filled != market.Shares(10) {
			t.Errorf("order %d has filled %v", e.OrderID, e.Filled)
		}
	}
}
