package risk

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// tickSanity lets nothing new be built upon a price that cannot be believed. A
// reduction passes, except that a stop which rests already is not moved: where
// it rests it protects, and where the wrong price would put it, it may fire.
func (a *asked) tickSanity() string {
	switch {
	case a.insane == "":
		return ""
	case !a.reduction:
		return a.insane + "; wait for a sane quote, or correct risk.max_jump and risk.max_spread"
	case a.in.Action == order.Modify && a.in.Stop != nil && !equal(a.in.Stop, a.v.Target.StopPrice):
		return a.insane + "; the stop stays where it is until the quote is sane"
	}
	return ""
}

func equal(x, y *market.Price) bool { return x != nil && y != nil && *x == *y }

// collar keeps a limit near the market, so that a slip of the hand does not
// trade, and wants a market to exist. A stop has to lie on the side of the
// market where it waits: a sell below it, a buy above it. How far away a stop
// that protects lies is not its matter, nor is a stop that rests already and
// stays where it is. An order that reduces passes when there is no market to
// compare with, and a limit by which the desk closes a position passes: how far
// it is from the market is desk.flatten_collar's matter.
func (a *asked) collar() string {
	if a.ref == nil {
		if a.reduction {
			return ""
		}
		return "no bid, ask or last is known to compare the order with; wait for market data"
	}
	if stop := a.in.Stop; stop != nil {
		switch {
		case a.in.Action == order.Modify && equal(stop, a.v.Target.StopPrice):
		case a.in.Side == order.Sell && !stop.Less(*a.believed):
			return fmt.Sprintf("the stop %v of a sell is not below the market at %v, so it would fire at once; put it lower, or sell at market", stop, a.believed)
		case a.in.Side == order.Buy && !a.believed.Less(*stop):
			return fmt.Sprintf("the stop %v of a buy is not above the market at %v, so it would fire at once; put it higher, or buy at market", stop, a.believed)
		case !a.reduction && a.far(*stop):
			return fmt.Sprintf("the stop %v is more than %v %% away from %v; correct it or raise risk.price_collar", stop, a.PriceCollar, a.ref)
		}
	}
	own := a.v.Own && a.reduction // a position that is closed, with a collar of its own
	if a.in.Limit != nil && !own && a.far(*a.in.Limit) {
		return fmt.Sprintf("the limit %v is more than %v %% away from %v; correct it or raise risk.price_collar",
			a.in.Limit, a.PriceCollar, a.ref)
	}
	return ""
}

// far reports whether a price lies outside the collar around the reference.
func (a *asked) far(p market.Price) bool {
	hundred := market.Shares(100)
	off := p.Mul(hundred).Sub(a.ref.Mul(hundred)).Abs() // amounts, which cannot overflow here
	return a.ref.Abs().Mul(a.PriceCollar).Less(off)
}
