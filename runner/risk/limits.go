package risk

import (
	"fmt"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

func (a *asked) maxQty() string {
	if a.MaxOrderQty.Less(a.in.Qty) {
		return fmt.Sprintf("%v shares are more than %v; ask for less or raise risk.max_order_qty", a.in.Qty, a.MaxOrderQty)
	}
	return ""
}

func (a *asked) maxNotional() string {
	if a.notional == nil {
		return "no price is known to measure the order with; wait for market data"
	}
	if a.MaxOrderNotional.Less(*a.notional) {
		return fmt.Sprintf("%v shares are worth %v, more than %v; ask for less or raise risk.max_order_notional",
			a.left, a.notional, a.MaxOrderNotional)
	}
	return ""
}

func (a *asked) ordersPerMinute() string {
	if n := a.sentLastMinute(); n >= a.OrdersPerMinute {
		return fmt.Sprintf("%d orders went out in the last minute, and %d are the most; wait or raise risk.orders_per_minute",
			n, a.OrdersPerMinute)
	}
	return ""
}

// notionalPerDay adds up what entries are worth. A modification adds what it
// makes the order larger by.
func (a *asked) notionalPerDay() string {
	if a.notional == nil {
		return "no price is known to measure the order with; wait for market data"
	}
	adds := *a.notional
	if a.in.Action == order.Modify {
		adds = a.v.Grows(a.in)
		a.saw.Money("adds", adds)
	}
	if sum := a.v.SentNotional.Add(adds); a.NotionalPerDay.Less(sum) {
		return fmt.Sprintf("with %v sent today this order makes %v, more than %v; wait for tomorrow or raise risk.notional_per_day",
			a.v.SentNotional, sum, a.NotionalPerDay)
	}
	return ""
}

const noPosition = "the position is unknown, so what it may become is, too; wait for the recovery to tell it"

// positionNotional keeps many small entries from doing what one large may not.
func (a *asked) positionNotional() string {
	switch {
	case a.v.Position == nil:
		return noPosition
	case a.own == nil:
		return "no price is known to measure the position with; wait for market data"
	case a.MaxPositionNotional.Less(*a.own):
		return fmt.Sprintf("with the open orders and this one %s may be held for %v, more than %v; ask for less or raise risk.max_position_notional",
			a.in.Symbol, a.own, a.MaxPositionNotional)
	}
	return ""
}

// grossUnknown says why the gross exposure is not known, "" when it is.
func (a *asked) grossUnknown() string {
	switch {
	case a.gross != nil:
		return ""
	case a.v.Position == nil:
		return noPosition
	case a.own == nil:
		return "no price is known to measure the position with; wait for market data"
	}
	return fmt.Sprintf("the exposure of the other symbols is unknown: %s; wait for it to be told", a.v.OthersNote)
}

func (a *asked) grossNotional() string {
	if why := a.grossUnknown(); why != "" {
		return why
	}
	if a.MaxGrossNotional.Less(*a.gross) {
		return fmt.Sprintf("with the open orders and this one all symbols may be held for %v, more than %v; close something, ask for less or raise risk.max_gross_notional",
			a.gross, a.MaxGrossNotional)
	}
	return ""
}

// leverage compares the gross exposure with the equity. Both have to be in one
// currency: what a rate was when it was told last is no basis for a limit.
func (a *asked) leverage() string {
	if why := a.grossUnknown(); why != "" {
		return why
	}
	s := a.v.Standing
	if s.Equity == nil {
		return "the account's equity (NetLiquidation) is unknown; wait for the venue to tell it"
	}
	if a.v.Details != nil {
		if c := a.v.Details.Contract.Currency; c != "" && s.Currency != "" && c != s.Currency {
			return fmt.Sprintf("the contract is in %s and the equity in %s, which are not converted; put %s into risk.off to trade without it",
				c, s.Currency, RuleLeverage)
		}
	}
	most := *s.Equity
	if one := market.Shares(1); a.MaxLeverage != one {
		most = most.MulFrac(a.MaxLeverage, one)
	}
	if most.Less(*a.gross) {
		return fmt.Sprintf("with the open orders and this one all symbols may be held for %v, more than %v times the equity %v; ask for less or raise risk.max_leverage",
			a.gross, a.MaxLeverage, s.Equity)
	}
	return ""
}
