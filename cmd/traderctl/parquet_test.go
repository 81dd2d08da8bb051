package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

// everything is a data folder with a row of each kind, with unknown fields and
// extreme numbers.
func everything(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	in := order.Intent{
		ID: "s-1", Action: order.Place, Strategy: "s", Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: order.Day,
		Qty: market.Shares(10), Limit: market.MustPrice("-0.00000001").Ptr(), Reason: "it \"crossed\", so", At: first,
	}
	made := order.Order{Ref: "s-1", OrderID: 7, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: order.Day, Qty: in.Qty, State: order.Intended, Created: first, Updated: first}
	huge := made
	huge.Qty, huge.Limit = market.MustQty("92233720368.54775807"), in.Limit
	err = j.Intend(t.Context(), broker.IntentRecord{
		Intent: in, Account: "DU1", ClientID: 1, OrderID: 7, Wall: wall.Add(123456789), Order: &made,
		Decision: order.Decision{IntentID: in.ID, Allowed: true, At: first},
	})
	big := fill("2", time.Minute, order.Sell, "1.00000001", "184467.44073709", "-1.0000000000000001")
	big.Fill.RealizedPNL = market.MustMoney("-999999999999.5").Ptr()
	err = errors.Join(err, j.Record(t.Context(), broker.Record{Wall: wall, Order: &huge}, fill("1", 0, order.Buy, "2", "187.25", ""), big,
		values("DU1", first, "TotalCashValue", "1000", "AccountReady", "true"), values("DU1", time.Time{}, "TotalCashValue", "1001")))
	if err = errors.Join(err, j.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestParquetHoldsWhatTheCSVHolds reads each export back with the library, and
// compares every field with the CSV export.
func TestParquetHoldsWhatTheCSVHolds(t *testing.T) {
	dir := everything(t)
	for _, what := range append(journal.Exports(), exportPortfolio) {
		text, errs, code := told(t, "export", what, "--data", dir)
		if code != 0 {
			t.Fatalf("%s as CSV: exit %d, %s", what, code, errs)
		}
		want, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		binary, errs, code := told(t, "export", what, "--format", "parquet", "--data", dir)
		if code != 0 || errs != "" {
			t.Fatalf("%s as Parquet: exit %d, %s", what, code, errs)
		}
		got := readParquet(t, []byte(binary))
		if len(got) != len(want) || len(want) < 2 {
			t.Fatalf("%s: %d lines in the CSV, %d in Parquet", what, len(want), len(got))
		}
		for n := range want {
			for i, field := range want[n] {
				if got[n][i] != field {
					t.Errorf("%s: line %d, %s: %q in the CSV, %q in Parquet", what, n, want[0][i], field, got[n][i])
				}
			}
		}
	}
}

// readParquet reads a file as a table of text with a header, null as "".
func readParquet(t *testing.T, file []byte) (table [][]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var header []string
	fields := f.Schema().Fields()
	for _, field := range fields {
		header = append(header, field.Name())
	}
	table = append(table, header)
	rows := parquet.NewReader(f)
	defer rows.Close()
	buffer := make([]parquet.Row, 3)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			line := make([]string, len(fields))
			for _, v := range row {
				line[v.Column()] = written(t, fields[v.Column()], v)
			}
			table = append(table, line)
		}
		if errors.Is(err, io.EOF) {
			return table
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// written is a value as the CSV has it.
func written(t *testing.T, field parquet.Field, v parquet.Value) string {
	t.Helper()
	if v.IsNull() {
		return ""
	}
	switch l := field.Type().LogicalType(); {
	case l == nil:
		return strconv.FormatBool(v.Boolean())
	case l.Timestamp != nil:
		if !l.Timestamp.IsAdjustedToUTC || l.Timestamp.Unit.Nanos == nil {
			t.Errorf("%s: %v is no timestamp in UTC to the nanosecond", field.Name(), l)
		}
		return time.Unix(0, v.Int64()).UTC().Format(time.RFC3339Nano)
	case l.Decimal != nil:
		n := new(big.Int).SetBytes(v.ByteArray())
		if v.ByteArray()[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.ByteArray()))))
		}
		r := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(l.Decimal.Scale)), nil))
		s := r.FloatString(int(l.Decimal.Scale))
		return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	case l.Integer != nil:
		return strconv.FormatInt(v.Int64(), 10)
	default:
		return string(v.ByteArray())
	}
}

func TestParquetOfNothingAndItsFlags(t *testing.T) {
	dir := journalOf(t)
	file := filepath.Join(t.TempDir(), "o.parquet")
	if out, errs, code := told(t, "export", "orders", "--format", "parquet", "--out", file, "--data", dir); code != 0 || out != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := readParquet(t, b); len(got) != 1 || strings.Join(got[0], ",") != strings.Join(journal.Columns(journal.ExportOrders), ",") {
		t.Errorf("%v", got)
	}
	for _, args := range [][]string{{"--format", "xlsx"}, {"--format", "parquet", "--json"}} {
		if _, errs, code := told(t, append([]string{"export", "--data", dir}, args...)...); code != 2 || !strings.Contains(errs, "format") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

func TestDecimalBytesNeverRound(t *testing.T) {
	for _, text := range []string{"0.000000001", "1e3", "", "-", ".5", "x", "1" + strings.Repeat("0", 31)} {
		if b, err := decimalBytes(text, numberScale); err == nil {
			t.Errorf("%q is %x", text, b)
		}
	}
}
