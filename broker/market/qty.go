package market

import (
	"cmp"
	"fmt"
	"math/bits"
)

// Qty is a number of shares, or of another contract's units, exact to eight
// decimals: venues trade fractions. A position may be negative, an order's
// quantity may not. The zero value is 0; unknown is a nil *Qty.
type Qty struct{ n int64 }

// ParseQty reads text such as "100" or "0.0001" with the rules of
// [ParsePrice].
func ParseQty[T ~string | ~[]byte](s T) (Qty, error) {
	n, ok := parseFixed(s)
	if !ok {
		return Qty{}, fmt.Errorf("market: quantity %.40q: %w", string(s), ErrNotDecimal)
	}
	return Qty{n}, nil
}

// MustQty is ParseQty for constants; it panics on bad text.
func MustQty(s string) Qty {
	q, err := ParseQty(s)
	if err != nil {
		panic(err)
	}
	return q
}

// Shares returns a whole quantity. It panics beyond ±92 billion.
func Shares(n int64) Qty {
	m := n * unit
	if m/unit != n {
		panic(fmt.Sprintf("market: quantity overflow: %d shares", n))
	}
	return Qty{m}
}

// Add returns q + o. It panics on overflow, beyond ±92 billion.
func (q Qty) Add(o Qty) Qty { return Qty{addFixed("quantity", q.n, o.n)} }

// Sub returns q - o.
func (q Qty) Sub(o Qty) Qty { return Qty{addFixed("quantity", q.n, -o.n)} }

// Neg returns -q.
func (q Qty) Neg() Qty { return Qty{-q.n} }

// Abs returns the distance from zero.
func (q Qty) Abs() Qty { return Qty{max(q.n, -q.n)} }

// Cmp returns -1, 0 or +1.
func (q Qty) Cmp(o Qty) int { return cmp.Compare(q.n, o.n) }

// Less reports whether q < o.
func (q Qty) Less(o Qty) bool { return q.n < o.n }

// Sign returns -1, 0 or +1.
func (q Qty) Sign() int { return cmp.Compare(q.n, 0) }

// IsZero reports whether q is 0.
func (q Qty) IsZero() bool { return q.n == 0 }

// Whole returns q without its fraction, towards zero.
func (q Qty) Whole() Qty { return Qty{q.n / unit * unit} }

// Int returns the whole part, towards zero.
func (q Qty) Int() int64 { return q.n / unit }

// Float returns the nearest float64: for charts and indicators only.
func (q Qty) Float() float64 { return float64(q.n) / unit }

func (q Qty) String() string { return string(appendFixed(nil, q.n)) }

// AppendText implements encoding.TextAppender.
func (q Qty) AppendText(b []byte) ([]byte, error) { return appendFixed(b, q.n), nil }

// MarshalText makes a Qty a JSON string.
func (q Qty) MarshalText() ([]byte, error) { return appendFixed(nil, q.n), nil }

// UnmarshalText reads what MarshalText wrote.
func (q *Qty) UnmarshalText(b []byte) (err error) { *q, err = ParseQty(b); return err }

// Ptr returns a pointer to a copy of q: the known form of a quantity that may
// be unknown.
func (q Qty) Ptr() *Qty { return &q }

// Floor returns the greatest multiple of step that is not beyond q, towards
// zero. A step of 0 or less returns q.
func (q Qty) Floor(step Qty) Qty {
	if step.n <= 0 {
		return q
	}
	return Qty{q.n / step.n * step.n}
}

// PartUp returns q × num / den, rounded up to a multiple of step; a step of 0
// or less keeps eight decimals. It is for 0 ≤ num ≤ den, den above 0, and q not
// below 0.
func (q Qty) PartUp(num, den, step Qty) Qty {
	unit := max(step.n, 1)
	hi, lo := bits.Mul64(uint64(q.n), uint64(num.n))
	n, rest := bits.Div64(hi, lo, uint64(den.n))
	if rest > 0 {
		n++
	}
	if over := int64(n) % unit; over > 0 {
		return Qty{int64(n) - over + unit}
	}
	return Qty{int64(n)}
}
