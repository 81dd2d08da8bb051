package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/desk/books"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// The guard keeps one stop order at the broker against every position of the
// account, sized to it: placed when there is none, changed when the position
// grows or shrinks, cancelled when it is gone. It looks after each batch of
// reports, in the same turn, and ten times in the time of Config.SilenceAfter,
// and compares what should rest with what the books say; so it is the same after
// a fill, a restart, a cancel by hand and a stop that the broker took away.
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

// The words for Config.Protect.
const (
	ProtectOn  = "on"
	ProtectOff = "off"
)

var minStop, maxStop = market.MustPercent("0.1"), market.MustPercent("50")

const (
	// nakedAfter is how long a position may be without a confirmed stop before
	// a person is told: a round trip to the broker and more. Wall time.
	nakedAfter = 2 * time.Second
	// guardFirst and guardMost bound the wait after a stop that was refused, by
	// the gate, the journal or the broker; it doubles. It never gives up.
	guardFirst, guardMost = time.Second, time.Minute
)

// guard is what is known of one position's protection beyond the books.
type guard struct {
	state event.GuardState
	sign  int           // of the position
	price *market.Price // of its stop, kept as long as the position lasts
	ref   string        // of the newest stop that was asked for
	tries int           // writes since the broker confirmed one
	after time.Time     // wall time before which nothing is tried again
	why   string        // the newest refusal
	told  bool          // a person knows of this occurrence
	asked int           // changes and cancels, for their ids
	ended time.Time     // wall time of the newest cancel of this life
}

// guardKeeps reports whether an order is a stop that the guard looks after.
func (d *Desk) guardKeeps(e *books.Entry) bool { return d.cfg.Protect != ProtectOff && e.Protects() }

// protect brings each position's stop to what it should be. The caller has the
// turn.
func (d *Desk) protect(wall time.Time) {
	h, link := d.held.Load(), d.linkState()
	if d.cfg.Protect == ProtectOff || h == nil || d.books.Positions == nil || d.stopping.Load() ||
		link != broker.Ready && link != broker.Degraded {
		return
	}
	symbols := map[market.Symbol]bool{}
	for s, p := range d.books.Positions {
		if !p.Qty.IsZero() {
			symbols[s] = true
		}
	}
	for s, list := range d.books.Live {
		if slices.ContainsFunc(list, (*books.Entry).Protects) {
			symbols[s] = true
		}
	}
	for s := range d.guards {
		symbols[s] = true
	}
	for _, s := range slices.Sorted(maps.Keys(symbols)) {
		d.protectOne(h, s, wall)
	}
}

// plan is what is to be done for one position. Without an action, nothing is.
type plan struct {
	covered bool
	cause   string       // why it is not covered
	stop    *books.Entry // the desk's stop for it, nil without one
	in      *order.Intent
}

func (d *Desk) protectOne(h *held, s market.Symbol, wall time.Time) {
	g := d.guards[s]
	if g == nil {
		g = &guard{state: event.GuardState{Symbol: s, Since: wall}}
		d.guards[s] = g
	}
	pos := d.books.Positions[s].Qty
	if sign := pos.Sign(); sign != g.sign {
		*g = guard{state: event.GuardState{Symbol: s, Since: wall}, sign: sign, told: g.told, asked: g.asked, ended: g.ended}
	}
	p := d.plan(h, g, pos, wall)
	switch e := d.books.ByRef[g.ref]; {
	case p.stop != nil && p.stop.Stands() && !p.stop.Unfit:
		g.tries, g.after, g.why = 0, time.Time{}, ""
	case e != nil && (e.State == order.Rejected || e.Unfit):
		g.why = fmt.Sprintf("the broker refused stop %s: %s", e.Ref, e.Note)
	}
	if p.in != nil && !wall.Before(g.after) {
		d.act(g, *p.in, wall)
		p = d.plan(h, g, pos, wall)
	}
	if pos.IsZero() && p.stop == nil && p.in == nil {
		d.tellCover(g, true, "", wall)
		delete(d.guards, s)
		return
	}
	if g.why != "" && !p.covered {
		p.cause = g.why
	}
	g.state.Position, g.state.StopPrice, g.state.Ref = pos, nil, ""
	if p.stop != nil {
		g.state.StopPrice, g.state.Ref = p.stop.StopPrice, p.stop.Ref
	}
	d.tellCover(g, p.covered, p.cause, wall)
}

