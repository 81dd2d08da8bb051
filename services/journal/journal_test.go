package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_VICTIM"); path != "" {
		victim(path)
		return
	}
	if path := os.Getenv("JOURNAL_TEST_READER"); path != "" {
		reader(path)
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	market0 = time.Date(2014, 6, 5, 13, 30, 0, 0, time.UTC)
	wall0   = time.Date(2026, 4, 2, 9, 0, 0, 123456789, time.UTC)
	equal   = cmp.Options{
		cmp.Comparer(func(a, b market.Price) bool { return a == b }),
		cmp.Comparer(func(a, b market.Qty) bool { return a == b }),
		cmp.Comparer(func(a, b market.Money) bool { return a == b }),
	}
)

func open(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, j) })
	return j
}

func shut(t testing.TB, j *Journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "journal.db") }

// placed is an allowed intent number n and the order that it makes.
func placed(n int) broker.IntentRecord {
	in := order.Intent{
		ID: fmt.Sprintf("t-%d", n), Action: order.Place, Strategy: "t", Symbol: "AAPL", Side: order.Buy, Type: order.Limit,
		TIF: order.Day, Qty: market.Shares(10), Limit: market.MustPrice("187.25").Ptr(), Reason: `it "crossed", so`, At: market0,
	}
	return broker.IntentRecord{
		Intent: in, Account: "DU1", ClientID: 1, OrderID: int64(n), Wall: wall0,
		Decision: order.Decision{IntentID: in.ID, Allowed: true, At: market0, Saw: order.SawOf("notional", "1872.5")},
		Order: &order.Order{
			Ref: in.ID, OrderID: int64(n), ClientID: 1, Account: "DU1", Strategy: "t", Symbol: "AAPL", Side: order.Buy,
			Type: order.Limit, TIF: order.Day, Qty: in.Qty, Limit: in.Limit, State: order.Intended, Created: market0, Updated: market0,
		},
	}
}

func refused(n int) broker.IntentRecord {
	r := placed(n)
	r.Decision = order.Decision{IntentID: r.Intent.ID, Rule: "max_qty", Reason: "too many", At: market0}
	r.OrderID, r.Order = 0, nil
	return r
}

// filled is the order of placed(n) in a state.
func became(n int, s order.State) *order.Order {
	o := *placed(n).Order
	o.State, o.PermID = s, 9000+int64(n)
	return &o
}

func execution(n int, id string) *order.Fill {
	return &order.Fill{
		ExecID: id, Ref: fmt.Sprintf("t-%d", n), OrderID: int64(n), PermID: 9, ClientID: 1, Account: "DU1", Symbol: "AAPL",
		Side: order.Buy, Qty: market.Shares(10), Price: market.MustPrice("187.2"), Exchange: "NASDAQ", At: market0,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, j *Journal, limit int) broker.Books {
	t.Helper()
	must(t, j.Sync(t.Context()))
	b, err := j.Load(t.Context(), "", limit)
	must(t, err)
	return b
}

func TestIntendOnceAndLookup(t *testing.T) {
	path := file(t)
	j := open(t, path)
	want := placed(7)
	must(t, j.Intend(t.Context(), want))
	check := func(j *Journal) {
		t.Helper()
		got, ok, err := j.Lookup(t.Context(), "t-7")
		if diff := cmp.Diff(want, got, equal); !ok || err != nil || diff != "" {
			t.Errorf("lookup %v, %v: %s", ok, err, diff)
		}
		other := placed(8)
		other.Intent.ID = "t-7"
		var dup *broker.DuplicateIntentError
		if err := j.Intend(t.Context(), other); !errors.As(err, &dup) || dup.Stored.OrderID != 7 {
			t.Errorf("same id again: %v", err)
		}
		if err := j.Intend(t.Context(), refused(7)); !errors.As(err, &dup) {
			t.Errorf("same id refused: %v", err)
		}
		if _, ok, err := j.Lookup(t.Context(), "none"); ok || err != nil {
			t.Errorf("unknown id: %v, %v", ok, err)
		}
	}
	check(j)
	shut(t, j)
	j = open(t, path)
	check(j)
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Market: market0, Order: became(7, order.Filled)}))
	must(t, j.Sync(t.Context()))
	got, _, err := j.Lookup(t.Context(), "t-7")
	if err != nil || got.Order.State != order.Filled || got.Order.PermID != 9007 {
		t.Errorf("lookup does not tell the newest state: %+v, %v", got.Order, err)
	}
}

