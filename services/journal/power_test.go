package journal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal/faultfs"
)

// long makes the tests of damage, power loss and faults try all that they
// otherwise take samples of.
var long = flag.Bool("journal.long", false, "try every cut, loss and fault instead of samples; takes an hour")

// still is a pace at which a journal does nothing by itself, so that the same
// load makes the same calls.
var still = pace{mend: time.Hour, witness: time.Hour}

// moment is what was acknowledged when the disk had seen a number of events.
type moment struct {
	events  int
	intents int // durable by Intend
	fills   int // durable by Sync
}

// script is a load on a journal: what it does, and what was acknowledged.
type script struct {
	disk    *faultfs.Disk
	path    string
	pace    pace
	moments []moment
	now     moment
}

// What the script stores.
const scriptIntents, scriptFills = 5, 4

func (s *script) ack() {
	s.now.events = s.disk.Events()
	s.moments = append(s.moments, s.now)
}

// acked is what was acknowledged before an event began.
func (s *script) acked(event int) (m moment) {
	for _, next := range s.moments {
		if next.events <= event {
			m = next
		}
	}
	return m
}

// begin opens the journal.
func (s *script) begin() (*Journal, error) { return openOn(s.path, s.disk, s.pace) }

// step stores intent number n and what became of it.
func (s *script) step(ctx context.Context, j *Journal, n int) error {
	var dup *broker.DuplicateIntentError // of a try before that failed too late
	if err := j.Intend(ctx, placed(n)); err != nil && (!errors.As(err, &dup) || dup.Stored.OrderID != int64(n)) {
		return err
	}
	s.now.intents = n
	s.ack()
	if n > scriptFills {
		return nil
	}
	err := j.Record(ctx,
		broker.Record{Wall: wall0, Order: became(n, order.Filled)},
		broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint("e", n))},
		broker.Record{Wall: wall0, Commission: &broker.CommissionReport{ExecID: fmt.Sprint("e", n), Commission: market.MustMoney("1"), Currency: "USD"}},
		broker.Record{Wall: wall0, Values: []broker.AccountValue{{Account: "DU1", Key: "NetLiquidation", Currency: "USD", Value: fmt.Sprint(n)}}},
		broker.Record{Wall: wall0, Mode: &broker.ModeRecord{Mode: broker.Active, Reason: fmt.Sprint("reason ", n), Since: wall0}})
	if err == nil {
		err = j.Sync(ctx)
	}
	if err != nil {
		return err
	}
	s.now.fills = n
	s.ack()
	switch n {
	case 1, 4:
		if err := j.testify(); err != nil {
			j.queue.fail(err) // as its goroutine does
			return err
		}
	case 2: // as the recorder does when the log is long; the next one writes it from its beginning
		if _, err := j.check.ExecContext(j.ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
			err = failed(j.path, "checkpoint", err)
			j.queue.fail(err)
			return err
		}
	}
	return nil
}

