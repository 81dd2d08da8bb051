package runner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"robotrader/services/event"
)

// slowCall is how long a strategy may take for one call before it is named.
const slowCall = time.Second

// watch names a strategy that blocks: a call cannot be ended from outside, but
// people must not have to guess.
type watch struct {
	mu    sync.Mutex // guards what follows
	h     *host      // whose call is on, nil = none
	what  string
	since time.Time
	told  bool
}

func (w *watch) enter(h *host, what string) {
	w.mu.Lock()
	w.h, w.what, w.since, w.told = h, what, time.Now(), false
	w.mu.Unlock()
}

func (w *watch) leave() {
	w.mu.Lock()
	h, what, gone, told := w.h, w.what, time.Since(w.since), w.told
	w.h = nil
	w.mu.Unlock()
	if told {
		h.r.log.Warn("strategy_unblocked", slog.String("symbol", string(h.symbol)), slog.String("call", what), slog.Duration("took", gone))
	}
}

// slow returns the call that is too long on, once.
func (w *watch) slow() (h *host, what string, gone time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.h == nil || w.told || time.Since(w.since) < slowCall {
		return nil, "", 0
	}
	w.told = true
	return w.h, w.what, time.Since(w.since)
}

// run is the watch's goroutine, which ends with ctx.
func (w *watch) run(ctx context.Context, notice func(event.NoticeText)) {
	t := time.NewTicker(slowCall / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if h, what, gone := w.slow(); h != nil {
			notice(event.NoticeText{
				Level: "error", Name: "strategy_blocks", Symbol: h.symbol,
				Text: fmt.Sprintf("%s has been in %s for %v; nothing is handled until it returns",
					h.r.kind.Name, what, gone.Round(time.Millisecond)),
			})
		}
	}
}
