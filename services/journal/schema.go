package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// applicationID marks a SQLite file as ours ("rbtr"), so that another
// program's file is not taken for a journal.
const applicationID = 0x72627472

// migrations bring a file from user_version i to i+1. Released ones are never
// changed.
var migrations = [...]string{`
CREATE TABLE intents ( -- one row an intent; written by Intend alone
	seq       INTEGER PRIMARY KEY,
	id        TEXT NOT NULL UNIQUE,
	wall      INTEGER NOT NULL,
	account   TEXT NOT NULL,
	client_id INTEGER NOT NULL,
	order_id  INTEGER NOT NULL,
	allowed   INTEGER NOT NULL,
	intent    TEXT NOT NULL, -- JSON
	decision  TEXT NOT NULL, -- JSON
	made      TEXT           -- JSON of the order that it made, in state intended
);
CREATE TABLE order_events ( -- every state of every order
	seq    INTEGER PRIMARY KEY,
	wall   INTEGER NOT NULL,
	market INTEGER,
	state  TEXT NOT NULL,
	data   TEXT NOT NULL -- JSON
);
CREATE TABLE orders ( -- which event is an order's newest
	seq       INTEGER PRIMARY KEY,
	key       TEXT NOT NULL UNIQUE,
	account   TEXT NOT NULL,
	client_id INTEGER NOT NULL,
	order_id  INTEGER NOT NULL,
	final     INTEGER NOT NULL,
	last      INTEGER NOT NULL REFERENCES order_events(seq)
);
CREATE INDEX orders_by_number ON orders(account, client_id, order_id);
CREATE INDEX orders_alive ON orders(final, seq);
CREATE TABLE executions (
	seq       INTEGER PRIMARY KEY,
	exec_id   TEXT NOT NULL UNIQUE,
	wall      INTEGER NOT NULL,
	at        INTEGER, -- market time
	account   TEXT NOT NULL,
	symbol    TEXT NOT NULL,
	side      TEXT NOT NULL,
	qty       TEXT NOT NULL,
	price     TEXT NOT NULL,
	exchange  TEXT NOT NULL,
	ref       TEXT NOT NULL,
	order_id  INTEGER NOT NULL,
	perm_id   INTEGER NOT NULL,
	client_id INTEGER NOT NULL
);
CREATE TABLE commissions ( -- may come before the execution
	exec_id      TEXT PRIMARY KEY,
	wall         INTEGER NOT NULL,
	commission   TEXT NOT NULL,
	currency     TEXT NOT NULL,
	realized_pnl TEXT
) WITHOUT ROWID;
CREATE TABLE account_values ( -- changes only; the first 1,000 and the newest 200,000
	seq      INTEGER PRIMARY KEY,
	wall     INTEGER NOT NULL,
	market   INTEGER,
	account  TEXT NOT NULL,
	key      TEXT NOT NULL,
	currency TEXT NOT NULL,
	value    TEXT NOT NULL
);
CREATE TABLE modes (
	seq    INTEGER PRIMARY KEY,
	wall   INTEGER NOT NULL,
	market INTEGER,
	mode   TEXT NOT NULL,
	reason TEXT NOT NULL,
	since  INTEGER
);
CREATE TABLE links ( -- the link's timeline; the newest 50,000
	seq     INTEGER PRIMARY KEY,
	since   INTEGER,
	state   TEXT NOT NULL,
	rung    TEXT NOT NULL,
	cause   TEXT NOT NULL,
	advice  TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	adapter TEXT NOT NULL,
	data    TEXT NOT NULL -- JSON
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('settled', '0'); -- intents up to this seq have their row in orders
`, `
-- Rows are only added from now on. n is a row's place in the one chain through
-- all these tables, crc the check sum of the row, hash that of all rows up to it.
ALTER TABLE intents ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE order_events ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE order_events ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE order_events ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE modes ADD COLUMN flatten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modes ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modes ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modes ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE account_values ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions RENAME TO executions_1;
CREATE TABLE executions ( -- the newest row of an exec_id holds all that is known of it
	seq       INTEGER PRIMARY KEY,
	exec_id   TEXT NOT NULL,
	first     INTEGER NOT NULL, -- seq of the first row of the exec_id
	wall      INTEGER NOT NULL,
	at        INTEGER, -- market time
	account   TEXT NOT NULL,
	symbol    TEXT NOT NULL,
	side      TEXT NOT NULL,
	qty       TEXT NOT NULL,
	price     TEXT NOT NULL,
	exchange  TEXT NOT NULL,
	ref       TEXT NOT NULL,
	order_id  INTEGER NOT NULL,
	perm_id   INTEGER NOT NULL,
	client_id INTEGER NOT NULL,
	n         INTEGER NOT NULL DEFAULT 0,
	crc       INTEGER NOT NULL DEFAULT 0,
	hash      BLOB NOT NULL DEFAULT x''
);
INSERT INTO executions (seq, exec_id, first, wall, at, account, symbol, side, qty, price, exchange, ref, order_id, perm_id, client_id)
	SELECT seq, exec_id, seq, wall, at, account, symbol, side, qty, price, exchange, ref, order_id, perm_id, client_id FROM executions_1 ORDER BY seq;
DROP TABLE executions_1;
CREATE INDEX executions_by_id ON executions(exec_id);
ALTER TABLE commissions RENAME TO commissions_1;
CREATE TABLE commissions ( -- may come before the execution; the newest row of an exec_id holds all
	seq          INTEGER PRIMARY KEY,
	exec_id      TEXT NOT NULL,
	wall         INTEGER NOT NULL,
	commission   TEXT NOT NULL,
	currency     TEXT NOT NULL,
	realized_pnl TEXT,
	n            INTEGER NOT NULL DEFAULT 0,
	crc          INTEGER NOT NULL DEFAULT 0,
	hash         BLOB NOT NULL DEFAULT x''
);
INSERT INTO commissions (exec_id, wall, commission, currency, realized_pnl)
	SELECT exec_id, wall, commission, currency, realized_pnl FROM commissions_1 ORDER BY wall, exec_id;
DROP TABLE commissions_1;
CREATE INDEX commissions_by_id ON commissions(exec_id);
CREATE TABLE findings ( -- what a reconciliation found out
	seq       INTEGER PRIMARY KEY,
	wall      INTEGER NOT NULL,
	market    INTEGER,
	kind      TEXT NOT NULL,
	symbol    TEXT NOT NULL,
	ref       TEXT NOT NULL,
	ours      TEXT NOT NULL,
	theirs    TEXT NOT NULL,
	explained INTEGER NOT NULL,
	evidence  TEXT NOT NULL,
	done      TEXT NOT NULL,
	at        INTEGER, -- wall time
	n         INTEGER NOT NULL DEFAULT 0,
	crc       INTEGER NOT NULL DEFAULT 0,
	hash      BLOB NOT NULL DEFAULT x''
);
`, `
-- The intent of a change keeps its order in the column made, too, from here on. A
-- program that does not know that would take it for one that the change made.
UPDATE meta SET value = value WHERE key = 'settled';
`}

