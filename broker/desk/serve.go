package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// choreRetry is how long a chore that failed waits before it is tried again.
const choreRetry = 5 * time.Second

// chore is what is to be asked of the session while Serve reads it. The zero
// chore is nothing.
type chore struct {
	recover   bool            // orders, executions and positions
	subscribe bool            // all that was subscribed to, because the venue forgot it
	verify    bool            // whether what was subscribed to still ticks
	ends      int             // the loss of the venue that is over when these are done, 0 = none
	again     []market.Symbol // symbols without ticks
	account   bool            // the account's stream
	hours     bool            // the day's trading hours
	look      bool            // how the books stand against the broker
	soon      bool            // the same, in a moment
}

func (c chore) empty() bool {
	return !c.catchesUp() && len(c.again) == 0 && !c.account && !c.hours && !c.look
}

// catchesUp reports whether the chore is one that must be done before the
// session is worth what it was.
func (c chore) catchesUp() bool { return c.recover || c.subscribe || c.verify || c.ends > 0 }

// with returns both chores as one.
func (c chore) with(o chore) chore {
	for _, s := range o.again {
		if !slices.Contains(c.again, s) {
			c.again = append(slices.Clip(c.again), s)
		}
	}
	return chore{
		recover: c.recover || o.recover, subscribe: c.subscribe || o.subscribe, verify: c.verify || o.verify,
		ends: max(c.ends, o.ends), again: c.again, account: c.account || o.account, hours: c.hours || o.hours,
		look: c.look || o.look, soon: c.soon || o.soon,
	}
}

