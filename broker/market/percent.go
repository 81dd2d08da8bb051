package market

import (
	"cmp"
	"fmt"
	"math/bits"
)

// Percent is a part of a hundred, exact to eight decimals: 1.5 is one and a
// half per cent. The zero value is 0 %; unknown is a nil *Percent.
type Percent struct{ n int64 }

// ParsePercent reads text such as "1.5" with the rules of [ParsePrice].
func ParsePercent[T ~string | ~[]byte](s T) (Percent, error) {
	n, ok := parseFixed(s)
	if !ok {
		return Percent{}, fmt.Errorf("market: per cent %.40q: %w", string(s), ErrNotDecimal)
	}
	return Percent{n}, nil
}

// MustPercent is ParsePercent for constants; it panics on bad text.
func MustPercent(s string) Percent {
	p, err := ParsePercent(s)
	if err != nil {
		panic(err)
	}
	return p
}

// Of returns p per cent of a price, the eighth decimal rounded half to even;
// ok is false when that is out of a price's range.
func (p Percent) Of(price Price) (part Price, ok bool) {
	return price.Mul(Qty(p)).DivQty(Shares(100))
}

// OfQty returns p per cent of a quantity, rounded towards zero to a multiple of
// step; a step of 0 or less keeps eight decimals. It is for p from
// 0 to 100 and q not below 0.
func (p Percent) OfQty(q, step Qty) Qty {
	hi, lo := bits.Mul64(uint64(q.n), uint64(p.n))
	n, _ := bits.Div64(hi, lo, 100*unit)
	return Qty{int64(n)}.Floor(step)
}

// Cmp returns -1, 0 or +1.
func (p Percent) Cmp(o Percent) int { return cmp.Compare(p.n, o.n) }

// Less reports whether p < o.
func (p Percent) Less(o Percent) bool { return p.n < o.n }

// Sign returns -1, 0 or +1.
func (p Percent) Sign() int { return cmp.Compare(p.n, 0) }

func (p Percent) String() string { return string(appendFixed(nil, p.n)) }

// MarshalText makes a Percent a JSON string.
func (p Percent) MarshalText() ([]byte, error) { return appendFixed(nil, p.n), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Percent) UnmarshalText(b []byte) (err error) { *p, err = ParsePercent(b); return err }

// Ptr returns a pointer to a copy of p: the known form of a part that may be
// unknown.
func (p Percent) Ptr() *Percent { return &p }
