package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// mendEvery is how long a failed journal waits between two tries to go on.
const mendEvery = 5 * time.Second

// Failure is why the journal takes nothing at the moment.
type Failure struct {
	// Kind is one of [ErrFull], [ErrReadOnly], [ErrLocked], [ErrDisk],
	// [ErrCorrupt], [ErrLost] and [ErrTampered], nil when it is another fault.
	Kind  error
	Err   error // with the file, what was tried, and the mend
	Since time.Time
	// Mends says that the journal tries every 5 s to go on by itself. Without
	// it a person has to act, and start the program again.
	Mends bool
}

var kinds = []error{ErrFull, ErrReadOnly, ErrLocked, ErrLost, ErrTampered, ErrCorrupt, ErrDisk}

func failureOf(err error, since time.Time) *Failure {
	f := &Failure{Err: err, Since: since, Mends: mends(err)}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kind = kind
			break
		}
	}
	return f
}

// mends reports whether the cause of a failure can go away by itself, and what
// is in the file is known to be good then. After a failed flush it is not: the
// kernel may have dropped what it could not write, and say so only once.
func mends(err error) bool {
	if errors.Is(err, ErrLost) || errors.Is(err, ErrTampered) || errors.Is(err, ErrCorrupt) {
		return false
	}
	return errors.Is(err, ErrFull) || errors.Is(err, ErrReadOnly) || errors.Is(err, ErrLocked) || errors.Is(err, errWrite)
}

// stall makes a foreign lock the journal's state, and reports whether it was
// not before.
func (j *Journal) stall(err error) bool {
	return j.stalled.CompareAndSwap(nil, failureOf(err, time.Now()))
}

// unlocked finds out whether a foreign lock is gone while there is nothing to
// write, and takes the state back then. It is of the recorder.
func (j *Journal) unlocked() bool {
	<-j.lock
	_, err := j.write.ExecContext(j.ctx, "BEGIN IMMEDIATE")
	if err == nil {
		_, err = j.write.ExecContext(j.ctx, "ROLLBACK")
	}
	j.lock <- struct{}{}
	err = failed(j.path, "write again", err)
	switch {
	case err == nil:
		j.stalled.Store(nil)
	case errors.Is(err, ErrLocked):
		return false
	default:
		j.queue.fail(err)
	}
	return true
}

// Failure returns why the journal takes nothing, nil when it works. A foreign
// lock is told as soon as an intent or a record had to wait for it.
func (j *Journal) Failure() *Failure {
	if since, err := j.queue.fault(); err != nil {
		return failureOf(err, since)
	}
	return j.stalled.Load()
}

// Restored gives a word each time that the journal goes on after a failure.
// What was queued before is written then; what Record refused meanwhile is not
// known to the journal, and whoever knows it should record it again.
func (j *Journal) Restored() <-chan struct{} { return j.restored }

// mend tries to go on after a failure until that works, and reports whether it
// did: not when the failure does not mend, or the journal was closed. It is of
// the recorder.
func (j *Journal) mend(w *writer) bool {
	w.close()
	again := time.NewTimer(j.pace.mend)
	defer again.Stop()
	for {
		if _, err := j.queue.fault(); !mends(err) {
			return false
		}
		select {
		case <-again.C:
			again.Reset(j.pace.mend)
		case <-j.queue.kick:
			if j.queue.isClosed() {
				return false
			}
			continue
		}
		<-j.lock
		err := j.reopen()
		j.lock <- struct{}{}
		if err != nil {
			j.queue.worse(err)
			continue
		}
		j.queue.recover()
		select {
		case j.restored <- struct{}{}:
		default: // a word waits already
		}
		return true
	}
}

// reopen opens the file anew and writes to it. The caller has the lock.
func (j *Journal) reopen() error {
	_ = errors.Join(j.closeFile()...) // what it says was said
	ctx, cancel := context.WithTimeout(j.ctx, openWait)
	defer cancel()
	if err := j.openFile(ctx); err != nil {
		return err
	}
	_, err := j.write.ExecContext(ctx, "INSERT INTO meta VALUES('mended', ?) ON CONFLICT(key) DO UPDATE SET value=excluded.value", time.Now().UTC().Format(time.RFC3339))
	return failed(j.path, "write again", err)
}

// pageCache is what SQLite keeps of the file for each of the connections, 128 KiB.
// Rows are added at the end, so hardly any page is read twice: SQLite's own 2 MB
// would fill for hours, as the file grows, and save nothing.
const pageCache = "cache_size(-128)"

// openFile opens the file with all that is needed to write to it, or nothing.
func (j *Journal) openFile(ctx context.Context) error {
	if err := create(j.disk, j.path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(j.disk, j.path, "rwc", "busy_timeout(2000)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)", pageCache))
	if err != nil {
		return fmt.Errorf("journal %s: open: %w", j.path, err)
	}
	j.db = db
	if err := j.prepare(ctx); err != nil {
		_ = errors.Join(j.closeFile()...) // the first error counts
		return failed(j.path, "open", ofDisk(err))
	}
	return nil
}

// closeFile closes all that openFile opened.
func (j *Journal) closeFile() (errs []error) {
	keep := func(err error) {
		if err != nil {
			errs = append(errs, failed(j.path, "close", err))
		}
	}
	for _, s := range []**sql.Stmt{&j.insert, &j.find} {
		if *s != nil {
			keep((*s).Close())
			*s = nil
		}
	}
	if j.log != nil {
		keep(j.log.Close())
		j.log = nil
	}
	for _, c := range []**sql.Conn{&j.check, &j.write} {
		if *c != nil {
			keep((*c).Close())
			*c = nil
		}
	}
	if j.db != nil {
		keep(j.db.Close())
		j.db = nil
	}
	return errs
}
