// Package venuetest holds the session that the gateway's parts are tested with.
//
// It promises that every message, both ways, goes over the wire of the
// session's version and is read to its last field: a test of a part is a test
// of what a client would decode. It does not promise a socket.
package venuetest

import (
	"fmt"
	"testing"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// Peer is a session that keeps what it is sent. Make one with [NewPeer].
type Peer struct {
	// V is the server version; a test may change it between messages.
	V wire.Version
	// Got is what was sent and not taken by Heard, oldest first.
	Got []wire.Message

	t  testing.TB
	id int
}

var _ venue.Peer = (*Peer)(nil)

// NewPeer returns a session of a client id at a server version.
func NewPeer(t testing.TB, id int, v wire.Version) *Peer { return &Peer{V: v, t: t, id: id} }

// ClientID implements [venue.Peer].
func (p *Peer) ClientID() int { return p.id }

// Version implements [venue.Peer].
func (p *Peer) Version() wire.Version { return p.V }

// Send implements [venue.Peer]. A message that cannot be written, or has a
// field too many when it is read, fails the test.
func (p *Peer) Send(m wire.Message) {
	p.t.Helper()
	payload, err := m.Append(nil, p.V)
	if err != nil {
		p.t.Fatalf("%s at %d: %v", wire.Name(m.ID()), p.V, err)
	}
	back, err := wire.DecodeServerStrict(p.V, payload)
	if err != nil {
		p.t.Fatalf("%s at %d: %q: %v", wire.Name(m.ID()), p.V, payload, err)
	}
	p.Got = append(p.Got, back)
}

// Fail implements [venue.Peer].
func (p *Peer) Fail(id int64, code int, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	p.Send(wire.ErrMsg{RequestID: id, Code: code, Text: text})
}

// Heard returns what was sent since it was asked last.
func (p *Peer) Heard() []wire.Message {
	list := p.Got
	p.Got = nil
	return list
}

// Asked returns a request as the gateway reads it.
func (p *Peer) Asked(m wire.Message) wire.Message {
	p.t.Helper()
	payload, err := m.Append(nil, p.V)
	if err != nil {
		p.t.Fatalf("%s at %d: %v", wire.ClientName(m.ID()), p.V, err)
	}
	back, err := wire.DecodeClientStrict(p.V, payload)
	if err != nil {
		p.t.Fatalf("%s at %d: %v", wire.ClientName(m.ID()), p.V, err)
	}
	return back
}
