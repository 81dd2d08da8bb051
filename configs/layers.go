package configs

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one key's place in a Config.
type field struct {
	index []int
	kind  reflect.Type
}

// fields returns every key of t, with the dots of its nesting. Fields without
// a koanf tag, or with "-", are not configuration.
func fields(t reflect.Type, prefix string, index []int, into map[string]field) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("koanf")
		if tag == "" || tag == "-" {
			continue
		}
		key, at := prefix+tag, append(slices.Clone(index), i)
		if f.Type.Kind() == reflect.Struct && !isText(f.Type) {
			fields(f.Type, key+".", at, into)
			continue
		}
		into[key] = field{at, f.Type}
	}
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// layer is what one source says: keys with dots to values.
type layer struct {
	source string            // such as "file trader.yaml"
	names  map[string]string // key to its name in the source, where that differs
	values map[string]any
}

// name returns how the source's reader knows the key.
func (l layer) name(key string) string {
	if n, ok := l.names[key]; ok {
		return n
	}
	return key
}

// apply puts the layer's values into cfg and returns all faults, in the order
// of the keys.
func (l layer) apply(cfg *Config) []error {
	known := map[string]field{}
	fields(reflect.TypeFor[Config](), "", nil, known)
	var errs []error
	keys := make([]string, 0, len(l.values))
	for k := range l.values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := l.put(cfg, known, key, l.values[key]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", l.source, l.name(key), err))
		}
	}
	return errs
}

func (l layer) put(cfg *Config, known map[string]field, key string, value any) error {
	if f, ok := known[key]; ok {
		if isSecret(f.kind) {
			return setSecret(reflect.ValueOf(cfg).Elem().FieldByIndex(f.index), value)
		}
		return set(reflect.ValueOf(cfg).Elem().FieldByIndex(f.index), value)
	}
	for k, f := range known { // the members of a map, such as runner.params.fast
		name, ok := strings.CutPrefix(key, k+".")
		if !ok || f.kind.Kind() != reflect.Map {
			continue
		}
		v := reflect.ValueOf(cfg).Elem().FieldByIndex(f.index)
		if v.IsNil() {
			v.Set(reflect.MakeMap(f.kind))
		}
		elem := reflect.New(f.kind.Elem()).Elem()
		if err := set(elem, value); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name), elem)
		return nil
	}
	if value == nil {
		for k := range known { // an empty section, such as "broker:"
			if strings.HasPrefix(k, key+".") {
				return nil
			}
		}
	}
	if near := nearest(key, known); near != "" {
		return fmt.Errorf("unknown key; did you mean %s", near)
	}
	return fmt.Errorf("unknown key")
}

// set puts a value as YAML, the environment or a flag gives it into v. It
// refuses what does not fit exactly.
func set(v reflect.Value, value any) error {
	if v.Kind() == reflect.Slice {
		return setList(v, value)
	}
	text, ok := scalar(value)
	if !ok {
		return fmt.Errorf("%.80s is not a single value", fmt.Sprint(value))
	}
	if isText(v.Type()) {
		read := reflect.New(v.Type()) // a bad value must not undo the default
		if err := read.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%.80q is not a plain decimal number", text)
		}
		v.Set(read.Elem())
		return nil
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%.80q is not a duration such as 500ms, 5s or 1h30m", text)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%.80q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%.80q is not a whole number", text)
		}
		v.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%.80q is not a whole number of 0 or more", text)
		}
		v.SetUint(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || x != x || x-x != 0 {
			return fmt.Errorf("%.80q is not a number", text)
		}
		v.SetFloat(x)
	default:
		return fmt.Errorf("a value of kind %s cannot be configured", v.Kind())
	}
	return nil
}

// setList takes a list, or a text with commas.
func setList(v reflect.Value, value any) error {
	var parts []any
	switch x := value.(type) {
	case []any:
		parts = x
	case []string:
		for _, s := range x {
			parts = append(parts, s)
		}
	case nil:
	default:
		text, ok := scalar(value)
		if !ok {
			return fmt.Errorf("%.80s is not a list", fmt.Sprint(value))
		}
		for s := range strings.SplitSeq(text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				parts = append(parts, s)
			}
		}
	}
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, p := range parts {
		if err := set(list.Index(i), p); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// scalar returns a single value's text; numbers lose nothing.
func scalar(value any) (string, bool) {
	switch x := value.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case uint64:
		return strconv.FormatUint(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	return "", false
}

// nearest returns the known key that a misspelt one most likely means, "" when
// none is near.
func nearest(key string, known map[string]field) string {
	best, limit := "", len(key)/4+2
	for k := range known {
		if d := distance(key, k); d < limit || d == limit && best != "" && k < best {
			best, limit = k, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
