package interop

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
)

func TestHandshakeAtEveryVersionOfTheClient(t *testing.T) {
	for v := gateway.MinVersion; v <= highest; v++ {
		t.Run(strconv.Itoa(v), func(t *testing.T) {
			s := start(t, func(c *gateway.Config) { c.ServerVersion = v })
			c := connect(t, s, 1)
			if c.version != v {
				t.Errorf("the client found version %d", c.version)
			}
			c.do("reqCurrentTime")
			if e := c.wait("currentTime", nil); e.text(0) != strconv.FormatInt(opening.Unix(), 10) {
				t.Errorf("it is %s, want %d", e, opening.Unix())
			}
		})
	}
}

func TestQuotesAndTrades(t *testing.T) {
	s := start(t, nil)
	c := connect(t, s, 1)
	c.do("reqMarketDataType", 1)
	c.do("reqMktData", 10, stock("AAPL"), "", false, false)
	c.do("reqMktData", 11, stock("MSFT"), "", false, false)
	c.settle()
	c.take("tickPrice")
	c.take("tickSize")
	c.pace(400)
	c.settle()

	const lastSize = 5
	heard := map[string][]string{}
	for _, e := range c.take("tickPrice") {
		key := fmt.Sprint(e.int(0), " ", e.int(1))
		heard[key] = append(heard[key], e.text(2))
	}
	for _, e := range c.take("tickSize") {
		if e.int(1) == lastSize {
			key := fmt.Sprint(e.int(0), " ", lastSize)
			heard[key] = append(heard[key], e.text(2))
		}
	}
	for i, symbol := range symbols {
		req := 10 + i
		for kind, want := range played(t, symbol, s.Now()) {
			got := heard[fmt.Sprint(req, " ", kind)]
			if kind <= 2 { // bid and ask: a side that did not change may be told or not
				got, want = slices.Compact(got), slices.Compact(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, tick type %d: the client decoded %d, the tape played %d:\n%v\n%v", symbol, kind, len(got), len(want), got, want)
			}
			if len(want) < 5 {
				t.Errorf("%s, tick type %d: only %d of them were played", symbol, kind, len(want))
			}
		}
	}
	if n := c.take("error"); len(n) > 3 { // the three farms
		t.Errorf("errors: %v", n)
	}
}

// played is what the tape plays until a time: prices and sizes as text, by tick
// type.
func played(t *testing.T, symbol market.Symbol, until time.Time) map[int][]string {
	t.Helper()
	src, list := source(t), map[int][]string{}
	for {
		ev, ok := src.Next()
		if !ok || ev.At.After(until) {
			return list
		}
		if ev.Symbol == symbol {
			note(list, ev)
		}
	}
}

func note(list map[int][]string, ev tape.Event) {
	switch {
	case ev.Kind == tape.Quote:
		list[1] = append(list[1], ev.Bid.Price.String())
		list[2] = append(list[2], ev.Ask.Price.String())
	case ev.Kind == tape.Trade && !ev.Suspicious:
		list[4] = append(list[4], ev.Price.String())
		list[5] = append(list[5], ev.Size.String())
	}
}

func TestHistoricalBars(t *testing.T) {
	for _, tt := range []struct {
		duration, size string
		span, width    time.Duration
	}{
		{"3600 S", "1 min", time.Hour, time.Minute},
		{"1800 S", "30 secs", 30 * time.Minute, 30 * time.Second},
		{"1 D", "1 hour", 24 * time.Hour, time.Hour},
	} {
		t.Run(tt.size, func(t *testing.T) {
			c := connect(t, start(t, nil), 1)
			c.do("reqHistoricalData", 20, stock("AAPL"), "", tt.duration, tt.size, "TRADES", 0, 2, false)
			c.wait("historicalData", func(e event) bool { return len(e.text(1)) > 8 && e.text(1)[:8] == "finished" })
			got := c.take("historicalData")
			want, err := source(t).History("AAPL", opening, tt.span, tt.width, false)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) || len(want) < 20 {
				t.Fatalf("%d bars, want %d", len(got), len(want))
			}
			for i, e := range got {
				b := want[i]
				line := fmt.Sprintln(b.Start.Unix(), b.Open, b.High, b.Low, b.Close, b.Volume, b.Trades)
				if have := fmt.Sprintln(e.text(1), e.text(2), e.text(3), e.text(4), e.text(5), e.text(6), e.text(7)); have != line {
					t.Errorf("bar %d: decoded %s want %s", i, have, line)
				}
			}
		})
	}
}

func TestContractDetails(t *testing.T) {
	s := start(t, nil)
	c := connect(t, s, 1)
	c.do("reqContractDetails", 30, stock("AAPL"))
	e := c.wait("contractDetails", about(30))
	c.wait("contractDetailsEnd", about(30))
	for name, want := range map[string]string{
		"minTick": "0.01", "longName": "APPLE INC", "timeZoneId": "US/Eastern", "priceMagnifier": "1",
	} {
		if got := e.field(1, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	contract := event{Args: e.Args[1:]}.field(0, "contract")
	t.Logf("contract %s", contract)
	hours, err := market.ParseHours(e.field(1, "liquidHours"), mustZone(t))
	if err != nil {
		t.Fatal(err)
	}
	if in, known := hours.Contains(opening); !in || !known {
		t.Errorf("the liquid hours %v do not hold %v", e.field(1, "liquidHours"), opening)
	}
	c.do("reqContractDetails", 31, stock("NOSUCHTICKER"))
	if e := c.wait("error", func(e event) bool { return e.int(2) == 31 }); e.int(1) != 200 {
		t.Errorf("%s, want code 200", e)
	}
}

func mustZone(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	return z
}
