package runner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"robotrader/broker/market"
	"robotrader/services/event"
)

const (
	// mendWithin bounds how long a bar that lacks trades is held back for the
	// venue's own; the bars behind it wait, too. Wall time.
	mendWithin = time.Minute
	mendTries  = 3
)

// tear marks the bar that was forming when a gap was closed: the trades of the
// outage are in no live bar, so it is to come from the venue when it has ended.
// Until then closed bars wait in line behind it.
func (h *host) tear(start time.Time) { h.torn, h.pending, h.mending = start, nil, false }

// closed hands a live bar to the strategy, or puts it in line.
func (h *host) closed(b market.Bar) {
	if !h.torn.IsZero() && !b.Start.Before(h.torn) {
		h.pending = append(h.pending, b) // mendWithin bounds how many
		return
	}
	h.bar(b, h.r.pausedNow())
}

// unclosed takes back what a session that is over had in line: it was given to
// nobody, and is part of the next gap.
func (h *host) unclosed() {
	if !h.torn.IsZero() {
		h.cut.through = h.torn
	}
	h.tear(time.Time{})
}

// mend asks for the torn bar when it has ended, less grace for trades on their
// way. It needs mu, and ctx is the session's.
func (r *Runner) mend(ctx context.Context, h *host, now time.Time) {
	if h.torn.IsZero() || h.mending || h.behind || now.Before(h.torn.Add(r.cfg.BarWidth)) {
		return
	}
	h.mending = true
	hours := h.hours
	start, span := h.torn, r.now().Sub(h.torn).Truncate(time.Minute)+time.Minute+r.cfg.BarWidth
	r.wg.Go(func() { // ends with the session, or within mendWithin
		b, found, err := r.whole(ctx, h.symbol, hours, start, span)
		r.mended(ctx, h, b, found, err)
	})
}

// whole returns the venue's bar that begins at start. Without an error the venue
// answered, and has none when it was not found. An answer that ends before the
// bar says nothing about it, unless the market was closed all through the bar:
// there is none then, until it opens.
func (r *Runner) whole(ctx context.Context, s market.Symbol, hours market.Hours, start time.Time, span time.Duration) (b market.Bar, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, mendWithin)
	defer cancel()
	for try := range mendTries {
		var bars []market.Bar
		bars, err = r.history(ctx, s, span)
		reached := false
		for _, b = range tidy(bars) {
			if err == nil && b.Start.Equal(start) {
				return b, true, nil
			}
			reached = reached || b.Start.After(start)
		}
		if err == nil && !traded(hours, start.Add(r.cfg.BarWidth)).After(start) {
			return market.Bar{}, false, nil
		}
		if err == nil && !reached {
			err = fmt.Errorf("past bars of %s: they end before the bar of %s", s, since(start))
		}
		if try == mendTries-1 {
			break // nobody waits for what is not asked again
		}
		if pause(ctx, fillAgain[try]); ctx.Err() != nil {
			break
		}
	}
	return market.Bar{}, false, err
}

// mended gives the bar that was torn, whole if it came, and those behind it.
// When the venue did not answer, the symbol is behind from there on.
func (r *Runner) mended(ctx context.Context, h *host, b market.Bar, found bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || h.state.State == failed {
		return // the next session takes it back
	}
	if err != nil {
		h.unclosed()
		h.behind = true
		again := r.unanswered(h, err, true)
		h.turn(paused)
		r.wg.Go(func() { r.backfill(ctx, h, again) })
		return
	}
	start, line := h.torn, h.pending
	h.tear(time.Time{})
	partial := len(line) > 0 && line[0].Start.Equal(start)
	switch {
	case found && partial:
		line[0] = b
	case found:
		line = append([]market.Bar{b}, line...)
	case partial:
		r.notice(event.NoticeText{
			Level: "info", Name: "bar_incomplete", Symbol: h.symbol,
			Text: "the bar of " + since(start) + " lacks the trades of the outage: the venue did not tell it whole",
		})
	}
	if end := start.Add(r.cfg.BarWidth); h.cut.through.Before(end) {
		h.cut.through = end
	}
	for _, b := range line {
		h.bar(b, h.r.pausedNow())
	}
	r.log.Info("runner_bar_mended", slog.String("symbol", string(h.symbol)), slog.Time("bar", start), slog.Bool("whole", found), slog.Int("behind_it", len(line)))
}
