package books

import (
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// foldPosition takes in what the venue tells about a position on its own. It
// and the executions come in any order, so a difference has time to settle.
func (b *Books) foldPosition(t *Turn, who *broker.Facts, p order.Position) {
	if Foreign(who, p.Account) || b.Positions == nil || MaxHolding.Less(p.Qty.Abs()) {
		return
	}
	if p.Symbol = b.Name(t, p.Symbol, p.ConID); p.Symbol.IsOther() {
		b.Other(t, p)
		return
	}
	b.told[p.Symbol] = toldPosition{qty: p.Qty, cost: p.AvgCost, at: t.Wall}
	b.settle(t)
}

// settle compares what the venue told about positions with the books. A
// difference that lasts is looked into.
func (b *Books) settle(t *Turn) {
	for _, sym := range slices.Sorted(maps.Keys(b.told)) {
		told := b.told[sym]
		p, ok := b.Positions[sym]
		if !ok {
			p = order.Position{Account: b.Account, Symbol: sym, ConID: t.ConID(sym)}
		}
		differs := p.Qty != told.qty
		if differs && t.Wall.Sub(told.at) < SettleAfter {
			continue
		}
		delete(b.told, sym)
		if differs {
			b.suspected(t, sym, p, told)
			continue
		}
		if !Alike(p.AvgCost, told.cost) {
			p.AvgCost = told.cost
			b.Positions[sym] = p
			t.Position(p)
		}
	}
}

// Alike reports whether both are unknown, or the same.
func Alike[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Suspect is a position that differs from the books.
type Suspect struct {
	Diff market.Qty // what the venue has more
	At   time.Time  // wall time since when
}

// suspected is told of a position that the venue told on its own and that
// differs for longer than reports take.
func (b *Books) suspected(t *Turn, sym market.Symbol, p order.Position, told toldPosition) {
	diff := told.qty.Sub(p.Qty)
	if t.CanAsk {
		if was, ok := b.Suspects[sym]; !ok || was.Diff != diff {
			b.Suspects[sym] = Suspect{diff, told.at}
		}
		t.Ask(AskLook)
		return
	}
	theirs := p // in lock-step nobody can be asked: the market would stand still
	theirs.Qty, theirs.AvgCost = told.qty, told.cost
	b.Unexplained(t, sym, p, theirs, "the venue told it on its own, and no execution for it came")
}

// Unexplained takes the broker's position over and raises it.
func (b *Books) Unexplained(t *Turn, sym market.Symbol, ours, theirs order.Position, evidence string) {
	delete(b.Suspects, sym)
	b.owe(sym, theirs.Qty.Sub(ours.Qty), t.Market)
	b.cash.unsure() // whatever moved the position may have moved cash
	b.Positions[sym] = theirs
	b.adopts(theirs, theirs.Qty.Sub(ours.Qty))
	t.Position(theirs)
	b.Found(t, broker.Finding{
		Kind: findPosition, Symbol: sym, Ours: ours.Qty.String(), Theirs: theirs.Qty.String(), Evidence: evidence,
		Done: "the books take the broker's figure; entries are refused until a person resumes",
	})
}

// amend puts one version of an execution in place of another in the position;
// changed is false as long as positions are unknown. The average cost is known
// afterwards only where the position still holds what the execution made.
func (b *Books) amend(old, f order.Fill) (p order.Position, changed bool) {
	if b.Positions == nil {
		return p, false
	}
	p, ok := b.Positions[f.Symbol]
	if !ok {
		p = order.Position{Account: f.Account, Symbol: f.Symbol, AvgCost: &market.Price{}}
	}
	was, is := f.Side.Signed(old.Qty), f.Side.Signed(f.Qty)
	after := p.Qty.Sub(was).Add(is)
	holds := p.Qty.Sign() == was.Sign() && !p.Qty.Abs().Less(was.Abs()) && after.Sign() == p.Qty.Sign()
	switch {
	case after.IsZero():
		p.AvgCost = &market.Price{}
	case holds && p.AvgCost != nil:
		cost := p.AvgCost.Mul(p.Qty).Sub(old.Price.Mul(was)).Add(f.Price.Mul(is))
		p.AvgCost = nil
		if avg, ok := cost.DivQty(after); ok {
			p.AvgCost = avg.Ptr()
		}
	case p.Qty.Sign() == was.Sign(): // nobody can tell what is left of it
		p.AvgCost = nil
	}
	p.Qty = after
	b.Positions[f.Symbol] = p
	return p, true
}

// Moved is what an execution did to a position.
type Moved struct {
	Exec   string
	Symbol market.Symbol
	Qty    market.Qty // signed
}

// toldPosition is what the venue told about a position after the answer to
// the desk's question.
type toldPosition struct {
	qty  market.Qty
	cost *market.Price
	at   time.Time // wall time of it, or of the newest fill after it
}

// moved notes what an execution does to a position, for all who ask the venue
// meanwhile.
func (b *Books) moved(exec string, s market.Symbol, qty market.Qty) {
	for q := range b.inquiries {
		q.moved = append(q.moved, Moved{exec, s, qty})
	}
}

// move takes an execution of a contract into its position; changed is false as
// long as positions are unknown.
func (b *Books) move(f order.Fill, conID int64, wall time.Time) (p order.Position, changed bool) {
	if t, ok := b.told[f.Symbol]; ok {
		t.at = wall
		b.told[f.Symbol] = t
	}
	if b.Positions == nil {
		return p, false
	}
	p, ok := b.Positions[f.Symbol]
	if !ok {
		p = order.Position{Account: f.Account, Symbol: f.Symbol, ConID: conID, AvgCost: &market.Price{}}
	}
	delta := f.Side.Signed(f.Qty)
	after := p.Qty.Add(delta)
	switch {
	case after.IsZero():
		p.AvgCost = &market.Price{}
	case p.Qty.Sign()*after.Sign() <= 0: // opened, or turned over
		p.AvgCost = f.Price.Ptr()
	case p.Qty.Sign() == delta.Sign() && p.AvgCost != nil: // added to
		cost := p.AvgCost.Mul(p.Qty).Add(f.Price.Mul(delta))
		p.AvgCost = nil
		if avg, ok := cost.DivQty(after); ok {
			p.AvgCost = avg.Ptr()
		}
	}
	p.Qty = after
	b.Positions[f.Symbol] = p
	return p, true
}

// Inquiry is one inquiry at the venue, with what happened to the books since it
// began. Several may be under way.
type Inquiry struct {
	Before map[*Entry]bool // the orders that were live when it began
	moved  []Moved         // positions, by executions since
}

// Begin is told before the venue is asked. Every Begin has its End.
func (b *Books) Begin() *Inquiry {
	q := &Inquiry{Before: map[*Entry]bool{}}
	for _, list := range b.Live {
		for _, e := range list {
			q.Before[e] = true
		}
	}
	b.inquiries[q] = true
	return q
}

// End is told when an inquiry is over, well or not. It returns what moved
// positions since it began; a second time nothing.
func (b *Books) End(q *Inquiry) []Moved {
	delete(b.inquiries, q)
	moved := q.moved
	q.moved = nil
	return moved
}

// Overrule forgets what the venue told about positions on its own, because it
// has answered for all of them now.
func (b *Books) Overrule() { clear(b.told) }

// Holding returns the account's position of a symbol, nil when unknown.
func (b *Books) Holding(s market.Symbol) *market.Qty {
	if b.Positions == nil {
		return nil
	}
	return b.Positions[s].Qty.Ptr()
}

// Told is the account's position of a symbol as the broker told it last, where
// that differs from the books and is not settled; else nil.
func (b *Books) Told(s market.Symbol) *market.Qty {
	if b.Positions == nil {
		return nil
	}
	ours := b.Positions[s].Qty
	if t, ok := b.told[s]; ok && t.qty != ours {
		return &t.qty
	}
	if was, ok := b.Suspects[s]; ok {
		return ours.Add(was.Diff).Ptr()
	}
	return nil
}

// Surely is what the account holds of a symbol whoever is right, the books or
// what the broker told last, be it of the position or of how much of an order had
// filled; nil when unknown. It is what may be closed.
func (b *Books) Surely(s market.Symbol) *market.Qty {
	sure := broker.Surely(b.Holding(s), b.Told(s))
	for _, u := range b.untold[s] {
		if sure != nil {
			sure = broker.Surely(sure, sure.Add(u.side.Signed(u.qty)).Ptr())
		}
	}
	return sure
}

// ExitSide is the side that closes a position.
func ExitSide(pos market.Qty) order.Side {
	if pos.Sign() < 0 {
		return order.Buy
	}
	return order.Sell
}
