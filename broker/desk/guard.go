package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/guard"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// The words for Config.Protect.
const (
	ProtectOn  = "on"
	ProtectOff = "off"
)

var minStop, maxStop = market.MustPercent("0.1"), market.MustPercent("50")

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

func (d *Desk) protectOne(h *held, s market.Symbol, wall time.Time) {
	g := d.guards[s]
	if g == nil {
		g = guard.New(s, wall)
		d.guards[s] = g
	}
	v := d.guardView(h, s, wall)
	if in := g.Look(v); in != nil {
		d.act(g, *in, wall)
		v = d.guardView(h, s, wall)
		g.Plan(v)
	}
	done, notice := g.Conclude(v)
	if notice != nil {
		d.warn(*notice)
	}
	if done {
		delete(d.guards, s)
	}
}

func (d *Desk) guardView(h *held, s market.Symbol, wall time.Time) guard.View {
	return guard.View{
		Books: d.books, Who: &h.facts, Wall: wall, Market: d.floor.Now(time.Now()), Details: d.floor.Details(s), Percent: d.cfg.StopPercent,
		Quote: func() guard.Quote { return d.quoteOf(s) },
	}
}

// quoteOf is what a stop's price is held against.
func (d *Desk) quoteOf(s market.Symbol) guard.Quote {
	_, q, trades := d.floor.Sense(s, time.Time{}, time.Now())
	newest, _, known := q.Newest()
	if !known {
		return guard.Quote{}
	}
	out := guard.Quote{Price: &newest, Sane: true, Believed: true}
	if j, ok := d.gate.(tickJudge); ok {
		if out.Sane, _ = j.Sane(q, trades); !out.Sane { // as of another symbol: the trades before it can be believed
			middle, some := trades.Median()
			if out.Believed = some; some {
				out.Price = &middle
			}
		}
	}
	return out
}

// act asks for what is planned by the one door, as any order is.
func (d *Desk) act(g *guard.Guard, in order.Intent, wall time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	g.Asked(in, wall)
	before := d.books.NextID
	reply := d.handle(ctx, in, true)
	if in.Action == order.Place && d.books.NextID == before {
		d.books.NextID++ // the id with this number is spent, also on a refusal
	}
	g.Answered(reply)
}

// tickJudge is a gate that tells whether a quote can be believed.
type tickJudge interface {
	Sane(q market.Quote, recent market.Trades) (ok bool, why string)
}

// grouped puts an order against a protected position into the group of its
// stop, before gate and journal, so that what is stored is what is written.
func (d *Desk) grouped(h *held, in order.Intent) order.Intent {
	if d.cfg.Protect == ProtectOff || h == nil || in.Action != order.Place || strings.HasPrefix(in.ID, books.GuardPrefix) {
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

// guarded tells what protection has to say about a new order, or a change that
// enlarges one.
func (d *Desk) guarded(v broker.View, in order.Intent) bar {
	if d.cfg.Protect == ProtectOff || v.Own || v.Position == nil || v.Position.IsZero() {
		return bar{}
	}
	left := v.Left(in)
	exit := v.Position.Sign()*in.Side.Signed(left).Sign() < 0 && !v.Position.Abs().Less(left)
	if !exit {
		cause := "none was placed yet"
		if g := d.guards[in.Symbol]; g != nil {
			switch is := g.State(); {
			case is.Covered:
				return bar{}
			case is.Cause != "":
				cause = is.Cause
			}
		}
		return bar{"unprotected", fmt.Sprintf("%s holds %v without a protective stop at the broker: %s; wait until it is confirmed, or set desk.protect to off", in.Symbol, v.Position, cause)}
	}
	for _, o := range v.Open {
		if in.Action == order.Place && in.OCA != "" && o.OCA == in.OCA && o.Filled.Sign() > 0 {
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
		s.Guards = append(s.Guards, d.guards[sym].State())
	}
}
