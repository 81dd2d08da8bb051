package portfolio

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// ErrBadFill means that an execution makes no sense and was not counted.
var ErrBadFill = errors.New("bad execution")

// What is beyond these is a mistake, and would bring sums near their range.
var (
	maxQty   = market.Shares(100_000_000)
	maxPrice = market.MustPrice("100000000")
)

// keepFills is how many executions are known by their id: as many as the desk
// knows. A commission that comes later is not charged to what is forgotten.
const keepFills = 65536

// Baseline is the account's state to which the executions are added.
type Baseline struct {
	// Cash is nil when nobody told it.
	Cash *market.Money
	// Positions are all that the account holds; nil means unknown, an empty
	// list means none.
	Positions []order.Position
	// Counted are the ids of executions that are in Cash and Positions
	// already.
	Counted []string
}

// Book is the fold. It is not safe for concurrent use.
type Book struct {
	cash       *market.Money
	known      bool // positions are known
	lines      map[market.Symbol]*line
	fills      map[string]*told // by what all versions of an execution have in common
	ids        []string         // of fills, a ring once it is full
	oldest     int              // in ids, once it is full
	realised   market.Money
	commission market.Money
	pending    int
}

// line is one symbol's part.
type line struct {
	qty      market.Qty
	cost     market.Money // signed like qty: what the position was bought or sold for
	costless bool         // the baseline told no cost: cost means nothing
	realised market.Money
	last     *market.Price
}

// told is what is known of an execution: of its newest version. There may be
// 65,536, so what follows from the rest is not kept.
type told struct {
	did        effect
	commission market.Money
	version    uint8 // two digits
	charged    bool  // commission was told
	baseline   bool  // in the baseline already, with whatever it cost
}

// effect is what a trade did to its line, and so what taking it back undoes.
type effect struct {
	signed   market.Qty // below 0 sells
	opening  market.Qty // what of that opened, or added to, a position; the rest closed one
	price    market.Price
	released market.Money // cost of what it closed
	costless bool         // nobody told what that had cost: it gained nothing that could be told
}

// paid is what it cost; below 0 was received.
func (d effect) paid() market.Money { return d.price.Mul(d.signed) }

// opened is the cost of what it opened.
func (d effect) opened() market.Money { return d.price.Mul(d.opening) }

// gain is what it realised.
func (d effect) gain() market.Money {
	if d.costless {
		return market.Money{}
	}
	return d.price.Mul(d.signed.Sub(d.opening)).Neg().Sub(d.released)
}

// New returns a book on top of a baseline.
func New(b Baseline) *Book {
	k := &Book{known: b.Positions != nil, lines: map[market.Symbol]*line{}, fills: map[string]*told{}}
	if b.Cash != nil {
		k.cash = b.Cash.Ptr()
	}
	for _, p := range b.Positions {
		k.set(p)
	}
	for _, id := range b.Counted {
		stem, version := order.ExecVersion(id)
		t := told{version: uint8(version), baseline: true} //nolint:gosec // two digits
		if was := k.fills[stem]; was != nil {
			t.version = max(t.version, was.version)
		}
		k.know(stem, t)
	}
	return k
}

func (k *Book) set(p order.Position) {
	l := k.line(p.Symbol)
	l.qty, l.cost, l.costless = p.Qty, market.Money{}, false
	switch {
	case p.Qty.IsZero():
	case p.AvgCost == nil:
		l.costless = true
	default:
		l.cost = p.AvgCost.Mul(p.Qty)
	}
}

func (k *Book) line(s market.Symbol) *line {
	l := k.lines[s]
	if l == nil {
		l = &line{}
		k.lines[s] = l
	}
	return l
}

