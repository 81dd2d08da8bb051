package books

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestWhatIsToldEveryDayIsNotForgotten: what is told again stays known, and what
// is not is known for the days that an answer may be of.
func TestWhatIsToldEveryDayIsNotForgotten(t *testing.T) {
	var l ledger[int]
	at := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	l.turn(at, time.UTC)
	l.put("told", 1)
	l.put("once", 2)
	for n := range 2 * keepDays {
		l.turn(at.AddDate(0, 0, n), time.UTC)
		_, told := l.get("told")
		known := l.len() == 2
		if !told || known != (n < keepDays) {
			t.Errorf("day %d: told %v, %d known", n, told, l.len())
		}
	}
}

// TestFullBooksSayThatTheyAre: beyond the bound nothing that an answer tells is
// counted, and entries are taken away.
func TestFullBooksSayThatTheyAre(t *testing.T) {
	b := New(time.UTC)
	b.keepExecs = 3
	turn := &Turn{Wall: time.Now(), Market: time.Now(), ConID: func(market.Symbol) int64 { return 1 }}
	for n := range 3 {
		if b.Full() {
			t.Fatalf("full with %d of 3", n)
		}
		b.FoldExecution(turn, &broker.Facts{Account: "DU1", ClientID: 1}, order.Fill{ExecID: fmt.Sprint(n), Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(1)})
	}
	if !b.Full() {
		t.Fatal("3 of 3 is not full")
	}
	turn.Effects = nil
	b.untold["AAPL"] = []untold{{ref: "a", side: order.Sell, mark: b.Mark()}}
	b.Overflown(turn)
	b.Overflown(turn)
	if ref, ok := b.Untold("AAPL", order.Sell); ok {
		t.Errorf("an exit waits for a look at what %s filled, and none counts it", ref)
	}
	restricted, told := 0, 0
	for _, c := range turn.Effects {
		if c.Restrict != "" {
			restricted++
		}
		if c.Notice != nil {
			told++
		}
	}
	if restricted != 2 || told != 1 {
		t.Errorf("restricted %d times, told %d times", restricted, told)
	}
}
