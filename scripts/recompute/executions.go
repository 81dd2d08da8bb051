package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// execution is one line of the file.
type execution struct {
	id, account, symbol string
	change              *big.Rat // of the position: negative is a sale
	price, commission   *big.Rat
}

// The columns that are read, by the header's names. What else there is does
// not matter.
const (
	colID         = "exec_id"
	colAccount    = "account"
	colSymbol     = "symbol"
	colSide       = "side"
	colQty        = "qty"
	colPrice      = "price"
	colCommission = "commission"
	colCurrency   = "currency"
)

var needed = []string{colID, colAccount, colSymbol, colSide, colQty, colPrice, colCommission, colCurrency}

// read returns the executions of an account, or of the only one when none is
// named, or every fault of the file, joined.
func read(in io.Reader, account string) ([]execution, error) {
	r := csv.NewReader(in)
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: no header: the file is empty")
	}
	if err != nil {
		return nil, err
	}
	t := table{at: map[string]int{}, wanted: account, seen: map[string]int{}}
	for i, name := range header {
		t.at[strings.TrimSpace(name)] = i
	}
	for _, name := range needed {
		if _, ok := t.at[name]; !ok {
			return nil, fmt.Errorf("line 1: no column %q in %q", name, strings.Join(header, ","))
		}
	}
	var list []execution
	var errs []error
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, errors.Join(errs...)
		}
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		line, _ := r.FieldPos(0)
		x, counts, err := t.execution(line, record)
		switch {
		case err != nil:
			errs = append(errs, err)
		case counts:
			list = append(list, x)
		}
	}
}

// table is what the lines before have settled.
type table struct {
	at       map[string]int // column by name
	wanted   string         // account; "" = the only one
	account  string         // of the first execution
	currency string         // of the first execution
	seen     map[string]int // line by execution id
}

// execution reads one line; counts is false for another account's.
func (t *table) execution(line int, record []string) (x execution, counts bool, err error) {
	get := func(column string) string { return record[t.at[column]] }
	var errs []error
	bad := func(column, format string, a ...any) {
		errs = append(errs, fmt.Errorf("line %d: column %s: %.60q: %s", line, column, get(column), fmt.Sprintf(format, a...)))
	}
	x = execution{id: get(colID), account: get(colAccount), symbol: get(colSymbol)}
	switch {
	case x.account == "":
		bad(colAccount, "an execution belongs to an account")
	case t.wanted != "" && x.account != t.wanted:
		return x, false, nil
	case t.account == "":
		t.account = x.account
	case x.account != t.account:
		bad(colAccount, "the lines before are of %s; choose one with --account", t.account)
	}
	if was, known := t.seen[x.id]; known {
		bad(colID, "line %d has it already", was)
	}
	if x.id == "" {
		bad(colID, "an execution has an id")
	}
	t.seen[x.id] = line
	if x.symbol == "" {
		bad(colSymbol, "an execution has a symbol")
	}
	if c := get(colCurrency); t.currency == "" && c != "" {
		t.currency = c
	} else if c == "" || c != t.currency {
		bad(colCurrency, "amounts of different currencies, or of none, do not add up")
	}
	number := func(column string, fits func(sign int) bool, want string) *big.Rat {
		n, err := parse(get(column))
		if err != nil {
			bad(column, "%v", err)
			return new(big.Rat)
		}
		if !fits(n.Sign()) {
			bad(column, "%s", want)
		}
		return n
	}
	x.change = number(colQty, func(sign int) bool { return sign > 0 }, "not above 0")
	x.price = number(colPrice, func(int) bool { return true }, "") // spreads trade below zero
	if get(colCommission) == "" {
		bad(colCommission, "not told yet, so nothing can be added up")
	} else {
		x.commission = number(colCommission, func(int) bool { return true }, "") // a rebate is below zero
	}
	switch get(colSide) {
	case "BUY":
	case "SELL":
		x.change.Neg(x.change)
	default:
		bad(colSide, "neither BUY nor SELL")
	}
	return x, true, errors.Join(errs...)
}

var decimal = regexp.MustCompile(`^-?[0-9]{1,40}(\.[0-9]{1,40})?$`)

var errNotDecimal = errors.New("not a plain decimal such as -1999.675")

// parse reads a plain decimal; exponents, fractions and signs that
// big.Rat would take too are refused.
func parse(s string) (*big.Rat, error) {
	if !decimal.MatchString(s) {
		return nil, fmt.Errorf("%.60q: %w", s, errNotDecimal)
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%.60q: %w", s, errNotDecimal)
	}
	return n, nil
}

// text returns a number as a decimal, and whether it had to be rounded, to
// sixteen decimals.
func text(n *big.Rat) (s string, rounded bool) {
	places, exact := n.FloatPrec()
	if !exact {
		places = 16
	}
	return n.FloatString(places), !exact
}

// symbols lists the keys of a map in order.
func symbols(m map[string]*holding) []string {
	list := make([]string, 0, len(m))
	for s := range m {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}
