package books

import (
	"fmt"
	"time"

	"robotrader/services/event"
)

const (
	// keepExecs bounds how many executions are told apart: some 250 bytes each. It is twelve a second through a regular session.
	keepExecs = 1 << 18
	// keepDays is for how many market days an execution is known by its id after
	// it was told last. A venue's answer is of its own day, which may be another
	// than ours.
	keepDays = 3
)

// ledger has what was told by an id, for the market days in which it was told
// last. It forgets nothing of these: an execution that is told with every answer
// and was forgotten would count again with every answer.
type ledger[V any] struct {
	days  [keepDays]map[string]V // the newest first
	today Day
}

// turn begins a new market day when at is in a later one, and reports whether
// something was forgotten with the oldest.
func (l *ledger[V]) turn(at time.Time, zone *time.Location) (forgot bool) {
	if at.IsZero() || at.Before(l.today.to) {
		return false
	}
	forgot = len(l.days[keepDays-1]) > 0
	l.today = MarketDay(at, zone)
	copy(l.days[1:], l.days[:keepDays-1])
	l.days[0] = nil
	return forgot
}

// get returns what is known by an id; that makes it told today.
func (l *ledger[V]) get(id string) (v V, ok bool) {
	if v, ok = l.days[0][id]; ok {
		return v, true
	}
	for _, day := range l.days[1:] {
		if v, ok = day[id]; ok {
			l.put(id, v)
			return v, true
		}
	}
	return v, false
}

// has reports whether something is known by an id, and changes nothing.
func (l *ledger[V]) has(id string) bool {
	for _, day := range l.days {
		if _, ok := day[id]; ok {
			return true
		}
	}
	return false
}

func (l *ledger[V]) put(id string, v V) {
	if l.days[0] == nil {
		l.days[0] = map[string]V{}
	}
	l.days[0][id] = v
	for _, day := range l.days[1:] {
		delete(day, id)
	}
}

func (l *ledger[V]) len() (n int) {
	for _, day := range l.days {
		n += len(day)
	}
	return n
}

// Full reports whether no further execution can be told apart from one that was
// counted. What an answer of the broker tells is not counted then.
func (b *Books) Full() bool { return b.execs.len()+b.plain.len() >= b.keepExecs }

// Overflown tells that the books are full, and takes entries away. What waited for
// positions to be counted does not wait any more, or nothing could be closed for days.
func (b *Books) Overflown(t *Turn) {
	clear(b.untold)
	why := fmt.Sprintf("more than %d executions in the last days: what the broker tells again can not be told apart from what is new, so positions are not held against its own any more", b.keepExecs)
	b.Raise(t, "overflown", event.NoticeText{Level: "error", Name: "executions_overflow", Text: why + "; stop what trades so often, and resume on the next day"})
	t.restrict(why)
}
