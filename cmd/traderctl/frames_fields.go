package main

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"

	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/ibkr/wire"
)

// namedField is one field of a decoded message.
type namedField struct{ name, value string }

// messageFields returns what a message says, by the names of our decoder, in
// its order. What is unset, empty or false is left out; a zero is a number.
func messageFields(m wire.Message, mask *recorder.Masker) []namedField {
	l := fieldLister{mask: mask}
	l.walk("", reflect.ValueOf(m))
	return l.fields
}

type fieldLister struct {
	mask   *recorder.Masker
	fields []namedField
}

func (l *fieldLister) add(name, value string) {
	if value != "" {
		l.fields = append(l.fields, namedField{name, l.mask.Text(value)})
	}
}

func (l *fieldLister) walk(name string, v reflect.Value) {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if !v.IsNil() {
			l.walk(name, v.Elem())
		}
		return
	}
	if t, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := t.MarshalText()
		if err != nil {
			text = []byte(err.Error())
		}
		l.add(name, string(text))
		return
	}
	switch v.Kind() {
	case reflect.String:
		l.add(name, v.String())
	case reflect.Bool:
		if v.Bool() {
			l.add(name, "true")
		}
	case reflect.Struct:
		l.members(name, v)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			l.add(name, string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			l.walk(name+"["+strconv.Itoa(i)+"]", v.Index(i))
		}
	default:
		l.add(name, fmt.Sprint(v.Interface()))
	}
}

// members walks a struct; what is embedded has no name of its own.
func (l *fieldLister) members(name string, v reflect.Value) {
	if name != "" {
		name += "."
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous:
			l.walk(name[:max(len(name)-1, 0)], v.Field(i))
		case f.IsExported():
			l.walk(name+f.Name, v.Field(i))
		}
	}
}
