package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"robotrader/broker/market"
)

// What can be wrong with a field. A [FieldError] wraps one of them, or
// [market.ErrNotDecimal].
var (
	ErrShort        = errors.New("message ends before this field")
	ErrUnterminated = errors.New("field without its NUL")
	ErrNotInteger   = errors.New("not an integer")
	ErrNotNumber    = errors.New("not a number")
	ErrUnset        = errors.New("number is unset")
	ErrText         = errors.New("text holds a character that the wire cannot carry")
	ErrCount        = errors.New("count does not fit the bytes that follow")
	ErrVersion      = errors.New("server version does not have this")
	ErrUnsupported  = errors.New("not supported by this codec")
	ErrLeftover     = errors.New("fields left over after the last known one")
)

// FieldError names the message, the field and the value that could not be
// read or written.
type FieldError struct {
	Message string // such as "tickPrice"
	Field   string // such as "price"
	Value   string // cut to 60 bytes
	Err     error
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("wire: %s: field %s: value %q: %v", e.Message, e.Field, e.Value, e.Err)
}

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Err }

func fieldError(message, field string, value []byte, err error) *FieldError {
	return &FieldError{message, field, string(value[:min(len(value), 60)]), err}
}

// reader takes a payload apart, field by field. The first error sticks: after
// it every method returns the zero value, so a decoder checks once, at its
// end. Methods take the field's name for that error.
type reader struct {
	v      Version
	msg    string // the message's name
	rest   []byte
	client bool // reads a client's message, whose text is printable ASCII
	err    error
}

func (r *reader) fail(field string, value []byte, err error) {
	if r.err == nil {
		r.err = fieldError(r.msg, field, value, err)
	}
}

// more reports whether another field follows: for the few messages that may
// come short.
func (r *reader) more() bool { return r.err == nil && len(r.rest) > 0 }

// raw returns the next field's bytes, a part of the payload.
func (r *reader) raw(field string) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.rest) == 0 {
		r.fail(field, nil, ErrShort)
		return nil
	}
	n := bytes.IndexByte(r.rest, 0)
	if n < 0 {
		r.fail(field, r.rest, ErrUnterminated)
		return nil
	}
	f := r.rest[:n:n]
	r.rest = r.rest[n+1:]
	return f
}

// expect reads the message's id, which must be id.
func (r *reader) expect(id int) {
	if r.err = r.v.check(); r.err != nil {
		return
	}
	if b := r.raw("id"); r.err == nil {
		if n, ok := parseID(b); !ok || n != id {
			r.fail("id", b, ErrNotInteger)
		}
	}
}

// since refuses a message that the version does not have.
func (r *reader) since(v Version) {
	if r.v < v {
		r.fail("version", strconv.AppendInt(nil, int64(r.v), 10), ErrVersion)
	}
}

// skip passes over a field that nobody needs, such as a message's version.
func (r *reader) skip(field string) { r.raw(field) }

// str returns the next field as text. A venue's bytes that are not UTF-8
// become U+FFFD; a client's text outside printable ASCII is an error.
func (r *reader) str(field string) string {
	b := r.raw(field)
	if r.client && !printable(b) {
		r.fail(field, b, ErrText)
		return ""
	}
	if !utf8.Valid(b) {
		return string(bytes.ToValidUTF8(b, []byte("\uFFFD")))
	}
	return string(b)
}

// strAgain is str into a text that may already hold the same, which then costs
// no allocation: exchanges repeat.
func (r *reader) strAgain(field string, s *string) {
	rest := r.rest
	if b := r.raw(field); r.err == nil && string(b) == *s {
		return
	}
	if r.err == nil {
		r.rest = rest
	}
	*s = r.str(field)
}

// failKind refuses a kind of tick that has no layout.
func (r *reader) failKind(kind int) {
	r.fail("tickType", strconv.AppendInt(nil, int64(kind), 10), ErrUnsupported)
}

// text is str for free text that a venue sends with \uXXXX escapes; they are
// decoded. Section 1.1.
func (r *reader) text(field string) string {
	s := r.str(field)
	if r.client || strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return unescape(s)
}

// int returns the next field as an integer; empty is 0.
func (r *reader) int(field string) int {
	n := r.int64(field)
	if int64(int(n)) != n {
		r.fail(field, strconv.AppendInt(nil, n, 10), ErrNotInteger)
		return 0
	}
	return int(n)
}

// int64 returns the next field as an integer; empty is 0.
func (r *reader) int64(field string) int64 {
	b := r.raw(field)
	if len(b) == 0 {
		return 0
	}
	n, ok := parseInt(b)
	if !ok {
		r.fail(field, b, ErrNotInteger)
	}
	return n
}

// optInt is int for a field that may be unset.
func (r *reader) optInt(field string) *int {
	b := r.raw(field)
	if r.err != nil || isUnset(b) {
		return nil
	}
	n64, ok := parseInt(b)
	n := int(n64)
	if !ok || int64(n) != n64 {
		r.fail(field, b, ErrNotInteger)
		return nil
	}
	if n64 == math.MaxInt32 || n64 == math.MaxInt64 || n64 == math.MinInt64 { // with zeros before it
		return nil
	}
	return &n
}

// count returns the next field as the number of items that follow, each at
// least fields fields long, so a lie costs no memory.
func (r *reader) count(field string, fields int) int {
	b := r.raw(field)
	if len(b) == 0 {
		return 0
	}
	n, ok := parseInt(b)
	if !ok {
		r.fail(field, b, ErrNotInteger)
		return 0
	}
	if n < 0 || n > int64(len(r.rest)/max(fields, 1)) {
		r.fail(field, b, ErrCount)
		return 0
	}
	return int(n)
}

