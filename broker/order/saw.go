package order

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"robotrader/broker/market"
)

// Saw are the numbers that a decision was made with: texts under names, in the
// order in which they were noted. The zero value has none. In JSON it is an
// object of strings.
//
// It is kept as it is stored, and each number goes straight into it: a decision
// has three dozen of them, it stands between a tick and its order, and the code
// for it is cold. With a map of strings it took three times as long.
type Saw struct {
	json []byte // the inside of the object: "name":"text",…
}

// SawOf returns names and texts, which take turns. It is for what is written
// down as it is, as in tests; a name without a text is a mistake and panics.
func SawOf(namesAndTexts ...string) (s Saw) {
	if len(namesAndTexts)%2 != 0 {
		panic(fmt.Sprintf("order: %d names and texts: one is missing", len(namesAndTexts)))
	}
	for i := 0; i < len(namesAndTexts); i += 2 {
		s.Text(namesAndTexts[i], namesAndTexts[i+1])
	}
	return s
}

// Room makes room for about n bytes, so that what is noted then costs no
// further allocation.
func (s *Saw) Room(n int) {
	if cap(s.json) < n {
		s.json = append(make([]byte, 0, n), s.json...)
	}
}

// name begins a pair. Each name is noted once.
func (s *Saw) name(name string) {
	if len(s.json) > 0 {
		s.json = append(s.json, ',')
	}
	s.json = appendJSON(s.json, name)
	s.json = append(s.json, ':')
}

// Text notes a text.
func (s *Saw) Text(name, text string) {
	s.name(name)
	s.json = appendJSON(s.json, text)
}

// Price notes a price.
func (s *Saw) Price(name string, p market.Price) {
	s.name(name)
	s.json, _ = p.AppendText(append(s.json, '"')) // never fails
	s.json = append(s.json, '"')
}

// Qty notes a quantity.
func (s *Saw) Qty(name string, q market.Qty) {
	s.name(name)
	s.json, _ = q.AppendText(append(s.json, '"')) // never fails
	s.json = append(s.json, '"')
}

// Money notes an amount.
func (s *Saw) Money(name string, m market.Money) {
	s.name(name)
	s.json, _ = m.AppendText(append(s.json, '"')) // never fails
	s.json = append(s.json, '"')
}

// Int notes a count.
func (s *Saw) Int(name string, n int) {
	s.name(name)
	s.json = strconv.AppendInt(append(s.json, '"'), int64(n), 10)
	s.json = append(s.json, '"')
}

// Span notes a length of time.
func (s *Saw) Span(name string, d time.Duration) { s.Text(name, d.String()) }

// Bool notes what is true or false.
func (s *Saw) Bool(name string, b bool) { s.Text(name, strconv.FormatBool(b)) }

// IsZero reports whether there is none.
func (s Saw) IsZero() bool { return len(s.json) == 0 }

// Equal reports whether both are the same, in one order.
func (s Saw) Equal(o Saw) bool { return bytes.Equal(s.json, o.json) }

// Get returns the text under a name; ok is false when there is none.
func (s Saw) Get(name string) (text string, ok bool) {
	text, ok = s.Map()[name]
	return text, ok
}

// Is reports whether the text under a name is this one, which needs no escape
// in JSON. It allocates nothing.
func (s Saw) Is(name, text string) bool {
	for rest := s.json; ; {
		i := bytes.Index(rest, []byte(name))
		if i < 0 {
			return false
		}
		after := rest[i+len(name):]
		// A quote inside a text is escaped, so that these are a name's own.
		if i > 0 && rest[i-1] == '"' && bytes.HasPrefix(after, []byte(`":"`)) {
			value := after[len(`":"`):]
			return len(value) > len(text) && string(value[:len(text)]) == text && value[len(text)] == '"'
		}
		rest = after
	}
}

// Map returns texts by name, nil when there is none.
func (s Saw) Map() map[string]string {
	if s.IsZero() {
		return nil
	}
	m := map[string]string{}
	if err := json.Unmarshal(s.AppendJSON(nil), &m); err != nil {
		panic(fmt.Sprintf("order: what a decision saw is no JSON any more: %.200q: %v", s.json, err))
	}
	return m
}

// AppendJSON appends the object.
func (s Saw) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = append(dst, s.json...)
	return append(dst, '}')
}

// MarshalJSON implements [json.Marshaler].
func (s Saw) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// UnmarshalJSON implements [json.Unmarshaler]. A name that comes twice counts
// once, with its last text, at its first place.
func (s *Saw) UnmarshalJSON(b []byte) error {
	texts := map[string]string{}
	if err := json.Unmarshal(b, &texts); err != nil {
		return err
	}
	*s = Saw{}
	if len(texts) == 0 {
		return nil
	}
	s.Room(len(b))
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if _, err := d.Token(); err != nil { // its text
			return err
		}
		key, _ := name.(string) // it was read as one above
		if text, ok := texts[key]; ok {
			s.Text(key, text)
			delete(texts, key)
		}
	}
	return nil
}

// appendJSON appends a text as encoding/json writes it.
func appendJSON(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(text) // a string never fails
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
