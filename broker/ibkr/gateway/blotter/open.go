package blotter

import (
	"fmt"
	"slices"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// reqOpenOrders tells the client's own open orders. Client 0 binds those given
// by hand by it, which a read-only gateway refuses.
func (c *client) reqOpenOrders() {
	if c.id == 0 {
		if c.refusedReadOnly(venue.NoID, "reqOpenOrders") {
			return
		}
		for _, o := range c.v.X.Open() {
			if p := c.b.placed[orderKey{o.ClientID, o.OrderID}]; p != nil {
				c.bind(p)
			}
		}
	}
	c.tellOpen(func(p *placed) bool { return p.key.client == c.id })
	c.Send(wire.OpenOrderEnd{})
}

// tellOpen tells the open orders that are wanted, in the order in which they
// came.
func (c *client) tellOpen(wanted func(*placed) bool) {
	for _, o := range c.v.X.Open() {
		if p := c.b.placed[orderKey{o.ClientID, o.OrderID}]; p != nil && wanted(p) {
			p.order = o // the stop of a trailing order moves without a report
			c.Send(p.openOrder())
			c.Send(p.status())
		}
	}
}

// autoOpenOrders switches whether orders given by hand are bound to client 0.
func (c *client) autoOpenOrders(m wire.ReqAutoOpenOrders) {
	switch {
	case c.id != 0:
		c.Fail(venue.NoID, venue.AutoBind, "Only the default client (i.e 0) can auto bind orders")
	case !c.refusedReadOnly(venue.NoID, "reqAutoOpenOrders"):
		c.autoBind = m.AutoBind
	}
}

// bind gives an order that was given by hand a number which client 0 may use.
func (c *client) bind(p *placed) {
	if p.key.order >= 0 || p.bound {
		return
	}
	p.bound = true
	c.b.watch.order(p)
	c.Send(wire.OrderBound{PermID: p.order.PermID, ClientID: c.id, OrderID: p.key.order})
}

// PlaceManual lets an order be given by hand, as in the gateway's own window,
// and returns its perm id. Its OrderID, ParentID, Transmit and WhatIf do not
// count. The error says why the gateway refuses it; what the exchange refuses is
// told as of any order.
func (b *Blotter) PlaceManual(m wire.PlaceOrder) (permID int64, err error) {
	heard := &overheard{}
	by := client{Peer: heard, b: b, v: b.v}
	b.byHand--
	m.OrderID, m.ParentID, m.Transmit, m.WhatIf = b.byHand, 0, true, false
	r, d, ok := by.request(&m, nil)
	if !ok {
		return 0, heard.err
	}
	return b.give(orderKey{0, m.OrderID}, m, d, r).order.PermID, nil
}

// overheard is a session of nobody: it keeps what it is refused.
type overheard struct {
	venue.Peer
	err error
}

func (o *overheard) Fail(_ int64, code int, format string, args ...any) {
	o.err = fmt.Errorf("blotter: order by hand: code %d: "+format, append([]any{code}, args...)...)
}

// download tells a session that is new its open orders with their executions
// if that is configured, and the master client all open orders and the day's
// executions. It says nothing where there is nothing.
func (c *client) download() {
	b, master := c.b, c.isMaster()
	if !b.v.DownloadOpenOrders && !master {
		return
	}
	mine := func(o orderKey) bool { return master || o.client == c.id }
	open := map[int64]bool{}
	for _, o := range b.v.X.Open() {
		if mine(orderKey{o.ClientID, o.OrderID}) {
			open[o.PermID] = true
		}
	}
	if len(open) > 0 {
		c.tellOpen(func(p *placed) bool { return mine(p.key) && (p.shown() != 0 || master) })
		c.Send(wire.OpenOrderEnd{})
	}
	b.forget() // finds the day
	c.tellFills(-1, func(f *order.Fill) bool { return (master || open[f.PermID]) && !f.At.Before(b.dayBegan) })
}

// hearers appends the sessions that hear of an order.
func (b *Blotter) hearers(p *placed, list []*client) []*client {
	if c := b.clients[p.key.client]; c != nil && c.Peer != nil && p.shown() != 0 {
		list = append(list, c)
	}
	if c := b.clients[b.v.MasterClientID]; b.v.MasterClientID >= 0 && c != nil && c.Peer != nil && !slices.Contains(list, c) {
		list = append(list, c)
	}
	return list
}
