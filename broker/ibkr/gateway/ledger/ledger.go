// Package ledger tells clients what the accounts of the simulated gateway hold
// and are worth: account updates, account summaries, positions, profit and
// loss.
//
// It promises that what it tells adds up: every figure comes from the
// exchange's books at one moment, and after a fill the account is told before
// the commission. It does not promise a real broker's margin rules.
//
// # Design
//
// The ledger keeps no money: the exchange does. It keeps who asked for what,
// and what was told, because a value is told again only when it changed: after
// every fill at once, else when market time has moved by the period of the
// subscription. Market time alone drives it, so that what it writes is a
// function of the tape and the requests. The server's mutex guards it.
package ledger

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// The periods in market time, section 4.7 of the protocol sheet; that of profit
// and loss is from general knowledge.
const (
	accountPeriod = 3 * time.Minute
	profitPeriod  = time.Second
)

// The bounds of a session.
const (
	maxSummaries = 2   // account summaries, section 9
	maxOthers    = 100 // subscriptions with a request id beside them, all kinds together
	maxTags      = 200 // of a summary: there are fewer
)

// Ledger answers requests about accounts. Make one with [New].
type Ledger struct {
	v       *venue.Venue
	clients map[venue.Peer]*client
	due     time.Time // when the next subscription may have something to tell; zero: never
}

// client is what a session asked for.
type client struct {
	venue.Peer
	l *Ledger
	v *venue.Venue

	updates   *accountFeed // of reqAccountUpdates, nil without one
	positions bool         // changes of positions are subscribed
	summaries map[int]*summary
	multis    map[int]*accountFeed // of reqAccountUpdatesMulti
	holdings  map[int]string       // of reqPositionsMulti: its account, "" = all
	profits   map[int]*profit
}

// New returns the ledger of a venue.
func New(v *venue.Venue) *Ledger { return &Ledger{v: v, clients: map[venue.Peer]*client{}} }

// Join takes a session in.
func (l *Ledger) Join(p venue.Peer) {
	l.clients[p] = &client{
		Peer: p, l: l, v: l.v,
		summaries: map[int]*summary{}, multis: map[int]*accountFeed{}, holdings: map[int]string{}, profits: map[int]*profit{},
	}
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
	case wire.ReqAccountUpdatesMulti:
		c.accountUpdatesMulti(m)
	case wire.CancelAccountUpdatesMulti:
		delete(c.multis, m.ReqID)
	case wire.ReqAccountSummary:
		c.accountSummary(m)
	case wire.CancelAccountSummary:
		delete(c.summaries, m.ReqID)
	case wire.ReqPositions:
		c.reqPositions()
	case wire.CancelPositions:
		c.positions = false
	case wire.ReqPositionsMulti:
		c.positionsMulti(m)
	case wire.CancelPositionsMulti:
		delete(c.holdings, m.ReqID)
	case wire.ReqPnL:
		c.reqProfit(m.ReqID, "reqPnL", &profit{account: m.Account})
	case wire.CancelPnL:
		delete(c.profits, m.ReqID)
	case wire.ReqPnLSingle:
		c.reqProfit(m.ReqID, "reqPnLSingle", &profit{account: m.Account, conID: m.ConID, single: true})
	case wire.CancelPnLSingle:
		delete(c.profits, m.ReqID)
	default:
		return false
	}
	return true
}

// Changed tells all who asked what a fill in a symbol has made of an account.
func (l *Ledger) Changed(account string, symbol market.Symbol) {
	for _, c := range l.clients {
		if c.updates != nil && c.updates.account == account {
			c.tellUpdates(symbol)
		}
		for id, f := range inOrder(c.multis) {
			if f.account == account {
				c.tellMulti(id, f)
			}
		}
		if !c.positions && len(c.holdings) == 0 {
			continue
		}
		p, ok := l.v.X.Position(account, symbol)
		if !ok {
			continue
		}
		if c.positions {
			c.Send(wirePosition(&p))
		}
		for id, of := range inOrder(c.holdings) {
			if of == "" || of == account {
				c.Send(positionMulti(id, &p))
			}
		}
	}
}

// Tick tells what the passing of market time asks for: what changed since it
// was told last, of subscriptions whose period is over.
func (l *Ledger) Tick(now time.Time) {
	if l.due.IsZero() || now.Before(l.due) {
		return
	}
	l.due = time.Time{}
	for _, c := range l.clients {
		c.tick(now)
	}
}

// wake makes Tick look at its subscriptions at a time, at the latest.
func (l *Ledger) wake(at time.Time) {
	if l.due.IsZero() || at.Before(l.due) {
		l.due = at
	}
}

func (c *client) tick(now time.Time) {
	pass := func(due *time.Time, period time.Duration) bool {
		over := !now.Before(*due)
		if over {
			*due = now.Add(period)
		}
		c.l.wake(*due)
		return over
	}
	if f := c.updates; f != nil && pass(&f.due, accountPeriod) {
		c.tellUpdates("")
	}
	for id, f := range inOrder(c.multis) {
		if pass(&f.due, accountPeriod) {
			c.tellMulti(id, f)
		}
	}
	for id, s := range inOrder(c.summaries) {
		if pass(&s.due, accountPeriod) {
			c.tellSummary(id, s)
		}
	}
	for id, p := range inOrder(c.profits) {
		if pass(&p.due, profitPeriod) {
			c.tellProfit(id, p)
		}
	}
}

// inOrder goes through a map by its keys' order, so that a session's bytes are a
// function of its requests.
func inOrder[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if len(m) == 0 {
			return
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func (c *client) has(account string) bool { return slices.Contains(c.v.Accounts, account) }

// room refuses a request whose id is in use or that is one too many.
func (c *client) room(id int, request string, have, most int) bool {
	_, summary := c.summaries[id]
	_, multi := c.multis[id]
	_, holding := c.holdings[id]
	_, profit := c.profits[id]
	switch {
	case summary || multi || holding || profit:
		c.Fail(int64(id), venue.Processing, processing, request, "Duplicate ticker id")
	case have >= most:
		c.Fail(int64(id), venue.Processing, processing, request, "Maximum number of such requests exceeded")
	default:
		return true
	}
	return false
}

// others is how many subscriptions the session has beside summaries.
func (c *client) others() int { return len(c.multis) + len(c.holdings) + len(c.profits) }

// processing is the text of a request that cannot be done: the request and the
// cause.
const processing = "Error processing request.-'%s' : cause - %s"
