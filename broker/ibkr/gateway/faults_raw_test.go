package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/wire"
)

// startFaulty starts a gateway with a fault script that plays in real time, or as
// change says.
func startFaulty(t *testing.T, script string, change func(*Config)) *Server {
	t.Helper()
	f, err := fault.Parse("test.faults", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, shortDay(), func(c *Config) {
		c.Faults, c.Speed, c.MaxRate = f, 1, 0
		if change != nil {
			change(c)
		}
	})
}

// moment is what a test waits for nothing to come.
const moment = 150 * time.Millisecond

// toTheEnd makes raw read until the connection ends.
const toTheEnd = 1 << 30

// raw reads until so many bytes have come or the connection ends, and says how
// it ended. 0 bytes is whatever comes within a moment.
func (p *peer) raw(want int) (got []byte, end string) {
	p.t.Helper()
	within := patience
	if want == 0 {
		within, want = moment, toTheEnd
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	var err error
	for len(got) < want && err == nil {
		var n int
		n, err = p.in.Read(buf)
		got = append(got, buf[:n]...)
	}
	var timeout net.Error
	switch {
	case err == nil:
		return got, "open"
	case errors.Is(err, io.EOF):
		return got, "close"
	case errors.Is(err, syscall.ECONNRESET):
		return got, "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		return got, "open"
	}
	return got, err.Error()
}

// offer writes the hello without reading the answer.
func (p *peer) offer() {
	p.t.Helper()
	p.v = MaxVersion
	b, err := wire.Hello{Min: 100, Max: MaxVersion}.Append(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
}

// sendAll writes messages at once: the first may end the session.
func (p *peer) sendAll(list ...wire.Message) {
	p.t.Helper()
	var b []byte
	for _, m := range list {
		var err error
		if b, err = wire.AppendMessage(b, m, p.v); err != nil {
			p.t.Fatal(err)
		}
	}
	p.write(b)
}

// frames cuts bytes into the fields of whole frames.
func frames(t *testing.T, b []byte) [][]string {
	t.Helper()
	var list [][]string
	for r := bytes.NewReader(b); r.Len() > 0; {
		payload, err := wire.ReadFrame(r, nil)
		if err != nil {
			t.Fatalf("after %d frames: %v", len(list), err)
		}
		list = append(list, strings.Split(strings.TrimSuffix(string(payload), "\x00"), "\x00"))
	}
	return list
}

// await reads messages until one with that id comes, and returns all.
func (p *peer) await(id int) []wire.Message {
	p.t.Helper()
	var list []wire.Message
	for {
		m := p.next()
		if list = append(list, m); m.ID() == id {
			return list
		}
	}
}

// codes are the codes of the errMsgs of a list.
func codes(list []wire.Message) (all []int) {
	for _, m := range list {
		if e, ok := m.(wire.ErrMsg); ok {
			all = append(all, e.Code)
		}
	}
	return all
}

// helloBytes is how long the version reply is.
const helloBytes = 4 + len("200\x0020260402 09:30:00 EDT\x00")

// readyBytes is how long the answer to START_API is: both ids, three notices.
const readyBytes = 19 + 10 + 70 + 68 + 73
