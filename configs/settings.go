package configs

import (
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Setting is one key of a configuration with its value as text, as a YAML file
// or the environment would give it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Default is true for the value that holds when nobody says anything.
	Default bool `json:"default"`
}

// secretWords are in the names of keys whose values are not to be shown.
var secretWords = []string{"token", "passw", "passphrase", "secret", "credential", "api_key", "apikey", "private_key"}

// Settings returns every key in order, with what it is set to, for the person
// whose trader it is: what smells of a secret, and the user of an URL, are
// hidden, accounts and names are not. What may leave the machine is
// [Config.Harmless].
func (c Config) Settings() []Setting {
	known := map[string]field{}
	fields(reflect.TypeFor[Config](), "", nil, known)
	now, usual := reflect.ValueOf(c), reflect.ValueOf(DefaultConfig())
	var list []Setting
	for key, f := range known {
		v, d := now.FieldByIndex(f.index), usual.FieldByIndex(f.index)
		if f.kind.Kind() == reflect.Map {
			list = append(list, members(key, v)...)
			continue
		}
		text := valueText(v)
		list = append(list, Setting{key, shown(key, text), text == valueText(d)})
	}
	slices.SortFunc(list, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// members returns the entries of a map, which are no defaults.
func members(key string, v reflect.Value) []Setting {
	var list []Setting
	for _, k := range v.MapKeys() {
		name := key + "." + valueText(k)
		list = append(list, Setting{Key: name, Value: shown(name, valueText(v.MapIndex(k)))})
	}
	return list
}

// valueText is the opposite of set.
func valueText(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return time.Duration(v.Int()).String()
	case v.Kind() == reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = valueText(v.Index(i))
		}
		return strings.Join(parts, ",")
	}
	text, ok := scalar(v.Interface())
	if !ok {
		text = fmt.Sprint(v.Interface())
	}
	return text
}

const hidden = "(hidden)"

// shown hides what is a secret.
func shown(key, value string) string {
	if value == "" {
		return ""
	}
	last := strings.ReplaceAll(strings.ToLower(key[strings.LastIndexByte(key, '.')+1:]), "-", "_")
	if slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(last, w) }) {
		return hidden
	}
	if !strings.Contains(value, "@") {
		return value
	}
	parts := strings.Split(value, ",")
	for i, p := range parts {
		u, err := url.Parse(strings.TrimSpace(p))
		switch {
		case err == nil && u.Scheme == "" && (strings.HasPrefix(p, "/") || strings.HasPrefix(p, ".")):
			// a path
		case err != nil || u.Host == "":
			return hidden // such as a password with a comma, of which a part may hold no @
		case u.User != nil:
			u.User = url.User("hidden")
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}