// run is the whole load, with a start between. It ends at the first error,
// which it returns, and leaves nothing open.
func (s *script) run(ctx context.Context) error {
	for n, last := 1, 3; n <= scriptIntents; last = scriptIntents {
		j, err := s.begin()
		if err != nil {
			return err
		}
		for ; n <= last && err == nil; n++ {
			err = s.step(ctx, j, n)
		}
		if err = errors.Join(err, j.Close(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// newScript is a load on a new disk.
func newScript(t *testing.T, p pace) *script {
	t.Helper()
	dir := inMemory(t)
	disk, err := faultfs.New(dir)
	must(t, err)
	t.Cleanup(disk.Close)
	return &script{disk: disk, path: filepath.Join(dir, "journal.db"), pace: p}
}

// lay writes the files that a crash left into a folder, and returns the
// journal's path.
func lay(t *testing.T, dir string, image map[string][]byte) string {
	t.Helper()
	old, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range old {
		must(t, os.Remove(filepath.Join(dir, e.Name())))
	}
	for name, b := range image {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return filepath.Join(dir, "journal.db")
}

// survived opens what a crash left and compares it with what was acknowledged.
func survived(t *testing.T, path string, m moment) (err error) {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close(context.WithoutCancel(t.Context()))) }()
	for n := 1; n <= m.intents; n++ {
		r, ok, err := j.Lookup(t.Context(), fmt.Sprint("t-", n))
		if !ok || err != nil || r.OrderID != int64(n) || r.Order == nil {
			return errors.Join(fmt.Errorf("intent %d of %d acknowledged ones is lost: %+v", n, m.intents, r.Order), err)
		}
	}
	b, err := j.Load(t.Context(), "", 1<<20)
	if err != nil {
		return err
	}
	if n := len(b.Sent); n < m.intents || n > m.intents+1 {
		return fmt.Errorf("%d intents, %d were acknowledged", n, m.intents)
	}
	if n := len(b.Fills); n < m.fills || n > m.fills+1 {
		return fmt.Errorf("%d executions, %d were acknowledged", n, m.fills)
	}
	for i, f := range b.Fills {
		if f.ExecID != fmt.Sprint("e", i+1) || f.Commission == nil {
			return fmt.Errorf("execution %d is %s with commission %v: a group was stored by half", i+1, f.ExecID, f.Commission)
		}
	}
	if err := j.Intend(t.Context(), placed(len(b.Sent)+1)); err != nil {
		return fmt.Errorf("it does not go on: %w", err)
	}
	if err := j.testify(); err != nil || !*long && len(b.Sent)%3 != 0 { // the opening looked at all rows
		return err
	}
	_, err = Verify(t.Context(), path)
	return err
}

// TestPowerLossAtEveryCallKeepsWhatWasAcknowledged cuts the power at every call
// that changes a file, of a load with two starts, a checkpoint and two
// witnesses. Of what was not flushed a part is lost by the seed: at each call
// one way to lose it, or with -journal.long all of them with eight seeds. The
// journal opens whole, with all that was acknowledged.
func TestPowerLossAtEveryCallKeepsWhatWasAcknowledged(t *testing.T) {
	s := newScript(t, still)
	must(t, s.run(t.Context()))
	end, first := s.disk.Events(), s.moments[0].events
	if m := s.acked(end); m.intents != scriptIntents || m.fills != scriptFills || end-first < 100 {
		t.Fatalf("the load acknowledged %+v in %d events", m, end)
	}
	making, living := 5, 1 // strides: the file's making acknowledges nothing
	switch {
	case *long:
		making = 1
	case racing:
		t.Log("the race detector makes this slow: every 20th call; scripts/test.sh tries all in its stage damage")
		making, living = 20, 20
	}
	dir, tried := inMemory(t), 0
	for at := 0; at <= end; at++ {
		if at < first && at%making != 0 || at >= first && at%living != 0 {
			continue
		}
		for loss := range faultfs.Losses {
			for seed := range uint64(8) {
				if !*long && (seed > 0 || int(loss) != tried%int(faultfs.Losses)) {
					continue
				}
				if err := survived(t, lay(t, dir, s.disk.Crash(at, loss, seed, nil)), s.acked(at)); err != nil {
					t.Errorf("power lost at event %d (%s), loss %v, seed %d: %v", at, s.disk.Event(at), loss, seed, err)
				}
			}
		}
		tried++
	}
	t.Logf("power lost at %d of %d calls, of which the first %d make the file", tried, end, first)
}

// TestPowerLossOnADiskThatLies lets the disk pretend to flush SQLite's files
// from some event on, while it keeps the witness. Then acknowledged rows are
// lost; the next opening has all that the witness knows, or says what is
// missing.
func TestPowerLossOnADiskThatLies(t *testing.T) {
	unwatched(t)
	s := newScript(t, still)
	must(t, s.run(t.Context()))
	dir, said, whole := inMemory(t), 0, 0
	stride := 13
	if *long {
		stride = 1
	}
	end := s.disk.Events()
	for from := 0; from < end; from += stride {
		lie := func(event int, name string) bool { return event >= from && name != "journal.witness.new" }
		for at := from; at <= end; at += 7 * stride {
			loss := faultfs.Loss(at % int(faultfs.Losses))
			image := s.disk.Crash(at, loss, uint64(from), lie) //nolint:gosec // not negative
			path := lay(t, dir, image)
			w, err := readWitness(path)
			must(t, err)
			j, err := Open(path)
			if err != nil {
				if said++; !noticed(err) {
					t.Errorf("lies from %d, power lost at %d (%s), loss %v: %v", from, at, s.disk.Event(at), loss, err)
				}
				continue
			}
			whole++
			if w != nil && j.ledger.Count < w.Count {
				t.Errorf("lies from %d, power lost at %d: %d rows of %d, and nothing is said", from, at, j.ledger.Count, w.Count)
			}
			shut(t, j)
		}
	}
	if said == 0 || whole == 0 {
		t.Errorf("%d were noticed, %d opened", said, whole)
	}
	t.Logf("%d were noticed, %d had all that the witness knew", said, whole)
}

// A disk that the system remounts read-only under a running journal, as it does
// after an error: entries stop, what was acknowledged is there, and the journal
// goes on when the disk is writable again.
func TestReadOnlyWhileRunningIsASaidStateAndMends(t *testing.T) {
	s := newScript(t, pace{mend: time.Millisecond, witness: time.Hour})
	j, err := s.begin()
	must(t, err)
	defer shut(t, j)
	must(t, s.step(t.Context(), j, 1))
	s.disk.Arm(&faultfs.Fault{At: s.disk.Calls(), Err: syscall.EROFS, Last: true})
	if err := s.step(t.Context(), j, 2); !errors.Is(err, ErrDisk) && !errors.Is(err, ErrReadOnly) {
		t.Errorf("an intent on a read-only disk: %v", err)
	}
	for f := j.Failure(); f.Kind != ErrReadOnly; f = j.Failure() { // the first write says only that it failed; opening the file anew says why
		if t.Context().Err() != nil {
			t.Fatalf("the state is %+v", f)
		}
		runtime.Gosched()
	}
	if f := j.Failure(); !f.Mends || !strings.Contains(f.Err.Error(), "mounted for writing") {
		t.Errorf("the state is %+v", f)
	}
	if err := s.step(t.Context(), j, 2); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a second intent on a read-only disk: %v", err)
	}
	if err := survived(t, lay(t, inMemory(t), s.disk.Crash(s.disk.Events(), faultfs.Drop, 1, nil)), s.now); err != nil {
		t.Error(err)
	}
	s.disk.Arm(nil)
	restored(t, j)
	must(t, s.step(t.Context(), j, 2))
	if j.Failure() != nil {
		t.Errorf("it works, and the state is %+v", j.Failure())
	}
}

// TestFaultAtEveryCallStopsAndKeepsWhatWasAcknowledged makes every call fail
// that changes a file, one after the other: once or from then on, with a full,
// failing or read-only disk, a write also half way. The journal says so,
// acknowledges nothing that is not durable even when the power is lost then, and
// goes on by itself where it says that it will.
func TestFaultAtEveryCallStopsAndKeepsWhatWasAcknowledged(t *testing.T) {
	unwatched(t)
	s := newScript(t, still)
	must(t, s.run(t.Context()))
	calls := s.disk.Calls()
	var ways []faultfs.Fault
	for _, err := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		for way := range 4 {
			ways = append(ways, faultfs.Fault{Err: err, Last: way&1 != 0, Half: way&2 != 0})
		}
	}
	dir, mended, ended := inMemory(t), 0, 0
	stride := 7 // prime to the ways
	if *long {
		stride = 1
	}
	for at := 0; at < calls; at += stride {
		for i, f := range ways {
			if !*long && i != at/stride%len(ways) {
				continue
			}
			f.At = at
			m, err := fail(t, f, dir)
			if err != nil {
				t.Errorf("call %d fails, %v, lasting %v, half %v: %v", at, f.Err, f.Last, f.Half, err)
			}
			if m {
				mended++
			} else {
				ended++
			}
		}
	}
	if mended == 0 || ended == 0 {
		t.Errorf("%d went on by themselves, %d did not", mended, ended)
	}
	t.Logf("every %d. of %d calls: %d times it went on by itself, %d times it takes a start", stride, calls, mended, ended)
}

// fail runs the load with a fault, to its end if the journal goes on when the
// fault is over.
func fail(t *testing.T, f faultfs.Fault, dir string) (mended bool, err error) {
	t.Helper()
	s := newScript(t, pace{mend: time.Millisecond, witness: time.Hour})
	defer s.disk.Close()
	s.disk.Arm(&f)
	check := func(what string) error {
		for _, loss := range []faultfs.Loss{faultfs.Drop, faultfs.Sector} {
			path := lay(t, dir, s.disk.Crash(s.disk.Events(), loss, 1, nil))
			if err := survived(t, path, s.now); err != nil {
				return fmt.Errorf("%s, then the power is lost, loss %v: %w", what, loss, err)
			}
		}
		return nil
	}
	for n, last := 1, 3; n <= scriptIntents; last = scriptIntents {
		j, err := s.begin()
		if err != nil {
			if s.disk.Hit() == 0 {
				return mended, err
			}
			if err := check("no start"); err != nil {
				return mended, err
			}
			s.disk.Arm(nil)
			continue
		}
		for n <= last && err == nil {
			if err = s.step(t.Context(), j, n); err == nil {
				n++
				continue
			}
			if s.disk.Hit() == 0 {
				return mended, errors.Join(err, j.Close(t.Context()))
			}
			if err := check("stopped"); err != nil {
				return mended, errors.Join(err, j.Close(t.Context()))
			}
			on, wrong := goesOn(j, f.Err, func() { s.disk.Arm(nil) })
			if wrong != nil {
				return mended, errors.Join(fmt.Errorf("after %w: %w", err, wrong), j.Close(t.Context()))
			}
			if mended = mended || on; on {
				err = nil
			}
		}
		_ = j.Close(t.Context()) // an error in it is met by the next start
		if n <= scriptIntents && err != nil {
			s.disk.Arm(nil)
		}
	}
	return mended, check("the end")
}

// goesOn looks at how the journal tells of a failure, ends its cause, and waits
// until the journal goes on, or says that it will not.
func goesOn(j *Journal, cause syscall.Errno, end func()) (mended bool, err error) {
	f := j.Failure()
	if f != nil {
		if f.Kind == nil || f.Err == nil || f.Since.IsZero() || cause == syscall.ENOSPC && f.Kind != ErrFull && f.Mends {
			return false, fmt.Errorf("the failure is told as %+v", f)
		}
	}
	end()
	deadline := time.After(30 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-j.Restored():
			return true, nil
		case <-look.C:
			if f := j.Failure(); f != nil && !f.Mends {
				return false, nil
			}
		case <-deadline:
			return false, fmt.Errorf("it does not go on: %+v", j.Failure())
		}
	}
}
