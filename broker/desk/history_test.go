package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// What a history is made of.
const (
	opWrite  = iota // an entry's bytes, from the call to the wire to its return
	opChange        // those of a change that enlarges one that works
	opHalt
	opFlatten
	opResume
)

var opNames = [...]string{"write", "change", "halt", "flatten", "resume"}

// latchModel is the promise: an entry, and what enlarges one, is written only while no halt holds. A
// halt and a flatten hold from some instant between their call and their
// answer on, and a resume ends them at one. The write itself is looked at and
// not the order's answer, which may come long after it.
var latchModel = porcupine.Model{
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		halted, done := state.(bool), output.(bool)
		switch input.(int) {
		case opWrite, opChange:
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

func (l *logbook) written(op int) { l.note(wire, op, func() bool { return true }) }

// What a client asks for, in turns.
const (
	askMarket  = iota // an entry that fills or not
	askResting        // one that works until it is ended
	askChange         // more of it
	asks
)

// A switchboard is what a history is about.
type switchboard interface {
	order(what int, id, before string)
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
					b.order(i%asks, fmt.Sprintf("c%d-%d-%d", seed, client, i), fmt.Sprintf("c%d-%d-%d", seed, client, i-1))
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

func (b fakedDesk) order(what int, id, before string) {
	in := buy(id)
	switch what {
	case askResting:
		in.Type, in.Limit = order.Limit, market.MustPrice("180").Ptr()
	case askChange:
		in = changeOf(id, before, "11", "180")
	}
	b.r.ask(in)
}

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
			r.session.placing = func(ticket broker.Ticket) error {
				op := opWrite
				if ticket.Intent.Action == order.Modify {
					op = opChange
				}
				l.written(op)
				return nil
			}
		})
		ctx, end := context.WithCancel(t.Context())
		var venue sync.WaitGroup
		venue.Go(func() { r.works(ctx) })
		playHistory(fakedDesk{r}, &l, seed)
		r.entriesEnd(t, seed)
		end()
		venue.Wait()
		r.stop(t)
	})
	return l.ops
}

// entriesEnd halts and looks that no entry works any more, some seconds later.
func (r *rig) entriesEnd(t *testing.T, seed uint64) {
	t.Helper()
	if _, err := r.desk.Halt(t.Context(), "a test", ""); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	time.Sleep(3 * books.CancelAgain)
	synctest.Wait()
	for _, o := range r.desk.State(t.Context()).Orders {
		if o.State.Live() && o.Type == order.Limit {
			t.Errorf("seed %d: entry %s is %v %v after a halt was acknowledged", seed, o.Ref, o.State, 3*books.CancelAgain)
		}
	}
}

// works is a venue on which limit orders rest, as they are asked for and
// changed, and which ends what is cancelled, until ctx ends.
func (r *rig) works(ctx context.Context) {
	look := time.NewTicker(300 * time.Microsecond)
	defer look.Stop()
	refs := map[int64]string{}
	for placed, cancelled := 0, 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		r.session.mu.Lock()
		tickets, ids := slices.Clone(r.session.placed[placed:]), slices.Clone(r.session.cancelled[cancelled:])
		placed, cancelled = len(r.session.placed), len(r.session.cancelled)
		r.session.mu.Unlock()
		var events []broker.Event
		for _, t := range tickets {
			if t.Intent.Action == order.Place {
				refs[t.OrderID] = t.Intent.ID
			}
			if t.Intent.Type == order.Limit {
				rests := described(t.OrderID, refs[t.OrderID], order.WorkingNow)
				rests.Order.Type, rests.Order.Qty, rests.Order.Limit = order.Limit, t.Intent.Qty, t.Intent.Limit
				events = append(events, rests)
			}
		}
		for _, id := range ids {
			events = append(events, status(id, order.CancelDone))
		}
		if len(events) > 0 {
			r.session.batches <- broker.Batch{Events: events}
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
	for _, kind := range []string{"write: true", "change: true", "halt: true", "flatten: true", "resume: true", "resume: false"} {
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

func (b *earlyLatch) order(int, string, string) {
	if b.halted.Load() {
		return
	}
	time.Sleep(time.Millisecond) // the disk
	b.written(opWrite)
}

func (b *earlyLatch) command(op int) bool {
	b.halted.Store(op != opResume)
	return true
}

// changesPass is a desk that asks its latch for new orders, and not for changes.
type changesPass struct{ earlyLatch }

func (b *changesPass) order(what int, _, _ string) {
	switch {
	case what == askChange:
		time.Sleep(time.Millisecond)
		b.written(opChange)
	case !b.halted.Load(): // the disk takes no time, so this is right
		b.written(opWrite)
	}
}

// TestTheCheckerRejectsALatchThatIsNotAskedAgain: a check that takes the
// history of a broken desk would show nothing.
func TestTheCheckerRejectsALatchThatIsNotAskedAgain(t *testing.T) {
	for name, broken := range map[string]func(*logbook) switchboard{
		"a latch that is asked too early": func(l *logbook) switchboard { return &earlyLatch{logbook: l} },
		"changes that pass":               func(l *logbook) switchboard { return &changesPass{earlyLatch{logbook: l}} },
	} {
		for seed := range uint64(12) {
			var l logbook
			synctest.Test(t, func(*testing.T) { playHistory(broken(&l), &l, seed) })
			if got := porcupine.CheckOperationsTimeout(latchModel, l.ops, 30*time.Second); got != porcupine.Illegal {
				t.Errorf("seed %d: the history of %s is %v", seed, name, got)
			}
		}
	}
}
