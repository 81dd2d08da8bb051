package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/task/crash"
)

const (
	group = 256 // records of one transaction at most
	// gather is how long the recorder lets records come together. It begins
	// after the order went out, so nobody waits for it.
	gather = 2 * time.Millisecond
	// again is when a write is tried again that a foreign lock prevented.
	again = 50 * time.Millisecond
	// logSize is how long the log may grow before a checkpoint, bytes.
	logSize = 4 << 20
	page    = 4096 // of the log: what a statement writes at least

	keepFirst  = 1000 // account values from which the executions count
	keepValues = 200_000
	keepLinks  = 50_000
	// pruneEvery is how many rows may come before old ones are looked for.
	pruneEvery = 1000
)

// Record queues records, in order. The recorder writes them within moments, in
// groups. When the queue is full Record waits until ctx ends; nothing is
// dropped silently. An error means that the journal cannot keep its promise
// any more, also for records queued before.
func (j *Journal) Record(ctx context.Context, rs ...broker.Record) error {
	if len(rs) == 0 {
		return nil
	}
	items := make([]item, 0, len(rs))
	for _, r := range rs {
		if r.Order != nil {
			j.marks.note(r.Order.Account, r.Order.ClientID, r.Order.OrderID)
		}
		items = append(items, item{rec: r})
	}
	if err := j.queue.reserve(ctx); err != nil {
		return j.ended("record", err)
	}
	j.queue.fill(items...)
	return nil
}

// RecordLink queues a state of the link for its timeline, like Record.
func (j *Journal) RecordLink(ctx context.Context, l broker.Link) error {
	if err := j.queue.reserve(ctx); err != nil {
		return j.ended("record the link", err)
	}
	j.queue.fill(item{link: &l})
	return nil
}

// Sync returns when all that was recorded before it is durable.
func (j *Journal) Sync(ctx context.Context) error {
	if err := j.queue.reserve(ctx); err != nil {
		return j.ended("sync", err)
	}
	synced := make(chan struct{})
	down := j.queue.failing()
	j.queue.fill(item{synced: synced})
	select {
	case <-synced:
		return nil
	case <-down:
		_, err := j.queue.fault()
		if err == nil {
			err = errors.New("the journal failed meanwhile; ask again")
		}
		return j.ended("sync", err)
	case <-j.done:
		select {
		case <-synced:
			return nil
		default:
		}
		if err := j.queue.broken(); err != nil {
			return j.ended("sync", err)
		}
		return j.ended("sync", ErrClosed)
	case <-ctx.Done():
		return j.ended("sync", context.Cause(ctx))
	}
}

// recorder writes the queue until the journal is closed or fails.
func (j *Journal) recorder() {
	defer close(j.done)
	w := &writer{j: j, stmts: map[string]*sql.Stmt{}, values: map[[3]string]string{}}
	for t := range tables {
		w.inserts[t] = tables[t].insert()
	}
	defer w.close()
	timer := time.NewTimer(0)
	<-timer.C
	for {
		if !j.queue.hasty() {
			<-j.queue.kick
			if !j.queue.hasty() {
				timer.Reset(gather)
				<-timer.C
			}
		}
		if _, err := j.queue.fault(); err != nil {
			if !j.mend(w) {
				return
			}
			continue
		}
		items, closed := j.queue.take(group)
		if len(items) == 0 && closed && j.queue.idle() {
			return
		}
		if len(items) == 0 {
			switch {
			case closed:
				<-j.queue.kick // somebody has a place reserved and will fill or release it
			case j.stalled.Load() != nil && !j.unlocked():
				timer.Reset(again)
				<-timer.C
				j.queue.wake()
			}
			continue
		}
		n, err := w.write(items)
		j.queue.wrote(items, n)
		if err == nil {
			err = w.tidy(items[:n])
		}
		switch {
		case err == nil:
			j.stalled.Store(nil)
		case errors.Is(err, ErrLocked) && !closed:
			j.stall(err)
			timer.Reset(again)
			<-timer.C
		default:
			j.queue.fail(err)
		}
	}
}

// writer is the recorder's state. It belongs to the recorder's goroutine.
type writer struct {
	j       *Journal
	stmts   map[string]*sql.Stmt
	inserts [tableCount]string
	values  map[[3]string]string // account, key, currency → newest value
	rows    int                  // of bounded tables since the last pruning
	settled int64                // newest intent of this group whose order is written, 0 = none
	logged  int                  // about what the log got since the last checkpoint, bytes
}

// close forgets all that belongs to one opening of the file.
func (w *writer) close() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	clear(w.stmts)
	clear(w.values)
	w.settled = 0
}