func TestRefusedIsKnownAtOnceAndLater(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Intend(t.Context(), refused(1)))
	var dup *broker.DuplicateIntentError
	for range 2 {
		if err := j.Intend(t.Context(), placed(1)); !errors.As(err, &dup) || dup.Stored.Decision.Rule != "max_qty" {
			t.Errorf("allowed after refused, same id: %v", err)
		}
		must(t, j.Sync(t.Context()))
	}
	shut(t, j)
	j = open(t, path)
	if r, ok, err := j.Lookup(t.Context(), "t-1"); !ok || err != nil || r.Decision.Allowed || r.Order != nil {
		t.Errorf("after reopening: %+v %v %v", r, ok, err)
	}
	if b := load(t, j, 10); len(b.Orders) != 0 || len(b.Sent) != 0 {
		t.Errorf("a refused intent made %+v", b)
	}
}

func TestBooksAfterRestart(t *testing.T) {
	path := file(t)
	j := open(t, path)
	for n := 1; n <= 6; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
	}
	foreign := &order.Order{PermID: 77, Account: "DU1", Symbol: "IBM", Side: order.Sell, Qty: market.Shares(1), State: order.Working}
	commission, pnl := market.MustMoney("1.0035"), market.MustMoney("-3.25")
	rec := func(r broker.Record) broker.Record { r.Wall, r.Market = wall0, market0; return r }
	must(t, j.Record(t.Context(),
		rec(broker.Record{Order: became(1, order.Filled)}),
		rec(broker.Record{Order: became(2, order.Rejected)}),
		rec(broker.Record{Order: became(2, order.Working)}), // happens
		rec(broker.Record{Order: became(3, order.Cancelled)}),
		rec(broker.Record{Order: foreign}),
		rec(broker.Record{Commission: &broker.CommissionReport{ExecID: "e1", Commission: commission, Currency: "USD"}}),
		rec(broker.Record{Fill: execution(1, "e1")}),
		rec(broker.Record{Fill: execution(1, "e1")}),
		rec(broker.Record{Commission: &broker.CommissionReport{ExecID: "e1", Commission: commission, Currency: "USD", RealizedPNL: &pnl}}),
		rec(broker.Record{Fill: execution(3, "e2")}),
		rec(broker.Record{Mode: &broker.ModeRecord{Mode: broker.Active, Reason: "start", Since: wall0}}),
		rec(broker.Record{Mode: &broker.ModeRecord{Mode: broker.Halted, Reason: "a person", Since: wall0.Add(time.Hour)}}),
		rec(broker.Record{Values: []broker.AccountValue{{Account: "DU1", Key: "NetLiquidation", Value: "1e6", Currency: "USD"}}}),
	))
	check := func(j *Journal) {
		t.Helper()
		b := load(t, j, 1)
		var states []string
		for _, o := range b.Orders {
			states = append(states, fmt.Sprintf("%d %v", o.OrderID, o.State))
		}
		if diff := cmp.Diff([]string{"2 working", "3 cancelled", "4 intended", "5 intended", "6 intended", "0 working"}, states); diff != "" {
			t.Error(diff)
		}
		e2 := *execution(3, "e2")
		if diff := cmp.Diff([]order.Fill{e2}, b.Fills, equal); diff != "" {
			t.Error("newest fill: ", diff)
		}
		e1 := *execution(1, "e1")
		e1.Commission, e1.Currency, e1.RealizedPNL = &commission, "USD", &pnl
		if diff := cmp.Diff([]order.Fill{e1, e2}, load(t, j, 9).Fills, equal); diff != "" {
			t.Error("fills: ", diff)
		}
		sent := slices.Repeat([]broker.SentRecord{{At: market0, Notional: market.MustMoney("1872.5")}}, 6) // the whole day, whatever the limit
		if diff := cmp.Diff(sent, b.Sent, equal); diff != "" {
			t.Error("sent: ", diff)
		}
		if diff := cmp.Diff(&broker.ModeRecord{Mode: broker.Halted, Reason: "a person", Since: wall0.Add(time.Hour)}, b.Mode); diff != "" {
			t.Error("mode: ", diff)
		}
		for _, tt := range []struct {
			account string
			client  int
			want    int64
		}{{"DU1", 1, 6}, {"", 1, 6}, {"DU2", 1, 0}, {"DU1", 2, 0}} {
			if got, err := j.HighWater(t.Context(), tt.account, tt.client); got != tt.want || err != nil {
				t.Errorf("high water of %q %d: %d, %v; want %d", tt.account, tt.client, got, err, tt.want)
			}
		}
		if b, err := j.Load(t.Context(), "DU2", 9); err != nil || len(b.Orders)+len(b.Fills)+len(b.Sent) != 0 {
			t.Errorf("another account's books: %+v, %v", b, err)
		}
	}
	check(j)
	shut(t, j)
	check(open(t, path))
}

