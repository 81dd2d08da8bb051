package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/portfolio"
	"robotrader/services/event"
)

// deskLists is how many orders and fills the desk's state holds at most: a
// full list may have left some out.
const deskLists = 500

// open begins a session: it reads the desk's state, brings the books up to it
// and the bars up to now, and lets the strategies run. Messages that came
// before stand in the subscription until it is done; what of them is in the
// state already changes nothing, because executions count once.
func (r *Runner) open(ctx context.Context, lost <-chan struct{}) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	speed := 1.0
	if link, err := ask(ctx, r.cfg.AskTimeout, "the link's state", r.parts.In.Link); err != nil {
		r.log.Warn("runner_speed_unknown", slog.Any("error", err))
	} else if link.Facts.Speed > 0 {
		speed = link.Facts.Speed
	}
	r.drain()
	desk, err := ask(ctx, r.cfg.AskTimeout, "the desk's state", r.parts.In.Desk)
	if err != nil {
		return err
	}
	if desk.Account == "" {
		return errNoAccount
	}
	r.counts, r.written = desk.Counts, desk.Counts.Written
	if desk.Market.After(r.at) {
		r.at = desk.Market
	}
	wall := time.Now()
	r.speed = speed
	r.clock = market.NewClock(desk.Market, wall, speed).Advance(r.clock.Now(wall), wall)
	r.fold0(desk)
	for _, h := range r.hosts {
		h.hours = desk.Details[h.symbol].Liquid
		if h.state.State == failed {
			continue
		}
		if r.kind.PaperOnly && !strings.HasPrefix(desk.Account, "D") {
			h.fail(fmt.Sprintf("%s is for paper accounts, and %q is none; use another strategy or account", r.kind.Name, desk.Account))
			continue
		}
		if err := r.catchUp(ctx, h); err != nil {
			return err
		}
	}
	if err := r.arrived(ctx); err != nil {
		return err
	}
	r.lost = lost
	for _, h := range r.hosts {
		if h.strat.Need() == 0 {
			h.state.Detail = ""
		}
		h.warm = true
		h.turn(running)
	}
	r.changed = true
	r.publish(true)
	r.log.Info("runner_running", slog.String("strategy", r.kind.Name), slog.Int("symbols", len(r.hosts)), slog.Float64("speed", speed))
	return nil
}

// errNoAccount means that the desk answered without an account: it holds no
// session, so what it does not list is unknown, not absent.
var errNoAccount = errors.New("runner: the desk answers without an account")

// ask waits for one answer with a deadline and a name.
func ask[A any](ctx context.Context, d time.Duration, what string, fn func(context.Context) (A, error)) (A, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	a, err := fn(ctx)
	if err != nil {
		return a, fmt.Errorf("%s (deadline %v): %w", what, d, err)
	}
	return a, nil
}

// reread brings the books up to the desk's state after a gap.
func (r *Runner) reread(ctx context.Context) error {
	desk, err := ask(ctx, r.cfg.AskTimeout, "the desk's state", r.parts.In.Desk)
	if err != nil {
		return err
	}
	if desk.Account == "" {
		return errNoAccount
	}
	r.stale = false
	r.fold0(desk)
	return nil
}

// fold0 takes in the desk's whole state: as the baseline the first time, and
// as what may have been missed later.
func (r *Runner) fold0(desk event.Desk) {
	r.changed = true
	r.foldValues(desk.Values)
	if r.book == nil || !r.positionsKnown() {
		r.baseline(desk)
	} else {
		for _, f := range desk.Fills {
			r.foldFill(f)
		}
		r.compare(desk)
	}
	complete := len(desk.Orders) < deskLists
	for _, h := range r.hosts {
		h.orders.Resync(desk.Orders, complete)
		h.toldQty = nil
	}
}

func (r *Runner) positionsKnown() bool {
	_, known := r.book.Position("")
	return known
}

func (r *Runner) baseline(desk event.Desk) {
	b := portfolio.Baseline{Cash: valueOf(desk.Values, totalCash), Positions: desk.Positions}
	for _, f := range desk.Fills {
		b.Counted = append(b.Counted, f.ExecID)
	}
	r.book = portfolio.New(b)
	for _, h := range r.hosts {
		if h.quote.Last != nil {
			r.book.Mark(h.symbol, *h.quote.Last)
		}
	}
	if b.Cash == nil || b.Positions == nil {
		r.notice(event.NoticeText{
			Level: "warning", Name: "baseline_incomplete",
			Text: fmt.Sprintf("cash known: %v, positions known: %v; strategies that need them wait", b.Cash != nil, b.Positions != nil),
		})
	}
}

