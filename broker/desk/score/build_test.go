package score

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// versioned is deal with an id that can be corrected.
func versioned(n, version int, side order.Side, qty, price string) order.Fill {
	f := deal(n, side, qty, price, "0")
	f.ExecID = fmt.Sprintf("0000e0d5.%08x.01.%02d", n, version)
	return f
}

// fares is how the account fares when all is taken in.
func (b scoring) fares() broker.Standing {
	b.score.Build(b.Books)
	return b.score.Standing()
}

func (b scoring) wants(t *testing.T, when, realized string, streak int) {
	t.Helper()
	if s := b.fares(); s.Realized != market.MustMoney(realized) || s.LosingStreak != streak {
		t.Errorf("%s: realized %v, streak %d; want %s, %d", when, s.Realized, s.LosingStreak, realized, streak)
	}
}

// TestACorrectionForgetsNoEarlierTrip: a day of more executions than the books
// show, each a loss, and then a correction of the newest.
func TestACorrectionForgetsNoEarlierTrip(t *testing.T) {
	const trips = 3 * books.KeepEnded
	b := scored("0", nil)
	for n := range trips {
		buys, sells := versioned(2*n, 1, order.Buy, "1", "100"), versioned(2*n+1, 1, order.Sell, "1", "99")
		buys.At, sells.At = day.Add(time.Duration(2*n)*time.Second), day.Add(time.Duration(2*n+1)*time.Second)
		happens(b.Books, buys, sells)
	}
	b.wants(t, "before", fmt.Sprint(-trips), trips)
	better := versioned(2*trips-1, 2, order.Sell, "1", "98")
	better.At = day.Add(time.Duration(2*trips-1) * time.Second)
	happens(b.Books, better)
	b.wants(t, "after", fmt.Sprint(-trips-1), trips)
}

// TestAnExecutionThatComesLateIsPutIntoItsPlace: what a gateway tells after an
// outage comes behind what happened since.
func TestAnExecutionThatComesLateIsPutIntoItsPlace(t *testing.T) {
	b := scored("0", nil)
	happens(b.Books,
		deal(1, order.Buy, "10", "100", "0"), deal(2, order.Sell, "10", "99", "0"),
		deal(5, order.Sell, "10", "102", "0"), // its entry, of minute 4, was told by nobody yet
	)
	happens(b.Books, deal(4, order.Buy, "10", "100", "0"))
	b.wants(t, "in time order", "10", 0)
	happens(b.Books, deal(6, order.Buy, "1", "100", "0"), deal(7, order.Sell, "1", "99", "0"))
	b.wants(t, "and onwards", "9", 1)
}

// TestTripsOfTwoSymbolsEndInTheirOrder: reports of two symbols overtake each
// other, and the row of losses is that of the times.
func TestTripsOfTwoSymbolsEndInTheirOrder(t *testing.T) {
	b := scored("0", nil)
	other := func(n int, side order.Side, price string) order.Fill {
		f := deal(n, side, "1", price, "0")
		f.Symbol = "MSFT"
		return f
	}
	happens(b.Books, other(1, order.Buy, "50"), deal(2, order.Buy, "1", "100", "0"))
	happens(b.Books, deal(5, order.Sell, "1", "99", "0"), other(4, order.Sell, "51")) // the win came before the loss
	b.wants(t, "a loss is the newest", "0", 1)
}

