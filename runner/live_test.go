package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/everytick"
	"robotrader/runner/strategy/smacross"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// live runs fn with a runner over a live venue, in a bubble. What fn tells has
// been folded when settle returns.
func live(t *testing.T, s strategy.Kind, prepare func(*venue, *gatekeeper), fn func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v, g := newVenue(), newGate()
		v.fillLive, v.speed = true, 1
		if prepare != nil {
			prepare(v, g)
		}
		r, out := begin(t, v, g, nil, s)
		defer end(t, r)
		g.open()
		synctest.Wait()
		fn(&rig{t: t, v: v, g: g, r: r, out: out})
	})
}

type rig struct {
	t   *testing.T
	v   *venue
	g   *gatekeeper
	r   *Runner
	out *told
}

func (x *rig) tell(e any) {
	x.v.mu.Lock()
	tell := x.v.tell
	x.v.mu.Unlock()
	tell(e)
	synctest.Wait()
}

// sleep lets fake time pass, and all that it sets off happen.
func (x *rig) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// trade tells a trade, after after the day's start.
func (x *rig) trade(after time.Duration, price string) {
	x.v.mu.Lock()
	x.v.last["AAPL"] = px(price)
	x.v.mu.Unlock()
	x.tell(trade("AAPL", day.Add(after), price, 0))
}

func (x *rig) want(what string, got, want any) {
	x.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		x.t.Errorf("%s:\n%s", what, d)
	}
}

// At 240 times real time a bar lasts a quarter of a second: trades that take
// longer than 2 s / 240 to arrive still belong to it.
func TestFastBarsWaitForTheirTrades(t *testing.T) {
	live(t, (&script{}).kind(), func(v *venue, _ *gatekeeper) { v.speed = 240 }, func(x *rig) {
		x.trade(1*time.Second, "100")
		x.sleep(time.Second) // four minutes of market time
		x.trade(59*time.Second, "101")
		x.want("nothing closed", x.out.closes(), []string(nil))
		x.sleep(3 * time.Second)
		x.want("closed by the clock", x.out.closes(), []string{"13:30 101"})
	})
}

func TestLiveBars(t *testing.T) {
	live(t, (&script{}).kind(), nil, func(x *rig) {
		x.trade(1*time.Second, "100")
		x.trade(59*time.Second, "101")
		x.want("nothing closed", x.out.closes(), []string(nil))
		x.trade(60*time.Second, "102") // closes the first
		x.trade(59*time.Second, "50")  // late: belongs to a closed bar
		x.want("closed by a later trade", x.out.closes(), []string{"13:30 101"})
		x.sleep(61 * time.Second) // the clock stands at 14:32:01: trades may be on their way
		x.want("grace", x.out.closes(), []string{"13:30 101"})
		x.sleep(2 * time.Second)
		x.want("closed by the clock", x.out.closes(), []string{"13:30 101", "13:31 102"})
		x.sleep(10 * time.Minute)
		x.trade(13*time.Minute, "103")
		x.trade(14*time.Minute, "104")
		x.want("minutes without a trade", x.out.closes(), []string{"13:30 101", "13:31 102", "13:43 103"})
		bar := x.out.bars[0].Bar
		if bar.Low != px("100") || bar.High != px("101") || bar.Volume != market.Shares(200) || bar.Trades != 2 {
			t.Errorf("first bar %+v", bar)
		}
	})
}

func TestFormingBarsAndPortfolioAreRateLimited(t *testing.T) {
	live(t, everytick.Kind(), nil, func(x *rig) {
		for i := range 1000 { // 10 s
			x.trade(time.Duration(i)*10*time.Millisecond, fmt.Sprintf("100.%02d", i%100))
			x.sleep(10 * time.Millisecond)
		}
		x.want("orders", len(x.v.intents), 1000)
		if n := x.out.forming; n < 20 || n > 42 {
			t.Errorf("%d forming bars in 10 s", n)
		}
		if n := len(x.out.portfolios); n < 20 || n > 42 {
			t.Errorf("%d portfolios in 10 s", n)
		}
		if n := len(x.out.strategies); n > 14 {
			t.Errorf("%d strategy states in 10 s", n)
		}
	})
}

