package tape

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// merged plays several sources as one. It holds the next event of each, the
// earliest on top of a heap, so that a hundred sources cost little more than
// two.
type merged struct {
	queue   []head // a heap, filled by the first Next
	heads   []Event
	started bool
	newest  time.Time // of the events that Next has returned

	mu      sync.RWMutex // guards the fields below; Next does not look at them
	sources []Source
	owner   map[market.Symbol]Source
}

// head is when a source goes on.
type head struct {
	at     int64 // Unix nanoseconds
	source int   // index into sources and heads; at one time the lower goes first
}

func (h head) before(o head) bool { return h.at < o.at || h.at == o.at && h.source < o.source }

var (
	_ Source = (*merged)(nil)
	_ Past   = (*merged)(nil)
)

// Merge returns the source that plays all of the given ones, ordered by time;
// at one time the earlier argument goes first. Two sources of one symbol are
// refused. The sources belong to it from then on.
func Merge(sources ...Source) (Source, error) {
	if len(sources) == 0 {
		return nil, errors.New("tape: nothing to merge: name at least one source")
	}
	m, err := merge(sources)
	if err != nil {
		return nil, err
	}
	if len(sources) == 1 {
		return sources[0], nil
	}
	return m, nil
}

func merge(sources []Source) (*merged, error) {
	m := &merged{owner: make(map[market.Symbol]Source)}
	for _, src := range sources {
		if err := m.own(src); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// own takes a source up, without playing it yet.
func (m *merged) own(src Source) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sym := range src.Symbols() {
		if _, twice := m.owner[sym]; twice {
			return fmt.Errorf("tape: two sources play %s: leave one out", sym)
		}
		m.owner[sym] = src
	}
	m.sources = append(m.sources, src)
	return nil
}

func (m *merged) Next() (Event, bool) {
	if !m.started {
		m.started = true
		for i := range m.sources {
			m.enter(i)
		}
	}
	if len(m.queue) == 0 {
		return Event{}, false
	}
	top := &m.queue[0]
	ev := m.heads[top.source]
	if next, ok := m.sources[top.source].Next(); ok {
		m.heads[top.source], top.at = next, next.At.UnixNano()
	} else {
		last := len(m.queue) - 1
		m.queue[0] = m.queue[last]
		m.queue = m.queue[:last]
	}
	m.sink()
	m.newest = ev.At
	return ev, true
}

// enter puts a source's first event into the queue.
func (m *merged) enter(source int) {
	ev, ok := m.sources[source].Next()
	m.heads = append(m.heads, ev)
	if !ok {
		return
	}
	q := append(m.queue, head{ev.At.UnixNano(), source})
	for i := len(q) - 1; i > 0 && q[i].before(q[(i-1)/2]); i = (i - 1) / 2 {
		q[i], q[(i-1)/2] = q[(i-1)/2], q[i]
	}
	m.queue = q
}

// sink restores the order of the heap below a top that has changed.
func (m *merged) sink() {
	q, i := m.queue, 0
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q); child++ {
			if q[child].before(q[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		q[i], q[first] = q[first], q[i]
		i = first
	}
}

// all returns the sources; the slice is never changed.
func (m *merged) all() []Source {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sources[:len(m.sources):len(m.sources)]
}

func (m *merged) Start() time.Time {
	var start time.Time
	for i, src := range m.all() {
		if t := src.Start(); i == 0 || t.Before(start) {
			start = t
		}
	}
	return start
}

func (m *merged) Symbols() []market.Symbol {
	var list []market.Symbol
	for _, src := range m.all() {
		list = append(list, src.Symbols()...)
	}
	return list
}

func (m *merged) Describe() string {
	var parts []string
	for _, src := range m.all() {
		parts = append(parts, src.Describe())
	}
	return strings.Join(parts, "; ")
}

// of returns the source that plays a symbol.
func (m *merged) of(symbol market.Symbol) (Source, error) {
	m.mu.RLock()
	src, ok := m.owner[symbol]
	m.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("%w %.20q, the tape plays %v", ErrNoSymbol, symbol, m.Symbols())
	}
	return src, nil
}

func (m *merged) Hours(symbol market.Symbol, around time.Time) (Hours, error) {
	src, err := m.of(symbol)
	if err != nil {
		return Hours{}, err
	}
	return src.Hours(symbol, around)
}

func (m *merged) History(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) ([]market.Bar, error) {
	src, err := m.of(symbol)
	if err != nil {
		return nil, err
	}
	return src.History(symbol, end, span, width, regularOnly)
}

func (m *merged) Bars(q BarsQuery) ([]market.Bar, error) {
	src, err := m.of(q.Symbol)
	if err != nil {
		return nil, err
	}
	return PastOf(src).Bars(q)
}

func (m *merged) Ticks(q TicksQuery) ([]Event, error) {
	src, err := m.of(q.Symbol)
	if err != nil {
		return nil, err
	}
	return PastOf(src).Ticks(q)
}

func (m *merged) Head(symbol market.Symbol) (time.Time, error) {
	src, err := m.of(symbol)
	if err != nil {
		return time.Time{}, err
	}
	return PastOf(src).Head(symbol)
}

func (m *merged) Sessions(symbol market.Symbol, from, to time.Time) ([]calendar.Session, error) {
	src, err := m.of(symbol)
	if err != nil {
		return nil, err
	}
	return PastOf(src).Sessions(symbol, from, to)
}
