package blotter

import (
	"errors"
	"slices"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// orderKey is how clients name an order.
type orderKey struct {
	client int
	order  int64
}

// placed is what the gateway keeps of an order that reached the exchange.
type placed struct {
	ask      wire.PlaceOrder // as the client gave it
	contract wire.Contract   // as the exchange lists it
	order    order.Order     // as the exchange told it last
	lastFill *market.Price
}

func (c *client) placeOrder(m wire.PlaceOrder) {
	b := c.b
	switch {
	case c.v.ReadOnly:
		c.Fail(m.OrderID, venue.Validation, venue.ReadOnlyText, "placeOrder")
		return
	case m.OrderID <= c.highest || m.OrderID > maxOrderID:
		// A real gateway takes a known id for a change of that order, which is
		// not built.
		c.Fail(m.OrderID, venue.DuplicateOrder, "Duplicate order id")
		return
	}
	c.highest = m.OrderID
	if what := notBuilt(&m); what != "" {
		c.Fail(m.OrderID, venue.Validation, "Error validating request.-'placeOrder' : cause - %s is not built in the simulated gateway", what)
		return
	}
	d, ok := b.v.Find(m.Contract)
	if !ok {
		c.Fail(m.OrderID, venue.NoContract, venue.NoContractText)
		return
	}
	reports := slices.Clone(b.v.X.Place(b.v.At, request(c.id, d.Contract.Symbol, &m)))
	key := orderKey{c.id, m.OrderID}
	b.placed[key] = &placed{ask: m, contract: wire.ContractOf(d.Contract)}
	b.Report(reports)
	if b.placed[key].order.State == order.Rejected {
		delete(b.placed, key) // nobody bounds how many of them come, and no execution will need it
	}
}

// maxOrderID is the greatest that 32 bits hold; above it ids cannot rise.
const maxOrderID = 1<<31 - 2

// notBuilt names the first thing that the order asks for and the exchange
// does not do: doing less than asked in silence would be worse than refusing.
func notBuilt(m *wire.PlaceOrder) string {
	switch {
	case m.WhatIf:
		return "a margin preview (whatIf)"
	case !m.Transmit:
		return "an order that is not transmitted"
	case m.ParentID != 0:
		return "an attached order (parentId)"
	case m.OCAGroup != "":
		return "an order group (ocaGroup)"
	case m.GoodAfterTime != "" || m.GoodTillDate != "" || m.ActiveStartTime != "" || m.ActiveStopTime != "" || m.Duration != nil:
		return "an order bound to a time"
	case m.AllOrNone || m.MinQty != nil:
		return "a least quantity"
	case m.TrailStopPrice != nil || m.TrailingPercent != "" || m.TriggerPrice != nil || m.AdjustedOrderType != "" && m.AdjustedOrderType != "None":
		return "a price that moves"
	case m.CashQty != nil && !m.CashQty.IsZero():
		return "an order by amount (cashQty)"
	case m.TotalQuantity == nil:
		return "an order without a quantity"
	case m.HedgeType != "":
		return "a hedge"
	case m.FAGroup != "" || m.ModelCode != "":
		return "an adviser's allocation"
	}
	return ""
}

// request is the order in the exchange's words. What the exchange does not
// know it refuses itself.
func request(clientID int, symbol market.Symbol, m *wire.PlaceOrder) exchange.Request {
	r := exchange.Request{
		ClientID: clientID, OrderID: m.OrderID, Ref: m.OrderRef, Account: m.Account, Symbol: symbol,
		Side: order.Side(m.Action), Type: order.Type(m.OrderType), TIF: order.TIF(m.TIF),
		Qty: *m.TotalQuantity, Limit: m.LmtPrice,
	}
	if r.TIF == "" {
		r.TIF = order.Day
	}
	if r.Type == order.Market {
		r.Limit = nil // clients write 0 or leave it empty
	}
	return r
}

func (c *client) cancelOrder(m wire.CancelOrder) {
	b := c.b
	if m.Incomplete {
		return // a live gateway drops it in silence, section 2 at 192
	}
	if c.v.ReadOnly {
		c.Fail(m.OrderID, venue.Validation, venue.ReadOnlyText, "cancelOrder")
		return
	}
	p := b.placed[orderKey{c.id, m.OrderID}]
	if p == nil {
		c.Fail(m.OrderID, venue.UnknownCancel, "OrderId %d that needs to be cancelled is not found.", m.OrderID)
		return
	}
	reports, err := b.v.X.Cancel(b.v.At, p.order.PermID)
	if errors.Is(err, exchange.ErrNotOpen) {
		c.Fail(m.OrderID, venue.CannotCancel, "OrderId %d that needs to be cancelled cannot be cancelled, state: %s.", m.OrderID, statusText(p.order.State))
		return
	}
	if err != nil {
		c.Fail(m.OrderID, venue.Processing, "Error processing request.-'cancelOrder' : cause - %v", err)
		return
	}
	b.Report(slices.Clone(reports))
}

func (c *client) globalCancel() {
	if c.v.ReadOnly {
		c.Fail(venue.NoID, venue.Validation, venue.ReadOnlyText, "reqGlobalCancel")
		return
	}
	c.b.Report(slices.Clone(c.v.X.CancelAll(c.v.At, nil)))
}

// openOrders tells the open orders of the clients that are wanted.
func (c *client) openOrders(wanted func(client int) bool) {
	for _, o := range c.v.X.Open() {
		if p := c.b.placed[orderKey{o.ClientID, o.OrderID}]; p != nil && wanted(o.ClientID) {
			p.order = o.Order
			c.Send(p.openOrder())
			c.Send(p.status())
		}
	}
	c.Send(wire.OpenOrderEnd{})
}
