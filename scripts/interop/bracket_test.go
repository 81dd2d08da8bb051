package interop

import (
	"testing"

	"robotrader/broker/market"
)

// A bracket whose last child transmits all: the parent fills, one child ends
// the position, and the other one is cancelled.
func TestBracket(t *testing.T) {
	atVersions(t, func(t *testing.T, c *client) {
		c.pace(5)
		c.do("reqMktData", 10, stock("AAPL"), "", false, false)
		ask := price(t, c.wait("tickPrice", func(e event) bool { return e.int(1) == 2 }).text(2))
		near := func(cents int64) string { return ask.Add(market.MustPrice("0.01").Times(cents)).String() }
		c.do("placeOrder", 1, stock("AAPL"), placed("BUY", "LMT", 20, map[string]any{"lmtPrice": number(near(20)), "transmit": false}))
		c.do("placeOrder", 2, stock("AAPL"), placed("SELL", "LMT", 20, map[string]any{"lmtPrice": number(near(8)), "parentId": 1, "transmit": false}))
		if n := len(books(t, c).Executions); n != 0 {
			t.Fatalf("%d executions before the bracket was transmitted", n)
		}
		c.do("placeOrder", 3, stock("AAPL"), placed("SELL", "STP", 20, map[string]any{"auxPrice": number(near(-9)), "parentId": 1, "transmit": true}))
		c.wait("orderStatus", status(1, "Filled"))
		ended := func() bool {
			for i := range c.seen {
				if e := c.seen[i]; e.Name == "orderStatus" && e.int(0) > 1 && e.text(1) == "Filled" {
					return true
				}
			}
			return false
		}
		for steps := 0; !ended(); steps++ {
			if steps > 400 {
				t.Fatal("neither child has filled in 4000 instants")
			}
			c.pace(10)
			c.settle()
		}
		filled := c.wait("orderStatus", func(e event) bool { return e.int(0) > 1 && e.text(1) == "Filled" }).int(0)
		c.wait("orderStatus", status(int64(5-filled), "Cancelled"))
		b := books(t, c)
		if len(b.Executions) != 2 || len(b.Positions) != 0 || b.Executions[1].OrderID != int64(filled) {
			t.Errorf("child %d filled; the exchange holds %+v and %d positions", filled, b.Executions, len(b.Positions))
		}
		for _, f := range b.Executions {
			same(t, c.wait("execDetails", func(e event) bool { return e.field(2, "execId") == f.ExecID }), f)
		}
	})
}

// number is a number as the client takes it.
func number(s string) rawNumber { return rawNumber(s) }

type rawNumber string

// MarshalJSON writes the digits.
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func price(t *testing.T, s string) market.Price {
	t.Helper()
	p, err := market.ParsePrice(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
