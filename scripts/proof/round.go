package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"robotrader/scripts/rig"
)

// crashing is the trader that is built with the tag crashpoints.
const crashing = "start_trader_crash"

// boundaries are the places of services/task/crash on the way of an order, in
// the order in which one passes them.
var boundaries = []string{
	"intent_before_commit", "intent_after_commit", "order_after_write",
	"group_before_commit", "group_before_flush", "group_after_flush",
}

// aRound is how many kills one data folder takes: more make the checks slow,
// not better.
const aRound = 25

// plan is what is done.
type plan struct {
	bin, folder string
	kills       int // at random instants
	each        int // kills at each boundary
	lanes       int // rounds at a time, at least 1
	seed        uint64
	naked       bool          // the trader makes no protective stops
	judge       time.Duration // the 99th percentile that starts may take until ready, 0 = it is only told
	say         func(format string, args ...any)
}

// protect is the word for desk.protect.
func (p plan) protect() string {
	if p.naked {
		return "off"
	}
	return "on"
}

// result is what came of it.
type result struct {
	kills, rounds  int
	boundary       map[string]int
	intents, execs int
	readies        []time.Duration
	took           time.Duration
}

// percentile returns the p-th of a sorted list, by nearest rank.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[max(0, (len(list)*p+99)/100-1)]
}

// add adds what came of another lane.
func (r *result) add(other result) {
	r.kills, r.rounds = r.kills+other.kills, r.rounds+other.rounds
	r.intents, r.execs = r.intents+other.intents, r.execs+other.execs
	r.readies = append(r.readies, other.readies...)
	for name, n := range other.boundary {
		r.boundary[name] += n
	}
}

// run does it all, in lanes. It ends with the first breach, which ends the other
// lanes, too.
func run(ctx context.Context, p plan) (r result, err error) {
	r.boundary = map[string]int{}
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make(chan [][]string)
	var mu sync.Mutex // guards r
	var lanes sync.WaitGroup
	for n := range max(p.lanes, 1) {
		lanes.Go(func() {
			is := result{boundary: map[string]int{}}
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				r.add(is)
			}()
			dice := rand.New(rand.NewPCG(p.seed, 42+uint64(n))) //nolint:gosec // no secret
			for part := range parts {
				if err := round(ctx, p, dice, part, &is); err != nil {
					cancel(fmt.Errorf("seed %d, lane %d, kill %d: %w", p.seed, n, is.kills, err))
					return
				}
			}
		})
	}
	for part := range slices.Chunk(p.all(), aRound) {
		select {
		case parts <- part:
		case <-ctx.Done():
		}
	}
	close(parts)
	lanes.Wait()
	r.took = time.Since(began)
	slices.Sort(r.readies)
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	return r, inTime(r.readies, p.judge)
}

// all lists the kills: nothing for one at a random instant, or where it is.
func (p plan) all() (plans [][]string) {
	dice := rand.New(rand.NewPCG(p.seed, 41)) //nolint:gosec // no secret
	for range p.kills {
		plans = append(plans, nil)
	}
	for _, name := range boundaries {
		for range p.each {
			plans = append(plans, []string{fmt.Sprintf("CRASH_AT=%s:%d", name, 1+dice.IntN(20)), name})
		}
	}
	return plans
}

// inTime judges the starts by their 99th percentile: one that a stall of a
// shared machine held up says nothing of the program, and the largest is told
// beside it.
func inTime(readies []time.Duration, most time.Duration) error {
	sorted := slices.Sorted(slices.Values(readies))
	if p99 := percentile(sorted, 99); most > 0 && p99 > most {
		return rig.Breach("ready_in_time", "the 99th percentile of the starts took %v until ready, %v is the most", p99, most)
	}
	return nil
}

// round is one gateway, one data folder, and some kills.
func round(ctx context.Context, p plan, dice *rand.Rand, kills [][]string, r *result) (err error) {
	folder, err := os.MkdirTemp(p.folder, "round-")
	if err != nil {
		return err
	}
	g, err := rig.StartGateway(ctx, p.bin, folder, "--busy", "10", "--partial-fills", "--max-rate", "0")
	if err != nil {
		return err
	}
	defer g.Kill()
	for _, where := range kills {
		if err := life(ctx, p, dice, folder, g, where, r); err != nil {
			return err
		}
		r.kills++
		if len(where) > 0 {
			r.boundary[where[1]]++
		}
	}
	if err := rest(ctx, p, folder, g, r); err != nil {
		return err
	}
	r.rounds++
	p.say("a lane: %d kills, %d orders, %d executions, newest start ready after %v", r.kills, r.intents, r.execs, r.readies[len(r.readies)-1].Round(time.Millisecond))
	return os.RemoveAll(folder) // what failed stays, to be looked at
}

// life starts the trader, looks whether all is there, lets it trade, and kills
// it.
func life(ctx context.Context, p plan, dice *rand.Rand, folder string, g *rig.Gateway, where []string, r *result) error {
	t, err := startTrader(p, folder, g.Addr, where[:min(1, len(where))])
	if err != nil {
		return err
	}
	defer t.Kill()
	if where == nil {
		took, err := t.Ready(ctx)
		if err != nil {
			return err
		}
		r.readies = append(r.readies, took)
		if err := rig.CheckFound(ctx, t, g.Addr); err != nil {
			return err
		}
		rig.Pause(ctx, time.Duration(dice.IntN(400))*time.Millisecond)
		t.Kill()
	} else { // it kills itself, perhaps before it is ready
		timer := time.NewTimer(placeWait)
		defer timer.Stop()
		select {
		case <-t.Ended:
			if t.Cmd.ProcessState.Exited() { // with a code, so it was no crash
				return fmt.Errorf("%w at %s; see %s", rig.ErrEnded, where[0], t.Log)
			}
		case <-timer.C:
			return fmt.Errorf("the trader never came to %s", where[0])
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	// What it wrote may still be under way inside the gateway; whatever the
	// gateway takes later is looked at after the next kill.
	v, err := rig.Ask(g.Addr)
	if err != nil {
		return err
	}
	s, err := rig.ReadJournal(ctx, t.Data)
	if err != nil {
		return err
	}
	return checkSent(v, s)
}

// rest starts the trader once more with a strategy that asks for nothing in the
// first minute, lets all come to rest under a stop, and compares the books of both to the last cent.
func rest(ctx context.Context, p plan, folder string, g *rig.Gateway, r *result) (err error) {
	t, err := startTrader(p, folder, g.Addr, nil, "--strategy", "sma_cross")
	if err != nil {
		return err
	}
	defer t.Kill()
	took, err := t.Ready(ctx)
	if err != nil {
		return err
	}
	r.readies = append(r.readies, took)
	if err := rig.CheckFound(ctx, t, g.Addr); err != nil {
		return err
	}
	var v *rig.Look
	if p.naked {
		v, err = rig.Ask(g.Addr)
	} else {
		v, err = awaitCovered(ctx, t, g.Addr)
	}
	if err != nil {
		return err
	}
	if err := t.Stop(); err != nil {
		return err
	}
	if err := g.Stop(); err != nil {
		return err
	}
	s, err := rig.ReadJournal(ctx, t.Data)
	if err != nil {
		return err
	}
	l, err := rig.ReadLedger(g.State)
	if err != nil {
		return err
	}
	r.execs += len(s.Fills)
	for _, i := range s.List {
		if i.Decision.Allowed && i.Order != nil {
			r.intents++
		}
	}
	return errors.Join(checkSent(v, s), rig.CheckLedger(l, s))
}
