// Package guard decides what stop a position needs at the broker, given the
// books, and keeps what is known of one position's protection beyond them.
//
// It promises that a position is called covered only by what the broker has
// confirmed, that at most one stop of ours is wanted against it, and that
// nothing is asked for while the outcome of the one before is unknown. It is
// pure: whoever has it asks for what it wants, by the one door, as any order
// is. It does not promise that the gate lets it pass.
//
// # Design
//
// The guard keeps one stop order at the broker against every position of the
// account, sized to it: placed when there is none, changed when the position
// grows or shrinks, cancelled when it is gone. It looks after each batch of
// reports, in the same turn, and again and again between them, and compares what
// should rest with what the books say; so it is the same after a fill, a restart,
// a cancel by hand and a stop that the broker took away.
//
// A bracket would not do: a broker holds its children back until the parent has
// filled whole, and a part of an entry would be held without a stop.
//
// The stop and every order against the position are one one-cancels-all group,
// so that they never fill beyond the position together. What one of them fills
// the broker takes off the others by itself, and while an exit works the guard
// changes nothing: a quantity that it sets would undo what the broker has taken
// off at that moment. So the price of an exit for a part is that the broker
// takes the same part off the stop, and the rest of the position gets a new stop
// when the exit has ended, one round trip later.
//
// The stop is GTC, so that it outlives the day and the program, and for regular
// hours, because a stop turns into a market order and the extended hours have no
// market for one.
package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	sign  int           // of the position
	price *market.Price // of the stop that was asked for last, or found
	aim   *market.Price // where an addition wants it, nil when it is there
	ref   string        // of the newest stop that was asked for
	tries int           // writes since the broker confirmed one
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
	switch e := v.Books.ByRef[g.ref]; {
	case g.plans.stop != nil && g.plans.stop.Stands() && !g.plans.stop.Unfit:
		g.tries, g.after, g.why = 0, time.Time{}, ""
	case e != nil && (e.State == order.Rejected || e.Unfit):
		g.why = fmt.Sprintf("the broker refused stop %s: %s", e.Ref, e.Note)
	}
	if v.Wall.Before(g.after) {
		return nil
	}
	return g.plans.in
}

// Plan looks once more at what should rest, after something was asked for.
func (g *Guard) Plan(v View) { g.plans = g.plan(v) }

// Asked notes that something is asked for now: if it is in vain, the next time
// waits.
func (g *Guard) Asked(in order.Intent, wall time.Time) {
	switch in.Action {
	case order.Place:
		g.price, g.ref = in.Stop, in.ID
	case order.Modify:
		g.price = in.Stop
	default:
		g.ended = wall
	}
	g.asked++
	g.tries++
	g.after = wall.Add(min(firstWait<<min(g.tries-1, 6), mostWait))
}