// ask hands a chore over; one that waits already takes it in. It is called in
// the turn only.
func (h *held) ask(c chore) {
	select {
	case before := <-h.chores:
		c = before.with(c)
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
	if err := d.sameAccount(ctx, s.Facts()); err != nil {
		return err
	}
	h := &held{session: s, facts: s.Facts(), since: time.Now(), chores: make(chan chore, 1)}
	h.trader, _ = s.(broker.Trader)
	h.drafter, _ = s.(broker.Drafter)
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
	chores.Go(func() { d.enforce(live, h) })
	err := d.pump(ctx, h)
	end()
	chores.Wait()
	d.held.CompareAndSwap(h, nil) // from here on no order can pass the bars
	d.over(h)
	d.unheld()
	return err
}

// sameAccount refuses a session of another account than the one whose values
// this process took first: what is held, protected and counted is that one's,
// and a stop for its shares would open a position in the other.
func (d *Desk) sameAccount(ctx context.Context, f broker.Facts) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.give()
	ours := d.books.Account
	if ours == "" || ours == f.Account {
		return nil
	}
	return &broker.Error{
		Op: "serve " + f.Gateway, Kind: broker.ErrRefused, Failure: broker.Forbidden, Facts: f,
		Err:    fmt.Errorf("the gateway came back with account %.40q, and this trader works for %.40q; nothing of either was changed", f.Account, ours),
		Advice: fmt.Sprintf("log the gateway in to %.40s again; or, to trade %.40s, stop the trader and start it anew", ours, f.Account),
	}
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
	d.forget()       // at once, for people
	defer d.forget() // and what was folded since
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

// forget ends what was known of the session's data, of its account's stream and
// of its troubles: the next one begins without, and the link knows that this
// one is lost.
func (d *Desk) forget() {
	list, _ := d.floor.Standing()
	for _, s := range list {
		d.floor.End(s.Symbol)
		d.moved(s.Symbol, floor.Lost, "the session ended")
	}
	d.stream.End()
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	d.trouble.silent, d.trouble.down, d.trouble.blind, d.trouble.dark = "", "", "", ""
	d.trouble.unseen = time.Time{}
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
				d.floor.Counted(b.ReportFrames)
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

// doChores asks the session what is to be asked while Serve reads it. What
// fails is tried again until it is done: as long as it is not, the link stays
// degraded.
func (d *Desk) doChores(ctx context.Context, h *held) {
	var rest chore // what failed
	retry := time.NewTimer(0)
	defer retry.Stop()
	<-retry.C
	due := time.Now().Add(d.cfg.ReconcileEvery) // of the next look
	look := time.NewTimer(d.cfg.ReconcileEvery)
	defer look.Stop()
	for {
		select {
		case c := <-h.chores:
			rest = rest.with(c)
		case <-retry.C:
		case <-look.C:
			rest.look = true
		case <-ctx.Done():
			return
		}
		retry.Stop()
		if rest.look {
			due = time.Now().Add(d.cfg.ReconcileEvery)
			look.Reset(d.cfg.ReconcileEvery)
		}
		if soon := time.Now().Add(lookSoonAfter); rest.soon && soon.Before(due) { // never later than it was
			due = soon
			look.Reset(lookSoonAfter)
		}
		rest.soon = false
		if rest = d.doChore(ctx, h, rest); !rest.empty() {
			retry.Reset(choreRetry)
		}
	}
}

// doChore returns what of the chore is to be tried again.
func (d *Desk) doChore(ctx context.Context, h *held, c chore) (rest chore) {
	if c.catchesUp() {
		if err := d.catchUp(ctx, h, c); err != nil && ctx.Err() == nil {
			d.warn(event.NoticeText{Name: "catch_up_failed", Text: err.Error() + "; it is tried again"})
			rest = chore{recover: c.recover, subscribe: c.subscribe, verify: c.verify, ends: c.ends}
		}
	}
	if c.account {
		if err := d.watch(ctx, h.session); err != nil && ctx.Err() == nil {
			d.warn(event.NoticeText{Name: "account_stream_failed", Text: err.Error() + "; it is tried again"})
		}
	}
	if c.look && !c.recover { // which has looked
		d.look(ctx, h)
	}
	if c.hours {
		d.readHours(ctx, h)
	}
	if len(c.again) > 0 {
		d.renew(ctx, h, c.again)
	}
	return rest
}

// catchUp asks what happened while the gateway had lost the venue, and ends
// that trouble when the answers are folded and data came, or is known not to.
func (d *Desk) catchUp(ctx context.Context, h *held, c chore) error {
	if err := d.askAll(ctx, h, c); err != nil {
		return err
	}
	if c.verify || c.subscribe {
		d.awaitTick(ctx, c.ends)
	}
	if c.ends == 0 {
		return nil
	}
	// None that is still awaited, or asked for again by now, counts as data: the
	// session is not worth an entry before a tick has come.
	list, _ := d.floor.Standing()
	_, why := floor.Verdict(list)
	if d.cfg.Progress || len(list) == 0 { // lock-step: the first tick waits for the trader
		why = nil
	}
	d.troubled(func(t *trouble) {
		if t.lost == c.ends { // it may have been lost again while we asked
			t.down = ""
			if why != nil {
				t.dark = why.Error()
			}
		}
	})
	return nil
}

func (d *Desk) askAll(ctx context.Context, h *held, c chore) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ClockDeadline+d.cfg.RecoveredDeadline+d.cfg.DataDeadline)
	defer cancel()
	if c.verify || c.subscribe {
		if _, err := h.session.Time(ctx); err != nil {
			return fmt.Errorf("ask the time, whether it answers again: %w", err)
		}
	}
	if _, err := d.recover(ctx, h.session); err != nil {
		return err
	}
	if !c.subscribe {
		if c.verify {
			for _, s := range d.floor.Prove(time.Now(), d.cfg.DataDeadline, d.open, "the gateway is back (1102)", true) {
				d.out.data(s)
			}
		}
		return nil
	}
	if err := d.watch(ctx, h.session); err != nil { // the venue forgot this one, too
		return err
	}
	list, _ := d.floor.Standing()
	for _, s := range list {
		if !d.floor.Recall(s.Symbol) {
			continue // an earlier try, which got no further, has asked for it
		}
		if err := d.subscribe(ctx, h.session, s.Symbol, anew); err != nil {
			d.floor.Lost(s.Symbol)
			return err
		}
	}
	return nil
}

// awaitTick returns when a wanted symbol has data, none may get any by
// waiting, the venue is lost again, or the deadline for data is over.
func (d *Desk) awaitTick(ctx context.Context, ends int) {
	if d.cfg.Progress {
		return // lock-step: the first tick waits for the trader
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DataDeadline)
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ends == 0 || d.losses() == ends {
		list, changed := d.floor.Standing()
		if _, err := floor.Verdict(list); err == nil || !floor.Waits(list) {
			return
		}
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// watch subscribes to the account's stream.
func (d *Desk) watch(ctx context.Context, s broker.Session) error {
	src, ok := s.(broker.AccountSource)
	if !ok {
		return errors.New("watch the account: this adapter tells nothing about accounts")
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.AccountDeadline)
	defer cancel()
	d.stream.Watched(time.Now())
	if err := src.WatchAccount(ctx); err != nil {
		return fmt.Errorf("watch the account: %w", err)
	}
	return nil
}
