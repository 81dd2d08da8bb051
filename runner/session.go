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
		h.behind, h.short, h.unfilled = false, 0, 0
		h.unclosed()
		if h.state.State != failed && r.kind.PaperOnly && !strings.HasPrefix(desk.Account, "D") {
			h.fail(fmt.Sprintf("%s is for paper accounts, and %q is none; use another strategy or account", r.kind.Name, desk.Account))
		}
	}
	if err := r.catchUp(ctx); err != nil {
		return err
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
		if h.behind { // its gap is not closed yet
			h.turn(paused)
			continue
		}
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
		if told, ok := desk.Details[h.symbol]; ok {
			h.hours = told.Liquid
		}
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
		if s.IsOther() { // nothing here executes in it, so only the broker's word counts
			continue
		}
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

func since(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.Format(time.RFC3339)
}
