package journal

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"robotrader/broker"
	"robotrader/services/event"
)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	path  string
	db    *sql.DB
	ctx   context.Context // without an end: a commit is not to be interrupted half way
	write *sql.Conn       // guarded by lock
	check *sql.Conn       // for checkpoints, of the recorder alone
	log   handle          // the write-ahead log, to flush it
	disk  disk
	pace  pace

	ledger  ledger // guarded by lock
	tip     tip
	witness sync.Mutex // held while the witness is written

	lock    chan struct{} // holds a token while nobody writes
	waiting atomic.Int32  // intents that want the lock: the recorder gives way
	flushes atomic.Uint64 // intents committed, each with a flush of all before it
	insert  *sql.Stmt
	find    *sql.Stmt

	queue *queue
	marks marks
	took  took
	done  chan struct{} // closed when the recorder has gone

	stalled  atomic.Pointer[Failure] // a foreign lock that the recorder waits for
	restored chan struct{}

	unwatch chan struct{} // closed to end the witness's goroutine
	watched chan struct{} // closed when it has gone
}

// openWait bounds Open: a file of a million intents opens in well under it.
const openWait = 10 * time.Second

// Open opens the journal in the file path, or makes it. The folder must be
// there. One process writes a journal; whoever starts two locks the folder.
func Open(path string) (*Journal, error) {
	return openOn(path, system{}, ordinary)
}

// create makes the file, for its owner alone, if it is not there. A file that
// is there is not opened: closing it would drop the locks that this process
// holds on it.
func create(on disk, path string) error {
	f, err := on.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("journal %s: create: %w: %w; check owner and permissions of the folder and the space on its disk", path, ErrReadOnly, err)
	}
	return nil
}

// prepare makes everything that Open needs of the file.
func (j *Journal) prepare(ctx context.Context) (err error) {
	if j.write, err = j.db.Conn(ctx); err != nil {
		return err
	}
	if err = migrate(j.ctx, j.write); err != nil { // a large old file takes its time
		return err
	}
	if j.check, err = j.db.Conn(ctx); err != nil {
		return err
	}
	if j.log, err = j.disk.OpenFile(j.path+"-wal", os.O_RDWR|os.O_CREATE); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err) // nothing was written: a later try may work
	}
	if err = j.trust(ctx); err != nil {
		return err
	}
	if err = j.settle(ctx); err != nil {
		return err
	}
	if j.insert, err = j.write.PrepareContext(ctx, tables[intents].insert()); err != nil {
		return err
	}
	j.find, err = j.write.PrepareContext(ctx, findIntent)
	return err
}

// Path returns the file's path.
func (j *Journal) Path() string { return j.path }

// Intend stores an intent, its decision and the order it makes in one
// transaction. An allowed one is durable when Intend returns nil; a refused
// one is queued. An id that is stored already gives a
// [*broker.DuplicateIntentError] and stores nothing. When ctx ends before the
// write begins, nothing is stored and the error says so.
func (j *Journal) Intend(ctx context.Context, r broker.IntentRecord) error {
	args, err := intentArgs(&r)
	if err != nil {
		return fmt.Errorf("journal %s: intent %.60q: %w", j.path, r.Intent.ID, err)
	}
	if !r.Decision.Allowed {
		return j.refuse(ctx, r, args)
	}
	if err := j.queue.reserve(ctx); err != nil {
		return j.ended("store an intent", err)
	}
	j.waiting.Add(1)
	err = j.acquire(ctx)
	j.waiting.Add(-1)
	if err != nil {
		j.queue.release()
		return j.ended("store an intent", err)
	}
	j.marks.note(r.Account, r.ClientID, r.OrderID) // also of what fails: a number is used once
	began := time.Now()
	err = j.commitIntent(r.Intent.ID, args)
	if err == nil {
		j.took.intent.add(time.Since(began))
		j.flushes.Add(1)
		seq := j.ledger.seq[intents]
		j.tip.reached(j.ledger.Witness) // its flush covers all before it
		j.queue.fillQuietly(item{settles: seq, rec: broker.Record{Wall: r.Wall, Market: r.Decision.At, Order: cmp.Or(r.Order, r.Changed)}})
		j.lock <- struct{}{}
		return nil
	}
	defer func() { j.lock <- struct{}{} }()
	j.queue.release()
	if dup, ok := j.duplicate(r.Intent.ID, err); ok {
		return dup
	}
	err = failed(j.path, "store an intent", err)
	if !errors.Is(err, ErrLocked) {
		j.queue.fail(err)
	} else if j.stall(err) {
		j.queue.wake() // the recorder finds out when the lock is gone
	}
	return err
}

// commitIntent is the one durable write before an order. The caller has the
// lock. A refused intent of the same id may still be queued; it is stored
// already as far as anybody may know.
func (j *Journal) commitIntent(id string, args []any) error {
	if _, queued := j.queue.refused(id); queued {
		return errQueued
	}
	row, after, err := j.ledger.seal(intents, args)
	if err != nil {
		return err
	}
	if _, err = j.insert.ExecContext(j.ctx, row...); err == nil {
		j.ledger = after
	}
	return err
}

var errQueued = errors.New("queued already")

// refuse queues a refused intent unless its id is known.
func (j *Journal) refuse(ctx context.Context, r broker.IntentRecord, args []any) error {
	stored, ok, err := j.Lookup(ctx, r.Intent.ID)
	if err != nil {
		return err
	}
	if ok {
		return &broker.DuplicateIntentError{Stored: stored}
	}
	if err := j.queue.reserveRefusal(ctx); err != nil {
		return j.ended("queue a refused intent", err)
	}
	j.queue.fill(item{refused: &r, args: args})
	return nil
}