// act asks for what is planned by the one door, as any order is.
func (d *Desk) act(g *guard, in order.Intent, wall time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	if in.Action == order.Place {
		g.price, g.ref = in.Stop, in.ID
	} else if in.Action == order.Cancel {
		g.ended = wall
	}
	g.asked++
	g.tries++
	g.after = wall.Add(min(guardFirst<<min(g.tries-1, 6), guardMost))
	before := d.books.NextID
	reply := d.handle(ctx, in, true)
	if in.Action == order.Place && d.books.NextID == before {
		d.books.NextID++ // the id with this number is spent, also on a refusal
	}
	switch {
	case reply.Result == event.Written && !reply.Known:
		g.why = "" // the broker's word follows
	case reply.Rule == "":
		g.why = fmt.Sprintf("%s: %s", reply.Result, reply.Reason)
	default:
		g.why = fmt.Sprintf("refused by %s: %s", reply.Rule, reply.Reason)
	}
}

// rests is what rests at the broker against a position, or did.
type rests struct {
	stop   *books.Entry // the newest of the desk's stops against it
	extra  *books.Entry // one that is not wanted: of another side, beside another, or of no position
	free   market.Qty   // what orders outside of the stop's group may take of the position
	others market.Qty   // how much of that are stops that somebody else placed
	held   market.Qty   // for how much the broker has confirmed the desk's stop
}

