package books

import (
	"maps"
	"slices"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// A ticker is not a contract: shares of the same name at another exchange are
// other shares. What the venue tells with the number of another contract than
// the one that is traded goes under a name of its own ([market.Symbol.Other]):
// it is shown, follows the broker's word, and no stop, exit or flatten counts it.

// Name returns the name in the books of a contract that was told with a ticker
// and a number, 0 when that was not told. Before the traded contract is known,
// the first one with the ticker has its name; Described puts that right.
func (b *Books) Name(t *Turn, s market.Symbol, conID int64) market.Symbol {
	ours := t.ConID(s)
	if ours == 0 {
		ours = b.Positions[s].ConID
	}
	if conID == 0 || ours == 0 || conID == ours || s.IsOther() {
		return s
	}
	return s.Other(conID)
}

// Described is told when the contract that is traded as a symbol has become
// known: what the books hold under its name and is of another one gets its own.
func (b *Books) Described(t *Turn, s market.Symbol) {
	id := t.ConID(s)
	if p, ok := b.Positions[s]; ok && id != 0 && p.ConID != 0 && p.ConID != id {
		b.rename(t, p, s.Other(p.ConID))
	}
	if p, ok := b.Positions[s.Other(id)]; ok {
		b.rename(t, p, s)
	}
	for _, sym := range slices.Sorted(maps.Keys(b.Positions)) {
		if sym.Ticker() == s {
			b.tellOther(t, b.Positions[sym])
		}
	}
	for _, e := range slices.Clone(b.Live[s]) {
		if to := b.Name(t, s, e.ConID); to != s {
			b.Live[s] = slices.DeleteFunc(b.Live[s], func(o *Entry) bool { return o == e })
			e.Symbol = to
			b.Become(t, e, e.State)
		}
	}
}

// rename puts a position under another name.
func (b *Books) rename(t *Turn, p order.Position, to market.Symbol) {
	was := p.Symbol
	delete(b.Positions, was)
	delete(b.Suspects, was)
	delete(b.told, was)
	t.Position(order.Position{Account: p.Account, Symbol: was, ConID: t.ConID(was)})
	p.Symbol = to
	if to.IsOther() {
		b.Other(t, p)
		return
	}
	p.Unmanaged = false
	b.Positions[to] = p
	t.Position(p)
}

// Other takes the broker's word for a position that this program does not trade.
func (b *Books) Other(t *Turn, p order.Position) {
	p.Unmanaged = true
	was, ok := b.Positions[p.Symbol]
	if ok && was.Qty == p.Qty && Alike(was.AvgCost, p.AvgCost) {
		return
	}
	if p.Qty.IsZero() {
		delete(b.Positions, p.Symbol)
	} else {
		b.Positions[p.Symbol] = p
	}
	t.Position(p)
	b.tellOther(t, p)
}

// Others lists what the account holds and this program does not trade, by name.
func (b *Books) Others() (list []order.Position) {
	for _, s := range slices.Sorted(maps.Keys(b.Positions)) {
		if p := b.Positions[s]; s.IsOther() && !p.Qty.IsZero() {
			list = append(list, p)
		}
	}
	return list
}

// tellOther tells a person once of a position that is not the traded contract's,
// as soon as that one is known.
func (b *Books) tellOther(t *Turn, p order.Position) {
	if !p.Symbol.IsOther() || t.ConID(p.Symbol.Ticker()) == 0 {
		return
	}
	b.Raise(t, "other "+string(p.Symbol), event.NoticeText{
		Level: "warning", Name: "position_not_traded", Symbol: p.Symbol,
		Text: "the account holds " + p.Qty.String() + " of " + string(p.Symbol) + ", which is another contract than the one that is traded under this ticker: it has no stop, and nothing here orders it",
	})
}

// Held returns the positions that were told, by their names in the books. Of two
// with one name, as before the contract is known, the second is another one.
func (b *Books) Held(t *Turn, who *broker.Facts, told []order.Position) map[market.Symbol]order.Position {
	all := map[market.Symbol]order.Position{}
	for _, p := range told {
		if Foreign(who, p.Account) {
			continue
		}
		s := b.Name(t, p.Symbol, p.ConID)
		if same, ok := all[s]; ok && same.ConID != p.ConID {
			s = s.Other(p.ConID)
		}
		p.Symbol = s
		all[s] = p
	}
	return all
}
