package runner

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/runner/portfolio"
	"robotrader/services/event"
)

const (
	keepBars       = 500 // closed bars a symbol for late-comers
	spareBars      = 64  // more that are kept, so that they are moved rarely
	flushEvery     = 250 * time.Millisecond
	strategyEvery  = time.Second
	portfolioEvery = 250 * time.Millisecond
)

// board is what the runner shows: published when it changes, at a bounded
// rate, and kept for who asks.
type board struct {
	out   Out
	log   *slog.Logger
	width time.Duration

	// Only the monitor's holder uses these.
	dirty         map[market.Symbol]bool // strategies that changed since they were published
	strategyAt    map[market.Symbol]time.Time
	portfolioAt   time.Time
	portfolioSeen bool // the portfolio on the board is published

	mu  sync.Mutex // guards run
	run event.Run
}

func newBoard(out Out, width time.Duration, log *slog.Logger) *board {
	return &board{
		out: out, log: log, width: width,
		dirty: map[market.Symbol]bool{}, strategyAt: map[market.Symbol]time.Time{}, portfolioSeen: true,
		run: event.Run{Width: width, Bars: map[market.Symbol][]market.Bar{}},
	}
}

// snapshot answers who asks for the runner's state.
func (b *board) snapshot() event.Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	run := b.run
	run.Strategies = slices.Clone(run.Strategies)
	run.Bars = make(map[market.Symbol][]market.Bar, len(b.run.Bars))
	for s, bars := range b.run.Bars {
		run.Bars[s] = slices.Clone(bars[max(0, len(bars)-keepBars):])
	}
	return run
}

func (b *board) failed(what string, err error) {
	if err != nil {
		b.log.Error("runner_publish_failed", slog.String("topic", what), slog.Any("error", err))
	}
}

// closed shows and publishes a closed bar.
func (b *board) closed(s market.Symbol, bar market.Bar) {
	b.mu.Lock()
	bars := b.run.Bars[s]
	switch {
	case bars == nil: // it has its size from the start: what grows for hours looks like a leak
		bars = make([]market.Bar, 0, keepBars+spareBars)
	case len(bars) == keepBars+spareBars:
		bars = bars[:copy(bars, bars[spareBars:])]
	}
	b.run.Bars[s] = append(bars, bar)
	b.mu.Unlock()
	b.failed("bar", b.out.Bar(event.BarUpdate{Symbol: s, Width: b.width, Bar: bar, Closed: true}))
}

// forming publishes a bar that is not closed yet.
func (b *board) forming(s market.Symbol, bar market.Bar) {
	b.failed("bar", b.out.Bar(event.BarUpdate{Symbol: s, Width: b.width, Bar: bar}))
}

// strategy shows a strategy's state; a change of its state, or now, publishes
// it at once.
func (b *board) strategy(st event.StrategyState, now bool) {
	st.Values = maps.Clone(st.Values)
	changed := true
	b.mu.Lock()
	i := slices.IndexFunc(b.run.Strategies, func(o event.StrategyState) bool { return o.Symbol == st.Symbol })
	if i < 0 {
		b.run.Strategies = append(b.run.Strategies, st)
		now = true
	} else {
		was := b.run.Strategies[i]
		now = now || was.State != st.State
		changed = now || was.Detail != st.Detail || !maps.Equal(was.Values, st.Values)
		b.run.Strategies[i] = st
	}
	b.mu.Unlock()
	if changed {
		b.dirty[st.Symbol] = true
	}
	if now {
		b.publishStrategy(st)
	}
}

func (b *board) publishStrategy(st event.StrategyState) {
	delete(b.dirty, st.Symbol)
	b.strategyAt[st.Symbol] = time.Now()
	b.failed("strategy", b.out.Strategy(st))
}

// portfolio shows the portfolio; flush publishes it.
func (b *board) portfolio(p event.PortfolioState) {
	b.mu.Lock()
	b.run.Portfolio = p
	b.mu.Unlock()
	b.portfolioSeen = false
}

// flush publishes what has changed and is not too new; all of it when forced.
func (b *board) flush(force bool) {
	now := time.Now()
	b.mu.Lock()
	strategies, p := b.run.Strategies, b.run.Portfolio
	b.mu.Unlock()
	if !b.portfolioSeen && (force || now.Sub(b.portfolioAt) >= portfolioEvery) {
		b.portfolioSeen, b.portfolioAt = true, now
		b.failed("portfolio", b.out.Portfolio(p))
	}
	for _, st := range strategies {
		if b.dirty[st.Symbol] && (force || now.Sub(b.strategyAt[st.Symbol]) >= strategyEvery) {
			b.publishStrategy(st)
		}
	}
}

// portfolioState puts the book into the words of the bus.
func portfolioState(v portfolio.View, at time.Time) event.PortfolioState {
	p := event.PortfolioState{
		Cash: v.Cash, Equity: v.Equity, Realized: v.Realised, Unrealized: v.Unrealised,
		Commission: v.Commission, Pending: v.Pending, Market: at,
	}
	for _, l := range v.Positions {
		p.Positions = append(p.Positions, event.PositionView{
			Symbol: l.Symbol, Qty: l.Qty, AvgCost: l.AvgCost, Last: l.Last, Unrealized: l.Unrealised, Realized: l.Realised,
		})
	}
	return p
}
