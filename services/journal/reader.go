package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// Reader reads a journal, whether or not a trader writes it at the moment. It
// sees what was written when each call began. It is safe for concurrent use.
type Reader struct {
	path string
	db   *sql.DB
}

// OpenReadOnly opens the journal in the file path for reading. It changes
// nothing that is stored. While it is open SQLite keeps a log and its index
// beside the file, so the folder has to be writable; who closes last folds the
// log into the file and removes both, which a strictly read-only connection
// could not do.
func OpenReadOnly(path string) (*Reader, error) {
	return openReader(path, "")
}

// openReader opens a journal for reading, with more words for SQLite, such as
// immutable=1 for a file that nobody writes.
func openReader(path, more string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("journal %s: open: %w; name the data folder of a trader that has run", path, err)
	}
	db, err := sql.Open("sqlite", dsn(system{}, path, "rw", "busy_timeout(2000)", "query_only(1)")+"&"+more)
	if err != nil {
		return nil, fmt.Errorf("journal %s: open: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	var app, version int
	err = db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&app, &version)
	switch {
	case err != nil:
		err = failed(path, "open", err)
	case app != applicationID:
		err = fmt.Errorf("journal %s: open: application_id is %#x: this is no journal", path, app)
	case version != len(migrations):
		err = fmt.Errorf("journal %s: open: schema %d, and this program knows %d; use the program that wrote it, or start the trader once", path, version, len(migrations))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Reader{path, db}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return failed(r.path, "close", r.db.Close()) }

// Executions returns all executions, oldest first, with the commission where
// it is known.
func (r *Reader) Executions(ctx context.Context) ([]order.Fill, error) {
	fills, err := loadFills(ctx, r.db, "", -1)
	return fills, failed(r.path, "executions", err)
}

// Orders returns every order in its newest state, by its first record.
func (r *Reader) Orders(ctx context.Context) ([]order.Order, error) {
	orders, err := collect(ctx, r.db, scanOrder,
		"SELECT e.data FROM orders o JOIN order_events e ON e.seq = o.last ORDER BY o.seq")
	return orders, failed(r.path, "orders", err)
}

// Intents returns every intent with its decision, oldest first. Order is the
// order that it made, in state intended.
func (r *Reader) Intents(ctx context.Context) ([]broker.IntentRecord, error) {
	intents, err := collect(ctx, r.db, scanIntent,
		"SELECT wall, account, client_id, order_id, intent, decision, made FROM intents ORDER BY seq")
	return intents, failed(r.path, "intents", err)
}

// scanIntent reads the columns of findIntent.
func scanIntent(scan func(...any) error) (r broker.IntentRecord, err error) {
	var wall int64
	var intent, decision string
	var made sql.NullString
	if err := scan(&wall, &r.Account, &r.ClientID, &r.OrderID, &intent, &decision, &made); err != nil {
		return r, err
	}
	r.Wall = time.Unix(0, wall).UTC()
	err = errors.Join(json.Unmarshal([]byte(intent), &r.Intent), json.Unmarshal([]byte(decision), &r.Decision))
	if made.Valid {
		o := new(order.Order)
		err = errors.Join(err, json.Unmarshal([]byte(made.String), o))
		if r.Intent.Action == order.Modify {
			r.Changed = o
		} else {
			r.Order = o
		}
	}
	if err != nil {
		return broker.IntentRecord{}, fmt.Errorf("%w: intent %.200q: %w", ErrCorrupt, intent, err)
	}
	return r, nil
}

// AccountChange is one value of the account from Wall on.
type AccountChange struct {
	Wall   time.Time
	Market time.Time // zero when there was no market time yet
	broker.AccountValue
}

// Account returns the changes of the account's values, oldest first.
func (r *Reader) Account(ctx context.Context) ([]AccountChange, error) {
	list, err := collect(ctx, r.db, func(scan func(...any) error) (a AccountChange, err error) {
		var wall int64
		var at sql.NullInt64
		err = scan(&wall, &at, &a.Account, &a.Key, &a.Currency, &a.Value)
		a.Wall, a.Market = time.Unix(0, wall).UTC(), unstamp(at)
		return a, err
	}, "SELECT wall, market, account, key, currency, value FROM account_values ORDER BY seq")
	return list, failed(r.path, "account", err)
}

// newestLinks selects the newest states of the link, as scanLink reads them.
const newestLinks = "SELECT data FROM links ORDER BY seq DESC LIMIT ?"

func scanLink(scan func(...any) error) (l broker.Link, err error) {
	var data string
	if err := scan(&data); err != nil {
		return l, err
	}
	if err := json.Unmarshal([]byte(data), &l); err != nil {
		return l, fmt.Errorf("%w: link %.200q: %w", ErrCorrupt, data, err)
	}
	return l, nil
}

// Links returns the newest states of the link, at most limit, oldest first.
func (r *Reader) Links(ctx context.Context, limit int) ([]broker.Link, error) {
	links, err := collect(ctx, r.db, scanLink, newestLinks, limit)
	slices.Reverse(links)
	return links, failed(r.path, "links", err)
}
