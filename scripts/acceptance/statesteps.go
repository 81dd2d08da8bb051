package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// judge compares a document with conditions, and learns from them when all
// hold.
func (s *scene) judge(doc any, list []condition) error {
	for _, c := range list {
		if got := inJSON(doc, c.path); !c.holds(s, got) {
			return fmt.Errorf("expected %v, it is %q", c, got)
		}
	}
	for _, c := range list {
		c.learn(s, inJSON(doc, c.path))
	}
	return nil
}

// linkIs reports how the link differs from a state and conditions, and whether
// /readyz says the same.
func (s *scene) linkIs(state string, list []condition) error {
	link, err := s.link()
	if err != nil {
		return err
	}
	if err := s.judge(link, append([]condition{{"state", "=", state}}, list...)); err != nil {
		return fmt.Errorf("%w; the link: %s", err, jsonText(link))
	}
	status, doc, err := get(address(s.vars["data"]), "/readyz")
	if err != nil {
		return err
	}
	if said := inJSON(doc, "state"); said == state && (status == 200) != (state == "ready") {
		return fmt.Errorf("/readyz answers %d in state %s", status, said)
	}
	return nil
}

func parseLink(l *line) (state string, list []condition, err error) {
	if len(l.words) == 0 {
		return "", nil, errors.New("no state is named")
	}
	list, err = parseConditions(l.words[1:])
	return l.words[0], list, err
}

func parseState(l *line) (action, error) {
	within, err := l.within()
	if err != nil {
		return nil, err
	}
	state, list, err := parseLink(l)
	if err != nil {
		return nil, err
	}
	return func(s *scene) error {
		return s.poll(within, func() error { return s.linkIs(state, list) })
	}, nil
}

func parseStays(l *line) (action, error) {
	d, err := l.length("for")
	if err != nil {
		return nil, err
	}
	state, list, err := parseLink(l)
	if err != nil {
		return nil, err
	}
	return func(s *scene) error {
		timer, tick := time.NewTimer(d), time.NewTicker(every)
		defer timer.Stop()
		defer tick.Stop()
		for {
			if err := s.linkIs(state, list); err != nil {
				return fmt.Errorf("it did not stay: %w", err)
			}
			select {
			case <-timer.C:
				return nil
			case <-tick.C:
			}
		}
	}, nil
}

func parseSees(l *line) (action, error) {
	within, err := l.within()
	if err != nil {
		return nil, err
	}
	list, err := parseConditions(l.words)
	if err != nil || len(list) == 0 {
		return nil, errors.Join(err, errors.New("name what is seen, by its path in the snapshot"))
	}
	return func(s *scene) error {
		return s.poll(within, func() error {
			doc, err := s.snapshot()
			if err != nil {
				return err
			}
			return s.judge(doc, list)
		})
	}, nil
}

// parseMetric compares a metric that has no labels.
func parseMetric(l *line) (action, error) {
	within, err := l.within()
	if err != nil {
		return nil, err
	}
	list, err := parseConditions(l.words)
	if err != nil || len(list) != 1 {
		return nil, errors.Join(err, errors.New("it wants one metric and its bound"))
	}
	c := list[0]
	return func(s *scene) error {
		return s.poll(within, func() error {
			text, err := read(address(s.vars["data"]), "/metrics")
			if err != nil {
				return err
			}
			for line := range strings.Lines(text) {
				if value, ok := strings.CutPrefix(line, c.path+" "); ok {
					if value = strings.TrimSpace(value); !c.holds(s, value) {
						return fmt.Errorf("expected %v, it is %s", c, value)
					}
					return nil
				}
			}
			return fmt.Errorf("there is no metric %s", c.path)
		})
	}, nil
}

func parseSays(want bool) func(*line) (action, error) {
	return func(l *line) (action, error) {
		within, err := l.within()
		if err != nil || len(l.words) != 1 {
			return nil, errors.Join(err, errors.New("it wants one text in quotes"))
		}
		text := l.words[0]
		return func(s *scene) error {
			text, err := s.fill(text)
			if err != nil {
				return err
			}
			if !want {
				if strings.Contains(s.program.said.String(), text) {
					return errors.New("it said so")
				}
				return nil
			}
			return s.poll(within, func() error {
				if !strings.Contains(s.program.said.String(), text) {
					return errors.New("the program said nothing of the kind")
				}
				return nil
			})
		}, nil
	}
}

func parseJSON(l *line) (action, error) {
	list, err := parseConditions(l.words)
	if err != nil || len(list) == 0 {
		return nil, errors.Join(err, errors.New("name what the program's JSON must hold"))
	}
	return func(s *scene) error {
		doc, err := decodeJSON([]byte(s.program.out.String()))
		if err != nil {
			return err
		}
		return s.judge(doc, list)
	}, nil
}

func parseExit(l *line) (action, error) {
	within, err := l.within()
	if err != nil || len(l.words) != 1 {
		return nil, errors.Join(err, errors.New("it wants one exit code"))
	}
	want, err := strconv.Atoi(l.words[0])
	if err != nil {
		return nil, fmt.Errorf("%q is no exit code", l.words[0])
	}
	return func(s *scene) error {
		got, err := s.program.wait(within)
		if err != nil {
			return err
		}
		s.exited = true
		if got != want {
			return fmt.Errorf("exit %d, want %d", got, want)
		}
		return nil
	}, nil
}

// ctlWithin bounds one run of traderctl beside the trader.
const ctlWithin = 20 * time.Second

func parseCtl(l *line) (action, error) {
	if len(l.words) < 2 {
		return nil, errors.New("it wants the exit code and the command")
	}
	want, err := strconv.Atoi(l.words[0])
	if err != nil {
		return nil, fmt.Errorf("%q is no exit code", l.words[0])
	}
	return func(s *scene) error {
		args, err := s.fillAll(l.words[1:])
		if err != nil {
			return err
		}
		p, err := start(filepath.Join(s.programs, "traderctl"), s.folder, nil, append(args, "--data", s.vars["data"]))
		if err != nil {
			return err
		}
		defer p.kill()
		got, err := p.wait(ctlWithin)
		if err != nil {
			return err
		}
		s.ctl = p.said.String()
		s.peer.note("traderctl said:\n%s", tail(s.ctl, 1000))
		if got != want {
			return fmt.Errorf("exit %d, want %d: it said %s", got, want, tail(s.ctl, 1000))
		}
		return nil
	}, nil
}

func parseCtlSays(want bool) func(*line) (action, error) {
	return func(l *line) (action, error) {
		if len(l.words) != 1 {
			return nil, errors.New("it wants one text in quotes")
		}
		return func(s *scene) error {
			text, err := s.fill(l.words[0])
			if err != nil {
				return err
			}
			if strings.Contains(s.ctl, text) != want {
				return fmt.Errorf("it said %s", tail(s.ctl, 1000))
			}
			return nil
		}, nil
	}
}

// parseFile looks for a text in a file of the data folder.
func parseFile(l *line) (action, error) {
	within, err := l.within()
	if err != nil || len(l.words) != 2 {
		return nil, errors.Join(err, errors.New("it wants a file of the data folder, and a text"))
	}
	name, text := l.words[0], l.words[1]
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%q is not inside the data folder", name)
	}
	return func(s *scene) error {
		return s.poll(within, func() error {
			b, err := os.ReadFile(filepath.Join(s.vars["data"], name))
			if err != nil {
				return err
			}
			if !strings.Contains(string(b), text) {
				return fmt.Errorf("it holds %s", tail(string(b), 1000))
			}
			return nil
		})
	}, nil
}
