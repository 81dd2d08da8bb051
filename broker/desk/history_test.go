package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"robotrader/broker"
	"robotrader/broker/order"
)

// What a history is made of.
const (
	opWrite = iota // an entry's bytes, from the call to the wire to its return
	opHalt
	opFlatten
	opResume
)

var opNames = [...]string{"write", "halt", "flatten", "resume"}

// latchModel is the promise: an entry is written only while no halt holds. A
// halt and a flatten hold from some instant between their call and their
// answer on, and a resume ends them at one. The write itself is looked at and
// not the order's answer, which may come long after it.
var latchModel = porcupine.Model{
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		halted, done := state.(bool), output.(bool)
		switch input.(int) {
		case opWrite:
			return !halted, halted
		case opResume:
			return true, halted && !done
		default: // one that failed may hold all the same, and promises nothing
			return true, halted || done
		}
	},
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%s: %v", opNames[input.(int)], output)
	},
}

// logbook is a history as it is made. Its clock counts, as a bubble's stands
// still while goroutines run.
type logbook struct {
	clock atomic.Int64
	mu    sync.Mutex // guards ops
	ops   []porcupine.Operation
}

func (l *logbook) note(client, op int, do func() bool) {
	o := porcupine.Operation{ClientId: client, Input: op, Call: l.clock.Add(1)}
	o.Output = do()
	o.Return = l.clock.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, o)
}

// wire is the client whose operations are writes: they come one by one.
const wire = 6

func (l *logbook) written() { l.note(wire, opWrite, func() bool { return true }) }

// A switchboard is what a history is about.
type switchboard interface {
	order(id string)
	command(op int) (done bool)
}

// play has six clients ask at random: two command, four order. It needs a
// bubble.
func playHistory(b switchboard, l *logbook, seed uint64) {
	var clients sync.WaitGroup
	for client := range wire {
		rnd := rand.New(rand.NewPCG(seed, uint64(client)))
		clients.Go(func() {
			for i := range 25 {
				time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
				if client >= 2 {
					b.order(fmt.Sprintf("c%d-%d-%d", seed, client, i))
					continue
				}
				op := []int{opHalt, opResume, opHalt, opResume, opResume, opFlatten}[rnd.IntN(6)]
				l.note(client, op, func() bool { return b.command(op) })
			}
		})
	}
	clients.Wait()
}

// fakedDesk is a desk over the fakes.
type fakedDesk struct{ r *rig }

func (b fakedDesk) order(id string) { b.r.ask(buy(id)) }

func (b fakedDesk) command(op int) bool {
	ctx := context.Background()
	var err error
	switch op {
	case opHalt:
		_, err = b.r.desk.Halt(ctx, "a test", "")
	case opFlatten:
		_, err = b.r.desk.Flatten(ctx, "a test", "")
	case opResume:
		_, err = b.r.desk.Resume(ctx, "a test", "")
	}
	return err == nil
}

// deskHistory plays on a desk whose disk takes its time and whose venue ends
// what is cancelled.
func deskHistory(t *testing.T, seed uint64) []porcupine.Operation {
	var l logbook
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		rnd := rand.New(rand.NewPCG(seed, 99))
		disk := func() {
			mu.Lock()
			d := time.Duration(rnd.IntN(1500)) * time.Microsecond
			mu.Unlock()
			time.Sleep(d)
		}
		r := ready(t, func(r *rig, _ *Config) {
			r.journal.inside, r.journal.syncing = disk, disk
			r.session.placing = func(broker.Ticket) error { l.written(); return nil }
		})
		ctx, end := context.WithCancel(t.Context())
		var venue sync.WaitGroup
		venue.Go(func() { r.endsCancelled(ctx) })
		playHistory(fakedDesk{r}, &l, seed)
		end()
		venue.Wait()
		r.stop(t)
	})
	return l.ops
}

// endsCancelled is a venue that ends what is cancelled, until ctx ends.
func (r *rig) endsCancelled(ctx context.Context) {
	look := time.NewTicker(300 * time.Microsecond)
	defer look.Stop()
	for seen := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		r.session.mu.Lock()
		ids := r.session.cancelled[seen:]
		seen = len(r.session.cancelled)
		r.session.mu.Unlock()
		for _, id := range ids {
			r.session.batches <- broker.Batch{Events: []broker.Event{status(id, order.CancelDone)}}
		}
	}
}

// TestNoEntryGoesOutAfterAnAcknowledgedHalt checks histories of concurrent
// halts, flattens, resumes and orders against the promise.
func TestNoEntryGoesOutAfterAnAcknowledgedHalt(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(12) {
		history := deskHistory(t, seed)
		for _, o := range history {
			seen[latchModel.DescribeOperation(o.Input, o.Output)]++
		}
		if got := porcupine.CheckOperationsTimeout(latchModel, history, 30*time.Second); got != porcupine.Ok {
			t.Errorf("seed %d: the history is %v: %v", seed, got, history)
		}
	}
	t.Logf("%v", seen)
	for _, kind := range []string{"write: true", "halt: true", "flatten: true", "resume: true", "resume: false"} {
		if seen[kind] == 0 {
			t.Errorf("no history has %q, so they show nothing of it: %v", kind, seen)
		}
	}
}

// earlyLatch is a desk that asks its latch before the disk and not behind it:
// the mistake that this is about.
type earlyLatch struct {
	*logbook
	halted atomic.Bool
}

func (b *earlyLatch) order(string) {
	if b.halted.Load() {
		return
	}
	time.Sleep(time.Millisecond) // the disk
	b.written()
}

func (b *earlyLatch) command(op int) bool {
	b.halted.Store(op != opResume)
	return true
}

// TestTheCheckerRejectsALatchThatIsNotAskedAgain: a check that takes the
// history of a broken desk would show nothing.
func TestTheCheckerRejectsALatchThatIsNotAskedAgain(t *testing.T) {
	for seed := range uint64(12) {
		var l logbook
		synctest.Test(t, func(*testing.T) { playHistory(&earlyLatch{logbook: &l}, &l, seed) })
		if got := porcupine.CheckOperationsTimeout(latchModel, l.ops, 30*time.Second); got != porcupine.Illegal {
			t.Errorf("seed %d: the history of a broken desk is %v", seed, got)
		}
	}
}
