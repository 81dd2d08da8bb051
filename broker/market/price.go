package market

import (
	"cmp"
	"fmt"
)

// Price is the price of one unit, in the contract's currency, exact to eight
// decimals. The zero value is the price 0, which is a price; an unknown price
// is a nil *Price. Prices may be negative: spreads trade below zero.
type Price struct{ n int64 }

// ParsePrice reads text such as "187.25". It refuses exponents, NaN, Inf and
// more than eight decimals, because rounding a venue's number silently is
// worse than dropping the tick. The error wraps [ErrNotDecimal].
func ParsePrice[T ~string | ~[]byte](s T) (Price, error) {
	n, ok := parseFixed(s)
	if !ok {
		return Price{}, fmt.Errorf("market: price %.40q: %w", string(s), ErrNotDecimal)
	}
	return Price{n}, nil
}

// MustPrice is ParsePrice for constants; it panics on bad text.
func MustPrice(s string) Price {
	p, err := ParsePrice(s)
	if err != nil {
		panic(err)
	}
	return p
}

// PriceNear returns the price nearest to f, to eight decimals. It is for
// numbers that were never exact, such as an indicator's; ok is false for NaN,
// infinities and numbers out of range.
func PriceNear(f float64) (p Price, ok bool) {
	n, ok := floatFixed(f)
	return Price{n}, ok
}

// Mul returns p × q, exactly.
func (p Price) Mul(q Qty) Money { return mul64(p.n, q.n) }

// Add returns p + o. It panics on overflow, which no venue's price reaches.
func (p Price) Add(o Price) Price { return Price{addFixed("price", p.n, o.n)} }

// Sub returns p - o.
func (p Price) Sub(o Price) Price { return Price{addFixed("price", p.n, -o.n)} }

// Neg returns -p.
func (p Price) Neg() Price { return Price{-p.n} }

// Abs returns the distance from zero.
func (p Price) Abs() Price { return Price{max(p.n, -p.n)} }

// Cmp returns -1, 0 or +1.
func (p Price) Cmp(o Price) int { return cmp.Compare(p.n, o.n) }

// Less reports whether p < o.
func (p Price) Less(o Price) bool { return p.n < o.n }

// Sign returns -1, 0 or +1.
func (p Price) Sign() int { return cmp.Compare(p.n, 0) }

// IsZero reports whether p is 0. Zero is a price, not "unknown".
func (p Price) IsZero() bool { return p.n == 0 }

// Half returns p / 2, the last of eight decimals rounded towards zero.
func (p Price) Half() Price { return Price{p.n / 2} }

// Times returns p × k.
func (p Price) Times(k int64) Price {
	m := p.n * k
	if k != 0 && m/k != p.n {
		panic(fmt.Sprintf("market: price overflow: %v × %d", p, k))
	}
	return Price{m}
}

// OnGrid reports whether p is a whole number of ticks. A tick of 0 or less
// has no grid, and every price is on it.
func (p Price) OnGrid(tick Price) bool { return tick.n <= 0 || p.n%tick.n == 0 }

// Round returns the price on the grid of tick that is nearest to p, halves
// away from zero. A tick of 0 or less returns p.
func (p Price) Round(tick Price) Price {
	if tick.n <= 0 {
		return p
	}
	down := p.n / tick.n * tick.n
	rest := p.n - down
	switch {
	case rest >= 0 && rest*2 >= tick.n:
		down += tick.n
	case rest < 0 && -rest*2 >= tick.n:
		down -= tick.n
	}
	return Price{down}
}

// Float returns the nearest float64: for charts and indicators, never for an
// order, a balance or a limit.
func (p Price) Float() float64 { return float64(p.n) / unit }

func (p Price) String() string { return string(appendFixed(nil, p.n)) }

// AppendText implements encoding.TextAppender.
func (p Price) AppendText(b []byte) ([]byte, error) { return appendFixed(b, p.n), nil }

// MarshalText makes a Price a JSON string.
func (p Price) MarshalText() ([]byte, error) { return appendFixed(nil, p.n), nil }

// UnmarshalText reads what MarshalText wrote, with the rules of [ParsePrice].
func (p *Price) UnmarshalText(b []byte) (err error) { *p, err = ParsePrice(b); return err }

// Ptr returns a pointer to a copy of p: the known form of a price that may be
// unknown.
func (p Price) Ptr() *Price { return &p }

// Floor returns the highest price on the grid of tick that is not above p. A
// tick of 0 or less returns p.
func (p Price) Floor(tick Price) Price {
	if tick.n <= 0 {
		return p
	}
	down := p.n / tick.n * tick.n
	if down > p.n {
		down -= tick.n
	}
	return Price{down}
}
