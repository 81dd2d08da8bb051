package event

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"robotrader/broker/order"
)

// AppendParts appends a struct, given by its address, as encoding/json writes it, to
// the byte, but one element of its lists at a time. encoding/json keeps a buffer as
// large as what it wrote last, for each that writes at once: of a whole state, with
// its hundreds of orders and bars, these were what a trader held most of, and grew
// with each list for a day.
func AppendParts(dst []byte, v any) ([]byte, error) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Struct {
		return dst, fmt.Errorf("event: %T is no address of a struct", v)
	}
	s := p.Elem()
	names, plain := plainFields(s.Type())
	if !plain || writesItself(s.Type()) {
		return appendSlow(dst, v)
	}
	for i, name := range names {
		dst = append(append(append(dst, opening('{', i), '"'), name...), `":`...)
		var err error
		if dst, err = appendPart(dst, s.Field(i)); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// plainFields returns the names of a struct's fields. It is not plain where one is
// written in no way, sometimes, as fields of its own, or has a name that needs care.
func plainFields(t reflect.Type) (names []string, plain bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("json")
		if f.Anonymous || !f.IsExported() || !plainName.MatchString(name) || slices.Contains(names, name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, len(names) > 0
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// opening is what stands before the i-th part.
func opening(first byte, i int) byte {
	if i == 0 {
		return first
	}
	return ','
}

// appendPart appends lists, and maps and structs of them, element by element.
func appendPart(dst []byte, v reflect.Value) (_ []byte, err error) {
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct && !writesItself(v.Type()):
		for i := range v.Len() {
			dst = append(dst, opening('[', i))
			if o, ok := v.Index(i).Addr().Interface().(*order.Order); ok {
				dst, err = AppendOrder(dst, o)
			} else {
				dst, err = appendSlow(dst, v.Index(i).Addr().Interface())
			}
			if err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case v.Kind() == reflect.Map && v.Len() > 0 && v.Type().Key().Kind() == reflect.String && !writesItself(v.Type()):
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for i, k := range keys {
			dst = append(dst, opening('{', i))
			if dst, err = appendSlow(dst, k.String()); err != nil {
				return dst, err
			}
			if dst, err = appendPart(append(dst, ':'), v.MapIndex(k)); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	if v.Kind() == reflect.Struct && v.CanAddr() {
		return AppendParts(dst, v.Addr().Interface())
	}
	if v.CanAddr() { // what writes itself may do it by its address
		return appendSlow(dst, v.Addr().Interface())
	}
	return appendSlow(dst, v.Interface())
}

var marshalers = [...]reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()}

// writesItself reports whether a type has a say in how it is written.
func writesItself(t reflect.Type) bool {
	return slices.ContainsFunc(marshalers[:], reflect.PointerTo(t).Implements)
}
