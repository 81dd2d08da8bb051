package acceptance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"robotrader/broker/ibkr/wire"
)

// conn is one connection of the program with the peer. Its fields are guarded
// by the peer's mutex where nothing else is said.
type conn struct {
	peer   *peer
	number int
	tcp    *net.TCPConn
	came   time.Time

	version wire.Version
	heard   []heard
	next    int // the first of heard that no step has looked at
	bytes   int // received

	accounts, nextID, empty bool           // ids that were sent; an empty list was
	lines                   map[int]string // market data that is told, by request
	askedTime               time.Time      // when the program asked for the time last

	over   ending
	overAt time.Time
	hold   bool // do not close when the program does
	ours   bool // we ended it
	abrupt bool // we ended it with a reset

	thawed bool          // was frozen once
	frozen chan struct{} // not nil while the peer does not read; closed to go on

	out  sync.Mutex // held over one write
	drip bool
	pile []byte // what is written together later
	heap bool   // pile up
}

// ending is how the program's side of a connection ended.
type ending int

const (
	live   ending = iota // it has not
	fin                  // with a FIN
	rst                  // with a reset
	broken               // by us, or by something that is neither
)

// heard is one frame of the program.
type heard struct {
	name    string // such as "startApi"; "hello" for the first words
	text    string // as a script spells it
	payload []byte
	message any   // nil when it does not decode
	err     error // why
	served  bool  // answered in the background: steps may pass over it
}

func newConn(p *peer, number int, tcp *net.TCPConn) *conn {
	return &conn{peer: p, number: number, tcp: tcp, came: time.Now(), lines: map[int]string{}}
}

// read takes what the program sends until the end.
func (k *conn) read() {
	in := bufio.NewReader(countedReader{k})
	err := k.readHello(in)
	for err == nil {
		var payload []byte
		if payload, err = wire.ReadFrame(in, nil); err == nil {
			k.take(payload)
		}
	}
	k.ended(err)
}

// countedReader reads the socket, and waits while the peer is frozen.
type countedReader struct{ k *conn }

func (r countedReader) Read(b []byte) (int, error) {
	k := r.k
	for {
		k.peer.mu.Lock()
		wait := k.frozen
		k.peer.mu.Unlock()
		if wait != nil {
			<-wait
			continue
		}
		n, err := k.tcp.Read(b)
		k.peer.mu.Lock()
		k.bytes += n
		again := n == 0 && k.frozen != nil
		k.peer.mu.Unlock()
		if !again {
			return n, err
		}
	}
}

// freeze stops the reading, as a gateway does whose process is stopped: the
// kernel goes on taking bytes until it is full.
func (k *conn) freeze() {
	k.peer.mu.Lock()
	if k.frozen == nil {
		k.frozen = make(chan struct{})
	}
	k.peer.mu.Unlock()
	_ = k.tcp.SetReadDeadline(time.Unix(1, 0)) // a socket that has gone needs none
}

// thaw ends freeze.
func (k *conn) thaw() {
	k.peer.mu.Lock()
	defer k.peer.mu.Unlock()
	if k.frozen == nil {
		return
	}
	_ = k.tcp.SetReadDeadline(time.Time{}) // likewise
	close(k.frozen)
	k.frozen, k.thawed = nil, true
}

func (k *conn) readHello(in *bufio.Reader) error {
	var b []byte
	for {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		b = append(b, c)
		h, _, err := wire.ParseHello(b)
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			continue
		case err != nil:
			k.peer.blame("conn %d begins with no hello: %v", k.number, err)
			return err
		}
		k.peer.mu.Lock()
		served := k.peer.rules.sets["handshake"]
		k.peer.mu.Unlock()
		k.put(heard{name: "hello", text: fmt.Sprintf("v%d..%d", h.Min, h.Max), payload: b, message: h, served: served})
		if served {
			return k.sendVersion("200", usualTime)
		}
		return nil
	}
}

// take keeps one frame, and answers it where a rule says so.
func (k *conn) take(payload []byte) {
	h := heard{payload: payload, text: spell(payload), name: "frame without an id"}
	if id, ok := wire.PeekID(payload); ok {
		h.name = wire.ClientName(id)
	}
	k.peer.mu.Lock()
	v := k.version
	k.peer.mu.Unlock()
	m, err := wire.DecodeClientStrict(v, payload)
	h.err = err
	var answer []wire.Message
	if err == nil {
		h.message = m
		answer, h.served = k.peer.answer(k, h.name, m)
	}
	k.put(h)
	if err := k.send(answer...); err != nil {
		k.peer.note("conn %d: answer to %s: %v", k.number, h.name, err)
	}
}