func TestGateStaysShut(t *testing.T) {
	refused := func(_ *venue, g *gatekeeper) { g.err = errNo }
	live(t, everytick.Kind(), refused, func(x *rig) {
		x.trade(time.Second, "100")
		x.want("orders", len(x.v.intents), 0)
		x.want("state", x.out.state().State, waiting)
		x.g.mu.Lock()
		x.g.err = nil
		x.g.mu.Unlock()
		x.sleep(2 * time.Second)
		x.trade(2*time.Second, "100")
		x.want("orders after", len(x.v.intents), 1)
	})
}

// From the loss on nothing is asked, executions count all the same, and after
// the next ready nothing is counted twice.
func TestLossAndResync(t *testing.T) {
	live(t, everytick.Kind(), nil, func(x *rig) {
		x.trade(1*time.Second, "100")
		x.want("orders", len(x.v.intents), 1)
		x.g.lose()
		x.trade(2*time.Second, "100") // told before the runner's goroutine woke, or after: no matter
		x.want("orders after the loss", len(x.v.intents), 1)
		x.want("state", x.out.state().State, paused)

		missed := order.Fill{ExecID: "missed", Ref: "other", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(5), Price: px("100")}
		told := missed
		told.ExecID = "told"
		x.tell(told)
		x.v.mu.Lock()
		x.v.desk.Fills = append([]order.Fill{missed, told}, x.v.fills...)
		x.v.desk.Positions = []order.Position{{Symbol: "AAPL", Qty: market.Shares(11), AvgCost: px("100").Ptr()}}
		x.v.mu.Unlock()
		x.g.open()
		synctest.Wait()
		x.want("state", x.out.state().State, running)
		p := x.out.ask().Portfolio
		x.want("position", p.Positions[0].Qty.String(), "11") // 1 + 5 + 5
		x.want("cash", p.Cash.String(), "998899")             // 11 × 100 and one commission
		x.want("differs", x.out.noticed("position_differs"), 0)
	})
}

func TestPositionDiffers(t *testing.T) {
	live(t, everytick.Kind(), nil, func(x *rig) {
		x.trade(time.Second, "100")
		x.g.lose()
		synctest.Wait()
		x.v.mu.Lock()
		x.v.desk.Positions = []order.Position{{Symbol: "AAPL", Qty: market.Shares(7), AvgCost: px("90").Ptr()}}
		x.v.mu.Unlock()
		x.g.open()
		synctest.Wait()
		x.want("notices", x.out.noticed("position_differs"), 1)
		x.want("position", x.out.ask().Portfolio.Positions[0].Qty.String(), "7")
	})
}

// A trade that was made elsewhere shows in the desk's position only.
func TestDrift(t *testing.T) {
	live(t, (&script{}).kind(), nil, func(x *rig) {
		x.v.mu.Lock()
		x.v.desk.Positions = []order.Position{{Symbol: "AAPL", Qty: market.Shares(4)}}
		x.v.mu.Unlock()
		x.tell(order.Position{Symbol: "AAPL", Qty: market.Shares(4)})
		x.sleep(4 * time.Second)
		x.want("too early", x.out.noticed("position_differs"), 0)
		x.sleep(20 * time.Second)
		x.want("notices", x.out.noticed("position_differs"), 1)
		x.want("position", x.out.ask().Portfolio.Positions[0].Qty.String(), "4")
	})
}

// What is held beside the traded symbol has no price here: the broker's own
// figure stands in for sizing, and the portfolio shows that it does not know.
func TestEquityOfOtherHoldings(t *testing.T) {
	var equity market.Money
	s := &script{onTick: func(c strategy.Context, _ market.Tick) { equity, _ = c.Equity() }}
	holds := func(v *venue, _ *gatekeeper) {
		v.desk.Positions = []order.Position{{Symbol: "IBM", Qty: market.Shares(4)}}
		v.desk.Values = append(v.desk.Values, broker.AccountValue{Key: "NetLiquidation", Value: "1000800", Currency: "USD"})
	}
	live(t, s.kind(), holds, func(x *rig) {
		x.trade(time.Second, "100")
		x.want("equity", equity.String(), "1000800")
		x.want("shown", x.out.ask().Portfolio.Equity == nil, true)
	})
}

