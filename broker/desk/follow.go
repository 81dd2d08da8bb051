package desk

import (
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// follower has the score see what the books count.
type follower struct{ score *score }

func (f follower) Executed(b *books.Books, x order.Fill)  { f.score.fill(b, x) }
func (f follower) Charged(exec string, cost market.Money) { f.score.cost(exec, cost) }
func (f follower) Corrected()                             { f.score.built = "" } // it is built anew, with this version
