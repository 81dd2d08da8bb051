package exchange

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func (w *world) price() market.Price {
	return market.MustPrice("0.01").Times(rapid.Int64Range(80, 120).Draw(w.t, "price"))
}

func (w *world) level() tape.Level {
	if rapid.IntRange(0, 9).Draw(w.t, "gone") == 0 {
		return tape.Level{}
	}
	return tape.Level{Price: w.price(), Size: market.Shares(rapid.Int64Range(1, 300).Draw(w.t, "size")), Known: true}
}

// event makes an event, and remembers a trade that may set stops off.
func (w *world) event(symbol market.Symbol) {
	ev := tape.Event{At: w.now, Symbol: symbol, Kind: tape.Quote}
	if rapid.Bool().Draw(w.t, "trade") {
		ev.Kind, ev.Price, ev.Size = tape.Trade, w.price(), market.Shares(rapid.Int64Range(1, 300).Draw(w.t, "size"))
		ev.Suspicious = rapid.IntRange(0, 9).Draw(w.t, "suspicious") == 0
	} else {
		ev.Bid, ev.Ask = w.level(), w.level()
	}
	if ev.Kind == tape.Trade && !ev.Suspicious && !w.halted[symbol] && w.phaseOf(symbol, w.now) != shut {
		w.do(idle(w.now)) // what is due is judged by the trade before
		w.good[symbol] = ev.Price.Ptr()
	}
	began := len(w.told)
	now := w.now
	w.do(func(x *Exchange) []Report { return x.Apply(now, ev) })
	w.judgeQueue(w.told[began:])
	if !w.partial && !ev.Suspicious && !w.halted[symbol] {
		w.judgeMissed(&ev)
	}
}

// judgeMissed demands that an event filled all that were there and that it
// reached.
func (w *world) judgeMissed(ev *tape.Event) {
	for _, o := range w.x.open {
		if q := w.queued[o.PermID]; q == nil || o.place != inBook || o.Symbol != ev.Symbol || o.seq != q.seq {
			continue
		}
		to := ev.Bid
		switch {
		case ev.Kind == tape.Trade:
			to = tape.Level{Price: ev.Price, Known: true}
		case o.Side == order.Buy:
			to = ev.Ask
		}
		if to.Known && (o.Limit == nil || o.Side == order.Buy && !o.Limit.Less(to.Price) || o.Side == order.Sell && !to.Price.Less(*o.Limit)) {
			w.t.Fatalf("order %d: %s at %v was there, and %v did not fill it", o.PermID, o.Side, o.Limit, to.Price)
		}
	}
}

// idle is a step that only moves time.
func idle(now time.Time) func(*Exchange) []Report {
	return func(x *Exchange) []Report { return x.Advance(now) }
}

func (w *world) request(symbol market.Symbol) Request {
	t := w.t
	pick := func(name string, n int) bool { return rapid.IntRange(1, n).Draw(t, name) == 1 }
	r := Request{
		Account: rapid.SampledFrom(w.x.Accounts()).Draw(t, "account"), Symbol: symbol,
		Side: rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"),
		Qty:  market.Shares(rapid.Int64Range(1, 500).Draw(t, "qty")),
		Type: rapid.SampledFrom([]order.Type{
			order.Market, order.Limit, order.Limit, order.Limit, order.Stop, order.StopLimit, order.Trail, order.TrailLimit,
			order.MarketOnClose, order.LimitOnClose, order.MarketIfTouched, order.LimitIfTouched,
		}).Draw(t, "type"),
		TIF: rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.GTC, order.IOC, order.FOK, order.OPG}).Draw(t, "tif"),
	}
	if onClose(r.Type) {
		r.TIF = order.Day
	}
	n, _ := needsOf(r.Type)
	if n.limit {
		r.Limit = w.price().Ptr()
	}
	if n.stop {
		r.Stop = w.price().Ptr()
	}
	if n.trail {
		r.TrailAmount = market.MustPrice("0.03").Ptr()
		if pick("percent", 2) {
			r.TrailAmount, r.TrailPercent = nil, market.MustPercent("4.5").Ptr()
		}
		if pick("from", 3) {
			r.TrailStop = w.price().Ptr()
		}
	}
	if n.offset {
		r.LimitOffset = market.MustPrice("0.02").Ptr()
	}
	r.OutsideRTH, r.AllOrNone = pick("outside", 2), pick("aon", 6)
	if pick("min", 6) {
		r.MinQty = r.Qty.Floor(market.Shares(2))
	}
	if pick("till", 8) && r.TIF == order.GTC {
		r.TIF, r.GoodTill = order.GTD, w.now.Add(90*time.Minute)
	}
	if pick("after", 8) {
		r.GoodAfter = w.now.Add(time.Hour)
	}
	if pick("group", 4) {
		r.OCAGroup = rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group name")
		r.OCAType = map[string]OCAType{"g": CancelBlock, "h": ReduceBlock}[r.OCAGroup]
	}
	if open := w.x.Open(); pick("child", 4) && len(open) > 0 {
		parent := rapid.SampledFrom(open).Draw(t, "parent")
		r.Parent, r.Account, r.Symbol = parent.PermID, parent.Account, parent.Symbol
	}
	r.Hold = pick("hold", 6)
	return r
}

func (w *world) step() {
	t, now := w.t, w.now
	symbol := rapid.SampledFrom(worldSymbols).Draw(t, "symbol")
	open := w.x.Open()
	switch n := rapid.IntRange(0, 24).Draw(t, "step"); {
	case n < 11:
		w.event(symbol)
	case n < 20:
		r := w.request(symbol)
		w.do(func(x *Exchange) []Report { return x.Place(now, r) })
	case n == 20 && len(open) > 0:
		id := rapid.SampledFrom(open).Draw(t, "cancel").PermID
		w.do(func(x *Exchange) []Report { got, _ := x.Cancel(now, id); return got })
	case n < 23 && len(open) > 0:
		o := rapid.SampledFrom(open).Draw(t, "modify")
		r := w.request(o.Symbol)
		r.Account, r.Side, r.Parent = o.Account, o.Side, 0
		if rapid.Bool().Draw(t, "same terms") {
			r.Type, r.TIF, r.Limit, r.Terms = o.Type, o.TIF, o.Limit, o.Terms
		}
		w.orders[o.PermID].most = nil
		w.do(func(x *Exchange) []Report { got, _ := x.Modify(now, o.PermID, r); return got })
	case n == 23:
		on := rapid.Bool().Draw(t, "halt")
		w.do(idle(w.now))
		w.halted[symbol], w.good[symbol] = on, nil
		w.do(func(x *Exchange) []Report { return x.Halt(now, symbol, on) })
	default:
		account := rapid.SampledFrom(w.x.Accounts()).Draw(t, "all of")
		w.do(func(x *Exchange) []Report {
			return x.CancelAll(now, func(o Order) bool { return o.Account == account })
		})
	}
}

// TestAnyLife plays random orders, changes and markets over three days, and
// then all of it again.
func TestAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			// One thing due at a time, so that what a bystander knows is enough.
			for range rapid.IntRange(0, 30).Draw(t, "minutes") {
				w.now = w.now.Add(time.Minute)
				w.do(idle(w.now))
			}
			w.step()
		}
		again := w.exchange(w.x.cfg)
		var told []Report
		for _, step := range w.steps {
			told = append(told, step(again)...)
		}
		if d := cmp.Diff(w.told, told, exact); d != "" {
			t.Fatalf("the same steps tell something else: %s", d)
		}
	})
}
