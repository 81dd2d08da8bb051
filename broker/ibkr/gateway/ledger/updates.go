package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// accountFeed is a subscription to an account's values.
type accountFeed struct {
	account   string
	onlyMoney bool // the ledger and the net liquidation value
	due       time.Time
	told      memory
	positions map[market.Symbol]exchange.Position // as told last
}

// memory is what was told of a list of values, by place: the list never
// changes its order.
type memory []string

// news reports whether the value at a place is not what was told last, and
// notes it.
func (t *memory) news(i int, text string) bool {
	for len(*t) <= i {
		*t = append(*t, "")
	}
	if (*t)[i] == text {
		return false
	}
	(*t)[i] = text
	return true
}

// accountUpdates begins or ends the session's one subscription.
func (c *client) accountUpdates(m wire.ReqAccountUpdates) {
	const request = "reqAccountUpdates"
	account := m.Account
	if account == "" && len(c.v.Accounts) == 1 {
		account = c.v.Accounts[0]
	}
	if account == "" {
		c.Fail(venue.NoID, venue.Validation, invalid, request, "The account code is required for this operation.")
		return
	}
	if !c.known(venue.NoID, request, account) {
		return
	}
	if !m.Subscribe {
		c.updates = nil
		return
	}
	if others := c.l.watchingAnother(c, account); len(others) > 0 {
		c.Fail(venue.NoID, venue.AccountRefused,
			"Unable to subscribe to account as the following clients are subscribed to a different account: %s", strings.Join(others, ","))
		return
	}
	if c.updates != nil && c.updates.account != account {
		c.Fail(venue.NoID, venue.AccountReplaced, "New account data requested from TWS.  API client has been unsubscribed from account data.")
	}
	c.updates = &accountFeed{account: account, due: c.v.At.Add(accountPeriod), positions: map[market.Symbol]exchange.Position{}}
	c.l.wake(c.updates.due)
	c.tellUpdates("")
	c.Send(wire.AcctDownloadEnd{Account: account})
}

// watchingAnother lists the client ids of sessions that are subscribed to
// another account: a gateway serves one at a time.
func (l *Ledger) watchingAnother(c *client, account string) []string {
	var ids []int
	for _, other := range l.clients {
		if other != c && other.updates != nil && other.updates.account != account {
			ids = append(ids, other.ClientID())
		}
	}
	slices.Sort(ids)
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprint(id))
	}
	return list
}

// tellUpdates tells what changed in the account, and the position in a symbol
// in any case, also when it is closed. Where nothing changed it says nothing.
func (c *client) tellUpdates(symbol market.Symbol) {
	f := c.updates
	said := false
	for i, v := range c.l.values(f.account) {
		if v.scope&inUpdates != 0 && f.told.news(i, v.text) {
			c.Send(wire.AccountValue{Key: v.key, Value: v.text, Currency: v.currency, Account: f.account})
			said = true
		}
	}
	if symbol != "" {
		if p, ok := c.v.X.Position(f.account, symbol); ok {
			c.tellPortfolio(f, p)
			said = true
		}
	} else {
		for _, p := range c.v.X.Positions(f.account) {
			if old, told := f.positions[p.Contract.Symbol]; !told || !samePosition(&old, &p) {
				c.tellPortfolio(f, p)
				said = true
			}
		}
	}
	if said {
		c.Send(wire.AcctUpdateTime{Clock: c.v.Now().In(c.v.Zone).Format("15:04")})
	}
}

func samePosition(a, b *exchange.Position) bool {
	if a.Qty != b.Qty || a.FullCost != b.FullCost || (a.Mark == nil) != (b.Mark == nil) {
		return false
	}
	return a.Mark == nil || *a.Mark == *b.Mark
}

func (c *client) tellPortfolio(f *accountFeed, p exchange.Position) {
	if f.positions[p.Contract.Symbol] = p; p.Qty.IsZero() {
		delete(f.positions, p.Contract.Symbol)
	}
	c.Send(portfolioValue(&p))
}

// portfolioValue describes a position. Its costs count commission, and its
// realised profit is the day's.
func portfolioValue(p *exchange.Position) wire.PortfolioValue {
	m := wire.PortfolioValue{
		Contract: stock(p), Position: p.Qty, MarketPrice: p.Mark, AverageCost: averageCost(p), Account: p.Account,
		RealizedPNL: p.PnL.RealizedNet.Round(2).Ptr(),
	}
	value := worth(p)
	m.MarketValue, m.UnrealizedPNL = &value, value.Sub(p.FullCost).Round(2).Ptr()
	if m.MarketPrice == nil { // valued at its cost
		m.MarketPrice = averageCost(p)
	}
	return m
}

// averageCost is 0 for a position that is closed.
func averageCost(p *exchange.Position) *market.Price {
	if p.AvgFullCost == nil {
		return &market.Price{}
	}
	return p.AvgFullCost
}

// stock is a position's contract as live gateways write it.
func stock(p *exchange.Position) wire.Contract {
	c := wire.ContractOf(p.Contract)
	c.Strike = &market.Price{}
	return c
}

// accountUpdatesMulti subscribes to an account's values under a request id.
func (c *client) accountUpdatesMulti(m wire.ReqAccountUpdatesMulti) {
	const request = "reqAccountUpdatesMulti"
	account := m.Account
	if account == "" && len(c.v.Accounts) == 1 {
		account = c.v.Accounts[0]
	}
	if !c.ofModel(m.ReqID, request, m.ModelCode) || !c.known(int64(m.ReqID), request, account) ||
		!c.room(m.ReqID, request, c.others(), maxOthers) {
		return
	}
	f := &accountFeed{account: account, onlyMoney: m.LedgerAndNLV, due: c.v.At.Add(accountPeriod)}
	c.multis[m.ReqID] = f
	c.l.wake(f.due)
	c.tellMulti(m.ReqID, f)
	c.Send(wire.AccountUpdateMultiEnd{ReqID: m.ReqID})
}

func (c *client) tellMulti(id int, f *accountFeed) {
	for i, v := range c.l.values(f.account) {
		wanted := v.scope&inUpdates != 0 && (!f.onlyMoney || v.scope&inLedger != 0 || v.key == "NetLiquidation")
		if wanted && f.told.news(i, v.text) {
			c.Send(wire.AccountUpdateMulti{ReqID: id, Account: f.account, Key: v.key, Value: v.text, Currency: v.currency})
		}
	}
}

// ofModel refuses a request about a model: there are none.
func (c *client) ofModel(id int, request, model string) bool {
	if model != "" {
		c.Fail(int64(id), venue.Validation, invalid, request, "a model ("+model+") is not simulated")
	}
	return model == ""
}
