package exchange

import (
	"fmt"
	"testing"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// crowd is an exchange in which n orders of all kinds wait, none of them within
// a dollar of 187.25. Of n below 0 none is in AAPL.
func crowd(t testing.TB, n int) *Exchange {
	x := newExchange(t, nil, "AAPL", "IBM")
	x.Apply(noon, quote("187.24", "187.26"))
	x.Apply(noon, print("187.25"))
	for i := range n {
		away := market.MustPrice("0.01").Times(int64(100 + i))
		below, above := market.MustPrice("187").Sub(away), market.MustPrice("188").Add(away)
		r := Request{Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(1), TIF: order.GTC}
		switch i % 5 {
		case 0:
			r.Type, r.Limit = order.Limit, &below
		case 1:
			r.Type, r.Limit, r.Side = order.Limit, &above, order.Sell
		case 2:
			r.Type, r.Stop = order.Stop, &above
		case 3:
			r.Type, r.Stop, r.Side = order.Stop, &below, order.Sell
		case 4:
			r.Type, r.TrailAmount, r.Side = order.Trail, &away, order.Sell
		}
		if got := x.Place(noon, r); len(got) != 2 {
			t.Fatalf("order %d: %s", i, say(got))
		}
	}
	return x
}

// quiet are events that touch no order of a crowd.
func quiet() []tape.Event {
	return []tape.Event{quote("187.23", "187.25"), print("187.24"), quote("187.24", "187.26"), print("187.25")}
}

func TestAnEventThatTouchesNothingAllocatesNothing(t *testing.T) {
	x := crowd(t, 1000)
	for _, ev := range quiet() {
		if n := testing.AllocsPerRun(100, func() { x.Apply(noon, ev) }); n != 0 {
			t.Errorf("%v: %v allocations", ev.Kind, n)
		}
	}
	if n := len(x.Open()); n != 1000 {
		t.Errorf("%d orders are left", n)
	}
}

func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{0, 1000, MaxOpen - 1} {
		b.Run(fmt.Sprintf("quiet/%d", n), func(b *testing.B) {
			x := crowd(b, n)
			events := quiet()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				x.Apply(noon, events[i%len(events)])
			}
		})
	}
	// The market rises: every trade moves the stops of 200 orders that trail.
	b.Run("trailing/1000", func(b *testing.B) {
		x := crowd(b, 1000)
		tick, price := market.MustPrice("0.00000001"), market.MustPrice("187.25")
		ev := print("187.25")
		b.ReportAllocs()
		for b.Loop() {
			price = price.Add(tick)
			ev.Price = price
			x.Apply(noon, ev)
		}
	})
}

// An order arrives among 1,000 others and fills at once, or rests and is
// cancelled.
func BenchmarkPlaceInCrowd(b *testing.B) {
	b.Run("fills/1000", func(b *testing.B) {
		x := crowd(b, 1000)
		buy, sell := want("BUY 1 MKT"), want("SELL 1 MKT")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%2 == 0 {
				x.Place(noon, buy)
			} else {
				x.Place(noon, sell)
			}
			if len(x.fills) > MaxFills/2 {
				x.fills = x.fills[:0]
			}
		}
	})
	b.Run("rests/1000", func(b *testing.B) {
		x := crowd(b, 1000)
		r := want("BUY 1 LMT 186.5")
		b.ReportAllocs()
		for b.Loop() {
			id := x.Place(noon, r)[0].About().PermID
			x.Cancel(noon, id)
		}
	})
}