// TestWhatWasTakenOverKeepsItsPlace: the broker's figure moved a position in the
// middle of the day. A correction in the afternoon must not make the trips of the
// morning begin with it.
func TestWhatWasTakenOverKeepsItsPlace(t *testing.T) {
	b := scored("0", nil)
	happens(b.Books, versioned(1, 1, order.Buy, "10", "100"), versioned(2, 1, order.Sell, "10", "99"))
	turn := &books.Turn{Wall: day.Add(3 * time.Minute), Market: day.Add(3 * time.Minute), ConID: func(market.Symbol) int64 { return 0 }}
	b.Unexplained(turn, "AAPL", b.Positions["AAPL"], order.Position{Symbol: "AAPL", Qty: market.Shares(4), AvgCost: market.MustPrice("100").Ptr()}, "by hand")
	happens(b.Books, versioned(5, 1, order.Sell, "4", "98"))
	b.wants(t, "before", "-18", 2)
	happens(b.Books, versioned(5, 2, order.Sell, "4", "97"))
	b.wants(t, "corrected", "-22", 2)

	// The execution of it comes after all: it was no jump.
	happens(b.Books, versioned(2, 2, order.Sell, "10", "98"))
	b.wants(t, "corrected in the morning", "-32", 2)
	late := versioned(0, 1, order.Buy, "4", "96")
	late.At = day.Add(2*time.Minute + 30*time.Second)
	happens(b.Books, late)
	b.wants(t, "accounted for", "-16", 0)
	if len(b.score.jumps) != 0 || b.Positions["AAPL"].Qty.Sign() != 0 {
		t.Errorf("%d jumps, position %v", len(b.score.jumps), b.Positions["AAPL"].Qty)
	}
}

// TestAnyOrderAndEveryCorrectionGiveOneScore: whatever comes late or is corrected,
// the score is that of the newest versions in the order of their times.
func TestAnyOrderAndEveryCorrectionGiveOneScore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, newest := scored("0", nil), []order.Fill{}
		draw := func(n, version int) order.Fill {
			f := versioned(n, version, rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"),
				rapid.SampledFrom([]string{"1", "2"}).Draw(t, "qty"), rapid.SampledFrom([]string{"99", "100", "101"}).Draw(t, "price"))
			f.Symbol = rapid.SampledFrom([]market.Symbol{"AAPL", "MSFT"}).Draw(t, "symbol")
			return f
		}
		for n := range rapid.IntRange(1, 30).Draw(t, "executions") {
			newest = append(newest, draw(n, 1))
		}
		told := rapid.Permutation(newest).Draw(t, "told")
		for i, f := range told {
			happens(b.Books, f)
			if rapid.Bool().Draw(t, "looked at") {
				b.fares()
			}
			k := rapid.IntRange(0, 3*i+3).Draw(t, "corrected")
			if k > i {
				continue
			}
			n := 0
			if _, err := fmt.Sscanf(told[k].ExecID, "0000e0d5.%08x", &n); err != nil {
				t.Fatal(err)
			}
			_, version := order.ExecVersion(newest[n].ExecID)
			c := draw(n, version+1)
			c.Symbol, c.Side = newest[n].Symbol, newest[n].Side
			if newest[n] = c; rapid.IntRange(0, 4).Draw(t, "taken back") == 0 {
				c.Qty = market.Qty{}
				newest[n].Qty = c.Qty
			}
			happens(b.Books, c)
		}
		want := scored("0", nil)
		for _, f := range newest {
			if !f.Qty.IsZero() {
				happens(want.Books, f)
			}
		}
		got, w := b.fares(), want.fares()
		if got.Realized != w.Realized || got.LosingStreak != w.LosingStreak {
			t.Fatalf("realized %v, streak %d; in order %v, %d", got.Realized, got.LosingStreak, w.Realized, w.LosingStreak)
		}
		for _, s := range []market.Symbol{"AAPL", "MSFT"} {
			if !b.score.LastExit(s).Equal(want.score.LastExit(s)) {
				t.Fatalf("last exit of %s at %v, in order %v", s, b.score.LastExit(s), want.score.LastExit(s))
			}
		}
	})
}

// TestExecutionsInOrderAreTakenInOneByOne: the cost of one does not grow with the
// day.
func TestExecutionsInOrderAreTakenInOneByOne(t *testing.T) {
	b := scored("0", nil)
	for n := range 5000 {
		f := deal(n, []order.Side{order.Buy, order.Sell}[n%2], "1", "100", "0")
		f.At = day.Add(time.Duration(n/2) * time.Second) // two in a second are in order, too
		happens(b.Books, f)
		if b.score.built == "" {
			t.Fatalf("execution %d has all taken anew", n)
		}
	}
}