// duplicate finds what is stored when an INSERT failed for its id. The caller
// has the lock.
func (j *Journal) duplicate(id string, err error) (*broker.DuplicateIntentError, bool) {
	if !errors.Is(err, errQueued) && primary(err) != codeConstraint {
		return nil, false
	}
	stored, ok, err := j.lookup(id)
	if err != nil || !ok {
		return nil, false
	}
	return &broker.DuplicateIntentError{Stored: stored}, true
}

// intentRoom is what an intent, its decision and its order take in JSON, about.
const intentRoom = 3 << 10

// intentArgs returns the values of an intent's row. The JSON is one text that
// is cut into three: it is on every order's way, where each allocation is
// memory that no cache holds.
func intentArgs(r *broker.IntentRecord) ([]any, error) {
	b, err := event.AppendIntent(make([]byte, 0, intentRoom), &r.Intent)
	if err != nil {
		return nil, err
	}
	intent := len(b)
	if b, err = event.AppendDecision(b, &r.Decision); err != nil {
		return nil, err
	}
	decision := len(b)
	o := cmp.Or(r.Order, r.Changed) // the column made holds either; the intent's action tells which
	if o != nil {
		if b, err = event.AppendOrder(b, o); err != nil {
			return nil, err
		}
	}
	text := string(b)
	var made any
	if o != nil {
		made = text[decision:]
	}
	return []any{
		r.Intent.ID, r.Wall.UnixNano(), r.Account, r.ClientID, r.OrderID, r.Decision.Allowed, text[:intent], text[intent:decision], made,
	}, nil
}

// findIntent finds an intent and the newest state of its order. The key is
// that of orderKey.
const findIntent = `SELECT i.wall, i.account, i.client_id, i.order_id, i.intent, i.decision, coalesce(e.data, i.made)
	FROM intents i
	LEFT JOIN orders o ON i.made IS NOT NULL AND o.key = i.client_id || '/' || i.order_id || '/' || i.id
	LEFT JOIN order_events e ON e.seq = o.last
	WHERE i.id = ?`

// Lookup returns what is stored for an intent's id, with the newest state of
// its order as far as it is written; ok is false when nothing is stored.
func (j *Journal) Lookup(ctx context.Context, id string) (r broker.IntentRecord, ok bool, err error) {
	j.waiting.Add(1)
	err = j.acquire(ctx)
	j.waiting.Add(-1)
	if err != nil {
		return r, false, j.ended("look up an intent", err)
	}
	defer func() { j.lock <- struct{}{} }()
	return j.lookup(id)
}

// lookup is Lookup for who has the lock.
func (j *Journal) lookup(id string) (r broker.IntentRecord, ok bool, err error) {
	if r, ok := j.queue.refused(id); ok {
		return r, true, nil
	}
	r, err = scanIntent(j.find.QueryRowContext(j.ctx, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return broker.IntentRecord{}, false, nil
	}
	return r, err == nil, failed(j.path, "look up an intent", err)
}

// acquire takes the lock on the writing connection, unless the journal has
// failed, or ctx ends first.
func (j *Journal) acquire(ctx context.Context) error {
	if err := j.queue.broken(); err != nil {
		return err
	}
	select {
	case <-j.lock:
		return j.stillWorks()
	default:
	}
	select {
	case <-j.lock:
		return j.stillWorks()
	case <-ctx.Done():
		return fmt.Errorf("nothing was stored: %w", context.Cause(ctx))
	}
}

// stillWorks gives the lock back when the journal failed while it was waited
// for: there may be no connection.
func (j *Journal) stillWorks() error {
	_, err := j.queue.fault()
	if err != nil {
		j.lock <- struct{}{}
	}
	return err
}

func (j *Journal) ended(op string, err error) error {
	return fmt.Errorf("journal %s: %s: %w", j.path, op, err)
}

// Close writes what is queued, makes it durable and closes the file. It
// returns when that is done or ctx has ended; what could not be written then
// is lost, and the error says so. It may be called twice.
func (j *Journal) Close(ctx context.Context) error {
	first := j.queue.close()
	select {
	case <-j.done:
	case <-ctx.Done():
		return fmt.Errorf("journal %s: close: the recorder has not ended, %d records wait: %w", j.path, j.queue.len(), context.Cause(ctx))
	}
	if !first {
		return nil
	}
	close(j.unwatch)
	<-j.watched
	var errs []error
	if err := j.queue.broken(); !errors.Is(err, ErrClosed) {
		errs = append(errs, err)
	} else {
		errs = append(errs, j.testify())
	}
	<-j.lock // for good: nobody writes any more
	return errors.Join(append(errs, j.closeFile()...)...)
}

// marks are the highest order numbers since Open, by account and client id.
type marks struct {
	mu  sync.Mutex // guards top
	top map[markKey]int64
}

type markKey struct {
	account string
	client  int
}

func (m *marks) note(account string, client int, id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.top == nil {
		m.top = map[markKey]int64{}
	}
	k := markKey{account, client}
	m.top[k] = max(m.top[k], id)
}

func (m *marks) get(account string, client int) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if account != "" {
		return m.top[markKey{account, client}]
	}
	var top int64
	for k, id := range m.top {
		if k.client == client {
			top = max(top, id)
		}
	}
	return top
}
