package gateway

import (
	"errors"
	"slices"

	"robotrader/broker/exchange"
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

const readOnlyText = "Error validating request.-'%s' : cause - The API interface is currently in Read-Only mode."

func (c *conn) placeOrder(m wire.PlaceOrder) {
	s, cl := c.s, c.client
	switch {
	case s.cfg.ReadOnly:
		c.fail(m.OrderID, codeValidation, readOnlyText, "placeOrder")
		return
	case m.OrderID <= cl.highest || m.OrderID > maxOrderID:
		// A real gateway takes a known id for a change of that order, which is
		// not built.
		c.fail(m.OrderID, codeDuplicateOrder, "Duplicate order id")
		return
	}
	cl.highest = m.OrderID
	if what := notBuilt(&m); what != "" {
		c.fail(m.OrderID, codeValidation, "Error validating request.-'placeOrder' : cause - %s is not built in the simulated gateway", what)
		return
	}
	d, ok := s.find(m.Contract)
	if !ok {
		c.fail(m.OrderID, codeNoContract, noContract)
		return
	}
	reports := slices.Clone(s.x.Place(s.at, request(cl.id, d.Contract.Symbol, &m)))
	key := orderKey{cl.id, m.OrderID}
	s.placed[key] = &placed{ask: m, contract: wire.ContractOf(d.Contract)}
	s.report(reports)
	if s.placed[key].order.State == order.Rejected {
		delete(s.placed, key) // nobody bounds how many of them come, and no execution will need it
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

func (c *conn) cancelOrder(m wire.CancelOrder) {
	s := c.s
	if m.Incomplete {
		return // a live gateway drops it in silence, section 2 at 192
	}
	if s.cfg.ReadOnly {
		c.fail(m.OrderID, codeValidation, readOnlyText, "cancelOrder")
		return
	}
	p := s.placed[orderKey{c.client.id, m.OrderID}]
	if p == nil {
		c.fail(m.OrderID, codeUnknownCancel, "OrderId %d that needs to be cancelled is not found.", m.OrderID)
		return
	}
	reports, err := s.x.Cancel(s.at, p.order.PermID)
	if errors.Is(err, exchange.ErrNotOpen) {
		c.fail(m.OrderID, codeCannotCancel, "OrderId %d that needs to be cancelled cannot be cancelled, state: %s.", m.OrderID, statusText(p.order.State))
		return
	}
	if err != nil {
		c.fail(m.OrderID, codeProcessing, "Error processing request.-'cancelOrder' : cause - %v", err)
		return
	}
	s.report(slices.Clone(reports))
}

func (c *conn) globalCancel() {
	if c.s.cfg.ReadOnly {
		c.fail(noID, codeValidation, readOnlyText, "reqGlobalCancel")
		return
	}
	c.s.report(slices.Clone(c.s.x.CancelAll(c.s.at)))
}

// openOrders tells the open orders of the clients that are wanted.
func (c *conn) openOrders(wanted func(client int) bool) {
	for _, o := range c.s.x.Open() {
		if p := c.s.placed[orderKey{o.ClientID, o.OrderID}]; p != nil && wanted(o.ClientID) {
			p.order = o
			c.send(p.openOrder())
			c.send(p.status())
		}
	}
	c.send(wire.OpenOrderEnd{})
}
