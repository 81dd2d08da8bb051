package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// settle gives the intents that a crash left behind their rows in orders: the
// recorder had not come to them.
func (j *Journal) settle(ctx context.Context) error {
	tx, err := j.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says so, and before it the first error counts
	after, err := settleRows(ctx, tx, j.ledger)
	if err != nil || after == j.ledger {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	j.ledger = after
	j.tip.reached(after.Witness) // this commit flushes
	return nil
}

// unsettled finds what settle has to do, given the newest intent and how many of
// the newest are looked at anyhow, as the mark may be damaged: never all of them,
// which are millions. A change has to be behind the mark, as its order has a row;
// and where that is newer by its place in the chain, and by its time or as the
// order's end, a damaged mark must not bring the old terms back, or to life an
// order that has ended. By its place alone it may be of before, and have waited in
// the queue.
const unsettled = `WITH mark AS (SELECT CAST(value AS INTEGER) AS seq FROM meta WHERE key='settled')
	SELECT wall, made FROM intents i
	WHERE seq > min((SELECT seq FROM mark), ?1 - ?2) AND made IS NOT NULL
		AND CASE json_extract(intent, '$.action') WHEN 'modify'
		THEN seq > (SELECT seq FROM mark) AND NOT EXISTS (
			SELECT 1 FROM orders o JOIN order_events e ON e.seq = o.last
			WHERE o.key = i.client_id || '/' || i.order_id || '/' || json_extract(i.intent, '$.target')
				AND e.n > i.n AND (o.final = 1 OR e.wall > i.wall))
		ELSE client_id || '/' || order_id || '/' || id NOT IN (SELECT key FROM orders) END
	ORDER BY seq`

// settleRows is settle inside its transaction. It returns the ledger after it.
func settleRows(ctx context.Context, tx *sql.Tx, l ledger) (ledger, error) {
	list, err := collect(ctx, tx, func(scan func(...any) error) (r broker.Record, err error) {
		var wall int64
		o, err := scanOrder(func(made ...any) error { return scan(&wall, made[0]) })
		return broker.Record{Wall: time.Unix(0, wall), Order: &o}, err
	}, unsettled, l.seq[intents], recent)
	if err != nil || len(list) == 0 {
		return l, err
	}
	for _, r := range list {
		data, err := event.AppendOrder(nil, r.Order)
		if err != nil {
			return l, err
		}
		var row []any
		if row, l, err = l.seal(orderEvents, []any{r.Wall.UnixNano(), nil, r.Order.State.String(), string(data)}); err != nil {
			return l, err
		}
		if _, err := tx.ExecContext(ctx, tables[orderEvents].insert(), row...); err != nil {
			return l, err
		}
		if _, err := tx.ExecContext(ctx, setNewest, newestArgs(*r.Order, l)...); err != nil {
			return l, err
		}
	}
	_, err = tx.ExecContext(ctx, "UPDATE meta SET value=? WHERE key='settled'", l.seq[intents])
	return l, err
}

// setNewest makes an event the newest of its order.
const setNewest = `INSERT INTO orders (key, account, client_id, order_id, final, last)
	VALUES (?,?,?,?,?,?)
	ON CONFLICT(key) DO UPDATE SET final=excluded.final, last=excluded.last`

// newestArgs are the values of setNewest for the newest event in a ledger.
func newestArgs(o order.Order, l ledger) []any {
	return []any{orderKey(o), o.Account, o.ClientID, o.OrderID, o.State.Final(), l.seq[orderEvents]}
}

// HighWater returns the highest order id stored for the account and client id,
// 0 when there is none. An empty account means all accounts.
func (j *Journal) HighWater(ctx context.Context, account string, clientID int) (int64, error) {
	if err := j.acquire(ctx); err != nil {
		return 0, j.ended("highest order number", err)
	}
	defer func() { j.lock <- struct{}{} }()
	var top int64
	err := j.write.QueryRowContext(j.ctx, `SELECT coalesce(max(order_id), 0) FROM orders
		WHERE (? = '' OR account = ?) AND client_id = ?`, account, account, clientID).Scan(&top)
	return max(top, j.marks.get(account, clientID)), failed(j.path, "highest order number", err)
}

// Load returns what is needed to go on after a restart: every order that has
// not ended, and at most limit ended ones and fills, the newest; besides, every
// fill of these orders, and all that went out in the newest market day.
// An empty account means all accounts. It tells what is written; after
// [Journal.Sync] that is all.
func (j *Journal) Load(ctx context.Context, account string, limit int) (b broker.Books, err error) {
	if err := j.acquire(ctx); err != nil {
		return b, j.ended("load", err)
	}
	defer func() { j.lock <- struct{}{} }()
	var errs [6]error
	b.Orders, errs[0] = j.loadOrders(account, limit)
	b.Fills, errs[1] = loadFills(j.ctx, j.write, account, limit)
	b.Sent, errs[2] = j.loadSent(account)
	b.Mode, errs[3] = j.loadMode()
	b.Asked, errs[4] = j.loadAsked()
	b.Adopted, errs[5] = j.loadAdopted()
	if err := errors.Join(errs[:]...); err != nil {
		return broker.Books{}, failed(j.path, "load", err)
	}
	return b, nil
}

// querier is what *sql.DB and *sql.Conn have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows with one function a row.
func collect[T any](ctx context.Context, q querier, row func(scan func(...any) error) (T, error), text string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := row(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func scanOrder(scan func(...any) error) (o order.Order, err error) {
	var data string
	if err := scan(&data); err != nil {
		return o, err
	}
	if err := json.Unmarshal([]byte(data), &o); err != nil {
		return o, fmt.Errorf("%w: order %.200q: %w", ErrCorrupt, data, err)
	}
	return o, nil
}

func (j *Journal) loadOrders(account string, limit int) ([]order.Order, error) {
	return collect(j.ctx, j.write, scanOrder, `SELECT e.data FROM orders o JOIN order_events e ON e.seq = o.last
		WHERE (?1 = '' OR o.account = ?1) AND (o.final = 0 OR o.seq IN (
			SELECT seq FROM orders WHERE final = 1 AND (?1 = '' OR account = ?1) ORDER BY seq DESC LIMIT ?2))
		ORDER BY o.seq`, account, limit)
}

// fillColumns are what scanFill reads. f is an execution's first row, in whose
// place it is told, x the newest one, which holds all.
const fillColumns = `x.exec_id, x.at, x.account, x.symbol, x.side, x.qty, x.price, x.exchange, x.ref, x.order_id,
	x.perm_id, x.client_id, c.commission, c.currency, c.realized_pnl
	FROM executions f
	JOIN executions x ON x.seq = (SELECT max(seq) FROM executions WHERE exec_id = f.exec_id)
	LEFT JOIN commissions c ON c.seq = (SELECT max(seq) FROM commissions WHERE exec_id = f.exec_id)`

func scanFill(scan func(...any) error) (f order.Fill, err error) {
	var at sql.NullInt64
	var symbol, side, qty, price string
	var commission, currency, pnl sql.NullString
	if err := scan(&f.ExecID, &at, &f.Account, &symbol, &side, &qty, &price, &f.Exchange, &f.Ref, &f.OrderID,
		&f.PermID, &f.ClientID, &commission, &currency, &pnl); err != nil {
		return f, err
	}
	f.At, f.Symbol, f.Side, f.Currency = unstamp(at), market.Symbol(symbol), order.Side(side), currency.String
	var errs [4]error
	f.Qty, errs[0] = market.ParseQty(qty)
	f.Price, errs[1] = market.ParsePrice(price)
	f.Commission, errs[2] = parseAmount(commission)
	f.RealizedPNL, errs[3] = parseAmount(pnl)
	if err := errors.Join(errs[:]...); err != nil {
		return f, fmt.Errorf("%w: execution %.60q: %w", ErrCorrupt, f.ExecID, err)
	}
	return f, nil
}

func parseAmount(s sql.NullString) (*market.Money, error) {
	if !s.Valid {
		return nil, nil
	}
	m, err := market.ParseMoney(s.String)
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// lookBack is how many executions a restart looks through for those of the
// orders that it loads: more than a venue tells again of one day.
const lookBack = 16384

// loadFills returns the newest executions, and with them all of the orders that
// loadOrders returns, oldest first; a limit below 0 means all. A venue tells the
// day's executions again: one of an order that is known, and not known itself,
// would be counted into the order a second time.
func loadFills(ctx context.Context, q querier, account string, limit int) ([]order.Fill, error) {
	return collect(ctx, q, scanFill, "SELECT "+fillColumns+` WHERE f.seq IN (
			SELECT seq FROM (SELECT seq FROM executions WHERE seq = first AND (?1 = '' OR account = ?1) ORDER BY seq DESC LIMIT ?2)
			UNION SELECT e.first FROM executions e
				WHERE e.seq > (SELECT max(seq) FROM executions) - ?3 AND (?1 = '' OR e.account = ?1) AND EXISTS (
					SELECT 1 FROM orders o
					WHERE o.account = e.account AND o.client_id = e.client_id AND o.order_id = e.order_id AND (o.final = 0 OR o.seq IN (
						SELECT seq FROM orders WHERE final = 1 AND (?1 = '' OR account = ?1) ORDER BY seq DESC LIMIT ?2))))
		ORDER BY f.seq`, account, limit, lookBack)
}

// sentWithin is how far before the newest intent, in wall time, a restart looks
// for what counts against the rates: a market day and the hour that a change of
// the clocks adds. Market time never passes slower than wall time.
const sentWithin = 25 * time.Hour

// loadSent returns what went out of the newest market day, and perhaps before,
// oldest first. A market day is as long as it is: nothing of it is left out.
func (j *Journal) loadSent(account string) ([]broker.SentRecord, error) {
	from, err := j.sentFrom()
	if err != nil {
		return nil, err
	}
	return collect(j.ctx, j.write, func(scan func(...any) error) (s broker.SentRecord, err error) {
		var intent, decision string
		if err := scan(&intent, &decision); err != nil {
			return s, err
		}
		var in order.Intent
		var d order.Decision
		if err := errors.Join(json.Unmarshal([]byte(intent), &in), json.Unmarshal([]byte(decision), &d)); err != nil {
			return s, fmt.Errorf("%w: intent %.200q: %w", ErrCorrupt, intent, err)
		}
		return broker.SentRecord{At: d.At, Notional: grows(in, d)}, nil
	}, `SELECT intent, decision FROM intents WHERE seq >= ?2 AND allowed = 1 AND (?1 = '' OR account = ?1)
			AND json_extract(intent, '$.action') IS NOT 'cancel'
			AND json_extract(decision, '$.saw.reduction') IS NOT 'true' AND json_extract(decision, '$.saw.own') IS NOT 'true'
		ORDER BY seq`, account, from)
}

// sentFrom is the number of the first intent that loadSent looks at. It searches
// by halves, as there is no index by time: it would cost each intent a page.
func (j *Journal) sentFrom() (from int64, err error) {
	wallAt := func(seq int64) (at, wall int64, err error) {
		err = j.write.QueryRowContext(j.ctx, "SELECT seq, wall FROM intents WHERE seq >= ? ORDER BY seq LIMIT 1", seq).Scan(&at, &wall)
		return at, wall, err
	}
	newest := j.ledger.seq[intents]
	_, wall, err := wallAt(newest)
	if errors.Is(err, sql.ErrNoRows) {
		return newest, nil
	}
	cut := wall - int64(sentWithin)
	low, high := int64(0), newest // the first at or after cut is in (low, high]
	for high-low > 1 && err == nil {
		middle := low + (high-low)/2
		var at int64
		if at, wall, err = wallAt(middle); wall < cut {
			low = at
		} else {
			high = middle
		}
	}
	return high, err
}

// keepAsked is how many intents' ids a restart knows without asking.
const keepAsked = 16384

func (j *Journal) loadAsked() ([]string, error) {
	ids, err := collect(j.ctx, j.write, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
		"SELECT id FROM intents ORDER BY seq DESC LIMIT ?", keepAsked)
	slices.Reverse(ids)
	return ids, err
}

// keepAdopted is how many findings about positions a restart looks at.
const keepAdopted = 256

// loadAdopted returns when positions were taken over from the broker without
// explanation, whatever the account: executions from before that are in what the
// broker tells of each.
func (j *Journal) loadAdopted() (map[market.Symbol]time.Time, error) {
	type taken struct {
		symbol market.Symbol
		at     time.Time
	}
	list, err := collect(j.ctx, j.write, func(scan func(...any) error) (t taken, err error) {
		var at sql.NullInt64
		err = scan(&t.symbol, &at)
		t.at = unstamp(at)
		return t, err
	}, "SELECT symbol, market FROM findings WHERE kind = 'position' AND explained = 0 AND market IS NOT NULL ORDER BY seq DESC LIMIT ?", keepAdopted)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	newest := map[market.Symbol]time.Time{}
	for _, t := range list {
		if t.at.After(newest[t.symbol]) {
			newest[t.symbol] = t.at
		}
	}
	return newest, nil
}

// grows is by how much an order, or a change of one, raised what may be traded:
// what the gate saw, or what a new order's limit makes it, or 0.
func grows(in order.Intent, d order.Decision) market.Money {
	for _, name := range []string{"grows", "notional"} {
		if name == "notional" && in.Action == order.Modify {
			break // it is that of the whole order
		}
		if text, ok := d.Saw.Get(name); ok {
			if m, err := market.ParseMoney(text); err == nil {
				return m.Abs()
			}
		}
	}
	if in.Limit != nil && in.Action == order.Place {
		return in.Limit.Mul(in.Qty).Abs()
	}
	return market.Money{}
}

// LastLink returns the newest state of the link that is written, nil when there
// is none: at the start of a process that is where the one before left it.
func (j *Journal) LastLink(ctx context.Context) (*broker.Link, error) {
	if err := j.acquire(ctx); err != nil {
		return nil, j.ended("last link", err)
	}
	defer func() { j.lock <- struct{}{} }()
	links, err := collect(j.ctx, j.write, scanLink, newestLinks, 1)
	if err != nil || len(links) == 0 {
		return nil, failed(j.path, "last link", err)
	}
	return &links[0], nil
}

func (j *Journal) loadMode() (*broker.ModeRecord, error) {
	return newestMode(j.ctx, j.write)
}
