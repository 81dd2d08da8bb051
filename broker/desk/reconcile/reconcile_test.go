package reconcile

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

var noon = time.Date(2026, 4, 2, 16, 0, 0, 0, time.UTC)

// bench is an account with what its broker answers.
type bench struct {
	b         *books.Books
	who       broker.Facts
	at        time.Time
	positions []order.Position
	fills     []broker.ExecutionReport
	completed error
}

func newBench() *bench {
	k := &bench{b: books.New(time.UTC), who: broker.Facts{Account: "DU1", ClientID: 1}, at: noon}
	k.b.Account, k.b.Positions = "DU1", map[market.Symbol]order.Position{"AAPL": held("3")}
	return k
}

func held(qty string) order.Position {
	return order.Position{Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(qty)}
}

// look holds the books against answers without an order or an execution.
func (k *bench) look() []books.Effect {
	l := Look{
		Books: k.b, Who: &k.who, Since: k.b.Begin(), Mark: k.b.Mark(), Calm: true, OrderDeadline: 5 * time.Second, Zone: time.UTC,
		SettledAfter: time.Minute, DayOver: func(time.Time, time.Time) bool { return false },
		Orders:    broker.Answered[broker.OrderReport](k.at, nil, nil),
		Fills:     broker.Answered(k.at, k.fills, nil),
		Positions: broker.Answered(k.at, k.positions, nil),
		Completed: broker.Answered[broker.CompletedReport](k.at, nil, k.completed),
	}
	t := &books.Turn{Wall: k.at, Market: k.at, ConID: func(market.Symbol) int64 { return 1 }, CanAsk: true}
	l.Reconcile(t)
	return t.Effects
}

// has counts what follows: findings, looks that are asked for, and restrictions.
func has(list []books.Effect) (findings, soon, restricted int) {
	for _, c := range list {
		switch {
		case c.Finding != nil:
			findings++
		case c.Restrict != "":
			restricted++
		case c.Ask == books.AskSoon:
			soon++
		}
	}
	return findings, soon, restricted
}

// TestADifferenceTakesTwoLooks: the first one bars entries and asks again, the
// second takes the broker's figure, and one that is gone by then was none.
func TestADifferenceTakesTwoLooks(t *testing.T) {
	for _, lasts := range []bool{true, false} {
		k := newBench()
		k.positions = []order.Position{held("10")}
		if f, soon, r := has(k.look()); f != 0 || soon != 1 || r != 0 || k.b.Suspects["AAPL"].Diff != market.Shares(7) || *k.b.Holding("AAPL") != market.Shares(3) {
			t.Fatalf("after one look: %d findings, %d looks, %d restrictions, suspects %v", f, soon, r, k.b.Suspects)
		}
		want, pos := 1, market.Shares(10)
		if !lasts {
			k.positions, want, pos = []order.Position{held("3")}, 0, market.Shares(3)
		}
		k.at = k.at.Add(books.SettleAfter)
		if f, _, r := has(k.look()); f != want || r != want || *k.b.Holding("AAPL") != pos || len(k.b.Suspects) != 0 {
			t.Errorf("lasts %v: %d findings, %d restrictions, holding %v", lasts, f, r, k.b.Holding("AAPL"))
		}
	}
}

// TestASuspectThatIsNowhereIsNone: a difference in a symbol that books and broker
// both have nothing of any more bars no entries.
func TestASuspectThatIsNowhereIsNone(t *testing.T) {
	k := newBench()
	k.positions = []order.Position{held("3")}
	k.b.Suspects["MSFT"] = books.Suspect{Diff: market.Shares(7), At: k.at}
	if k.look(); len(k.b.Suspects) != 0 || len(k.b.Positions) != 1 {
		t.Errorf("suspects %v, positions %v", k.b.Suspects, k.b.Positions)
	}
}

// TestEachExecutionOfABusyDayCountsOnce: each answer tells the whole day again,
// however much was traded.
func TestEachExecutionOfABusyDayCountsOnce(t *testing.T) {
	k := newBench()
	const n = 70_000
	k.b.Add(order.Order{Ref: "a", OrderID: 9, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(n), State: order.Working}, noon)
	for i := range n {
		k.fills = append(k.fills, broker.ExecutionReport{Fill: order.Fill{
			ExecID: fmt.Sprintf("%x.01", i), OrderID: 9, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(1), Price: market.MustPrice("1"), At: noon,
		}})
	}
	k.positions = []order.Position{held(fmt.Sprint(3 + n))}
	for range 3 {
		k.look()
		if got := k.b.Holding("AAPL"); *got != market.Shares(3+n) || len(k.b.Suspects) != 0 {
			t.Fatalf("the books hold %v, suspects %v", got, k.b.Suspects)
		}
		k.at = k.at.Add(12 * time.Hour) // the day turns here before it turns at the venue
	}
}

// TestAbsenceTakesProof: an unknown order is dropped only by three looks over a
// minute of one session, each long enough after its write, whose completed orders
// are confirmed.
func TestAbsenceTakesProof(t *testing.T) {
	for name, tt := range map[string]struct {
		perm      int64
		completed error
		want      order.State
	}{
		"never acknowledged":               {0, nil, order.Dropped},
		"the completed orders are refused": {0, errors.New("321"), order.Unknown},
		"it was acknowledged":              {9, nil, order.Unknown},
	} {
		k := newBench()
		k.completed, k.positions = tt.completed, []order.Position{held("3")}
		e := k.b.Add(order.Order{Ref: "a", OrderID: 1, PermID: tt.perm, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(1), State: order.Unknown, Created: noon}, noon)
		for i, after := range []time.Duration{time.Second, 20 * time.Second, 50 * time.Second, 75 * time.Second, 80 * time.Second} {
			if k.at = noon.Add(after); e.State != order.Unknown {
				t.Fatalf("%s: %v after %d looks", name, e.State, i)
			}
			k.look()
		}
		if e.State != tt.want {
			t.Errorf("%s: the order is %v, want %v", name, e.State, tt.want)
		}
	}
}