// items reads n items. Room is made in few steps as they come, and an error
// ends it, so that a long count before bad fields costs little, and one before
// good fields not much more than the items.
func items[T any](r *reader, n int, read func(*T)) []T {
	if n == 0 || r.err != nil {
		return nil
	}
	all := make([]T, 0, min(n, 256))
	for len(all) < n && r.err == nil {
		if len(all) == cap(all) {
			all = append(make([]T, 0, min(n, 8*len(all))), all...)
		}
		all = all[:len(all)+1]
		read(&all[len(all)-1]) // in place: a variable of ours would go to the heap
	}
	return all
}

// bool returns the next field as a flag: any integer but 0 is true, empty is
// false.
func (r *reader) bool(field string) bool { return r.int64(field) != 0 }

// right returns an option's right. A venue spells "none" as ?, 0 or empty;
// all are read as empty. Section 12, trap 10.
func (r *reader) right(field string) string {
	s := r.str(field)
	if s == "?" || s == "0" {
		return ""
	}
	return s
}

// price returns the next field as a price, which must be there.
func (r *reader) price(field string) market.Price {
	p, known := r.priceOr(field)
	if !known && r.err == nil {
		r.fail(field, nil, ErrUnset)
	}
	return p
}

// priceOr is price for a field that may be unset, without an allocation. It
// reads the nearest price that we hold, which is the same up to eight decimals.
// Both sides compute with doubles: a bar, a tick or an order at
// 187.25000000000003 that we do not see is worse than one with its ninth
// decimal cut, and a gateway judges a client's 187.29999999999998 by its grid
// (code 110), not by its digits. A venue's NaN and infinity are unset; a
// client's are refused.
func (r *reader) priceOr(field string) (p market.Price, known bool) {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || !r.client && notFinite(b) {
		return p, false
	}
	var room [plainMax]byte
	p, err := nearestPrice(plain(room[:0], b))
	if err != nil {
		r.fail(field, b, market.ErrNotDecimal)
		return p, false
	}
	return p, true
}

// optPrice is priceOr with nil for unset.
func (r *reader) optPrice(field string) *market.Price {
	if p, known := r.priceOr(field); known {
		return p.Ptr()
	}
	return nil
}

// qty returns the next field as an exact quantity, which must be there.
func (r *reader) qty(field string) market.Qty {
	q, known := r.qtyOr(field)
	if !known && r.err == nil {
		r.fail(field, nil, ErrUnset)
	}
	return q
}

// qtyOr is qty for a field that may be unset, without an allocation. It is
// exact in both directions: quantities of orders, fills and positions add up.
func (r *reader) qtyOr(field string) (q market.Qty, known bool) {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || !r.client && notFinite(b) {
		return q, false
	}
	var room [plainMax]byte
	q, err := market.ParseQty(plain(room[:0], b))
	if err != nil {
		r.fail(field, b, market.ErrNotDecimal)
		return q, false
	}
	return q, true
}

// optQty is qty for a field that may be unset.
func (r *reader) optQty(field string) *market.Qty {
	if q, known := r.qtyOr(field); known {
		return q.Ptr()
	}
	return nil
}

// sizeOr is qtyOr for a venue's market data, whose sizes and volumes are read
// as the nearest that we hold; NaN and infinity are unset.
func (r *reader) sizeOr(field string) (q market.Qty, known bool) {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || notFinite(b) {
		return q, false
	}
	var room [plainMax]byte
	q, err := nearestQty(plain(room[:0], b))
	if err != nil {
		r.fail(field, b, market.ErrNotDecimal)
		return q, false
	}
	return q, true
}

// size is sizeOr for a field that must be there.
func (r *reader) size(field string) market.Qty {
	q, known := r.sizeOr(field)
	if !known && r.err == nil {
		r.fail(field, nil, ErrUnset)
	}
	return q
}

// optSize is sizeOr with nil for unset.
func (r *reader) optSize(field string) *market.Qty {
	if q, known := r.sizeOr(field); known {
		return q.Ptr()
	}
	return nil
}

// optMoney returns the next field as an exact amount, nil when unset.
func (r *reader) optMoney(field string) *market.Money {
	b := r.raw(field)
	if r.err != nil || isUnset(b) {
		return nil
	}
	var room [plainMax]byte
	m, err := market.ParseMoney(plain(room[:0], b))
	if err != nil {
		r.fail(field, b, market.ErrNotDecimal)
		return nil
	}
	return &m
}

// nearMoney returns the next field as the nearest amount that we can hold. It
// is only for what a venue computes, such as a profit or a market value.
// Unset, NaN and infinity are nil.
func (r *reader) nearMoney(field string) *market.Money {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || notFinite(b) {
		return nil
	}
	var room [plainMax]byte
	text := plain(room[:0], b)
	cut, up := round(text, 16)
	m, err := market.ParseMoney(cut)
	if err != nil && negligible(text) {
		return &market.Money{}
	}
	if err != nil || up != 0 && m.Abs().Cmp(maxMoney) >= 0 {
		r.fail(field, b, market.ErrNotDecimal)
		return nil
	}
	switch {
	case up > 0:
		m = m.Add(leastMoney)
	case up < 0:
		m = m.Sub(leastMoney)
	}
	return &m
}

// double returns the next field as a floating-point number, nil when unset or
// NaN. Infinity is a number here. It is for numbers that can enter no order,
// fill, balance or limit.
func (r *reader) double(field string) *float64 {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || isNaN(b) {
		return nil
	}
	f, ok := parseFloat(b)
	if !ok {
		r.fail(field, b, ErrNotNumber)
		return nil
	}
	if f >= unsetDouble && !math.IsInf(f, 1) { // in another spelling
		return nil
	}
	return &f
}