// write writes items in one transaction and makes them durable; tidy follows.
// It returns how many it wrote: fewer when an intent waited for the lock.
func (w *writer) write(items []item) (n int, err error) {
	j := w.j
	<-j.lock
	crash.At("group_before_commit")
	began := time.Now()
	n, err = w.commit(items)
	crash.At("group_before_flush")
	flushes, reached := j.flushes.Load(), j.ledger.Witness
	j.lock <- struct{}{}
	if err != nil {
		clear(w.values) // what was rolled back is not there
		return 0, failed(j.path, "record", err)
	}
	if j.waiting.Load() > 0 { // its flush is ours, too; do not stand in its way
		<-j.lock
		j.lock <- struct{}{}
	}
	if j.flushes.Load() == flushes {
		if err := j.log.Sync(); err != nil {
			return n, fmt.Errorf("journal %s: flush: %w: %w; check the disk and the system's log, then start again", j.path, ErrDisk, err)
		}
	}
	j.took.group.add(time.Since(began))
	j.tip.reached(reached)
	return n, nil
}

// commit writes one group without a flush. The caller has the lock.
func (w *writer) commit(items []item) (n int, err error) {
	if err := w.run("PRAGMA synchronous=NORMAL"); err != nil {
		return 0, err
	}
	before := w.j.ledger
	defer func() {
		if err != nil {
			w.j.ledger = before
		}
		err = errors.Join(err, w.run("PRAGMA synchronous=FULL"))
	}()
	if err := w.run("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	for _, it := range items {
		if err := w.item(it); err != nil {
			return 0, errors.Join(err, w.run("ROLLBACK"))
		}
		if n++; w.j.waiting.Load() > 0 {
			break
		}
	}
	if w.settled > 0 {
		if err := w.exec("UPDATE meta SET value=? WHERE key='settled'", w.settled); err != nil {
			return 0, errors.Join(err, w.run("ROLLBACK"))
		}
		w.settled = 0
	}
	if err := w.run("COMMIT"); err != nil {
		return 0, errors.Join(err, w.run("ROLLBACK"))
	}
	return n, nil
}

