package exchange

import "robotrader/broker/market"

// StockDetails returns the contract details of a US stock by rule. Trading
// and Liquid hours are the tape's.
func StockDetails(s market.Symbol, trading, liquid market.Hours) market.Details {
	return market.Details{}
}