// A gap on the bus is read up from the desk's state.
func TestGapOnTheBus(t *testing.T) {
	live(t, (&script{}).kind(), nil, func(x *rig) {
		x.v.mu.Lock()
		x.v.desk.Fills = []order.Fill{{ExecID: "lost", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(3), Price: px("10")}}
		x.v.desk.Positions = []order.Position{{Symbol: "AAPL", Qty: market.Shares(3), AvgCost: px("10").Ptr()}}
		x.v.mu.Unlock()
		x.tell(Gap{Subject: "trader.main.desk.fill"})
		x.sleep(time.Second)
		p := x.out.ask().Portfolio
		x.want("position", p.Positions[0].Qty.String(), "3")
		x.want("cash", p.Cash.String(), "999970")
	})
}

func pastBars(from time.Time, n int) (bars []market.Bar) {
	for i := range n {
		p := market.MustPrice(fmt.Sprint(100 + i%7))
		bars = append(bars, market.Bar{Start: from.Add(time.Duration(i) * time.Minute), Open: p, High: p, Low: p, Close: p, Volume: market.Shares(1)})
	}
	return bars
}

// The warm-up ends with the last closed bar; the forming one comes from ticks.
func TestWarmUp(t *testing.T) {
	history := func(v *venue, _ *gatekeeper) {
		v.desk.Market = day.Add(30 * time.Second)
		v.bars = pastBars(day.Add(-30*time.Minute), 31) // the last one has not ended
	}
	var past, now []string
	s := &script{need: 20, onBar: func(c strategy.Context, b market.Bar) {
		c.Market(order.Buy, market.Shares(1), "test")
		if c.Warming() {
			past = append(past, b.Start.Format("15:04"))
			return
		}
		now = append(now, b.Start.Format("15:04"))
	}}
	live(t, s.kind(), history, func(x *rig) {
		x.trade(40*time.Second, "100")
		x.trade(60*time.Second, "100")
		x.want("past bars", len(past), 30)
		x.want("newest past bar", past[29], "13:29")
		x.want("live bars", now, []string{"13:30"})
		x.want("orders", len(x.v.intents), 1) // of the live bar
		x.want("kept", len(x.out.ask().Bars["AAPL"]), 31)
	})
}

func TestHistoryFails(t *testing.T) {
	live(t, smacross.Kind(), func(v *venue, _ *gatekeeper) { v.barsErr = errNo }, func(x *rig) {
		x.sleep(time.Second)
		x.want("asked", x.v.histories, historyTries)
		x.want("notices", x.out.noticed("history_failed"), 1)
		x.want("state", x.out.state().State, running)
		x.trade(1*time.Second, "100")
		x.trade(61*time.Second, "100")
		x.sleep(time.Second)
		x.want("detail", x.out.state().Detail, "1 of 21 bars")
	})
}

func TestEmptyHistoryWarmsUpLive(t *testing.T) {
	live(t, smacross.Kind(), nil, func(x *rig) {
		x.want("asked", x.v.histories, 2) // the last hour, then over the weekend
		x.want("notices", len(x.out.notices), 0)
		x.want("state", x.out.state().State, running)
	})
}

