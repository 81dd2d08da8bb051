package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

const (
	cadence  = 30 * time.Millisecond
	laneWait = 5 * time.Second // a lane that is silent for so long is broken
	warmUp   = 50              // cycles before the first that counts
	// allowance is what our way may cost over the echo and the commit.
	allowance = 150 * time.Microsecond
)

// lane is one of the things that are measured in turn.
type lane struct {
	name  string
	round func(context.Context) (time.Duration, error)
	took  sample
}

// cycles runs the lanes in turn, evenly spread over each cycle, and keeps what
// came after the first skip cycles. A lane that takes longer than its part
// moves the rest, so that no two ever run at once.
func cycles(ctx context.Context, n, skip int, lanes ...*lane) error {
	part := cadence / time.Duration(len(lanes))
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	due := time.Now()
	for i := range n + skip {
		for _, l := range lanes {
			timer.Reset(time.Until(due))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			began := time.Now()
			d, err := l.round(ctx)
			if err != nil {
				return fmt.Errorf("%s, cycle %d: %w", l.name, i+1, err)
			}
			if i >= skip {
				l.took = append(l.took, d)
			}
			due = began.Add(part)
		}
	}
	return nil
}

// latency measures tick-to-order.
func latency(ctx context.Context, p plan) (s section, err error) {
	s = section{title: fmt.Sprintf("tick-to-order, %d ticks %v apart", p.ticks, cadence)}
	l, err := openLedger(p.folder)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	quiet := &lane{name: "commit before the trader", round: l.round}
	if err := cycles(ctx, p.beside, warmUp, quiet); err != nil {
		return s, err
	}
	echoed, committed, ours, err := race(ctx, p, l)
	if err != nil {
		return s, err
	}
	row, file, err := beneath(ctx, p)
	if err != nil {
		return s, err
	}
	limit := echoed.median() + committed.median()*12/10 + allowance
	s.judge("tick to order, median", micros(ours.median()), micros(limit), ours.median() <= limit)
	s.add("tick to order", ours.String())
	s.add("bare echo", echoed.String())
	s.add("durable commit (journal)", committed.String())
	s.add("over echo and commit, median", micros(ours.median()-echoed.median()-committed.median()))
	s.add("for information: commit, no trader", quiet.took.String())
	s.add("for information: one-row SQLite commit", row.String())
	s.add("for information: 4 KiB append and fsync", file.String())
	s.note("limit: echo + 1.2 × commit + %s, medians of the same cycles; each tick had exactly one order", micros(allowance))
	return s, nil
}

// race runs trader, echo and commit in turn.
func race(ctx context.Context, p plan, l *ledger) (echoed, committed, ours sample, err error) {
	fail := func(err error) (sample, sample, sample, error) { return nil, nil, nil, err }
	v, err := newVenue()
	if err != nil {
		return fail(err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), laneWait)
		defer cancel()
		err = errors.Join(err, v.Stop(stopping))
	}()
	t, err := startTrader(p, "AAPL", "--headless", "--broker", "ibkr", "--gateway", v.Addr().String(),
		"--strategy", "every_tick", "--config", filepath.Join("configs", "latency.yaml"))
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return fail(err)
	}
	first, err := v.awaken(ctx)
	if err != nil {
		return fail(errors.Join(err, t.fault("no order for the first ticks")))
	}
	m, err := startMirror(v.frames())
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, m.end()) }()
	lanes := []*lane{{name: "echo", round: m.round}, {name: "commit", round: l.round}, {name: "tick to order", round: v.trade}}
	if err := cycles(ctx, p.ticks, warmUp, lanes...); err != nil {
		if errors.Is(err, errNoOrder) {
			err = errors.Join(err, t.fault("a tick had no order"))
		}
		return fail(err)
	}
	if got, want := v.seen.Load()-first, int64(p.ticks+warmUp); got != want {
		return fail(fmt.Errorf("%d orders came for %d ticks", got, want))
	}
	return slices.Clone(lanes[0].took), slices.Clone(lanes[1].took), slices.Clone(lanes[2].took), nil
}

// awaken sends ticks until the first order: a link that is ready says nothing
// about whether the strategy is running yet. Then it sends a few more, so that
// the newest tick on record is one that moves neither high nor low. It returns
// how many orders came.
func (v *venue) awaken(ctx context.Context) (orders int64, err error) {
	// A tick that found no strategy is never answered; one that did is, though
	// a disk may stand still for a while.
	const patience = 500 * time.Millisecond
	deadline := time.Now().Add(2 * laneWait)
	for v.seen.Load() == 0 {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%w within %v", errNoOrder, 2*laneWait)
		}
		v.poke()
		if err := v.hush(ctx, patience); err != nil {
			return 0, err
		}
	}
	for range 5 {
		if _, err := v.trade(ctx); err != nil {
			return 0, err
		}
	}
	return v.seen.Load(), nil
}

// hush takes orders until none has come for a while.
func (v *venue) hush(ctx context.Context, d time.Duration) error {
	for {
		t := time.NewTimer(d)
		select {
		case <-v.orders:
			t.Stop()
		case <-t.C:
			return nil
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// beneath measures what lies below the journal, with nothing else running.
func beneath(ctx context.Context, p plan) (row, file sample, err error) {
	b, err := openBare(p.folder)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	lanes := []*lane{{name: "SQLite commit", round: b.commit}, {name: "append and fsync", round: b.flush}}
	if err := cycles(ctx, p.beside, warmUp, lanes...); err != nil {
		return nil, nil, err
	}
	return lanes[0].took, lanes[1].took, nil
}
