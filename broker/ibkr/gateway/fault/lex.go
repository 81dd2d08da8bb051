package fault

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a word, a quoted text, or one of the marks ":" and ",".
type token struct {
	text   string // without quotes
	quoted bool
	mark   bool
	column int // from 1, in bytes
	end    int // where it ends, in bytes
}

// is reports whether the token is that word, in any case.
func (t token) is(word string) bool { return !t.quoted && !t.mark && strings.EqualFold(t.text, word) }

func (t token) isMark(m string) bool { return t.mark && t.text == m }

func splitLines(text string) []string {
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines
}

// lex cuts a line into tokens and leaves the comment away. A colon or a comma
// is a mark where a blank or the end follows: 10:30 is one word.
func (p *parser) lex(line string) ([]token, error) {
	var list []token
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '#':
			return list, nil
		case c == '"':
			quoted, err := strconv.QuotedPrefix(line[i:])
			if err != nil {
				return nil, p.fault(token{text: line[i:], column: i + 1}, "a text begins and is not ended: close it with \", and write \\\" for a quote in it")
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, p.fault(token{text: quoted, column: i + 1}, "not a text: %v", err)
			}
			list = append(list, token{text: text, quoted: true, column: i + 1, end: i + len(quoted)})
			i += len(quoted)
		default:
			end := wordEnd(line, i)
			word := line[i:end]
			if !utf8.ValidString(word) || strings.IndexFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
				return nil, p.fault(token{text: word, column: i + 1}, "not readable text: write UTF-8")
			}
			list = append(list, token{text: word, mark: word == ":" || word == ",", column: i + 1, end: end})
			i = end
		}
	}
	return list, nil
}

// wordEnd returns where the word, or the mark, that begins at i ends.
func wordEnd(line string, i int) int {
	ends := func(k int) bool { return k >= len(line) || strings.IndexByte(" \t#", line[k]) >= 0 }
	isMark := func(k int) bool { return (line[k] == ':' || line[k] == ',') && ends(k+1) }
	if isMark(i) {
		return i + 1
	}
	k := i
	for !ends(k) && line[k] != '"' && !isMark(k) {
		k++
	}
	return k
}
