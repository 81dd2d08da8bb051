package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scene is one run of a script.
type scene struct {
	script   *Script
	programs string // the folder of the binaries
	folder   string // the scenario's own
	peer     *peer
	conn     *conn // the connection that the steps speak on
	accepted int   // connections that a step has accepted
	program  *program
	vars     map[string]string
	ctl      string // what traderctl said last
	linkSaid string // the link as a step saw it last
	exited   bool   // a step has seen the end of the program
}

// Run plays a script against the binaries in programs, in a folder of its own.
// The error tells the step that failed, what was expected and what came, and
// then what went over the wire and what the program said.
func Run(s *Script, programs, folder string) error {
	p, err := open(s.Market)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	sc := &scene{script: s, programs: programs, folder: folder, peer: p, vars: map[string]string{}}
	defer p.close()
	err = sc.play()
	if err == nil {
		return nil
	}
	said := ""
	if sc.program != nil {
		said = tail(sc.program.said.String(), 4000)
	}
	return fmt.Errorf("%w\n--- the wire, < from the program:\n%s\n--- the program's last words:\n%s", err, p.transcript(), said)
}

func (s *scene) play() error {
	s.vars["gateway"], s.vars["data"] = s.peer.address, filepath.Join(s.folder, "data")
	_, s.vars["port"], _ = strings.Cut(s.peer.address, ":")
	s.peer.rules.many = s.script.Sessions != ""
	if err := s.start(); err != nil {
		return fmt.Errorf("%s: start %s: %w", s.script.Path, s.script.Program, err)
	}
	defer func() { s.program.kill() }()
	for _, st := range s.script.Steps {
		s.peer.note("line %d: %s", st.Line, st.Text)
		if err := st.do(s); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", s.script.Path, st.Line, st.Text, err)
		}
	}
	if err := s.end(); err != nil {
		return fmt.Errorf("%s: at the end: %w", s.script.Path, err)
	}
	return nil
}

// calm are settings that every scenario begins with: what a gateway does by the
// clock of the wall must not depend on when the tests run.
var calm = []string{"broker.ibkr.restart_at=off", "broker.ibkr.login_at=off"}

// start starts the program with the script's flags, and with those that make it
// meet the peer.
func (s *scene) start() error {
	args, err := s.fillAll(s.script.Args)
	if err != nil {
		return err
	}
	settings, err := s.fillAll(s.script.Set)
	if err != nil {
		return err
	}
	if s.script.Program == "start_trader" {
		args = append([]string{"--broker", "ibkr", "--gateway", s.peer.address, "--http", "127.0.0.1:0", "--data", s.vars["data"]}, args...)
	}
	var env []string
	if s.script.Program == "start_trader" {
		settings = append(slices.Clone(calm), settings...)
	}
	for _, set := range settings {
		key, value, _ := strings.Cut(set, "=")
		env = append(env, "TRADER_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"="+value)
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	s.exited = false
	s.program, err = start(filepath.Join(s.programs, s.script.Program), s.folder, env, args)
	return err
}

// end stops the program in order, unless a step has seen it end, and looks at
// its manners.
func (s *scene) end() error {
	var err error
	switch {
	case s.exited:
	case s.program.gone():
		err = fmt.Errorf("%s ended by itself with %d", s.program.name, s.program.cmd.ProcessState.ExitCode())
	default:
		s.peer.note("the program is asked to stop")
		for _, k := range s.peer.all() {
			k.thaw()
		}
		err = s.program.stop()
	}
	s.peer.quiet(patience) // a program that has gone has ended all: only a busy machine reads late
	for _, fault := range s.peer.judgeEnds(s.script.Reset != "") {
		err = errors.Join(err, errors.New("manners: "+fault))
	}
	return err
}

// fill replaces each {name} in a text: what a step has learnt, or gateway,
// port, data, now (market time as Unix seconds) and the machine's
// local time: clock+90s (as 15:04) and day+90s (as Mon).
func (s *scene) fill(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := s.vars[name]
		late, clock := strings.CutPrefix(name, "clock")
		late, day := strings.CutPrefix(late, "day")
		switch {
		case !closed:
			return "", fmt.Errorf("%q: a { without its }", text)
		case known:
		case name == "now" && s.peer != nil:
			value = fmt.Sprint(s.peer.now().Unix())
		case clock || day:
			d, err := time.ParseDuration(late)
			if err != nil {
				return "", fmt.Errorf("{%s}: %w", name, err)
			}
			value = time.Now().Add(d).Format(map[bool]string{true: "15:04", false: "Mon"}[clock])
		default:
			return "", fmt.Errorf("{%s} is not known: learn it in an earlier step, as in: < reqMktData ReqID={%s}", name, name)
		}
		b.WriteString(value)
		text = after
	}
}

func (s *scene) fillAll(list []string) ([]string, error) {
	out := make([]string, len(list))
	for i, text := range list {
		var err error
		if out[i], err = s.fill(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// link asks how the trader's link stands.
func (s *scene) link() (link any, err error) {
	doc, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	m, ok := doc.(map[string]any)
	if !ok || m["link"] == nil {
		return nil, errors.New("the snapshot has no link")
	}
	s.noteLink(m["link"])
	return m["link"], nil
}

// noteLink writes what a step saw of the link into the transcript, when it is
// another thing than before.
func (s *scene) noteLink(link any) {
	var parts []string
	for _, name := range []string{"state", "rung", "failure", "phase", "breaker.state", "cause", "advice"} {
		if v := inJSON(link, name); v != "" && v != absent {
			parts = append(parts, name+"="+strconv.Quote(v))
		}
	}
	if text := strings.Join(parts, " "); text != s.linkSaid {
		s.linkSaid = text
		s.peer.note("the link: %s", text)
	}
}

// snapshot asks for the trader's whole state.
func (s *scene) snapshot() (any, error) {
	addr := address(s.vars["data"])
	if addr == "" {
		return nil, errors.New("the trader does not serve yet")
	}
	status, doc, err := get(addr, "/api/state")
	if err != nil {
		return nil, err
	}
	m, ok := doc.(map[string]any)
	if status != 200 || !ok || m["data"] == nil {
		return nil, fmt.Errorf("/api/state answered %d with no snapshot", status)
	}
	return m["data"], nil
}

// every is how often a document is asked for while a step waits.
const every = 20 * time.Millisecond

// poll asks again until look is content, or the time is over; the error is then
// what it saw last.
func (s *scene) poll(within time.Duration, look func() error) error {
	timer, tick := time.NewTimer(within), time.NewTicker(every)
	defer timer.Stop()
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-timer.C:
			return fmt.Errorf("not within %v: %w", within, err)
		case <-s.program.done:
			if err := look(); err == nil {
				return nil
			}
			return fmt.Errorf("%s has ended with %d: %w", s.program.name, s.program.cmd.ProcessState.ExitCode(), err)
		case <-tick.C:
		}
	}
}
