package fault

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// parser reads one line.
type parser struct {
	g      *grammar
	name   string
	line   int
	tokens []token
	at     int
}

func (p *parser) peek() (token, bool) {
	if p.at >= len(p.tokens) {
		return token{}, false
	}
	return p.tokens[p.at], true
}

// endToken stands for the end of the line in errors.
func (p *parser) endToken() token {
	last := p.tokens[len(p.tokens)-1]
	return token{text: "end of line", column: last.end + 1}
}

func (p *parser) fault(t token, format string, a ...any) error {
	return &Error{Name: p.name, Line: p.line, Column: t.column, Text: t.text, Problem: fmt.Sprintf(format, a...)}
}

// seed reads "seed N".
func (p *parser) seed(late bool) (uint64, error) {
	if late {
		return 0, p.fault(p.tokens[0], "one seed a script, before its first rule")
	}
	if len(p.tokens) != 2 || p.tokens[1].quoted {
		return 0, p.fault(p.tokens[0], "expected seed and one number from 0 on, such as: seed 7")
	}
	n, err := strconv.ParseUint(p.tokens[1].text, 10, 64)
	if err != nil {
		return 0, p.fault(p.tokens[1], "expected a number from 0 on, such as: seed 7")
	}
	return n, nil
}

// rule reads "WHEN [, LIMIT]...: WHAT [then WHAT]...".
func (p *parser) rule() (Rule, error) {
	r := Rule{Line: p.line}
	for i, t := range p.tokens {
		if i > 0 && t.column > p.tokens[i-1].end+1 {
			r.Text += " "
		}
		if t.quoted {
			r.Text += strconv.Quote(t.text)
		} else {
			r.Text += t.text
		}
	}
	if err := p.when(&r); err != nil {
		return r, err
	}
	for {
		t, more := p.peek()
		switch {
		case !more:
			return r, p.fault(p.endToken(), `expected ":" and what is to happen`)
		case t.isMark(","):
			p.at++
			if err := p.limit(&r); err != nil {
				return r, err
			}
			continue
		case !t.isMark(":"):
			return r, p.fault(t, `expected ":" before what is to happen, or "," before a limit`)
		}
		p.at++
		return r, p.what(&r)
	}
}

func (p *parser) when(r *Rule) error {
	m, err := take(p, p.g.whens, "when")
	if err != nil {
		return err
	}
	v := m.values
	w := When{
		Trigger: m.makes, Wait: v["wait"].wait, Clock: v["clock"].clock, Date: v["date"].at,
		Connection: v["connection"].n, Message: v["message"].n, Inbound: m.words["from"],
		After: m.words["after"], Nth: v["nth"].n, Every: v["every"].n, Each: m.words["each"],
		Byte: int64(v["byte"].n), Chance: v["chance"].chance, Client: optional(v, "client"),
	}
	if w.After && w.Message == Hello {
		return p.fault(m.first, "the hello has no after: write on")
	}
	r.When = w
	return nil
}

func optional(v map[string]value, name string) *int {
	c, ok := v[name]
	if !ok {
		return nil
	}
	return &c.n
}

func (p *parser) limit(r *Rule) error {
	m, err := take(p, p.g.limits, "limit")
	if err != nil {
		return err
	}
	switch m.makes {
	case once:
		r.Times = 1
	case times:
		r.Times = m.values["n"].n
	case until:
		r.Until = Deadline{After: m.values["wait"].wait, Date: m.values["date"].at}
		if c, ok := m.values["clock"]; ok {
			r.Until.Clock = &c.clock
		}
	}
	return nil
}

// what reads the actions up to the end of the line.
func (p *parser) what(r *Rule) error {
	for {
		a, err := p.action(r.When)
		if err != nil {
			return err
		}
		r.What = append(r.What, a)
		t, more := p.peek()
		if !more {
			return nil
		}
		if !t.is("then") {
			return p.fault(t, `expected the end of the line, or "then" and another action`)
		}
		p.at++
	}
}

func (p *parser) action(w When) (Action, error) {
	m, err := take(p, p.g.actions, "what")
	if err != nil {
		return Action{}, err
	}
	v := m.values
	a := Action{
		Verb: m.makes, N: v["n"].n, Wait: v["wait"].wait, For: v["for"].wait, Text: v["text"].text,
		Price: v["price"].price, Symbol: market.Symbol(v["symbol"].text), Client: optional(v, "client"),
		Column: m.first.column,
	}
	if c, ok := v["code"]; ok {
		a.N = c.n
	}
	if f, ok := v["farm"]; ok {
		a.Text = f.text
	}
	switch a.Verb {
	case ZoneTime, AccountList, NextID, IDs, Farm, HalfDead:
		a.Word = variant(m.words)
	case Frame, FrameFirst:
		a.Fields = strings.Split(a.Text, "|")
	}
	return a, p.check(&a, w, m.first)
}

// variant is which of its choices an action took.
func variant(words map[string]bool) string {
	for _, w := range []string{
		"gbk", "without", "hex", "empty", "missing", "trailing", "late", "reversed", "streams", "up", "down", "idle",
	} {
		if !words[w] {
			continue
		}
		if words["streams"] {
			return "up without streams"
		}
		return w
	}
	return ""
}

// check refuses an action that does not go with its trigger.
func (p *parser) check(a *Action, w When, at token) error {
	row := wordOf(a.Verb)
	toClient := w.Trigger == OnMessage && !w.Inbound
	good := true
	switch row.needs {
	case handshake:
		good = w.Trigger == OnConnection
	case message:
		good = w.Trigger == OnMessage && !w.After && w.Message != Hello
	case answer:
		good = toClient && !w.After && w.Message != Hello
	case bytesOf:
		good = toClient && !w.After
	case cancel:
		good = w.Trigger == OnMessage && w.Inbound && !w.After && w.Message == wire.IDCancelOrder
	case execution:
		good = toClient && w.Message == wire.IDExecDetails
	}
	if !good {
		return p.fault(at, "%q goes with %s", strings.TrimSpace(a.Verb.String()), needText[row.needs])
	}
	if a.Verb == GarbageHello || a.Verb == Garbage || a.Verb == GarbageInside {
		if a.N > 1<<16 {
			return p.fault(at, "at most 65536 bytes of garbage at once")
		}
	}
	if a.Verb == AddFields && a.N > 1000 {
		return p.fault(at, "at most 1000 fields at once")
	}
	return nil
}

// Lockstep returns what forbids the script where market time moves only with
// the client: things that never come, for which it would wait for ever.
func (s *Script) Lockstep() error {
	var errs []error
	for _, r := range s.Rules {
		for _, a := range r.What {
			ok := wordOf(a.Verb).lockstep || a.For > 0 && a.Verb != HalfDead
			if a.Verb == Wedge && r.When.Trigger != OnConnection && a.For == 0 {
				ok = false
			}
			if !ok {
				errs = append(errs, &Error{
					Name: s.Name, Line: r.Line, Column: a.Column, Text: strings.TrimSpace(a.Verb.String()),
					Problem: "does not go with speed 0, where market time waits for the client: give it an end (for ...), or a speed above 0",
				})
			}
		}
	}
	return errors.Join(errs...)
}
