package score

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func amount(s string) *market.Money { return market.MustMoney(s).Ptr() }

var day = time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)

// deal is an execution at a minute of the day.
func deal(n int, side order.Side, qty, price, commission string) order.Fill {
	f := order.Fill{
		ExecID: fmt.Sprintf("e%d", n), Account: "DU1", Symbol: "AAPL", Side: side, Qty: market.MustQty(qty),
		Price: market.MustPrice(price), At: day.Add(time.Duration(n) * time.Minute), Currency: "USD",
	}
	if commission != "" {
		f.Commission = amount(commission)
	}
	return f
}

// scoring is a score with the books that it follows.
type scoring struct {
	*books.Books
	score *Score
}

func newScoring() scoring {
	b := scoring{books.New(time.UTC), New(time.UTC)}
	b.Follower = b.score
	return b
}

// scored returns books that are recovered, with a position in AAPL.
func scored(held string, cost *market.Price) scoring {
	b := newScoring()
	b.Account = "DU1"
	b.Positions = map[market.Symbol]order.Position{"AAPL": {Symbol: "AAPL", Qty: market.MustQty(held), AvgCost: cost}}
	b.score.Build(b.Books)
	b.score.equity = amount("1000")
	b.score.Mark("DU1", day, &broker.ModeRecord{Mode: broker.Active})
	return b
}

// happens folds executions as the desk does.
func happens(b *books.Books, fills ...order.Fill) {
	for _, f := range fills {
		t := &books.Turn{Wall: f.At, Market: f.At, ConID: func(market.Symbol) int64 { return 0 }}
		b.Fold(t, &broker.Facts{Account: "DU1", ClientID: 1}, broker.ExecutionReport{Fill: f})
	}
}

func TestRoundTrips(t *testing.T) {
	cost := market.MustPrice("90").Ptr()
	for _, tt := range []struct {
		name     string
		held     string
		cost     *market.Price
		fills    []order.Fill
		realized string
		streak   int
		exit     int // minute, 0 for none
	}{
		{"none", "0", nil, nil, "0", 0, 0},
		{"an open one is no result", "0", nil, []order.Fill{deal(1, order.Buy, "10", "100", "1")}, "0", 0, 0},
		{"won", "0", nil, []order.Fill{deal(1, order.Buy, "10", "100", "1"), deal(2, order.Sell, "10", "101", "1")}, "8", 0, 2},
		{"won less than the commissions", "0", nil, []order.Fill{deal(1, order.Buy, "10", "100", "1"), deal(2, order.Sell, "10", "100.1", "1")}, "-1", 1, 2},
		{"in parts", "0", nil, []order.Fill{
			deal(1, order.Buy, "6", "100", "1"), deal(2, order.Buy, "4", "101", "1"), deal(3, order.Sell, "3", "99", "1"), deal(4, order.Sell, "7", "98", "1"),
		}, "-25", 1, 4},
		{"a part of it sold", "0", nil, []order.Fill{deal(1, order.Buy, "10", "100", "1"), deal(2, order.Sell, "4", "99", "1")}, "0", 0, 2},
		{"short", "0", nil, []order.Fill{deal(1, order.Sell, "10", "100", "1"), deal(2, order.Buy, "10", "101", "1")}, "-12", 1, 2},
		{"turned over and back", "0", nil, []order.Fill{
			deal(1, order.Buy, "10", "100", "1"), deal(2, order.Sell, "15", "99", "1"), deal(3, order.Buy, "5", "100", "1"),
		}, "-18", 2, 3},
		{"a win ends the streak", "0", nil, []order.Fill{
			deal(1, order.Buy, "1", "100", "0"), deal(2, order.Sell, "1", "99", "0"),
			deal(3, order.Buy, "1", "100", "0"), deal(4, order.Sell, "1", "101", "0"),
			deal(5, order.Buy, "1", "100", "0"), deal(6, order.Sell, "1", "99", "0"),
		}, "-1", 1, 6},
		{"held from before at a known cost", "10", cost, []order.Fill{deal(1, order.Sell, "10", "89", "1")}, "-11", 1, 1},
		{"held from before at no known cost", "10", nil, []order.Fill{deal(1, order.Sell, "10", "89", "1")}, "0", 0, 1},
		{"yesterday's count no more", "0", nil, []order.Fill{
			deal(-1440, order.Buy, "1", "100", "0"), deal(-1439, order.Sell, "1", "99", "0"),
		}, "0", 0, -1439},
	} {
		b := scored(tt.held, tt.cost)
		happens(b.Books, tt.fills...)
		s := b.score.Standing()
		if s.Realized != market.MustMoney(tt.realized) || s.LosingStreak != tt.streak {
			t.Errorf("%s: realized %v, streak %d; want %s, %d", tt.name, s.Realized, s.LosingStreak, tt.realized, tt.streak)
		}
		var want time.Time
		if tt.exit != 0 {
			want = day.Add(time.Duration(tt.exit) * time.Minute)
		}
		if at := b.score.exits["AAPL"]; !at.Equal(want) {
			t.Errorf("%s: the last exit was at %v, want %v", tt.name, at, want)
		}
		// The same executions known before the first look give the same score.
		again := newScoring()
		again.Account = "DU1"
		happens(again.Books, tt.fills...)
		again.Positions = b.Positions
		again.score.day = b.score.day
		again.score.Build(again.Books)
		if tt.held == "0" && (again.score.Standing().Realized != s.Realized || again.score.Standing().LosingStreak != s.LosingStreak || !again.score.exits["AAPL"].Equal(want)) {
			t.Errorf("%s: rebuilt %+v, want %+v", tt.name, again.score.Standing(), s)
		}
	}
}

