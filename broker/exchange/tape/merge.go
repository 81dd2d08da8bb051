package tape

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"robotrader/broker/market"
)

// merged plays several sources as one. It holds the next event of each; there
// are few sources, so the earliest is found by looking at all.
type merged struct {
	sources []Source
	owner   map[market.Symbol]Source
	heads   []Event
	live    []bool
	started bool
}

// Merge returns the source that plays all of the given ones, ordered by time;
// at one time the earlier argument goes first. Two sources of one symbol are
// refused. The sources belong to it from then on.
func Merge(sources ...Source) (Source, error) {
	if len(sources) == 0 {
		return nil, errors.New("tape: nothing to merge: name at least one source")
	}
	m := &merged{
		sources: sources, owner: make(map[market.Symbol]Source),
		heads: make([]Event, len(sources)), live: make([]bool, len(sources)),
	}
	for _, src := range sources {
		for _, sym := range src.Symbols() {
			if _, twice := m.owner[sym]; twice {
				return nil, fmt.Errorf("tape: two sources play %s: leave one out", sym)
			}
			m.owner[sym] = src
		}
	}
	if len(sources) == 1 {
		return sources[0], nil
	}
	return m, nil
}

func (m *merged) Next() (Event, bool) {
	if !m.started {
		m.started = true
		for i := range m.sources {
			m.heads[i], m.live[i] = m.sources[i].Next()
		}
	}
	first := -1
	for i := range m.heads {
		if m.live[i] && (first < 0 || m.heads[i].At.Before(m.heads[first].At)) {
			first = i
		}
	}
	if first < 0 {
		return Event{}, false
	}
	ev := m.heads[first]
	m.heads[first], m.live[first] = m.sources[first].Next()
	return ev, true
}

func (m *merged) Start() time.Time {
	start := m.sources[0].Start()
	for _, src := range m.sources[1:] {
		if t := src.Start(); t.Before(start) {
			start = t
		}
	}
	return start
}

func (m *merged) Symbols() []market.Symbol {
	var all []market.Symbol
	for _, src := range m.sources {
		all = append(all, src.Symbols()...)
	}
	return all
}

func (m *merged) Describe() string {
	var parts []string
	for _, src := range m.sources {
		parts = append(parts, src.Describe())
	}
	return strings.Join(parts, "; ")
}

func (m *merged) Hours(symbol market.Symbol, around time.Time) (Hours, error) {
	src, ok := m.owner[symbol]
	if !ok {
		return Hours{}, fmt.Errorf("%w %.20q, the tape plays %v", ErrNoSymbol, symbol, m.Symbols())
	}
	return src.Hours(symbol, around)
}

func (m *merged) History(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) ([]market.Bar, error) {
	src, ok := m.owner[symbol]
	if !ok {
		return nil, fmt.Errorf("%w %.20q, the tape plays %v", ErrNoSymbol, symbol, m.Symbols())
	}
	return src.History(symbol, end, span, width, regularOnly)
}