// tidy does what follows a durable group: it tells who waited, and now and
// then prunes and moves the log into the file.
func (w *writer) tidy(items []item) error {
	crash.At("group_after_flush")
	for _, it := range items {
		if it.synced != nil {
			close(it.synced)
		}
	}
	// The file's size says nothing: the log is used again from its beginning,
	// and never gets smaller.
	if w.logged < logSize {
		return nil
	}
	w.logged = 0
	// What a checkpoint cannot do now, because of readers, the next one does.
	_, err := w.j.check.ExecContext(w.j.ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err = failed(w.j.path, "checkpoint", err); errors.Is(err, ErrLocked) {
		return nil
	}
	return err
}

// run executes what is no statement to keep.
func (w *writer) run(text string) error {
	_, err := w.j.write.ExecContext(w.j.ctx, text)
	return err
}

// stmt returns a statement that is prepared once.
func (w *writer) stmt(text string) (*sql.Stmt, error) {
	s := w.stmts[text]
	if s == nil {
		var err error
		if s, err = w.j.write.PrepareContext(w.j.ctx, text); err != nil {
			return nil, err
		}
		w.stmts[text] = s
	}
	return s, nil
}

// add adds a row to a table.
func (w *writer) add(t int, values ...any) error {
	row, after, err := w.j.ledger.seal(t, values)
	if err != nil {
		return err
	}
	if err := w.exec(w.inserts[t], row...); err != nil {
		return err
	}
	w.j.ledger = after
	return nil
}

// newest returns the columns of the newest row for an execution, nil when
// there is none.
func (w *writer) newest(t int, execID string) ([]any, error) {
	s, err := w.stmt(tables[t].read("WHERE exec_id = ? ORDER BY seq DESC LIMIT 1"))
	if err != nil {
		return nil, err
	}
	row, err := scanRow(&tables[t])(s.QueryRowContext(w.j.ctx, execID).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return row[1 : 1+tables[t].width], nil
}

// learn fills what a row does not know from a newer one, at the given columns,
// and reports whether there was anything. Unknown is NULL, "" or 0.
func learn(row, newer []any, columns ...int) (learnt bool) {
	for _, c := range columns {
		unknown := row[c] == nil || row[c] == "" || row[c] == int64(0)
		if unknown && newer[c] != nil && newer[c] != "" && newer[c] != int64(0) {
			row[c], learnt = newer[c], true
		}
	}
	return learnt
}

// exec executes a statement that is prepared once.
func (w *writer) exec(text string, args ...any) error {
	s, err := w.stmt(text)
	if err != nil {
		return err
	}
	w.logged += page
	for _, a := range args {
		if text, ok := a.(string); ok {
			w.logged += len(text)
		}
	}
	_, err = s.ExecContext(w.j.ctx, args...)
	return err
}

func (w *writer) item(it item) error {
	if it.settles > 0 {
		w.logged += 2 * page // the intent itself: a row and its index
		w.settled = it.settles
	}
	if it.refused != nil {
		return w.refused(it)
	}
	if it.link != nil {
		return w.link(*it.link)
	}
	r := it.rec
	switch {
	case r.Order != nil:
		return w.order(r, *r.Order)
	case r.Fill != nil:
		return w.fill(r, *r.Fill)
	case r.Commission != nil:
		return w.commission(r.Wall, *r.Commission)
	case r.Values != nil:
		return w.account(r)
	case r.Mode != nil:
		m := r.Mode
		return w.add(modes, r.Wall.UnixNano(), stamp(r.Market), string(m.Mode), m.Reason, stamp(m.Since), m.Flatten)
	case r.Finding != nil:
		f := r.Finding
		return w.add(findings, r.Wall.UnixNano(), stamp(r.Market), f.Kind, string(f.Symbol), f.Ref, f.Ours, f.Theirs, f.Explained,
			f.Evidence, f.Done, stamp(f.At))
	}
	return nil
}

// refused stores a refused intent, unless its id came to the file another way.
func (w *writer) refused(it item) error {
	s, err := w.stmt("SELECT count(*) FROM intents WHERE id = ?")
	if err != nil {
		return err
	}
	var known int
	if err := s.QueryRowContext(w.j.ctx, it.args[0]).Scan(&known); err != nil || known > 0 {
		return err
	}
	return w.add(intents, it.args...)
}

// orderKey identifies an order for its life. Ours have number and reference
// from the beginning; one made elsewhere may have only the venue's number.
// findIntent builds the same.
func orderKey(o order.Order) string {
	if o.OrderID != 0 {
		return fmt.Sprintf("%d/%d/%s", o.ClientID, o.OrderID, o.Ref)
	}
	return fmt.Sprintf("perm/%d/%s", o.PermID, o.Ref)
}

func (w *writer) order(r broker.Record, o order.Order) error {
	data, err := event.AppendOrder(nil, &o)
	if err != nil {
		return err
	}
	if err := w.add(orderEvents,
		r.Wall.UnixNano(), stamp(r.Market), o.State.String(), string(data)); err != nil {
		return err
	}
	return w.exec(setNewest, newestArgs(o, w.j.ledger)...)
}

// fill stores an execution. A second one with its id adds only what the first
// did not know.
func (w *writer) fill(r broker.Record, f order.Fill) error {
	row := []any{
		f.ExecID, w.j.ledger.seq[executions] + 1, r.Wall.UnixNano(), stamp(f.At), f.Account, string(f.Symbol), string(f.Side), f.Qty.String(),
		f.Price.String(), f.Exchange, f.Ref, f.OrderID, f.PermID, int64(f.ClientID),
	}
	known, err := w.newest(executions, f.ExecID)
	const at, exchange, ref, orderID, permID = 3, 9, 10, 11, 12
	switch {
	case err != nil:
	case known == nil:
		err = w.add(executions, row...)
	case learn(known, row, at, exchange, ref, orderID, permID):
		err = w.add(executions, known...)
	}
	if err != nil || f.Commission == nil {
		return err
	}
	return w.commission(r.Wall, broker.CommissionReport{
		ExecID: f.ExecID, Commission: *f.Commission, Currency: f.Currency, RealizedPNL: f.RealizedPNL,
	})
}

func (w *writer) commission(wall time.Time, c broker.CommissionReport) error {
	row := []any{c.ExecID, wall.UnixNano(), c.Commission.String(), c.Currency, amount(c.RealizedPNL)}
	known, err := w.newest(commissions, c.ExecID)
	const currency, realized = 3, 4
	switch {
	case err != nil:
	case known == nil:
		err = w.add(commissions, row...)
	case learn(known, row, currency, realized):
		err = w.add(commissions, known...)
	}
	return err
}

// amount is an amount as the file holds it, NULL when it is unknown.
func amount(m *market.Money) any {
	if m == nil {
		return nil
	}
	return m.String()
}

// account stores the values that differ from what was stored last.
func (w *writer) account(r broker.Record) error {
	for _, v := range r.Values {
		k := [3]string{v.Account, v.Key, v.Currency}
		if old, ok := w.values[k]; ok && old == v.Value {
			continue
		}
		if err := w.add(accountValues, r.Wall.UnixNano(), stamp(r.Market), v.Account, v.Key, v.Currency, v.Value); err != nil {
			return err
		}
		if len(w.values) >= 4096 { // a venue tells about 150 a currency; this only bounds memory
			clear(w.values)
		}
		w.values[k] = v.Value
		w.rows++
	}
	return w.prune()
}

func (w *writer) link(l broker.Link) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := w.add(links, stamp(l.Since), l.State.String(), l.Rung, l.Cause, l.Advice, l.Attempt, l.Adapter, string(data)); err != nil {
		return err
	}
	w.rows++
	return w.prune()
}

// prune keeps the bounded tables near their bounds.
func (w *writer) prune() error {
	if w.rows < pruneEvery {
		return nil
	}
	w.rows = 0
	return errors.Join(
		w.exec("DELETE FROM account_values WHERE seq > ? AND seq <= (SELECT max(seq) FROM account_values) - ?", keepFirst, keepValues),
		w.exec("DELETE FROM links WHERE seq <= (SELECT max(seq) FROM links) - ?", keepLinks))
}