func TestACommissionThatComesLate(t *testing.T) {
	b := scored("0", nil)
	happens(b.Books, deal(1, order.Buy, "1", "100", ""), deal(2, order.Sell, "1", "100.5", ""))
	b.score.Charged("e1", market.MustMoney("1"))
	b.score.Charged("e1", market.MustMoney("1")) // told twice
	b.score.Charged("nobody", market.MustMoney("7"))
	if s := b.score.Standing(); s.Realized != market.MustMoney("-0.5") || s.LosingStreak != 1 {
		t.Errorf("realized %v, streak %d", s.Realized, s.LosingStreak)
	}
}

func TestAPositionMovedElsewhereBeginsAnew(t *testing.T) {
	b := scored("0", nil)
	happens(b.Books, deal(1, order.Buy, "10", "100", "0"))
	b.Positions["AAPL"] = order.Position{Symbol: "AAPL", Qty: market.Shares(4)} // by hand, at no cost that is told
	happens(b.Books, deal(2, order.Sell, "4", "50", "0"))
	if s := b.score.Standing(); !s.Realized.IsZero() || s.LosingStreak != 0 {
		t.Errorf("a result out of nothing: %v, %d", s.Realized, s.LosingStreak)
	}
}

func TestManyTripsAreStillSummedUp(t *testing.T) {
	b := scored("0", nil)
	for n := range 3 * keepTrips {
		for i, side := range []order.Side{order.Buy, order.Sell} {
			f := deal(1, side, "1", fmt.Sprint(100-i), "0")
			f.ExecID = fmt.Sprint(n, side)
			happens(b.Books, f)
		}
	}
	if s := b.score.Standing(); s.Realized != market.MustMoney(fmt.Sprint(-3*keepTrips)) || len(b.score.closed) >= 2*keepTrips {
		t.Errorf("realized %v of %d trips, %d kept", s.Realized, 3*keepTrips, len(b.score.closed))
	}
}

// What is summed up trip by trip is what counting all of them gives.
func TestTheSumFollowsTheTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := scored("0", nil)
		minute := 0
		for n := range rapid.IntRange(1, 40).Draw(t, "executions") {
			minute += rapid.SampledFrom([]int{1, 1, 1, 600}).Draw(t, "minutes")
			f := deal(n, rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "qty"),
				rapid.SampledFrom([]string{"99", "100", "101"}).Draw(t, "price"), rapid.SampledFrom([]string{"", "0", "1"}).Draw(t, "commission"))
			f.At = day.Add(time.Duration(minute) * time.Minute)
			b.score.Mark("DU1", f.At, &broker.ModeRecord{Mode: broker.Active})
			happens(b.Books, f)
			b.score.Charged(fmt.Sprint("e", rapid.IntRange(0, n).Draw(t, "late")), market.MustMoney(rapid.SampledFrom([]string{"-3", "1", "2"}).Draw(t, "cost")))
			if rapid.Bool().Draw(t, "looked at") {
				b.score.Standing()
			}
			got, want := b.score.Standing(), b.score.count()
			if got.Realized != want.realized || got.LosingStreak != want.streak {
				t.Fatalf("realized %v, streak %d; counted anew %+v", got.Realized, got.LosingStreak, want)
			}
		}
	})
}

func TestMarksOfTheEquity(t *testing.T) {
	b := newScoring()
	s := b.score
	active, restricted := &broker.ModeRecord{Mode: broker.Active}, &broker.ModeRecord{Mode: broker.ReduceOnly}
	equity := func(v string, at time.Time, m *broker.ModeRecord) {
		s.Told(broker.AccountValue{Account: "DU1", Key: keyEquity, Value: v, Currency: "USD"}, at, m)
	}
	want := func(what, now, start, peak string) {
		t.Helper()
		v := s.Standing()
		if *v.Equity != market.MustMoney(now) || *v.DayStart != market.MustMoney(start) || *v.Peak != market.MustMoney(peak) {
			t.Errorf("%s: equity %v, start %v, peak %v; want %s, %s, %s", what, v.Equity, v.DayStart, v.Peak, now, start, peak)
		}
	}
	s.Mark("DU1", day, active)
	happens(b.Books, deal(1, order.Buy, "1", "100", "0"))
	s.built = "DU1"
	happens(b.Books, deal(2, order.Buy, "1", "100", "0"), deal(3, order.Sell, "1", "99", "0"))
	if v := s.Standing(); v.Equity != nil || v.DayStart != nil || v.Realized != market.MustMoney("-1") {
		t.Errorf("without an equity: %+v", v)
	}
	s.day = books.Day{}
	equity("1000", time.Time{}, active) // no clock, so no day
	if v := s.Standing(); v.DayStart != nil || v.Peak != nil || *v.Equity != market.MustMoney("1000") {
		t.Errorf("without a clock: %+v", v)
	}
	s.Mark("DU1", day, active)
	want("the first", "1000", "1000", "1000")
	if note := s.Standing().Note; !strings.Contains(note, "first after a restart") {
		t.Errorf("the note %q does not say that nothing is remembered", note)
	}
	equity("1100", day, active)
	want("up", "1100", "1000", "1100")
	equity("900", day, active)
	want("down", "900", "1000", "1100")
	equity("not told", day, active)
	want("no amount", "900", "1000", "1100")
	s.Mark("DU1", day.Add(24*time.Hour), active)
	want("the next day", "900", "900", "1100")
	equity("850", day.Add(24*time.Hour), restricted)
	want("restricted", "850", "900", "1100")
	equity("840", day.Add(24*time.Hour), active)
	want("resumed", "840", "900", "840")
}
