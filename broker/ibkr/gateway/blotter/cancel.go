package blotter

import (
	"errors"
	"slices"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

func (c *client) cancelOrder(m wire.CancelOrder) {
	if m.Incomplete {
		return // a live gateway drops it in silence, section 2 at 192
	}
	if c.refusedReadOnly(m.OrderID, "cancelOrder") {
		return
	}
	b, p := c.b, c.cancellable(m.OrderID)
	switch {
	case p == nil && b.cfg.OldCancelCodes:
		c.Fail(m.OrderID, venue.UnknownOrder, "Can't find order with id = %d", m.OrderID)
		return
	case p == nil:
		c.Fail(m.OrderID, venue.UnknownCancel, "OrderId %d that needs to be cancelled is not found.", m.OrderID)
		return
	}
	reports, err := b.v.X.Cancel(b.v.At, p.order.PermID)
	b.Report(slices.Clone(reports))
	switch {
	case err == nil:
	case !errors.Is(err, exchange.ErrNotOpen):
		c.Fail(m.OrderID, venue.Processing, "Error processing request.-'cancelOrder' : cause - %v", err)
	case b.cfg.OldCancelCodes:
		c.Fail(m.OrderID, venue.NotCancellable, "Cancel attempted when order is not in a cancellable state.  Order permId = %d", p.order.PermID)
	default:
		c.Fail(m.OrderID, venue.CannotCancel, "OrderId %d that needs to be cancelled cannot be cancelled, state: %s.", m.OrderID, p.statusText())
	}
}

// cancellable returns the order that a client means. Clients have their own
// numbers; client 0 and the master may name those of others, too, of which the
// open one of the lowest client id is meant.
func (c *client) cancellable(id int64) *placed {
	b := c.b
	if p := b.placed[orderKey{c.id, id}]; p != nil && (id > 0 || p.bound) {
		return p
	}
	if c.id != 0 && !c.isMaster() || id <= 0 {
		return nil
	}
	var found *placed
	for _, p := range b.placed {
		if p.key.order == id && !p.over && (found == nil || p.key.client < found.key.client) {
			found = p
		}
	}
	return found
}

func (c *client) isMaster() bool { return c.id == c.v.MasterClientID }

// globalCancel ends every open order, those given by hand included.
func (c *client) globalCancel() {
	if !c.refusedReadOnly(venue.NoID, "reqGlobalCancel") {
		c.b.Report(slices.Clone(c.v.X.CancelAll(c.v.At, nil)))
	}
}
