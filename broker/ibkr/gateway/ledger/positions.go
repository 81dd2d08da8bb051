package ledger

import (
	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/wire"
)

// reqPositions tells the positions of all accounts, and subscribes to their
// changes.
func (c *client) reqPositions() {
	c.positions = true
	for _, account := range c.v.Accounts {
		for _, p := range c.v.X.Positions(account) {
			c.Send(wirePosition(&p))
		}
	}
	c.Send(wire.PositionEnd{})
}

func wirePosition(p *exchange.Position) wire.Position {
	return wire.Position{Account: p.Account, Contract: stock(p), Position: p.Qty, AvgCost: averageCost(p)}
}

// positionsMulti does the same under a request id, for one account or all.
func (c *client) positionsMulti(m wire.ReqPositionsMulti) {
	const request = "reqPositionsMulti"
	if !c.ofModel(m.ReqID, request, m.ModelCode) || m.Account != "" && !c.known(int64(m.ReqID), request, m.Account) ||
		!c.room(m.ReqID, request, c.others(), maxOthers) {
		return
	}
	c.holdings[m.ReqID] = m.Account
	for _, account := range c.v.Accounts {
		if m.Account != "" && m.Account != account {
			continue
		}
		for _, p := range c.v.X.Positions(account) {
			c.Send(positionMulti(m.ReqID, &p))
		}
	}
	c.Send(wire.PositionMultiEnd{ReqID: m.ReqID})
}

func positionMulti(id int, p *exchange.Position) wire.PositionMulti {
	return wire.PositionMulti{ReqID: id, Account: p.Account, Contract: stock(p), Position: p.Qty, AvgCost: averageCost(p)}
}
