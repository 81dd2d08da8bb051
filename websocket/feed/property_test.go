package feed

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var silent = slog.New(slog.DiscardHandler)

// noon is a market time; what is drawn lies seconds around it.
var noon = time.Date(2026, 1, 5, 17, 0, 0, 0, time.UTC)

var (
	symbols = rapid.SampledFrom([]market.Symbol{"AAPL", "MSFT", "BRK.B"})
	times   = rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "s")) * time.Second)
	})
	prices = rapid.Custom(func(t *rapid.T) market.Price {
		return market.MustPrice(fmt.Sprintf("%d.%02d", rapid.IntRange(-1, 3).Draw(t, "units"), rapid.IntRange(0, 99).Draw(t, "cents")))
	})
	maybePrices = rapid.Ptr(prices, true)
	qtys        = rapid.Custom(func(t *rapid.T) market.Qty { return market.Shares(int64(rapid.IntRange(-3, 3).Draw(t, "shares"))) })
	moneys      = rapid.Custom(func(t *rapid.T) market.Money {
		return market.MustMoney(fmt.Sprint(rapid.IntRange(-3, 3).Draw(t, "money")))
	})
	words = rapid.SampledFrom([]string{"", "a", "b", "<c> & \"d\""})
	refs  = rapid.SampledFrom([]string{"", "r1", "r2", "r3"})

	links = rapid.Custom(func(t *rapid.T) broker.Link {
		return broker.Link{
			State: broker.LinkState(rapid.IntRange(0, int(broker.Stopped)).Draw(t, "state")), Cause: words.Draw(t, "cause"), Since: times.Draw(t, "since"),
			Rungs: rapid.SliceOfN(rapid.Map(words, func(s string) broker.Rung { return broker.Rung{Name: s, OK: true, AtMS: 0.5} }), 0, 2).Draw(t, "rungs"),
		}
	})
	orders = rapid.Custom(func(t *rapid.T) order.Order {
		return order.Order{
			Ref: refs.Draw(t, "ref"), OrderID: int64(rapid.IntRange(0, 1).Draw(t, "id")), PermID: int64(rapid.IntRange(0, 1).Draw(t, "perm")),
			Symbol: symbols.Draw(t, "symbol"), Qty: qtys.Draw(t, "qty"), Limit: maybePrices.Draw(t, "limit"), Created: times.Draw(t, "created"),
			State: order.State(rapid.IntRange(0, 5).Draw(t, "state")), Note: words.Draw(t, "note"),
		}
	})
	fills = rapid.Custom(func(t *rapid.T) order.Fill {
		return order.Fill{
			ExecID: refs.Draw(t, "exec"), Symbol: symbols.Draw(t, "symbol"), Qty: qtys.Draw(t, "qty"), Price: prices.Draw(t, "price"),
			At: times.Draw(t, "at"), Commission: rapid.Ptr(moneys, true).Draw(t, "commission"),
		}
	})
	positions = rapid.Custom(func(t *rapid.T) order.Position {
		return order.Position{Account: refs.Draw(t, "account"), Symbol: symbols.Draw(t, "symbol"), Qty: qtys.Draw(t, "qty"), AvgCost: maybePrices.Draw(t, "cost")}
	})
	values = rapid.Custom(func(t *rapid.T) broker.AccountValue {
		return broker.AccountValue{Account: "DU1", Key: refs.Draw(t, "key"), Value: words.Draw(t, "value"), Currency: "USD"}
	})
	findings = rapid.Custom(func(t *rapid.T) broker.Finding {
		return broker.Finding{Kind: words.Draw(t, "kind"), Symbol: symbols.Draw(t, "symbol"), Explained: rapid.Bool().Draw(t, "explained"), At: times.Draw(t, "at")}
	})
	guards = rapid.Custom(func(t *rapid.T) event.GuardState {
		return event.GuardState{Symbol: symbols.Draw(t, "symbol"), Covered: rapid.Bool().Draw(t, "covered"), StopPrice: maybePrices.Draw(t, "stop")}
	})
	modes = rapid.Custom(func(t *rapid.T) event.ModeChange {
		return event.ModeChange{Mode: broker.Halted, Reason: words.Draw(t, "reason"), Since: times.Draw(t, "since")}
	})
	states = rapid.Custom(func(t *rapid.T) event.DataState {
		return event.DataState{Symbol: symbols.Draw(t, "symbol"), State: words.Draw(t, "state"), Since: times.Draw(t, "since")}
	})
	healths = rapid.Custom(func(t *rapid.T) event.HealthState {
		h := event.HealthState{Account: broker.Part{State: words.Draw(t, "stream")}}
		if rapid.Bool().Draw(t, "session") {
			h.Session = &broker.Health{Missed: rapid.IntRange(0, 2).Draw(t, "missed"), Farms: []broker.Part{{State: words.Draw(t, "farm")}}}
		}
		return h
	})
	bars = rapid.Custom(func(t *rapid.T) market.Bar {
		p := prices.Draw(t, "price")
		return market.Bar{Start: times.Draw(t, "start").Truncate(time.Minute), Open: p, High: p, Low: p, Close: p, Trades: rapid.IntRange(0, 2).Draw(t, "trades")}
	})
	strategies = rapid.Custom(func(t *rapid.T) event.StrategyState {
		return event.StrategyState{Name: words.Draw(t, "name"), Symbol: symbols.Draw(t, "symbol"), State: words.Draw(t, "state"), Market: times.Draw(t, "at")}
	})
	portfolios = rapid.Custom(func(t *rapid.T) event.PortfolioState {
		p := event.PortfolioState{Equity: rapid.Ptr(moneys, true).Draw(t, "equity"), Realized: moneys.Draw(t, "realized")}
		if rapid.Bool().Draw(t, "dated") {
			p.Market = times.Draw(t, "market")
		}
		return p
	})
	ticks = rapid.Custom(func(t *rapid.T) event.TickData {
		return event.TickData{
			Kind:  rapid.SampledFrom([]string{"bid", "ask", "trade", "volume", "high", "halted", "novelty"}).Draw(t, "kind"),
			Price: maybePrices.Draw(t, "price"), Size: rapid.Ptr(qtys, true).Draw(t, "size"), At: times.Draw(t, "at"), Delayed: rapid.Bool().Draw(t, "delayed"),
		}
	})
	desks = rapid.Custom(func(t *rapid.T) event.Desk {
		d := event.Desk{
			Mode: modes.Draw(t, "mode"), ReadOnly: rapid.Bool().Draw(t, "read only"), Account: refs.Draw(t, "account"),
			Orders: rapid.SliceOfN(orders, 0, 4).Draw(t, "orders"), Fills: rapid.SliceOfN(fills, 0, 4).Draw(t, "fills"),
			Values: rapid.SliceOfN(values, 0, 3).Draw(t, "values"), Data: rapid.SliceOfN(states, 0, 3).Draw(t, "data"),
			Health: healths.Draw(t, "health"),
		}
		if rapid.Bool().Draw(t, "positions known") {
			d.Positions = rapid.SliceOfN(positions, 0, 4).Draw(t, "positions")
			if rapid.Bool().Draw(t, "protected") {
				d.Guards = rapid.SliceOfN(guards, 0, 3).Draw(t, "guards")
			}
		}
		d.Findings = rapid.SliceOfN(findings, 0, 3).Draw(t, "findings")
		return d
	})
	runs = rapid.Custom(func(t *rapid.T) event.Run {
		return event.Run{
			Strategies: rapid.SliceOfN(strategies, 0, 3).Draw(t, "strategies"), Portfolio: portfolios.Draw(t, "portfolio"), Width: time.Minute,
			Bars: rapid.MapOfN(symbols, rapid.SliceOfN(bars, 0, 5), 0, 2).Draw(t, "bars"),
		}
	})
)

