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
	return Request{
		Account: rapid.SampledFrom(walkAccounts).Draw(t, "account"), Symbol: rapid.SampledFrom(walkSymbols).Draw(t, "symbol"),
		Qty:  market.Shares(rapid.Int64Range(1, 2000).Draw(t, "qty")),
		Side: rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"), Type: order.Market,
		TIF: rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.IOC}).Draw(t, "tif"),
	}.priced(t)
}

// priced gives half of the requests a limit.
func (r Request) priced(t *rapid.T) Request {
	if rapid.Bool().Draw(t, "limit") {
		r.Type, r.Limit = order.Limit, anyPrice(t).Ptr()
	}
	return r
}

// anyTerms draws a request of any type, at times with terms that are refused.
func anyTerms(t *rapid.T, x *Exchange, now time.Time) Request {
	r := anyRequest(t)
	r.Limit = nil
	r.Type = rapid.SampledFrom([]order.Type{
		order.Market, order.Limit, order.Stop, order.StopLimit, order.Trail, order.TrailLimit,
		order.MarketOnClose, order.LimitOnClose, order.MarketIfTouched, order.LimitIfTouched,
	}).Draw(t, "type")
	n, _ := needsOf(r.Type)
	if n.limit {
		r.Limit = anyPrice(t).Ptr()
	}
	if n.stop {
		r.Stop = anyPrice(t).Ptr()
	}
	if n.offset {
		r.LimitOffset = market.MustPrice("0.01").Ptr()
	}
	if n.trail && rapid.Bool().Draw(t, "amount") {
		r.TrailAmount = anyPrice(t).Ptr()
	} else if n.trail {
		pct := market.MustPercent("2.5")
		r.TrailPercent = &pct
	}
	r.TIF = order.Day
	if !onClose(r.Type) {
		r.TIF = rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.GTD, order.OPG, order.FOK}).Draw(t, "tif")
	}
	if r.TIF == order.GTD {
		r.GoodTill = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "till")) * time.Hour)
	}
	if rapid.IntRange(0, 4).Draw(t, "later") == 0 {
		r.GoodAfter = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "after")) * time.Second)
	}
	r.AllOrNone, r.OutsideRTH = rapid.IntRange(0, 4).Draw(t, "aon") == 0, rapid.Bool().Draw(t, "outside")
	if rapid.IntRange(0, 4).Draw(t, "least") == 0 {
		r.MinQty = market.Shares(rapid.Int64Range(1, 2000).Draw(t, "min"))
	}
	r.Hold = rapid.IntRange(0, 3).Draw(t, "hold") == 0
	if rapid.IntRange(0, 2).Draw(t, "group") == 0 {
		r.OCAGroup, r.OCAType = rapid.SampledFrom([]string{"one", "two"}).Draw(t, "name"), OCAType(rapid.IntRange(1, 3).Draw(t, "kind"))
	}
	if open := x.Open(); len(open) > 0 && rapid.IntRange(0, 2).Draw(t, "child") == 0 {
		p := rapid.SampledFrom(open).Draw(t, "parent")
		r.Parent, r.Account, r.Symbol, r.OCAGroup = p.PermID, p.Account, p.Symbol, ""
	}
	return r
}

// anyChange draws a change of an open order.
func anyChange(t *rapid.T, x *Exchange, now time.Time) move {
	o := rapid.SampledFrom(x.Open()).Draw(t, "modify")
	r := Request{
		ClientID: o.ClientID, OrderID: o.OrderID, Account: o.Account, Symbol: o.Symbol, Side: o.Side,
		Type: o.Type, TIF: o.TIF, Qty: o.Qty, Limit: o.Limit, Terms: o.Terms,
	}
	r.Hold = false
	if rapid.Bool().Draw(t, "quantity") {
		r.Qty = market.Shares(rapid.Int64Range(1, 2000).Draw(t, "qty"))
	}
	if rapid.IntRange(0, 3).Draw(t, "regroup") == 0 {
		r.OCAGroup, r.OCAType = rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "name"), OCAType(rapid.IntRange(1, 3).Draw(t, "kind"))
	}
	if r.Limit != nil && rapid.Bool().Draw(t, "price") {
		r.Limit = anyPrice(t).Ptr()
	}
	return func(x *Exchange) []Report { reports, _ := x.Modify(now, o.PermID, r); return reports }
}

// anyMove draws what may happen to x next: the market moves, orders come and
// go, executions are corrected and taken back.
func anyMove(t *rapid.T, x *Exchange, now time.Time) move {
	symbol := rapid.SampledFrom(walkSymbols).Draw(t, "symbol")
	switch rapid.IntRange(0, 13).Draw(t, "move") {
	case 7, 8:
		r := anyTerms(t, x, now)
		return func(x *Exchange) []Report { return x.Place(now, r) }
	case 9:
		if len(x.open) > 0 {
			return anyChange(t, x, now)
		}
	case 10:
		ev := tape.Event{At: now, Symbol: symbol, Kind: rapid.SampledFrom([]tape.Kind{tape.Halt, tape.Resume, tape.Resume}).Draw(t, "kind")}
		return func(x *Exchange) []Report { return x.Apply(now, ev) }
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
	cfg.Cash = rapid.SampledFrom([]market.Money{market.MustMoney("1000000"), market.MustMoney("1000")}).Draw(t, "cash")
	if change != nil {
		change(&cfg)
	}
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range walkSymbols {
		if err := x.List(walkDetails(s)); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// walkDetails gives AAPL the hours of New York, and the others none.
func walkDetails(s market.Symbol) market.Details {
	var trading, liquid market.Hours
	for day := range 12 {
		midnight := noon.Add(-12*time.Hour).AddDate(0, 0, day)
		trading = append(trading, market.Span{Open: midnight.Add(4 * time.Hour), Close: midnight.Add(20 * time.Hour)})
		liquid = append(liquid, market.Span{Open: midnight.Add(9*time.Hour + 30*time.Minute), Close: midnight.Add(16 * time.Hour)})
	}
	if s == "AAPL" {
		return StockDetails(s, trading, liquid)
	}
	return StockDetails(s, nil, nil)
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
	if fills < 100 || corrections < 10 || refusals == 0 || partial == 0 {
		t.Errorf("%d executions, %d partial, %d corrections, %d refusals for want of funds", fills, partial, corrections, refusals)
	}
}
