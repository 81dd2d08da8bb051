package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/score"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
	"robotrader/services/event"
)

// guarded is a served desk behind the real gate, with an equity of a million.
func guarded(t *testing.T, change ...func(*risk.Config)) *rig {
	t.Helper()
	cfg := risk.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	gate, err := risk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(r *rig, _ *Config) { r.session.values[0].Value = "1000000" })
	r.desk.gate = gate
	r.serve()
	r.climb(t)
	return r
}

// TestEightTasksBuyOnce: eight tasks looked at one time whether a symbol was
// held, found that it was not, and bought: 712 orders for five million in two
// hours.
func TestEightTasksBuyOnce(t *testing.T) {
	const tasks, each = 8, 89
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t)
		defer r.stop(t)
		allowed := map[string]int{}
		var mu sync.Mutex
		all := func(what string, intent func(task, n int) order.Intent) {
			var wg sync.WaitGroup
			for task := range tasks {
				wg.Go(func() {
					for n := range each {
						in := intent(task, n)
						in.ID = fmt.Sprintf("%s-%d-%d", what, task, n)
						if r.ask(in).Result == event.Written {
							mu.Lock()
							allowed[what]++
							mu.Unlock()
						}
					}
				})
			}
			wg.Wait()
		}
		all("same", func(int, int) order.Intent { return buy("") })
		all("sizes", func(_, n int) order.Intent {
			in := buy("")
			in.Qty = market.Shares(int64(1 + n))
			return in
		})
		if allowed["same"] != 1 || allowed["sizes"] != 0 || len(r.session.placed) != 1 {
			t.Errorf("one strategy: %v entries of %d pass", allowed, 2*tasks*each)
		}
		// Each under a name of its own: the position's limit holds them all.
		all("names", func(task, n int) order.Intent {
			in := buy("")
			in.Strategy = fmt.Sprint("task-", task, "-", n)
			return in
		})
		var worth market.Money
		for _, p := range r.session.placed {
			worth = worth.Add(market.MustPrice("187.25").Mul(p.Intent.Qty))
		}
		if most := risk.DefaultConfig().MaxPositionNotional; most.Less(worth) || worth.Less(market.MustMoney("48000")) {
			t.Errorf("%d orders for %v went out", len(r.session.placed), worth)
		}
	})
}

// A loss makes the mode reduce_only, durably, when the venue tells it, and ends
// what works and could add to it; nobody needs to ask for an entry. A number
// that is not known does not.
func TestALossLatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t)
		r.session.held = nil
		value := func(v string) broker.AccountValue {
			return broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: v, Currency: "USD"}
		}
		r.send(value("998000.01"))
		resting := buy("a")
		resting.Type, resting.Limit = order.Limit, market.MustPrice("187").Ptr()
		if reply := r.ask(resting); reply.Result != event.Written {
			t.Fatalf("below the limit: %+v", reply)
		}
		r.send(status(151, order.WorkingNow), value("998000"))
		if m := r.desk.mode.Load(); m.Mode != broker.ReduceOnly || !strings.Contains(m.Reason, "risk rule daily_loss: the equity fell by 2000 today") {
			t.Fatalf("mode %+v", m)
		}
		if last := lastMode(r); last == nil || last.Mode != broker.ReduceOnly {
			t.Fatalf("the mode is not stored: %+v", last)
		}
		if got := r.sent(); len(got) != 1 || got[0] != 151 {
			t.Errorf("cancelled %v, want the entry that rests", got)
		}
		r.send(status(151, order.CancelDone), value("1000000")) // it came back, but nobody has looked yet
		if reply := r.ask(buy("c")); reply.Rule != risk.RuleMode || !strings.Contains(reply.Reason, "daily_loss") {
			t.Errorf("afterwards: %+v", reply)
		}
		if _, err := r.desk.SetMode(context.Background(), broker.Active, "looked at it"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // the quote is still fresh
		if reply := r.ask(buy("d")); reply.Result != event.Written {
			t.Errorf("resumed: %+v", reply)
		}
		r.stop(t)
	})
}

// TestALossLatchesAgain: a person resumes and the loss is still there.
func TestALossLatchesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t)
		r.session.held = nil
		r.send(broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: "998000", Currency: "USD"})
		if _, err := r.desk.SetMode(context.Background(), broker.Active, "hopes"); err != nil {
			t.Fatal(err)
		}
		if reply := r.ask(buy("b")); reply.Result != event.Refused || reply.Rule != risk.RuleDailyLoss {
			t.Fatalf("at the limit: %+v", reply)
		}
		if m := r.desk.mode.Load(); m.Mode != broker.ReduceOnly {
			t.Errorf("mode %+v", m)
		}
		r.stop(t)
		if saw := r.journal.intents["b"].Decision.Saw.Map(); saw["day_loss"] != "2000" || saw["day_start_equity"] != "1000000" || saw["equity"] != "998000" {
			t.Errorf("the numbers are not stored: %v", saw)
		}
	})
}

func TestAnUnknownEquityLatchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t)
		defer r.stop(t)
		r.desk.score = score.New(time.UTC)
		if reply := r.ask(buy("a")); reply.Rule != risk.RuleEquity {
			t.Errorf("reply %+v", reply)
		}
		if m := r.desk.mode.Load().Mode; m != broker.Active {
			t.Errorf("mode %s", m)
		}
	})
}

func TestWhatTheViewLooksBackUpon(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(executed(151, "a", "e1", "10"), cost("e1"))
		r.tick("AAPL", "187")
		r.tick("AAPL", "188")
		synctest.Wait()
		r.ask(buy("b"))
		v := r.views[1]
		if v.Twin.ID != "a" || v.Twin.At.IsZero() || !v.LastExit.IsZero() {
			t.Errorf("twin %+v, exit %v", v.Twin, v.LastExit)
		}
		if middle, ok := v.Trades.Median(); !ok || middle != market.MustPrice("187.25") {
			t.Errorf("median %v, %v", middle, ok)
		}
		if v.Others == nil || !v.Others.IsZero() || v.Standing.Equity == nil || *v.Standing.Equity != market.MustMoney("1000") || v.ModeReason == "" {
			t.Errorf("view %+v", v)
		}
		sell := executed(0, "", "e2", "10")
		sell.Fill.Side, sell.Fill.Price, sell.Fill.At = order.Sell, market.MustPrice("186.25"), day.Add(time.Second)
		r.send(sell, cost("e2"))
		r.ask(buy("c"))
		if v := r.views[2]; !v.LastExit.Equal(day.Add(time.Second)) || v.Standing.Realized != market.MustMoney("-12") || v.Standing.LosingStreak != 1 {
			t.Errorf("after the exit: %v, %+v", v.LastExit, v.Standing)
		}
		other := buy("d")
		other.Qty = market.Shares(11)
		r.ask(other)
		if v := r.views[3]; v.Twin.ID != "" {
			t.Errorf("another quantity is no twin: %+v", v.Twin)
		}
	})
}

// What only reduces, what the desk asks itself, and what was never written
// leave the budget of entries alone.
func TestSafetyDoesNotUseUpTheBudget(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.verdict.Saw = order.SawOf("reduction", "true")
		r.ask(buy("a"))
		r.verdict.Saw = order.Saw{}
		if err := r.desk.take(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.desk.handle(context.Background(), buy("b"), true)
		r.desk.give()
		r.session.placing = func(broker.Ticket) error { return errors.Join(broker.ErrNotWritten) }
		r.ask(buy("c"))
		r.session.placing = nil
		r.ask(buy("d"))
		v := r.views[3]
		if len(v.Sent) != 0 || !v.SentNotional.IsZero() || v.Twin.ID != "" {
			t.Errorf("sent %d, notional %v, twin %+v", len(v.Sent), v.SentNotional, v.Twin)
		}
		if v := r.views[1]; !v.Own {
			t.Error("the desk's own question does not say so")
		}
	})
}

// BenchmarkSense takes the view of a desk that holds twenty symbols, each with
// an open order, after a busy day.
func BenchmarkSense(b *testing.B) {
	b.ReportAllocs()
	d := newDesk(DefaultConfig(), gateFunc(func(broker.View, order.Intent) order.Decision { return order.Decision{} }), &memJournal{trace: &trace{}}, &recorder{trace: &trace{}}, quiet)
	d.books.Account, d.books.Positions = "DU1", map[market.Symbol]order.Position{}
	d.floor.Set(day, 1, true, time.Now())
	h := &held{facts: broker.Facts{Account: "DU1", ClientID: 1}}
	for n := range 20 {
		s := market.Symbol(fmt.Sprint("S", n))
		d.floor.Apply([]market.Tick{{Symbol: s, Kind: market.TickTrade, Known: true, Price: market.MustPrice("100"), At: day}}, 1, time.Now())
		d.books.Positions[s] = order.Position{Symbol: s, Qty: market.Shares(10)}
		d.books.Add(order.Order{Ref: string(s), OrderID: int64(n + 1), ClientID: 1, Account: "DU1", Symbol: s, Side: order.Sell, Qty: market.Shares(10), State: order.Working, OCA: "g"}, day)
	}
	for n := range 250 {
		for i, side := range []order.Side{order.Buy, order.Sell} {
			f := executed(int64(1000+n), "", fmt.Sprintf("%v%d", side, n), "1").Fill
			f.Side, f.Price, f.Commission = side, market.MustPrice(fmt.Sprint(100-i)), market.MustMoney("1").Ptr()
			f.At = day.Add(time.Duration(n+1000*i) * time.Minute)
			d.fold(h, []broker.Event{broker.ExecutionReport{Fill: f}})
		}
	}
	in := buy("a")
	in.Symbol = "S0"
	for b.Loop() {
		if v := d.sense(h, in); v.Others == nil {
			b.Fatal(v.OthersNote)
		}
	}
}
