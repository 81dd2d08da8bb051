package blotter

import (
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// completedOrders tells the orders of the day that have ended.
func (c *client) completedOrders(m wire.ReqCompletedOrders) {
	if c.refusedReadOnly(venue.NoID, "reqCompletedOrders") {
		return
	}
	c.Send(wire.CompletedOrdersEnd{})
}
