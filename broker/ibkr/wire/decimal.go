package wire

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"robotrader/broker/market"
)

var (
	leastPrice = market.MustPrice("0.00000001")
	leastQty   = market.MustQty("0.00000001")
	leastMoney = market.MustMoney("0.0000000000000001")
	// maxPrice, maxQty and maxMoney are where one more rounding step could overflow.
	maxPrice = market.MustPrice("92233720368.54775807")
	maxQty   = market.MustQty("92233720368.54775807")
	maxMoney = market.MustMoney("17000000000000000000000")
)

// unsetDouble is the least number taken for "unset": 1.7976931348623157E308
// as it comes from printers that keep fifteen digits or more.
const unsetDouble = 1.797693134862315e308

// isUnset reports whether b is one of the ways to spell "no value": empty,
// the greatest 32-bit and 64-bit integers, the least 64-bit one, the greatest
// double in any form. Section 4.
func isUnset(b []byte) bool {
	if len(b) < len("2147483647") {
		return len(b) == 0
	}
	switch string(b) {
	case "2147483647", "9223372036854775807", "-9223372036854775808":
		return true
	}
	if b[0] != '1' || len(b) < 300 && bytes.IndexByte(b, 'E') < 0 && bytes.IndexByte(b, 'e') < 0 {
		return false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	return f >= unsetDouble && (err == nil || roundedUp(b))
}

// roundedUp tells "1.79769313486232E308", which is above the greatest double
// only because its digits were rounded, from a number that is far too large.
func roundedUp(b []byte) bool {
	return bytes.HasPrefix(b, []byte("1.7976931348623")) && bytes.HasSuffix(b, []byte("308"))
}

// notFinite reports whether b is how a venue prints the outcome of a division
// by zero: NaN, or an infinity in one of its spellings.
func notFinite(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) == 0 || b[0] <= '9' { // a number, as nearly always
		return false
	}
	return isNaN(b) || bytes.EqualFold(b, []byte("infinity")) || bytes.EqualFold(b, []byte("infinite")) ||
		bytes.EqualFold(b, []byte("inf")) || string(b) == "∞"
}

func isNaN(b []byte) bool {
	return bytes.EqualFold(bytes.TrimPrefix(b, []byte{'-'}), []byte("nan"))
}

