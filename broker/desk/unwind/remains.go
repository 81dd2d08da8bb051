package unwind

import (
	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Remains parts the positions that the broker told of an account: left has what
// a flatten closes, others what it does not: another contract than the one that
// is traded under the ticker, by its number, and what is no stock. Those of 0 and
// of other accounts are in neither.
func Remains(told []order.Position, who *broker.Facts, traded func(market.Symbol) int64) (left, others []order.Position) {
	for _, p := range told {
		if p.Qty.IsZero() || books.Foreign(who, p.Account) {
			continue
		}
		ours := traded(p.Symbol)
		switch {
		case p.Symbol.IsOther():
			others = append(others, p)
		case ours != 0 && p.ConID != 0 && p.ConID != ours:
			p.Symbol, p.Unmanaged = p.Symbol.Other(p.ConID), true
			others = append(others, p)
		default:
			left = append(left, p)
		}
	}
	return left, others
}
