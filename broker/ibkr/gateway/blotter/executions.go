package blotter

import (
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// executions tells the executions that pass the filter, each with its
// commission. Without a number of days they are those since midnight, as at
// the venue.
func (c *client) executions(m wire.ReqExecutions) {
	b := c.b
	from, err := b.executionsFrom(m)
	if err != nil {
		c.Fail(int64(m.ReqID), venue.Validation, "Error validating request.-'reqExecutions' : cause - %v", err)
		return
	}
	cumulative := map[int64]market.Qty{} // by order, because a fill does not say
	spent := map[int64]market.Money{}
	for _, f := range b.v.X.Fills() {
		cumulative[f.PermID] = cumulative[f.PermID].Add(f.Qty)
		spent[f.PermID] = spent[f.PermID].Add(f.Price.Mul(f.Qty))
		p := b.placed[orderKey{f.ClientID, f.OrderID}]
		if p == nil || f.At.Before(from) || !passes(&m, &f) {
			continue
		}
		total := cumulative[f.PermID]
		average, _ := spent[f.PermID].DivQty(total)
		c.Send(b.execDetails(m.ReqID, p, f, &total, &average))
		if f.Commission != nil {
			c.Send(commissionReport(f.ExecID, *f.Commission, f.Currency, f.RealizedPNL))
		}
	}
	c.Send(wire.ExecDetailsEnd{ReqID: m.ReqID})
}

// executionsFrom returns the time from which executions are told.
func (b *Blotter) executionsFrom(m wire.ReqExecutions) (time.Time, error) {
	y, mo, d := b.v.At.In(b.v.Zone).Date()
	from := time.Date(y, mo, d, 0, 0, 0, 0, b.v.Zone)
	if m.LastNDays != nil && *m.LastNDays > 0 {
		from = from.AddDate(0, 0, 1-min(*m.LastNDays, 7)) // a real gateway keeps seven days
	}
	if m.Time == "" {
		return from, nil
	}
	at, err := wire.ParseTime(m.Time, b.v.Zone)
	if err != nil {
		return time.Time{}, err
	}
	if at.After(from) {
		return at, nil
	}
	return from, nil
}

func passes(m *wire.ReqExecutions, f *order.Fill) bool {
	is := func(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }
	side := m.Side
	switch strings.ToUpper(side) {
	case "BOT":
		side = string(order.Buy)
	case "SLD":
		side = string(order.Sell)
	}
	return (m.ClientID == 0 || m.ClientID == f.ClientID) && is(m.Account, f.Account) &&
		is(m.Symbol, string(f.Symbol)) && is(m.SecType, "STK") && is(m.Exchange, f.Exchange) && is(side, string(f.Side))
}
