// Package guard decides what stop a position needs at the broker, given the
// books, and keeps what is known of one position's protection beyond them.
//
// It promises that a position is called covered only by what the broker has
// confirmed, and that it asks for no stop with which what stops and exits may
// take together would be more than the position, as far as the books know. It
// is pure: whoever has it asks for what it wants, by the one door, as any order
// is. It does not promise that the gate lets it pass.
//
// # Design
//
// The guard keeps a stop order at the broker against every position of the
// account, sized to it: placed when there is none, changed when the position
// grows or shrinks, cancelled when it is gone. It looks after each batch of
// reports, in the same turn, and again and again between them, and compares what
// should rest with what the books say; so it is the same after a fill, a restart,
// a cancel by hand and a stop that the broker took away.
//
// A bracket would not do: a broker holds its children back until the parent has
// filled whole, and a part of an entry would be held without a stop.
//
// Stops and exits of a position are one-cancels-all groups: what one order of a
// group fills the broker takes off the others by itself, so that together they
// never fill beyond the largest. A group belongs to the position and not to the
// stop: an exit that is asked for before a stop rests makes it, and the stop
// joins it then, also when nobody knows what became of the exit. What all groups
// and the orders outside of them may take together is not made more than the
// position by a stop.
//
// While an exit works in a group the guard leaves its stop alone: a quantity
// that it sets would undo what the broker has taken off at that moment. What is
// not in that group, because the position grew or because a part filled, gets
// another stop in a group of its own; when the exit has ended one of the two is
// cancelled, and then the other takes over. A stop that the market has passed
// counts as such a one. A group of which an order has executed lets nobody in
// any more, so the stop of one is replaced when no exit works beside it: the
// price of an exit for a part. An exit that leaves no room for a stop, because
// it is of no group or of one that is used, is cancelled after some seconds: it
// can be asked for again, and joins the stop then.
//
// An order that is larger than the position does not join: what it fills in part
// the broker takes off the stop by its share, less than the position became
// smaller by. Nor does an entry go out beside a stop of a position that is gone.
// An exit does not wait for a change of its stop that has no answer: to get out is
// worth more, and a stop that the change makes too large beside it is cancelled.
//
// What a stop may be placed for, or grow to, is what is held whoever is right,
// the books or what the broker told last. One beside a stop that is called ended
// only because the broker did not list it joins that one's group.
//
// The stop is GTC, so that it outlives the day and the program, and for regular
// hours, because a stop turns into a market order and the extended hours have no
// market for one.
package guard

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

const (
	// nakedAfter is how long a position may be without a confirmed stop before
	// a person is told: a round trip to the broker and more. Wall time.
	nakedAfter = 2 * time.Second
	// firstWait and mostWait bound the wait after a stop that was refused, by
	// the gate, the journal or the broker; it doubles. It never gives up.
	firstWait, mostWait = time.Second, time.Minute
)

// Guard keeps one position's stop. It holds what is known of that beyond the
// books.
type Guard struct {
	state event.GuardState
	plans plan          // the newest
	asks  order.Intent  // the newest that was asked for
	wrote bool          // it was written, or may have been
	since time.Time     // wall time since when exits leave no room for a stop, zero when they do
	sign  int           // of the position
	price *market.Price // of the stop that was asked for last, or found
	aim   *market.Price // where an addition wants it, nil when it is there
	tries int           // asks since the broker confirmed one
	after time.Time     // wall time before which nothing is tried again
	why   string        // the newest refusal
	told  bool          // a person knows of this occurrence
	asked int           // changes and cancels, for their ids
	ended time.Time     // wall time of the newest cancel of this life
}

// View is what a guard looks at. The books' positions are known.
type View struct {
	Books   *books.Books
	Who     *broker.Facts // of the session
	Wall    time.Time
	Market  time.Time       // zero before the first clock: nothing is done then
	Details *market.Details // of the contract, nil when it is not known
	Open    bool            // the regular session is on
	Quote   func() Quote
	// Percent is how far the stop is from the position's average cost.
	Percent market.Percent
}

// Quote is what a stop's price is held against, by the gate too.
type Quote struct {
	// Price is the newest, or the middle of the newest trades when that cannot be
	// believed; nil is not known.
	Price *market.Price
	// Sane says that the newest can be believed, so that a stop may be moved.
	Sane bool
	// Believed says that Price can.
	Believed bool
}

func (v View) position(s market.Symbol) market.Qty { return v.Books.Positions[s].Qty }

// New returns a guard of a symbol's position.
func New(s market.Symbol, wall time.Time) *Guard {
	return &Guard{state: event.GuardState{Symbol: s, Since: wall}}
}

