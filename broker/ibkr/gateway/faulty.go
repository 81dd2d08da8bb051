package gateway

import (
	"bufio"
	"math/rand/v2"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/wire"
)

// faulty is a session under a fault script. A nil one is a session without.
// The server's mutex guards it, except where another owner is named.
type faulty struct {
	f      *faults
	c      *conn
	w      *shaper
	number int // of the connection, from 1

	offline bool // the gateway has lost the venue, as this session knows it
	greeted bool // the hello was answered: the version is known
	join    time.Duration
	joining bool // a flush is on its way

	// What the script changes in the handshake; zero actions change nothing.
	before   [][]byte // frames before the version reply
	zone     fault.Action
	redirect string
	noise    []byte // instead of the version reply
	accounts fault.Action
	nextID   fault.Action
	ids      fault.Action
	list     wire.Message // the account list, while it waits for the next id

	// Of the reader's goroutine.
	after []fault.Firing // when the message in hand was handled
	again []byte         // a message to be handled once more
}

// attach puts a session under the script before its first byte. Called under
// the server's mutex.
func (f *faults) attach(c *conn) {
	if f == nil {
		return
	}
	f.conns++
	y := &faulty{f: f, c: c, number: f.conns, offline: f.offline}
	y.w = newShaper(c.net, f.s.cfg.WriteTimeout, f.s.cfg.HelloTimeout, f.frozenUntil, func(inbound bool, mark int64) []byte {
		return f.reached(c, inbound, mark)
	})
	y.w.inMarks, y.w.outMarks = f.plan.Marks(y.number, true), f.plan.Marks(y.number, false)
	if f.wedged.After(time.Now()) {
		y.w.wedged = f.wedged
	}
	c.fault, c.net, c.in = y, y.w, bufio.NewReaderSize(y.w, 16<<10)
	f.act(f.plan.Open(y.number, f.now()), c)
	f.kick()
}

// reached fires what a byte makes fire. What the writer is to do is returned
// to it, because it is the writer that came to the byte.
func (f *faults) reached(c *conn, inbound bool, mark int64) []byte {
	f.s.lock()
	defer f.s.unlock()
	sc := &scene{conn: c, writes: !inbound}
	f.play(f.plan.Byte(c.fault.number, inbound, mark, f.now()), sc)
	return sc.direct
}

// gbkZone is how a gateway on a Chinese system writes its zone: GBK, not UTF-8.
// Section 1.3.
const gbkZone = "\xd6\xd0\xb9\xfa\xb1\xea\xd7\xbc\xca\xb1\xbc\xe4"

// greets answers the hello as the script wants it, and reports whether it did.
// payload is the answer as it would be.
func (y *faulty) greets(payload []byte) bool {
	if y == nil {
		return false
	}
	y.greeted = true
	for _, frame := range y.before {
		y.put(wire.AppendFrame(nil, frame), -1)
	}
	if y.noise != nil {
		y.shape(shape{op: opRaw, bytes: y.noise})
		return true
	}
	version, at, _ := strings.Cut(strings.TrimSuffix(string(payload), "\x00"), "\x00")
	switch bare := at[:min(len(at), len("20060102 15:04:05"))]; {
	case y.zone.Verb == 0:
	case y.zone.Word == "gbk":
		at = bare + " " + gbkZone
	case y.zone.Word == "without":
		at = bare
	default:
		at = y.zone.Text
	}
	if y.redirect != "" {
		version, at = "-1", y.redirect
	}
	y.pass(fault.Hello, wire.AppendFrame(nil, []byte(version+"\x00"+at+"\x00")), nil)
	return true
}

// sends takes a message off the session's hands, if the script has to do with
// it, and reports whether it did.
func (y *faulty) sends(m wire.Message) bool {
	switch {
	case y == nil:
		return false
	case y.lacks(m.ID()):
		return true
	case !y.c.ready && y.handshake(m):
		return true
	}
	return y.tells(m)
}

// tells sends a message, if a rule fires for it, and reports whether one did.
func (y *faulty) tells(m wire.Message) bool {
	if y.join > 0 {
		y.flushLater()
	}
	on, after := y.count(m.ID(), false)
	if len(on)+len(after) == 0 {
		return false
	}
	frame, err := wire.AppendMessage(nil, m, y.c.version)
	if err != nil {
		return false // the session logs it
	}
	y.deliver(m.ID(), frame, m, on, after)
	return true
}

// count asks the plan about a message.
func (y *faulty) count(id int, inbound bool) (on, after []fault.Firing) {
	if y.f.own {
		return nil, nil
	}
	client := -1
	if y.c.client != nil {
		client = y.c.client.id
	}
	return y.f.plan.Message(fault.Message{Conn: y.number, Client: client, ID: id, Inbound: inbound}, y.f.now())
}

// pass sends a frame that is no message of the session, such as the hello.
func (y *faulty) pass(id int, frame []byte, m wire.Message) {
	on, after := y.count(id, false)
	y.deliver(id, frame, m, on, after)
}

// emit sends a message that was held or changed: rules still apply to it.
func (y *faulty) emit(m wire.Message) {
	if y.tells(m) {
		return
	}
	if frame, err := wire.AppendMessage(nil, m, y.c.version); err == nil {
		y.put(frame, m.ID())
	}
}

// flight is a frame on its way to the client, with what rules do to it.
type flight struct {
	id     int
	frame  []byte
	msg    wire.Message // nil for the hello
	drop   bool
	hold   time.Duration
	shapes []shape // right before it
	copies []time.Duration
}

