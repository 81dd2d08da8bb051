package exchange

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// walkSymbols and walkAccounts are those of a random walk.
var (
	walkSymbols  = []market.Symbol{"AAPL", "IBM", "SPY"}
	walkAccounts = []string{"A", "B"}
)

// move is one call of an exchange, which can be made of another one, too.
type move func(x *Exchange) []Report

// anyPrice is between 0.01 and 4.00, where 1 % of the value may be less than
// the least commission.
func anyPrice(t *rapid.T) market.Price {
	return market.MustPrice("0.01").Times(rapid.Int64Range(1, 400).Draw(t, "price"))
}

func anyLevel(t *rapid.T) tape.Level {
	if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
		return tape.Level{}
	}
	return tape.Level{Price: anyPrice(t), Size: market.Shares(rapid.Int64Range(1, 2000).Draw(t, "size")), Known: true}
}

func anyRequest(t *rapid.T) Request {
	r := Request{
		Account: rapid.SampledFrom(walkAccounts).Draw(t, "account"), Symbol: rapid.SampledFrom(walkSymbols).Draw(t, "symbol"),
		Qty:  market.Shares(rapid.Int64Range(1, 2000).Draw(t, "qty")),
		Side: rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), Type: order.Market,
		TIF: rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.IOC}).Draw(t, "tif"),
	}
	if rapid.Bool().Draw(t, "limit") {
		r.Type, r.Limit = order.Limit, anyPrice(t).Ptr()
	}
	return r
}

// anyMove draws what may happen to x next: the market moves, orders come and
// go, executions are corrected and taken back.
func anyMove(t *rapid.T, x *Exchange, now time.Time) move {
	symbol := rapid.SampledFrom(walkSymbols).Draw(t, "symbol")
	switch rapid.IntRange(0, 9).Draw(t, "move") {
	case 0, 1:
		ev := tape.Event{At: now, Symbol: symbol, Kind: tape.Quote, Bid: anyLevel(t), Ask: anyLevel(t)}
		return func(x *Exchange) []Report { return x.Apply(now, ev) }
	case 2, 3:
		ev := tape.Event{
			At: now, Symbol: symbol, Kind: tape.Trade, Price: anyPrice(t), Size: market.Shares(rapid.Int64Range(0, 2000).Draw(t, "size")),
			Suspicious: rapid.IntRange(0, 9).Draw(t, "suspicious") == 0,
		}
		return func(x *Exchange) []Report { return x.Apply(now, ev) }
	case 4:
		if open := x.Open(); len(open) > 0 {
			id := rapid.SampledFrom(open).Draw(t, "cancel").PermID
			return func(x *Exchange) []Report { r, _ := x.Cancel(now, id); return r }
		}
	case 5:
		if fills := x.Fills(); len(fills) > 0 {
			return anyCorrection(t, rapid.SampledFrom(fills).Draw(t, "correct"), now)
		}
	case 6:
		return func(x *Exchange) []Report { return x.Advance(now) }
	}
	r := anyRequest(t)
	return func(x *Exchange) []Report { return x.Place(now, r) }
}

func anyCorrection(t *rapid.T, f order.Fill, now time.Time) move {
	if rapid.Bool().Draw(t, "bust") {
		return func(x *Exchange) []Report { r, _ := x.Bust(now, f.ExecID); return r }
	}
	price, qty := anyPrice(t), f.Qty
	if rapid.Bool().Draw(t, "quantity too") {
		qty = market.Shares(rapid.Int64Range(1, f.Qty.Int()).Draw(t, "qty"))
	}
	return func(x *Exchange) []Report { r, _ := x.Correct(now, f.ExecID, price, qty); return r }
}

// newWalk returns an exchange for a walk.
func newWalk(t *rapid.T, change func(*Config)) *Exchange {
	cfg := DefaultConfig()
	cfg.Accounts = walkAccounts
	cfg.PartialFills = rapid.Bool().Draw(t, "partial")
	// Some walks are poor enough for refusals.
	cfg.Cash = rapid.SampledFrom([]market.Money{market.MustMoney("1000000"), market.MustMoney("3000")}).Draw(t, "cash")
	if change != nil {
		change(&cfg)
	}
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range walkSymbols {
		if err := x.List(StockDetails(s, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// walk makes random moves over about three days, and calls look after each.
func walk(t *rapid.T, x *Exchange, look func(now time.Time, reports []Report)) time.Time {
	now := noon
	for range rapid.IntRange(1, 60).Draw(t, "moves") {
		now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
		reports := anyMove(t, x, now)(x)
		look(now, reports)
	}
	return now
}

// A walk that never trades, corrects or refuses shows nothing.
func TestWalksMeetWhatTheyAreFor(t *testing.T) {
	var fills, corrections, refusals, partial int
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, nil)
		walk(t, x, func(_ time.Time, reports []Report) {
			for _, r := range reports {
				switch r := r.(type) {
				case Executed:
					fills++
					if r.Order.State == order.Partial {
						partial++
					}
				case Corrected:
					corrections++
				case Rejected:
					if r.Reason == InsufficientFunds {
						refusals++
					}
				}
			}
		})
	})
	if fills < 100 || corrections < 20 || refusals < 5 || partial < 5 {
		t.Errorf("%d executions, %d partial, %d corrections, %d refusals for want of funds", fills, partial, corrections, refusals)
	}
}