// compare finds positions that the executions do not explain. The broker is
// right; people are told.
func (r *Runner) compare(desk event.Desk) {
	if desk.Positions == nil {
		return
	}
	theirs := map[market.Symbol]order.Position{}
	for _, h := range r.hosts {
		theirs[h.symbol] = order.Position{Symbol: h.symbol}
	}
	for _, p := range desk.Positions {
		theirs[p.Symbol] = p
	}
	for s, p := range theirs {
		ours, _ := r.book.Position(s)
		if ours == p.Qty {
			continue
		}
		r.book.Rebase(p, valueOf(desk.Values, totalCash))
		r.notice(event.NoticeText{
			Level: "error", Name: "position_differs", Symbol: s,
			Text: fmt.Sprintf("by its executions the position is %v, by the broker %v; the broker's is taken", ours, p.Qty),
		})
	}
}

// The account's values that the runner reads.
const (
	totalCash      = "TotalCashValue"
	netLiquidation = "NetLiquidation"
)

// valueOf finds one of the account's values in US dollars, or in its base
// currency; nil is unknown.
func valueOf(values []broker.AccountValue, key string) *market.Money {
	var found *market.Money
	for _, v := range values {
		if v.Key != key || v.Currency != "USD" && v.Currency != "BASE" && v.Currency != "" {
			continue
		}
		m, err := market.ParseMoney(v.Value)
		if err != nil {
			continue
		}
		if found == nil || v.Currency == "USD" {
			found = &m
		}
	}
	return found
}

// foldValues takes in the account's values. Cash is learnt once: from then on
// the executions move it.
func (r *Runner) foldValues(values []broker.AccountValue) {
	if m := valueOf(values, netLiquidation); m != nil {
		r.worth = m
	}
	if m := valueOf(values, totalCash); m != nil && r.book != nil && r.book.LearnCash(*m) {
		r.changed = true
	}
}

const (
	historyTries = 2
	// overWeekend is asked for when the last hours were not enough: a Monday
	// morning's bars before this one are Friday's.
	overWeekend = 96 * time.Hour
)

// catchUp brings a symbol's bars up to now: as the warm-up the first time, and
// over the gap after an outage. When the desk cannot tell, the strategy warms
// up with what comes, and people are told. The error is ctx's.
func (r *Runner) catchUp(ctx context.Context, h *host) error {
	need := h.strat.Need()
	if need == 0 || h.state.State == failed {
		return nil
	}
	spans := []time.Duration{max(time.Hour, 3*time.Duration(need)*r.cfg.BarWidth), overWeekend}
	if h.warm {
		if h.cut.through.IsZero() {
			return nil // nothing to join to
		}
		gap := r.now().Sub(h.cut.through).Truncate(time.Minute) + time.Minute + r.cfg.BarWidth
		spans = []time.Duration{min(max(gap, r.cfg.BarWidth), overWeekend)}
	}
	h.state.Detail = "asking for past bars"
	h.turn(warming)
	before := h.cut.through
	for _, span := range spans {
		bars, err := r.history(ctx, h, span)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			h.state.Detail = "no past bars"
			r.notice(event.NoticeText{
				Level: "warning", Name: "history_failed", Symbol: h.symbol,
				Text: fmt.Sprintf("past bars did not come, bars since %s may be missing; going on with live ones: %v", since(before), err),
			})
			return nil
		}
		if len(bars) < need && span != spans[len(spans)-1] {
			continue
		}
		r.feed(h, bars, need)
		return nil
	}
	return nil
}

func since(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.Format(time.RFC3339)
}

func (r *Runner) history(ctx context.Context, h *host, span time.Duration) ([]market.Bar, error) {
	q := event.HistoryQuery{Symbol: h.symbol, Span: span, Width: r.cfg.BarWidth}
	var err error
	for range historyTries {
		var reply event.HistoryReply
		reply, err = ask(ctx, r.cfg.HistoryTimeout, "past bars of "+string(h.symbol),
			func(ctx context.Context) (event.HistoryReply, error) { return r.parts.In.History(ctx, q) })
		if err == nil && reply.Error != "" {
			err = fmt.Errorf("past bars of %s: %s", h.symbol, reply.Error)
		}
		if err == nil {
			return reply.Bars, nil
		}
		if pause(ctx, rest/4); ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// feed hands past bars to the strategy; no order comes of them.
func (r *Runner) feed(h *host, bars []market.Bar, need int) {
	bars = bars[max(0, len(bars)-max(need, keepBars)):]
	partial, joined := h.cut.open, !h.warm && r.parts.Pace == nil
	fresh := h.cut.past(bars, r.now())
	for _, b := range fresh {
		h.bar(b, true)
	}
	if partial && h.warm && h.cut.open {
		r.notice(event.NoticeText{
			Level: "info", Name: "bar_incomplete", Symbol: h.symbol,
			Text: "the bar of " + since(h.cut.forming.Start) + " lacks the trades of the outage",
		})
	}
	if joined && len(bars) > 0 {
		r.notice(event.NoticeText{
			Level: "info", Name: "bar_incomplete", Symbol: h.symbol,
			Text: "the first live bar lacks the trades before the start, at " + r.now().UTC().Format(time.TimeOnly) + " UTC market time",
		})
	}
	r.log.Info("runner_bars_read", slog.String("symbol", string(h.symbol)), slog.Int("asked", len(bars)), slog.Int("new", len(fresh)))
}
