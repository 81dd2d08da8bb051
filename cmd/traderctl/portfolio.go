package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/portfolio"
	"robotrader/services/journal"
)

// portfolioColumns keep their name and meaning; new ones come at the end.
var portfolioColumns = []string{"account", "item", "symbol", "value"}

// The account values that a portfolio begins with.
const (
	keyCash      = "TotalCashValue"
	keyPositions = "GrossPositionValue"
)

// baseline is how an account stood when the journal first heard of it.
type baseline struct {
	cash     *market.Money // nil = not told
	currency string
	flat     bool      // it held nothing
	at       time.Time // market time, zero when there was none
}

// writePortfolio writes what the executions make of the first account values,
// for each account.
func writePortfolio(ctx context.Context, w io.Writer, r *journal.Reader) error {
	values, err := r.Account(ctx)
	if err != nil {
		return err
	}
	fills, err := r.Executions(ctx)
	if err != nil {
		return err
	}
	var accounts []string
	know := func(id string) {
		if !slices.Contains(accounts, id) {
			accounts = append(accounts, id)
		}
	}
	for _, v := range values {
		know(v.Account)
	}
	for _, f := range fills {
		know(f.Account)
	}
	rows := [][]string{portfolioColumns}
	for _, id := range accounts {
		list, err := portfolioRows(id, baselineOf(id, values), fills)
		if err != nil {
			return err
		}
		rows = append(rows, list...)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// baselineOf finds the account's first values. A value that is no amount is
// unknown.
func baselineOf(id string, values []journal.AccountChange) (b baseline) {
	var told bool // something about positions
	for _, v := range values {
		if v.Account != id || v.Key != keyCash && v.Key != keyPositions {
			continue
		}
		amount, err := market.ParseMoney(v.Value)
		if err != nil {
			continue
		}
		if v.Key == keyCash && b.cash == nil {
			b.cash, b.currency, b.at = &amount, v.Currency, v.Market
		}
		if v.Key == keyPositions && !told {
			told, b.flat = true, amount.IsZero()
		}
	}
	return b
}

func portfolioRows(id string, b baseline, fills []order.Fill) ([][]string, error) {
	base := portfolio.Baseline{Cash: b.cash}
	if b.flat {
		base.Positions = []order.Position{}
	}
	var own []order.Fill
	for _, f := range order.Newest(fills) {
		switch {
		case f.Account != id:
			continue
		case b.currency != "" && f.Currency != "" && f.Currency != b.currency:
			return nil, fmt.Errorf("account %s: execution %s is in %s and the cash in %s: conversion is not built yet", id, f.ExecID, f.Currency, b.currency)
		case f.At.Before(b.at.Truncate(time.Second)): // venues tell whole seconds
			base.Counted = append(base.Counted, f.ExecID)
		}
		own = append(own, f)
	}
	book := portfolio.New(base)
	for _, f := range own {
		if _, err := book.Fill(f); err != nil {
			return nil, err
		}
	}
	return viewRows(id, b, book.View(), own), nil
}

// viewRows writes what is known, and empty fields for the rest: without the
// first positions the gain of what was sold is unknown, too, and with a
// commission missing so is every sum that it belongs to.
func viewRows(id string, b baseline, v portfolio.View, fills []order.Fill) [][]string {
	row := func(item string, s market.Symbol, value string) []string { return []string{id, item, string(s), value} }
	var cash, commission, before, after string
	if v.Pending == 0 {
		cash, commission = text(v.Cash), v.Commission.String()
	}
	if b.flat {
		before = v.Realised.String()
	}
	if b.flat && v.Pending == 0 {
		after = v.Realised.Sub(v.Commission).String()
	}
	rows := [][]string{
		row("starting_cash", "", text(b.cash)),
		row("cash", "", cash),
		row("commission", "", commission),
		row("commissions_not_told", "", strconv.Itoa(v.Pending)),
		row("realized_pnl_before_commission", "", before),
		row("realized_pnl_after_commission", "", after),
	}
	for _, s := range traded(fills) {
		var qty, avg string
		if b.flat {
			qty = "0"
		}
		for _, l := range v.Positions {
			if b.flat && l.Symbol == s {
				qty, avg = l.Qty.String(), text(l.AvgCost)
			}
		}
		rows = append(rows, row("position", s, qty), row("average_cost", s, avg))
	}
	return rows
}

// traded lists the symbols of executions, sorted.
func traded(fills []order.Fill) []market.Symbol {
	var list []market.Symbol
	for _, f := range fills {
		list = append(list, f.Symbol)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// text is a fact as it is exported, empty when it is not known.
func text[T fmt.Stringer](p *T) string {
	if p == nil {
		return ""
	}
	return (*p).String()
}
