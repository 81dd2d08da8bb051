package market

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// ErrNotDecimal means that a text is not a decimal number that the type can
// hold exactly. The error that wraps it names the text.
var ErrNotDecimal = errors.New("not an exact decimal")

const (
	decimals = 8           // of Price and Qty
	unit     = 100_000_000 // 10^decimals
)

// parseFixed reads a plain decimal such as "-187.25" into 10^-8 units. It
// refuses exponents, NaN, Inf, signs other than a leading minus, more than
// eight significant decimals and numbers beyond ±92,233,720,368.54775807.
// Trailing zeros beyond the eighth decimal lose nothing and are accepted.
func parseFixed[T ~string | ~[]byte](s T) (int64, bool) {
	i, neg := 0, false
	if i < len(s) && s[i] == '-' {
		neg = true
		i++
	}
	var n uint64
	digits := 0
	for ; i < len(s) && s[i] != '.'; i++ {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		digits++
		n = n*10 + uint64(c-'0')
		if n > math.MaxInt64/unit {
			return 0, false
		}
	}
	n *= unit
	if i < len(s) { // s[i] == '.'
		i++
		scale := uint64(unit)
		for ; i < len(s); i++ {
			c := s[i]
			if c < '0' || c > '9' {
				return 0, false
			}
			digits++
			if scale == 1 {
				if c != '0' {
					return 0, false
				}
				continue
			}
			scale /= 10
			n += uint64(c-'0') * scale
		}
	}
	if digits == 0 || n > math.MaxInt64 {
		return 0, false
	}
	if neg {
		return -int64(n), true
	}
	return int64(n), true
}

// appendFixed writes n × 10^-8 without trailing zeros and without an exponent.
func appendFixed(b []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/unit, 10)
	return appendFraction(b, u%unit, decimals)
}

func appendFraction(b []byte, frac uint64, width int) []byte {
	if frac == 0 {
		return b
	}
	var d [20]byte
	for i := width - 1; i >= 0; i-- {
		d[i] = byte('0' + frac%10)
		frac /= 10
	}
	for width > 0 && d[width-1] == '0' {
		width--
	}
	b = append(b, '.')
	return append(b, d[:width]...)
}

func addFixed(what string, a, b int64) int64 {
	s := a + b
	if (s > a) != (b > 0) && b != 0 {
		panic(fmt.Sprintf("market: %s overflow: %d + %d units of 1e-8", what, a, b))
	}
	return s
}

// floatFixed rounds f to the nearest 10^-8, halves away from zero.
func floatFixed(f float64) (int64, bool) {
	x := math.Round(f * unit)
	if math.IsNaN(x) || x >= math.MaxInt64 || x <= math.MinInt64 {
		return 0, false
	}
	return int64(x), true
}
