package journal

import (
	"context"
	"database/sql"

	"robotrader/broker"
	"robotrader/broker/market"
)

// Findings returns what reconciliations found out, oldest first.
func (r *Reader) Findings(ctx context.Context) ([]broker.Finding, error) {
	list, err := collect(ctx, r.db, func(scan func(...any) error) (f broker.Finding, err error) {
		var symbol string
		var at sql.NullInt64
		err = scan(&f.Kind, &symbol, &f.Ref, &f.Ours, &f.Theirs, &f.Explained, &f.Evidence, &f.Done, &at)
		f.Symbol, f.At = market.Symbol(symbol), unstamp(at)
		return f, err
	}, "SELECT kind, symbol, ref, ours, theirs, explained, evidence, done, at FROM findings ORDER BY seq")
	return list, failed(r.path, "findings", err)
}

// ModeChanges returns the modes with the time from which each held, oldest
// first.
func (r *Reader) ModeChanges(ctx context.Context) ([]broker.ModeRecord, error) {
	list, err := collect(ctx, r.db, func(scan func(...any) error) (m broker.ModeRecord, err error) {
		var mode string
		var since sql.NullInt64
		err = scan(&mode, &m.Reason, &since, &m.Flatten)
		m.Mode, m.Since = broker.Mode(mode), unstamp(since)
		return m, err
	}, "SELECT mode, reason, since, flatten FROM modes ORDER BY seq")
	return list, failed(r.path, "modes", err)
}
