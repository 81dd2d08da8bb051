package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestNothingIsTakenOverBetweenSessions: the broker told a position, and the
// session ended before its executions came. The next one brings them: a position
// that was taken over meanwhile would have them twice.
func TestNothingIsTakenOverBetweenSessions(t *testing.T) {
	day := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	turn := func(after time.Duration) *Turn {
		return &Turn{Wall: day.Add(after), Market: day.Add(after), ConID: func(market.Symbol) int64 { return 0 }}
	}
	for _, lost := range []bool{false, true} {
		b := New(time.UTC)
		b.Positions = map[market.Symbol]order.Position{}
		b.Fold(turn(0), &broker.Facts{Account: "DU1", ClientID: 1},
			broker.PositionReport{Position: order.Position{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(10)}})
		if lost {
			b.Lost(turn(time.Second))
		}
		b.Judge(turn(time.Minute), 5*time.Second)
		if q := b.Positions["AAPL"].Qty; q.IsZero() != lost {
			t.Errorf("the session ended: %v; the books have %v", lost, q)
		}
	}
}