// State tells how the position is protected.
func (g *Guard) State() event.GuardState { return g.state }

// Look compares what should rest at the broker with what does. It returns what
// is to be asked for now, nil when nothing is.
func (g *Guard) Look(v View) *order.Intent {
	if sign := v.position(g.state.Symbol).Sign(); sign != g.sign {
		*g = Guard{state: event.GuardState{Symbol: g.state.Symbol, Since: v.Wall}, sign: sign, told: g.told, asked: g.asked, ended: g.ended}
	}
	g.Plan(v)
	g.confirm(v)
	if v.Wall.Before(g.after) {
		return nil
	}
	return g.plans.in
}

// confirm looks what the broker made of what was asked for last. What follows
// upon it need not wait.
func (g *Guard) confirm(v View) {
	about := g.asks.Target
	if g.asks.Action == order.Place {
		about = g.asks.ID
	}
	switch e := v.Books.ByRef[about]; {
	case g.plans.covered && g.plans.in == nil:
		g.tries, g.after, g.why = 0, time.Time{}, ""
	case e == nil || !g.wrote:
	case g.asks.Action == order.Cancel:
		if e.State.Final() {
			g.after = time.Time{}
		}
	case e.Stands() && !e.Unfit:
		g.tries, g.after, g.why = 0, time.Time{}, ""
	case e.State == order.Rejected || e.Unfit:
		g.why = fmt.Sprintf("the broker refused stop %s: %s", e.Ref, e.Note)
	}
}

// Plan looks once more at what should rest, after something was asked for.
func (g *Guard) Plan(v View) { g.plans = g.plan(v) }

// Asked notes that something is asked for now: if it is in vain, the next time
// waits.
func (g *Guard) Asked(in order.Intent, wall time.Time) {
	g.asks, g.wrote = in, false
	if in.Action == order.Cancel {
		g.ended = wall
	} else {
		g.price = in.Stop
	}
	g.asked++
	g.tries++
	g.after = wall.Add(min(firstWait<<min(g.tries-1, 6), mostWait))
}

// Answered takes what became of it.
func (g *Guard) Answered(reply event.OrderReply) {
	g.wrote = reply.Result != event.Refused && reply.Result != event.Invalid
	switch {
	case reply.Known && g.asks.Action == order.Place: // of another life: the next number is another's
		g.after = time.Time{}
	case reply.Result == event.Written && !reply.Known:
		g.why = "" // the broker's word follows
	case reply.Rule == "":
		g.why = fmt.Sprintf("%s: %s", reply.Result, reply.Reason)
	default:
		g.why = fmt.Sprintf("refused by %s: %s", reply.Rule, reply.Reason)
	}
}

// Conclude notes how the position is protected, by the newest plan. Done says
// that there is nothing to protect any more; the notice, when there is one, is
// for people.
func (g *Guard) Conclude(v View) (done bool, notice *event.NoticeText) {
	p, pos := g.plans, v.position(g.state.Symbol)
	if pos.IsZero() && p.stop == nil && p.in == nil {
		return true, g.tell(true, "", v.Wall)
	}
	if g.why != "" && !p.covered && p.in != nil { // it is asked for again
		p.cause = g.why
	}
	g.state.Position, g.state.Held, g.state.StopPrice, g.state.Ref = pos, p.held, nil, ""
	if pos.Abs().Less(p.held) {
		g.state.Held = pos.Abs()
	}
	if p.stop != nil {
		g.state.StopPrice, g.state.Ref = p.stop.StopPrice, p.stop.Ref
	}
	return false, g.tell(p.covered, p.cause, v.Wall)
}

// tell notes whether a position is covered, and tells a person once an
// occurrence when it is not.
func (g *Guard) tell(covered bool, cause string, wall time.Time) *event.NoticeText {
	s := &g.state
	if s.Covered != covered {
		s.Covered, s.Since = covered, wall
	}
	s.Cause = cause
	if covered {
		if g.told {
			g.told = false
			return &event.NoticeText{Level: "info", Name: "position_covered", Symbol: s.Symbol, Ref: s.Ref, Text: fmt.Sprintf("the position of %v %s is covered again, or gone", s.Position, s.Symbol)}
		}
		return nil
	}
	if g.told || s.Position.IsZero() || g.why == "" && wall.Sub(s.Since) < nakedAfter {
		return nil
	}
	g.told = true
	return &event.NoticeText{
		Level: "error", Name: "position_naked", Symbol: s.Symbol, Ref: s.Ref,
		Text: fmt.Sprintf("the position of %v %s has no confirmed stop at the broker since %s: %s", s.Position, s.Symbol, s.Since.UTC().Format(time.TimeOnly), cause),
	}
}
