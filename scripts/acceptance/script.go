package acceptance

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a step waits when it does not say: far above what a
// busy machine needs, since nothing waits that long when all is well.
const patience = 30 * time.Second

// Script is one scenario.
type Script struct {
	Path    string
	Name    string   // the file's name without its ending
	Title   string   // what happens, in words
	Answers []string // the lines of documents that it answers, such as "lesson 2.20"
	Program string   // start_trader or traderctl
	Args    []string
	Set     []string  // configuration, KEY=VALUE
	Market  time.Time // market time at the start; default a Wednesday, 10:00 in New York
	// Pending is why the scenario is not run yet; "" = it is.
	Pending string
	// Reset is why the program may end a connection with a reset; "" = it may
	// not.
	Reset string
	// Sessions is why another program may have a session beside the trader's; ""
	// = none may.
	Sessions string
	Steps    []Step
}

// Step is one line of a script.
type Step struct {
	Line int
	Text string
	do   action
}

type action func(*scene) error

// line is one line of a script as it is parsed.
type line struct {
	number int
	verb   string
	rest   string // behind the verb, as it stands
	words  []string
}

// defaultMarket is a Wednesday, 10:00 in New York: in the regular session.
var defaultMarket = time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)

// Parse reads a script. The error holds all faults, each with file, line and
// mend.
func Parse(path string, text []byte) (*Script, error) {
	s := &Script{
		Path: path, Name: strings.TrimSuffix(filepath.Base(path), ".tws"), Market: defaultMarket,
	}
	var faults []error
	for i, raw := range strings.Split(string(text), "\n") {
		raw = strings.TrimSpace(raw)
		if raw == "" || strings.HasPrefix(raw, "#") {
			continue
		}
		if err := s.add(i+1, raw); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %q: %w", path, i+1, raw, err))
		}
	}
	if err := s.complete(); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", path, err))
	}
	return s, errors.Join(faults...)
}

func (s *Script) add(number int, raw string) error {
	verb, rest, _ := strings.Cut(raw, " ")
	rest = strings.TrimSpace(rest)
	words, err := split(rest)
	if err != nil {
		return err
	}
	l := &line{number, verb, rest, words}
	if set, ok := heads[verb]; ok {
		if len(s.Steps) > 0 {
			return fmt.Errorf("%s belongs to the head: put it above the first step", verb)
		}
		return set(s, l)
	}
	v, ok := verbs[verb]
	if !ok {
		return fmt.Errorf("no such step: use one of %s", strings.Join(verbNames(), " "))
	}
	do, err := v.parse(l)
	if err != nil {
		return fmt.Errorf("%w; it reads: %s", err, v.usage)
	}
	s.Steps = append(s.Steps, Step{number, raw, do})
	return nil
}

// complete tells what a script lacks as a whole.
func (s *Script) complete() error {
	var faults []error
	need := func(ok bool, text string) {
		if !ok {
			faults = append(faults, errors.New(text))
		}
	}
	need(s.Title != "", "no title: say what happens, as in: title the port is open and nobody answers")
	need(len(s.Answers) > 0, "no answers: name the document's line, as in: answers lesson 2.20")
	need(s.Program != "", "no run: name the program, as in: run start_trader --headless AAPL")
	need(len(s.Steps) > 0, "no steps: say what the gateway does")
	ends := slices.ContainsFunc(s.Steps, func(st Step) bool { return strings.HasPrefix(st.Text, "exit ") })
	need(s.Program != "traderctl" || ends, "traderctl ends by itself: add a step such as: exit 11")
	return errors.Join(faults...)
}

// heads are the lines of a script's head.
var heads = map[string]func(*Script, *line) error{
	"title": func(s *Script, l *line) error { return once(&s.Title, l) },
	"pending": func(s *Script, l *line) error {
		return once(&s.Pending, l)
	},
	"allow": func(s *Script, l *line) error {
		what, why, _ := strings.Cut(l.rest, " ")
		switch {
		case why == "":
		case what == "reset":
			s.Reset = why
			return nil
		case what == "sessions":
			s.Sessions = why
			return nil
		}
		return errors.New("what may be allowed is reset or sessions, with its reason: allow reset because force_disconnect is on")
	},
	"answers": func(s *Script, l *line) error {
		if len(l.words) < 2 || !slices.Contains([]string{"lesson", "sheet", "contract", "promise"}, l.words[0]) {
			return errors.New("name a document and its line: lesson 2.20, sheet 10.2, contract 4, promise retry")
		}
		s.Answers = append(s.Answers, l.rest)
		return nil
	},
	"run": func(s *Script, l *line) error {
		if s.Program != "" || len(l.words) == 0 || l.words[0] != "start_trader" && l.words[0] != "traderctl" {
			return errors.New("one program is run: start_trader or traderctl, with its flags")
		}
		s.Program, s.Args = l.words[0], l.words[1:]
		return nil
	},
	"set": func(s *Script, l *line) error {
		if len(l.words) != 1 || strings.Index(l.rest, "=") < 1 {
			return errors.New("a setting is KEY=VALUE: set broker.ibkr.handshake_timeout=1s")
		}
		s.Set = append(s.Set, l.words[0])
		return nil
	},
	"market": func(s *Script, l *line) (err error) {
		s.Market, err = time.Parse(time.RFC3339, l.rest)
		return err
	},
}

func once(p *string, l *line) error {
	if *p != "" || l.rest == "" {
		return fmt.Errorf("%s stands once, with a text", l.verb)
	}
	*p = l.rest
	return nil
}

// split cuts a line into words at blanks. A part in double quotes is as Go
// spells a string, blanks and escapes included; a # behind a blank begins a
// comment.
func split(text string) ([]string, error) {
	var words []string
	var word []byte
	in := false
	end := func() {
		if in {
			words = append(words, string(word))
		}
		word, in = nil, false
	}
	for len(text) > 0 {
		switch c := text[0]; {
		case c == ' ' || c == '\t':
			end()
			text = text[1:]
		case c == '#' && !in:
			return words, nil
		case c == '"':
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, fmt.Errorf("a quote is not closed, or holds a wrong escape: %.40s", text)
			}
			plain, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("%.40s: %w", quoted, err)
			}
			word, in = append(word, plain...), true
			text = text[len(quoted):]
		default:
			word, in = append(word, c), true
			text = text[1:]
		}
	}
	end()
	return words, nil
}

// within takes "within D" off the end of a line's words; without it the step
// has our patience.
func (l *line) within() (time.Duration, error) {
	return l.bound("within", patience)
}

func (l *line) bound(word string, without time.Duration) (time.Duration, error) {
	n := len(l.words)
	if n < 2 || l.words[n-2] != word {
		return without, nil
	}
	d, err := time.ParseDuration(l.words[n-1])
	if err != nil || d <= 0 || d > time.Minute {
		return 0, fmt.Errorf("%s %q is not a time above 0 and at most 1m, such as 1500ms", word, l.words[n-1])
	}
	l.words = l.words[:n-2]
	return d, nil
}
