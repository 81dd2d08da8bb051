package market

import (
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
)

const (
	moneyDecimals = 16
	moneyUnit     = 10_000_000_000_000_000 // 10^moneyDecimals
)

// Money is an amount of one currency, exact to sixteen decimals, which is what
// Price × Qty needs. Its range is ±1.7 × 10^22. The zero value is 0; unknown
// is a nil *Money.
type Money struct {
	hi int64 // two's complement, 128 bits with lo
	lo uint64
}

func mul64(a, b int64) Money {
	neg := (a < 0) != (b < 0)
	ua, ub := uint64(a), uint64(b)
	if a < 0 {
		ua = -ua
	}
	if b < 0 {
		ub = -ub
	}
	hi, lo := bits.Mul64(ua, ub)
	m := Money{int64(hi), lo} // both factors are below 2^63, so hi is below 2^62
	if neg {
		return m.Neg()
	}
	return m
}

// ParseMoney reads text such as "-1999.675". It refuses exponents, NaN, Inf,
// more than sixteen significant decimals and amounts out of range. The error
// wraps [ErrNotDecimal].
func ParseMoney[T ~string | ~[]byte](s T) (Money, error) {
	bad := func() (Money, error) {
		return Money{}, fmt.Errorf("market: amount %.60q: %w", string(s), ErrNotDecimal)
	}
	i, neg := 0, false
	if i < len(s) && s[i] == '-' {
		neg = true
		i++
	}
	var m Money
	digits, frac, point := 0, 0, false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			return bad()
		}
		digits++
		if point {
			if frac == moneyDecimals {
				if c != '0' {
					return bad()
				}
				continue
			}
			frac++
		}
		var ok bool
		if m, ok = m.times10(uint64(c - '0')); !ok {
			return bad()
		}
	}
	if digits == 0 {
		return bad()
	}
	for ; frac < moneyDecimals; frac++ {
		var ok bool
		if m, ok = m.times10(0); !ok {
			return bad()
		}
	}
	if neg {
		m = m.Neg()
	}
	return m, nil
}

// times10 returns 10m + d for m ≥ 0.
func (m Money) times10(d uint64) (Money, bool) {
	carry, lo := bits.Mul64(m.lo, 10)
	over, hi := bits.Mul64(uint64(m.hi), 10)
	hi, c1 := bits.Add64(hi, carry, 0)
	lo, c2 := bits.Add64(lo, d, 0)
	hi, c3 := bits.Add64(hi, 0, c2)
	if over != 0 || c1 != 0 || c3 != 0 || hi>>63 != 0 {
		return Money{}, false
	}
	return Money{int64(hi), lo}, true
}

// MustMoney is ParseMoney for constants; it panics on bad text.
func MustMoney(s string) Money {
	m, err := ParseMoney(s)
	if err != nil {
		panic(err)
	}
	return m
}

// Add returns m + o. It panics on overflow, which two products of a Price and
// a Qty cannot reach.
func (m Money) Add(o Money) Money {
	lo, c := bits.Add64(m.lo, o.lo, 0)
	hi := m.hi + o.hi + int64(c)
	if (m.hi < 0) == (o.hi < 0) && (hi < 0) != (m.hi < 0) {
		panic("market: amount overflow")
	}
	return Money{hi, lo}
}

// Neg returns -m.
func (m Money) Neg() Money {
	lo, b := bits.Sub64(0, m.lo, 0)
	return Money{-m.hi - int64(b), lo}
}

// Sub returns m - o.
func (m Money) Sub(o Money) Money { return m.Add(o.Neg()) }

// Abs returns the distance from zero.
func (m Money) Abs() Money {
	if m.hi < 0 {
		return m.Neg()
	}
	return m
}

// Cmp returns -1, 0 or +1.
func (m Money) Cmp(o Money) int {
	switch {
	case m.hi < o.hi, m.hi == o.hi && m.lo < o.lo:
		return -1
	case m == o:
		return 0
	}
	return 1
}

// Less reports whether m < o.
func (m Money) Less(o Money) bool { return m.Cmp(o) < 0 }

// Sign returns -1, 0 or +1.
func (m Money) Sign() int { return m.Cmp(Money{}) }

// IsZero reports whether m is 0.
func (m Money) IsZero() bool { return m == Money{} }

// MulFrac returns m × num / den, the sixteenth decimal rounded half to even:
// the part of a cost that belongs to a part of a position. It panics when den
// is 0 or the result is out of range.
func (m Money) MulFrac(num, den Qty) Money {
	n := m.big()
	n.Mul(n, big.NewInt(num.n))
	return fromBig(divHalfEven(n, big.NewInt(den.n)))
}

// DivQty returns m / q as a price, the eighth decimal rounded half to even: an
// average, not an exact number. It panics when q is 0; ok is false when the
// average is out of a price's range.
func (m Money) DivQty(q Qty) (p Price, ok bool) {
	n := divHalfEven(m.big(), big.NewInt(q.n))
	if !n.IsInt64() {
		return Price{}, false
	}
	return Price{n.Int64()}, true
}

// Round returns m with at most places decimals, 0 to 16, halves to even.
func (m Money) Round(places int) Money {
	pow := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(moneyDecimals-places)), nil)
	n := divHalfEven(m.big(), pow)
	return fromBig(n.Mul(n, pow))
}

// Float returns the nearest float64: for charts and ratios only.
func (m Money) Float() float64 {
	f, _ := new(big.Rat).SetFrac(m.big(), big.NewInt(moneyUnit)).Float64()
	return f
}

func (m Money) big() *big.Int {
	n := new(big.Int).SetInt64(m.hi)
	n.Lsh(n, 64)
	return n.Add(n, new(big.Int).SetUint64(m.lo))
}

func fromBig(n *big.Int) Money {
	if n.BitLen() > 127 {
		panic("market: amount overflow")
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0)))
	hi := new(big.Int).Rsh(n, 64)
	return Money{hi.Int64(), lo.Uint64()}
}

func divHalfEven(n, d *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(n, d, new(big.Int))
	r.Abs(r).Lsh(r, 1)
	c := r.Cmp(new(big.Int).Abs(d))
	if c > 0 || c == 0 && q.Bit(0) == 1 {
		step := int64(1)
		if (n.Sign() < 0) != (d.Sign() < 0) {
			step = -1
		}
		q.Add(q, big.NewInt(step))
	}
	return q
}

func (m Money) append(b []byte) []byte {
	u := m
	if m.hi < 0 {
		b = append(b, '-')
		u = m.Neg()
	}
	whole, frac := bits.Div64(uint64(u.hi)%moneyUnit, u.lo, moneyUnit)
	if top := uint64(u.hi) / moneyUnit; top != 0 { // at least 10^16 × 2^64 / 10^16
		n := u.big()
		q, r := n.QuoRem(n, big.NewInt(moneyUnit), new(big.Int))
		return appendFraction(q.Append(b, 10), r.Uint64(), moneyDecimals)
	}
	b = strconv.AppendUint(b, whole, 10)
	return appendFraction(b, frac, moneyDecimals)
}

func (m Money) String() string { return string(m.append(nil)) }

// AppendText implements encoding.TextAppender.
func (m Money) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// MarshalText makes Money a JSON string.
func (m Money) MarshalText() ([]byte, error) { return m.append(nil), nil }

// UnmarshalText reads what MarshalText wrote, with the rules of [ParseMoney].
func (m *Money) UnmarshalText(b []byte) (err error) { *m, err = ParseMoney(b); return err }

// Ptr returns a pointer to a copy of m: the known form of an amount that may
// be unknown.
func (m Money) Ptr() *Money { return &m }
