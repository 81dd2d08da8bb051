package wire

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"robotrader/broker/market"
)

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
func clientMessage(dst []byte, v Version, name string, id int) writer {
	return newWriter(dst, v, name, id, true)
}

// serverMessage begins the payload of a message from server to client.
func serverMessage(dst []byte, v Version, name string, id int) writer {
	return newWriter(dst, v, name, id, false)
}

// newWriter returns a value, so that a message whose layout is not a [walk] is
// written without an allocation.
func newWriter(dst []byte, v Version, name string, id int, client bool) writer {
	w := writer{b: dst, start: len(dst), v: v, msg: name, client: client, err: v.check()}
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

// failKind refuses a kind of tick that has no layout.
func (w *writer) failKind(kind int) { w.fail("tickType", strconv.Itoa(kind), ErrUnsupported) }

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
