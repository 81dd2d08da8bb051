package runner

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/services/event"
)

const (
	historyTries = 2
	// overWeekend is asked for when the last hours were not enough: a Monday
	// morning's bars before this one are Friday's.
	overWeekend = 96 * time.Hour
	// longestGap bounds what is asked for after an outage.
	longestGap = 30 * 24 * time.Hour
	// askedTogether is how many symbols' bars are asked for at once: as many as
	// the desk asks the venue for.
	askedTogether = 4
	// shortTries is how often a venue whose bars end before the question was
	// asked is asked again: a stock that nobody trades has no newer ones.
	shortTries = 3
	shortAgain = 5 * time.Second
)

// fillAgain are the waits after questions for a gap's bars that failed; the
// last one stays.
var fillAgain = [...]time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}

// question is what is asked for one symbol. Spans are tried in turn until one
// brings as many bars as are needed.
type question struct {
	symbol market.Symbol
	spans  []time.Duration
	need   int
	asked  time.Time // market time: what ends later was still forming
}

// question needs mu; ok is false when no past bars are needed.
func (r *Runner) question(h *host) (q question, ok bool) {
	need := h.strat.Need()
	if need == 0 || h.state.State == failed || h.warm && h.cut.through.IsZero() {
		return question{}, false // with nothing to join to, there is no gap
	}
	q = question{symbol: h.symbol, need: need, asked: r.now()}
	if !h.warm {
		q.spans = []time.Duration{max(time.Hour, 3*time.Duration(need)*r.cfg.BarWidth), overWeekend}
		return q, true
	}
	gap := q.asked.Sub(h.cut.through).Truncate(time.Minute) + time.Minute + r.cfg.BarWidth
	q.spans = []time.Duration{min(max(gap, r.cfg.BarWidth), longestGap)}
	return q, true
}

