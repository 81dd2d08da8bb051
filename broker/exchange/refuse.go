package exchange

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// MaxPrice bounds every price of an order: one billion, beyond which a number
// is taken for a mistake.
var MaxPrice = market.MustPrice("1000000000")

// refuse judges an order before it is taken or changed; a zero reason takes it.
func (x *Exchange) refuse(o *resting, l *listing) (Reason, string) {
	switch {
	case l == nil:
		return UnknownSymbol, fmt.Sprintf("symbol %.20q is not listed here", o.Symbol)
	case x.accounts[o.Account] == nil:
		return UnknownAccount, fmt.Sprintf("account %.20q is none of %v", o.Account, x.cfg.Accounts)
	case o.Side != order.Buy && o.Side != order.Sell:
		return BadOrder, fmt.Sprintf("side %.20q is neither BUY nor SELL", o.Side)
	}
	for _, judge := range [...]func() (Reason, string){
		func() (Reason, string) { return refuseTIF(o) },
		func() (Reason, string) { return refuseQty(o, l.details.SizeStep) },
		func() (Reason, string) { return refusePrices(o, l.details.MinTick) },
		func() (Reason, string) { return x.refuseFamily(o) },
		func() (Reason, string) { return x.refuseNow(o, l) },
	} {
		if reason, text := judge(); reason != 0 {
			return reason, text
		}
	}
	return x.afford(o)
}

// refuseTIF judges the time in force, with the type and the times that it goes
// with.
func refuseTIF(o *resting) (Reason, string) {
	switch o.TIF {
	case order.Day, order.GTC, order.IOC, order.FOK:
	case order.GTD:
		if !o.GoodTill.After(o.Updated) || !o.GoodTill.After(o.GoodAfter) {
			return BadOrder, fmt.Sprintf("good till %v is not after now and good after: give a GTD order a later time", o.GoodTill)
		}
	case order.OPG:
		if o.Type != order.Market && o.Type != order.Limit {
			return BadOrder, fmt.Sprintf("time in force OPG with type %.20q: only MKT and LMT trade at the opening", o.Type)
		}
	default:
		return BadOrder, fmt.Sprintf("time in force %.20q is none of DAY, GTC, IOC, FOK, GTD, OPG", o.TIF)
	}
	switch {
	case o.TIF != order.GTD && !o.GoodTill.IsZero():
		return BadOrder, fmt.Sprintf("good till %v with time in force %s: use GTD", o.GoodTill, o.TIF)
	case onClose(o.Type) && o.TIF != order.Day:
		return BadOrder, fmt.Sprintf("type %s with time in force %s: at the close is DAY", o.Type, o.TIF)
	}
	return 0, ""
}

func refuseQty(o *resting, step market.Qty) (Reason, string) {
	switch {
	case o.Qty.Sign() <= 0 || order.MaxQty.Less(o.Qty):
		return BadQuantity, fmt.Sprintf("quantity %v is not above 0 and at most %v", o.Qty, order.MaxQty)
	case o.Qty != o.Qty.Floor(step) && step == market.Shares(1):
		return BadQuantity, fmt.Sprintf("quantity %v is not whole shares", o.Qty)
	case o.Qty != o.Qty.Floor(step):
		return BadQuantity, fmt.Sprintf("quantity %v is not a multiple of %v", o.Qty, step)
	case o.MinQty.Sign() < 0 || o.Qty.Less(o.MinQty):
		return BadQuantity, fmt.Sprintf("least quantity %v is not between 0 and %v", o.MinQty, o.Qty)
	case o.DisplaySize.Sign() < 0 || o.Qty.Less(o.DisplaySize):
		return BadQuantity, fmt.Sprintf("display size %v is not between 0 and %v", o.DisplaySize, o.Qty)
	}
	return 0, ""
}

// needs says which prices orders of a type have.
type needs struct{ limit, stop, trail, offset bool }

func needsOf(t order.Type) (n needs, ok bool) {
	switch t {
	case order.Market, order.MarketOnClose:
	case order.Limit, order.LimitOnClose:
		n.limit = true
	case order.Stop, order.MarketIfTouched:
		n.stop = true
	case order.StopLimit, order.LimitIfTouched:
		n.limit, n.stop = true, true
	case order.Trail:
		n.trail = true
	case order.TrailLimit:
		n.trail, n.offset = true, true
	default:
		return n, false
	}
	return n, true
}

func refusePrices(o *resting, tick market.Price) (Reason, string) {
	n, ok := needsOf(o.Type)
	if !ok {
		return BadOrder, fmt.Sprintf("type %.20q is none of MKT, LMT, STP, STP LMT, TRAIL, TRAIL LIMIT, MOC, LOC, MIT, LIT", o.Type)
	}
	moving := o.Type == order.TrailLimit && o.Triggered // its limit was computed
	for _, p := range [...]struct {
		name  string
		price *market.Price
		want  bool // else it must not be there
		may   bool // … or may
	}{
		{"limit", o.Limit, n.limit, moving},
		{"stop", o.Stop, n.stop, false},
		{"trailing stop", o.TrailStop, false, n.trail},
		{"trailing amount", o.TrailAmount, n.trail && o.TrailPercent == nil, false},
		{"limit offset", o.LimitOffset, n.offset, false},
	} {
		if reason, text := refusePrice(o.Type, p.name, p.price, p.want, p.may, tick); reason != 0 {
			return reason, text
		}
	}
	switch pct := o.TrailPercent; {
	case pct == nil:
	case !n.trail:
		return BadPrice, fmt.Sprintf("trailing per cent %v on a %s order", pct, o.Type)
	case pct.Sign() <= 0 || !pct.Less(market.MustPercent("100")):
		return BadPrice, fmt.Sprintf("trailing per cent %v is not between 0 and 100", pct)
	}
	return 0, ""
}

func refusePrice(t order.Type, name string, p *market.Price, want, may bool, tick market.Price) (Reason, string) {
	switch {
	case p == nil && want:
		return BadPrice, fmt.Sprintf("%s order without a %s", t, name)
	case p == nil:
		return 0, ""
	case !want && !may:
		return BadPrice, fmt.Sprintf("%s %v on a %s order", name, p, t)
	case p.Sign() < 0 || p.IsZero() && name != "limit offset":
		return BadPrice, fmt.Sprintf("%s %v is not above 0", name, p)
	case MaxPrice.Less(*p):
		return BadPrice, fmt.Sprintf("%s %v is above %v", name, p, MaxPrice)
	case !p.OnGrid(tick):
		return OffTick, fmt.Sprintf("%s %v is not a multiple of %v", name, p, tick)
	}
	return 0, ""
}

// refuseNow judges an order by how full the exchange is and by what is known of
// the market.
func (x *Exchange) refuseNow(o *resting, l *listing) (Reason, string) {
	switch {
	case atOnce(o.TIF) && !l.bid.Known && !l.ask.Known && !l.last.Known && x.waits(o.Updated, o, l) == WaitNone:
		return NoMarket, fmt.Sprintf("nothing is known about the market of %s: an immediate order cannot wait", o.Symbol)
	case x.open[o.PermID] != nil:
	case len(x.open) >= MaxOpen:
		return Full, fmt.Sprintf("%d orders are open: cancel some", len(x.open))
	case len(x.fills) >= MaxFills:
		return Full, fmt.Sprintf("the books hold %d executions: start a new exchange", len(x.fills))
	}
	return 0, ""
}
