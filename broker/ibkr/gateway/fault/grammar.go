package fault

import (
	"cmp"
	"slices"
	"strings"
)

// step is one place of a form: a literal word, or a value of some kind that is
// kept under a name.
type step struct {
	word string // the literal, empty for a value
	kind *kind
	name string
}

func (s step) describe() string {
	if s.word != "" {
		return s.word
	}
	return s.kind.describe
}

// form is one way to write something, without options or choices left in it.
type form[T any] struct {
	steps []step
	makes T
}

// match is what a form took: its values by name, and its words.
type match[T any] struct {
	makes  T
	first  token
	values map[string]value
	words  map[string]bool
}

// expand turns a pattern into the forms that it allows. In a pattern [a] may
// be left out, (a|b) is one of several, {name:kind} is a value.
func expand(pattern string) [][]step {
	forms, rest := alternatives(strings.Fields(spaced(pattern)))
	if len(rest) > 0 {
		panic("fault: pattern out of balance: " + pattern)
	}
	return forms
}

// spaced sets the marks of a pattern apart.
func spaced(pattern string) string {
	for _, m := range []string{"[", "]", "(", ")", "|"} {
		pattern = strings.ReplaceAll(pattern, m, " "+m+" ")
	}
	return pattern
}

// alternatives reads sequences separated by | up to a closing mark or the end.
func alternatives(words []string) (forms [][]step, rest []string) {
	current := [][]step{{}}
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		var part [][]step
		switch w {
		case "]", ")":
			return append(forms, current...), words
		case "|":
			forms, current = append(forms, current...), [][]step{{}}
			continue
		case "[":
			part, words = alternatives(words)
			part = append([][]step{{}}, part...)
		case "(":
			part, words = alternatives(words)
		default:
			part = [][]step{{parseStep(w)}}
		}
		current = product(current, part)
	}
	return append(forms, current...), nil
}

func product(heads, tails [][]step) [][]step {
	var all [][]step
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, append(slices.Clone(h), t...))
		}
	}
	return all
}

func parseStep(w string) step {
	inner, ok := strings.CutPrefix(w, "{")
	if !ok {
		return step{word: w}
	}
	name, of, _ := strings.Cut(strings.TrimSuffix(inner, "}"), ":")
	k := kinds[of]
	if k == nil {
		panic("fault: no such kind of value: " + w)
	}
	return step{kind: k, name: name}
}

// take matches the tokens from p.at on against the forms: the longest one that
// fits. What does not fit any is an error that names what was expected there.
func take[T any](p *parser, forms []form[T], what string) (match[T], error) {
	type candidate struct {
		form   *form[T]
		values []value
	}
	alive := make([]candidate, 0, len(forms))
	for i := range forms {
		alive = append(alive, candidate{form: &forms[i]})
	}
	start := p.at
	var done *candidate
	doneAt := start
	for depth := 0; ; depth++ {
		for i := range alive {
			if len(alive[i].form.steps) == depth {
				done, doneAt = &alive[i], p.at
				break
			}
		}
		tok, more := p.peek()
		var next []candidate
		for _, c := range alive {
			if depth >= len(c.form.steps) {
				continue
			}
			if v, ok := c.form.steps[depth].accept(tok, more); ok {
				next = append(next, candidate{c.form, append(slices.Clone(c.values), v)})
			}
		}
		if len(next) == 0 {
			if done != nil && doneAt == p.at {
				break
			}
			var wanted []step
			for _, c := range alive {
				if depth < len(c.form.steps) {
					wanted = append(wanted, c.form.steps[depth])
				}
			}
			return match[T]{}, p.expected(tok, more, what, wanted)
		}
		p.at++
		alive = next
	}
	m := match[T]{makes: done.form.makes, first: p.tokens[start], values: map[string]value{}, words: map[string]bool{}}
	for i, s := range done.form.steps {
		if s.word != "" {
			m.words[s.word] = true
		} else {
			m.values[s.name] = done.values[i]
		}
	}
	return m, nil
}

func (s step) accept(t token, more bool) (value, bool) {
	if !more || t.mark {
		return value{}, false
	}
	if s.word != "" {
		return value{}, t.is(s.word)
	}
	if t.quoted != s.kind.quoted {
		return value{}, false
	}
	return s.kind.read(t.text)
}

// expected says what would have been right, with a near miss where there is
// one.
func (p *parser) expected(t token, more bool, what string, wanted []step) error {
	var names, near []string
	for _, s := range wanted {
		names = append(names, s.describe())
		if s.word != "" {
			near = append(near, s.word)
		} else if s.kind.near != nil {
			near = append(near, s.kind.near()...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if !more {
		t = p.endToken()
	}
	problem := what + ": expected " + listed(names)
	if best := nearest(t.text, near); more && best != "" {
		problem += ": did you mean " + best + "?"
	}
	return p.fault(t, "%s", problem)
}

// listed joins names with commas and a last "or".
func listed(names []string) string {
	if len(names) <= 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// nearest returns the word that is a slip of the hand away, or nothing.
func nearest(text string, words []string) string {
	limit := max(1, len(text)/3)
	best, least := "", limit+1
	sorted := slices.Clone(words)
	slices.SortFunc(sorted, cmp.Compare[string])
	for _, w := range sorted {
		if d := distance(strings.ToLower(text), strings.ToLower(w), limit); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap between a and b; it
// gives up above limit.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || max(len(a), len(b))-min(len(a), len(b)) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
