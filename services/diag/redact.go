package diag

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// removed stands where something was that is nobody else's business.
const removed = "[removed]"

// redactor takes out of a text what must not leave the machine: texts that are
// known to be secret, values whose name smells of one, what an address says
// beyond its host, and accounts.
type redactor struct {
	secrets  []string // longest first, so that one within another leaves no rest
	accounts []string
	hide     func([]byte) []byte // accounts
}

// leastSecret is the shortest text that is searched for: shorter ones are found
// everywhere.
const leastSecret = 4

func newRedactor(secrets, accounts []string, mask func(accounts []string) func([]byte) []byte) redactor {
	keep := func(list []string) []string {
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return len(s) < leastSecret })
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
		return slices.Compact(list)
	}
	r := redactor{secrets: keep(secrets), accounts: keep(accounts)}
	r.hide = func(b []byte) []byte { return b }
	if mask != nil {
		r.hide = mask(r.accounts)
	}
	return r
}

// text returns b without what must not leave.
func (r redactor) text(b []byte) []byte {
	for _, s := range r.secrets {
		b = bytes.ReplaceAll(b, []byte(s), []byte(removed))
	}
	out := make([]byte, 0, len(b))
	for line := range bytes.Lines(b) {
		out = append(out, redactLine(line)...)
	}
	return r.hide(out)
}

// hints are in every line in which something is looked for by its form: the
// search itself is slow.
var hints = [...]string{"token", "passw", "passphrase", "pwd", "secret", "key", "credential", "authorization", "cookie", "user", "bearer", "basic", "://"}

func redactLine(line []byte) []byte {
	lower := bytes.ToLower(line)
	if !slices.ContainsFunc(hints[:], func(h string) bool { return bytes.Contains(lower, []byte(h)) }) {
		return line
	}
	line = addresses.ReplaceAllFunc(line, address)
	line = authorizations.ReplaceAll(line, []byte("$1 "+removed))
	return named.ReplaceAllFunc(line, value)
}

// leaks returns whether something known is still in b.
func (r redactor) leaks(b []byte) bool {
	for _, list := range [][]string{r.secrets, r.accounts} {
		for _, s := range list {
			if bytes.Contains(b, []byte(s)) {
				return true
			}
		}
	}
	return false
}

// addresses of any scheme. Hooks and tokens stand in their user, path and
// query, so only scheme and host stay, and the path on this machine.
var addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\\]+`)

func address(b []byte) []byte {
	scheme, rest, _ := strings.Cut(string(b), "://")
	host, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, tail = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 { // a password may hold a slash
		after := rest[i+1:]
		host, tail = after, ""
		if j := strings.IndexAny(after, "/?#"); j >= 0 {
			host, tail = after[:j], after[j:]
		}
		host = removed + "@" + host
	}
	path, _, query := strings.Cut(tail, "?")
	path, _, fragment := strings.Cut(path, "#")
	switch {
	case path != "" && path != "/" && !local(host):
		path = "/" + removed
	case query || fragment:
		path += "?" + removed
	}
	return []byte(scheme + "://" + host + path)
}

func local(host string) bool {
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "[::1]")
}

var authorizations = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"',;]+`)

// named are values behind a name that smells of a secret, in JSON, YAML, slog's
// text and the like. The groups are the name with its quote and separator, and
// the value.
var named = regexp.MustCompile(`(?i)([\w.-]*(?:token|passw|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization|cookie|user)[\w.-]*(\\?["'])?\s*[:=]\s*)` +
	`(\[[^\]\n]*\]|\{[^}\n]*\}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\\"(?:[^"\\\n])*\\"|[^\n"',;}\]]+)`)

var plain = regexp.MustCompile(`^(true|false|null)\s*$`)

// value takes the value out, and leaves JSON to be JSON.
func value(b []byte) []byte {
	m := named.FindSubmatch(b)
	if m == nil {
		return []byte(removed)
	}
	name, quoted, v := m[1], m[2], m[3]
	switch {
	case plain.Match(v):
		return b
	case len(v) > 1 && (v[0] == '"' || v[0] == '\''):
		return slices.Concat(name, v[:1], []byte(removed), v[:1])
	case len(v) > 2 && v[0] == '\\':
		return slices.Concat(name, []byte(`\"`+removed+`\"`))
	case v[0] == '[':
		return slices.Concat(name, []byte(`["`+removed+`"]`))
	case v[0] == '{':
		return slices.Concat(name, []byte(`{"`+removed+`":true}`))
	case len(quoted) > 0:
		return slices.Concat(name, []byte(`"`+removed+`"`))
	case name[len(name)-1] == '=': // up to the next word; the rest are others' values
		rest := v
		if i := bytes.IndexAny(v, " \t"); i >= 0 {
			rest = v[i:]
		} else {
			rest = nil
		}
		return slices.Concat(name, []byte(removed), rest)
	}
	return slices.Concat(name, []byte(removed))
}

// accountsIn finds the accounts that our own records and states name.
var accountFields = regexp.MustCompile(`"accounts?"\s*:\s*(\[[^\]]*\]|"[^"]*")`)

var quotedText = regexp.MustCompile(`"([^"\\]+)"`)

func accountsIn(b []byte) (list []string) {
	for _, m := range accountFields.FindAllSubmatch(b, -1) {
		for _, q := range quotedText.FindAllSubmatch(m[1], -1) {
			if id := string(q[1]); !slices.Contains(list, id) && strings.ContainsAny(id, "0123456789") && !strings.Contains(id, "*") { // a masked one is none
				list = append(list, id)
			}
		}
	}
	return list
}
