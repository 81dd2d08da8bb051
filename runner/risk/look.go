package risk

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// look works out the numbers and notes them.
func (a *asked) look() {
	a.saw.Text("link", a.v.Link.String())
	a.saw.Text("mode", string(a.v.Mode))
	if a.v.Own {
		a.saw.Text("own", "true")
	}
	if a.in.Action == order.Cancel {
		return
	}
	a.left = a.v.Left(a.in)
	a.lookAtPosition()
	a.lookAtPrices()
	a.lookAtExposure()
	a.lookAtStanding()
	a.saw.Int("orders_last_minute", a.sentLastMinute())
	a.saw.Money("notional_today", a.v.SentNotional)
	if t := a.v.Twin; t.ID != "" {
		a.saw.Text("same_asked", t.ID)
		a.saw.Span("same_asked_ago", a.v.Now.Sub(t.At))
	}
	if !a.v.LastExit.IsZero() {
		a.saw.Span("exit_ago", a.v.Now.Sub(a.v.LastExit))
	}
}

// lookAtPosition tells whether the order only makes the position smaller.
func (a *asked) lookAtPosition() {
	if a.v.Position == nil {
		a.saw.Text("position", "unknown")
		return
	}
	// A stop of the intent's own group is reduced by what it executes, so that
	// it takes nothing of its room.
	open := broker.OpenBeside(a.v.Open, a.in, a.v.Target)
	held := *broker.Surely(a.v.Position, a.v.Told)
	against := held.Sign()*a.in.Side.Signed(a.left).Sign() < 0
	a.reduction = against && !held.Abs().Sub(open).Less(a.left)
	a.saw.Qty("position", *a.v.Position)
	if a.v.Told != nil {
		a.saw.Qty("position_told", *a.v.Told)
	}
	a.saw.Qty("open_same_side", open)
	a.saw.Bool("reduction", a.reduction)
}

// lookAtPrices finds the reference, and whether it can be believed.
func (a *asked) lookAtPrices() {
	q := a.v.Quote
	if p, at, ok := q.Newest(); ok {
		a.ref, a.believed = &p, &p
		a.saw.Price("reference", p)
		a.saw.Span("quote_age", a.v.Now.Sub(at))
	}
	if q.Bid != nil {
		a.saw.Price("bid", *q.Bid)
	}
	if q.Ask != nil {
		a.saw.Price("ask", *q.Ask)
	}
	median, known := a.v.Trades.Median()
	if known {
		a.saw.Price("median", median)
	}
	if _, a.insane = a.sanity().Check(q, a.v.Trades); a.insane != "" && known {
		a.believed = &median
	}
	if a.notional = a.v.Worth(a.in); a.notional != nil {
		a.saw.Money("notional", *a.notional)
		if a.in.Action == order.Modify { // a restart counts it into the day
			a.saw.Money("grows", a.v.Grows(a.in))
		}
	}
}

// lookAtExposure reckons what position and gross exposure may become with this
// order.
func (a *asked) lookAtExposure() {
	if a.v.Position == nil {
		return
	}
	e := broker.Exposure{
		Held:  *a.v.Position,
		Buys:  a.openWith(order.Buy),
		Sells: a.openWith(order.Sell),
	}
	if a.ref != nil {
		e.Raise(a.ref)
	}
	e.Raise(a.in.Limit)
	e.Raise(a.in.Stop)
	for i := range a.v.Open {
		if o := &a.v.Open[i]; o.Symbol == a.in.Symbol && o.State.Live() && !broker.Same(o, a.v.Target) {
			e.Raise(o.Limit)
			e.Raise(o.StopPrice)
		}
	}
	after := e.Held.Add(e.Buys)
	if a.in.Side == order.Sell {
		after = e.Held.Sub(e.Sells)
	}
	a.saw.Qty("position_after", after)
	if !e.Priced {
		return
	}
	own := e.Price.Mul(after).Abs()
	a.own = &own
	a.saw.Money("position_notional", own)
	if a.v.OthersNote != "" {
		a.saw.Text("others_note", a.v.OthersNote)
	}
	if a.v.Others == nil {
		a.saw.Text("gross", "unknown")
		return
	}
	gross := e.Price.Mul(e.Worst()).Abs().Add(*a.v.Others)
	a.gross = &gross
	a.saw.Money("others", *a.v.Others)
	a.saw.Money("gross", gross)
}

// openWith returns what may be taken on a side by the open orders and, on its
// own side, this one; a stop of its group counts as far as it is larger.
func (a *asked) openWith(side order.Side) market.Qty {
	if side != a.in.Side {
		return broker.OpenQty(a.v.Open, a.in.Symbol, side, "", a.v.Target)
	}
	open := broker.OpenQty(a.v.Open, a.in.Symbol, side, a.in.OCA, a.v.Target)
	most := a.left
	if a.in.OCA != "" {
		for i := range a.v.Open {
			o := &a.v.Open[i]
			if o.OCA != a.in.OCA || o.Type != order.Stop || o.Side != side || o.Symbol != a.in.Symbol || !o.State.Live() || broker.Same(o, a.v.Target) {
				continue
			}
			if r := o.Remaining(); most.Less(r) {
				most = r
			}
		}
	}
	return open.Add(most)
}

// lookAtStanding notes how the account fares.
func (a *asked) lookAtStanding() {
	s := a.v.Standing
	for _, n := range [...]struct {
		key   string
		value *market.Money
	}{{"equity", s.Equity}, {"day_start_equity", s.DayStart}, {"peak_equity", s.Peak}} {
		if n.value == nil {
			a.saw.Text(n.key, "unknown")
			continue
		}
		a.saw.Money(n.key, *n.value)
	}
	if s.Currency != "" {
		a.saw.Text("currency", s.Currency)
	}
	if s.Note != "" {
		a.saw.Text("standing", s.Note)
	}
	a.saw.Money("realized_today", s.Realized)
	a.saw.Int("losing_streak", s.LosingStreak)
}

// sentLastMinute counts from the oldest that is not old; mostly none is.
func (a *asked) sentLastMinute() int {
	from := a.v.Now.Add(-time.Minute)
	for i, at := range a.v.Sent {
		if at.After(from) {
			return len(a.v.Sent) - i
		}
	}
	return 0
}