// deliver lets the rules have their way with a frame, and sends what is left.
func (y *faulty) deliver(id int, frame []byte, m wire.Message, on, after []fault.Firing) {
	fl := &flight{id: id, frame: frame, msg: m}
	y.f.play(on, &scene{conn: y.c, flight: fl})
	switch {
	case fl.drop:
	case fl.hold > 0 && y.hold(fl.hold, fl):
	default:
		y.launch(fl)
	}
	for _, wait := range fl.copies {
		again := &flight{id: fl.id, frame: fl.frame}
		if wait == 0 || !y.hold(wait, again) {
			y.launch(again)
		}
	}
	y.f.play(after, &scene{conn: y.c, flight: fl})
}

// launch queues a frame.
func (y *faulty) launch(fl *flight) {
	for _, s := range fl.shapes {
		y.shape(s)
	}
	y.put(fl.frame, fl.id)
}

// hold queues a frame later, unless too much is held already.
func (y *faulty) hold(wait time.Duration, fl *flight) bool {
	f := y.f
	if f.held >= maxHeld || f.heldBytes+len(fl.frame) > maxHeldBytes {
		return false
	}
	f.held++
	f.heldBytes += len(fl.frame)
	f.later(wait, func() {
		f.held--
		f.heldBytes -= len(fl.frame)
		y.launch(fl) // an ended queue takes it and forgets it
	})
	return true
}

// behind is the class of what the script wrote or let pass: its place is where
// it was put, behind all quotes that were put before. One of them may be of the
// same stream.
var behind = class{place: edge}

// put queues the bytes of a frame, and counts it as sent.
func (y *faulty) put(frame []byte, id int) {
	if !y.c.queue.put(behind, func(dst []byte) []byte { return append(dst, frame...) }) {
		y.c.stuck()
		return
	}
	y.c.count(id)
	y.c.mark()
}

// shape queues an instruction to the shaper.
func (y *faulty) shape(s shape) {
	y.c.queue.put(behind, func(dst []byte) []byte { return s.append(dst) })
	y.c.mark()
}

// flushLater bounds how long joined frames wait.
func (y *faulty) flushLater() {
	if y.joining {
		return
	}
	y.joining = true
	y.f.later(y.join, func() {
		y.joining = false
		y.shape(shape{op: opFlush})
	})
}

// handshake changes what the two ids of the handshake say, and reports whether
// it took the message. Called before the session is ready.
func (y *faulty) handshake(m wire.Message) bool {
	switch m := m.(type) {
	case wire.ManagedAccts:
		switch y.accounts.Word {
		case "missing":
			return true
		case "empty":
			m.List = ""
		case "trailing":
			m.List += ","
		default:
			if y.accounts.Verb != 0 {
				m.List = y.accounts.Text
			}
		}
		return y.introduce(m, 0)
	case wire.NextValidID:
		y.f.plan.Ready(y.number, y.c.client.id, y.f.now())
		y.f.kick()
		switch {
		case y.nextID.Word == "missing":
			return true
		case y.nextID.Verb != 0 && y.nextID.Word == "":
			m.OrderID = int64(y.nextID.N)
		}
		return y.introduce(m, y.nextID.Wait)
	}
	return false
}

// introduce tells one of the two ids, at its time and in its place.
func (y *faulty) introduce(m wire.Message, late time.Duration) bool {
	late = max(late, y.ids.Wait)
	if _, ok := m.(wire.ManagedAccts); ok && y.ids.Word == "reversed" {
		y.list = m
		return true
	}
	list := y.list
	y.list = nil
	tell := func() {
		y.emit(m)
		if list != nil {
			y.emit(list)
		}
	}
	if late > 0 {
		y.f.later(late, tell)
	} else {
		tell()
	}
	return true
}

// readFrame reads the next message of the client that the session is to see,
// and fires what the messages make fire. The reader calls it.
func (c *conn) readFrame(buf []byte) ([]byte, error) {
	y := c.fault
	if y == nil {
		return wire.ReadFrame(c.in, buf)
	}
	y.handled()
	if y.again != nil {
		payload := y.again
		y.again = nil
		return payload, nil
	}
	for {
		payload, err := wire.ReadFrame(c.in, buf)
		if err != nil {
			return payload, err
		}
		buf = payload
		sc := y.arrives(payload)
		if sc.hold > 0 {
			y.w.wait(time.Now().Add(sc.hold))
		}
		if sc.twice {
			y.again = append([]byte(nil), payload...)
		}
		if !sc.drop {
			return payload, nil
		}
		y.handled()
	}
}

// arrives fires what a message from the client makes fire before it is
// handled.
func (y *faulty) arrives(payload []byte) *scene {
	y.f.s.lock()
	defer y.f.s.unlock()
	sc := &scene{conn: y.c, request: payload}
	id, ok := wire.PeekID(payload)
	if !ok {
		return sc
	}
	var on []fault.Firing
	on, y.after = y.count(id, true)
	y.f.play(on, sc)
	sc.drop = sc.drop || y.deafTo(id)
	return sc
}

// handled fires what the message in hand makes fire afterwards.
func (y *faulty) handled() {
	if len(y.after) == 0 {
		return
	}
	y.f.s.lock()
	defer y.f.s.unlock()
	list := y.after
	y.after = nil
	y.f.play(list, &scene{conn: y.c})
}

// noise draws n bytes.
func noise(n int, r *rand.Rand) []byte {
	b := make([]byte, n)
	fault.Noise(b, r)
	return b
}
