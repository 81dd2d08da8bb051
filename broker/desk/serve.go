package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"robotrader/broker"
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

// pump takes the session's events: ticks are told by this goroutine, reports go
// to the turn. Whoever is behind with ticks has them held, and does not keep
// reports waiting before holdMost ticks are.
func (d *Desk) pump(ctx context.Context, h *held) error {
	var ticks holding
	for {
		b, err := d.next(ctx, h, &ticks)
		if err != nil { // strategies take no ticks of a session that is over
			return err
		}
		d.takeTicks(&ticks, b)
		if len(b.Events) == 0 && !d.cfg.Progress {
			if b.ReportFrames > 0 { // not an empty batch
				d.floor.counted(b.ReportFrames)
			}
			continue
		}
		select {
		case d.batches <- batch{from: h, events: b.Events, ticks: b.TickFrames, reports: b.ReportFrames}:
		case <-d.done:
			return fmt.Errorf("desk: serve: the desk is stopped: %w", broker.ErrClosed)
		}
	}
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
