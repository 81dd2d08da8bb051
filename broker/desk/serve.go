package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// choreRetry is how long a chore that failed waits before it is tried again.
const choreRetry = 5 * time.Second

// chore is what is to be asked of the session again, as after the gateway had
// lost the venue: the recovery, and the subscriptions too when they were lost.
type chore struct {
	subscribe bool
	ends      int // the loss of the venue that is over when the chore is done, 0 = none
}

// ask hands a chore over; one that waits already takes it in. It is called in
// the turn only.
func (h *held) ask(c chore) {
	select {
	case before := <-h.chores:
		c.subscribe, c.ends = c.subscribe || before.subscribe, max(c.ends, before.ends)
	default:
	}
	h.chores <- c // there is room: nobody else sends
}

// Serve takes the session's events until it ends, and returns why it ended.
// It returns when all that came is folded.
func (d *Desk) Serve(ctx context.Context, s broker.Session) error {
	if !d.started.Load() {
		return errors.New("desk: serve: the desk is not started")
	}
	h := &held{session: s, facts: s.Facts(), chores: make(chan chore, 1)}
	h.trader, _ = s.(broker.Trader)
	if !d.held.CompareAndSwap(nil, h) {
		return errors.New("desk: serve: another session is served already")
	}
	select {
	case d.taken <- struct{}{}:
	default: // who waits will look again anyhow
	}
	live, end := context.WithCancel(ctx)
	var chores sync.WaitGroup
	chores.Go(func() { d.doChores(live, h) })
	err := d.pump(ctx, h)
	end()
	chores.Wait()
	d.held.CompareAndSwap(h, nil) // from here on no order can pass the bars
	d.over(h)
	return err
}

// served waits until the session is served. Serve and the steps run side by
// side, and a link that is ready before the desk holds its session would have
// orders and questions refused for want of one.
func (d *Desk) served(ctx context.Context, s broker.Session) error {
	for {
		if h := d.held.Load(); h != nil && h.session == s {
			return nil
		}
		select {
		case <-d.taken:
		case <-ctx.Done():
			return fmt.Errorf("wait until the session is served: %w", context.Cause(ctx))
		}
	}
}

// over hands the end of the session to the command loop and waits until all
// before it is folded.
func (d *Desk) over(h *held) {
	list, _ := d.floor.standing()
	for _, s := range list {
		if c, ok := d.floor.move(s.Symbol, dataLost, "the session ended"); ok {
			d.out.data(c)
		}
	}
	d.trouble.mu.Lock()
	d.trouble.down, d.trouble.dark = "", "" // the next session begins without; the link knows that this one is lost
	d.trouble.mu.Unlock()
	ended := make(chan struct{})
	select {
	case d.batches <- batch{from: h, ended: ended}:
	case <-d.done:
		return
	}
	select {
	case <-ended:
	case <-d.done:
	}
}

func (d *Desk) pump(ctx context.Context, h *held) error {
	var told tickBuffer
	for {
		b, err := h.session.Events(ctx)
		if err != nil {
			return err
		}
		d.takeTicks(&told, b)
		if len(b.Events) == 0 && !d.cfg.Progress {
			d.floor.counted(b.ReportFrames)
			continue
		}
		select {
		case d.batches <- batch{from: h, events: b.Events, ticks: b.TickFrames, reports: b.ReportFrames}:
		case <-d.done:
			return fmt.Errorf("desk: serve: the desk is stopped: %w", broker.ErrClosed)
		}
	}
}

// tickBuffer is used again for every read.
type tickBuffer struct {
	ticks   []event.TickData
	symbols []market.Symbol
}

// takeTicks takes a read's ticks in and publishes them: one message a symbol.
func (d *Desk) takeTicks(buf *tickBuffer, b broker.Batch) {
	if len(b.Ticks) == 0 {
		return
	}
	changed := d.floor.apply(b.Ticks, b.TickFrames)
	buf.symbols = buf.symbols[:0]
	for i := range b.Ticks {
		sym := b.Ticks[i].Symbol
		if contains(buf.symbols, sym) {
			continue
		}
		buf.symbols = append(buf.symbols, sym)
		buf.ticks = buf.ticks[:0]
		for j := i; j < len(b.Ticks); j++ {
			if b.Ticks[j].Symbol == sym {
				buf.ticks = append(buf.ticks, told(&b.Ticks[j]))
			}
		}
		d.out.ticks(event.Ticks{Symbol: sym, Ticks: buf.ticks, Frames: b.TickFrames})
	}
	for _, c := range changed {
		d.out.data(c)
	}
	if len(changed) > 0 {
		d.troubled(func(t *trouble) { t.dark = "" })
	}
}

// contains is slices.Contains for a list of few: it is called once a tick.
func contains(list []market.Symbol, s market.Symbol) bool {
	for i := range list {
		if list[i] == s {
			return true
		}
	}
	return false
}

// told returns the tick as it goes on the bus. It points into t.
func told(t *market.Tick) event.TickData {
	d := event.TickData{Kind: t.Kind.String(), At: t.At, Delayed: t.Delayed}
	if !t.Known {
		return d
	}
	switch t.Kind {
	case market.TickBid, market.TickAsk, market.TickTrade:
		d.Price, d.Size = &t.Price, &t.Size
	case market.TickVolume, market.TickHalted:
		d.Size = &t.Size
	default:
		d.Price = &t.Price
	}
	return d
}

// doChores asks the session what is to be asked while Serve reads it.
func (d *Desk) doChores(ctx context.Context, h *held) {
	for {
		select {
		case c := <-h.chores:
			d.doChore(ctx, h, c)
		case <-ctx.Done():
			return
		}
	}
}

// doChore goes on until it is done: as long as it is not, the link stays
// degraded.
func (d *Desk) doChore(ctx context.Context, h *held, c chore) {
	for {
		err := d.catchUp(ctx, h, c)
		if err == nil {
			d.troubled(func(t *trouble) {
				if t.lost == c.ends { // it may have been lost again while we asked
					t.down = ""
				}
			})
			return
		}
		if ctx.Err() != nil {
			return
		}
		d.warn(event.NoticeText{Name: "catch_up_failed", Text: err.Error() + "; it is tried again"})
		wait := time.NewTimer(choreRetry)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// catchUp asks what happened while the gateway had lost the venue.
func (d *Desk) catchUp(ctx context.Context, h *held, c chore) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline+d.cfg.DataDeadline)
	defer cancel()
	if _, err := d.recover(ctx, h.session); err != nil {
		return err
	}
	if !c.subscribe {
		return nil
	}
	if src, ok := h.session.(broker.AccountSource); ok { // the venue forgot this one, too
		if err := src.WatchAccount(ctx); err != nil {
			return fmt.Errorf("watch the account: %w", err)
		}
	}
	list, _ := d.floor.standing()
	for _, s := range list {
		if err := d.subscribe(ctx, h.session, s.Symbol); err != nil {
			return err
		}
	}
	return nil
}
