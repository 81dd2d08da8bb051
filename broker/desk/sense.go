package desk

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// sense takes the view that the gate decides on.
func (d *Desk) sense(h *held, in order.Intent) broker.View {
	mode := d.mode.Load()
	v := broker.View{
		Link: d.linkState(), Mode: mode.Mode, ModeReason: mode.Reason, ReadOnly: d.cfg.ReadOnly,
		Position: d.books.Holding(in.Symbol), Told: d.books.Told(in.Symbol),
	}
	d.floor.Show(&v, in.Symbol, in.At, time.Now())
	if h != nil {
		v.Open = d.books.Open(in.Symbol, &h.facts)
		v.Account = h.facts.Account
		v.Live = len(v.Account) > 0 && v.Account[0] != 'D'
	}
	v.Sent, v.SentNotional = d.books.Rates(v.Now)
	if in.Action == order.Cancel {
		return v
	}
	if h != nil {
		v.Others, v.OthersNote = d.others(h, in.Symbol)
	}
	s := d.score
	s.Build(d.books)
	s.Mark(v.Account, v.Now, mode)
	v.Standing = s.Standing()
	v.Twin = s.Twin(in.Strategy, in.Symbol, in.Side, in.Qty)
	v.LastExit = s.LastExit(in.Symbol)
	return v
}

// others adds up what all symbols but one may be held for. The note says why
// that is unknown, or what it was measured at when that is not the market.
func (d *Desk) others(h *held, but market.Symbol) (sum *market.Money, note string) {
	if d.books.Positions == nil {
		return nil, "the positions are unknown"
	}
	var total market.Money
	var unpriced, atCost market.Symbol // the first of them, by name
	add := func(s market.Symbol, p order.Position, newest func(market.Symbol) (market.Price, bool)) {
		e, cost := d.exposure(&h.facts, s, p, newest)
		worst := e.Worst()
		switch {
		case worst.IsZero():
			return
		case !e.Priced:
			unpriced = byName(unpriced, s)
			return
		case cost:
			atCost = byName(atCost, s)
		}
		total = total.Add(e.Price.Mul(worst).Abs())
	}
	d.floor.Prices(func(newest func(market.Symbol) (market.Price, bool)) {
		for s, p := range d.books.Positions {
			if s != but {
				add(s, p, newest)
			}
		}
		for s, list := range d.books.Live {
			if _, held := d.books.Positions[s]; s != but && !held && len(list) > 0 {
				add(s, order.Position{}, newest)
			}
		}
	})
	switch {
	case unpriced != "":
		return nil, fmt.Sprintf("no price of %s is known", unpriced)
	case atCost != "":
		note = fmt.Sprintf("%s is measured at its cost, as no price of it is known", atCost)
	}
	return &total, note
}

// byName returns the first of two names, the empty one being none.
func byName(a, b market.Symbol) market.Symbol {
	if a == "" {
		return b
	}
	return min(a, b)
}

// tally counts an order that was written, or may have been, into what the
// rates look back upon. What only reduces, and what the desk asked for itself,
// does not use up the budget of entries.
func (d *Desk) tally(v broker.View, in order.Intent, dec order.Decision) {
	if v.Own || dec.Saw.Is("reduction", "true") {
		return
	}
	d.books.Count(v.Now, v.Grows(in))
	if in.Action == order.Place {
		d.score.Wrote(in.Strategy, in.Symbol, in.Side, in.Qty, broker.Twin{ID: in.ID, At: v.Now})
	}
}
