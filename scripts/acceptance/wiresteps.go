package acceptance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
)

var errNoConn = errors.New("there is no connection: put accept, greet or welcome before it")

func parseAccept(l *line) (action, error) {
	within, err := l.within()
	if err != nil || len(l.words) > 0 {
		return nil, errors.Join(err, none(l.words))
	}
	return func(s *scene) error { return s.accept(within) }, nil
}

func none(words []string) error {
	if len(words) == 0 {
		return nil
	}
	return fmt.Errorf("%q is not understood here", strings.Join(words, " "))
}

// accept takes the next connection as the one to speak on.
func (s *scene) accept(within time.Duration) error {
	p := s.peer
	if !p.await(within, func() bool { return len(p.conns) > s.accepted }) {
		return fmt.Errorf("no connection came within %v (%d before)", within, s.accepted)
	}
	p.mu.Lock()
	s.conn = p.conns[s.accepted]
	p.mu.Unlock()
	s.accepted++
	return nil
}

// opening are the parts of a handshake that goes well.
type opening struct {
	version  int
	accounts string
	next     int64
}

const usualTime = "20260304 10:00:00 EST"

// parseOpening makes the step that accepts a connection and plays the handshake
// up to START_API, and with both ids when whole.
func parseOpening(whole bool) func(*line) (action, error) {
	return func(l *line) (action, error) {
		within, err := l.within()
		if err != nil {
			return nil, err
		}
		o := opening{200, account, 0}
		fields, err := parseConditions(l.words)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			var err error
			switch f.path {
			case "version":
				o.version, err = strconv.Atoi(f.value)
			case "accounts":
				o.accounts = f.value
			case "next":
				o.next, err = strconv.ParseInt(f.value, 10, 64)
			default:
				err = fmt.Errorf("there is no %s", f.path)
			}
			if err != nil {
				return nil, err
			}
		}
		return func(s *scene) error { return s.open(o, whole, within) }, nil
	}
}

func (s *scene) open(o opening, whole bool, within time.Duration) error {
	if err := s.accept(within); err != nil {
		return err
	}
	if err := s.expect(hearHello("v100..200"), within); err != nil {
		return err
	}
	if err := s.conn.sendVersion(strconv.Itoa(o.version), usualTime); err != nil {
		return err
	}
	if err := s.expect(pattern{name: "startApi"}, within); err != nil || !whole {
		return err
	}
	if o.next == 0 {
		s.peer.mu.Lock()
		o.next = s.peer.rules.nextID
		s.peer.mu.Unlock()
	}
	return s.conn.send(wire.ManagedAccts{List: o.accounts}, wire.NextValidID{OrderID: o.next})
}

// sendVersion sends the reply to a hello, and chooses the layouts by it.
func (k *conn) sendVersion(version, text string) error {
	if n, err := strconv.Atoi(version); err == nil && n > 0 {
		k.peer.mu.Lock()
		k.version = wire.Version(n)
		k.peer.mu.Unlock()
	}
	return k.sendFrame("version", append([]byte(version), "\x00"+text+"\x00"...))
}

// keep has our side stay open when the program closes its own, as a gateway
// does that hangs.
func (k *conn) keep() {
	k.peer.mu.Lock()
	defer k.peer.mu.Unlock()
	k.hold = true
}

// pattern is what a frame of the program must be.
type pattern struct {
	name    string
	fields  []condition
	payload []byte // exactly, when not nil
	hello   string // the versions, when not ""
}

func hearHello(versions string) pattern { return pattern{name: "hello", hello: versions} }

func (w pattern) String() string {
	switch {
	case w.payload != nil:
		return spell(w.payload)
	case w.hello != "":
		return "hello " + w.hello
	}
	var b strings.Builder
	b.WriteString(w.name)
	for _, f := range w.fields {
		b.WriteString(" " + f.String())
	}
	return b.String()
}

// match compares a frame; why is what does not fit.
func (w pattern) match(s *scene, h heard) (why string, ok bool) {
	switch {
	case w.payload != nil:
		return h.text, bytes.Equal(w.payload, h.payload)
	case h.name != w.name:
		return "it is " + h.name, false
	case w.hello != "":
		return h.text, h.text == w.hello
	case len(w.fields) > 0 && h.err != nil:
		return h.err.Error(), false
	}
	for _, f := range w.fields {
		got, err := inMessage(h.message, f.path)
		if err != nil {
			return err.Error(), false
		}
		if !f.holds(s, got) {
			return f.path + " is " + strconv.Quote(got), false
		}
	}
	for _, f := range w.fields {
		got, _ := inMessage(h.message, f.path)
		f.learn(s, got)
	}
	return "", true
}

func parsePattern(l *line) (pattern, error) {
	if payload, raw, err := spelled(l.rest); raw || err != nil {
		return pattern{payload: payload}, err
	}
	if len(l.words) == 0 {
		return pattern{}, fmt.Errorf("no message is named")
	}
	if l.words[0] == "hello" {
		if len(l.words) != 2 {
			return pattern{}, fmt.Errorf("a hello has its versions: hello v100..200")
		}
		return hearHello(l.words[1]), nil
	}
	if !knownClient(l.words[0]) {
		return pattern{}, fmt.Errorf("the program never sends %q: look the name up in the protocol sheet, section 3", l.words[0])
	}
	fields, err := parseConditions(l.words[1:])
	return pattern{name: l.words[0], fields: fields}, err
}

func knownClient(name string) bool {
	for id := range 120 {
		if wire.ClientName(id) == name {
			return true
		}
	}
	return false
}

func parseExpect(l *line) (action, error) {
	within, err := l.within()
	if err != nil {
		return nil, err
	}
	w, err := parsePattern(l)
	if err != nil {
		return nil, err
	}
	return func(s *scene) error { return s.expect(w, within) }, nil
}

