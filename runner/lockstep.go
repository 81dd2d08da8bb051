package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// inbox holds the desk's messages until the runner folds them. Its bound is
// the gateway's: it writes one instant and waits.
type inbox struct {
	wake chan struct{} // holds one token when something came

	mu   sync.Mutex // guards list
	list []Heard
}

func (b *inbox) put(m Heard) {
	b.mu.Lock()
	b.list = append(b.list, m)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []Heard {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// lockstep runs a replay instant by instant until it ends, the session does,
// or something that must come does not.
func (r *Runner) lockstep(ctx context.Context) error {
	settled := r.written
	for {
		if r.pausedNow() { // before market time moves without us
			return nil
		}
		now, err := ask(ctx, r.cfg.InstantTimeout, "the next instant", r.parts.Pace.Next)
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return sessionErr(ctx, err)
		}
		for {
			written, err := r.instant(ctx, now)
			if err != nil {
				return sessionErr(ctx, err)
			}
			if written <= settled {
				break
			}
			settled = written
			now, err = ask(ctx, r.cfg.InstantTimeout, fmt.Sprintf("settle %d orders", written),
				func(ctx context.Context) (broker.Instant, error) { return r.parts.Pace.Settle(ctx, written) })
			if err != nil {
				return sessionErr(ctx, err)
			}
		}
	}
}

// arrived returns when the gateway has every subscription. It takes requests
// in the order in which they were written, so the answer to a question that is
// written after them tells; what the answer says does not matter. Nobody waits
// for the first tick of a symbol that is outside its session, and instants that
// happen before the subscription arrives would be lost, one time more than the
// other.
func (r *Runner) arrived(ctx context.Context) error {
	if r.parts.Pace == nil {
		return nil
	}
	for _, h := range r.hosts {
		q := event.HistoryQuery{Symbol: h.symbol, Span: r.cfg.BarWidth, Width: r.cfg.BarWidth}
		_, err := ask(ctx, r.cfg.HistoryTimeout, "whether the data of "+string(h.symbol)+" is on",
			func(ctx context.Context) (event.HistoryReply, error) { return r.parts.In.History(ctx, q) })
		if err != nil {
			return err
		}
	}
	return nil
}

// sessionErr is nil when the session's end explains err.
func sessionErr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// instant waits until all of it has come, and folds it: reports first, then
// ticks symbol by symbol, so that it does not matter in which batches they
// came. It returns how many order messages have been written by then.
func (r *Runner) instant(ctx context.Context, now broker.Instant) (written uint64, err error) {
	arrived, err := r.await(ctx, now)
	if err != nil {
		r.notice(event.NoticeText{Level: "error", Name: "instant_incomplete", Text: err.Error()})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.At.After(r.at) {
		r.at = now.At
	}
	arrived = append(r.early, arrived...)
	r.early = nil
	for _, m := range arrived {
		if _, ok := m.Data.(event.Ticks); !ok {
			r.foldReport(m.Data)
		}
	}
	for _, h := range r.hosts {
		h.advance(r.at)
		for _, m := range arrived {
			if t, ok := m.Data.(event.Ticks); ok && t.Symbol == h.symbol {
				r.cause = cause{symbol: t.Symbol, seq: m.Seq, told: m.At, heard: time.Now()}
				r.replay(h, t.Ticks)
				r.cause = cause{}
			}
		}
	}
	if r.stale && err == nil {
		err = r.reread(ctx)
	}
	r.publish(false)
	return r.written, err
}

func (r *Runner) replay(h *host, ticks []event.TickData) {
	for _, d := range ticks {
		if t, ok := tickOf(h.symbol, d); ok {
			t.At = r.at // only the pace moves market time
			h.tick(t, r.at)
		}
	}
}

// await collects messages until the counts of an instant are reached.
func (r *Runner) await(ctx context.Context, now broker.Instant) ([]Heard, error) {
	t := time.NewTimer(r.cfg.InstantTimeout)
	defer t.Stop()
	var arrived []Heard
	for {
		list := r.inbox.take()
		arrived = append(arrived, list...)
		have := r.count(list)
		if have.Ticks >= now.Ticks && have.Reports >= now.Reports {
			return arrived, nil
		}
		select {
		case <-r.inbox.wake:
		case <-ctx.Done():
			return arrived, ctx.Err()
		case <-t.C:
			return arrived, fmt.Errorf("instant %s: %d of %d tick frames and %d of %d reports came within %v",
				now.At.Format(time.RFC3339Nano), have.Ticks, now.Ticks, have.Reports, now.Reports, r.cfg.InstantTimeout)
		}
	}
}

// count moves the session's counts by what came.
func (r *Runner) count(list []Heard) event.Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range list {
		if c, ok := m.Data.(event.Counts); ok {
			r.counts = c
			r.written = max(r.written, c.Written) // the desk writes on its own, too: protective stops
		}
	}
	return r.counts
}

// drain takes in what came before a session was opened, so that the counts of
// an old session are gone before those of the new one are set. Ticks wait for
// the first instant.
func (r *Runner) drain() {
	if r.parts.Pace == nil {
		return
	}
	for _, m := range r.inbox.take() {
		if _, ok := m.Data.(event.Ticks); ok {
			r.early = append(r.early, m)
			continue
		}
		r.foldReport(m.Data)
	}
}
