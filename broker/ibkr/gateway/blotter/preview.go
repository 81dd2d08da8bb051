package blotter

import (
	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// currency is that of margins and commissions.
const currency = "USD"

// whatIf tells what an order would do to the account if it filled whole, in an
// openOrder of its own, and places nothing: its number may be used again. An
// order that the account could not carry is previewed with a warning, anything
// else that would be refused is refused. That the answer has no perm id is a
// choice of ours.
func (c *client) whatIf(m *wire.PlaceOrder) {
	r, d, ok := c.request(m, nil)
	if !ok {
		return
	}
	preview, why, text := c.v.X.Preview(c.v.At, r)
	if why != 0 && why != exchange.InsufficientFunds {
		code, words := refusal(why, text)
		c.Fail(m.OrderID, code, "%s", words)
		return
	}
	o := wire.NewOpenOrder(*m, c.id, 0, preSubmitted)
	o.Contract = stockOf(d)
	o.Contract.Right = "?"
	o.Account, o.TIF = r.Account, string(r.TIF)
	if o.Account == "" {
		o.Account = c.v.Accounts[0]
	}
	o.Margin = margins(&preview)
	o.Commission, o.MinCommission, o.MaxCommission = cents(preview.Commission), cents(preview.MinCommission), cents(preview.MaxCommission)
	o.CommissionCurrency, o.Preview.MarginCurrency = currency, currency
	if why != 0 {
		o.WarningText, o.Preview.RejectReason = text, text
	}
	c.Send(o)
}

func margins(p *exchange.Preview) wire.Margin {
	initial, maintenance, equity := p.Changes()
	return wire.Margin{
		InitBefore: cents(p.Before.InitMargin), MaintBefore: cents(p.Before.MaintMargin), EquityBefore: cents(p.Before.Equity),
		InitChange: cents(initial), MaintChange: cents(maintenance), EquityChange: cents(equity),
		InitAfter: cents(p.After.InitMargin), MaintAfter: cents(p.After.MaintMargin), EquityAfter: cents(p.After.Equity),
	}
}

func cents(m market.Money) *market.Money { return m.Round(2).Ptr() }
