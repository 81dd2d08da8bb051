package secret

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Redacted stands in a text where a secret was.
const Redacted = "[redacted]"

// shortest is the shortest word that is taken out: a shorter one is in too
// many harmless texts, and is no secret worth the name.
const shortest = 4

// Redactor takes secrets out of texts. The zero value and nil know none. It is
// safe for concurrent use, and words may be added at any time.
type Redactor struct {
	mu       sync.Mutex // guards words
	words    []string
	replacer atomic.Pointer[strings.Replacer]
}

// Add makes words secrets, in each spelling that a program's output may give
// them. Words of fewer than 4 bytes are left out.
func (r *Redactor) Add(words ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range words {
		if len(w) < shortest {
			continue
		}
		quoted := strconv.Quote(w)
		spellings := []string{w, url.QueryEscape(w), url.PathEscape(w), quoted[1 : len(quoted)-1]}
		if b, err := json.Marshal(w); err == nil {
			spellings = append(spellings, string(b[1:len(b)-1]))
		}
		r.words = append(r.words, spellings...)
	}
	// The longest first: a replacer takes the first that fits.
	slices.SortFunc(r.words, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	r.words = slices.Compact(r.words)
	pairs := make([]string, 0, 2*len(r.words))
	for _, w := range r.words {
		pairs = append(pairs, w, Redacted)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// Text returns s without the secrets.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	re := r.replacer.Load()
	if re == nil {
		return s
	}
	return re.Replace(s)
}

// Writer returns a writer that takes the secrets out of what is written to w.
// Each write is looked at for itself, as a log writes a line at once.
func (r *Redactor) Writer(w io.Writer) io.Writer { return &writer{r, w} }

type writer struct {
	redactor *Redactor
	to       io.Writer
}

// Write implements [io.Writer].
func (w *writer) Write(b []byte) (int, error) {
	if w.redactor == nil || w.redactor.replacer.Load() == nil {
		return w.to.Write(b)
	}
	if _, err := io.WriteString(w.to, w.redactor.Text(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// wordy is how long a part of a path or a query has to be to count as secret
// by itself; shorter ones are words such as "json".
const wordy = 8

// InURL returns what is secret in an URL, for a redactor: all of it, user and
// password, and the longer parts of path and query, of which each may be a
// token. The host is not: a message may name it.
func InURL(raw string) []string {
	words := []string{raw}
	u, err := url.Parse(raw)
	if err != nil {
		return words
	}
	if u.User != nil {
		words = append(words, u.User.String())
		if p, ok := u.User.Password(); ok {
			words = append(words, p, u.User.Username()+":"+p)
		}
		if len(u.User.Username()) >= wordy {
			words = append(words, u.User.Username())
		}
	}
	if len(u.Path) > wordy {
		words = append(words, u.Path, strings.Trim(u.Path, "/"))
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= wordy {
			words = append(words, part)
		}
	}
	if len(u.RawQuery) >= wordy {
		words = append(words, u.RawQuery)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= wordy {
				words = append(words, v)
			}
		}
	}
	return words
}
