package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"robotrader/broker/market"
)

// walk goes through a message's fields in the order of the wire, reading them
// from r or writing them to w: of the two one is nil. An order has more than a
// hundred fields, whose order and conditions are the whole matter; with walk
// they stand in one list for both directions, and cannot come apart.
//
// Prices are read as the nearest that we hold, and so are the amounts that a
// venue tells; a client's amounts, and all quantities, are exact. An order or a
// fill that we do not see is worse than one with its ninth decimal cut (a
// trailing stop at 169.10000000000002). What is written is always exact.
type walk struct {
	r *reader
	w *writer
	v Version
}

func reading(r *reader) *walk { return &walk{r: r, v: r.v} }
func writing(w *writer) *walk { return &walk{w: w, v: w.v} }

// appendClient writes a client's message by its layout.
func appendClient(dst []byte, v Version, name string, id int, layout func(*walk)) ([]byte, error) {
	w := clientMessage(dst, v, name, id)
	layout(writing(&w))
	return w.finish()
}

// appendServer writes a server's message by its layout.
func appendServer(dst []byte, v Version, name string, id int, layout func(*walk)) ([]byte, error) {
	w := serverMessage(dst, v, name, id)
	layout(writing(&w))
	return w.finish()
}

// Number is a decimal that the codec carries as the venue wrote it, without
// rounding: ratios, percentages and the like, which nothing here computes
// with. The empty Number is unset. "0.25", "1.5E-7" and "Infinity" are Numbers,
// in whatever spelling infinity came; what is none is refused in both
// directions, but for a venue's NaN, which is unset.
type Number string

// The literal spellings of "unset" that a live gateway writes in the fields
// where it does not leave them empty.
const (
	unsetIntText    = "2147483647"
	unsetDoubleText = "1.7976931348623157E308"
	unsetSizeText   = "-9223372036854775808"
)

func (w *walk) fail(field, value string, err error) {
	if w.r != nil {
		w.r.fail(field, []byte(value), err)
		return
	}
	w.w.fail(field, value, err)
}

// refuse ends the walk at a value that the protocol does not have.
func (w *walk) refuse(field string, value any, what string) {
	w.fail(field, fmt.Sprint(value), fmt.Errorf("%s: %w", what, ErrUnsupported))
}

// constant is a field without meaning: text is written, what is read is passed over.
func (w *walk) constant(field, text string) {
	if w.r != nil {
		w.r.skip(field)
		return
	}
	w.w.str(field, text)
}

func (w *walk) str(field string, p *string) {
	if w.r != nil {
		*p = w.r.str(field)
		return
	}
	w.w.str(field, *p)
}

// text is str for free text, which a venue sends with escapes.
func (w *walk) text(field string, p *string) {
	if w.r != nil {
		*p = w.r.text(field)
		return
	}
	w.w.text(field, *p)
}

func (w *walk) int(field string, p *int) {
	if w.r != nil {
		*p = w.r.int(field)
		return
	}
	w.w.int(*p)
}

func (w *walk) int64(field string, p *int64) {
	if w.r != nil {
		*p = w.r.int64(field)
		return
	}
	w.w.int64(*p)
}

func (w *walk) bool(field string, p *bool) {
	if w.r != nil {
		*p = w.r.bool(field)
		return
	}
	w.w.bool(*p)
}

func (w *walk) optInt(field string, p **int) { w.intOr(field, p, "") }

// maxInt is optInt for a field that a gateway never leaves empty.
func (w *walk) maxInt(field string, p **int) { w.intOr(field, p, unsetIntText) }

func (w *walk) intOr(field string, p **int, unset string) {
	switch {
	case w.r != nil:
		*p = w.r.optInt(field)
	case *p == nil:
		w.w.str(field, unset)
	default:
		w.w.int(**p)
		w.checkSet(field)
	}
}

// checkSet refuses the integer that was just written when it reads as unset,
// as 2147483647 does: it would come out as another order. Decimals of that
// value are told apart by the writer.
func (w *walk) checkSet(field string) {
	b := w.w.b[:len(w.w.b)-1]
	b = b[bytes.LastIndexByte(b, 0)+1:]
	if isUnset(b) {
		w.fail(field, string(b), ErrUnset)
	}
}

func (w *walk) price(field string, p **market.Price) { w.priceOr(field, p, "") }

// maxPrice is price for a field that a gateway never leaves empty.
func (w *walk) maxPrice(field string, p **market.Price) { w.priceOr(field, p, unsetDoubleText) }

func (w *walk) priceOr(field string, p **market.Price, unset string) {
	switch {
	case w.r == nil && *p == nil:
		w.w.str(field, unset)
	case w.r == nil:
		w.w.price(**p)
	default:
		*p = w.r.optPrice(field)
	}
}

