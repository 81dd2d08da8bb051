package blotter

import (
	"fmt"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// completedOrders tells the orders of all clients that ended on the market's
// present day, in the order in which they did. Those given by hand are left
// out when only the API's are wanted.
func (c *client) completedOrders(m wire.ReqCompletedOrders) {
	if c.refusedReadOnly(venue.NoID, "reqCompletedOrders") {
		return
	}
	c.b.forget()
	for _, p := range c.b.ended {
		if p.key.order > 0 || !m.APIOnly {
			c.Send(c.b.completed(p))
		}
	}
	c.Send(wire.CompletedOrdersEnd{})
}

// completed describes an order that has ended. Its words are from general
// knowledge.
func (b *Blotter) completed(p *placed) wire.CompletedOrder {
	o := &p.order
	m := wire.CompletedOrder{
		Order: p.openOrder(), FilledQuantity: o.Filled.Ptr(), ParentPermID: o.Parent,
		CompletedTime: b.v.TimeText(o.Updated),
	}
	switch {
	case o.State == order.Filled:
		m.CompletedStatus = fmt.Sprintf("Filled Size: %v", o.Filled)
	case o.State == order.Rejected:
		m.CompletedStatus = "Rejected by System: " + p.text
	case p.text == "":
		m.CompletedStatus = "Cancelled by Trader"
	default:
		m.CompletedStatus = "Cancelled by System: " + p.text
	}
	return m
}
