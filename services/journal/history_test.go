package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestAHistoryOfTradesIsNeverDeleted is field-lessons §1, number 18: a clean-up
// deleted the trade history. Whatever is cleaned up, told twice or moved by a
// restart and a restore, what was asked, decided, executed and paid stays.
func TestAHistoryOfTradesIsNeverDeleted(t *testing.T) {
	path := file(t)
	j := open(t, path)
	ctx := t.Context()
	tell := func() {
		t.Helper()
		must(t, j.Record(ctx,
			broker.Record{Wall: wall0, Order: became(1, order.Filled)},
			broker.Record{Wall: wall0, Fill: execution(1, "e1")},
			broker.Record{Wall: wall0, Commission: &broker.CommissionReport{ExecID: "e1", Commission: market.MustMoney("1"), Currency: "USD"}},
			broker.Record{Wall: wall0, Finding: &broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "0", Theirs: "1", At: wall0}},
			broker.Record{Wall: wall0, Mode: &broker.ModeRecord{Mode: broker.Active, Since: wall0}}))
	}
	must(t, j.Intend(ctx, placed(1)))
	must(t, j.Intend(ctx, refused(2)))
	tell()
	must(t, j.Sync(ctx))
	history := func() (all []string) {
		t.Helper()
		must(t, j.Sync(ctx))
		for _, k := range []int{intents, orderEvents, executions, commissions, modes, findings} {
			rows, err := j.db.QueryContext(ctx, "SELECT '"+tables[k].name+"' || seq || hex(hash) FROM "+tables[k].name+" ORDER BY seq")
			must(t, err)
			for rows.Next() {
				var row string
				must(t, rows.Scan(&row))
				all = append(all, row)
			}
			must(t, rows.Err())
			must(t, rows.Close())
		}
		return all
	}
	first := history()
	if len(first) < 6 {
		t.Fatalf("stored %q", first)
	}
	wants := func(after string) {
		t.Helper()
		now := history()
		for _, row := range first {
			if !slices.Contains(now, row) {
				t.Errorf("%s: %s has gone or is another one", after, row)
			}
		}
	}
	tell()
	wants("told twice")
	for range pruneEvery + 1 { // values of the account are what a clean-up takes
		must(t, j.Record(ctx, broker.Record{Wall: wall0, Values: []broker.AccountValue{{Account: "DU1", Key: "m", Value: "1"}}}))
	}
	wants("a clean-up")
	shut(t, j)
	j = open(t, path)
	wants("a restart")
	shut(t, j)
	copied := filepath.Join(t.TempDir(), "copy.db")
	_, err := Backup(ctx, path, copied)
	must(t, err)
	_, _, err = Restore(ctx, copied, path)
	must(t, err)
	j = open(t, path)
	wants("a restore")
	shut(t, j)
}

// TestNoStatementDeletesTrades is the same rule for what the program could say to
// SQLite: what it deletes from are the two tables that have a bound.
func TestNoStatementDeletesTrades(t *testing.T) {
	deletes := regexp.MustCompile(`(?i)\b(DELETE\s+FROM|DROP\s+TABLE|REPLACE\s+INTO|UPDATE)\s+"?(\w+)`)
	bounded := []string{"account_values", "links", "meta", "orders"} // meta are marks; orders points to the newest event of each
	moved := []string{"executions_1", "commissions_1"}               // an old schema's, copied into the new one before
	list, err := filepath.Glob("*.go")
	must(t, err)
	seen := 0
	for _, name := range list {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		must(t, err)
		for _, m := range deletes.FindAllStringSubmatch(string(text), -1) {
			seen++
			if what := strings.ToLower(m[2]); what != "set" && !slices.Contains(bounded, what) && !slices.Contains(moved, what) {
				t.Errorf("%s: %s", name, m[0])
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d statements found: the test looks past them", seen)
	}
}

func TestPrune(t *testing.T) {
	path := file(t)
	j := open(t, path)
	<-j.lock
	_, err := j.write.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO account_values (wall, account, key, currency, value) SELECT i, 'DU1', 'n', '', i FROM n`, keepValues+500)
	j.ledger.seq[accountValues] += keepValues + 500
	j.lock <- struct{}{}
	must(t, err)
	for n := range pruneEvery {
		v := []broker.AccountValue{{Account: "DU1", Key: "m", Value: fmt.Sprint(n)}}
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Values: v}))
	}
	shut(t, j)
	r, err := OpenReadOnly(path)
	must(t, err)
	defer r.Close()
	values, err := r.Account(t.Context())
	must(t, err)
	if n := len(values); n < keepFirst+keepValues || n > keepFirst+keepValues+pruneEvery {
		t.Fatalf("%d values are kept", n)
	}
	if values[0].Value != "1" || values[keepFirst-1].Value != "1000" || values[keepFirst].Value == "1001" {
		t.Errorf("kept %s to %s, then %s", values[0].Value, values[keepFirst-1].Value, values[keepFirst].Value)
	}
}
