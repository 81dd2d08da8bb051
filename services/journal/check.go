package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"robotrader/broker/order"
	"robotrader/services/journal/chain"
)

const (
	// recent is how many rows of the chain, and of each table outside it, are
	// looked at when a journal is opened: about 50 ms.
	recent = 2000
	// quickSize bounds the file, bytes, whose pages SQLite checks at every
	// opening; of larger ones only Verify asks for it, for it takes as long as
	// the file is large.
	quickSize = 16 << 20
	// atOnce is how many rows are read at once.
	atOnce = 500
)

// checker walks through rows as they are stored.
type checker struct {
	q      querier
	ctx    context.Context //nolint:containedctx // of one call
	next   [tableCount]int64
	wait   [tableCount][][]any
	newest map[string]pointer // orders by key, as their events make them
	start  int64              // rows of the chain before it are passed over
	rows   int64              // looked at
}

// pointer is a row of the table orders.
type pointer struct {
	last  int64
	final bool
}

// check looks at the chain from its row number from on, and at the tables
// outside it from the newest rows before their end. It compares with the
// witness, which must not be newer than the file's snapshot.
func check(ctx context.Context, q querier, end ledger, from int64, w *chain.Witness) (rows int64, err error) {
	c := &checker{q: q, ctx: ctx, newest: map[string]pointer{}}
	if w != nil && w.Count < from {
		from = w.Count
	}
	from = max(from, 1)
	whole := from == 1
	c.start = from - 1
	if w != nil && w.Count > end.Count {
		return 0, fmt.Errorf("%w: %d rows are here, and %d were durable", ErrLost, end.Count, w.Count)
	}
	for i := range tables {
		// The newest rows of the chain are among as many newest ones of a table.
		c.next[i] = max(end.seq[i]-(end.Count-from+2), 0)
		if !tables[i].chained && !whole {
			c.next[i] = max(end.seq[i]-recent, 0)
		}
		if whole {
			c.next[i] = -1 << 63
		}
	}
	if whole {
		c.start = -1 << 63
	}
	if err := c.chain(from, end.Count, w); err != nil {
		return c.rows, err
	}
	for i := range tables {
		for !tables[i].chained {
			if row, err := c.head(i); row == nil || err != nil {
				if err != nil {
					return c.rows, err
				}
				break
			}
			c.drop(i)
		}
	}
	return c.rows, c.orders(whole)
}

// head returns the next row of a table, nil at its end. It has its check sum.
func (c *checker) head(i int) ([]any, error) {
	for {
		row, err := c.read(i)
		if row == nil || err != nil || !tables[i].chained || row[1+tables[i].width].(int64) >= c.start {
			return row, err
		}
		c.drop(i)
	}
}

func (c *checker) read(i int) ([]any, error) {
	t := &tables[i]
	if len(c.wait[i]) == 0 {
		rows, err := collect(c.ctx, c.q, scanRow(t), t.read("WHERE seq > ? ORDER BY seq LIMIT ?"), c.next[i], atOnce)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, nil
		}
		c.wait[i] = rows
	}
	row := c.wait[i][0]
	sum := 1 + t.width
	if t.chained {
		sum++
	}
	form, err := t.form(row[:sum])
	if err != nil || row[sum] != chain.Sum(form) {
		return nil, fmt.Errorf("%w: %s row %v is not as it was stored", ErrCorrupt, t.name, row[0])
	}
	return row, nil
}

func (c *checker) drop(i int) {
	c.rows++
	c.next[i] = c.wait[i][0][0].(int64) // an integer, or its check sum were wrong
	c.wait[i] = c.wait[i][1:]
}

// chain follows the chain from row number from to count. The row before from
// is only believed.
func (c *checker) chain(from, count int64, w *chain.Witness) error {
	var prev chain.Hash
	for n := max(from-1, 1); n <= count; n++ {
		i, row, err := c.find(n)
		if err != nil {
			return err
		}
		form, err := tables[i].form(row[:2+tables[i].width])
		if err != nil {
			return err
		}
		stored, ok := row[len(row)-1].([]byte)
		if !ok || len(stored) != len(prev) {
			return fmt.Errorf("%w: %s row %v has no hash", ErrCorrupt, tables[i].name, row[0])
		}
		if n >= from && chain.Next(prev, form) != chain.Hash(stored) {
			return fmt.Errorf("%w: %s row %v does not follow row %d of the chain: one of them was changed", ErrCorrupt, tables[i].name, row[0], n-1)
		}
		prev = chain.Hash(stored)
		if w != nil && n == w.Count && w.Hash != prev {
			return fmt.Errorf("%w: row %d of the chain is another one", ErrTampered, n)
		}
		if i == orderEvents {
			if err := c.event(row); err != nil {
				return err
			}
		}
		c.drop(i)
	}
	for i := range tables {
		if !tables[i].chained {
			continue
		}
		if row, err := c.head(i); row != nil || err != nil {
			return errors.Join(fmt.Errorf("%w: %s has rows behind the end of the chain", ErrCorrupt, tables[i].name), err)
		}
	}
	return nil
}