// expect wants the next frame to be this one. Frames that were answered in the
// background may come before it.
func (s *scene) expect(w pattern, within time.Duration) error {
	return s.hear(w, within, false)
}

// hear looks for a frame from the cursor on; loose passes over whatever does
// not fit, else only over what was answered in the background.
func (s *scene) hear(w pattern, within time.Duration, loose bool) error {
	k := s.conn
	if k == nil {
		return errNoConn
	}
	var fault error
	found := s.peer.await(within, func() bool {
		for ; k.next < len(k.heard); k.next++ {
			h := k.heard[k.next]
			why, ok := w.match(s, h)
			switch {
			case ok:
				k.next++
				return true
			case !loose && !h.served:
				fault = fmt.Errorf("expected %v; came %s %s: %s", w, h.name, h.text, why)
				return true
			}
		}
		if !k.overAt.IsZero() {
			fault = fmt.Errorf("expected %v; the connection is over", w)
		}
		return fault != nil
	})
	if !found {
		return fmt.Errorf("expected %v; nothing of it came within %v", w, within)
	}
	return fault
}

func parseEventually(l *line) (action, error) {
	within, err := l.within()
	if err != nil {
		return nil, err
	}
	w, err := parsePattern(l)
	if err != nil {
		return nil, err
	}
	return func(s *scene) error { return s.hear(w, within, true) }, nil
}

func parseNever(l *line) (action, error) {
	d, err := l.length("for")
	if err != nil {
		return nil, err
	}
	w, err := parsePattern(l)
	if err != nil {
		return nil, err
	}
	return func(s *scene) error {
		if s.conn == nil {
			return errNoConn
		}
		at := s.conn.next
		if s.hear(w, d, true) == nil {
			return fmt.Errorf("it came")
		}
		s.peer.mu.Lock()
		s.conn.next = at // what came stays to be looked at
		s.peer.mu.Unlock()
		return nil
	}, nil
}

func parseSilence(l *line) (action, error) {
	d, err := l.length("for")
	if err != nil || len(l.words) > 0 {
		return nil, errors.Join(err, none(l.words))
	}
	return func(s *scene) error {
		k := s.conn
		if k == nil {
			return errNoConn
		}
		s.peer.mu.Lock()
		before := len(k.heard)
		s.peer.mu.Unlock()
		var came heard
		if s.peer.await(d, func() bool {
			if len(k.heard) == before {
				return false
			}
			came = k.heard[before]
			return true
		}) {
			return fmt.Errorf("expected nothing; came %s %s", came.name, came.text)
		}
		return nil
	}, nil
}

func parseSend(l *line) (action, error) {
	if payload, raw, err := spelled(l.rest); raw || err != nil {
		name := "frame"
		return withConn(func(_ *scene, k *conn) error { return k.sendFrame(name, payload) }), err
	}
	if len(l.words) == 0 {
		return nil, fmt.Errorf("nothing to send")
	}
	switch rest := l.words[1:]; l.words[0] {
	case "version":
		if len(rest) == 0 {
			return nil, fmt.Errorf("a version has a number")
		}
		text := strings.Join(rest[1:], " ")
		return withConn(func(s *scene, k *conn) error {
			filled, err := s.fill(text)
			if err != nil {
				return err
			}
			return k.sendVersion(rest[0], filled)
		}), nil
	case "bytes":
		b, err := hex.DecodeString(strings.Join(rest, ""))
		return withConn(func(_ *scene, k *conn) error { return k.sendBytes("bytes "+spell(b), b) }), err
	case "text":
		b := []byte(strings.Join(rest, " "))
		return withConn(func(_ *scene, k *conn) error { return k.sendBytes("text "+spell(b), b) }), nil
	}
	o, err := parseOutgoing(l.words)
	return withConn(func(s *scene, k *conn) error {
		m, err := o.message(s.fill)
		if err != nil {
			return err
		}
		return k.send(m)
	}), err
}

func withConn(do func(*scene, *conn) error) action {
	return func(s *scene) error {
		if s.conn == nil {
			return errNoConn
		}
		return do(s, s.conn)
	}
}

func parseWrite(l *line) (action, error) {
	switch l.rest {
	case "whole", "drip", "together":
		return withConn(func(_ *scene, k *conn) error { return k.mode(l.rest) }), nil
	}
	return nil, fmt.Errorf("one writes whole, drip or together")
}

func parseEOF(l *line) (action, error) {
	within, err := l.within()
	if err != nil || len(l.words) > 0 {
		return nil, errors.Join(err, none(l.words))
	}
	return withConn(func(s *scene, k *conn) error {
		if !s.peer.await(within, func() bool { return k.over != live }) {
			return fmt.Errorf("the program did not close within %v", within)
		}
		s.peer.mu.Lock()
		defer s.peer.mu.Unlock()
		if k.over != fin {
			return fmt.Errorf("the program ended the connection, not by a FIN")
		}
		return nil
	}), nil
}

func parseNoConnection(l *line) (action, error) {
	d, err := l.length("for")
	if err != nil || len(l.words) != 1 || l.words[0] != "connection" {
		return nil, errors.Join(err, errors.New("it reads: no connection for 3s"))
	}
	return func(s *scene) error {
		p := s.peer
		p.mu.Lock()
		before := len(p.conns)
		p.mu.Unlock()
		if before > s.accepted {
			return fmt.Errorf("conn %d has come already", before)
		}
		if p.await(d, func() bool { return len(p.conns) > before }) {
			return fmt.Errorf("conn %d came", before+1)
		}
		return nil
	}, nil
}
