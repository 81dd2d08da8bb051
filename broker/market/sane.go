package market

import "fmt"

// keepTrades is how many of the newest trades are looked at for a jump: enough
// that a few wrong ones do not move their median, few enough that a real move
// is believed after some trades at the new price.
const keepTrades = 8

// Trades are the prices of a symbol's newest trades. The zero value holds
// none.
type Trades struct {
	last [keepTrades]Price
	n    int // how many were added, ever
}

// Add takes in a trade's price.
func (t *Trades) Add(p Price) {
	t.last[t.n%keepTrades] = p
	t.n++
}

// minTrades is how many trades a median needs to be worth something.
const minTrades = 3

// Median returns the middle of the newest trades, the lower one of two; ok is
// false with fewer than three.
func (t Trades) Median() (p Price, ok bool) {
	n := min(t.n, keepTrades)
	if n < minTrades {
		return Price{}, false
	}
	sorted := t.last // a copy
	for i := 1; i < n; i++ {
		for k := i; k > 0 && sorted[k].Less(sorted[k-1]); k-- {
			sorted[k], sorted[k-1] = sorted[k-1], sorted[k]
		}
	}
	return sorted[(n-1)/2], true
}

// Sanity are the bounds within which a quote is believed.
type Sanity struct {
	// MaxJump is how far, in percent, the newest price may lie from the median
	// of the newest trades; with fewer than three trades, the last from the
	// middle of bid and ask.
	MaxJump Percent
	// MaxSpread is how far, in percent of their middle, bid and ask may be
	// apart.
	MaxSpread Percent
}

// Check tells whether a quote may be acted upon, and in plain words why not:
// because the market is crossed or too wide, or the price jumped. What is not
// known is not judged. It is for whoever lets a price start an order, such as
// a stop: once a price of another symbol fired one at half the price.
func (s Sanity) Check(q Quote, recent Trades) (ok bool, why string) {
	if q.Bid != nil && q.Ask != nil {
		sum, apart := q.Bid.Add(*q.Ask), q.Ask.Sub(*q.Bid)
		if apart.Sign() < 0 {
			return false, fmt.Sprintf("the market is crossed: bid %v, ask %v", q.Bid, q.Ask)
		}
		if sum.Mul(Qty(s.MaxSpread)).Less(apart.Mul(Shares(200))) {
			return false, fmt.Sprintf("bid %v and ask %v are more than %v %% apart", q.Bid, q.Ask, s.MaxSpread)
		}
	}
	if middle, known := recent.Median(); known {
		p, _, some := q.Newest()
		if some && s.far(p, middle) {
			return false, fmt.Sprintf("the price jumped to %v, more than %v %% from %v, the median of the newest trades", p, s.MaxJump, middle)
		}
		return true, ""
	}
	if q.Bid != nil && q.Ask != nil && q.Last != nil {
		if middle := q.Bid.Add(*q.Ask).Half(); s.far(*q.Last, middle) {
			return false, fmt.Sprintf("the last price %v is more than %v %% from %v, the middle of bid and ask", q.Last, s.MaxJump, middle)
		}
	}
	return true, ""
}

func (s Sanity) far(p, from Price) bool {
	return from.Abs().Mul(Qty(s.MaxJump)).Less(p.Sub(from).Abs().Mul(Shares(100)))
}
