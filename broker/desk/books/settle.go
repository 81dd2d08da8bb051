package books

import (
	"strconv"

	"robotrader/broker/market"
)

// EndTold reports whether the broker has told how an order ended, and the
// executions of it are still awaited.
func (e *Entry) EndTold() bool { return e.late != nil }

// Unaccounted is what the broker has more of a symbol than executions account
// for: taken over already, and what differs now.
func (b *Books) Unaccounted(s market.Symbol) market.Qty {
	return b.debts[s].qty.Add(b.Suspects[s].Diff)
}

// Followed reports whether the position was known all the time since an order was
// made, so that whatever it filled is in executions or in what is not accounted
// for.
func (b *Books) Followed(e *Entry) bool {
	return b.Positions != nil && !b.Counted.IsZero() && !e.Created.Before(b.Counted)
}

// Called returns the order with a reference or, by its digits, a permanent id;
// nil when none is in memory.
func (b *Books) Called(name string) *Entry {
	if e := b.ByRef[name]; e != nil {
		return b.awake(e)
	}
	id, ok := permID(name)
	if !ok {
		return nil
	}
	return b.awake(b.byPerm[id])
}

func permID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0
}
