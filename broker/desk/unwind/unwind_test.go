package unwind

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var noon = time.Date(2026, 4, 2, 16, 0, 0, 0, time.UTC)

// account is one that holds so many AAPL, "" = nobody knows, with orders that
// work.
func account(holds string, orders ...order.Order) View {
	b := books.New(time.UTC)
	if holds != "" {
		b.Positions = map[market.Symbol]order.Position{"AAPL": {Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(holds)}}
	}
	for i, o := range orders {
		o.OrderID, o.ClientID, o.Account, o.Symbol, o.State = int64(i+1), 1, "DU1", "AAPL", order.Working
		if o.Ref == "" {
			o.Ref = fmt.Sprint(i + 1)
		}
		b.Add(o, noon)
	}
	return View{Books: b, Who: &broker.Facts{Account: "DU1", ClientID: 1}, Keeps: true, Wall: noon}
}

func sell(qty string) order.Order { return order.Order{Side: order.Sell, Qty: market.MustQty(qty)} }
func buy(qty string) order.Order  { return order.Order{Side: order.Buy, Qty: market.MustQty(qty)} }

func stop(qty string) order.Order {
	o := sell(qty)
	o.Ref, o.Type, o.Strategy = "guard-AAPL-9", order.Stop, books.OwnStrategy
	return o
}

// TestWhatIsToEnd: by what is held, which of the orders a halt ends, and a
// flatten.
func TestWhatIsToEnd(t *testing.T) {
	grouped := sell("10")
	grouped.OCA = "g"
	for _, tt := range []struct {
		name   string
		v      View
		halted string
		flat   string
	}{
		{"one that adds to it", account("10", buy("1")), "[1]", "[1]"},
		{"an exit", account("10", sell("10")), "[]", "[1]"},
		{"more than there is", account("10", sell("6"), sell("5")), "[2]", "[1 2]"},
		{"a group executes once", account("10", grouped, grouped), "[]", "[1 2]"},
		{"a protective stop", account("10", stop("10")), "[]", "[]"},
		{"an exit beside a stop that takes all", account("10", stop("10"), sell("1")), "[2]", "[2]"},
		{"nobody knows what is held", account("", sell("10"), buy("1")), "[1 2]", "[1 2]"},
		{"of a short position", account("-10", buy("10"), sell("1")), "[2]", "[1 2]"},
	} {
		numbers := func(list []*books.Entry) string {
			n := []int64{}
			for _, e := range list {
				n = append(n, e.OrderID)
			}
			return fmt.Sprint(n)
		}
		if h, f := numbers(tt.v.ToEnd(false)), numbers(tt.v.ToEnd(true)); h != tt.halted || f != tt.flat {
			t.Errorf("%s: a halt ends %s, a flatten %s; want %s, %s", tt.name, h, f, tt.halted, tt.flat)
		}
	}
}

// TestAFlattenGivesUp after as many orders as it may have refused, each under an
// id of its own and none before its time.
func TestAFlattenGivesUp(t *testing.T) {
	v, f := account("10"), &Flatten{}
	m := Market{At: noon, Details: &market.Details{}, Open: true}
	terms := Terms{Tries: 3, Patience: time.Minute, Collar: market.MustPercent("1")}
	ids := map[string]bool{}
	f.Symbols(v, noon)
	if in, ask := f.Next(v, "AAPL", m, terms); in != nil || !ask || !f.Asked() || f.Asked() {
		t.Fatalf("the first order goes out before the broker was asked: %+v", in)
	}
	for range 10 {
		f.Symbols(v, noon)
		in, _ := f.Next(v, "AAPL", m, terms)
		if in == nil {
			break
		}
		if err := in.Validate(); err != nil || ids[in.ID] || in.Side != order.Sell || in.Qty != market.Shares(10) {
			t.Fatalf("%+v, %v", in, err)
		}
		ids[in.ID] = true
		f.Answered("AAPL", *in, event.OrderReply{Result: event.Refused, Reason: "no"}, v.Wall)
		if in, _ := f.Next(v, "AAPL", m, terms); in != nil {
			t.Fatal("asked again at once")
		}
		v.Wall = v.Wall.Add(Again)
	}
	if c := f.List(v.Books); len(ids) != 3 || len(c) != 1 || c[0].State != event.ClosingGivenUp {
		t.Errorf("%d orders, %+v", len(ids), c)
	}
}
