package blotter

import (
	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Report writes what happened to orders, each to the session of the client
// that placed it, in the sequence of a live gateway (section 4.6). A client
// without a session learns it when it asks.
func (b *Blotter) Report(list []exchange.Report) {
	for _, r := range list {
		o := r.About().Order
		p := b.placed[orderKey{o.ClientID, o.OrderID}]
		if p == nil {
			b.log.Error("gateway_report_without_order", "client_id", o.ClientID, "order_id", o.OrderID)
			continue
		}
		p.order = o
		if done, ok := r.(exchange.Executed); ok {
			price := done.Fill.Price
			p.lastFill = &price
		}
		if _, ok := r.(exchange.Commission); ok {
			// Before the commission report: who has taken in the reports of an
			// instant has taken in the account, too.
			b.filled(o.Account, o.Symbol)
		}
		if c := b.clients[o.ClientID]; c != nil && c.Peer != nil {
			c.tellReport(p, r)
		}
	}
}

func (c *client) tellReport(p *placed, r exchange.Report) {
	switch r := r.(type) {
	case exchange.Accepted, exchange.Working:
		c.Send(p.openOrder())
		c.Send(p.status())
	case exchange.Executed:
		c.Send(c.b.execDetails(-1, p, r.Fill, &r.Order.Filled, r.Order.AvgPrice))
		c.Send(p.openOrder())
		c.Send(p.status())
	case exchange.Commission:
		c.Send(commissionReport(r.ExecID, r.Amount, r.Currency, r.RealizedPNL))
	case exchange.Cancelled:
		c.Send(p.status())
		c.Fail(p.order.OrderID, venue.Cancelled, "Order Canceled - reason:%s", cancelText(r.Reason))
	case exchange.Rejected:
		c.tellRejected(p, r)
	}
}

// tellRejected writes the error, then the status Inactive that follows it.
func (c *client) tellRejected(p *placed, r exchange.Rejected) {
	switch r.Reason {
	case exchange.OffTick:
		c.Fail(p.order.OrderID, venue.OffGrid, "The price does not conform to the minimum price variation for this contract. %s", r.Text)
	case exchange.UnknownSymbol:
		c.Fail(p.order.OrderID, venue.NoContract, venue.NoContractText)
	case exchange.UnknownAccount:
		c.Fail(p.order.OrderID, venue.NoAccount, "You must specify an account. %s", r.Text)
	default:
		c.Fail(p.order.OrderID, venue.Rejected, "Order rejected - reason:%s", r.Text)
	}
	c.Send(p.status())
}

// cancelText is why an order ended; a real gateway leaves it empty when asked.
func cancelText(r exchange.Reason) string {
	switch r {
	case exchange.Expired:
		return "the session of a DAY order has ended"
	case exchange.Remainder:
		return "the rest of an IOC order"
	case exchange.NoMarket:
		return "no market for an IOC order"
	}
	return ""
}

// statusText is the venue's word for a state.
func statusText(s order.State) string {
	switch s {
	case order.Filled:
		return "Filled"
	case order.Cancelled:
		return "Cancelled"
	case order.Rejected, order.Inactive:
		return "Inactive"
	case order.Working, order.Partial:
		return "Submitted"
	case order.Cancelling:
		return "PendingCancel"
	}
	return "PreSubmitted"
}

func (p *placed) status() wire.OrderStatus {
	o := &p.order
	filled, remaining, zero := o.Filled, o.Remaining(), market.Price{}
	if o.State == order.Rejected {
		remaining = o.Qty
	}
	m := wire.OrderStatus{
		OrderID: o.OrderID, Status: statusText(o.State), Filled: &filled, Remaining: &remaining,
		AvgFillPrice: o.AvgPrice, PermID: o.PermID, LastFillPrice: p.lastFill, ClientID: o.ClientID, MktCapPrice: &zero,
	}
	if m.AvgFillPrice == nil { // the venue's way to say none
		m.AvgFillPrice = &zero
	}
	if m.LastFillPrice == nil {
		m.LastFillPrice = &zero
	}
	return m
}

// openOrder describes the order. What the client did not choose stands as a
// live gateway spells it (section 5.3).
func (p *placed) openOrder() wire.OpenOrder {
	o, ask := &p.order, &p.ask
	qty := o.Qty
	return wire.OpenOrder{
		OrderID: o.OrderID, Contract: p.contract, Action: string(o.Side), TotalQuantity: &qty,
		OrderType: string(o.Type), LmtPrice: o.Limit, TIF: string(o.TIF), Account: o.Account,
		OpenClose: ask.OpenClose, Origin: ask.Origin, OrderRef: o.Ref, ClientID: o.ClientID, PermID: o.PermID,
		OutsideRTH: ask.OutsideRTH, Hidden: ask.Hidden, ExemptCode: ask.ExemptCode, OCAType: 3,
		DeltaNeutralOrderType: "None", DeltaNeutral: wire.DeltaNeutralOrder{OpenClose: "?"},
		ClearingIntent: "IB", Solicited: ask.Solicited, Status: statusText(o.State),
		AdjustedOrderType: "None", DontUseAutoPriceForHedge: true, IncludeOvernight: ask.IncludeOvernight,
	}
}

func (b *Blotter) execDetails(req int, p *placed, f order.Fill, cumulative *market.Qty, average *market.Price) wire.ExecDetails {
	side := "BOT"
	if f.Side == order.Sell {
		side = "SLD"
	}
	liquidity := 1 // added
	if p.order.Type == order.Market {
		liquidity = 2 // removed
	}
	return wire.ExecDetails{
		ReqID: req, OrderID: f.OrderID, Contract: p.contract, ExecID: f.ExecID, Time: b.v.TimeText(f.At),
		Account: f.Account, Exchange: f.Exchange, Side: side, Shares: f.Qty, Price: f.Price, PermID: f.PermID,
		ClientID: f.ClientID, CumQty: cumulative, AvgPrice: average, OrderRef: f.Ref, LastLiquidity: liquidity,
	}
}

func commissionReport(execID string, amount market.Money, currency string, realized *market.Money) wire.CommissionReport {
	return wire.CommissionReport{ExecID: execID, Commission: &amount, Currency: currency, RealizedPNL: realized}
}