// Over an outage each bar comes once: those that closed meanwhile from
// history, the ones that were forming at its begin and its end too, and those
// after it from ticks.
func TestBarsOverAnOutage(t *testing.T) {
	var seen []string
	s := &script{need: 1, onBar: func(c strategy.Context, b market.Bar) {
		seen = append(seen, fmt.Sprint(b.Start.Format("15:04"), " ", b.Close, " ", c.Warming()))
	}}
	live(t, s.kind(), nil, func(x *rig) {
		x.trade(10*time.Second, "200")
		x.trade(70*time.Second, "201") // 13:31 is forming
		x.g.lose()
		x.sleep(4 * time.Minute)
		x.v.mu.Lock()
		x.v.bars = pastBars(day.Add(-time.Minute), 8)
		x.v.desk.Market = day.Add(5*time.Minute + 20*time.Second)
		x.v.mu.Unlock()
		x.trade(5*time.Minute+10*time.Second, "300") // before the gate opens: in no bar
		x.g.open()
		synctest.Wait()
		x.trade(5*time.Minute+30*time.Second, "301")
		x.trade(6*time.Minute, "302")
		x.trade(7*time.Minute+time.Second, "303")
		x.sleep(3 * time.Second) // the bar that was forming is asked for, and held until it comes
		x.want("bars", seen, []string{
			"13:30 200 false", "13:31 102 true", "13:32 103 true", "13:33 104 true", "13:34 105 true", "13:35 106 false", "13:36 302 false",
		})
	})
}

func TestRefusalsAndSilence(t *testing.T) {
	live(t, everytick.Kind(), nil, func(x *rig) {
		x.v.answer = func(in order.Intent) (event.OrderReply, error) {
			return event.OrderReply{IntentID: in.ID, Result: event.Refused, Rule: "session", Reason: "closed"}, nil
		}
		x.trade(1*time.Second, "100")
		x.trade(2*time.Second, "100")
		x.want("outstanding after refusals", x.r.hosts[0].Outstanding(), 0)
		x.sleep(2 * time.Second)
		x.want("detail", x.out.state().Detail, "refused by session: closed")

		x.v.answer = func(order.Intent) (event.OrderReply, error) { return event.OrderReply{}, bus.ErrNobody }
		x.trade(3*time.Second, "100")
		x.want("outstanding when nobody is there", x.r.hosts[0].Outstanding(), 0)

		x.v.answer = func(order.Intent) (event.OrderReply, error) { return event.OrderReply{}, errNo }
		x.v.intents = nil
		x.trade(4*time.Second, "100")
		x.want("outstanding after silence", x.r.hosts[0].Outstanding(), 1)
		x.want("asked twice with one id", len(x.v.intents) == 2 && x.v.intents[0].ID == x.v.intents[1].ID, true)
		x.want("notices", x.out.noticed("order_outcome_unknown"), 1)

		x.tell(order.Order{Ref: x.v.intents[0].ID, Symbol: "AAPL", State: order.Rejected})
		x.want("outstanding after the desk told", x.r.hosts[0].Outstanding(), 0)

		tries := 0
		x.v.answer = func(order.Intent) (event.OrderReply, error) {
			if tries++; tries == 1 {
				return event.OrderReply{}, errNo // it may have been written
			}
			return event.OrderReply{}, bus.ErrNobody
		}
		x.trade(5*time.Second, "100")
		x.want("tries", tries, 2)
		x.want("outstanding when the desk went after silence", x.r.hosts[0].Outstanding(), 1)
		x.want("notices", x.out.noticed("order_outcome_unknown"), 2)
	})
}

func TestPanicStopsTheStrategyOnly(t *testing.T) {
	s := &script{onTick: func(c strategy.Context, k market.Tick) {
		c.Market(order.Buy, market.Shares(1), "before")
		if k.Price == px("13") {
			panic("thirteen")
		}
	}}
	live(t, s.kind(), nil, func(x *rig) {
		x.trade(1*time.Second, "12")
		x.trade(2*time.Second, "13")
		x.trade(3*time.Second, "14")
		x.want("orders", len(x.v.intents), 1)
		x.want("state", x.out.state().State, failed)
		x.want("detail", x.out.state().Detail, "the strategy panicked in OnTick: thirteen")
		x.want("notices", x.out.noticed("strategy_failed"), 1)
		x.trade(60*time.Second, "15")
		x.want("bars go on", x.out.closes(), []string{"13:30 14"})
		x.g.lose()
		synctest.Wait()
		x.g.open()
		synctest.Wait()
		x.want("state after the next session", x.out.state().State, failed)
	})
}

