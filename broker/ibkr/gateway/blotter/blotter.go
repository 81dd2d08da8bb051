// Package blotter is the simulated gateway's record of orders as clients know
// them: by client id and order id, with what was asked for, how it stands and
// what was executed.
//
// It promises that order ids rise for each client id across its sessions, that
// an order is told to those who may hear of it in the sequence of a live
// gateway (section 4.6 of the protocol sheet), and that every request about
// orders gets an answer or a named error. It does not promise what the exchange
// behind it does not do: that is refused by name, never done by half.
//
// # Design
//
// The exchange decides; the blotter translates. It keeps of each order what the
// exchange has no use for: the client's own numbers and words. The server's
// mutex guards it.
//
// An order is heard of by the client that placed it, and by the master client.
// One that was given by hand has client id 0 and a number below 0; clients see
// the number 0 until client 0 binds it, and only the master hears of it until
// then.
//
// An order that is not transmitted is not told of until it is, and stands in
// lists as ApiPending; a live gateway keeps it to itself, too, and the word is
// a choice of ours.
//
// Orders that have ended are kept for the day, for those who ask, within a
// bound; see [Config]. Executions are the exchange's and outlast them.
package blotter

import (
	"log/slog"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Blotter keeps orders and answers requests about them. Make one with [New].
type Blotter struct {
	v      *venue.Venue
	cfg    Config
	log    *slog.Logger
	filled func(account string, symbol market.Symbol)

	clients  map[int]*client
	placed   map[orderKey]*placed
	ended    []*placed // of placed, oldest first
	ends     int64     // how many orders have ended
	dayBegan time.Time // market midnight: what ended before it is forgotten
	dayEnds  time.Time
	byHand   int64 // the number of the newest order given by hand, 0 or below
	watch    watch
}

// client is what is remembered of a client id, across its sessions.
type client struct {
	venue.Peer // its session that is ready, nil when it has none
	b          *Blotter
	v          *venue.Venue

	id       int
	highest  int64 // the highest order id that it used
	open     int   // orders of it
	autoBind bool  // orders given by hand are bound to this session, which is client 0's
}

// New returns the blotter of a venue. filled is told of each execution when the
// books hold it, before its commission is reported: who has taken in the
// reports of an instant has taken in the account, too.
func New(v *venue.Venue, cfg Config, log *slog.Logger, filled func(account string, symbol market.Symbol)) *Blotter {
	return &Blotter{
		v: v, cfg: cfg, log: log, filled: filled,
		clients: map[int]*client{}, placed: map[orderKey]*placed{},
	}
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
func (b *Blotter) NextID(clientID int) int64 {
	if c := b.clients[clientID]; c != nil {
		return c.highest + 1
	}
	return 1
}

// Join makes a session the one that hears of its client id's orders. It tells
// at once what a gateway downloads on connection, which live gateways do before
// the next order id: see [venue.Venue.DownloadOpenOrders].
func (b *Blotter) Join(p venue.Peer) {
	c := b.client(p.ClientID())
	c.Peer, c.autoBind = p, false
	c.download()
}

// Leave ends that. The orders stay.
func (b *Blotter) Leave(p venue.Peer) {
	c := b.clients[p.ClientID()]
	if c == nil || c.Peer != p {
		return
	}
	c.Peer, c.autoBind = nil, false
	if c.highest == 0 && c.id != 0 {
		delete(b.clients, c.id) // nothing to remember: ids may come by the thousand
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
		c.reqOpenOrders()
	case wire.ReqAllOpenOrders:
		c.tellOpen(func(*placed) bool { return true })
		c.Send(wire.OpenOrderEnd{})
	case wire.ReqAutoOpenOrders:
		c.autoOpenOrders(m)
	case wire.ReqCompletedOrders:
		c.completedOrders(m)
	case wire.ReqExecutions:
		c.executions(m)
	case wire.ReqIDs:
		c.Send(wire.NextValidID{OrderID: c.highest + 1})
	default:
		return false
	}
	return true
}

// refusedReadOnly tells that the gateway takes no orders, if it does not. about
// is the order's id.
func (c *client) refusedReadOnly(about int64, request string) bool {
	if c.v.ReadOnly {
		c.Fail(about, venue.Validation, venue.ReadOnlyText, request)
	}
	return c.v.ReadOnly
}

// Len is how many orders are kept.
func (b *Blotter) Len() int { return len(b.placed) }

// forget drops the orders that ended before the market's present day, and the
// oldest beyond the bound.
func (b *Blotter) forget() {
	if now := b.v.At; !now.Before(b.dayEnds) {
		y, m, d := now.In(b.v.Zone).Date()
		b.dayBegan = time.Date(y, m, d, 0, 0, 0, 0, b.v.Zone)
		b.dayEnds = time.Date(y, m, d+1, 0, 0, 0, 0, b.v.Zone)
	}
	for len(b.ended) > 0 && (len(b.ended) > maxEnded || b.ended[0].order.Updated.Before(b.dayBegan)) {
		p := b.ended[0]
		b.ended[0] = nil
		b.ended = b.ended[1:]
		delete(b.placed, p.key)
		b.watch.forget(p)
	}
}

// end notes that an order will not change any more.
func (b *Blotter) end(p *placed) {
	if !p.over {
		b.ends++
		p.over, p.endedAs = true, b.ends
		b.ended = append(b.ended, p)
		b.client(p.key.client).open--
	}
}
