package interop

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// events are what the tape plays of a symbol until a time.
func events(t *testing.T, symbol market.Symbol, until time.Time) []tape.Event {
	t.Helper()
	var list []tape.Event
	for src := source(t); ; {
		ev, ok := src.Next()
		if !ok || ev.At.After(until) {
			return list
		}
		if ev.Symbol == symbol {
			list = append(list, ev)
		}
	}
}

func TestTickByTick(t *testing.T) {
	c := connect(t, start(t, nil), 1)
	c.do("reqTickByTickData", 50, stock("AAPL"), "AllLast", 0, false)
	c.do("reqTickByTickData", 51, stock("AAPL"), "BidAsk", 0, false)
	c.settle()
	c.pace(300)
	c.settle()
	var trades, quotes []string
	for _, ev := range events(t, "AAPL", c.s.Now()) {
		switch ev.Kind {
		case tape.Trade:
			trades = append(trades, fmt.Sprintln(ev.At.Unix(), ev.Price, ev.Size))
		case tape.Quote:
			quotes = append(quotes, fmt.Sprintln(ev.At.Unix(), ev.Bid.Price, ev.Ask.Price, ev.Bid.Size, ev.Ask.Size))
		}
	}
	var gotTrades, gotQuotes []string
	for _, e := range c.take("tickByTickAllLast") {
		gotTrades = append(gotTrades, fmt.Sprintln(e.text(2), e.text(3), e.text(4)))
	}
	for _, e := range c.take("tickByTickBidAsk") {
		gotQuotes = append(gotQuotes, fmt.Sprintln(e.text(1), e.text(2), e.text(3), e.text(4), e.text(5)))
	}
	if !slices.Equal(gotTrades, trades) || len(trades) < 20 {
		t.Errorf("decoded %d trades, %d were played:\n%v\n%v", len(gotTrades), len(trades), gotTrades, trades)
	}
	if !slices.Equal(gotQuotes, quotes) || len(quotes) < 20 {
		t.Errorf("decoded %d quotes, %d were played:\n%v\n%v", len(gotQuotes), len(quotes), gotQuotes, quotes)
	}
}

func TestRealTimeBars(t *testing.T) {
	c := connect(t, start(t, nil), 1)
	c.do("reqRealTimeBars", 52, stock("AAPL"), 5, "TRADES", false)
	c.settle()
	for c.s.Now().Before(opening.Add(90 * time.Second)) {
		c.pace(20)
	}
	c.settle()
	end := c.s.Now()
	bars, err := source(t).History("AAPL", end, end.Sub(opening), 5*time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, b := range bars {
		want[fmt.Sprint(b.Start.Unix())] = fmt.Sprintln(b.Open, b.High, b.Low, b.Close, b.Volume, b.Trades)
	}
	compared := 0
	for _, e := range c.take("realtimeBar") {
		if e.text(6) == "0" || e.text(6) == "-1" {
			continue // five seconds without a trade
		}
		compared++
		if got := fmt.Sprintln(e.text(2), e.text(3), e.text(4), e.text(5), e.text(6), e.text(8)); got != want[e.text(1)] {
			t.Errorf("bar at %s: decoded %s want %s", e.text(1), got, want[e.text(1)])
		}
	}
	if compared < 10 {
		t.Errorf("only %d bars in 90 seconds", compared)
	}
}

func TestHistoricalTicks(t *testing.T) {
	c := connect(t, start(t, nil), 1)
	for c.s.Now().Before(opening.Add(60 * time.Second)) {
		c.pace(20)
	}
	c.do("reqHistoricalTicks", 53, stock("AAPL"), "20260402-15:00:10", "", 20, "TRADES", 0, false)
	e := c.wait("historicalTicksLast", about(53))
	var ticks []struct {
		Time        int64       `json:"time"`
		Price, Size json.Number `json:"-"`
	}
	if err := json.Unmarshal(e.Args[1], &ticks); err != nil {
		t.Fatal(err)
	}
	var raw []map[string]json.RawMessage
	if err := json.Unmarshal(e.Args[1], &raw); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, ev := range events(t, "AAPL", c.s.Now()) {
		if ev.Kind == tape.Trade && !ev.At.Before(opening.Add(10*time.Second)) {
			want = append(want, fmt.Sprintln(ev.At.Unix(), ev.Price, ev.Size))
		}
	}
	if len(want) < 20 || len(raw) < 20 {
		t.Fatalf("%d ticks of %d", len(raw), len(want))
	}
	for i, r := range raw[:20] {
		if got := fmt.Sprintln(ticks[i].Time, string(r["price"]), string(r["size"])); got != want[i] {
			t.Errorf("tick %d: decoded %s want %s", i, got, want[i])
		}
	}
}

func TestLookUps(t *testing.T) {
	c := connect(t, start(t, nil), 1)
	c.do("reqHeadTimestamp", 54, stock("AAPL"), "TRADES", false, 2)
	if e := c.wait("headTimestamp", about(54)); len(e.text(1)) < 8 {
		t.Errorf("%s", e)
	}
	c.do("reqMarketRule", 26)
	e := c.wait("marketRule", about(26))
	var steps []map[string]json.RawMessage
	if err := json.Unmarshal(e.Args[1], &steps); err != nil || len(steps) == 0 || string(steps[len(steps)-1]["increment"]) != "0.01" {
		t.Errorf("%s, error %v", e, err)
	}
	c.do("reqMatchingSymbols", 55, "AAP")
	e = c.wait("symbolSamples", about(55))
	var found []struct{ Contract struct{ Symbol string } }
	if err := json.Unmarshal(e.Args[1], &found); err != nil || len(found) == 0 || found[0].Contract.Symbol != "AAPL" {
		t.Errorf("%s, error %v", e, err)
	}
}

// A client that applies the book's operations holds the quote at its top.
func TestDepth(t *testing.T) {
	c := connect(t, start(t, nil), 1)
	c.pace(5)
	c.do("reqMktDepth", 56, stock("AAPL"), 5, true)
	c.settle()
	c.pace(100)
	c.settle()
	var sides [2][]string // ask, bid
	updates := append(c.take("updateMktDepthL2"), c.take("updateMktDepth")...)
	for _, e := range updates {
		at := 1
		if e.Name == "updateMktDepthL2" {
			at = 2
		}
		row, op, side, price := e.int(1), e.int(at+1), e.int(at+2), e.text(at+3)
		if side != 0 && side != 1 || row < 0 || row > len(sides[side]) || op != 0 && row == len(sides[side]) {
			t.Fatalf("%s does not apply to a book of %d rows", e, len(sides[max(0, min(side, 1))]))
		}
		switch op {
		case 0:
			sides[side] = slices.Insert(sides[side], row, price)
		case 1:
			sides[side][row] = price
		case 2:
			sides[side] = slices.Delete(sides[side], row, row+1)
		}
	}
	list := events(t, "AAPL", c.s.Now())
	for _, ev := range slices.Backward(list) {
		if ev.Kind == tape.Quote {
			if len(sides[0]) == 0 || len(sides[1]) == 0 || sides[1][0] != ev.Bid.Price.String() || sides[0][0] != ev.Ask.Price.String() {
				t.Errorf("the book is %v, the quote %v %v", sides, ev.Bid.Price, ev.Ask.Price)
			}
			return
		}
	}
}
