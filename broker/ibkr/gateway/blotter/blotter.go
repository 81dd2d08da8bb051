// Package blotter is the simulated gateway's record of orders as clients know
// them: by client id and order id, with what was asked for, how it stands and
// what was executed.
//
// It promises that order ids rise for each client id across its sessions, that
// an order is told to the client that placed it in the sequence of a live
// gateway (section 4.6 of the protocol sheet), and that every request about
// orders gets an answer or a named error. It does not promise what the exchange
// behind it does not do: that is refused by name.
//
// # Design
//
// The exchange decides; the blotter translates. It keeps of each order what the
// exchange has no use for: the client's own numbers and words. The server's
// mutex guards it.
package blotter

import (
	"log/slog"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Blotter keeps orders and answers requests about them. Make one with [New].
type Blotter struct {
	v      *venue.Venue
	log    *slog.Logger
	filled func(account string, symbol market.Symbol)

	clients map[int]*client
	placed  map[orderKey]*placed
}

// client is what is remembered of a client id, across its sessions.
type client struct {
	venue.Peer // its session that is ready, nil when it has none
	b          *Blotter
	v          *venue.Venue

	id      int
	highest int64 // the highest order id that it used
}

// New returns the blotter of a venue. filled is told of each execution when the
// books hold it, before its commission is reported: who has taken in the
// reports of an instant has taken in the account, too.
func New(v *venue.Venue, log *slog.Logger, filled func(account string, symbol market.Symbol)) *Blotter {
	return &Blotter{v: v, log: log, filled: filled, clients: map[int]*client{}, placed: map[orderKey]*placed{}}
}

func (b *Blotter) client(id int) *client {
	c := b.clients[id]
	if c == nil {
		c = &client{b: b, v: b.v, id: id}
		b.clients[id] = c
	}
	return c
}

// NextID is the least order id that a client id may use.
func (b *Blotter) NextID(clientID int) int64 { return b.client(clientID).highest + 1 }

// Join makes a session the one that hears of its client id's orders.
func (b *Blotter) Join(p venue.Peer) { b.client(p.ClientID()).Peer = p }

// Leave ends that. The orders stay.
func (b *Blotter) Leave(p venue.Peer) {
	if c := b.client(p.ClientID()); c.Peer == p {
		c.Peer = nil
	}
}

// Handle answers a request of a session that joined, and reports whether it
// was one about orders.
func (b *Blotter) Handle(p venue.Peer, msg wire.Message) bool {
	c := b.client(p.ClientID())
	switch m := msg.(type) {
	case wire.PlaceOrder:
		c.placeOrder(m)
	case wire.CancelOrder:
		c.cancelOrder(m)
	case wire.ReqGlobalCancel:
		c.globalCancel()
	case wire.ReqOpenOrders:
		c.openOrders(func(client int) bool { return client == c.id })
	case wire.ReqAllOpenOrders:
		c.openOrders(func(int) bool { return true })
	case wire.ReqAutoOpenOrders:
		if c.id != 0 {
			c.Fail(venue.NoID, venue.AutoBind, "Only the default client (i.e 0) can auto bind orders")
		} // nobody makes orders by hand here
	case wire.ReqCompletedOrders:
		c.Send(wire.CompletedOrdersEnd{}) // completed orders are not kept; executions are
	case wire.ReqExecutions:
		c.executions(m)
	case wire.ReqIDs:
		c.Send(wire.NextValidID{OrderID: c.highest + 1})
	default:
		return false
	}
	return true
}

// Len is how many orders are kept.
func (b *Blotter) Len() int { return len(b.placed) }
