package tape

import (
	"slices"
	"time"
)

// Ticks implements [Past].
func (m *model) Ticks(q TicksQuery) ([]Event, error) {
	if err := m.knows(q.Symbol); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.From.IsZero() {
		return m.newest(q), nil
	}
	first, last := m.minutes(q.From, q.End)
	k := newMaker(m)
	k.silent = q.Kind == Trade
	var list []Event
	for _, w := range m.windows(first, last, q.RegularOnly) {
		for minute := w.from; minute < w.to; minute++ {
			k.start(minute)
			list = k.collect(list, q, q.Limit)
			if len(list) == q.Limit {
				return list, nil
			}
		}
	}
	return list, nil
}

// collect appends what a question asks for of the minute that was started, up
// to a limit; a limit of 0 keeps the newest q.Limit.
func (k *maker) collect(list []Event, q TicksQuery, limit int) []Event {
	from, end := int64(-1<<63), q.End.UnixNano()
	if !q.From.IsZero() {
		from = q.From.UnixNano()
	}
	var t tick
	for k.next(&t) {
		if t.at >= end {
			break
		}
		if t.kind != q.Kind || t.at < from {
			continue
		}
		list = append(list, k.event(&t))
		switch {
		case limit > 0 && len(list) == limit:
			return list
		case limit == 0 && len(list) >= 2*q.Limit:
			list = append(list[:0], list[len(list)-q.Limit:]...)
		}
	}
	return list
}

// maxBack is how far back the newest ticks are looked for: over the longest
// stretch of closed days, and more.
const maxBack = 14 * 24 * time.Hour

// newest returns the newest events before the end.
func (m *model) newest(q TicksQuery) []Event {
	first, last := m.minutes(q.End.Add(-maxBack), q.End)
	k := newMaker(m)
	k.silent = q.Kind == Trade
	var list []Event
	for _, w := range slices.Backward(m.windows(first, last, q.RegularOnly)) {
		for minute := w.to - 1; minute >= w.from; minute-- {
			k.start(minute)
			found := k.collect(nil, q, 0)
			list = append(found, list...)
			if len(list) >= q.Limit {
				return list[len(list)-q.Limit:]
			}
		}
	}
	return list
}
