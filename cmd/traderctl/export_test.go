package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

var (
	wall  = time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	first = time.Date(2026, 4, 1, 14, 30, 0, 500e6, time.UTC) // market time of the first account values
)

// journalOf writes a data folder whose journal holds the records.
func journalOf(t *testing.T, rs ...broker.Record) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		rs[i].Wall = wall.Add(time.Duration(i) * time.Second)
	}
	if err := j.Record(t.Context(), rs...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return dir
}

func values(account string, at time.Time, pairs ...string) broker.Record {
	r := broker.Record{Market: at}
	for i := 0; i < len(pairs); i += 2 {
		r.Values = append(r.Values, broker.AccountValue{Account: account, Key: pairs[i], Value: pairs[i+1], Currency: "USD"})
	}
	return r
}

func fill(id string, after time.Duration, side order.Side, qty, price, commission string) broker.Record {
	f := order.Fill{
		ExecID: id, Account: "DU1", Symbol: "AAPL", Side: side, Qty: market.MustQty(qty), Price: market.MustPrice(price),
		At: first.Truncate(time.Second).Add(after), Exchange: "SMART", Currency: "USD",
	}
	if commission != "" {
		f.Commission = market.MustMoney(commission).Ptr()
	}
	return broker.Record{Fill: &f}
}

// told runs the command and returns what it printed.
func told(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return o.String(), e.String(), code
}

func TestPortfolio(t *testing.T) {
	start := values("DU1", first, "TotalCashValue", "1000", "GrossPositionValue", "0")
	for _, tt := range []struct {
		name    string
		records []broker.Record
		want    string // after the header, without the account
	}{
		{"nothing recorded", nil, ""},
		{"nothing traded", []broker.Record{start}, "starting_cash,,1000 cash,,1000 commission,,0 commissions_not_told,,0 " +
			"realized_pnl_before_commission,,0 realized_pnl_after_commission,,0"},
		{
			"a round trip and half a position",
			[]broker.Record{
				start, fill("1", 0, order.Buy, "2", "100", "1"), fill("2", time.Minute, order.Sell, "2", "110.5", "1.25"),
				fill("3", time.Hour, order.Buy, "3", "90", "1"), values("DU1", first.Add(time.Hour), "TotalCashValue", "747.75"),
			},
			"starting_cash,,1000 cash,,747.75 commission,,3.25 commissions_not_told,,0 realized_pnl_before_commission,,21 " +
				"realized_pnl_after_commission,,17.75 position,AAPL,3 average_cost,AAPL,90",
		},
		{
			"a commission that is not told yet is unknown, and so is what it belongs to",
			[]broker.Record{start, fill("1", 0, order.Buy, "2", "100", "1"), fill("2", time.Minute, order.Sell, "1", "110", "")},
			"starting_cash,,1000 cash,, commission,, commissions_not_told,,1 realized_pnl_before_commission,,10 " +
				"realized_pnl_after_commission,, position,AAPL,1 average_cost,AAPL,100",
		},
		{
			"what was held before is unknown: so are positions and what they earned",
			[]broker.Record{values("DU1", first, "TotalCashValue", "1000", "GrossPositionValue", "300"), fill("1", 0, order.Sell, "2", "100", "1")},
			"starting_cash,,1000 cash,,1199 commission,,1 commissions_not_told,,0 realized_pnl_before_commission,, " +
				"realized_pnl_after_commission,, position,AAPL, average_cost,AAPL,",
		},
		{
			"without account values",
			[]broker.Record{fill("1", 0, order.Buy, "2", "100", "1")},
			"starting_cash,, cash,, commission,,1 commissions_not_told,,0 realized_pnl_before_commission,, " +
				"realized_pnl_after_commission,, position,AAPL, average_cost,AAPL,",
		},
		{
			"an execution before the first values is in them already",
			[]broker.Record{start, fill("1", -time.Second, order.Sell, "5", "100", "1"), fill("2", 0, order.Buy, "1", "100", "1")},
			"starting_cash,,1000 cash,,899 commission,,1 commissions_not_told,,0 realized_pnl_before_commission,,0 " +
				"realized_pnl_after_commission,,-1 position,AAPL,1 average_cost,AAPL,100",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := journalOf(t, tt.records...)
			out, errs, code := told(t, "export", "portfolio", "--data", dir)
			if code != 0 || errs != "" {
				t.Fatalf("exit %d: %s", code, errs)
			}
			want := "account,item,symbol,value\n"
			for row := range strings.FieldsSeq(tt.want) {
				want += "DU1," + row + "\n"
			}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 2 { // the journal and its witness
				t.Errorf("an export left %v in the data folder (%v)", left, err)
			}
		})
	}
}

func TestPortfolioOfTwoAccountsAndCurrencies(t *testing.T) {
	dir := journalOf(t, values("DU1", first, "TotalCashValue", "1"), values("DU2", first, "TotalCashValue", "2"))
	out, _, _ := told(t, "export", "portfolio", "--data", dir)
	if !strings.Contains(out, "DU1,cash,,1\n") || !strings.Contains(out, "DU2,cash,,2\n") {
		t.Errorf("two accounts: %s", out)
	}
	foreign := fill("1", 0, order.Buy, "1", "100", "1")
	foreign.Fill.Currency = "EUR"
	dir = journalOf(t, values("DU1", first, "TotalCashValue", "1"), foreign)
	if out, errs, code := told(t, "export", "portfolio", "--data", dir); code != 1 || out != "" || !strings.Contains(errs, "EUR") {
		t.Errorf("a foreign execution: exit %d, %s, %s", code, out, errs)
	}
}

func TestExportTo(t *testing.T) {
	dir := journalOf(t, values("DU1", first, "TotalCashValue", "1000"), fill("1", 0, order.Buy, "2", "100", ""))
	file := filepath.Join(t.TempDir(), "executions.csv")
	if err := os.WriteFile(file, []byte("what was there before, and is longer than what comes, is gone afterwards\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := told(t, "export", "--data", dir, "--out", file)
	if code != 0 || out != "" || errs != "" {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "exec_id,at,account,symbol,side,qty,price,currency,commission,realized_pnl,exchange,ref,order_id,perm_id,client_id\n" +
		"1,2026-04-01T14:30:00Z,DU1,AAPL,BUY,2,100,,,,SMART,,,,0\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out, _, _ = told(t, "export", "executions", "--json", "--data", dir)
	var list []map[string]*string
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || *list[0]["qty"] != "2" || list[0]["commission"] != nil {
		t.Errorf("as JSON: %s (%v)", out, err)
	}
	if _, errs, code := told(t, "export", "--data", dir, "--out", filepath.Join(dir, "none", "x.csv")); code != 1 || !strings.Contains(errs, "--out") {
		t.Errorf("to a folder that is not there: exit %d, %s", code, errs)
	}
	for _, tt := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"export", "everything", "--data", dir}, 2, "portfolio"},
		{[]string{"export", "orders", "intents", "--data", dir}, 2, "at most 1"},
		{[]string{"export", "--data", t.TempDir()}, 1, "data folder of a trader"},
	} {
		if _, errs, code := told(t, tt.args...); code != tt.code || !strings.Contains(errs, tt.say) {
			t.Errorf("%v: exit %d, %s", tt.args, code, errs)
		}
	}
}
