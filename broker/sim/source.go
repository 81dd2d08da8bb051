package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// DefaultSymbol is played when nobody names one.
const DefaultSymbol market.Symbol = "AAPL"

// ParseData splits "[SYMBOL=]FILE". Without the symbol it is empty: the tape
// takes it from the file's name.
func ParseData(text string) (symbol market.Symbol, path string, err error) {
	name, path, named := strings.Cut(text, "=")
	if !named || strings.ContainsAny(name, `/\.`) { // the equals sign is a part of the path
		name, path = "", text
	}
	if path == "" {
		return "", "", fmt.Errorf("sim: data %.80q names no file: write [SYMBOL=]FILE", text)
	}
	if name == "" {
		return "", path, nil
	}
	symbol, err = market.ParseSymbol(name)
	if err != nil {
		return "", "", fmt.Errorf("sim: data %.80q: %w", text, err)
	}
	return symbol, path, nil
}

// Played returns the symbols of the files to replay, each once; what names no
// symbol is left out, and is told by [Source].
func (c Config) Played() []market.Symbol {
	var list []market.Symbol
	for _, d := range c.Data {
		symbol, path, err := ParseData(d)
		if err == nil && symbol == "" {
			symbol, err = tape.SymbolOf(path)
		}
		if err == nil && !slices.Contains(list, symbol) {
			list = append(list, symbol)
		}
	}
	return list
}

// Source makes the market to play: the files, or without one a synthetic
// market for each symbol that begins at start. All that is wrong is told at
// once.
func Source(data []string, symbols []market.Symbol, seed uint64, start time.Time) (tape.Source, error) {
	var sources []tape.Source
	var errs []error
	add := func(src tape.Source, err error) {
		sources, errs = append(sources, src), append(errs, err)
	}
	for _, d := range data {
		symbol, path, err := ParseData(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		src, err := tape.Open(path, symbol)
		add(src, err)
	}
	if len(data) == 0 {
		if len(symbols) == 0 {
			symbols = []market.Symbol{DefaultSymbol}
		}
		for _, s := range symbols {
			src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: s, Seed: seed, Start: start})
			add(src, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(sources) == 1 {
		return sources[0], nil
	}
	return tape.Merge(sources...)
}
