package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
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

// run does it all. It ends with the first breach.
func run(ctx context.Context, p plan) (r result, err error) {
	r.boundary = map[string]int{}
	began := time.Now()
	defer func() {
		r.took = time.Since(began)
		slices.Sort(r.readies)
	}()
	dice := rand.New(rand.NewPCG(p.seed, 41)) //nolint:gosec // no secret
	var plans [][]string                      // of the kills: nothing, or where
	for range p.kills {
		plans = append(plans, nil)
	}
	for _, name := range boundaries {
		for range p.each {
			plans = append(plans, []string{fmt.Sprintf("CRASH_AT=%s:%d", name, 1+dice.IntN(20)), name})
		}
	}
	for part := range slices.Chunk(plans, aRound) {
		if err := round(ctx, p, dice, part, &r); err != nil {
			return r, fmt.Errorf("seed %d, kill %d: %w", p.seed, r.kills, err)
		}
	}
	return r, inTime(r.readies, p.judge)
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
	p.say("%d kills, %d orders, %d executions, newest start ready after %v", r.kills, r.intents, r.execs, r.readies[len(r.readies)-1].Round(time.Millisecond))
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
