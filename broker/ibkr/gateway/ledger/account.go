package ledger

import (
	"slices"
	"strings"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
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
func (l *Ledger) values(account string) []value {
	v, ok := l.v.X.Value(account)
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
func (c *client) accountUpdates(m wire.ReqAccountUpdates) {
	account := m.Account
	if account == "" && len(c.v.Accounts) == 1 {
		account = c.v.Accounts[0]
	}
	if account == "" {
		c.Fail(venue.NoID, venue.Validation, "Error validating request.-'reqAccountUpdates' : cause - The account code is required for this operation.")
		return
	}
	if !slices.Contains(c.v.Accounts, account) {
		c.Fail(venue.NoID, venue.Validation, "Error validating request.-'reqAccountUpdates' : cause - Invalid account code %.20q", account)
		return
	}
	if !m.Subscribe {
		c.account = ""
		return
	}
	c.account = account
	c.tellValues(account)
	for _, p := range c.v.X.Positions(account) {
		c.Send(c.l.portfolioValue(p))
	}
	c.tellAccountTime()
	c.Send(wire.AcctDownloadEnd{Account: account})
}

func (c *client) tellValues(account string) {
	for _, v := range c.l.values(account) {
		c.Send(wire.AccountValue{Key: v.key, Value: v.text, Currency: v.currency, Account: account})
	}
}

func (c *client) tellAccountTime() {
	c.Send(wire.AcctUpdateTime{Clock: c.v.Now().In(c.l.v.Zone).Format("15:04")})
}

// portfolioValue describes a position. Realised profit is told for the account
// only.
func (l *Ledger) portfolioValue(p exchange.Position) wire.PortfolioValue {
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
func (l *Ledger) position(account string, symbol market.Symbol) exchange.Position {
	for _, have := range l.v.X.Positions(account) {
		if have.Contract.Symbol == symbol {
			return have
		}
	}
	flat := exchange.Position{Account: account}
	if d, ok := l.v.X.Find(market.Contract{Symbol: symbol}); ok {
		flat.Contract = d.Contract
	}
	if m, ok := l.v.X.Market(symbol); ok {
		flat.Mark = m.Quote.Last
	}
	return flat
}

func wirePosition(p exchange.Position) wire.Position {
	m := wire.Position{Account: p.Account, Contract: wire.ContractOf(p.Contract), Position: p.Qty, AvgCost: p.AvgCost}
	if m.AvgCost == nil {
		m.AvgCost = &market.Price{}
	}
	return m
}

func (c *client) reqPositions() {
	c.positions = true
	for _, account := range c.v.Accounts {
		for _, p := range c.v.X.Positions(account) {
			c.Send(wirePosition(p))
		}
	}
	c.Send(wire.PositionEnd{})
}

// accountSummary tells the values asked for, once: a real gateway repeats them
// every three minutes.
func (c *client) accountSummary(m wire.ReqAccountSummary) {
	id := int64(m.ReqID)
	if _, again := c.summaries[m.ReqID]; again {
		c.Fail(id, venue.Processing, "Error processing request.-'reqAccountSummary' : cause - Duplicate ticker id")
		return
	}
	if len(c.summaries) >= maxSummaries {
		c.Fail(id, venue.Processing, "Error processing request.-'reqAccountSummary' : cause - Maximum number of account summary requests exceeded")
		return
	}
	c.summaries[m.ReqID] = struct{}{}
	all := m.Tags == "" || m.Tags == "All" || strings.HasPrefix(m.Tags, "$LEDGER")
	wanted := strings.Split(m.Tags, ",")
	for _, account := range c.v.Accounts {
		for _, v := range c.l.values(account) {
			if all || slices.ContainsFunc(wanted, func(t string) bool { return strings.TrimSpace(t) == v.key }) {
				c.Send(wire.AccountSummary{ReqID: m.ReqID, Account: account, Tag: v.key, Value: v.text, Currency: v.currency})
			}
		}
	}
	c.Send(wire.AccountSummaryEnd{ReqID: m.ReqID})
}