// mustPrice is price for a field without which the message is worthless.
func (w *walk) mustPrice(field string, p *market.Price) {
	if w.r != nil {
		*p = w.r.price(field)
		return
	}
	w.w.price(*p)
}

// priceOrZero is price for a field whose empty form means 0.
func (w *walk) priceOrZero(field string, p *market.Price) {
	q := p
	w.price(field, &q)
	if q == nil {
		q = &market.Price{}
	}
	*p = *q
}

func (w *walk) qty(field string, p **market.Qty) { w.qtyOr(field, p, "") }

// minQty is qty for a field in which a gateway spells unset as the least long.
func (w *walk) minQty(field string, p **market.Qty) { w.qtyOr(field, p, unsetSizeText) }

func (w *walk) qtyOr(field string, p **market.Qty, unset string) {
	switch {
	case w.r != nil:
		*p = w.r.optQty(field)
	case *p == nil:
		w.w.str(field, unset)
	default:
		w.w.qty(**p)
	}
}

// mustQty is qty for a field without which the message is worthless.
func (w *walk) mustQty(field string, p *market.Qty) {
	if w.r != nil {
		*p = w.r.qty(field)
		return
	}
	w.w.qty(*p)
}

func (w *walk) money(field string, p **market.Money) { w.moneyOr(field, p, "") }

// maxMoney is money for a field that a gateway never leaves empty.
func (w *walk) maxMoney(field string, p **market.Money) { w.moneyOr(field, p, unsetDoubleText) }

func (w *walk) moneyOr(field string, p **market.Money, unset string) {
	switch {
	case w.r == nil && *p == nil:
		w.w.str(field, unset)
	case w.r == nil:
		w.w.money(**p)
	case w.r.client:
		*p = w.r.optMoney(field)
	default:
		*p = w.r.nearMoney(field)
	}
}

func (w *walk) number(field string, p *Number) { w.numberOr(field, p, "") }

// maxNumber is number for a field that a gateway never leaves empty.
func (w *walk) maxNumber(field string, p *Number) { w.numberOr(field, p, unsetDoubleText) }

func (w *walk) numberOr(field string, p *Number, unset string) {
	if w.r != nil {
		b := w.r.raw(field)
		*p = ""
		switch {
		case w.r.err != nil || isUnset(b) || !w.r.client && isNaN(b):
		case notFinite(b) && b[0] == '-':
			*p = "-Infinity"
		case notFinite(b) && !isNaN(b):
			*p = "Infinity"
		default:
			*p = Number(b)
			p.check(w, field)
		}
		return
	}
	if *p == "" {
		w.w.str(field, unset)
		return
	}
	p.check(w, field)
	w.w.str(field, string(*p))
}

// infinite reports whether the number is the positive infinity.
func (n Number) infinite() bool {
	f, ok := parseFloat([]byte(n))
	return ok && math.IsInf(f, 1)
}

func (n Number) check(w *walk, field string) {
	if _, ok := parseFloat([]byte(n)); !ok || isUnset([]byte(n)) {
		w.fail(field, string(n), ErrNotNumber)
	}
}

// maxItems bounds the lists of an order. No order comes near it; it keeps the
// structs that a frame of 16 MiB can ask for from being many times that.
const maxItems = 4096

// list walks a count and as many items, each at least fields fields long.
func list[T any](w *walk, field string, all *[]T, fields int, item func(*T, *walk)) {
	n := len(*all)
	if w.r != nil {
		n = w.r.count(field, fields)
		*all = nil
	} else {
		w.w.int(n)
	}
	if n > maxItems {
		w.fail(field, strconv.Itoa(n), ErrCount)
		return
	}
	if w.r != nil {
		*all = items(w.r, n, func(one *T) { item(one, w) })
		return
	}
	for i := range *all {
		item(&(*all)[i], w)
	}
}

// optional walks a flag, and behind a flag that is set the block that it
// announces.
func optional[T any](w *walk, field string, p **T, block func(*T, *walk)) {
	there := *p != nil
	w.bool(field, &there)
	if !there {
		*p = nil
		return
	}
	if *p == nil {
		*p = new(T)
	}
	block(*p, w)
}

// contract12 walks the twelve fields by which a client names a contract.
func (w *walk) contract12(c *Contract) {
	if w.r != nil {
		*c = w.r.contract12()
		return
	}
	w.w.contract12(*c)
}

// contract11 walks the eleven fields by which a venue names one.
func (w *walk) contract11(c *Contract) {
	if w.r != nil {
		*c = w.r.contract11()
		return
	}
	w.w.contract11(*c)
}

func above0(p *market.Price) bool { return p != nil && p.Sign() > 0 }
