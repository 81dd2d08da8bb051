package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"robotrader/services/journal/chain"
)

// table is one table whose rows are only ever added. What a row holds:
// seq, its columns, and of a chained table its place n in the chain; then crc,
// the check sum of these and the table's name, and the chain's hash.
type table struct {
	name    string
	columns string // between seq and n, as in the schema
	width   int    // of columns
	chained bool
}

// The tables. Their order is part of nothing that is stored.
const (
	intents = iota
	orderEvents
	executions
	commissions
	modes
	findings
	accountValues // pruned, so it cannot be chained
	links         // as well
	tableCount
)

var tables = [tableCount]table{
	intents:       {"intents", "id, wall, account, client_id, order_id, allowed, intent, decision, made", 9, true},
	orderEvents:   {"order_events", "wall, market, state, data", 4, true},
	executions:    {"executions", "exec_id, first, wall, at, account, symbol, side, qty, price, exchange, ref, order_id, perm_id, client_id", 14, true},
	commissions:   {"commissions", "exec_id, wall, commission, currency, realized_pnl", 5, true},
	modes:         {"modes", "wall, market, mode, reason, since, flatten", 6, true},
	findings:      {"findings", "wall, market, kind, symbol, ref, ours, theirs, explained, evidence, done, at", 11, true},
	accountValues: {"account_values", "wall, market, account, key, currency, value", 6, false},
	links:         {"links", "since, state, rung, cause, advice, attempt, adapter, data", 8, false},
}

// insert is the statement that takes what [ledger.seal] returns.
func (t *table) insert() string {
	more, count := "crc", t.width+2
	if t.chained {
		more, count = "n, crc, hash", t.width+4
	}
	return fmt.Sprintf("INSERT INTO %s (seq, %s, %s) VALUES (?%s)", t.name, t.columns, more, strings.Repeat(",?", count-1))
}

// read selects what was sealed, with a condition.
func (t *table) read(where string) string {
	more := "crc"
	if t.chained {
		more = "n, crc, hash"
	}
	return fmt.Sprintf("SELECT seq, %s, %s FROM %s %s", t.columns, more, t.name, where)
}

// ledger is where the tables end. It is a value: a copy of it undoes a
// transaction.
type ledger struct {
	chain.Witness
	seq [tableCount]int64 // of the newest row
}

// seal returns the values of the next row of a table, and the ledger after it.
func (l ledger) seal(t int, values []any) ([]any, ledger, error) {
	l.seq[t]++
	row := append(append(make([]any, 0, len(values)+4), l.seq[t]), values...)
	if tables[t].chained {
		l.Count++
		row = append(row, l.Count)
	}
	form, err := tables[t].form(row)
	if err != nil {
		return nil, l, err
	}
	row = append(row, chain.Sum(form))
	if tables[t].chained {
		l.Hash = chain.Next(l.Hash, form)
		row = append(row, l.Hash[:])
	}
	return row, l, nil
}

// form is the canonical form of a row without its check sum and hash.
func (t *table) form(row []any) ([]byte, error) {
	size := len(t.name) + 16
	for _, v := range row {
		size += 9
		if s, ok := v.(string); ok {
			size += len(s)
		}
	}
	b, err := chain.Append(make([]byte, 0, size), t.name)
	if err != nil {
		return nil, err
	}
	return chain.Append(b, row...)
}

// ends reads the ledger from the file.
func ends(ctx context.Context, q *sql.Conn) (l ledger, err error) {
	for i := range tables {
		t := &tables[i]
		var seq, n sql.NullInt64
		var hash []byte
		if !t.chained {
			err = q.QueryRowContext(ctx, "SELECT max(seq) FROM "+t.name).Scan(&seq)
		} else {
			err = q.QueryRowContext(ctx, "SELECT seq, n, hash FROM "+t.name+" ORDER BY seq DESC LIMIT 1").Scan(&seq, &n, &hash)
		}
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return l, fmt.Errorf("%s: %w", t.name, err)
		}
		l.seq[i] = seq.Int64
		if n.Int64 > l.Count {
			if len(hash) != len(l.Hash) {
				return l, fmt.Errorf("%w: %s row %d: a hash of %d bytes", ErrCorrupt, t.name, seq.Int64, len(hash))
			}
			l.Count, l.Hash = n.Int64, chain.Hash(hash)
		}
	}
	return l, nil
}
