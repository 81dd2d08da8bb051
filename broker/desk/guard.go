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
		if !p.Qty.IsZero() && !s.IsOther() {
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
		Open:  d.open(d.floor.Details(s), d.floor.Now(wall)),
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
	in.Trace = d.cause(in.Symbol, wall)
	g.Asked(in, wall)
	before := d.books.NextID
	reply := d.handle(ctx, in, true)
	d.traceOwn(in, reply)
	if in.Action == order.Place && d.books.NextID == before {
		d.books.NextID++ // the id with this number is spent, also on a refusal
	}
	g.Answered(reply)
}

// tickJudge is a gate that tells whether a quote can be believed.
type tickJudge interface {
	Sane(q market.Quote, recent market.Trades) (ok bool, why string)
}

// grouped puts an order against a protected position into a group of it, before
// gate and journal, so that what is stored is what is written. Where no stop
// rests yet it makes the group, which the stop joins.
func (d *Desk) grouped(h *held, in order.Intent) order.Intent {
	pos := d.books.Holding(in.Symbol)
	if d.cfg.Protect == ProtectOff || h == nil || in.Action != order.Place || strings.HasPrefix(in.ID, books.GuardPrefix) ||
		pos == nil || pos.Sign()*in.Side.Signed(in.Qty).Sign() >= 0 {
		return in
	}
	if g := guard.Against(d.books, &h.facts, in.Symbol).Join(); g != nil {
		in.OCA = g.Name
	} else {
		in.OCA = guard.Name(in.Symbol, d.marketTime(), d.books.NextID)
	}
	return in
}

// guarded tells what protection has to say about a new order, or about a change
// of one that leaves qty to fill.
func (d *Desk) guarded(h *held, v broker.View, in order.Intent, qty market.Qty) bar {
	if d.cfg.Protect == ProtectOff || v.Own || v.Position == nil {
		return bar{}
	}
	grows := v.Target == nil || v.Target.Remaining().Less(qty)
	held := guard.Whole(v.Details, v.Position.Abs())
	switch {
	case held.IsZero(): // nor has a rest that no order can be about a stop
		return d.strayed(h, v, in)
	case v.Position.Sign()*in.Side.Signed(qty).Sign() > 0:
		return d.unprotected(v, in)
	case v.Position.Abs().Less(qty) && grows:
		// What it fills in part a broker takes off the stop by its share, which is
		// less than the position became smaller by.
		return bar{"turns_over", fmt.Sprintf("%v are more than the %v of %s that are held, and a stop of what it leaves could turn the position over, too; ask for %v to close it, and for the rest when nothing is held", qty, v.Position, in.Symbol, held)}
	case v.Position.Abs().Less(qty):
		return d.unprotected(v, in)
	}
	r := guard.Against(d.books, &h.facts, in.Symbol)
	if g := r.Group(in.OCA); g != nil && g.Used && in.Action == order.Place {
		return bar{"group_fills", fmt.Sprintf("an order against the position of %s has executed beside its stop, and a broker lets nobody join their group then; wait until the new stop rests, or cancel what still works in it", in.Symbol)}
	}
	if most, splits := r.Splits(in.OCA, qty, v.Target); splits && grows {
		return bar{"group_split", fmt.Sprintf("the position of %v is protected by several stops, because an order against it works beside one of them, and this one could take %v beside them and what else works; cancel that order and wait until one stop is left", v.Position, most)}
	}
	return bar{}
}

// unprotected bars what enlarges a position, or turns it over, as long as no stop
// covers what is held.
func (d *Desk) unprotected(v broker.View, in order.Intent) bar {
	if !enlarges(v, in) {
		return bar{}
	}
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

// strayed bars entries as long as a stop may execute of a position that is gone.
// The guard has it cancelled, and again when that has no effect.
func (d *Desk) strayed(h *held, v broker.View, in order.Intent) bar {
	if e := guard.Stray(d.books, &h.facts, in.Symbol); e != nil && enlarges(v, in) {
		return bar{"stop_ends", fmt.Sprintf("stop %s (%s %v) of a position in %s that is gone is %v and may execute beside this order; it is being cancelled: wait until it has ended", e.Ref, e.Side, e.MostLeft(), in.Symbol, e.State)}
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