func msg[T any](data T) event.Message[T] {
	return event.Message[T]{Pub: "p", Seq: 1, At: noon, Data: data}
}

// steps are all ways in which a feed's state changes.
func steps(t *rapid.T, f *Feed, r *recorder) map[string]func() {
	return map[string]func(){
		"join":     func() { r.join(fresh(t, f)) },
		"quotes":   func() { f.tellQuotes() },
		"beat":     func() { f.tell("beat", nil) },
		"health":   func() { f.onHealth(msg(healths.Draw(t, "health"))) },
		"link":     func() { f.onLink(msg(links.Draw(t, "link"))) },
		"order":    func() { f.onOrder(msg(orders.Draw(t, "order"))) },
		"fill":     func() { f.onFill(msg(fills.Draw(t, "fill"))) },
		"position": func() { f.onPosition(msg(positions.Draw(t, "position"))) },
		"account": func() {
			f.onAccount(msg(event.AccountValues{Account: "DU1", Values: []broker.AccountValue{values.Draw(t, "v")}}))
		},
		"protection": func() {
			f.onProtection(msg(event.Protection{Off: rapid.Bool().Draw(t, "off"), Guards: rapid.SliceOfN(guards, 0, 2).Draw(t, "guards")}))
		},
		"limits": func() {
			f.onLimits(msg(event.LimitState{Currency: words.Draw(t, "currency"), Limits: []broker.LimitUse{{Rule: "daily_loss", Used: rapid.Ptr(moneys, true).Draw(t, "used")}}}))
		},
		"finding": func() { f.onFinding(msg(findings.Draw(t, "finding"))) },
		"mode":    func() { f.onMode(msg(modes.Draw(t, "mode"))) },
		"decision": func() {
			f.onDecision(msg(event.Decided{Decision: order.Decision{Allowed: rapid.Bool().Draw(t, "allowed")}}))
		},
		"data": func() { f.onData(msg(states.Draw(t, "data"))) },
		"bar": func() {
			f.onBar(msg(event.BarUpdate{Symbol: symbols.Draw(t, "s"), Width: time.Minute, Bar: bars.Draw(t, "bar")}))
		},
		"strategy":  func() { f.onStrategy(msg(strategies.Draw(t, "strategy"))) },
		"portfolio": func() { f.onPortfolio(msg(portfolios.Draw(t, "portfolio"))) },
		"notice":    func() { f.onNotice(msg(event.NoticeText{Name: words.Draw(t, "name")})) },
		"alerts": func() {
			f.onAlert(msg(event.AlertState{Sent: []event.AlertSent{{Title: words.Draw(t, "title")}}}))
		},
		"sim": func() { f.onSim(msg(event.SimState{Simulated: true, Source: words.Draw(t, "source")})) },
		"ticks": func() {
			f.onTicks(msg(event.Ticks{Symbol: symbols.Draw(t, "s"), Ticks: rapid.SliceOfN(ticks, 0, 4).Draw(t, "ticks")}))
		},
		"question": func() { f.owners[rapid.IntRange(0, numOwners-1).Draw(t, "who")].told = map[string]struct{}{} },
		"link answers": func() {
			f.setLink(links.Draw(t, "link"))
			f.owners[linkOwner].told = nil
		},
		"desk answers": func() {
			f.setDesk(desks.Draw(t, "desk"))
			f.owners[deskOwner].told = nil
		},
		"run answers": func() {
			f.setRun(runs.Draw(t, "run"))
			f.owners[runOwner].told = nil
		},
	}
}

