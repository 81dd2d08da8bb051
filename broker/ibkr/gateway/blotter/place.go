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

// orderKey is how an order is named: by the client that placed it and its
// number, which is below 0 for orders given by hand.
type orderKey struct {
	client int
	order  int64
}

// placed is what the gateway keeps of an order that reached the exchange.
type placed struct {
	key      orderKey
	ask      wire.PlaceOrder  // as the client gave it last
	next     *wire.PlaceOrder // the change that the exchange is asked for
	contract wire.Contract    // as the exchange lists it
	order    exchange.Order   // as the exchange told it last
	lastFill *market.Price
	text     string // why it ended unfilled, empty when that was asked for
	told     bool   // its client has heard of it
	rested   bool   // it did not fill on arrival
	bound    bool   // client 0 may name it: only for orders given by hand
	over     bool   // it has ended, and stands in the list of those
	endedAs  int64  // how many orders had ended with it
}

// shown is the order's number as clients see it.
func (p *placed) shown() int64 {
	if p.key.order < 0 && !p.bound {
		return 0
	}
	return p.key.order
}

// placeOrder takes a new order, or a change of a known one.
func (c *client) placeOrder(m wire.PlaceOrder) {
	b := c.b
	if c.refusedReadOnly(m.OrderID, "placeOrder") {
		return
	}
	if m.WhatIf {
		c.whatIf(&m)
		return
	}
	key := orderKey{c.id, m.OrderID}
	if p := b.placed[key]; p != nil && (m.OrderID > 0 || p.bound) {
		c.modify(p, m)
		return
	}
	if m.OrderID <= c.highest || m.OrderID > maxOrderID {
		c.Fail(m.OrderID, venue.DuplicateOrder, venue.DuplicateText)
		return
	}
	c.highest = m.OrderID
	b.watch.client(c)
	r, d, ok := c.request(&m, nil)
	if !ok {
		return
	}
	if c.open >= maxOpen {
		c.Fail(m.OrderID, venue.Rejected, "Order rejected - reason:client %d has %d open orders: cancel some", c.id, c.open)
		return
	}
	if m.OCAGroup != "" && b.spent(r.Account, m.OCAGroup) {
		c.Fail(m.OrderID, venue.Rejected, "Order rejected - reason:OCA group %s has filled already", m.OCAGroup)
		return
	}
	if b.cfg.PresetTIF && m.TIF == "" {
		c.Fail(m.OrderID, venue.PresetApplied, "Order TIF was set to DAY based on order preset.")
	}
	b.give(key, m, d, r)
}

// spent reports whether an order of a group has filled anything in what is
// remembered of the day. Nobody joins such a group (from general knowledge): an
// exit that arrives after the stop of its group filled would turn the position
// over.
func (b *Blotter) spent(account, group string) bool {
	for _, p := range b.placed {
		if o := &p.order; o.OCAGroup == group && (account == "" || o.Account == account) && o.Filled.Sign() > 0 {
			return true
		}
	}
	return false
}

// give gives an order to the exchange and tells what became of it.
func (b *Blotter) give(key orderKey, m wire.PlaceOrder, d market.Details, r exchange.Request) *placed {
	p := &placed{key: key, ask: m, contract: stockOf(d)}
	b.placed[key] = p
	b.client(key.client).open++
	b.Report(slices.Clone(b.v.X.Place(b.v.At, r)))
	return p
}

// modify asks for a change of a known order.
func (c *client) modify(p *placed, m wire.PlaceOrder) {
	b, id := c.b, m.OrderID
	switch {
	case p.order.State == order.Filled:
		c.Fail(id, venue.CannotModify, venue.CannotModifyText)
		return
	case p.over:
		c.Fail(id, venue.DuplicateOrder, venue.DuplicateText)
		return
	case b.cfg.ModifyWait > 0 && b.v.At.Sub(p.order.Updated) < b.cfg.ModifyWait:
		c.Fail(id, venue.StillProcessing, "Unable to modify this order as it is still being processed.")
		return
	}
	r, _, ok := c.request(&m, p)
	if !ok {
		return
	}
	p.next = &m
	reports, err := b.v.X.Modify(b.v.At, p.order.PermID, r)
	b.Report(slices.Clone(reports))
	p.next = nil
	if errors.Is(err, exchange.ErrNotOpen) { // it ended at this very moment
		c.Fail(id, venue.CannotModify, venue.CannotModifyText)
		return
	}
	if err != nil {
		c.Fail(id, venue.Processing, "Error processing request.-'placeOrder' : cause - %v", err)
	}
}

// stockOf is a listing as orders and executions name it: live gateways write a
// strike of 0 for stocks.
func stockOf(d market.Details) wire.Contract {
	c := wire.ContractOf(d.Contract)
	c.Strike = &zero
	return c
}