// catchUp brings all symbols' bars up to now: as the warm-up the first time,
// and over the gap after an outage. A symbol whose gap could not be closed is
// behind: its strategy stays paused, and its bars are asked for again. The
// error is ctx's. It needs mu, and asks for several symbols at once, but in
// lock-step, where every run is to be like the other.
func (r *Runner) catchUp(ctx context.Context) error {
	questions := make([]question, len(r.hosts))
	answers := make([]fetched, len(r.hosts))
	together := make(chan struct{}, askedTogether)
	if r.parts.Pace != nil {
		together = make(chan struct{}, 1)
	}
	var all sync.WaitGroup
	for i, h := range r.hosts {
		var ok bool
		if questions[i], ok = r.question(h); !ok {
			continue
		}
		h.state.Detail = "asking for past bars"
		h.turn(warming)
		together <- struct{}{}
		all.Go(func() { // ends with its deadline
			answers[i] = r.fetch(ctx, questions[i])
			<-together
		})
	}
	if r.parts.Pace == nil && r.warm() {
		// What is told meanwhile is heard: a venue that answers late must not
		// hold up the desk. The trades go into no bar, as in the outage.
		r.mu.Unlock()
		all.Wait()
		r.mu.Lock()
	}
	all.Wait()
	for i, h := range r.hosts {
		if questions[i].need == 0 {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if again := r.join(h, questions[i], answers[i]); again > 0 {
			h.behind = true
			r.wg.Go(func() { r.backfill(ctx, h, again) })
		}
	}
	return nil
}

// warm reports whether every symbol's warm-up is done. It needs mu.
func (r *Runner) warm() bool {
	return !slices.ContainsFunc(r.hosts, func(h *host) bool { return !h.warm && h.state.State != failed })
}

// fetched is what came of a question.
type fetched struct {
	bars []market.Bar
	err  error
}

// fetch asks; it reads nothing of the runner that mu guards.
func (r *Runner) fetch(ctx context.Context, q question) (a fetched) {
	for i, span := range q.spans {
		a.bars, a.err = r.history(ctx, q.symbol, span)
		if a.err != nil || len(a.bars) >= q.need || i == len(q.spans)-1 {
			break
		}
	}
	return a
}

func (r *Runner) history(ctx context.Context, s market.Symbol, span time.Duration) ([]market.Bar, error) {
	q := event.HistoryQuery{Symbol: s, Span: span, Width: r.cfg.BarWidth}
	var err error
	for range historyTries {
		var reply event.HistoryReply
		reply, err = ask(ctx, r.cfg.HistoryTimeout, "past bars of "+string(s),
			func(ctx context.Context) (event.HistoryReply, error) { return r.parts.In.History(ctx, q) })
		if err == nil && reply.Error != "" {
			err = fmt.Errorf("past bars of %s: %s", s, reply.Error)
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

// join hands the answer's new bars to the strategy: each once, in order, none
// that was forming when the question was asked. It needs mu. Above 0 it returns
// after what time the gap, which is not closed yet, is to be asked for again.
//
// A warm-up goes on with what came, as live bars warm up, too; so does a
// lock-step replay, whose market stands still meanwhile and tells no more.
func (r *Runner) join(h *host, q question, a fetched) (again time.Duration) {
	gap := h.warm && r.parts.Pace == nil
	if a.err != nil {
		return r.unanswered(h, a.err, gap)
	}
	r.feed(h, tidy(a.bars), q)
	if !gap {
		return 0
	}
	width := r.cfg.BarWidth
	reach := q.asked.UTC().Truncate(width) // the newest bar that had ended ends here
	switch {
	case r.now().UTC().Truncate(width).After(reach):
		// Another bar ended while we asked; its trades went by.
		h.state.Detail = "asking for the bar that ended meanwhile"
		return rest / 4
	case !h.cut.through.Before(traded(h.hours, reach)):
		h.short = 0 // the next gap has its own tries
		h.tear(reach)
		return 0
	case h.short < shortTries:
		h.short++
		h.state.Detail = fmt.Sprintf("the past bars end at %s and not at %s; asking again in %v",
			h.cut.through.UTC().Format(time.TimeOnly), traded(h.hours, reach).UTC().Format(time.TimeOnly), shortAgain)
		return shortAgain
	}
	h.tear(reach)
	r.notice(event.NoticeText{
		Level: "warning", Name: "bars_missing", Symbol: h.symbol,
		Text: fmt.Sprintf("the venue has no bars from %s to %s, asked %d times: nothing was traded, or they are late; going on without them",
			since(h.cut.through), since(traded(h.hours, reach)), shortTries+1),
	})
	return 0
}

// unanswered takes in that a question failed.
func (r *Runner) unanswered(h *host, err error, gap bool) (again time.Duration) {
	if !gap {
		h.state.Detail = "no past bars"
		r.notice(event.NoticeText{
			Level: "warning", Name: "history_failed", Symbol: h.symbol,
			Text: fmt.Sprintf("past bars did not come, bars since %s may be missing; going on with live ones: %v", since(h.cut.through), err),
		})
		return 0
	}
	again = fillAgain[min(h.unfilled, len(fillAgain)-1)]
	if h.unfilled++; h.unfilled == 1 {
		r.notice(event.NoticeText{
			Level: "error", Name: "history_failed", Symbol: h.symbol,
			Text: fmt.Sprintf("the bars since %s did not come; the strategy stays paused for %s until they do: %v", since(h.cut.through), h.symbol, err),
		})
	}
	h.state.Detail = fmt.Sprintf("paused: the bars since %s are missing; asking again in %v: %v", since(h.cut.through), again, err)
	return again
}

// backfill closes the gap of a symbol that is behind, and lets its strategy run
// then. It ends with the session.
func (r *Runner) backfill(ctx context.Context, h *host, again time.Duration) {
	for {
		if pause(ctx, again); ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		q, ok := r.question(h)
		r.mu.Unlock()
		if !ok {
			return // it failed meanwhile
		}
		a := r.fetch(ctx, q)
		if again = r.rejoin(ctx, h, q, a); again == 0 {
			return
		}
	}
}

// rejoin is join for a symbol that is behind.
func (r *Runner) rejoin(ctx context.Context, h *host, q question, a fetched) (again time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return 0 // the next session begins with the question
	}
	if again = r.join(h, q, a); again > 0 {
		h.show(true)
		return again
	}
	h.behind, h.state.Detail = false, ""
	h.turn(running)
	r.log.Info("runner_caught_up", slog.String("symbol", string(h.symbol)), slog.Time("through", h.cut.through))
	return 0
}

// tidy returns bars in the order of time, one for each start: of two, the one
// that was told last. Answers that overlap or come out of order are the same
// bars.
func tidy(bars []market.Bar) []market.Bar {
	sorted := slices.Clone(bars)
	slices.SortStableFunc(sorted, func(a, b market.Bar) int { return a.Start.Compare(b.Start) })
	var list []market.Bar
	for _, b := range sorted {
		if n := len(list); n > 0 && list[n-1].Start.Equal(b.Start) {
			list[n-1] = b
			continue
		}
		list = append(list, b)
	}
	return list
}

// traded returns the newest instant up to at in a regular session, as far as
// the hours tell, or at itself where they tell nothing. At a moment when the
// market is closed the newest bar is the last one before its close.
func traded(hours market.Hours, at time.Time) time.Time {
	if in, known := hours.Contains(at.Add(-time.Nanosecond)); in || !known {
		return at
	}
	var newest time.Time
	for _, s := range hours {
		if !s.Close.After(at) && s.Close.After(newest) {
			newest = s.Close
		}
	}
	return newest
}

// feed hands past bars to the strategy; no order comes of them.
func (r *Runner) feed(h *host, bars []market.Bar, q question) {
	if !h.warm { // a gap is given whole
		bars = bars[max(0, len(bars)-max(q.need, keepBars)):]
	}
	joined := !h.warm && r.parts.Pace == nil
	fresh := h.cut.past(bars, q.asked)
	for _, b := range fresh {
		h.bar(b, true)
	}
	if joined && len(bars) > 0 {
		r.notice(event.NoticeText{
			Level: "info", Name: "bar_incomplete", Symbol: h.symbol,
			Text: "the first live bar lacks the trades before the start, at " + r.now().UTC().Format(time.TimeOnly) + " UTC market time",
		})
	}
	r.log.Info("runner_bars_read", slog.String("symbol", string(h.symbol)), slog.Int("asked", len(bars)), slog.Int("new", len(fresh)))
}