func parseInt(b []byte) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n uint64 // 19 digits are below 10^19, which 64 bits hold
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if neg {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

func parseFloat(b []byte) (float64, bool) {
	if notFinite(b) && !isNaN(b) {
		if b[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	for _, c := range b { // ParseFloat also reads hexadecimal, underscores and names
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(b), 64)
	return f, err == nil
}

const (
	plainMax    = 128 // bytes of a number that plain has rewritten
	maxMantissa = 40  // bytes before the exponent
	maxExponent = 40  // of ten, either way; a price has at most 11 + 8 digits
)

// plain returns b without an exponent, the point moved in the text, so nothing
// is rounded: Java prints 1.0E-4 and 1.2E7. What has no exponent, or no sense,
// comes back as it is, for the parser to judge. room keeps it off the heap.
func plain(room, b []byte) []byte {
	e := bytes.LastIndexAny(b, "eE")
	if e < 0 {
		return b
	}
	mantissa, exponent := b[:e], b[e+1:]
	if len(exponent) > 0 && exponent[0] == '+' {
		exponent = exponent[1:]
	}
	shift, ok := parseInt(exponent)
	if !ok || len(mantissa) > maxMantissa || shift > maxExponent || shift < -maxExponent {
		return b
	}
	out := room
	if len(mantissa) > 0 && mantissa[0] == '-' {
		out = append(out, '-')
		mantissa = mantissa[1:]
	}
	whole, frac, _ := bytes.Cut(mantissa, []byte{'.'})
	if len(whole) == 0 || bytes.IndexByte(frac, '.') >= 0 {
		return b
	}
	// The digits are whole+frac, the point stands after `at` of them.
	at := len(whole) + int(shift)
	digit := func(i int) byte {
		switch {
		case i < 0 || i >= len(whole)+len(frac):
			return '0'
		case i < len(whole):
			return whole[i]
		}
		return frac[i-len(whole)]
	}
	for i := min(at-1, 0); i < at; i++ {
		out = append(out, digit(i))
	}
	out = append(out, '.')
	for i := at; i < len(whole)+len(frac); i++ {
		out = append(out, digit(i))
	}
	return out
}

// negligible reports whether b is a number so near to 0 that plain does not
// write it out, such as 4.9E-324.
func negligible(b []byte) bool {
	f, ok := parseFloat(b)
	return ok && math.Abs(f) < 1e-20
}

// nearestPrice returns the nearest price to a plain decimal.
func nearestPrice(b []byte) (market.Price, error) {
	cut, up := round(b, 8)
	p, err := market.ParsePrice(cut)
	if err != nil && negligible(b) {
		return market.Price{}, nil
	}
	if err != nil || up == 0 {
		return p, err
	}
	if p.Abs().Cmp(maxPrice) >= 0 {
		return p, market.ErrNotDecimal
	}
	if up > 0 {
		return p.Add(leastPrice), nil
	}
	return p.Sub(leastPrice), nil
}

// nearestQty is nearestPrice for a quantity.
func nearestQty(b []byte) (market.Qty, error) {
	cut, up := round(b, 8)
	q, err := market.ParseQty(cut)
	if err != nil && negligible(b) {
		return market.Qty{}, nil
	}
	if err != nil || up == 0 {
		return q, err
	}
	if q.Abs().Cmp(maxQty) >= 0 {
		return q, market.ErrNotDecimal
	}
	if up > 0 {
		return q.Add(leastQty), nil
	}
	return q.Sub(leastQty), nil
}

// round cuts a plain decimal after so many decimals and tells which way the
// nearest number lies: +1 or -1 of the last decimal, or 0. Halves go away from
// zero. Text that is no number comes back whole, for the parser to refuse.
func round(b []byte, decimals int) (cut []byte, up int) {
	point := bytes.IndexByte(b, '.')
	if point < 0 || len(b)-point-1 <= decimals {
		return b, 0
	}
	tail := b[point+1+decimals:]
	for _, c := range tail {
		if c < '0' || c > '9' {
			return b, 0
		}
	}
	if tail[0] < '5' {
		return b[:len(b)-len(tail)], 0
	}
	if b[0] == '-' {
		return b[:len(b)-len(tail)], -1
	}
	return b[:len(b)-len(tail)], 1
}

// printable reports whether a client may send s: 32..126, tab, line feed and
// carriage return; official clients refuse the rest (error 579). Section 1.1.
func printable[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// escape appends s in seven bits: what is not printable ASCII becomes \uXXXX
// in UTF-16. A backslash that stands before a u is escaped too, so that
// unescape gives back what was there.
func escape(b []byte, s string) []byte {
	for i, c := range s {
		switch {
		case c == '\\' && strings.HasPrefix(s[i+1:], "u"), c > '~', c < ' ' && c != '\t' && c != '\n' && c != '\r':
			b = appendEscape(b, c)
		default:
			b = append(b, byte(c))
		}
	}
	return b
}

func appendEscape(b []byte, c rune) []byte {
	if hi, lo := utf16.EncodeRune(c); hi != utf8.RuneError {
		return appendUnit(appendUnit(b, hi), lo)
	}
	return appendUnit(b, c)
}

func appendUnit(b []byte, u rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}

// unescape replaces each \uXXXX of s by its character. Halves of a surrogate
// pair that stand alone, and NUL, become U+FFFD; a backslash before anything
// else stays. The result is never longer than s.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		u, ok := unit(s)
		if !ok {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		s = s[len(`\u0000`):]
		if utf16.IsSurrogate(u) {
			lo, _ := unit(s)
			if u = utf16.DecodeRune(u, lo); u != utf8.RuneError {
				s = s[len(`\u0000`):]
			}
		}
		if u == 0 {
			u = utf8.RuneError
		}
		b.WriteRune(u)
	}
	return b.String()
}

// unit reads a \uXXXX at the beginning of s.
func unit(s string) (rune, bool) {
	if len(s) < len(`\u0000`) || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
