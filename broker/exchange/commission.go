package exchange

import "robotrader/broker/market"

var (
	perShare     = market.MustPrice("0.005")
	perOrder     = market.MustMoney("1")
	percent, all = market.Shares(1), market.Shares(100) // of the trade's value
)

// FixedCommission is what an order of qty shares worth value costs in all, by
// IBKR's fixed pricing for US stocks: 0.005 USD a share, at least 1.00 USD an
// order, at most 1 % of the trade's value, and the maximum wins where it is
// below the minimum. Source: "Commissions Stocks, ETFs and Warrants, United
// States, Fixed" at interactivebrokers.com/en/pricing/commissions-stocks.php.
//
// It is exact where the value has at most fourteen decimals, as with prices of
// up to eight decimals and whole shares; beyond that the maximum is rounded to
// sixteen decimals, half to even. Left out are the fees that third parties and
// regulators take beside it: SEC transaction fee, FINRA trading activity and
// audit trail fees, exchange and clearing fees.
func FixedCommission(qty market.Qty, value market.Money) market.Money {
	c := perShare.Mul(qty)
	if c.Less(perOrder) {
		c = perOrder
	}
	if most := value.Abs().MulFrac(percent, all); most.Less(c) {
		c = most
	}
	return c
}
