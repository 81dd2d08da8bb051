package journal

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// changes is an intent to change the order of placed(n), which works.
func changes(n int) broker.IntentRecord {
	r := placed(n)
	o := *became(n, order.Working)
	o.Change = &order.Change{ID: "m-1", Qty: market.Shares(20), Limit: r.Intent.Limit}
	r.Intent.ID, r.Intent.Action, r.Intent.Target, r.Intent.Qty = "m-1", order.Modify, o.Ref, market.Shares(20)
	r.Decision.IntentID, r.Order, r.Changed = "m-1", nil, &o
	return r
}

// TestAChangeIsDurableWithItsIntent: power fails when nothing but the intent of a
// change is on the disk. The next life knows that either version may be in force,
// once: what was recorded of the order since is newer.
func TestAChangeIsDurableWithItsIntent(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(1, order.Working)}))
	must(t, j.Sync(t.Context()))
	must(t, j.Intend(t.Context(), changes(1)))
	to := filepath.Join(t.TempDir(), "journal.db")
	must(t, copyFile(path, to))
	must(t, copyFile(path+"-wal", to+"-wal"))
	must(t, copyFile(filepath.Join(filepath.Dir(path), "journal.witness"), filepath.Join(filepath.Dir(to), "journal.witness")))

	next := open(t, to)
	b, err := next.Load(t.Context(), "DU1", 100)
	must(t, err)
	if len(b.Orders) != 1 || b.Orders[0].Change == nil || b.Orders[0].Change.ID != "m-1" || b.Orders[0].State != order.Working || b.Orders[0].Qty != market.Shares(10) {
		t.Fatalf("orders after the power failed: %+v", b.Orders)
	}
	if r, ok, err := next.Lookup(t.Context(), "m-1"); err != nil || !ok || r.Order != nil || r.Changed == nil || r.Changed.Ref != "t-1" {
		t.Errorf("the intent of the change: %+v, %v, %v", r, ok, err)
	}
	must(t, next.Record(t.Context(), broker.Record{Wall: wall0, Order: became(1, order.Cancelled)}))
	must(t, next.Close(t.Context()))
	again := open(t, to)
	if b, err = again.Load(t.Context(), "DU1", 100); err != nil || len(b.Orders) != 1 || b.Orders[0].Change != nil || b.Orders[0].State != order.Cancelled {
		t.Errorf("orders of the life after it: %+v, %v", b.Orders, err)
	}
}

// edited closes a journal and changes its file by one statement, as damage does.
func edited(t *testing.T, j *Journal, text string) {
	t.Helper()
	shut(t, j)
	db, err := sql.Open("sqlite", j.path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), text)
	must(t, err)
	must(t, db.Close())
}

// TestADamagedMarkBringsNoChangeBack: the mark of what is settled is damaged, so
// that all changes look new. What was recorded of their orders since is newer: one
// that has ended does not work again, and none has its old terms.
func TestADamagedMarkBringsNoChangeBack(t *testing.T) {
	path := file(t)
	j := open(t, path)
	for n := 1; n <= 2; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(n, order.Working)}))
		r := changes(n)
		r.Intent.ID, r.Decision.IntentID = "m-"+r.Intent.Target, "m-"+r.Intent.Target
		must(t, j.Intend(t.Context(), r))
	}
	o := *became(2, order.Working)
	o.Qty = market.Shares(20)
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0.Add(-time.Hour), Order: became(1, order.Cancelled)})) // a clock that was set back
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0.Add(time.Second), Order: &o}))
	edited(t, j, "UPDATE meta SET value = 'x' WHERE key = 'settled'")

	b := load(t, open(t, path), 100)
	if len(b.Orders) != 2 || b.Orders[0].State != order.Cancelled || b.Orders[1].Qty != market.Shares(20) || b.Orders[1].Change != nil {
		t.Errorf("orders after the mark was damaged: %+v", b.Orders)
	}
}

// TestAStartLooksAtTheNewestIntentsAlone: a journal of years has millions of them,
// and the start has seconds.
func TestAStartLooksAtTheNewestIntentsAlone(t *testing.T) {
	j := open(t, file(t))
	must(t, j.acquire(t.Context()))
	defer func() { j.lock <- struct{}{} }()
	steps, err := collect(t.Context(), j.write, func(scan func(...any) error) (s string, err error) {
		var id, parent, unused int
		return s, scan(&id, &parent, &unused, &s)
	}, "EXPLAIN QUERY PLAN "+unsettled, 1, recent)
	must(t, err)
	if plan := strings.Join(steps, "; "); !strings.HasPrefix(plan, "SEARCH i USING INTEGER PRIMARY KEY") || strings.Contains(plan, "SCAN i") {
		t.Errorf("the start reads all intents: %s", plan)
	}
}