func TestBlockedStrategyIsNamed(t *testing.T) {
	s := &script{onTick: func(strategy.Context, market.Tick) { time.Sleep(5 * time.Second) }}
	live(t, s.kind(), nil, func(x *rig) {
		x.v.tell(trade("AAPL", day, "100", 0))
		x.sleep(3 * time.Second)
		x.want("notices", x.out.noticed("strategy_blocks"), 1)
		x.sleep(10 * time.Second)
		x.want("notices", x.out.noticed("strategy_blocks"), 1)
	})
}

func TestPaperOnly(t *testing.T) {
	live(t, everytick.Kind(), func(v *venue, _ *gatekeeper) { v.desk.Account = "U1234" }, func(x *rig) {
		x.trade(time.Second, "100")
		x.want("orders", len(x.v.intents), 0)
		x.want("state", x.out.state().State, failed)
		x.want("detail", x.out.state().Detail, `every_tick is for paper accounts, and "U1234" is none; use another strategy or account`)
	})
}

// Positions that nobody could tell stay unknown, and become known.
func TestUnknownBaseline(t *testing.T) {
	var known []bool
	s := &script{onTick: func(c strategy.Context, _ market.Tick) {
		_, p := c.Position()
		_, e := c.Equity()
		known = append(known, p, e)
	}}
	unknown := func(v *venue, _ *gatekeeper) { v.desk.Positions, v.desk.Values = nil, nil }
	live(t, s.kind(), unknown, func(x *rig) {
		x.want("notices", x.out.noticed("baseline_incomplete"), 1)
		x.trade(1*time.Second, "100")
		x.v.mu.Lock()
		x.v.desk.Positions = []order.Position{}
		x.v.mu.Unlock()
		x.tell(Gap{})
		x.sleep(time.Second)
		x.trade(2*time.Second, "100")
		x.tell(event.AccountValues{Values: []broker.AccountValue{
			{Key: "TotalCashValue", Value: "1", Currency: "EUR"}, {Key: "TotalCashValue", Value: "77.5", Currency: "BASE"},
		}})
		x.trade(3*time.Second, "100")
		x.want("known", known, []bool{false, false, true, false, true, true})
		x.sleep(time.Second)
		x.want("cash", x.out.ask().Portfolio.Cash.String(), "77.5")
	})
}

func TestStopInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, open := range []bool{false, true} {
			v, g := newVenue(), newGate()
			if open {
				g.open()
			}
			r, _ := begin(t, v, g, nil, smacross.Kind())
			synctest.Wait()
			end(t, r)
		}
		r, err := New(DefaultConfig(), Parts{Ready: newGate(), In: newVenue(), Out: &told{}, Kinds: []strategy.Kind{smacross.Kind()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("stop without start: %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	kinds := []strategy.Kind{smacross.Kind(), everytick.Kind()}
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{BarWidth: 7 * time.Minute, RunID: "a b", Symbols: []market.Symbol{"AAPL", "aapl", "AAPL"}}
	err := bad.Validate()
	for _, want := range []string{
		"runner.strategy is empty", "runner.bar_width 7m0s", "runner.ask_timeout 0s", "runner.history_timeout 0s",
		"runner.instant_timeout 0s", `runner.run id "a b"`, `"aapl" is not a symbol`, "AAPL is named twice",
	} {
		if err == nil || !contains(err, want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	c := DefaultConfig()
	c.Strategy = "moon"
	if _, _, err := c.Check(kinds); err == nil || !contains(err, `"moon" is unknown; there is every_tick, sma_cross`) {
		t.Errorf("unknown strategy: %v", err)
	}
	c = DefaultConfig()
	c.Params = map[string]string{"fast": "x", "speed": "9"}
	if _, _, err := c.Check(kinds); !errors.Is(err, strategy.ErrBadParam) || !contains(err, "fast") || !contains(err, `"speed"`) {
		t.Errorf("bad parameters: %v", err)
	}
	if _, err := New(c, Parts{Kinds: kinds}); err == nil {
		t.Error("a runner with bad parameters is made")
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }
