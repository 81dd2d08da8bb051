package main

import (
	"slices"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/scripts/rig"
)

// The limits of the round's configuration; see [limits].
const maxPerMinute = 3000

var maxQty = market.Shares(5)

// An execution is told by the second, and may be folded a moment after it.
const (
	toldBefore = 2 * time.Second
	toldAfter  = time.Second
)

// checkDecisions reckons the limits anew. Whether an order only made the
// position smaller is reckoned from the venue's executions: the gate's own word
// proves nothing.
func checkDecisions(s rig.Stored) error {
	var recent []time.Time
	path := pathOf(s)
	for _, r := range s.List {
		if !r.Decision.Allowed || r.Order == nil || path.reduces(r.Intent, r.Decision.At) {
			continue
		}
		if maxQty.Less(r.Intent.Qty) {
			return rig.Breach("limits", "order %s of %v shares was allowed, %v are the most", r.Intent.ID, r.Intent.Qty, maxQty)
		}
		at := r.Decision.At
		for len(recent) > 0 && !recent[0].After(at.Add(-time.Minute)) {
			recent = recent[1:]
		}
		if len(recent) >= maxPerMinute {
			return rig.Breach("limits", "order %s was allowed after %d in a minute", r.Intent.ID, len(recent))
		}
		recent = append(recent, at)
	}
	return nil
}

// path is what was held after each execution of a symbol, oldest first.
type path map[market.Symbol][]held

type held struct {
	at  time.Time
	qty market.Qty
}

func pathOf(s rig.Stored) path {
	var fills []order.Fill
	for _, f := range s.Fills {
		fills = append(fills, f)
	}
	slices.SortFunc(fills, func(x, y order.Fill) int { return x.At.Compare(y.At) })
	p := path{}
	for _, f := range fills {
		list := p[f.Symbol]
		was := market.Qty{}
		if len(list) > 0 {
			was = list[len(list)-1].qty
		}
		p[f.Symbol] = append(list, held{f.At, was.Add(f.Side.Signed(f.Qty))})
	}
	return p
}

// reduces reports whether an order of that market time was against a position
// of its size or more, as it was at some moment around it.
func (p path) reduces(in order.Intent, at time.Time) bool {
	reduced := func(qty market.Qty) bool {
		return qty.Sign()*in.Side.Signed(in.Qty).Sign() < 0 && !qty.Abs().Less(in.Qty)
	}
	before := market.Qty{}
	for _, h := range p[in.Symbol] {
		switch {
		case h.at.Before(at.Add(-toldBefore)):
			before = h.qty
		case h.at.After(at.Add(toldAfter)):
			return reduced(before)
		case reduced(h.qty):
			return true
		}
	}
	return reduced(before)
}
