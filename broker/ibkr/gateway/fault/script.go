package fault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"robotrader/broker/market"
)

// The bounds of a script. One beyond them is refused with its line.
const (
	MaxSize  = 256 << 10 // bytes
	MaxLines = 2_000
	MaxRules = 200
	// MaxCount bounds every number of bytes, frames, fields and times.
	MaxCount = 1_000_000
	// MaxDuration bounds every duration.
	MaxDuration = 7 * 24 * time.Hour
)

// Script is a parsed fault script. It never changes after [Parse].
type Script struct {
	Name  string
	Seed  uint64 // of all that is drawn: probabilities and garbage; default 1
	Rules []Rule
}

// Rule is one line of a script: when, what, and how often.
type Rule struct {
	Line int    // from 1
	Text string // as written, without comment and indentation
	When When
	What []Action
	// Times bounds how often the rule fires. 0 is no bound.
	Times int
	// Until is when the rule ends; zero is never.
	Until Deadline
}

// Deadline is the end of a rule, in one of three forms. The zero Deadline is
// none.
type Deadline struct {
	After time.Duration // since the gateway's start, above 0
	Clock *Clock        // on the first market day
	Date  time.Time     // market time
}

// Clock is a time of day in New York.
type Clock struct{ Hour, Minute, Second int }

// Trigger is the form of a [When].
type Trigger uint8

// The triggers. For each the fields of When that it uses are named.
const (
	AtStart      Trigger = iota + 1
	AtClock              // Clock: every market day
	AtDate               // Date: once
	AfterStart           // Wait
	AfterOpen            // Wait; Connection, 0 = each
	AfterReady           // Wait; Client, nil = each
	OnConnection         // Connection, 0 = every
	OnMessage            // Message, Inbound, After, Nth or Every, Chance; Client, Connection, Each
	OnByte               // Byte, Inbound; Connection, 0 = each
)

// When says when a rule fires.
type When struct {
	Trigger    Trigger
	Wait       time.Duration
	Clock      Clock
	Date       time.Time
	Connection int
	Client     *int

	Message int  // its id, or AnyMessage, or Hello
	Inbound bool // from the client
	After   bool // when it was handled or queued, instead of before
	Nth     int  // the nth alone; 0 = every
	Every   int  // every so manieth; 0 or 1 = each
	Chance  float64
	Each    bool // counts begin anew with each connection
	Byte    int64
}

// AnyMessage and Hello stand in [When] for a message id: any message, and the
// gateway's first frame, which has none.
const (
	AnyMessage = -1
	Hello      = -2
)

// Action is one thing that a rule does. Which fields count depends on Verb,
// see the table of the language.
type Action struct {
	Verb   Verb
	N      int           // bytes, frames, fields, a position, an id
	Wait   time.Duration // before or between
	For    time.Duration // how long it lasts; 0 = for good
	Text   string
	Fields []string
	Price  market.Price
	Symbol market.Symbol
	Client *int   // whom it is told; nil = all
	Word   string // the variant, such as "down"
	Column int    // where it stands
}

// Error is a fault of a script: where, what was read, what is wrong with it,
// and the mend.
type Error struct {
	Name         string
	Line, Column int
	Text         string // what stands there
	Problem      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %.60q: %s", e.Name, e.Line, e.Column, e.Text, e.Problem)
}

// Load reads and parses a script.
func Load(path string) (*Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("fault script: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("fault script %s: %w", path, err)
	}
	return Parse(path, text)
}

// Parse reads a script. name stands in its errors, which are [*Error], joined:
// all of them.
func Parse(name string, text []byte) (*Script, error) {
	s := &Script{Name: name, Seed: 1}
	if len(text) > MaxSize {
		return nil, &Error{Name: name, Line: 1, Column: 1, Problem: fmt.Sprintf("the script is longer than %d bytes", MaxSize)}
	}
	lines := splitLines(string(text))
	if len(lines) > MaxLines {
		return nil, &Error{Name: name, Line: MaxLines + 1, Column: 1, Problem: fmt.Sprintf("more than %d lines", MaxLines)}
	}
	g := newGrammar()
	var errs []error
	seeded := false
	for i, line := range lines {
		p := &parser{g: g, name: name, line: i + 1}
		tokens, err := p.lex(line)
		if err != nil || len(tokens) == 0 {
			errs = append(errs, err)
			continue
		}
		p.tokens = tokens
		if tokens[0].is("seed") {
			seed, err := p.seed(seeded || len(s.Rules) > 0)
			s.Seed, seeded = seed, true
			errs = append(errs, err)
			continue
		}
		r, err := p.rule()
		errs = append(errs, err)
		if err == nil && len(s.Rules) == MaxRules {
			return nil, errors.Join(append(errs, p.fault(tokens[0], "more than %d rules", MaxRules))...)
		}
		s.Rules = append(s.Rules, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}
