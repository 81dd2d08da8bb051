package score

import (
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// start is how a position stood before the first execution that is known.
type start struct {
	qty  market.Qty
	cost *market.Price
}

// jump is a change of a position that was no execution: the broker's figure was
// taken over.
type jump struct {
	after *books.Execution // the newest execution of the symbol then
	more  market.Qty
	held  order.Position // afterwards
}

// Build takes in the executions and orders that the books hold, once positions
// are known: they tell how the account stood before the first execution. It does
// nothing when all of that is in already.
func (s *Score) Build(b *books.Books) {
	if b.Positions == nil || s.built == b.Account && s.built != "" {
		return
	}
	if s.of != b.Account {
		s.of, s.jumps = b.Account, nil
		clear(s.starts)
	}
	s.built = b.Account
	clear(s.trips)
	clear(s.exits)
	clear(s.took)
	s.closed, s.early, s.sum = nil, market.Money{}, daySum{}
	mine := func(account string) bool { return account == "" || account == b.Account }
	s.begin(b, mine)
	jumps := s.jumpsBy()
	for _, x := range b.Past() {
		if mine(x.Account) {
			if !x.Qty.IsZero() {
				s.take(x.Fill())
			}
			for _, j := range jumps[x] {
				s.jumped(j)
			}
		}
	}
	for _, e := range b.ByRef {
		if e.Strategy != "" && mine(e.Account) {
			s.Wrote(e.Strategy, e.Symbol, e.Side, e.Qty, broker.Twin{ID: e.Ref, At: e.Created})
		}
	}
}

// begin sets the trips to how the positions stood before the first execution: as
// they are, less all that moved them.
func (s *Score) begin(b *books.Books, mine func(string) bool) {
	for sym, p := range b.Positions {
		s.trips[sym] = &trip{qty: p.Qty}
	}
	known := map[*books.Execution]bool{}
	for _, f := range b.Past() {
		if mine(f.Account) {
			known[f] = true
			t := s.trip(f.Symbol)
			t.qty = t.qty.Sub(f.Side.Signed(f.Qty))
		}
	}
	// What is older than the oldest execution is in how they stood.
	s.jumps = slices.DeleteFunc(s.jumps, func(j jump) bool { return !known[j.after] })
	for _, j := range s.jumps {
		t := s.trip(j.held.Symbol)
		t.qty = t.qty.Sub(j.more)
	}
	for sym, t := range s.trips {
		held := b.Positions[sym]
		if was, ok := s.starts[sym]; ok && was.qty == t.qty && held.Qty != t.qty {
			held.Qty, held.AvgCost = was.qty, was.cost
		}
		t.began(held, t.qty)
		if held.Qty == t.qty {
			s.starts[sym] = start{held.Qty, held.AvgCost}
		}
	}
}

func (s *Score) jumpsBy() map[*books.Execution][]jump {
	by := map[*books.Execution][]jump{}
	for _, j := range s.jumps {
		by[j.after] = append(by[j.after], j)
	}
	return by
}

// jumped begins a trip anew, as somebody else moved its position.
func (s *Score) jumped(j jump) {
	t := &trip{}
	t.began(j.held, s.trip(j.held.Symbol).qty.Add(j.more))
	s.trips[j.held.Symbol] = t
}

func (s *Score) trip(sym market.Symbol) *trip {
	t := s.trips[sym]
	if t == nil {
		t = &trip{known: true}
		s.trips[sym] = t
	}
	return t
}

// began sets how a trip stood when it was seen first.
func (t *trip) began(p order.Position, qty market.Qty) {
	*t = trip{qty: qty, known: qty.IsZero()}
	if p.AvgCost != nil && p.Qty == qty && !qty.IsZero() {
		t.known, t.result = true, p.AvgCost.Mul(qty).Neg()
	}
}

// Executed takes in an execution before the position is moved by it. One that
// happened before what is in already has all of it taken anew by the next Build.
func (s *Score) Executed(b *books.Books, f order.Fill) {
	if s.built == "" || f.Account != "" && f.Account != s.built {
		return // build finds it in the books
	}
	if b.Positions != nil {
		if p := b.Positions[f.Symbol]; p.Qty != s.trip(f.Symbol).qty {
			p.Symbol = f.Symbol
			s.Adopted(b, p, p.Qty.Sub(s.trip(f.Symbol).qty))
		}
	}
	if f.At.Before(s.took[f.Symbol]) && !f.At.IsZero() {
		s.built = ""
		return
	}
	s.take(f)
}

// Corrected has everything taken anew by the next Build, with the newest version
// of an execution.
func (s *Score) Corrected() { s.built = "" }

// Adopted takes in that a position was taken over from the broker, with more than
// its executions account for.
func (s *Score) Adopted(b *books.Books, p order.Position, more market.Qty) {
	if s.of == "" || more.IsZero() {
		return // build finds it in the position
	}
	j := jump{b.Last(p.Symbol), more, p}
	if j.after != nil { // else it is in how the position stood before its first execution
		if s.jumps = append(s.jumps, j); len(s.jumps) > keepJumps {
			s.jumps = slices.Clone(s.jumps[1:])
		}
	}
	if s.built != "" {
		s.jumped(j)
	}
}

// Accounted takes in an execution that happened before its position was taken
// over: that much of the jump was none.
func (s *Score) Accounted(f order.Fill) {
	s.built = ""
	for i := len(s.jumps) - 1; i >= 0; i-- {
		j := &s.jumps[i]
		if j.held.Symbol != f.Symbol {
			continue
		}
		if j.more = j.more.Sub(f.Side.Signed(f.Qty)); j.more.IsZero() {
			s.jumps = slices.Delete(s.jumps, i, i+1)
		}
		return
	}
}

// later notes that an execution of a symbol was taken in.
func (s *Score) later(sym market.Symbol, at time.Time) {
	if at.After(s.took[sym]) {
		s.took[sym] = at
	}
}
