package acceptance

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verb is one word of the language.
type verb struct {
	usage string
	parse func(*line) (action, error)
}

func verbNames() []string { return slices.Sorted(maps.Keys(verbs)) }

// verbs is the whole language, but for the head. It is filled by the files
// that hold the steps: wiresteps.go, statesteps.go.
var verbs = map[string]verb{
	"<":          {"< hello v100..200 | < NAME FIELD=value … | < 71|2|1|| [within D]", parseExpect},
	">":          {`> version 200 20260405 23:49:26 CET | > NAME FIELD=value … | > 15|1|DU1| | > bytes 00ff | > text "…"`, parseSend},
	"accept":     {"accept [within D]", parseAccept},
	"greet":      {"greet [version=200] [within D]", parseOpening(false)},
	"welcome":    {"welcome [version=200] [accounts=DU7654321] [next=1001] [within D]", parseOpening(true)},
	"eventually": {"eventually NAME FIELD=value … [within D]", parseEventually},
	"never":      {"never NAME FIELD=value … for D", parseNever},
	"silence":    {"silence for D", parseSilence},
	"write":      {"write whole | drip | together", parseWrite},
	"serve":      {"serve SET … of " + "account all clock contract handshake history market orders ticking trading untraded", parseServe(true)},
	"unserve":    {"unserve SET …", parseServe(false)},
	"answer":     {"answer [once] NAME [FIELD=value …] with nothing | MESSAGE FIELD=value … [; MESSAGE …]", parseAnswer},
	"close":      {"close", onConn(func(k *conn) error { return k.finish("close") })},
	"half-close": {"half-close", onConn(func(k *conn) error { return k.finish("half-close") })},
	"reset":      {"reset", onConn(func(k *conn) error { return k.finish("reset") })},
	"freeze":     {"freeze", onConn(func(k *conn) error { k.freeze(); return nil })},
	"thaw":       {"thaw", onConn(func(k *conn) error { k.thaw(); return nil })},
	"hold":       {"hold", onConn(func(k *conn) error { k.keep(); return nil })},
	"port":       {"port closed | open", parsePort},
	"eof":        {"eof [within D]", parseEOF},
	"no":         {"no connection for D", parseNoConnection},

	"connections": {"connections N", parseConnections},
	"state":       {"state NAME [FIELD=value …] [within D]", parseState},
	"stays":       {"stays NAME [FIELD=value …] for D", parseStays},
	"sees":        {"sees PATH=value … [within D]", parseSees},
	"metric":      {"metric NAME>=number [within D]", parseMetric},
	"says":        {`says "text" [within D]`, parseSays(true)},
	"mute":        {`mute "text"`, parseSays(false)},
	"file":        {`file NAME "text" [within D]`, parseFile},
	"json":        {"json PATH=value …", parseJSON},
	"ctl":         {"ctl EXIT ARGUMENT …", parseCtl},
	"ctl-says":    {`ctl-says "text"`, parseCtlSays(true)},
	"ctl-mute":    {`ctl-mute "text"`, parseCtlSays(false)},
	"exit":        {"exit CODE [within D]", parseExit},
	"stop":        {"stop", parsePlain(func(s *scene) error { s.exited = true; return s.program.stop() })},
	"kill":        {"kill", parsePlain(func(s *scene) error { s.exited = true; s.program.kill(); return nil })},
	"start":       {"start", parsePlain(startAgain)},
	"pause":       {"pause D", parsePause},
}

func parsePlain(do action) func(*line) (action, error) {
	return func(l *line) (action, error) {
		if len(l.words) > 0 {
			return nil, fmt.Errorf("%s takes nothing behind it", l.verb)
		}
		return do, nil
	}
}

// onConn is a step that does something to the connection at hand.
func onConn(do func(*conn) error) func(*line) (action, error) {
	return parsePlain(func(s *scene) error {
		if s.conn == nil {
			return errNoConn
		}
		return do(s.conn)
	})
}

// length reads the only duration behind a step's word, such as for.
func (l *line) length(word string) (time.Duration, error) {
	d, err := l.bound(word, 0)
	if err == nil && d == 0 {
		err = fmt.Errorf("it wants a time: %s 500ms", word)
	}
	return d, err
}

func parsePause(l *line) (action, error) {
	l.words = append([]string{"for"}, l.words...)
	d, err := l.length("for")
	if err != nil {
		return nil, err
	}
	return func(s *scene) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-s.program.done:
			return fmt.Errorf("%s ended with %d meanwhile", s.program.name, s.program.cmd.ProcessState.ExitCode())
		}
	}, nil
}

func parseServe(on bool) func(*line) (action, error) {
	return func(l *line) (action, error) {
		names := strings.FieldsFunc(l.rest, func(r rune) bool { return r == ' ' || r == ',' })
		if len(names) == 0 {
			return nil, fmt.Errorf("no set is named")
		}
		for _, n := range names {
			if _, ok := sets[n]; !ok && n != "all" {
				return nil, fmt.Errorf("no set %q: use all or one of %s", n, strings.Join(setNames(), " "))
			}
		}
		return func(s *scene) error { s.peer.serve(names, on); return nil }, nil
	}
}

func parseAnswer(l *line) (action, error) {
	var r rule
	words := l.words
	if len(words) > 0 && words[0] == "once" {
		r.once, words = true, words[1:]
	}
	at := slices.Index(words, "with")
	if at < 1 || at == len(words)-1 {
		return nil, fmt.Errorf("it wants a request, the word with, and what is sent")
	}
	name := words[0]
	var err error
	if r.when, err = parseConditions(words[1:at]); err != nil {
		return nil, err
	}
	var part []string
	for _, w := range append(words[at+1:], ";") {
		if w != ";" {
			part = append(part, w)
			continue
		}
		if len(part) == 1 && part[0] == "nothing" {
			break
		}
		o, err := parseOutgoing(part)
		if err != nil {
			return nil, err
		}
		r.with, part = append(r.with, o), nil
	}
	return func(s *scene) error {
		now := rule{when: r.when, once: r.once}
		for _, o := range r.with {
			now.with = append(now.with, o.known(s.vars))
		}
		s.peer.mu.Lock()
		defer s.peer.mu.Unlock()
		// The newest rule goes first.
		s.peer.rules.answers[name] = append([]rule{now}, s.peer.rules.answers[name]...)
		return nil
	}, nil
}

func parsePort(l *line) (action, error) {
	switch l.rest {
	case "closed":
		return func(s *scene) error { s.peer.shut(); return nil }, nil
	case "open":
		return func(s *scene) error { return s.peer.listen() }, nil
	}
	return nil, fmt.Errorf("a port is closed or open")
}

func parseConnections(l *line) (action, error) {
	n, err := strconv.Atoi(l.rest)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", l.rest)
	}
	return func(s *scene) error {
		s.peer.mu.Lock()
		defer s.peer.mu.Unlock()
		if got := len(s.peer.conns); got != n {
			return fmt.Errorf("%d came, want %d", got, n)
		}
		return nil
	}, nil
}

// startAgain starts the program once more, over the same data.
func startAgain(s *scene) error {
	if !s.program.gone() {
		return fmt.Errorf("%s still runs: stop or kill it first", s.program.name)
	}
	s.peer.await(patience, s.peer.allOver) // so that the end of the run before is known
	return s.start()
}
