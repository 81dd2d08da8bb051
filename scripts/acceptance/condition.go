package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// condition compares one value, of a message or of a JSON document, with what a
// script says.
type condition struct {
	path, op, value string
}

// operators in the order in which they are looked for: the longer ones first.
var operators = []string{"!=", ">=", "<=", "=", "~"}

func parseConditions(words []string) ([]condition, error) {
	var list []condition
	for _, w := range words {
		at, op := len(w), ""
		for _, o := range operators {
			if i := strings.Index(w, o); i > 0 && i < at {
				at, op = i, o
			}
		}
		if op == "" {
			return nil, fmt.Errorf("%q is no condition: write NAME=value, NAME!=value, NAME~part, NAME>=number", w)
		}
		list = append(list, condition{w[:at], op, w[at+len(op):]})
	}
	return list, nil
}

func (c condition) String() string { return c.path + c.op + strconv.Quote(c.value) }

// holds compares what is there with the wanted value. A wanted {name} that is
// not known yet is learnt.
func (c condition) holds(s *scene, got string) bool {
	if c.op == "=" && c.value == "*" {
		return true
	}
	if name, ok := variable(c.value); ok {
		if _, known := s.vars[name]; !known {
			return c.op == "="
		}
	}
	want, err := s.fill(c.value)
	if err != nil {
		return false
	}
	switch c.op {
	case "=":
		return got == want
	case "!=":
		return got != want
	case "~":
		return strings.Contains(strings.ToLower(got), strings.ToLower(want))
	}
	a, err1 := strconv.ParseFloat(got, 64)
	b, err2 := strconv.ParseFloat(want, 64)
	return err1 == nil && err2 == nil && (c.op == ">=" && a >= b || c.op == "<=" && a <= b)
}

// learn keeps the value under the name that the condition gives it.
func (c condition) learn(s *scene, got string) {
	if name, ok := variable(c.value); ok && c.op == "=" {
		s.vars[name] = got
	}
}

// variable returns the name in a value that is a {name} and nothing else.
func variable(value string) (string, bool) {
	name, ok := strings.CutPrefix(value, "{")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "}")
	return name, ok && name != "" && !strings.ContainsAny(name, "{}+")
}

// inMessage returns the text of a field of a message, such as
// "Contract.Symbol"; nil pointers are empty.
func inMessage(m any, path string) (string, error) {
	v := reflect.ValueOf(m)
	for part := range strings.SplitSeq(path, ".") {
		v = reflect.Indirect(v)
		if v.Kind() != reflect.Struct {
			return "", fmt.Errorf("%T has no %s", m, path)
		}
		f := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, part) })
		if !f.IsValid() {
			return "", fmt.Errorf("%T has no %s: its fields are %s", m, part, strings.Join(fieldNames(v.Type()), " "))
		}
		v = f
	}
	return textOf(v), nil
}

func fieldNames(t reflect.Type) []string {
	var list []string
	for i := range t.NumField() {
		list = append(list, t.Field(i).Name)
	}
	return list
}

func textOf(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if b, ok := v.Interface().([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v.Interface())
}

// setField sets a field of the message that p points to.
func setField(p reflect.Value, path, value string) error {
	v := p.Elem()
	for part := range strings.SplitSeq(path, ".") {
		if v.Kind() != reflect.Struct {
			return fmt.Errorf("there is no %s", path)
		}
		f := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, part) })
		if !f.IsValid() {
			return fmt.Errorf("there is no %s: the fields of %s are %s", part, v.Type().Name(), strings.Join(fieldNames(v.Type()), " "))
		}
		v = f
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(interface{ UnmarshalText([]byte) error }); ok {
		return u.UnmarshalText([]byte(value))
	}
	return setPlain(v, path, value)
}

func setPlain(v reflect.Value, path, value string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not an integer", path, value)
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not a number", path, value)
		}
		v.SetFloat(f)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s: %q is neither true nor false", path, value)
		}
		v.SetBool(b)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return fmt.Errorf("%s is a list: send the message raw, fields by |", path)
		}
		v.SetBytes([]byte(value))
	default:
		return fmt.Errorf("%s is no single value: send the message raw, fields by |", path)
	}
	return nil
}

// decodeJSON reads a document so that numbers keep their spelling.
func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("not JSON: %w: %.200q", err, text)
	}
	return doc, nil
}

// inJSON returns the text of a value in a document, such as "breaker.state" or
// "rungs.0.name"; what is not there is "absent".
func inJSON(doc any, path string) string {
	if path == "" {
		return jsonText(doc)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch d := doc.(type) {
		case map[string]any:
			v, ok := d[part]
			if !ok {
				return absent
			}
			doc = v
		case []any:
			i, err := strconv.Atoi(part)
			if part == "length" {
				doc = json.Number(strconv.Itoa(len(d)))
				continue
			}
			if err != nil || i < 0 || i >= len(d) {
				return absent
			}
			doc = d[i]
		default:
			return absent
		}
	}
	return jsonText(doc)
}

const absent = "absent"

func jsonText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case json.Number:
		return v.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
