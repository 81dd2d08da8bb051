// Package ledger tells clients what the accounts of the simulated gateway hold
// and are worth: account updates, account summaries and positions.
//
// It promises that what it tells adds up: every figure comes from the
// exchange's books at one moment. It does not promise a real broker's margin
// rules.
//
// # Design
//
// The ledger keeps no money: the exchange does. It keeps who asked for what.
// The server's mutex guards it.
package ledger

import (
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Ledger answers requests about accounts. Make one with [New].
type Ledger struct {
	v       *venue.Venue
	clients map[venue.Peer]*client
}

// client is what a session asked for.
type client struct {
	venue.Peer
	l *Ledger
	v *venue.Venue

	account   string // of the account updates subscribed, "" = none
	positions bool   // changes of positions are subscribed
	summaries map[int]struct{}
}

// New returns the ledger of a venue.
func New(v *venue.Venue) *Ledger { return &Ledger{v: v, clients: map[venue.Peer]*client{}} }

// Join takes a session in.
func (l *Ledger) Join(p venue.Peer) {
	l.clients[p] = &client{Peer: p, l: l, v: l.v, summaries: map[int]struct{}{}}
}

// Leave forgets a session.
func (l *Ledger) Leave(p venue.Peer) { delete(l.clients, p) }

// Handle answers a request of a session that joined, and reports whether it
// was one about accounts.
func (l *Ledger) Handle(p venue.Peer, msg wire.Message) bool {
	c := l.clients[p]
	switch m := msg.(type) {
	case wire.ReqAccountUpdates:
		c.accountUpdates(m)
	case wire.ReqAccountSummary:
		c.accountSummary(m)
	case wire.CancelAccountSummary:
		delete(c.summaries, m.ReqID)
	case wire.ReqPositions:
		c.reqPositions()
	case wire.CancelPositions:
		c.positions = false
	default:
		return false
	}
	return true
}

// Changed tells all who asked what a fill in a symbol has made of an account.
func (l *Ledger) Changed(account string, symbol market.Symbol) {
	for _, c := range l.clients {
		if c.account == account {
			c.tellValues(account)
			c.Send(l.portfolioValue(l.position(account, symbol)))
			c.tellAccountTime()
		}
		if c.positions {
			c.Send(wirePosition(l.position(account, symbol)))
		}
	}
}