func (k *conn) put(h heard) {
	k.peer.mu.Lock()
	defer k.peer.mu.Unlock()
	mark := ""
	if h.served {
		mark = " (answered)"
	}
	k.peer.noteLocked("conn %d < %s %s%s", k.number, h.name, h.text, mark)
	if len(k.heard) >= maxHeard {
		k.peer.blameLocked("conn %d sent more than %d frames", k.number, maxHeard)
		return
	}
	k.peer.judgeFrame(k, h)
	k.heard = append(k.heard, h)
	k.peer.wakeLocked()
}

// ended notes how the program's side ended, and closes ours unless the script
// holds it.
func (k *conn) ended(err error) {
	k.peer.mu.Lock()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		k.over = fin
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		k.over = rst
	default:
		k.over = broken
	}
	if k.overAt.IsZero() {
		k.overAt = time.Now()
	}
	what := map[ending]string{fin: "the program closed (FIN)", rst: "the program reset (RST)", broken: fmt.Sprintf("over: %v", err)}[k.over]
	k.peer.noteLocked("conn %d: %s", k.number, what)
	hold := k.hold
	k.peer.wakeLocked()
	k.peer.mu.Unlock()
	if !hold {
		_ = k.tcp.Close() // as a gateway does once it has read the end
	}
}

// finish ends our side in the way named: close and half-close send a FIN,
// reset does not.
func (k *conn) finish(how string) error {
	k.peer.mu.Lock()
	k.ours = k.ours || how != "half-close"
	if how == "reset" {
		k.abrupt, k.overAt = true, time.Now()
	}
	k.peer.noteLocked("conn %d > %s", k.number, how)
	k.peer.mu.Unlock()
	if how == "reset" {
		if err := k.tcp.SetLinger(0); err != nil {
			return err
		}
		return k.tcp.Close()
	}
	if err := k.tcp.CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) { // the program may have closed first
		return err
	}
	return nil
}

// writeLimit bounds a write to a program that does not read.
const writeLimit = 10 * time.Second

// send writes messages as frames.
func (k *conn) send(messages ...wire.Message) error {
	for _, m := range messages {
		k.peer.mu.Lock()
		v := k.version
		k.peer.mu.Unlock()
		payload, err := m.Append(nil, v)
		if err != nil {
			return fmt.Errorf("%s cannot be sent: %w", wire.Name(m.ID()), err)
		}
		if err := k.sendFrame(wire.Name(m.ID()), payload); err != nil {
			return err
		}
	}
	return nil
}

// sendFrame writes a payload behind its length.
func (k *conn) sendFrame(name string, payload []byte) error {
	k.peer.mu.Lock()
	k.learnSent(payload)
	k.peer.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	return k.sendBytes(name+" "+spell(payload), append(b, payload...))
}

// learnSent notes which ids the program can know by now.
func (k *conn) learnSent(payload []byte) {
	id, ok := wire.PeekID(payload)
	if !ok || k.version == 0 {
		return
	}
	m, err := wire.DecodeServer(k.version, payload)
	if err != nil {
		return
	}
	switch m := m.(type) {
	case wire.ManagedAccts:
		k.accounts = k.accounts || len(m.Accounts()) > 0
		k.empty = k.empty || len(m.Accounts()) == 0
	case wire.NextValidID:
		k.nextID = id == wire.IDNextValidID
	}
}

// sendBytes writes bytes in the way the script set: whole, in drips of one
// byte, or piled up.
func (k *conn) sendBytes(what string, b []byte) error {
	k.out.Lock()
	defer k.out.Unlock()
	k.peer.note("conn %d > %s", k.number, what)
	if k.heap {
		k.pile = append(k.pile, b...)
		return nil
	}
	step := len(b)
	if k.drip {
		step = 1
	}
	if err := k.tcp.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(step, len(b))
		if _, err := k.tcp.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// mode sets how bytes are written from now on: whole, drip or together; what
// was piled up goes out.
func (k *conn) mode(how string) error {
	k.out.Lock()
	defer k.out.Unlock()
	k.drip, k.heap = how == "drip", how == "together"
	pile := k.pile
	k.pile = nil
	if len(pile) == 0 {
		return nil
	}
	_, err := k.tcp.Write(pile)
	return err
}
