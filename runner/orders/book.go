package orders

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Book follows the orders of one strategy for one symbol. It is not safe for
// concurrent use.
type Book struct {
	run, strategy string
	symbol        market.Symbol
	at            time.Time // of the newest intent
	n             int       // intents at that time
	open          map[string]*entry
	ended         map[string]*entry // the newest keepEnded: the desk may have one back
	endings       []string          // their ids, oldest first, some perhaps open again
	pending       market.Qty        // signed: what the open orders will still do to the position
}

// keepEnded bounds the ended orders that are remembered.
const keepEnded = 1024

type entry struct {
	id     string // of its intent, of which no more is kept
	side   order.Side
	qty    market.Qty
	filled market.Qty
	end    *market.Qty // its executions' sum, told with its end
	left   market.Qty  // signed; its part of pending
}

// New returns an empty book. Run tells one run from another over the same
// market time.
func New(run, strategy string, s market.Symbol) *Book {
	return &Book{run: run, strategy: strategy, symbol: s, open: map[string]*entry{}, ended: map[string]*entry{}}
}

// Market makes the intent of a market order, good for the day, which is
// outstanding from now on.
func (b *Book) Market(at time.Time, side order.Side, qty market.Qty, reason string) order.Intent {
	if !at.Equal(b.at) {
		b.at, b.n = at, 0
	}
	b.n++
	in := order.Intent{
		ID: ID(b.run, b.strategy, b.symbol, at, b.n), Action: order.Place, Strategy: b.strategy, Symbol: b.symbol,
		Side: side, Type: order.Market, TIF: order.Day, Qty: qty, Reason: reason, At: at,
	}
	e := &entry{id: in.ID, side: side, qty: qty}
	b.open[in.ID] = e
	b.count(e)
	return in
}

// count brings pending up to date after a change of e.
func (b *Book) count(e *entry) {
	left := e.qty.Sub(e.filled)
	if left.Sign() < 0 || e.end != nil { // an end leaves what has been executed and is not told yet
		left = market.Qty{}
		if e.end != nil && e.filled.Less(*e.end) {
			left = e.end.Sub(e.filled)
		}
	}
	left = e.side.Signed(left)
	b.pending = b.pending.Add(left).Sub(e.left)
	e.left = left
	id := e.id
	if e.end != nil && left.IsZero() || !e.filled.Less(e.qty) {
		delete(b.open, id)
		b.forget(e)
		return
	}
	b.open[id] = e
	delete(b.ended, id)
}

// forget moves an order to those that ended, and drops the oldest of them.
func (b *Book) forget(e *entry) {
	id := e.id
	if b.ended[id] != nil {
		return
	}
	b.ended[id] = e
	if b.endings = append(b.endings, id); len(b.endings) > keepEnded {
		delete(b.ended, b.endings[0])
		b.endings = append([]string(nil), b.endings[1:]...)
	}
}

// of returns an order of this book, ended or not; nil when there is none.
func (b *Book) of(id string) *entry {
	if e := b.open[id]; e != nil {
		return e
	}
	return b.ended[id]
}

// Answer takes in the desk's answer. What was refused or made no sense ends;
// what was written, or may have been, stays outstanding.
func (b *Book) Answer(r event.OrderReply) {
	if r.Result == event.Refused || r.Result == event.Invalid {
		b.finish(r.IntentID, market.Qty{})
	}
}

// Order takes in what is known about an order. One that had ended and is live is
// outstanding again: the broker may know of an order that the desk had called
// dropped, rejected or cancelled.
func (b *Book) Order(o order.Order) {
	e := b.of(o.Ref)
	switch {
	case e == nil:
	case o.State.Final():
		b.finish(o.Ref, o.Filled)
	case o.State.Live() && e.end != nil:
		e.end = nil
		b.count(e)
	}
}

func (b *Book) finish(id string, filled market.Qty) {
	if e := b.of(id); e != nil {
		e.end = &filled
		b.count(e)
	}
}

// Fill takes in an execution, which must be a new one, and reports whether it
// belongs to an order of this book. One that ended may have been executed all the
// same.
func (b *Book) Fill(f order.Fill) bool {
	e := b.of(f.Ref)
	if e == nil {
		return false
	}
	e.filled = e.filled.Add(f.Qty)
	b.count(e)
	return true
}

// Correct takes in that an execution of an order was more by a quantity, below 0
// less, than was told. It opens no order again that has ended.
func (b *Book) Correct(ref string, more market.Qty) {
	if e := b.open[ref]; e != nil {
		e.filled = e.filled.Add(more)
		b.count(e)
	}
}

// Resync takes in the desk's list of orders after an outage. Complete says
// that the list holds every order that was ever written in this run; what is
// not in it then was never written, and ends.
func (b *Book) Resync(list []order.Order, complete bool) {
	listed := make(map[string]bool, len(list))
	for _, o := range list {
		listed[o.Ref] = true
		b.Order(o)
	}
	if !complete {
		return
	}
	for id := range b.open {
		if !listed[id] {
			b.finish(id, market.Qty{})
		}
	}
}

// Outstanding returns how many orders have not ended.
func (b *Book) Outstanding() int { return len(b.open) }

// Pending returns what the outstanding orders will still do to the position:
// above 0 they buy.
func (b *Book) Pending() market.Qty { return b.pending }
