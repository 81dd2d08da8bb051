package exchange

import (
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Ledger is the whole of the books, for people and for recomputation.
type Ledger struct {
	Accounts []AccountLedger `json:"accounts"`
}

// AccountLedger is the books of one account.
type AccountLedger struct {
	Account                     string           `json:"account"`
	Currency                    string           `json:"currency"`
	StartingCash                market.Money     `json:"starting_cash"`
	Cash                        market.Money     `json:"cash"`
	Commissions                 market.Money     `json:"commissions"`
	RealizedPNLBeforeCommission market.Money     `json:"realized_pnl_before_commission"`
	RealizedPNLAfterCommission  market.Money     `json:"realized_pnl_after_commission"` // less all commissions, those of open positions included
	Positions                   []LedgerPosition `json:"positions"`
	Executions                  []order.Fill     `json:"executions"`
}

// LedgerPosition is what an account holds of one symbol.
type LedgerPosition struct {
	Symbol  market.Symbol `json:"symbol"`
	ConID   int64         `json:"con_id"`
	Qty     market.Qty    `json:"qty"`
	Cost    market.Money  `json:"cost"` // exact, without commission; negative for a short
	AvgCost *market.Price `json:"avg_cost"`
}

// Ledger returns the books. Lists are never null in JSON.
func (x *Exchange) Ledger() Ledger { return Ledger{} }