// Whatever the bus tells, in whatever order, and whenever a client joins: what
// it folds is what a fresh snapshot says.
func TestDeltasAreTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &recorder{}
		f := New(Config{QuotesPerSecond: 20, Version: "test"}, r, silent)
		r.join(fresh(t, f)) // the feed is not started: everything is done on the spot
		all := steps(t, f, r)
		step := rapid.SampledFrom(slices.Sorted(maps.Keys(all)))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			all[step.Draw(t, "step")]()
		}
		f.tellQuotes()
		now := fresh(t, f)
		for i, c := range r.joins {
			if err := c.check(now); err != nil {
				t.Fatalf("client %d of %d: %v", i+1, len(r.joins), err)
			}
		}
		if n := uint64(len(r.all)); n != f.seq {
			t.Fatalf("%d messages, but the number is %d", n, f.seq)
		}
	})
}

// An answer says nothing new to who knows it already.
func TestSameAnswerTwiceTellsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &recorder{}
		f := New(DefaultConfig(), r, silent)
		d, l, run := desks.Draw(t, "desk"), links.Draw(t, "link"), runs.Draw(t, "run")
		// One identity once, as owners answer.
		d.Orders, d.Fills, d.Positions, d.Values, d.Data = first(d.Orders), first(d.Fills), first(d.Positions), first(d.Values), first(d.Data)
		d.Findings = first(d.Findings)
		run.Strategies = first(run.Strategies)
		for s := range run.Bars {
			run.Bars[s] = first(run.Bars[s])
		}
		f.setLink(l)
		f.setDesk(d)
		f.setRun(run)
		before := f.seq
		f.setLink(l)
		f.setDesk(d)
		f.setRun(run)
		if f.seq != before {
			t.Fatalf("%d deltas for what is known: %s", f.seq-before, r.all[before:])
		}
	})
}

func first[T any](l []T) []T { return l[:min(1, len(l))] }