// TestMeanwhile has intents and records race; nothing is lost, records keep
// their order.
func TestMeanwhile(t *testing.T) {
	path := file(t)
	j := open(t, path)
	const intents, records = 60, 2000
	var all sync.WaitGroup
	all.Go(func() {
		for n := 1; n <= intents; n++ {
			if err := j.Intend(t.Context(), placed(n)); err != nil {
				t.Error(err)
			}
		}
	})
	all.Go(func() {
		for n := range records {
			v := []broker.AccountValue{{Account: "DU1", Key: "n", Value: fmt.Sprint(n)}}
			if err := j.Record(t.Context(), broker.Record{Wall: wall0, Values: v}); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	shut(t, j)
	for _, left := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left after a good close", left)
		}
	}
	r, err := OpenReadOnly(path)
	must(t, err)
	defer r.Close()
	got, err := r.Intents(t.Context())
	must(t, err)
	if len(got) != intents {
		t.Errorf("%d intents of %d", len(got), intents)
	}
	values, err := r.Account(t.Context())
	must(t, err)
	for n, v := range values {
		if v.Value != fmt.Sprint(n) {
			t.Fatalf("record %d is %s", n, v.Value)
		}
	}
	if len(values) != records {
		t.Errorf("%d records of %d", len(values), records)
	}
	must(t, r.Close())
	for _, left := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left by the reader", left)
		}
	}
}

// TestPrune keeps the newest account values, and the first ones: from those
// the executions count.
// The next process reads how far the one before was held back from trying.
func TestLastLink(t *testing.T) {
	path := file(t)
	j := open(t, path)
	if l, err := j.LastLink(t.Context()); l != nil || err != nil {
		t.Fatalf("a new journal tells %+v, %v", l, err)
	}
	since, hung := wall0.Add(-time.Minute), wall0
	want := broker.Link{
		State: broker.NeedsRestart, Since: wall0, Cause: "it hangs", Advice: "restart it", Adapter: "ibkr",
		Facts: broker.Facts{Gateway: "127.0.0.1:4002", ClientID: 3}, Failure: broker.NoReply,
		Breaker: broker.Breaker{
			State: broker.BreakerOpen, Wedged: 5, Limit: 5, MaxTries: 12, Since: &since, Hung: &hung,
			Evidence: &broker.Evidence{Readable: true, Listening: true, Inode: 1 << 60, UID: 1000, PID: 7, Started: wall0},
		},
	}
	must(t, j.RecordLink(t.Context(), broker.Link{State: broker.Ready}))
	must(t, j.RecordLink(t.Context(), want))
	must(t, j.Sync(t.Context()))
	for range 2 { // of this process, and of the next
		got, err := j.LastLink(t.Context())
		must(t, err)
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Error(diff)
		}
		shut(t, j)
		j = open(t, path)
	}
	shut(t, j)
	if l, err := j.LastLink(t.Context()); err == nil {
		t.Errorf("a closed journal tells %+v", l)
	}
}

func TestAfterCloseAndContexts(t *testing.T) {
	j := open(t, file(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	<-j.lock // as if somebody wrote
	if err := j.Intend(gone, placed(1)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("Intend behind a lock: %v", err)
	}
	j.lock <- struct{}{}
	if _, ok, err := j.Lookup(t.Context(), "t-1"); ok || err != nil {
		t.Errorf("stored after all: %v, %v", ok, err)
	}
	shut(t, j)
	_, _, err := j.Lookup(t.Context(), "t-1")
	_, err2 := j.HighWater(t.Context(), "", 1)
	_, err3 := j.Load(t.Context(), "", 1)
	for op, err := range map[string]error{
		"intend": j.Intend(t.Context(), placed(1)), "refuse": j.Intend(t.Context(), refused(1)), "lookup": err, "high water": err2,
		"load": err3, "sync": j.Sync(t.Context()), "record": j.Record(t.Context(), broker.Record{Order: became(1, order.Sent)}),
	} {
		if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), j.path) {
			t.Errorf("%s after close: %v", op, err)
		}
	}
}

