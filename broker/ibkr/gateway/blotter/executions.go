package blotter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// maxDays is how many days of executions a gateway tells at most.
const maxDays = 7

// executions tells the executions that pass the filter, each with its
// commission. Without a number of days or dates they are those since midnight,
// as at the venue.
func (c *client) executions(m wire.ReqExecutions) {
	inTime, err := c.b.executionTimes(&m)
	if err != nil {
		c.Fail(int64(m.ReqID), venue.Validation, "Error validating request.-'reqExecutions' : cause - %v", err)
		return
	}
	c.tellFills(m.ReqID, func(f *order.Fill) bool { return inTime(f.At) && passes(&m, f) })
	c.Send(wire.ExecDetailsEnd{ReqID: m.ReqID})
}

// executionTimes returns which times are asked for.
func (b *Blotter) executionTimes(m *wire.ReqExecutions) (func(time.Time) bool, error) {
	y, mo, d := b.v.At.In(b.v.Zone).Date()
	from := time.Date(y, mo, d, 0, 0, 0, 0, b.v.Zone)
	first := from.AddDate(0, 0, 1-maxDays)
	if m.LastNDays != nil && *m.LastNDays > 0 {
		from = from.AddDate(0, 0, 1-min(*m.LastNDays, maxDays))
	}
	if len(m.SpecificDates) > 0 {
		from = first
	}
	if m.Time != "" {
		at, err := wire.ParseTime(m.Time, b.v.Zone)
		if err != nil {
			return nil, err
		}
		if at.After(from) {
			from = at
		}
	}
	for _, date := range m.SpecificDates {
		if _, err := time.Parse("20060102", fmt.Sprintf("%08d", date)); err != nil {
			return nil, fmt.Errorf("specific date %d is not yyyymmdd", date)
		}
	}
	return func(at time.Time) bool {
		if at.Before(from) || len(m.SpecificDates) == 0 {
			return !at.Before(from)
		}
		y, mo, d := at.In(b.v.Zone).Date()
		return slices.Contains(m.SpecificDates, (y*100+int(mo))*100+d)
	}, nil
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

// tellFills tells the executions that are wanted, each with its commission.
func (c *client) tellFills(req int, wanted func(*order.Fill) bool) {
	cumulative := map[int64]market.Qty{} // by order, because a fill does not say
	spent := map[int64]market.Money{}
	for _, e := range c.v.X.Executions() {
		if e.Replaced || e.Qty.IsZero() {
			continue // by a correction, or taken back
		}
		f := &e.Fill
		total, value := cumulative[f.PermID].Add(f.Qty), spent[f.PermID].Add(f.Price.Mul(f.Qty))
		cumulative[f.PermID], spent[f.PermID] = total, value
		if !wanted(f) {
			continue
		}
		average, _ := value.DivQty(total)
		c.Send(c.b.execDetails(req, f, &total, &average))
		if f.Commission != nil {
			c.Send(commissionReport(f.ExecID, *f.Commission, f.Currency, e.RealizedNet))
		}
	}
}

// execDetails describes an execution, also of an order that is forgotten.
func (b *Blotter) execDetails(req int, f *order.Fill, cumulative *market.Qty, average *market.Price) wire.ExecDetails {
	m := wire.ExecDetails{
		ReqID: req, OrderID: max(f.OrderID, 0), ExecID: f.ExecID, Time: b.v.TimeText(f.At),
		Account: f.Account, Exchange: f.Exchange, Side: "BOT", Shares: f.Qty, Price: f.Price, PermID: f.PermID,
		ClientID: f.ClientID, CumQty: cumulative, AvgPrice: average, OrderRef: f.Ref, LastLiquidity: removed,
	}
	if f.Side == order.Sell {
		m.Side = "SLD"
	}
	if p := b.placed[orderKey{f.ClientID, f.OrderID}]; p != nil {
		m.OrderID, m.Contract = p.shown(), p.contract
		if p.rested && p.order.Limit != nil {
			m.LastLiquidity = added
		}
	} else if d, ok := b.v.X.Find(market.Contract{Symbol: f.Symbol}); ok {
		m.Contract = stockOf(d)
	}
	return m
}

// What an execution did to the market's liquidity, as the wire counts it.
const (
	added   = 1
	removed = 2
)

func commissionReport(execID string, amount market.Money, currency string, realized *market.Money) wire.CommissionReport {
	return wire.CommissionReport{ExecID: execID, Commission: &amount, Currency: currency, RealizedPNL: realized}
}
