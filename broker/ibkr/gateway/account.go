package gateway

import (
	"slices"
	"strings"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// currency is that of every account.
const currency = "USD"

// maxSummaries bounds a session's account summaries, section 9.
const maxSummaries = 2

// value is one named value of an account.
type value struct{ key, text, currency string }

// values are the account's, as far as the simulated venue has them. Margin is
// made up by one rule: a quarter of the positions' gross value; buying power
// is four times what that leaves.
func (s *Server) values(account string) []value {
	v, ok := s.x.Value(account)
	if !ok {
		return nil
	}
	quarter := func(m market.Money) market.Money { return m.MulFrac(market.Shares(1), market.Shares(4)) }
	margin := quarter(v.GrossPositions)
	free := v.Equity.Sub(margin)
	power := market.Money{}
	if free.Sign() > 0 {
		power = free.MulFrac(market.Shares(4), market.Shares(1))
	}
	usd := func(key string, m market.Money) value { return value{key, m.Round(2).String(), currency} }
	return []value{
		{"AccountCode", account, ""},
		{"AccountReady", "true", ""},
		{"AccountType", "INDIVIDUAL", ""},
		usd("NetLiquidation", v.Equity),
		usd("TotalCashValue", v.Cash),
		usd("CashBalance", v.Cash),
		usd("EquityWithLoanValue", v.Equity),
		usd("GrossPositionValue", v.GrossPositions),
		usd("InitMarginReq", margin),
		usd("MaintMarginReq", margin),
		usd("AvailableFunds", free),
		usd("ExcessLiquidity", free),
		usd("BuyingPower", power),
		usd("RealizedPnL", v.Realized),
		usd("UnrealizedPnL", v.Unrealized),
	}
}

// accountUpdates begins or ends the session's one subscription.
func (c *conn) accountUpdates(m wire.ReqAccountUpdates) {
	account := m.Account
	if account == "" && len(c.s.cfg.Accounts) == 1 {
		account = c.s.cfg.Accounts[0]
	}
	if account == "" {
		c.fail(noID, codeValidation, "Error validating request.-'reqAccountUpdates' : cause - The account code is required for this operation.")
		return
	}
	if !slices.Contains(c.s.cfg.Accounts, account) {
		c.fail(noID, codeValidation, "Error validating request.-'reqAccountUpdates' : cause - Invalid account code %.20q", account)
		return
	}
	if !m.Subscribe {
		c.account = ""
		return
	}
	c.account = account
	c.tellValues(account)
	for _, p := range c.s.x.Positions(account) {
		c.send(c.s.portfolioValue(p))
	}
	c.tellAccountTime()
	c.send(wire.AcctDownloadEnd{Account: account})
}

func (c *conn) tellValues(account string) {
	for _, v := range c.s.values(account) {
		c.send(wire.AccountValue{Key: v.key, Value: v.text, Currency: v.currency, Account: account})
	}
}

func (c *conn) tellAccountTime() {
	c.send(wire.AcctUpdateTime{Clock: c.s.clock.Now(time.Now()).In(c.s.zone).Format("15:04")})
}

// portfolioValue describes a position. Realised profit is told for the account
// only.
func (s *Server) portfolioValue(p exchange.Position) wire.PortfolioValue {
	m := wire.PortfolioValue{
		Contract: wire.ContractOf(p.Contract), Position: p.Qty, MarketPrice: p.Mark, AverageCost: p.AvgCost, Account: p.Account,
	}
	if p.Mark != nil {
		worth := p.Mark.Mul(p.Qty)
		gain := worth.Sub(p.Cost).Round(2)
		m.MarketValue, m.UnrealizedPNL = &worth, &gain
	}
	if m.AverageCost == nil { // flat
		m.AverageCost = &market.Price{}
	}
	return m
}

// position returns what an account holds of a symbol, also when that is
// nothing.
func (s *Server) position(account string, p *placed) exchange.Position {
	for _, have := range s.x.Positions(account) {
		if have.Contract.Symbol == p.order.Symbol {
			return have
		}
	}
	flat := exchange.Position{Account: account}
	if d, ok := s.find(p.contract); ok {
		flat.Contract = d.Contract
	}
	if m, ok := s.x.Market(p.order.Symbol); ok {
		flat.Mark = m.Quote.Last
	}
	return flat
}

// tellAccount tells all who asked what a fill has made of the account.
func (s *Server) tellAccount(account string, p *placed) {
	for c := range s.conns {
		if !c.ready {
			continue
		}
		if c.account == account {
			c.tellValues(account)
			c.send(s.portfolioValue(s.position(account, p)))
			c.tellAccountTime()
		}
		if c.positions {
			c.send(wirePosition(s.position(account, p)))
		}
	}
}

func wirePosition(p exchange.Position) wire.Position {
	m := wire.Position{Account: p.Account, Contract: wire.ContractOf(p.Contract), Position: p.Qty, AvgCost: p.AvgCost}
	if m.AvgCost == nil {
		m.AvgCost = &market.Price{}
	}
	return m
}

func (c *conn) reqPositions() {
	c.positions = true
	for _, account := range c.s.cfg.Accounts {
		for _, p := range c.s.x.Positions(account) {
			c.send(wirePosition(p))
		}
	}
	c.send(wire.PositionEnd{})
}

// accountSummary tells the values asked for, once: a real gateway repeats them
// every three minutes.
func (c *conn) accountSummary(m wire.ReqAccountSummary) {
	id := int64(m.ReqID)
	if _, again := c.summaries[m.ReqID]; again {
		c.fail(id, codeProcessing, "Error processing request.-'reqAccountSummary' : cause - Duplicate ticker id")
		return
	}
	if len(c.summaries) >= maxSummaries {
		c.fail(id, codeProcessing, "Error processing request.-'reqAccountSummary' : cause - Maximum number of account summary requests exceeded")
		return
	}
	c.summaries[m.ReqID] = struct{}{}
	all := m.Tags == "" || m.Tags == "All" || strings.HasPrefix(m.Tags, "$LEDGER")
	wanted := strings.Split(m.Tags, ",")
	for _, account := range c.s.cfg.Accounts {
		for _, v := range c.s.values(account) {
			if all || slices.ContainsFunc(wanted, func(t string) bool { return strings.TrimSpace(t) == v.key }) {
				c.send(wire.AccountSummary{ReqID: m.ReqID, Account: account, Tag: v.key, Value: v.text, Currency: v.currency})
			}
		}
	}
	c.send(wire.AccountSummaryEnd{ReqID: m.ReqID})
}
