package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the journal's driver

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

// ledger makes durable commits as the trader does: one order's intent, through
// the journal.
type ledger struct {
	journal *journal.Journal
	count   int64
}

func openLedger(folder string) (*ledger, error) {
	j, err := journal.Open(filepath.Join(folder, "commit.db"))
	if err != nil {
		return nil, err
	}
	return &ledger{journal: j}, nil
}

// round stores one intent and returns how long that took.
func (l *ledger) round(ctx context.Context) (time.Duration, error) {
	l.count++
	r := intent(l.count)
	began := time.Now()
	err := l.journal.Intend(ctx, r)
	return time.Since(began), err
}

func (l *ledger) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), laneWait)
	defer cancel()
	return l.journal.Close(ctx)
}

// intent is what the desk stores for an order of every_tick, with the numbers
// that the whole gate sees.
func intent(n int64) broker.IntentRecord {
	now := time.Now()
	in := order.Intent{
		ID: fmt.Sprintf("benchrun-every_tick-AAPL-%d", n), Action: order.Place, Strategy: "every_tick", Symbol: symbol,
		Side: order.Buy, Type: order.Market, TIF: order.Day, Qty: market.Shares(1), Reason: "a trade", At: now,
	}
	o := order.Order{
		Ref: in.ID, OrderID: n, ClientID: 1, Account: "DU7654321", Strategy: in.Strategy, Symbol: in.Symbol, Side: in.Side,
		Type: in.Type, TIF: in.TIF, Qty: in.Qty, State: order.Intended, Reason: in.Reason, Created: now, Updated: now,
	}
	return broker.IntentRecord{
		Intent: in, Account: o.Account, ClientID: o.ClientID, OrderID: n, Order: &o, Wall: now,
		Decision: order.Decision{IntentID: in.ID, Allowed: true, At: now, Saw: order.SawOf(
			"link", "ready", "mode", "active", "position", "0", "open_same_side", "0", "reduction", "false",
			"reference", "187.25", "quote_age", "1.518204ms", "bid", "187.24", "ask", "187.26", "median", "187.24", "notional", "187.25",
			"position_after", "1", "position_notional", "187.25", "others", "0", "gross", "187.25",
			"equity", "1000000", "day_start_equity", "1000000", "peak_equity", "1000000", "currency", "USD",
			"realized_today", "-1010.15", "losing_streak", "500", "orders_last_minute", "1000", "notional_today", "187250",
			"same_asked", in.ID, "same_asked_ago", "60.113207ms", "exit_ago", "30.112001ms",
			"limits", "max_order_qty=10000 max_order_notional=50000 max_position_notional=50000 max_gross_notional=200000 max_leverage=1"+
				" orders_per_minute=30 notional_per_day=500000 max_quote_age=5s price_collar=5 max_jump=10 max_spread=2"+
				" duplicate_within=2s churn_cooldown=1m0s max_daily_loss=2000 max_drawdown=5 max_losing_streak=5"+
				" off=orders_per_minute,notional_per_day,max_position_notional,max_gross_notional,max_leverage,duplicate_intent,"+
				"churn_cooldown,daily_loss,drawdown,losing_streak,session",
		)},
	}
}

// bare are the costs below the journal's, for information.
type bare struct {
	db    *sql.DB
	file  *os.File
	text  string
	block []byte
}

// bareBlock is a page of SQLite's log: what one commit writes at least.
const bareBlock = 4096

func openBare(folder string) (*bare, error) {
	data, err := json.Marshal(intent(1))
	if err != nil {
		return nil, err
	}
	b := &bare{text: string(data), block: make([]byte, bareBlock)}
	if b.file, err = os.Create(filepath.Join(folder, "bare.log")); err != nil {
		return nil, err
	}
	b.db, err = sql.Open("sqlite", "file:"+filepath.Join(folder, "bare.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return nil, errors.Join(err, b.file.Close())
	}
	b.db.SetMaxOpenConns(1)
	if _, err := b.db.Exec("CREATE TABLE t (seq INTEGER PRIMARY KEY, data TEXT NOT NULL)"); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// commit stores one row.
func (b *bare) commit(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	_, err := b.db.ExecContext(ctx, "INSERT INTO t (data) VALUES (?)", b.text)
	return time.Since(began), err
}

// flush appends a block and waits for the disk.
func (b *bare) flush(context.Context) (time.Duration, error) {
	began := time.Now()
	if _, err := b.file.Write(b.block); err != nil {
		return 0, err
	}
	err := b.file.Sync()
	return time.Since(began), err
}

func (b *bare) close() error { return errors.Join(b.db.Close(), b.file.Close()) }
