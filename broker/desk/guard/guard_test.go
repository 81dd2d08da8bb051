package guard

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var noon = time.Date(2026, 4, 2, 16, 0, 0, 0, time.UTC)

// view is of an account that holds AAPL at 100, which trades at 101.
func view(holds string) View {
	b := books.New(time.UTC)
	b.Positions = map[market.Symbol]order.Position{
		"AAPL": {Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(holds), AvgCost: market.MustPrice("100").Ptr()},
	}
	return View{
		Books: b, Who: &broker.Facts{Account: "DU1", ClientID: 1}, Wall: noon, Market: noon, Percent: market.MustPercent("5"),
		Details: &market.Details{MinTick: market.MustPrice("0.01")},
		Quote:   func() Quote { return Quote{Price: market.MustPrice("101").Ptr(), Sane: true, Believed: true} },
	}
}

// rests puts a stop of ours into the books.
func (v View) rests(side order.Side, qty string, state order.State) *books.Entry {
	return v.Books.Add(order.Order{
		Ref: "guard-AAPL-1", OCA: "guard-AAPL-1", OrderID: 1, ClientID: 1, Account: "DU1", Strategy: "desk", Symbol: "AAPL", Side: side,
		Type: order.Stop, TIF: order.GTC, Qty: market.MustQty(qty), StopPrice: market.MustPrice("95").Ptr(), State: state,
	}, noon)
}

// TestWhatAPositionNeeds: what is asked for, by what is held and what rests.
func TestWhatAPositionNeeds(t *testing.T) {
	for _, tt := range []struct {
		name, holds string
		side        order.Side // of the stop that rests, "" = none does
		qty         string
		state       order.State
		want        string // action, quantity and price; "" = nothing
		covered     bool
		cause       string
	}{
		{"long, nothing rests", "100", "", "", 0, "place 100 SELL 95", false, "no stop rests"},
		{"short, nothing rests", "-100", "", "", 0, "place 100 BUY 105", false, "no stop rests"},
		{"a stop as it should be", "100", order.Sell, "100", order.Working, "", true, ""},
		{"it grew", "150", order.Sell, "100", order.Working, "modify 150 SELL 95", false, "holds 100 of 150"},
		{"it shrank", "40", order.Sell, "100", order.Working, "modify 40 SELL 95", true, ""},
		{"it is gone", "0", order.Sell, "100", order.Working, "cancel", false, "not wanted"},
		{"it was turned over", "-100", order.Sell, "100", order.Working, "cancel", false, "not wanted"},
		{"nobody knows of the stop", "100", order.Sell, "100", order.Unknown, "", false, "unknown"},
		{"the broker has not confirmed it", "100", order.Sell, "100", order.Sent, "", false, "not confirmed"},
	} {
		v := view(tt.holds)
		if tt.side != "" {
			v.rests(tt.side, tt.qty, tt.state)
		}
		g := New("AAPL", noon)
		got := ""
		if in := g.Look(v); in != nil {
			if got = string(in.Action); in.Action != order.Cancel {
				got += " " + in.Qty.String() + " " + string(in.Side) + " " + in.Stop.String()
			}
			if err := in.Validate(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		g.Conclude(v)
		if s := g.State(); got != tt.want || s.Covered != tt.covered || !strings.Contains(s.Cause, tt.cause) {
			t.Errorf("%s: asks for %q, covered %v, cause %q; want %q, %v, %q", tt.name, got, s.Covered, s.Cause, tt.want, tt.covered, tt.cause)
		}
	}
}

// TestARefusedStopIsAskedForAgain, later each time, at most a minute apart, and
// a person is told once.
func TestARefusedStopIsAskedForAgain(t *testing.T) {
	v, g, told := view("100"), New("AAPL", noon), 0
	waits := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, wait := range waits {
		in := g.Look(v)
		if in == nil {
			t.Fatalf("not asked for the %d. time", i+1)
		}
		g.Asked(*in, v.Wall)
		g.Answered(event.OrderReply{Result: event.Refused, Rule: "max_orders", Reason: "too many"})
		g.Plan(v)
		if _, notice := g.Conclude(v); notice != nil {
			told++
		}
		v.Wall = v.Wall.Add(wait*time.Second - 1)
		if g.Look(v) != nil {
			t.Fatalf("asked for again before %d s were over", wait)
		}
		v.Wall = v.Wall.Add(1)
	}
	if s := g.State(); told != 1 || s.Covered || !strings.Contains(s.Cause, "max_orders") {
		t.Errorf("told %d times: %+v", told, s)
	}
}
