package ibkr

import (
	"sync/atomic"

	"robotrader/broker"
)

// budget is what the gateway counts, and what must not repeat, over all
// sessions of an adapter: a session that is lost and made anew has neither more
// messages a second nor more questions, and none of its ids has been used.
type budget struct {
	pace      *pacer
	questions *questions
	asked     atomic.Int64 // request ids given out
}

func newBudget(cfg Config) *budget {
	return &budget{pace: newPacer(cfg.SendsPerSecond, cfg.ReserveSends), questions: newQuestions()}
}

// Orders and requests share the ids of error messages. Orders count up from the
// gateway's number, so requests keep far away from it: above 2^30, or below
// 2^29 when that is where the orders are. 2^31-1 means "no request".
const (
	highIDs, highIDSpan = 1 << 30, 1<<30 - 1
	lowIDs, lowIDSpan   = 1, 1<<29 - 1
	ordersAreHigh       = 1 << 29
)

// idRange is where a session's request ids are.
type idRange struct{ first, span int64 }

func requestIDs(nextOrderID int64) idRange {
	if nextOrderID >= ordersAreHigh {
		return idRange{lowIDs, lowIDSpan}
	}
	return idRange{highIDs, highIDSpan}
}

// newID returns the id for one more request. Ids rise over the adapter's life,
// whichever session asks. They begin again only behind half a billion requests,
// which is more than the venue's limit lets out in 120 days.
func (s *Session) newID() int {
	n := s.budget.asked.Add(1) - 1
	return int(s.ids.first + n%s.ids.span)
}

// ours reports whether id was given out for a request, of this session or of
// one before it; orders have others.
func (s *Session) ours(id int64) bool {
	n := id - s.ids.first
	return n >= 0 && n < min(s.budget.asked.Load(), s.ids.span)
}

// lineUse is how many market-data subscriptions are held, of the limit.
func (s *Session) lineUse() broker.Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return broker.Use{Used: len(s.bySymbol), Limit: s.lines}
}

// historyUse is how many questions for bars were asked in the last ten minutes.
// The built-in gateway has no such limit, and its questions are not counted.
func (s *Session) historyUse() broker.Use { return s.budget.questions.use() }
