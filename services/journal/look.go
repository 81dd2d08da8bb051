package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"robotrader/broker"
	"robotrader/services/journal/chain"
)

// restoredFrom begins the reason of the mode that a restored journal is in.
const restoredFrom = "restored from "

// Look takes the look at the journal of a data folder that a start takes, but for
// SQLite's own structure: at the newest rows, the chain through them and the
// witness, whether or not a trader writes it. It changes nothing, and is quick
// however long the journal is; [Verify] looks at all of it. A finding is a
// [broker.ErrUntrusted]; a folder without a journal is an [fs.ErrNotExist].
func Look(ctx context.Context, folder string) (l broker.LedgerLook, err error) {
	path := filepath.Join(folder, "journal.db")
	defer func() {
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLost) || errors.Is(err, ErrTampered) {
			err = fmt.Errorf("%w: %w", broker.ErrUntrusted, err)
		}
	}()
	w, err := readWitness(path) // first, for it must not be newer than what is read
	if err != nil {
		return l, failed(path, "look", err)
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	l, err = look(ctx, r.db, w)
	return l, failed(path, "look", err)
}

func look(ctx context.Context, db *sql.DB, w *chain.Witness) (l broker.LedgerLook, err error) {
	q, err := db.Conn(ctx)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	if _, err := q.ExecContext(ctx, "BEGIN"); err != nil { // one snapshot
		return l, err
	}
	defer func() {
		_, e := q.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, e)
	}()
	end, err := ends(ctx, q)
	if err != nil {
		return l, err
	}
	l.Rows, l.Witness = end.Count, w != nil
	if _, err := check(ctx, q, end, end.Count-recent, w); err != nil {
		return l, err
	}
	l.Mode, err = newestMode(ctx, q)
	if m := l.Mode; m != nil && m.Mode != broker.Active && strings.HasPrefix(m.Reason, restoredFrom) {
		l.Restored, _, _ = strings.Cut(strings.TrimPrefix(m.Reason, restoredFrom), ", which")
	}
	return l, err
}

// newestMode returns the mode that was latched last, nil when none was.
func newestMode(ctx context.Context, q querier) (*broker.ModeRecord, error) {
	modes, err := collect(ctx, q, func(scan func(...any) error) (m broker.ModeRecord, err error) {
		var since sql.NullInt64
		err = scan(&m.Mode, &m.Reason, &since, &m.Flatten)
		m.Since = unstamp(since)
		return m, err
	}, "SELECT mode, reason, since, flatten FROM modes ORDER BY seq DESC LIMIT 1")
	if err != nil || len(modes) == 0 {
		return nil, err
	}
	return &modes[0], nil
}
