package guard

import (
	"fmt"

	"robotrader/broker/desk/books"
	"robotrader/broker/market"
)

// newPrice is where a stop belongs that is placed now: where the one before it
// was, or a percentage from the average cost. A market that has passed that
// price decides anew, as a stop behind the market would sell at once, and no
// gate lets it pass: it is the same percentage from the market then, so that a
// start of the trader sells nothing and nothing stays naked. Nil says why there
// is none.
func (g *Guard) newPrice(v View, pos market.Qty) (*market.Price, string) {
	q := v.Quote()
	at, why := g.price, ""
	if at == nil {
		if at, why = v.costPrice(g.state.Symbol, pos); at == nil && q.Believed {
			at = v.percentOff(*q.Price, pos).Ptr()
		}
	}
	if at != nil && !q.lets(*at, pos) {
		if !q.Believed {
			return nil, fmt.Sprintf("the market has passed %v, where the stop was to be, and its newest price %v cannot be believed; wait for a sane quote", at, q.Price)
		}
		at = v.percentOff(*q.Price, pos).Ptr()
	}
	if at == nil || at.Sign() <= 0 {
		return nil, why
	}
	return at, ""
}

// restingPrice is where a stop that rests is to be when it is changed. It stays
// where it is as long as the position lasts; when that is added to, it moves by
// the new average, never away from the market, and only to where it waits for a
// market that can be believed. The quantity does not wait for that.
func (g *Guard) restingPrice(v View, pos market.Qty, stop *books.Entry, added bool) *market.Price {
	rests := stop.StopPrice
	if g.price == nil {
		g.price = rests
	}
	if rests == nil {
		return g.price
	}
	if added {
		if at, _ := v.costPrice(stop.Symbol, pos); at != nil && (g.aim == nil || nearer(*at, *g.aim, pos)) {
			g.aim = at
		}
	}
	if g.aim == nil || !nearer(*g.aim, *rests, pos) {
		g.aim = nil
		return rests
	}
	if q := v.Quote(); q.Price == nil || !q.Sane || !q.lets(*g.aim, pos) {
		return rests
	}
	return g.aim
}

// costPrice is Percent from the position's average cost; nil says why it is not
// known.
func (v View) costPrice(s market.Symbol, pos market.Qty) (*market.Price, string) {
	cost := v.Books.Positions[s].AvgCost
	if cost == nil || cost.Sign() <= 0 {
		return nil, "neither the cost of the position nor a price is known; wait for market data"
	}
	at := v.percentOff(*cost, pos)
	if at.Sign() <= 0 {
		return nil, fmt.Sprintf("a stop at %v cannot be; the cost of the position is told as %v", at, cost)
	}
	return &at, ""
}

// lets reports whether a stop at a price waits for the market, and would not
// fire at once. Without a market it does.
func (q Quote) lets(at market.Price, pos market.Qty) bool {
	return q.Price == nil || nearer(*q.Price, at, pos)
}

// nearer reports whether a price is above another for a long position, below it
// for a short one.
func nearer(a, b market.Price, pos market.Qty) bool { return pos.Sign()*a.Cmp(b) > 0 }

// percentOff is Percent below a price for a long position, above it for a
// short one.
func (v View) percentOff(base market.Price, pos market.Qty) market.Price {
	tick := market.MustPrice("0.01")
	if v.Details != nil && v.Details.MinTick.Sign() > 0 {
		tick = v.Details.MinTick
	}
	part, ok := v.Percent.Of(base)
	if !ok {
		return market.Price{}
	}
	if pos.Sign() < 0 {
		return base.Add(part).Neg().Floor(tick).Neg()
	}
	return base.Sub(part).Floor(tick)
}