// Fill takes in an execution and reports whether it is new. One that is known
// may bring its commission, and changes nothing else. A later version of one
// replaces it and is not new; see [Book.Corrects]. One of the baseline is not
// changed by it: the broker's cash and positions are.
func (k *Book) Fill(f order.Fill) (fresh bool, err error) {
	stem, version := order.ExecVersion(f.ExecID)
	var was told
	known, seen := k.fills[stem]
	if seen {
		was = *known
	}
	later := seen && version > int(was.version)
	if f.ExecID == "" || f.Symbol == "" || f.Side != order.Buy && f.Side != order.Sell || f.Qty.Sign() < 0 ||
		f.Qty.IsZero() && version < 2 || maxQty.Less(f.Qty) || maxPrice.Less(f.Price.Abs()) {
		return false, fmt.Errorf("portfolio: execution %.60q: %.10s %v %.20s at %v: %w",
			f.ExecID, f.Side, f.Qty, f.Symbol, f.Price, ErrBadFill)
	}
	if was.baseline || seen && version < int(was.version) {
		return false, nil
	}
	if !seen {
		k.pending++
	}
	if later {
		k.undo(f.Symbol, was.did)
	}
	if !seen || later {
		was.version, was.did = uint8(version), k.trade(f.Symbol, f.Side.Signed(f.Qty), f.Price) //nolint:gosec // two digits
	}
	if f.Commission != nil {
		k.charge(was, *f.Commission)
		was.commission, was.charged = *f.Commission, true
	}
	k.know(stem, was)
	return !seen, nil
}

// Corrects reports whether an execution is a later version of one that the book
// knows, and by how much its quantity is more than that one's.
func (k *Book) Corrects(f order.Fill) (more market.Qty, ok bool) {
	stem, version := order.ExecVersion(f.ExecID)
	was, seen := k.fills[stem]
	if !seen || was.baseline || version <= int(was.version) {
		return market.Qty{}, false
	}
	return f.Qty.Sub(was.did.signed.Abs()), true
}

// know keeps what is known of an execution, and forgets the oldest when there
// are too many.
func (k *Book) know(id string, t told) {
	if _, ok := k.fills[id]; !ok {
		if len(k.ids) < keepFills {
			k.ids = append(k.ids, id)
		} else {
			delete(k.fills, k.ids[k.oldest])
			k.ids[k.oldest] = id
			k.oldest = (k.oldest + 1) % keepFills
		}
	}
	k.fills[id] = &t
}

// charge takes a commission, or the difference to what was told before.
func (k *Book) charge(was told, now market.Money) {
	more := now
	if was.charged {
		more = now.Sub(was.commission)
	} else {
		k.pending--
	}
	k.commission = k.commission.Add(more)
	k.pay(more.Neg())
}

func (k *Book) pay(m market.Money) {
	if k.cash != nil {
		k.cash = k.cash.Add(m).Ptr()
	}
}

func (k *Book) trade(s market.Symbol, signed market.Qty, price market.Price) (did effect) {
	l := k.line(s)
	did.signed, did.price = signed, price
	k.pay(did.paid().Neg())
	rest := signed
	if l.qty.Sign()*signed.Sign() < 0 {
		closing := signed // as much of it as there is a position to close
		if l.qty.Abs().Less(closing.Abs()) {
			closing = l.qty.Neg()
		}
		rest = signed.Sub(closing)
		did.costless = l.costless
		did.released = k.reduce(l, closing, price)
	}
	did.opening = rest
	if rest.IsZero() {
		return did
	}
	if l.qty.IsZero() {
		l.cost, l.costless = market.Money{}, false
	}
	l.qty = l.qty.Add(rest)
	l.cost = l.cost.Add(did.opened())
	return did
}

// reduce closes a part of a position: closing has the sign of the execution.
// What was bought for an unknown cost realises nothing that could be told.
func (k *Book) reduce(l *line, closing market.Qty, price market.Price) (released market.Money) {
	released = l.cost.MulFrac(closing.Neg(), l.qty)
	l.qty = l.qty.Add(closing)
	l.cost = l.cost.Sub(released)
	if !l.costless {
		k.realise(l, price.Mul(closing).Neg().Sub(released))
	}
	return released
}

func (k *Book) realise(l *line, gain market.Money) {
	l.realised = l.realised.Add(gain)
	k.realised = k.realised.Add(gain)
}

