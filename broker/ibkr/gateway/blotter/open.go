package blotter

import (
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

// PlaceManual lets an order be given by hand, as in the gateway's own window.
// Its OrderID, ParentID and Transmit do not count. The result is the order's
// perm id, 0 when the order makes no sense to the gateway: then client 0, if it
// is there, hears why.
func (b *Blotter) PlaceManual(m wire.PlaceOrder) (permID int64) {
	zero := b.client(0)
	asked := client{Peer: zero.Peer, b: b, v: b.v}
	if asked.Peer == nil {
		asked.Peer = nobody{}
	}
	b.byHand--
	m.OrderID, m.ParentID, m.Transmit, m.WhatIf = b.byHand, 0, true, false
	r, d, ok := asked.request(&m)
	if !ok {
		return 0
	}
	p := b.give(orderKey{0, m.OrderID}, m, d, r)
	return p.order.PermID
}

// nobody hears of nothing.
type nobody struct{}

func (nobody) ClientID() int                   { return 0 }
func (nobody) Version() wire.Version           { return 0 }
func (nobody) Send(wire.Message)               {}
func (nobody) Fail(int64, int, string, ...any) {}

// Download tells a session what a gateway downloads on connection, before its
// next order id: its open orders with their executions, and to the master
// client all open orders and the day's executions. It does nothing for others
// unless [Config.DownloadOpenOrders] is set, nor where there is nothing open.
func (b *Blotter) Download(p venue.Peer) {
	c := &client{Peer: p, b: b, v: b.v, id: p.ClientID()}
	master := c.isMaster()
	if !b.cfg.DownloadOpenOrders && !master {
		return
	}
	mine := func(o orderKey) bool { return master || o.client == c.id }
	open := map[int64]bool{}
	for _, o := range b.v.X.Open() {
		if mine(orderKey{o.ClientID, o.OrderID}) {
			open[o.PermID] = true
		}
	}
	if len(open) == 0 && !master {
		return
	}
	c.tellOpen(func(p *placed) bool { return mine(p.key) && (p.shown() != 0 || master) })
	c.Send(wire.OpenOrderEnd{})
	b.forget() // finds the day
	c.tellFills(-1, func(f *order.Fill) bool { return (master || open[f.PermID]) && !f.At.Before(b.dayBegan) })
}

// hearers appends the sessions that hear of an order.
func (b *Blotter) hearers(p *placed, list []*client) []*client {
	if c := b.clients[p.key.client]; c != nil && c.Peer != nil && p.shown() != 0 {
		list = append(list, c)
	}
	if b.cfg.Master == nil || *b.cfg.Master == p.key.client && p.shown() != 0 {
		return list
	}
	if c := b.clients[*b.cfg.Master]; c != nil && c.Peer != nil && !slices.Contains(list, c) {
		list = append(list, c)
	}
	return list
}
