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

// price returns the next field as an exact price, which must be there.
func (r *reader) price(field string) market.Price {
	p, known := r.priceOr(field)
	if !known && r.err == nil {
		r.fail(field, nil, ErrUnset)
	}
	return p
}

// priceOr is price for a field that may be unset, without an allocation.
func (r *reader) priceOr(field string) (p market.Price, known bool) {
	b := r.raw(field)
	if r.err != nil || isUnset(b) {
		return p, false
	}
	var room [plainMax]byte
	p, err := market.ParsePrice(plain(room[:0], b))
	if err != nil {
		r.fail(field, b, market.ErrNotDecimal)
		return p, false
	}
	return p, true
}

// optPrice is price for a field that may be unset.
func (r *reader) optPrice(field string) *market.Price {
	if p, known := r.priceOr(field); known {
		return p.Ptr()
	}
	return nil
}

// nearPrice returns the next field as the nearest price that we can hold. It
// is only for what a venue computes, such as an average price, which may have
// more digits than eight decimals. Unset, NaN and infinity are nil.
func (r *reader) nearPrice(field string) *market.Price {
	b := r.raw(field)
	if r.err != nil || isUnset(b) || notFinite(b) {
		return nil
	}
	var room [plainMax]byte
	cut, up := round(plain(room[:0], b), 8)
	p, err := market.ParsePrice(cut)
	if err != nil || up != 0 && p.Abs().Cmp(maxPrice) >= 0 {
		r.fail(field, b, market.ErrNotDecimal)
		return nil
	}
	switch {
	case up > 0:
		p = p.Add(leastPrice)
	case up < 0:
		p = p.Sub(leastPrice)
	}
	return &p
}

// qty returns the next field as an exact quantity, which must be there.
func (r *reader) qty(field string) market.Qty {
	q, known := r.qtyOr(field)
	if !known && r.err == nil {
		r.fail(field, nil, ErrUnset)
	}
	return q
}

// qtyOr is qty for a field that may be unset, without an allocation.
func (r *reader) qtyOr(field string) (q market.Qty, known bool) {
	b := r.raw(field)
	if r.err != nil || isUnset(b) {
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
	cut, up := round(plain(room[:0], b), 16)
	m, err := market.ParseMoney(cut)
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

// double returns the next field as a floating-point number, nil when unset.
// It is for numbers that can enter no order, fill, balance or limit.
func (r *reader) double(field string) *float64 {
	b := r.raw(field)
	if r.err != nil || isUnset(b) {
		return nil
	}
	f, ok := parseFloat(b)
	if !ok {
		r.fail(field, b, ErrNotNumber)
		return nil
	}
	return &f
}

// writer puts a payload together. The first error sticks; finish returns it
// and takes back all that was written.
type writer struct {
	b      []byte
	start  int
	v      Version
	msg    string
	client bool // writes a client's message, whose text is printable ASCII
	err    error
}

// clientMessage begins the payload of a message from client to server.
func clientMessage(dst []byte, v Version, name string, id int) *writer {
	return newWriter(dst, v, name, id, true)
}

// serverMessage begins the payload of a message from server to client.
func serverMessage(dst []byte, v Version, name string, id int) *writer {
	return newWriter(dst, v, name, id, false)
}

func newWriter(dst []byte, v Version, name string, id int, client bool) *writer {
	w := &writer{b: dst, start: len(dst), v: v, msg: name, client: client, err: v.check()}
	w.int(id)
	return w
}

func (w *writer) finish() ([]byte, error) {
	if w.err != nil {
		return w.b[:w.start], w.err
	}
	return w.b, nil
}

func (w *writer) fail(field, value string, err error) {
	if w.err == nil {
		w.err = fieldError(w.msg, field, []byte(value), err)
	}
}

// since refuses a message that the version does not have.
func (w *writer) since(v Version) {
	if w.v < v {
		w.fail("version", strconv.Itoa(int(w.v)), ErrVersion)
	}
}

func (w *writer) end() { w.b = append(w.b, 0) }

// empty writes an unset field.
func (w *writer) empty() { w.end() }

// str writes text. A client may only send printable ASCII; a server's text may
// be any UTF-8 without NUL.
func (w *writer) str(field, s string) {
	if w.client && !printable(s) || strings.IndexByte(s, 0) >= 0 {
		w.fail(field, s, ErrText)
		return
	}
	w.b = append(w.b, s...)
	w.end()
}

// bytes writes a server's text that is kept as it came.
func (w *writer) bytes(field string, b []byte) {
	if bytes.IndexByte(b, 0) >= 0 {
		w.fail(field, string(b), ErrText)
		return
	}
	w.b = append(w.b, b...)
	w.end()
}

// text writes a server's free text, what is not ASCII escaped as \uXXXX.
func (w *writer) text(field, s string) {
	if strings.IndexByte(s, 0) >= 0 {
		w.fail(field, s, ErrText)
		return
	}
	w.b = escape(w.b, s)
	w.end()
}

func (w *writer) int(n int)     { w.int64(int64(n)) }
func (w *writer) int64(n int64) { w.b = strconv.AppendInt(w.b, n, 10); w.end() }

// optInt writes nil as an empty field.
func (w *writer) optInt(n *int) {
	if n == nil {
		w.empty()
		return
	}
	w.int(*n)
}

func (w *writer) bool(f bool) {
	if f {
		w.int(1)
		return
	}
	w.int(0)
}

func (w *writer) price(p market.Price) {
	from := len(w.b)
	w.b, _ = p.AppendText(w.b)
	w.endNumber(from)
}

func (w *writer) qty(q market.Qty) {
	from := len(w.b)
	w.b, _ = q.AppendText(w.b)
	w.endNumber(from)
}

func (w *writer) money(m market.Money) {
	from := len(w.b)
	w.b, _ = m.AppendText(w.b)
	w.endNumber(from)
}

// endNumber ends a number that begins at from. The numbers that the wire takes
// for "unset", such as a volume of 2147483647 shares, get a decimal, which
// tells them apart.
func (w *writer) endNumber(from int) {
	if isUnset(w.b[from:]) {
		w.b = append(w.b, ".0"...)
	}
	w.end()
}

// optPrice writes nil as an empty field.
func (w *writer) optPrice(p *market.Price) {
	if p == nil {
		w.empty()
		return
	}
	w.price(*p)
}

// optQty writes nil as an empty field.
func (w *writer) optQty(q *market.Qty) {
	if q == nil {
		w.empty()
		return
	}
	w.qty(*q)
}

// optMoney writes nil as an empty field.
func (w *writer) optMoney(m *market.Money) {
	if m == nil {
		w.empty()
		return
	}
	w.money(*m)
}

// double writes a plain decimal, without an exponent; nil is an empty field.
func (w *writer) double(field string, f *float64) {
	switch {
	case f == nil:
	case math.IsNaN(*f):
		w.fail(field, "NaN", ErrNotNumber)
	case math.IsInf(*f, 0):
		if *f < 0 {
			w.b = append(w.b, '-')
		}
		w.b = append(w.b, "Infinity"...)
	default:
		w.b = strconv.AppendFloat(w.b, *f, 'f', -1, 64)
	}
	w.end()
}