// undo takes a trade back. Cash and quantity are exact; what of the gain is
// realised is so when nothing else was traded since.
func (k *Book) undo(s market.Symbol, did effect) {
	l := k.line(s)
	k.pay(did.paid())
	l.qty = l.qty.Sub(did.signed)
	l.cost = l.cost.Add(did.released).Sub(did.opened())
	k.realise(l, did.gain().Neg())
	if l.qty.IsZero() && !l.cost.IsZero() { // of shares that are not there: it is a gain or a loss
		k.realise(l, l.cost.Neg())
		l.cost = market.Money{}
	}
}

// Mark takes in a symbol's newest price.
func (k *Book) Mark(s market.Symbol, p market.Price) { k.line(s).last = p.Ptr() }

// Rebase sets a position, and cash where it is known, to what the broker says,
// without an execution that explains it: the broker is right. Nothing is
// realised by it.
func (k *Book) Rebase(p order.Position, cash *market.Money) {
	k.set(p)
	if cash != nil {
		k.cash = cash.Ptr()
	}
}

// LearnCash sets the cash when it was unknown so far, and reports whether it
// was.
func (k *Book) LearnCash(m market.Money) bool {
	if k.cash != nil {
		return false
	}
	k.cash = &m
	return true
}

// Position returns what is held of a symbol; known is false without a
// baseline of positions.
func (k *Book) Position(s market.Symbol) (q market.Qty, known bool) {
	if l := k.lines[s]; l != nil {
		q = l.qty
	}
	return q, k.known
}

// Equity returns cash and positions at their newest price; known is false when
// cash, the positions or a needed price is not.
func (k *Book) Equity() (m market.Money, known bool) {
	if k.cash == nil || !k.known {
		return market.Money{}, false
	}
	m = *k.cash
	for _, l := range k.lines {
		if l.qty.IsZero() {
			continue
		}
		if l.last == nil {
			return market.Money{}, false
		}
		m = m.Add(l.last.Mul(l.qty))
	}
	return m, true
}

// View is the book at one moment. Nil is unknown.
type View struct {
	Cash       *market.Money
	Equity     *market.Money
	Realised   market.Money // before commission
	Unrealised *market.Money
	Commission market.Money // as far as told
	Pending    int          // executions whose commission is not told yet
	Positions  []Line       // by symbol; flat ones that realised something included
}

// Line is one symbol's part of a view.
type Line struct {
	Symbol     market.Symbol
	Qty        market.Qty
	AvgCost    *market.Price // nil when flat or not known
	Last       *market.Price
	Unrealised *market.Money
	Realised   market.Money
}

// View returns the book as it is.
func (k *Book) View() View {
	v := View{Realised: k.realised, Commission: k.commission, Pending: k.pending}
	if k.cash != nil {
		v.Cash = k.cash.Ptr()
	}
	if m, ok := k.Equity(); ok {
		v.Equity = &m
	}
	open, all := market.Money{}, k.known
	for _, s := range slices.Sorted(maps.Keys(k.lines)) {
		l := k.lines[s]
		if l.qty.IsZero() && l.realised.IsZero() {
			continue
		}
		out := l.view(s)
		v.Positions = append(v.Positions, out)
		if out.Unrealised == nil {
			all = false
			continue
		}
		open = open.Add(*out.Unrealised)
	}
	if all {
		v.Unrealised = &open
	}
	return v
}

func (l *line) view(s market.Symbol) Line {
	out := Line{Symbol: s, Qty: l.qty, Last: l.last, Realised: l.realised}
	if l.qty.IsZero() {
		out.Unrealised = &market.Money{}
		return out
	}
	if l.costless {
		return out
	}
	if avg, ok := l.cost.DivQty(l.qty); ok {
		out.AvgCost = &avg
	}
	if l.last != nil {
		out.Unrealised = l.last.Mul(l.qty).Sub(l.cost).Ptr()
	}
	return out
}
