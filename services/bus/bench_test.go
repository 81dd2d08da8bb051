package bus

import (
	"context"
	"slices"
	"testing"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// cadence is how often the must-reach benchmark has a tick. A machine that
// slept in between is slower than one that is kept busy.
const cadence = 30 * time.Millisecond

// each measures do n times, a pause before each, and reports the median.
func each(b *testing.B, pause time.Duration, do func()) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	ticker := time.NewTicker(max(pause, 1))
	defer ticker.Stop()
	for b.Loop() {
		if pause > 0 {
			<-ticker.C
		}
		began := time.Now()
		do()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "µs/median")
	b.ReportMetric(float64(took[len(took)*9/10].Nanoseconds())/1000, "µs/p90")
}

func paces(b *testing.B, do func()) {
	b.Run("back_to_back", func(b *testing.B) { each(b, 0, do) })
	b.Run("30ms", func(b *testing.B) { each(b, cadence, do) })
}

// BenchmarkHop is a tick from Publish to its subscriber's handler, decoding
// included.
func BenchmarkHop(b *testing.B) {
	s := start(b)
	desk, run := connect(b, s, "desk"), connect(b, s, "run")
	got := make(chan struct{}, 1)
	if _, err := SubscribeAll(run, "desk", Keep, func(_ string, raw []byte) {
		if _, err := Decode[event.Ticks](raw); err != nil {
			b.Error(err)
		}
		got <- struct{}{}
	}); err != nil {
		b.Fatal(err)
	}
	price, qty := market.MustPrice("187.25"), market.Shares(100)
	paces(b, func() {
		tick := event.Ticks{Symbol: "AAPL", Frames: 1, Ticks: []event.TickData{{Kind: "trade", Price: &price, Size: &qty, At: time.Now()}}}
		if err := Publish(desk, event.Tick, tick, "AAPL"); err != nil {
			b.Fatal(err)
		}
		<-got
	})
}

// BenchmarkAsk is an order request and its answer.
func BenchmarkAsk(b *testing.B) {
	s := start(b)
	desk, run := connect(b, s, "desk"), connect(b, s, "run")
	if _, err := Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		return event.OrderReply{IntentID: in.ID, Result: event.Written, OrderID: 1}
	}); err != nil {
		b.Fatal(err)
	}
	in := order.Intent{ID: "b-1", Action: order.Place, Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day, Qty: market.Shares(1)}
	paces(b, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := Ask(ctx, run, event.OrderRequest, in); err != nil {
			b.Fatal(err)
		}
	})
}
