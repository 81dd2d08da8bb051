package blotter

import (
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// whatIf tells what an order would do to the account, and places nothing: its
// number may be used again.
func (c *client) whatIf(m *wire.PlaceOrder) {
	c.Fail(m.OrderID, venue.Validation, "Error validating request.-'placeOrder' : cause - a margin preview (whatIf) is not simulated")
}
