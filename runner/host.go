package runner

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/orders"
	"robotrader/runner/strategy"
	"robotrader/services/event"
)

// The states of a strategy, as on the bus.
const (
	waiting = "waiting"
	warming = "warming"
	running = "running"
	paused  = "paused"
	failed  = "failed"
)

// host holds one strategy for one symbol, with what it sees.
type host struct {
	r      *Runner
	symbol market.Symbol
	strat  strategy.Strategy
	orders *orders.Book
	quote  market.Quote
	hours  market.Hours
	cut    cutter
	shown  market.Bar // the forming bar as it was published
	warm   bool       // the warm-up is done

	behind   bool // its bars end before now: the strategy is paused until they do not
	short    int  // answers of this session that ended before the question was asked
	unfilled int  // questions of this session that failed

	torn    time.Time    // the start of the bar that lacks the trades of an outage, zero = none
	pending []market.Bar // closed since, and not given yet
	mending bool         // the torn one is being asked for

	state     event.StrategyState
	refusedBy string // the rule of the newest refusal, so that each is logged once
	calling   bool   // a call is on: the context may be used
	past      bool   // the call is about the past
	asked     []order.Intent
	lateTold  bool
	toldQty   *market.Qty // the position as the desk last told it, nil = not since the books were compared
	toldAt    time.Time   // wall time
}

var _ strategy.Context = (*host)(nil)

// call runs one call of the strategy. A panic is the strategy's own mistake:
// it stops the strategy, not the process.
func (h *host) call(what string, past bool, fn func()) {
	if h.state.State == failed {
		return
	}
	h.calling, h.past, h.asked = true, past, h.asked[:0]
	h.r.watch.enter(h, what)
	defer func() {
		h.r.watch.leave()
		h.calling = false
		if p := recover(); p != nil {
			h.asked = h.asked[:0]
			h.fail(fmt.Sprintf("the strategy panicked in %s: %v", what, p))
			h.r.log.Error("strategy_panic", slog.String("strategy", h.state.Name), slog.String("symbol", string(h.symbol)),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	fn()
}

func (h *host) fail(why string) {
	h.state.Detail = why
	h.turn(failed)
	h.r.notice(event.NoticeText{Level: "error", Name: "strategy_failed", Text: why, Symbol: h.symbol})
}

// turn moves the strategy's state; failed is its end.
func (h *host) turn(state string) {
	if h.state.State == failed && state != failed {
		return
	}
	h.state.State = state
	h.show(true)
}

func (h *host) show(now bool) {
	h.state.Market = h.r.now()
	h.r.board.strategy(h.state, now)
}

// bar hands a closed bar to the strategy and to people. Orders are asked for
// before anything is published.
func (h *host) bar(b market.Bar, past bool) {
	h.call("OnBar", past, func() { h.strat.OnBar(h, b) })
	h.ask()
	h.r.board.closed(h.symbol, b)
	h.show(false)
}

// advance closes the forming bar when market time, less grace for trades on
// their way, has passed its end.
func (h *host) advance(now time.Time) {
	if h.behind {
		return // the forming bar is from before the outage
	}
	if b, ok := h.cut.advance(now); ok {
		h.closed(b)
	}
}

// tick takes in one tick whose market time is at. While the session is not
// open the trade goes into no bar: the forming one lacks the trades of the
// outage already, and past bars may replace it.
func (h *host) tick(t market.Tick, at time.Time) {
	trade := t.Kind == market.TickTrade && t.Known
	off := h.behind || h.r.pausedNow()
	if !off {
		h.cutAt(t, at, trade)
	}
	h.quote = h.quote.Apply(t)
	if trade && h.r.book != nil {
		h.r.book.Mark(h.symbol, t.Price)
		h.r.changed = true
	}
	if off {
		return
	}
	h.call("OnTick", false, func() { h.strat.OnTick(h, t) })
	h.ask()
}

func (h *host) cutAt(t market.Tick, at time.Time, trade bool) {
	if b, ok := h.cut.advance(at); ok {
		h.closed(b)
	}
	if trade {
		h.cut.trade(at, t.Price, t.Size)
		h.tellLate()
	}
}

// tellLate tells the first trade that came after its bar was closed; the rest
// is only counted.
func (h *host) tellLate() {
	if h.cut.late == 0 || h.lateTold {
		return
	}
	h.lateTold = true
	h.r.log.Warn("runner_late_trade", slog.String("symbol", string(h.symbol)), slog.Time("bars_closed_through", h.cut.through))
}

// fill takes in a new execution of the symbol.
func (h *host) fill(f order.Fill) {
	if !h.orders.Fill(f) {
		return
	}
	h.call("OnFill", h.behind || h.r.pausedNow(), func() { h.strat.OnFill(h, f) })
	h.ask()
}

// driftAfter is how long the desk's position may differ from the executions
// before the desk's state is read again: both come within a moment.
const driftAfter = 5 * time.Second

// drifted reports whether the position differs from the desk's for too long,
// as after a trade that was made elsewhere.
func (h *host) drifted() bool {
	ours, known := h.Position()
	return known && h.toldQty != nil && *h.toldQty != ours && time.Since(h.toldAt) >= driftAfter
}

// ask sends what the strategy asked for, one after the other.
func (h *host) ask() {
	for len(h.asked) > 0 {
		in := h.asked[0]
		h.asked = h.asked[1:]
		h.r.ask(h, in)
	}
}

// Symbol implements [strategy.Context].
func (h *host) Symbol() market.Symbol { return h.symbol }

// Now implements [strategy.Context].
func (h *host) Now() time.Time { return h.r.now() }

// Warming implements [strategy.Context].
func (h *host) Warming() bool { return h.past }

// Quote implements [strategy.Context].
func (h *host) Quote() market.Quote { return h.quote }

// Hours implements [strategy.Context].
func (h *host) Hours() market.Hours { return h.hours }

// Position implements [strategy.Context].
func (h *host) Position() (market.Qty, bool) {
	if h.r.book == nil {
		return market.Qty{}, false
	}
	return h.r.book.Position(h.symbol)
}

// Expected implements [strategy.Context].
func (h *host) Expected() (market.Qty, bool) {
	q, known := h.Position()
	return q.Add(h.orders.Pending()), known
}

// Equity implements [strategy.Context]. When the account holds something whose
// price does not come here, the broker's own figure stands in.
func (h *host) Equity() (market.Money, bool) {
	if h.r.book == nil {
		return market.Money{}, false
	}
	m, known := h.r.book.Equity()
	if !known && h.r.worth != nil {
		return *h.r.worth, true
	}
	return m, known
}

// Outstanding implements [strategy.Context].
func (h *host) Outstanding() int { return h.orders.Outstanding() }

// Market implements [strategy.Context].
func (h *host) Market(side order.Side, qty market.Qty, reason string) {
	if !h.calling || h.past {
		return // nobody acts in the past, nor after its turn
	}
	in := h.orders.Market(h.r.now(), side, qty, reason)
	in.Trace = h.r.cause.trace(h.r.cfg.RunID)
	h.asked = append(h.asked, in)
}

// Show implements [strategy.Context].
func (h *host) Show(name, value string) {
	if h.state.Values == nil {
		h.state.Values = map[string]string{}
	}
	if len(h.state.Values) < 32 { // people read these
		h.state.Values[name] = value
	}
}

// Say implements [strategy.Context].
func (h *host) Say(detail string) { h.state.Detail = detail }
