package desk

import (
	"context"
	"fmt"
	"time"

	"robotrader/broker"
)

// equityMemory is a journal that remembers what the account was worth.
type equityMemory interface {
	// Equity returns the newest values of NetLiquidation of all accounts,
	// oldest first.
	Equity(ctx context.Context) ([]broker.EquityRecord, error)
}

// remember asks the journal for the equity of earlier lives. Without an answer
// the first equity of this life counts as the day's first, and decisions say
// so.
func (d *Desk) remember(ctx context.Context, mode *broker.ModeRecord) {
	memory, ok := d.journal.(equityMemory)
	if !ok {
		return
	}
	records, err := memory.Equity(ctx)
	if err != nil {
		d.score.Forgot(fmt.Sprintf("the journal does not tell it: %v", err))
		d.log.Warn("desk_equity_not_remembered", "error", err)
		return
	}
	var from time.Time
	if mode != nil && mode.Mode == broker.Active {
		from = mode.Since
	}
	d.score.Remember(records, from, d.cfg.Ephemeral)
}