func TestFullQueueWaits(t *testing.T) {
	q := newQueue()
	for range maxQueue {
		must(t, q.reserve(t.Context()))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := q.reserve(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "65536") {
		t.Errorf("full queue: %v", err)
	}
	got := make(chan error)
	go func() { got <- q.reserve(t.Context()) }()
	q.release()
	must(t, <-got)
	go func() { got <- q.reserve(t.Context()) }()
	q.fail(ErrFull)
	if err := <-got; !errors.Is(err, ErrFull) {
		t.Errorf("broken while waiting: %v", err)
	}
}

// Refused intents have a bound of their own, and what is allowed passes them.
func TestRefusalsThatWaitAreBounded(t *testing.T) {
	q := newQueue()
	for i := range maxRefusals {
		must(t, q.reserveRefusal(t.Context()))
		r := refused(i)
		q.fill(item{refused: &r})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := q.reserveRefusal(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "4096") {
		t.Errorf("%d refused intents wait, one more: %v", maxRefusals, err)
	}
	must(t, q.reserve(t.Context()))
	q.release()
	got := make(chan error)
	go func() { got <- q.reserveRefusal(t.Context()) }()
	items, _ := q.take(1)
	q.wrote(items, 1)
	must(t, <-got)
}

// TestFailureIsForGood breaks the table that records go to.
func TestFailureIsForGood(t *testing.T) {
	j := open(t, file(t))
	must(t, j.Sync(t.Context()))
	<-j.lock
	_, err := j.write.ExecContext(j.ctx, "PRAGMA max_page_count=1; ALTER TABLE modes RENAME TO lost")
	j.lock <- struct{}{}
	must(t, err)
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Mode: &broker.ModeRecord{Mode: broker.Halted}}))
	if err := j.Sync(t.Context()); err == nil {
		t.Error("Sync of a lost record")
	}
	if err := j.Intend(t.Context(), placed(1)); err == nil || !strings.Contains(err.Error(), "modes") {
		t.Errorf("an intent after records were lost: %v", err)
	}
	if err := j.Close(t.Context()); err == nil {
		t.Error("Close says nothing of lost records")
	}
}

func TestOpenNamesFaultAndMend(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		must(t, os.WriteFile(p, []byte(text), 0o600))
		return p
	}
	other := filepath.Join(dir, "other.db")
	j := open(t, other)
	<-j.lock
	_, err := j.write.ExecContext(j.ctx, "PRAGMA application_id=5")
	must(t, err)
	j.lock <- struct{}{}
	shut(t, j)
	newer := filepath.Join(dir, "newer.db")
	j = open(t, newer)
	<-j.lock
	_, err = j.write.ExecContext(j.ctx, "PRAGMA user_version=99")
	must(t, err)
	j.lock <- struct{}{}
	shut(t, j)
	for _, tt := range []struct {
		path, part string
		kind       error
	}{
		{write("text.db", strings.Repeat("this is no database. ", 100)), "restore a backup", ErrCorrupt},
		{filepath.Join(dir, "no", "folder", "j.db"), "permissions", ErrReadOnly},
		{other, "another program's", nil},
		{newer, "schema 99", nil},
	} {
		for name, open := range map[string]func() error{
			"write": func() error { _, err := Open(tt.path); return err },
			"read":  func() error { _, err := OpenReadOnly(tt.path); return err },
		} {
			err := open()
			if err == nil || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("%s %s: %v does not name the file", name, tt.path, err)
			}
			if name == "write" && (!strings.Contains(fmt.Sprint(err), tt.part) || tt.kind != nil && !errors.Is(err, tt.kind)) {
				t.Errorf("%s %s: %v", name, tt.path, err)
			}
		}
	}
}

// TestLogIsMovedAndReused shows that the log does not grow without end.
func TestLogIsMovedAndReused(t *testing.T) {
	path := file(t)
	j := open(t, path)
	big := strings.Repeat("x", 20_000)
	for n := range 1500 { // 30 MB through a log of 4
		v := []broker.AccountValue{{Account: "DU1", Key: "big", Value: fmt.Sprint(n, big)}}
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Values: v}))
		if n%100 == 0 {
			must(t, j.Sync(t.Context()))
		}
	}
	must(t, j.Sync(t.Context()))
	info, err := os.Stat(path + "-wal")
	must(t, err)
	if info.Size() > 4*logSize {
		t.Errorf("the log is %d bytes after %d were written", info.Size(), 1500*len(big))
	}
}