func (d *Desk) resting(h *held, s market.Symbol, pos market.Qty) (r rests) {
	side := exitSide(pos)
	live := slices.DeleteFunc(slices.Clone(d.books.Live[s]), func(e *books.Entry) bool { return h.foreign(e.Account) })
	for _, e := range live {
		switch {
		case !e.Protects() || e.ClientID != h.facts.ClientID:
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
		r.free = r.free.Add(e.Remaining())
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

// exitSide is the side that closes a position.
func exitSide(pos market.Qty) order.Side {
	if pos.Sign() < 0 {
		return order.Buy
	}
	return order.Sell
}

// plan compares what should rest at the broker with what does.
func (d *Desk) plan(h *held, g *guard, pos market.Qty, wall time.Time) plan {
	r, now := d.resting(h, g.state.Symbol, pos), d.floor.now()
	p := plan{stop: r.stop}
	settled := func(e *books.Entry) bool { return e.Stands() && wall.Sub(e.Owed) >= books.SettleAfter }
	lost := func(e *books.Entry) bool { return e.State == order.Cancelling && wall.Sub(g.ended) >= cancelAgain }
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
	case r.stop != nil && d.exiting(r.stop):
		p.cause = fmt.Sprintf("the stop holds %v of %v while an exit works in its group; the rest follows when that has ended", r.held, pos.Abs())
	default:
		d.mend(g, pos, r, now, &p)
	}
	if p.covered {
		p.cause = ""
	}
	return p
}

// mend plans what makes the stop what it should be.
func (d *Desk) mend(g *guard, pos market.Qty, r rests, now time.Time, p *plan) {
	want := pos.Abs().Sub(r.free)
	switch {
	case want.Sign() <= 0 && r.stop == nil:
		p.cause = fmt.Sprintf("orders that the desk did not group take all of %v; a stop beside them could turn the position over: cancel them, or let them end", pos.Abs())
		return
	case want.Sign() <= 0 || r.stop != nil && r.stop.Used: // an exit could not join it: a new one follows
		p.in = g.cancel(r.stop, now)
		return
	}
	if d.floor.details(g.state.Symbol) == nil {
		p.cause = fmt.Sprintf("the trader does not know the contract of %s; start it with that symbol, too", g.state.Symbol)
		return
	}
	price, why := d.stopPrice(g, pos, r.stop, want)
	switch {
	case price == nil:
		p.cause = why
	case r.stop == nil:
		p.in = d.newStop(g.state.Symbol, exitSide(pos), want, price, now)
	case r.stop.Qty != r.stop.Filled.Add(want) || !books.Alike(r.stop.StopPrice, price):
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

// exiting reports whether another order of the stop's group works.
func (d *Desk) exiting(stop *books.Entry) bool {
	return slices.ContainsFunc(d.books.Live[stop.Symbol], func(e *books.Entry) bool {
		return e != stop && e.OCA != "" && e.OCA == stop.OCA && e.Account == stop.Account
	})
}

// stopPrice is where the stop belongs: StopPercent from the average cost, on
// the price grid, away from the market. It stays there as long as the position
// lasts; when that is added to it moves by the new average, but never away
// from the market. A position that is through it already, because it was taken
// over from elsewhere, gets StopPercent from the newest price, so that a start
// of the trader sells nothing. Nil says why there is none.
func (d *Desk) stopPrice(g *guard, pos market.Qty, stop *books.Entry, want market.Qty) (*market.Price, string) {
	if g.price == nil && stop != nil {
		g.price = stop.StopPrice
	}
	added := stop != nil && stop.Remaining().Less(want)
	if g.price != nil && !added {
		return g.price, ""
	}
	s := g.state.Symbol
	_, q, trades := d.floor.sense(s, time.Time{})
	newest, _, known := q.Newest()
	if j, ok := d.gate.(tickJudge); ok && known { // a tick that is another symbol's must not price a stop
		known, _ = j.Sane(q, trades)
	}
	base := d.books.Positions[s].AvgCost
	if base == nil || base.Sign() <= 0 {
		if !known {
			return g.price, "neither the cost of the position nor a price is known; wait for market data"
		}
		base = &newest
	}
	at := d.percentOff(*base, pos, s)
	if g.price == nil && known && pos.Sign()*at.Cmp(newest) >= 0 {
		at = d.percentOff(newest, pos, s)
	}
	if at.Sign() <= 0 {
		return g.price, fmt.Sprintf("a stop at %v cannot be; the cost of the position is told as %v", at, base)
	}
	if g.price != nil && pos.Sign()*at.Cmp(*g.price) <= 0 {
		return g.price, ""
	}
	g.price = &at
	return g.price, ""
}

// tickJudge is a gate that tells whether a quote can be believed.
type tickJudge interface {
	Sane(q market.Quote, recent market.Trades) (ok bool, why string)
}

// percentOff is StopPercent below a price for a long position, above it for a
// short one.
func (d *Desk) percentOff(base market.Price, pos market.Qty, s market.Symbol) market.Price {
	tick := market.MustPrice("0.01")
	if details := d.floor.details(s); details != nil && details.MinTick.Sign() > 0 {
		tick = details.MinTick
	}
	part, ok := d.cfg.StopPercent.Of(base)
	if !ok {
		return market.Price{}
	}
	if pos.Sign() < 0 {
		return base.Add(part).Neg().Floor(tick).Neg()
	}
	return base.Sub(part).Floor(tick)
}

// newStop is the intent of a stop. Its number makes its reference: numbers only
// rise, over restarts too.
func (d *Desk) newStop(s market.Symbol, side order.Side, qty market.Qty, price *market.Price, now time.Time) *order.Intent {
	ref := books.GuardPrefix + strings.ReplaceAll(string(s), " ", ".") + "-" + strconv.FormatInt(d.books.NextID, 10)
	return &order.Intent{
		ID: ref, Action: order.Place, Strategy: books.OwnStrategy, Symbol: s, Side: side, Type: order.Stop, TIF: order.GTC,
		Qty: qty, Stop: price, OCA: ref, Reason: "protects the position", At: now,
	}
}

// id is that of a change or cancel. Market time and a count make it one that no
// earlier life has used.
func (g *guard) id(e *books.Entry, now time.Time) string {
	return e.Ref + "." + strconv.FormatInt(now.Unix(), 36) + "." + strconv.FormatInt(int64(g.asked%1296), 36)
}

func (g *guard) cancel(e *books.Entry, now time.Time) *order.Intent {
	return &order.Intent{
		ID: g.id(e, now), Action: order.Cancel, Strategy: books.OwnStrategy, Symbol: e.Symbol, Target: e.Ref,
		Reason: "protects nothing any more", At: now,
	}
}

func (g *guard) resize(e *books.Entry, qty market.Qty, price *market.Price, now time.Time) *order.Intent {
	return &order.Intent{
		ID: g.id(e, now), Action: order.Modify, Strategy: books.OwnStrategy, Symbol: e.Symbol, Side: e.Side, Type: e.Type, TIF: e.TIF,
		Qty: qty, Stop: price, OCA: e.OCA, Target: e.Ref, Reason: "follows the position", At: now,
	}
}

// tellCover notes whether a position is covered, and tells a person once an
// occurrence when it is not.
func (d *Desk) tellCover(g *guard, covered bool, cause string, wall time.Time) {
	s := &g.state
	if s.Covered != covered {
		s.Covered, s.Since = covered, wall
	}
	s.Cause = cause
	if covered {
		s.Cause = ""
		if g.told {
			g.told = false
			d.warn(event.NoticeText{Level: "info", Name: "position_covered", Symbol: s.Symbol, Ref: s.Ref, Text: fmt.Sprintf("the position of %v %s is covered again, or gone", s.Position, s.Symbol)})
		}
		return
	}
	if g.told || s.Position.IsZero() || g.why == "" && wall.Sub(s.Since) < nakedAfter {
		return
	}
	g.told = true
	d.warn(event.NoticeText{
		Level: "error", Name: "position_naked", Symbol: s.Symbol, Ref: s.Ref,
		Text: fmt.Sprintf("the position of %v %s has no confirmed stop at the broker since %s: %s", s.Position, s.Symbol, s.Since.UTC().Format(time.TimeOnly), cause),
	})
}

// grouped puts an order against a protected position into the group of its
// stop, before gate and journal, so that what is stored is what is written.
func (d *Desk) grouped(h *held, in order.Intent) order.Intent {
	if d.cfg.Protect == ProtectOff || h == nil || in.Action != order.Place || books.Reserved(in) {
		return in
	}
	if stop := d.stopAgainst(h, in.Symbol); stop != nil && stop.Side == in.Side && stop.OCA != "" {
		in.OCA = stop.OCA
	}
	return in
}

// stopAgainst is the newest live stop of the desk for a position that is held,
// nil without one.
func (d *Desk) stopAgainst(h *held, s market.Symbol) (stop *books.Entry) {
	pos := d.books.Positions[s].Qty
	for _, e := range d.books.Live[s] {
		if e.Protects() && e.ClientID == h.facts.ClientID && !h.foreign(e.Account) && pos.Sign()*e.Side.Signed(market.Shares(1)).Sign() < 0 {
			stop = e
		}
	}
	return stop
}

// guarded tells what protection has to say about a new order.
func (d *Desk) guarded(v broker.View, in order.Intent) bar {
	if d.cfg.Protect == ProtectOff || v.Own || v.Position == nil || v.Position.IsZero() {
		return bar{}
	}
	exit := v.Position.Sign()*in.Side.Signed(in.Qty).Sign() < 0 && !v.Position.Abs().Less(in.Qty)
	if !exit {
		if g := d.guards[in.Symbol]; g != nil && g.state.Covered {
			return bar{}
		}
		cause := "none was placed yet"
		if g := d.guards[in.Symbol]; g != nil && g.state.Cause != "" {
			cause = g.state.Cause
		}
		return bar{"unprotected", fmt.Sprintf("%s holds %v without a protective stop at the broker: %s; wait until it is confirmed, or set desk.protect to off", in.Symbol, v.Position, cause)}
	}
	for _, o := range v.Open {
		if in.OCA != "" && o.OCA == in.OCA && o.Filled.Sign() > 0 {
			return bar{"group_fills", fmt.Sprintf("order %s against the position is executing, %v of %v, and a broker lets nobody join its group then; wait until it has ended, or cancel it", o.Ref, o.Filled, o.Qty)}
		}
	}
	return bar{}
}

// showGuards copies what protects the positions into the desk's state.
func (d *Desk) showGuards(s *event.Desk) {
	if d.cfg.Protect == ProtectOff || d.books.Positions == nil {
		return
	}
	s.Guards = []event.GuardState{}
	for _, sym := range slices.Sorted(maps.Keys(d.guards)) {
		s.Guards = append(s.Guards, d.guards[sym].state)
	}
}
