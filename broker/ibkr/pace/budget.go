package pace

import "sync/atomic"

// Budget is what the gateway counts, and what must not repeat, over all
// sessions of an adapter: a session that is lost and made anew has neither more
// messages a second nor more questions, and none of its ids has been used.
type Budget struct {
	// Sends is the window of messages.
	Sends *Window
	// Bars are the limits on questions for bars.
	Bars *Bars

	given atomic.Int64 // request ids
}

// NewBudget returns a budget of which nothing is used; limit and reserve are
// those of [NewWindow].
func NewBudget(limit, reserve int) *Budget {
	return &Budget{Sends: NewWindow(limit, reserve), Bars: NewBars()}
}

// Orders and requests share the ids of error messages. Orders count up from the
// gateway's number, so requests keep far away from it: above 2^30, or below
// 2^29 when that is where the orders are. 2^31-1 means "no request".
const (
	highIDs, highIDSpan = 1 << 30, 1<<30 - 1
	lowIDs, lowIDSpan   = 1, 1<<29 - 1
	ordersAreHigh       = 1 << 29
)

// IDs gives out one session's request ids. The zero value has none to give, and
// no id is its own.
type IDs struct {
	given       *atomic.Int64 // of the budget
	first, span int64
}

// IDs returns the ids for a session whose next order has that number.
func (b *Budget) IDs(nextOrderID int64) IDs {
	if nextOrderID >= ordersAreHigh {
		return IDs{&b.given, lowIDs, lowIDSpan}
	}
	return IDs{&b.given, highIDs, highIDSpan}
}

// Next returns the id for one more request. Ids rise over the budget's life,
// whichever session asks. They begin again only behind half a billion requests,
// which is more than the venue's limit lets out in 120 days.
func (i IDs) Next() int {
	n := i.given.Add(1) - 1
	return int(i.first + n%i.span)
}

// Ours reports whether id was given out for a request, of this session or of
// one before it; orders have others.
func (i IDs) Ours(id int64) bool {
	if i.given == nil {
		return false
	}
	n := id - i.first
	return n >= 0 && n < min(i.given.Load(), i.span)
}
