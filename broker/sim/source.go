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

// Market says which market to play.
type Market struct {
	// Data are files to replay, each "[SYMBOL=]FILE". Default none.
	Data []string
	// Symbols are made up from the start on, when there is no file. Default
	// AAPL.
	Symbols []market.Symbol
	// Seed makes the prices. 0 is a seed like any other.
	Seed uint64
	// Start is the market time at which a made-up market begins; any time from
	// 1980 to 2200. A file begins when it begins.
	Start time.Time
	// Anchor is when the prices of a made-up market are the starting ones.
	// Default Start. A market that goes on after a break has the anchor of its
	// first life, and is then the one that it would have been without a break.
	Anchor time.Time
	// Sessions tells when a made-up market is open. Default always.
	Sessions tape.Sessions
	// Busy multiplies the events of a made-up market, for load tests; see
	// [tape.SyntheticConfig]. Default 1.
	Busy int
	// HaltEvery halts trading on about one day in so many. Default never.
	HaltEvery int
	// MaxSymbols, when above 0, has any other valid ticker symbol made up on
	// demand, see [tape.Universe]: up to so many in all. Default 0.
	MaxSymbols int
}

// Source makes the market to play: the files, or without one a synthetic
// market for each symbol that begins at start. All that is wrong is told at
// once.
func Source(data []string, symbols []market.Symbol, seed uint64, start time.Time) (tape.Source, error) {
	return Market{Data: data, Symbols: symbols, Seed: seed, Start: start}.Source()
}

// Source makes the market to play. All that is wrong is told at once.
func (m Market) Source() (tape.Source, error) {
	made := tape.SyntheticConfig{
		Seed: m.Seed, Start: m.Start, Anchor: m.Anchor, Sessions: m.Sessions, Busy: m.Busy, HaltEvery: m.HaltEvery,
	}
	var sources []tape.Source
	var errs []error
	add := func(src tape.Source, err error) {
		sources, errs = append(sources, src), append(errs, err)
	}
	for _, d := range m.Data {
		symbol, path, err := ParseData(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		src, err := tape.Open(path, symbol)
		add(src, err)
	}
	symbols := m.Symbols
	if len(m.Data) > 0 {
		symbols = nil
	} else if len(symbols) == 0 {
		symbols = []market.Symbol{DefaultSymbol}
	}
	for _, s := range symbols {
		c := made
		c.Symbol = s
		src, err := tape.NewSynthetic(c)
		add(src, err)
	}
	switch err := errors.Join(errs...); {
	case err != nil:
		return nil, err
	case m.MaxSymbols > 0:
		return tape.NewUniverse(tape.UniverseConfig{Synthetic: made, MaxSymbols: m.MaxSymbols}, sources...)
	}
	return tape.Merge(sources...)
}

// ParseStart reads a market time at which to begin: with a zone, or without one
// in the market's.
func ParseStart(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		return time.Time{}, fmt.Errorf("sim: time zone %s: %w", tape.ZoneName, err)
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("sim: start %.40q is no market time: write 2026-11-27T09:00:00, or with a zone 2026-11-27T09:00:00-05:00", text)
}
