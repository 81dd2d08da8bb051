package journal

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// maxEquity bounds how many values of the equity a start looks through: a
// venue tells one every few minutes, so that this is months.
const maxEquity = 20_000

// Equity returns the newest values of NetLiquidation of all accounts, oldest
// first, at most 20,000. A value that is no amount is left out.
func (j *Journal) Equity(ctx context.Context) ([]broker.EquityRecord, error) {
	if err := j.acquire(ctx); err != nil {
		return nil, j.ended("equity", err)
	}
	defer func() { j.lock <- struct{}{} }()
	list, err := collect(j.ctx, j.write, func(scan func(...any) error) (r broker.EquityRecord, err error) {
		var wall int64
		var at sql.NullInt64
		var value string
		if err := scan(&wall, &at, &r.Account, &value); err != nil {
			return r, err
		}
		amount, err := market.ParseMoney(value)
		if err != nil {
			return broker.EquityRecord{}, nil
		}
		r.Wall, r.Market, r.Equity = time.Unix(0, wall).UTC(), unstamp(at), amount
		return r, nil
	}, "SELECT wall, market, account, value FROM account_values WHERE key = 'NetLiquidation' ORDER BY seq DESC LIMIT ?", maxEquity)
	list = slices.DeleteFunc(list, func(r broker.EquityRecord) bool { return r.Wall.IsZero() })
	slices.Reverse(list)
	return list, failed(j.path, "equity", err)
}
