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
	Account      string       `json:"account"`
	Currency     string       `json:"currency"`
	StartingCash market.Money `json:"starting_cash"`
	Cash         market.Money `json:"cash"`
	Commissions  market.Money `json:"commissions"`
	// RealizedPNLBeforeCommission is what closed shares earned over their
	// cost; the figures of the executions add up to it.
	RealizedPNLBeforeCommission market.Money `json:"realized_pnl_before_commission"`
	// RealizedPNLAfterCommission is that less all commissions, those of
	// shares still held included.
	RealizedPNLAfterCommission market.Money     `json:"realized_pnl_after_commission"`
	Positions                  []LedgerPosition `json:"positions"` // not flat, by symbol
	// Executions are all of them, oldest first; realized_pnl is before
	// commission, and null where nothing was closed. A corrected one stands in
	// its newest version, one that was taken back with quantity 0.
	Executions []order.Fill `json:"executions"`
	// Replaced are the versions that corrections replaced. They count nowhere.
	Replaced []order.Fill `json:"replaced,omitempty"`
}

// LedgerPosition is what an account holds of one symbol.
type LedgerPosition struct {
	Symbol  market.Symbol `json:"symbol"`
	ConID   int64         `json:"con_id"`
	Qty     market.Qty    `json:"qty"`      // negative is short
	Cost    market.Money  `json:"cost"`     // exact, without commission; negative for a short
	AvgCost *market.Price `json:"avg_cost"` // cost / qty, to eight decimals
}

// Ledger returns the books. Its lists are empty, never null, in JSON.
func (x *Exchange) Ledger() Ledger {
	led := Ledger{Accounts: make([]AccountLedger, 0, len(x.cfg.Accounts))}
	for _, id := range x.cfg.Accounts {
		a := x.accounts[id]
		al := AccountLedger{
			Account: id, Currency: currency, StartingCash: a.start, Cash: a.cash, Commissions: a.commissions,
			RealizedPNLBeforeCommission: a.realised, RealizedPNLAfterCommission: a.realised.Sub(a.commissions),
			Positions: []LedgerPosition{}, Executions: []order.Fill{},
		}
		for _, p := range x.Positions(id) {
			al.Positions = append(al.Positions, LedgerPosition{p.Contract.Symbol, p.Contract.ConID, p.Qty, p.Cost, p.AvgCost})
		}
		for _, f := range x.fills {
			if f.Account == id {
				al.Executions = append(al.Executions, f.Fill)
			}
		}
		for _, f := range x.replaced {
			if f.Account == id {
				al.Replaced = append(al.Replaced, f.Fill)
			}
		}
		led.Accounts = append(led.Accounts, al)
	}
	return led
}