// Answered takes what became of it.
func (g *Guard) Answered(reply event.OrderReply) {
	switch {
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
	g.state.Position, g.state.StopPrice, g.state.Ref = pos, nil, ""
	if p.stop != nil {
		g.state.StopPrice, g.state.Ref = p.stop.StopPrice, p.stop.Ref
	}
	return false, g.tell(p.covered, p.cause, v.Wall)
}

// plan is what is to be done for one position. Without an action, nothing is.
type plan struct {
	covered bool
	cause   string       // why it is not covered
	stop    *books.Entry // the desk's stop for it, nil without one
	in      *order.Intent
}

// rests is what rests at the broker against a position, or did.
type rests struct {
	stop   *books.Entry // the newest of the desk's stops against it
	extra  *books.Entry // one that is not wanted: of another side, beside another, or of no position
	free   market.Qty   // what orders outside of the stop's group may take of the position
	others market.Qty   // how much of that are stops that somebody else placed
	held   market.Qty   // for how much the broker has confirmed the desk's stop
}

// plan compares what should rest at the broker with what does.
func (g *Guard) plan(v View) plan {
	pos := v.position(g.state.Symbol)
	r, now, wall := v.resting(g.state.Symbol, pos), v.Market, v.Wall
	p := plan{stop: r.stop}
	settled := func(e *books.Entry) bool { return e.Stands() && wall.Sub(e.Owed) >= books.SettleAfter }
	lost := func(e *books.Entry) bool {
		return e.State == order.Cancelling && wall.Sub(g.ended) >= books.CancelAgain
	}
	switch {
	case r.extra != nil:
		if p.stop == nil {
			p.stop = r.extra
		}
		p.cause = "a stop that is not wanted any more is being cancelled"
		if (settled(r.extra) || lost(r.extra)) && !now.IsZero() {
			p.in = g.cancel(r.extra, now)
		}
		return p
	case pos.IsZero():
		return p
	}
	p.covered = !r.held.Add(r.others).Less(pos.Abs())
	p.cause = uncovered(r, pos)
	switch {
	case r.stop != nil && lost(r.stop) && !now.IsZero(): // its cancel went down with a session or a life
		p.in = g.cancel(r.stop, now)
	case now.IsZero() || r.stop != nil && !settled(r.stop):
	case r.stop != nil && v.exiting(r.stop):
		p.cause = fmt.Sprintf("the stop holds %v of %v while an exit works in its group; the rest follows when that has ended", r.held, pos.Abs())
	default:
		g.mend(v, pos, r, now, &p)
	}
	if p.covered {
		p.cause = ""
	}
	return p
}

// mend plans what makes the stop what it should be.
func (g *Guard) mend(v View, pos market.Qty, r rests, now time.Time, p *plan) {
	want := pos.Abs().Sub(r.free)
	switch {
	case want.Sign() <= 0 && r.stop == nil:
		p.cause = fmt.Sprintf("orders that the desk did not group take all of %v; a stop beside them could turn the position over: cancel them, or let them end", pos.Abs())
		return
	case want.Sign() <= 0 || r.stop != nil && r.stop.Used: // an exit could not join it: a new one follows
		p.in = g.cancel(r.stop, now)
		return
	}
	if v.Details == nil {
		p.cause = fmt.Sprintf("the trader does not know the contract of %s; start it with that symbol, too", g.state.Symbol)
		return
	}
	if r.stop == nil {
		if price, why := g.newPrice(v, pos); price == nil {
			p.cause = why
		} else {
			p.in = v.newStop(g.state.Symbol, books.ExitSide(pos), want, price, now)
		}
		return
	}
	price := g.restingPrice(v, pos, r.stop, r.stop.Remaining().Less(want))
	if r.stop.Remaining() != want || !books.Alike(r.stop.StopPrice, price) {
		p.in = g.resize(r.stop, r.stop.Filled.Add(want), price, now)
	}
}

// uncovered words why a position is not covered, before anything is done.
func uncovered(r rests, pos market.Qty) string {
	switch stop := r.stop; {
	case stop == nil:
		return "no stop rests at the broker yet"
	case stop.State == order.Unknown:
		return fmt.Sprintf("the outcome of stop %s is unknown; no other is placed before the broker has told: %s", stop.Ref, stop.Note)
	case stop.State == order.Inactive:
		return fmt.Sprintf("the broker holds stop %s back: %s", stop.Ref, stop.Note)
	case r.held.IsZero():
		return fmt.Sprintf("the broker has not confirmed stop %s yet", stop.Ref)
	default:
		return fmt.Sprintf("stop %s holds %v of %v", stop.Ref, r.held, pos.Abs())
	}
}

func (v View) resting(s market.Symbol, pos market.Qty) (r rests) {
	side := books.ExitSide(pos)
	live := slices.DeleteFunc(slices.Clone(v.Books.Live[s]), func(e *books.Entry) bool { return books.Foreign(v.Who, e.Account) })
	for _, e := range live {
		switch {
		case !e.Protects() || e.ClientID != v.Who.ClientID:
		case pos.IsZero() || e.Side != side:
			r.extra = e
		default:
			if r.stop != nil {
				r.extra = r.stop
			}
			r.stop = e
		}
	}
	for _, e := range live {
		if e == r.stop || e == r.extra || e.Side != side || pos.IsZero() || r.stop != nil && e.OCA != "" && e.OCA == r.stop.OCA {
			continue
		}
		r.free = r.free.Add(e.MostLeft())
		if e.State != order.Unknown && (e.Type == order.Stop || e.Type == order.Trail) {
			r.others = r.others.Add(e.Remaining())
		}
	}
	if r.stop != nil {
		switch r.stop.State {
		case order.Accepted, order.Working, order.Partial:
			r.held = r.stop.Remaining()
		default: // it may be there, and nobody knows
		}
	}
	return r
}

// exiting reports whether another order of the stop's group works.
func (v View) exiting(stop *books.Entry) bool {
	return slices.ContainsFunc(v.Books.Live[stop.Symbol], func(e *books.Entry) bool {
		return e != stop && e.OCA != "" && e.OCA == stop.OCA && e.Account == stop.Account
	})
}

// newStop is the intent of a stop. Its number makes its reference: numbers only
// rise, over restarts too.
func (v View) newStop(s market.Symbol, side order.Side, qty market.Qty, price *market.Price, now time.Time) *order.Intent {
	ref := books.GuardPrefix + strings.ReplaceAll(string(s), " ", ".") + "-" + strconv.FormatInt(v.Books.NextID, 10)
	return &order.Intent{
		ID: ref, Action: order.Place, Strategy: books.OwnStrategy, Symbol: s, Side: side, Type: order.Stop, TIF: order.GTC,
		Qty: qty, Stop: price, OCA: ref, Reason: "protects the position", At: now,
	}
}

// id is that of a change or cancel. Market time and a count make it one that no
// earlier life has used.
func (g *Guard) id(e *books.Entry, now time.Time) string {
	return e.Ref + "." + strconv.FormatInt(now.Unix(), 36) + "." + strconv.FormatInt(int64(g.asked%1296), 36)
}

func (g *Guard) cancel(e *books.Entry, now time.Time) *order.Intent {
	return &order.Intent{
		ID: g.id(e, now), Action: order.Cancel, Strategy: books.OwnStrategy, Symbol: e.Symbol, Target: e.Ref,
		Reason: "protects nothing any more", At: now,
	}
}

func (g *Guard) resize(e *books.Entry, qty market.Qty, price *market.Price, now time.Time) *order.Intent {
	return &order.Intent{
		ID: g.id(e, now), Action: order.Modify, Strategy: books.OwnStrategy, Symbol: e.Symbol, Side: e.Side, Type: e.Type, TIF: e.TIF,
		Qty: qty, Stop: price, OCA: e.OCA, Target: e.Ref, Reason: "follows the position", At: now,
	}
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
		s.Cause = ""
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
