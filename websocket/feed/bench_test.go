package feed

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

type nobody struct{ bytes int }

func (n *nobody) Broadcast(msg []byte) { n.bytes += len(msg) }

// day fills a feed as a day of trading two symbols does.
func day(f *Feed) {
	scene(f)
	for i := range 500 {
		at := noon.Add(time.Duration(i) * time.Minute)
		f.onOrder(msg(order.Order{Ref: fmt.Sprint("sma-", i), OrderID: int64(i), Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(100), Created: at, Updated: at}))
		f.onFill(msg(order.Fill{ExecID: fmt.Sprint("0000.", i), Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(100), Price: market.MustPrice("187.25"), At: at}))
		for _, sym := range []market.Symbol{"AAPL", "MSFT"} {
			p := market.MustPrice("187.25")
			f.onBar(msg(event.BarUpdate{Symbol: sym, Width: time.Minute, Bar: market.Bar{Start: at, Open: p, High: p, Low: p, Close: p, Volume: market.Shares(1000), Trades: 9}}))
		}
	}
}

func BenchmarkTell(b *testing.B) {
	bench := func(name string, one func(f *Feed, i int)) {
		b.Run(name, func(b *testing.B) {
			out := &nobody{}
			f := New(DefaultConfig(), out, silent)
			day(f)
			out.bytes = 0
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				one(f, i)
			}
			b.ReportMetric(float64(out.bytes)/float64(i), "bytes/msg")
		})
	}
	bench("quote", func(f *Feed, _ int) { f.tell("quote", f.snap.Quotes["AAPL"]) })
	newest := noon.Add(499 * time.Minute)
	bench("bar", func(f *Feed, i int) {
		f.onBar(msg(event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: market.Bar{Start: newest, Trades: i}}))
	})
	bench("order", func(f *Feed, i int) { f.onOrder(msg(order.Order{Ref: "sma-499", OrderID: int64(i)})) })
	bench("account", func(f *Feed, _ int) { f.tell("account", f.snap.Account) })
	bench("beat", func(f *Feed, _ int) { f.tell("beat", nil) })
}

// BenchmarkTicks is what one message of two ticks costs before it is told.
func BenchmarkTicks(b *testing.B) {
	f := New(DefaultConfig(), &nobody{}, silent)
	m := msg(event.Ticks{Symbol: "AAPL", Ticks: []event.TickData{bidTick("187.24"), bidTick("187.25")}})
	b.ReportAllocs()
	for b.Loop() {
		f.onTicks(m)
	}
}

// BenchmarkSnapshot is what one join costs after a day: 200 orders, 500 fills,
// 1,000 bars.
func BenchmarkSnapshot(b *testing.B) {
	f := New(DefaultConfig(), &nobody{}, silent)
	day(f)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		raw, err := f.snapshot()
		if err != nil {
			b.Fatal(err)
		}
		size = len(raw)
	}
	b.ReportMetric(float64(size), "bytes/msg")
}
