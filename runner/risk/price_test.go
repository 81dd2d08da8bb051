package risk

import (
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func stop(side order.Side, n int64, p string) order.Intent {
	i := intent(side, n)
	i.Type, i.Stop = order.Stop, dollars(p)
	return i
}

func traded(prices ...string) market.Trades {
	var t market.Trades
	for _, p := range prices {
		t.Add(market.MustPrice(p))
	}
	return t
}

func TestStopsLieWhereTheyWait(t *testing.T) {
	short := func(v *broker.View) { v.Position = shares(-100) }
	ask(t, gate(t), []row{
		{"a sell below", stop(order.Sell, 100, "99.99"), nil, ""},
		{"a sell far below", stop(order.Sell, 100, "50"), nil, ""},
		{"a sell at the market", stop(order.Sell, 100, "100"), nil, RuleCollar},
		{"a sell above", stop(order.Sell, 100, "100.01"), nil, RuleCollar},
		{"a buy above", stop(order.Buy, 100, "100.01"), short, ""},
		{"a buy far above", stop(order.Buy, 100, "190"), short, ""},
		{"a buy at the market", stop(order.Buy, 100, "100"), short, RuleCollar},
		{"a buy below", stop(order.Buy, 100, "99.99"), short, RuleCollar},
		{"an entry 5 % above", stop(order.Buy, 1, "105"), nil, ""},
		{"an entry more than 5 % above", stop(order.Buy, 1, "105.01"), nil, RuleCollar},
		{"an entry at the market", stop(order.Buy, 1, "100"), nil, RuleCollar},
		{"a short entry 5 % below", stop(order.Sell, 1, "95"), flat, ""},
		{"a short entry more than 5 % below", stop(order.Sell, 1, "94.99"), flat, RuleCollar},
		{"an entry is worth what its stop says", stop(order.Buy, 500, "100.01"), flat, RuleMaxNotional},
		{"an entry below is worth the market", stop(order.Sell, 501, "99"), flat, RuleMaxNotional},
		{"a protection without a market", stop(order.Sell, 100, "99"), func(v *broker.View) { v.Quote = market.Quote{} }, ""},
		{"an entry without a market", stop(order.Buy, 1, "101"), func(v *broker.View) { v.Quote = market.Quote{} }, RuleFreshQuote},
	})
}

func TestTickSanityAtItsBounds(t *testing.T) {
	quote := func(bid, ask, last string, prices ...string) func(*broker.View) {
		return func(v *broker.View) {
			v.Quote.Bid, v.Quote.Ask, v.Quote.Last = dollars(bid), dollars(ask), dollars(last)
			v.Trades = traded(prices...)
		}
	}
	ask(t, gate(t), []row{
		{"locked", intent(order.Buy, 1), quote("100", "100", "100"), ""},
		{"crossed by a cent", intent(order.Buy, 1), quote("100.01", "100", "100"), RuleTickSanity},
		{"2 % wide", intent(order.Buy, 1), quote("99", "101", "100"), ""},
		{"a little more than 2 % wide", intent(order.Buy, 1), quote("98.99", "101", "100"), RuleTickSanity},
		{"10 % above the newest trades", intent(order.Buy, 1), quote("110", "110", "110", "100", "100", "100"), ""},
		{"more than 10 % above them", intent(order.Buy, 1), quote("110", "110", "110.01", "100", "100", "100"), RuleTickSanity},
		{"10 % below", intent(order.Buy, 1), quote("90", "90", "90", "100", "100", "100"), ""},
		{"more than 10 % below", intent(order.Buy, 1), quote("90", "90", "89.99", "100", "100", "100"), RuleTickSanity},
		{"two trades are no measure", intent(order.Buy, 1), quote("89.99", "90", "89.99", "100", "100"), ""},
		{"then bid and ask are", intent(order.Buy, 1), quote("100", "100", "89.99"), RuleTickSanity},
		{"and at 10 % of their middle", intent(order.Buy, 1), quote("100", "100", "90"), ""},
		{"one wrong trade among eight", intent(order.Buy, 1), quote("100", "100", "100", "50", "100", "100", "100"), ""},
		{"no bid", intent(order.Buy, 1), func(v *broker.View) { v.Quote.Bid = nil }, ""},
		{"a reduction passes", intent(order.Sell, 1), quote("100.01", "100", "100"), ""},
	})
}

// TestAPriceOfAnotherSymbolFiresNoStop is the day on which a price of 214 was
// taken for one of a share that stood at 424, and the stop sold at the half.
func TestAPriceOfAnotherSymbolFiresNoStop(t *testing.T) {
	g := gate(t)
	v := good()
	v.Quote = market.Quote{
		Bid: dollars("423.98"), Ask: dollars("424.02"), Last: dollars("214"),
		BidAt: noon, AskAt: noon, LastAt: noon,
	}
	v.Trades = traded("424.10", "424.05", "423.95", "424", "214")
	if ok, why := g.Sane(v.Quote, v.Trades); ok || why != "the price jumped to 214, more than 10 % from 424, the median of the newest trades" {
		t.Errorf("sane %v: %q", ok, why)
	}
	if ok, _ := g.Sane(v.Quote, market.Trades{}); ok {
		t.Error("sane without trades, though bid and ask say otherwise")
	}
	v.Own = true
	resting := working(order.Sell, 100, 0)
	resting.Ref, resting.Type, resting.StopPrice = "s", order.Stop, dollars("402.80")
	v.Target, v.Open = &resting, []order.Order{resting}
	move := stop(order.Sell, 100, "203.30") // 5 % below the wrong price
	move.Action, move.Target = order.Modify, "s"
	if d := g.Decide(v, move); d.Rule != RuleTickSanity {
		t.Errorf("the stop is moved: %q (%s)", d.Rule, d.Reason)
	}
	// A new one is held against the price that the trades before agree on.
	v.Target, v.Open = nil, nil
	if d := g.Decide(v, stop(order.Sell, 100, "402.80")); !d.Allowed {
		t.Errorf("the position stays naked: %s", d.Reason)
	}
	v.Position = shares(-100)
	if d := g.Decide(v, stop(order.Buy, 100, "224.70")); d.Rule != RuleCollar {
		t.Errorf("a stop that would fire at the true price passes: %q", d.Rule)
	}
	if ok, _ := gate(t, off(RuleTickSanity)).Sane(v.Quote, v.Trades); !ok {
		t.Error("the rule is off, and the quote is not sane")
	}
	for range 5 { // a real fall is believed after some trades
		v.Trades.Add(market.MustPrice("214"))
	}
	v.Quote.Bid, v.Quote.Ask = dollars("213.98"), dollars("214.02")
	if ok, why := g.Sane(v.Quote, v.Trades); !ok {
		t.Errorf("a real fall is not believed: %s", why)
	}
}
