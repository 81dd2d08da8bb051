package books

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestPositionsAreTheSumOfExecutions compares the books' position with a plain
// sum, and the average cost of a position that only grew with the mean.
func TestPositionsAreTheSumOfExecutions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New(time.UTC)
		b.Positions = map[market.Symbol]order.Position{}
		var sum market.Qty
		var spent market.Money
		grew := true
		first := order.Side("")
		for i, n := range rapid.SliceOfN(rapid.IntRange(-50, 50).Filter(func(n int) bool { return n != 0 }), 1, 20).Draw(t, "deals") {
			f := order.Fill{ExecID: fmt.Sprint(i), Symbol: "X", Side: order.Buy, Qty: market.Shares(int64(n))}
			if n < 0 {
				f.Side, f.Qty = order.Sell, f.Qty.Neg()
			}
			f.Price = market.MustPrice("100").Add(market.MustPrice("0.25").Times(int64(i)))
			sum = sum.Add(market.Shares(int64(n)))
			spent = spent.Add(f.Price.Mul(f.Qty))
			if first == "" {
				first = f.Side
			}
			grew = grew && f.Side == first
			p, ok := b.move(f, 1, day)
			if !ok || p.Qty != sum {
				t.Fatalf("position %v, sum %v", p.Qty, sum)
			}
			if sum.IsZero() != (p.AvgCost != nil && p.AvgCost.IsZero()) {
				t.Fatalf("position %v costs %v", p.Qty, p.AvgCost)
			}
			if !grew {
				continue
			}
			if want, _ := spent.DivQty(sum.Abs()); p.AvgCost.Sub(want).Abs().Cmp(market.MustPrice("0.000001")) > 0 {
				t.Fatalf("position %v costs %v, want %v", p.Qty, p.AvgCost, want)
			}
		}
	})
}

// TestMemoryIsBounded: orders that end slowly leave the newest, those that end in
// one go stay for their late executions, and there is an end to that, too.
func TestMemoryIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name        string
		orders      int
		every       time.Duration
		least, most int
	}{
		{"one a second", 5000, time.Second, int(keepFor / time.Second), int(keepFor/time.Second) + spare},
		{"one a minute", 1000, time.Minute, KeepEnded, KeepEnded + spare},
		{"all at once", mostEnded, 0, mostEnded, mostEnded},
		{"more than are kept", 2 * mostEnded, 0, mostEnded, mostEnded + spare},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := New(time.UTC)
			for i := range tt.orders {
				at := day.Add(time.Duration(i) * tt.every)
				e := b.Add(order.Order{Ref: fmt.Sprint(i), OrderID: int64(i + 1), PermID: int64(i + 9), Symbol: "X", State: order.Sent}, at)
				e.State, e.Updated = order.Filled, at
				b.Place(e)
				b.keep(order.Fill{ExecID: fmt.Sprint(i)})
			}
			var s event.Desk
			b.State(&s)
			for _, n := range []int{len(b.ended), len(b.ByRef), len(b.byID), len(b.byPerm)} {
				if n < tt.least || n > tt.most {
					t.Errorf("%d orders are kept, want %d to %d", n, tt.least, tt.most)
				}
			}
			if len(s.Orders) != KeepEnded || s.Orders[KeepEnded-1].Ref != fmt.Sprint(tt.orders-1) || len(s.Fills) != KeepEnded || len(b.Live["X"]) != 0 {
				t.Errorf("%d orders and %d fills are shown, %d are live", len(s.Orders), len(s.Fills), len(b.Live["X"]))
			}
		})
	}
}

// TestABurstIsForgottenWhenItIsOver: none has to end for that.
func TestABurstIsForgottenWhenItIsOver(t *testing.T) {
	b := New(time.UTC)
	for i := range mostEnded {
		e := b.Add(order.Order{Ref: fmt.Sprint(i), Symbol: "X", State: order.Sent}, day)
		e.State, e.Updated = order.Filled, day
		b.Place(e)
	}
	judge := func(after time.Duration) int {
		b.Judge(&Turn{Wall: day.Add(after), Market: day.Add(after)}, time.Second)
		return len(b.ended)
	}
	if n := judge(keepFor); n != mostEnded {
		t.Errorf("%d orders are kept of %d that just ended", n, mostEnded)
	}
	if n := judge(keepFor + time.Second); n < KeepEnded || n > KeepEnded+spare || len(b.ByRef) != n {
		t.Errorf("%d orders are kept when the burst is over, %d by reference", n, len(b.ByRef))
	}
	if b.ByRef[fmt.Sprint(mostEnded-1)] == nil || b.ByRef["0"] != nil {
		t.Error("the newest are not those that are kept")
	}
}

// TestARestartForgetsTheOldestByTheirEnd: a stop that rested for a day and ended just
// before is the oldest by its making, and its execution may be under way.
func TestARestartForgetsTheOldestByTheirEnd(t *testing.T) {
	b, last := New(time.UTC), day.Add(24*time.Hour)
	past := broker.Books{Orders: []order.Order{{Ref: "stop", Symbol: "X", State: order.Filled, Created: day, Updated: last}}}
	for i := range KeepEnded - 1 {
		at := day.Add(time.Duration(i) * time.Minute)
		past.Orders = append(past.Orders, order.Order{Ref: fmt.Sprint(i), Symbol: "X", State: order.Filled, Created: at, Updated: at})
	}
	b.Load(past, last)
	for i := range 2 * spare {
		e := b.Add(order.Order{Ref: fmt.Sprint("new", i), Symbol: "X", State: order.Sent}, last)
		e.State, e.Updated = order.Filled, last
		b.Place(e)
	}
	if b.ByRef["0"] != nil || b.ByRef["stop"] == nil {
		t.Errorf("the oldest is there: %v; the stop that ended a moment ago is there: %v", b.ByRef["0"] != nil, b.ByRef["stop"] != nil)
	}
}

func TestARingForgetsTheOldest(t *testing.T) {
	r := NewRing[int, int](3)
	for i := range 10 {
		r.Put(i, i)
		r.Put(i, i)
	}
	if diff := cmp.Diff(map[int]int{7: 7, 8: 8, 9: 9}, r.m); diff != "" {
		t.Error(diff)
	}
}