// find returns the row that is number n of the chain.
func (c *checker) find(n int64) (int, []any, error) {
	for i := range tables {
		if !tables[i].chained {
			continue
		}
		row, err := c.head(i)
		if err != nil {
			return 0, nil, err
		}
		if row != nil && row[1+tables[i].width].(int64) == n {
			return i, row, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: row %d of the chain is missing", ErrCorrupt, n)
}

// event notes what an order's event makes of its row in orders.
func (c *checker) event(row []any) error {
	var o order.Order
	text, _ := row[4].(string)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("%w: order_events row %v: %w", ErrCorrupt, row[0], err)
	}
	c.newest[orderKey(o)] = pointer{row[0].(int64), o.State.Final()}
	return nil
}

// orders compares the table orders with the events.
func (c *checker) orders(whole bool) error {
	type found struct {
		key string
		pointer
		same bool
	}
	all := int64(0)
	if !whole {
		all = 1<<63 - 1
		for _, p := range c.newest {
			all = min(all, p.last)
		}
	}
	list, err := collect(c.ctx, c.q, func(scan func(...any) error) (f found, err error) {
		var data string
		var account string
		var client int
		var id int64
		if err = scan(&f.key, &f.last, &f.final, &account, &client, &id, &data); err != nil {
			return f, err
		}
		var o order.Order
		err = json.Unmarshal([]byte(data), &o)
		f.same = o.Account == account && o.ClientID == client && o.OrderID == id
		return f, err
	}, "SELECT o.key, o.last, o.final, o.account, o.client_id, o.order_id, e.data FROM orders o JOIN order_events e ON e.seq = o.last WHERE o.last >= ?", all)
	if err != nil {
		return err
	}
	for _, f := range list {
		if p, ok := c.newest[f.key]; !ok || p != f.pointer || !f.same {
			return fmt.Errorf("%w: the row of order %.60q in the table orders is not what its events make it", ErrCorrupt, f.key)
		}
		delete(c.newest, f.key)
	}
	for key := range c.newest {
		return fmt.Errorf("%w: order %.60q has events and no row in the table orders", ErrCorrupt, key)
	}
	return nil
}

// pages lets SQLite look at its own structure, quickly or thoroughly.
func pages(ctx context.Context, q querier, pragma string) error {
	says, err := collect(ctx, q, func(scan func(...any) error) (s string, err error) {
		err = scan(&s)
		return s, err
	}, "PRAGMA "+pragma)
	if err == nil && (len(says) != 1 || says[0] != "ok") {
		err = fmt.Errorf("%w: %.500q", ErrCorrupt, says)
	}
	return err
}

// A Report is what [Verify] looked at.
type Report struct {
	Rows    int64 // looked at, each
	Chained int64 // of these in the chain
	Witness bool  // a witness is there, and agrees
}

// Verify looks at every row of the journal in the file path, whether or not a
// trader writes it: SQLite's own structure, each row's check sum, the whole
// chain, the orders' table against their events, and the witness, if there is
// one. It changes nothing. A finding is an [ErrCorrupt], [ErrLost] or
// [ErrTampered].
func Verify(ctx context.Context, path string) (rep Report, err error) {
	w, err := readWitness(path) // first, for it must not be newer than what is read
	if err != nil {
		return rep, failed(path, "verify", err)
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rep, err = verify(ctx, r.db, w)
	return rep, failed(path, "verify", err)
}

func verify(ctx context.Context, db *sql.DB, w *chain.Witness) (rep Report, err error) {
	q, err := db.Conn(ctx)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	if _, err := q.ExecContext(ctx, "BEGIN"); err != nil { // one snapshot
		return rep, err
	}
	defer func() {
		_, e := q.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, e)
	}()
	if err := pages(ctx, q, "integrity_check(5)"); err != nil {
		return rep, err
	}
	end, err := ends(ctx, q)
	if err != nil {
		return rep, err
	}
	rep.Rows, err = check(ctx, q, end, 1, w)
	rep.Chained, rep.Witness = end.Count, w != nil
	return rep, err
}
