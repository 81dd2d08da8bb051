package blotter

import (
	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// zero is the venue's way to say that there is no price.
var zero market.Price

// Report writes what happened to orders, each to the sessions that hear of it,
// in the sequence of a live gateway (section 4.6). A client without a session
// learns it when it asks.
func (b *Blotter) Report(list []exchange.Report) {
	for i, r := range list {
		o := r.About()
		p := b.placed[orderKey{o.ClientID, o.OrderID}]
		if p == nil {
			b.log.Error("gateway_report_without_order", "client_id", o.ClientID, "order_id", o.OrderID)
			continue
		}
		b.note(p, r, o)
		b.watch.order(p)
		first, brief := !p.told, overtaken(list, i)
		if _, works := r.(exchange.Working); works && !brief {
			p.rested = true
		}
		var few [2]*client
		for _, c := range b.hearers(p, few[:0]) {
			c.tellReport(p, r, first, brief)
		}
		// Not transmitted, nobody hears of it; its end is told all the same.
		p.told = p.told || !o.Hold && !p.over
	}
	if len(list) > 0 {
		b.forget() // not before: an order's end need not be the last report of it
	}
}

// note keeps what a report says.
func (b *Blotter) note(p *placed, r exchange.Report, o exchange.Order) {
	if fix, ok := r.(exchange.Corrected); ok {
		p.order.Filled, p.order.AvgPrice = o.Filled, o.AvgPrice // it does not carry the terms
		b.filled(fix.Fill.Account, fix.Fill.Symbol)
		return
	}
	p.order = o
	if zero := b.clients[0]; p.key.order < 0 && zero != nil && zero.autoBind {
		zero.bind(p)
	}
	switch r := r.(type) {
	case exchange.Executed:
		p.lastFill = r.Fill.Price.Ptr()
	case exchange.Commission:
		// Before the commission report: who has taken in the reports of an
		// instant has taken in the account, too.
		b.filled(o.Account, o.Symbol)
	case exchange.Modified:
		if p.next != nil {
			p.ask, p.next = *p.next, nil
		}
	case exchange.Cancelled:
		p.text = cancelText(r.Reason, o.TIF)
	case exchange.Rejected:
		p.text = r.Text
	}
	if o.State.Final() {
		b.end(p)
	}
}

// overtaken reports whether the next report about the same order says more than
// report i: that it works, just before a fill, for which a live gateway tells
// PreSubmitted and then the execution; or that it waits, just before its end.
func overtaken(list []exchange.Report, i int) bool {
	if i+1 == len(list) || list[i].About().PermID != list[i+1].About().PermID {
		return false
	}
	switch list[i].(type) {
	case exchange.Working:
		_, fills := list[i+1].(exchange.Executed)
		return fills
	case exchange.HeldBack:
		_, ends := list[i+1].(exchange.Cancelled)
		return ends
	}
	return false
}

// tellReport tells a session of a report. first says that nobody has heard of
// the order yet, brief that the next report says more. Notes and refusals are
// for who asked; the master client hears what became of the order.
func (c *client) tellReport(p *placed, r exchange.Report, first, brief bool) {
	owner := c.id == p.key.client
	if p.order.Hold && !p.over {
		if u, ok := r.(exchange.Unmodified); ok && owner {
			c.tellUnmodified(p, u)
		}
		return
	}
	switch r := r.(type) {
	case exchange.Accepted, exchange.Modified:
		c.tellOrder(p, p.statusText())
	case exchange.HeldBack:
		if !brief {
			c.tellOrder(p, p.statusText())
		}
	case exchange.Triggered:
		c.Send(p.status())
	case exchange.Working:
		c.tellWorking(p, first, brief)
	case exchange.Executed:
		c.Send(c.b.execDetails(-1, &r.Fill, &r.Order.Filled, r.Order.AvgPrice))
		c.tellOrder(p, p.statusText())
	case exchange.Commission:
		c.Send(commissionReport(r.ExecID, r.Amount, r.Currency, r.RealizedNet))
	case exchange.Corrected:
		c.Send(c.b.execDetails(-1, &r.Fill, &r.Order.Filled, r.Order.AvgPrice))
		c.Send(commissionReport(r.Fill.ExecID, *r.Fill.Commission, r.Fill.Currency, r.RealizedNet))
	case exchange.Cancelled:
		c.tellCancelled(p, r, owner)
	case exchange.Rejected:
		c.tellRejected(p, r, owner)
	case exchange.Unmodified:
		if owner {
			c.tellUnmodified(p, r)
		}
	case exchange.Warning:
		if owner {
			c.tellWarning(p, r)
		}
	}
}

// tellOrder tells an order and its status, in the pair in which they come.
func (c *client) tellOrder(p *placed, status string) {
	m, st := p.openOrder(), p.status()
	m.Status, st.Status = status, status
	c.Send(m)
	c.Send(st)
}

// tellWorking tells that an order is at the exchange, the status twice, as live
// gateways do. One that comes there unheard of, because it was not transmitted
// before, is PreSubmitted first.
func (c *client) tellWorking(p *placed, first, brief bool) {
	if first {
		c.tellOrder(p, preSubmitted)
	}
	if !brief {
		c.tellOrder(p, p.statusText())
		c.Send(p.status())
	}
}

// tellCancelled writes the way to the end: a cancel that was asked for is
// pending first.
func (c *client) tellCancelled(p *placed, r exchange.Cancelled, owner bool) {
	if r.Reason == exchange.Asked && p.told {
		m := p.status()
		m.Status = pendingCancel
		c.Send(m)
	}
	c.Send(p.status())
	if owner {
		c.Fail(p.shown(), venue.Cancelled, "Order Canceled - reason:%s", p.text)
	}
}

// tellRejected writes the error, then the status Inactive that follows it.
func (c *client) tellRejected(p *placed, r exchange.Rejected, owner bool) {
	if owner {
		code, text := refusal(r.Reason, r.Text)
		c.Fail(p.shown(), code, "%s", text)
	}
	c.Send(p.status())
}

// tellUnmodified writes why a change was refused. Where that is the word for a
// rejected order, the status follows: the order itself stands.
func (c *client) tellUnmodified(p *placed, r exchange.Unmodified) {
	code, text := refusal(r.Reason, r.Text)
	c.Fail(p.shown(), code, "%s", text)
	if r.Reason != exchange.Mismatch && r.Reason != exchange.CannotModify && p.told {
		c.Send(p.status())
	}
}

// tellWarning writes a note about an order that stands.
func (c *client) tellWarning(p *placed, r exchange.Warning) {
	if r.Code != venue.OrderMessage {
		c.Fail(p.shown(), r.Code, "%s", r.Text)
		return
	}
	o := &p.order
	c.Fail(p.shown(), r.Code, "Order Message:\n%s %v %s %s.%s\nWarning: %s",
		o.Side, o.Qty, o.Symbol, p.contract.PrimaryExchange, p.contract.TradingClass, r.Text)
}

// refusal is the code and the words of a refusal.
func refusal(why exchange.Reason, text string) (int, string) {
	switch why {
	case exchange.OffTick:
		return venue.OffGrid, "The price does not conform to the minimum price variation for this contract. " + text
	case exchange.UnknownSymbol:
		return venue.NoContract, venue.NoContractText
	case exchange.UnknownAccount:
		return venue.NoAccount, "You must specify an account. " + text
	case exchange.CannotModify:
		return venue.CannotModify, venue.CannotModifyText
	case exchange.Mismatch:
		return venue.Mismatch, venue.MismatchText + " " + text
	case exchange.NoParent:
		return venue.MissingParent, venue.MissingParentText
	}
	return venue.Rejected, "Order rejected - reason:" + text
}

// cancelText is why an order ended; a real gateway leaves it empty when asked.
func cancelText(r exchange.Reason, tif order.TIF) string {
	switch r {
	case exchange.Asked:
		return ""
	case exchange.Expired:
		if tif == order.GTD {
			return "the time of a GTD order has passed"
		}
		return "the session of a DAY order has ended"
	case exchange.Remainder:
		return "the rest of an " + string(tif) + " order"
	case exchange.OCA:
		return "another order of its group was filled"
	case exchange.ParentEnded:
		return "its parent order has ended"
	}
	return r.String()
}

// The statuses that no state alone says.
const (
	apiPending    = "ApiPending"
	apiCancelled  = "ApiCancelled"
	pendingCancel = "PendingCancel"
	preSubmitted  = "PreSubmitted"
)

// statusText is the venue's word for how the order stands.
func (p *placed) statusText() string {
	switch s := p.order.State; {
	case s == order.Filled:
		return "Filled"
	case s == order.Cancelled && !p.told:
		return apiCancelled // it never left the gateway
	case s == order.Cancelled:
		return "Cancelled"
	case s == order.Rejected || s == order.Inactive:
		return "Inactive"
	case p.order.Hold:
		return apiPending
	case p.order.Wait != exchange.WaitNone:
		return preSubmitted
	case s == order.Working || s == order.Partial:
		return "Submitted"
	}
	return preSubmitted
}

// whyHeld is the venue's word for what an order waits for, where it has one.
func (p *placed) whyHeld() string {
	o := &p.order
	triggers := false
	switch o.Type {
	case order.Stop, order.StopLimit, order.Trail, order.TrailLimit, order.MarketIfTouched, order.LimitIfTouched:
		triggers = !o.Triggered
	}
	switch {
	case o.State.Final():
		return ""
	case o.Wait == exchange.WaitParent && triggers:
		return "child,trigger"
	case o.Wait == exchange.WaitParent:
		return "child"
	case o.Wait == exchange.WaitTrigger && triggers:
		return "trigger"
	}
	return ""
}

func (p *placed) status() wire.OrderStatus {
	o := &p.order
	filled, remaining := o.Filled, o.Remaining()
	if o.State == order.Rejected {
		remaining = o.Qty
	}
	m := wire.OrderStatus{
		OrderID: p.shown(), Status: p.statusText(), Filled: &filled, Remaining: &remaining,
		AvgFillPrice: o.AvgPrice, PermID: o.PermID, ParentID: p.ask.ParentID, LastFillPrice: p.lastFill,
		ClientID: o.ClientID, WhyHeld: p.whyHeld(), MktCapPrice: &zero,
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
	o, qty := &p.order, p.order.Qty
	m := wire.NewOpenOrder(p.ask, o.ClientID, o.PermID, p.statusText())
	m.OrderID, m.Contract, m.TotalQuantity = p.shown(), p.contract, &qty
	m.Contract.Right = "?"
	m.Account, m.TIF, m.OCAGroup = o.Account, string(o.TIF), o.OCAGroup
	switch {
	case o.Limit != nil:
		m.LmtPrice = o.Limit
	case o.Type != order.TrailLimit:
		m.LmtPrice = &zero
	}
	if o.TrailNow != nil {
		m.TrailStopPrice, m.AdjustedTrailStopPrice = o.TrailNow, o.TrailNow
	}
	return m
}
