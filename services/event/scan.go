package event

import (
	"encoding"
	"strconv"
	"time"
)

// plain reports whether a byte stands for itself in JSON, as encoding/json
// writes it.
func plain(c byte) bool {
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
}

// appendString appends a string that needs no escape; ok is false for one that
// does.
func appendString(dst []byte, s string) (_ []byte, ok bool) {
	for i := range len(s) {
		if !plain(s[i]) {
			return dst, false
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"'), true
}

// appendText appends an exact number, which always has a text.
func appendText[T encoding.TextAppender](dst []byte, v T) []byte {
	dst = append(dst, '"')
	dst, _ = v.AppendText(dst)
	return append(dst, '"')
}

// appendTime appends a time; ok is false for a year or a zone that RFC 3339
// does not have.
func appendTime(dst []byte, t time.Time) (_ []byte, ok bool) {
	dst = append(dst, '"')
	dst, err := t.AppendText(dst)
	return append(dst, '"'), err == nil
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// scan reads JSON of one layout. Once something is not as expected it is bad
// and stays so: the caller takes the long way.
type scan struct {
	rest []byte
	bad  bool
}

// done reports whether all was as expected, to the end.
func (s *scan) done() bool { return !s.bad && len(s.rest) == 0 }

// skip takes text where it is next, and reports whether it was.
func (s *scan) skip(text string) bool {
	if s.bad || len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scan) expect(text string) {
	if !s.skip(text) {
		s.bad = true
	}
}

// string takes a string without escapes.
func (s *scan) string() []byte {
	s.expect(`"`)
	if s.bad {
		return nil
	}
	for i, c := range s.rest {
		if c == '"' {
			b := s.rest[:i]
			s.rest = s.rest[i+1:]
			return b
		}
		if !plain(c) {
			break
		}
	}
	s.bad = true
	return nil
}

func (s *scan) text(v encoding.TextUnmarshaler) {
	b := s.string()
	if !s.bad && v.UnmarshalText(b) != nil {
		s.bad = true
	}
}

func (s *scan) uint() uint64 {
	n := 0
	for n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(s.rest[:n]), 10, 64)
	if err != nil || n > 1 && s.rest[0] == '0' {
		s.bad = true
		return 0
	}
	s.rest = s.rest[n:]
	return v
}
