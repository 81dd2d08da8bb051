package recorder

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// Masker hides accounts: every id that a gateway named as one of its accounts,
// wherever it stands in a field, and besides whatever looks like one, a word of
// DU, DF, U, F or I and five or more digits. An id always becomes the same text
// of the same length, its letters and last two digits with stars between, so
// that one can still be told from another, and lengths stay. Ids of under four
// characters, which no broker gives out, are hidden only where they stand alone.
// A nil Masker hides nothing.
type Masker struct{ ids []maskedID }

type maskedID struct{ id, mask []byte }

// NewMasker returns a masker that knows some accounts.
func NewMasker(accounts ...string) *Masker {
	m := &Masker{}
	for _, a := range accounts {
		id := maskedID{[]byte(a), maskOf(a)}
		known := slices.ContainsFunc(m.ids, func(k maskedID) bool { return bytes.Equal(k.id, id.id) })
		if known || bytes.Equal(id.id, id.mask) { // of a recording that is masked already
			continue
		}
		m.ids = append(m.ids, id)
	}
	slices.SortStableFunc(m.ids, func(a, b maskedID) int { return len(b.id) - len(a.id) })
	return m
}

// MaskOf returns a masker that knows every account that src names, and rewinds
// it.
func MaskOf(src Rewinder) (*Masker, error) {
	var all []string
	for {
		r, err := src.nextAny()
		if errors.Is(err, io.EOF) {
			return NewMasker(all...), src.Rewind()
		}
		if err != nil {
			return nil, err
		}
		for _, a := range r.accounts() {
			if a != "" && !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
}

// maskOf returns what stands for an id: at least three stars.
func maskOf(id string) []byte {
	from, to := 0, len(id)-2
	for from < min(len(id), 2) && isLetter(id[from]) {
		from++
	}
	if to-from < 3 {
		from, to = 0, len(id)
	}
	b := []byte(id)
	for i := from; i < to; i++ {
		b[i] = '*'
	}
	return b
}

// Record returns r with its accounts hidden; r itself stays.
func (m *Masker) Record(r Record) Record {
	if m != nil {
		r.Payload = m.hide(bytes.Clone(r.Payload))
	}
	return r
}

// Text returns s with its accounts hidden.
func (m *Masker) Text(s string) string {
	if m == nil {
		return s
	}
	return string(m.hide([]byte(s)))
}

// hide hides in b itself. Hiding one id can leave another one, or the same one
// where two overlapped, so it goes on until nothing is found; each turn makes
// more stars, so it ends.
func (m *Masker) hide(b []byte) []byte {
	for again := true; again; {
		again = false
		for _, k := range m.ids {
			for at := 0; ; {
				i := bytes.Index(b[at:], k.id)
				if i < 0 {
					break
				}
				at += i
				if len(k.id) < 4 && !standsAlone(b, at, at+len(k.id)) {
					at++
					continue
				}
				copy(b[at:], k.mask)
				again = true
			}
		}
	}
	hideLookalikes(b)
	return b
}

// prefixes of account ids: paper, paper advisor, live, advisor, institution.
var prefixes = [...]string{"DU", "DF", "U", "F", "I"}

const leastDigits = 5

// hideLookalikes hides what nobody named, but what looks like an account.
func hideLookalikes(b []byte) {
	for at := 0; at < len(b); at++ {
		if at > 0 && isWord(b[at-1]) {
			continue
		}
		for _, p := range prefixes {
			if len(b)-at < len(p) || string(b[at:at+len(p)]) != p {
				continue
			}
			end := at + len(p)
			for end < len(b) && isDigit(b[end]) {
				end++
			}
			if end-at-len(p) >= leastDigits && standsAlone(b, at, end) {
				copy(b[at:], maskOf(string(b[at:end])))
			}
		}
	}
}

// standsAlone reports whether b[from:to] is a word of its own.
func standsAlone(b []byte, from, to int) bool {
	return (from == 0 || !isWord(b[from-1])) && (to == len(b) || !isWord(b[to]))
}

func isWord(c byte) bool   { return isDigit(c) || isLetter(c) }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
