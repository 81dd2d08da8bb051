package gateway

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"

	"robotrader/broker/ibkr/wire"
)

// dialer connects clients that take a failure for an answer.
type dialer struct{ net.Dialer }

func (d *dialer) dial(ctx context.Context, s *Server) (net.Conn, error) {
	return d.DialContext(ctx, "tcp", s.Addr().String())
}

func newPeer(t *testing.T, c net.Conn) *peer {
	return &peer{t: t, conn: c, in: bufio.NewReader(c), v: MaxVersion}
}

// try writes messages.
func (p *peer) try(list ...wire.Message) error {
	var b []byte
	for _, m := range list {
		var err error
		if b, err = wire.AppendMessage(b, m, p.v); err != nil {
			return err
		}
	}
	_, err := p.conn.Write(b)
	return err
}

// patienceOfAClient is how long it waits for any message.
const patienceOfAClient = 400 * time.Millisecond

// tryJoin says hello and takes the first readable answer for the version.
func (p *peer) tryJoin(client int) error {
	hello, err := wire.Hello{Min: 100, Max: MaxVersion}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := p.conn.Write(hello); err != nil {
		return err
	}
	for range 3 {
		if err := p.conn.SetReadDeadline(time.Now().Add(patienceOfAClient)); err != nil {
			return err
		}
		payload, err := wire.ReadFrame(p.in, nil)
		if err != nil {
			return err
		}
		if _, err := wire.ParseServerHello(payload); err == nil {
			break
		}
	}
	return p.try(wire.StartAPI{ClientID: client})
}

// tolerant reads a message; one that it cannot read is as good as unknown.
func (p *peer) tolerant() (wire.Message, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(patienceOfAClient)); err != nil {
		return nil, err
	}
	payload, err := wire.ReadFrame(p.in, nil)
	if err != nil {
		return nil, err
	}
	m, err := wire.DecodeServer(p.v, payload)
	if err != nil {
		return wire.Unknown{}, nil
	}
	return m, nil
}
