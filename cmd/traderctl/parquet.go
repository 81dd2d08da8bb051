package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Scales of the decimals in a Parquet file: those that prices, quantities and
// amounts are kept with, so that every one is exact.
const (
	numberScale = 8  // prices and quantities
	moneyScale  = 16 // amounts
	// precision is the digits of a decimal: as many as 16 bytes hold, and as
	// many as readers know.
	precision = 38
)

// kindOf says what the columns of that name are in each export; any other is
// text. The value of account and portfolio is text as well, for a venue tells
// words there, too, and an item may be a count.
func kindOf(column string) parquet.Node {
	decimal := func(scale int) parquet.Node {
		return parquet.Decimal(scale, precision, parquet.FixedLenByteArrayType(precisionBytes))
	}
	switch column {
	case "at", "wall", "created", "updated":
		return parquet.Timestamp(parquet.Nanosecond)
	case "qty", "price", "limit", "filled", "avg_price":
		return decimal(numberScale)
	case "commission", "realized_pnl":
		return decimal(moneyScale)
	case "order_id", "perm_id", "client_id":
		return parquet.Int(64)
	case "allowed":
		return parquet.Leaf(parquet.BooleanType)
	default:
		return parquet.String()
	}
}

const precisionBytes = 16

// columnsInOrder is a group whose columns keep the order of the export; the
// library's own sorts them.
type columnsInOrder struct {
	parquet.Group
	names []string
}

func (c columnsInOrder) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range c.Group.Fields() {
		byName[f.Name()] = f
	}
	list := make([]parquet.Field, 0, len(c.names))
	for _, name := range c.names {
		list = append(list, byName[name])
	}
	return list
}

// asParquet turns a table with a header into a Parquet file. An empty field is
// null.
func asParquet(what string, table []byte) ([]byte, error) {
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("our own table is not CSV: %w", err)
	}
	root := columnsInOrder{Group: parquet.Group{}, names: rows[0]}
	for _, name := range root.names {
		root.Group[name] = parquet.Optional(kindOf(name))
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, parquet.NewSchema(what, root), parquet.Compression(&parquet.Zstd))
	for n, row := range rows[1:] {
		values := make(parquet.Row, 0, len(row))
		for i, field := range row {
			v, err := valueOf(root.names[i], field)
			if err != nil {
				return nil, fmt.Errorf("export %s to Parquet: row %d, %s %.40q: %w", what, n+1, root.names[i], field, err)
			}
			level := 1
			if v.IsNull() {
				level = 0
			}
			values = append(values, v.Level(0, level, i))
		}
		if _, err := w.WriteRows([]parquet.Row{values}); err != nil {
			return nil, fmt.Errorf("export %s to Parquet: row %d: %w", what, n+1, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("export %s to Parquet: %w", what, err)
	}
	return out.Bytes(), nil
}

// valueOf is a field of a column; an empty one is null.
func valueOf(column, field string) (parquet.Value, error) {
	if field == "" {
		return parquet.NullValue(), nil
	}
	switch kind := kindOf(column); {
	case kind.Type().LogicalType() == nil: // the only one without
		b, err := strconv.ParseBool(field)
		return parquet.BooleanValue(b), err
	case kind.Type().LogicalType().Timestamp != nil:
		t, err := time.Parse(time.RFC3339Nano, field)
		return parquet.Int64Value(t.UnixNano()), err
	case kind.Type().LogicalType().Decimal != nil:
		b, err := decimalBytes(field, int(kind.Type().LogicalType().Decimal.Scale))
		return parquet.FixedLenByteArrayValue(b), err
	case kind.Type().LogicalType().Integer != nil:
		n, err := strconv.ParseInt(field, 10, 64)
		return parquet.Int64Value(n), err
	default:
		return parquet.ByteArrayValue([]byte(field)), nil
	}
}

var errNotDecimal = errors.New("not a decimal number that the column holds")

// decimalBytes is a decimal number as Parquet has it: its digits at a scale, in
// two's complement, the highest byte first. It never rounds.
func decimalBytes(text string, scale int) ([]byte, error) {
	digits, fraction, _ := strings.Cut(text, ".")
	if digits == "" || digits == "-" || len(fraction) > scale {
		return nil, errNotDecimal
	}
	n, ok := new(big.Int).SetString(digits+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	if !ok || len(new(big.Int).Abs(n).String()) > precision {
		return nil, errNotDecimal
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 8*precisionBytes))
	}
	return n.FillBytes(make([]byte, precisionBytes)), nil
}