// sealed is the schema whose rows got check sums and hashes.
const sealed = 2

// migrate makes the file's schema the newest one.
func migrate(ctx context.Context, c *sql.Conn) error {
	var app, version, tables int
	err := c.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&app, &version, &tables)
	if err != nil {
		return err
	}
	switch {
	case app != applicationID && tables > 0:
		return fmt.Errorf("this is another program's database (application_id %#x); name another data folder", app)
	case version > len(migrations):
		return fmt.Errorf("schema %d is newer than this program, which knows %d; use the newer program", version, len(migrations))
	}
	for v := version; v < len(migrations); v++ {
		if err := step(ctx, c, v); err != nil {
			return fmt.Errorf("schema %d to %d: %w", v, v+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, c *sql.Conn, v int) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says so, and before it the first error counts
	if _, err := tx.ExecContext(ctx, migrations[v]); err != nil {
		return err
	}
	if v+1 == sealed {
		if err := sealAll(ctx, tx); err != nil {
			return err
		}
	}
	// Pragmas take no parameters.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, v+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// stamp is a time as the file holds it, NULL when it is zero.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// unstamp reads what stamp wrote.
func unstamp(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}

// sealAll gives the rows of a file from before the chain their place in it,
// table by table.
func sealAll(ctx context.Context, tx *sql.Tx) error {
	var l ledger
	for i := range tables {
		t := &tables[i]
		update := fmt.Sprintf("UPDATE %s SET crc=?2 WHERE seq=?1", t.name)
		if t.chained {
			update = fmt.Sprintf("UPDATE %s SET n=?2, crc=?3, hash=?4 WHERE seq=?1", t.name)
		}
		for {
			rows, err := collect(ctx, tx, scanRow(t), t.read("WHERE seq > ? ORDER BY seq LIMIT 1000"), l.seq[i])
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				l.seq[i] = r[0].(int64) - 1 // pruned tables have holes
				var row []any
				if row, l, err = l.seal(i, r[1:1+t.width]); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, update, append([]any{row[0]}, row[1+t.width:]...)...); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// scanRow reads what table.read selects, as the store has it.
func scanRow(t *table) func(scan func(...any) error) ([]any, error) {
	width := t.width + 2
	if t.chained {
		width += 2
	}
	return func(scan func(...any) error) ([]any, error) {
		row := make([]any, width)
		into := make([]any, width)
		for i := range row {
			into[i] = &row[i]
		}
		err := scan(into...)
		return row, err
	}
}
