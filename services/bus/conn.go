package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/event"
)

// The kinds of error on which code branches.
var (
	// ErrClosed means that the connection or the bus is closed.
	ErrClosed = errors.New("bus: closed")
	// ErrNobody means that nobody answers a query: nothing was done.
	ErrNobody = errors.New("bus: nobody answers")
	// ErrNoDeadline means that a question was asked without a deadline.
	ErrNoDeadline = errors.New("bus: a question needs a deadline")
	// ErrNoAnswer means that no answer came in time: the outcome is unknown.
	ErrNoAnswer = errors.New("bus: no answer in time")
	// ErrNotUnderstood means that question or answer could not be read. When
	// the question was not read, nothing was done.
	ErrNotUnderstood = errors.New("bus: not understood")
)

// Conn is one publisher's and subscriber's place on the bus. It is safe for
// concurrent use.
type Conn struct {
	name     string
	server   *Server
	seq      *sequence
	pub, sub *nats.Conn    // pub writes, sub receives
	gone     chan struct{} // closed with the connection
	bad      atomic.Uint64

	mu     sync.Mutex // guards what follows
	subs   map[*Sub]struct{}
	closed bool
}

// Name returns the name under which the connection publishes.
func (c *Conn) Name() string { return c.name }

// Undecodable returns how many payloads could not be decoded so far.
func (c *Conn) Undecodable() uint64 { return c.bad.Load() }

// Publish sends data on a topic. Parts follow the topic's name in the subject,
// such as a tick's symbol. Who listens by [SubscribeAll] has it before the NATS
// server; Publish returns when the server has read the message. After an error
// those who listen so may have it, and nobody else.
func Publish[T any](c *Conn, t event.Topic[T], data T, parts ...string) error {
	body, err := event.AppendJSON(nil, data)
	if err != nil {
		return fmt.Errorf("bus: publish %s: %w", t.Name, err)
	}
	subject := event.Subject(c.server.instance, t.Name, parts...)
	if err := c.publish(subject, body); err != nil {
		return fmt.Errorf("bus: publish %s: %w", t.Name, closedErr(err))
	}
	return nil
}

// publish numbers a message and sends it both ways. A message that nobody got
// leaves no gap.
func (c *Conn) publish(subject string, body []byte) error {
	c.seq.mu.Lock()
	defer c.seq.mu.Unlock()
	n := c.seq.topics[subject] + 1
	raw := c.envelope(n, body)
	switch { // what NATS would refuse goes no other way, either
	case c.pub.IsClosed():
		return nats.ErrConnectionClosed
	case len(raw) > maxPayload:
		return nats.ErrMaxPayload
	}
	given := c.hand(parcel{subject: subject, pub: c.name, seq: n, raw: raw})
	err := c.pub.Publish(subject, raw)
	if err == nil || given {
		c.seq.topics[subject] = n
	}
	return err
}

// Room reports whether every [Paced] subscription of the bus has room: fewer
// than 64 messages and 1 MiB wait for it. Who publishes without a pace, as a
// market's ticks, and can hold back, asks before. Taken changes whenever one of
// those without room has handled a message, so that who is slow can be told
// from who hangs. It does not block.
func (c *Conn) Room() (room bool, taken uint64) {
	list := c.server.paced.Load()
	if list == nil {
		return true, 0
	}
	room = true
	for _, s := range *list {
		if !s.room() {
			room, taken = false, taken+s.taken.Load()
		}
	}
	return room, taken
}

// envelope writes an event.Message around data that is encoded already.
func (c *Conn) envelope(seq uint64, data []byte) []byte {
	b := make([]byte, 0, len(data)+len(c.name)+96)
	b = append(b, `{"pub":"`...)
	b = append(b, c.name...) // Connect lets no character in that JSON escapes
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"at":"`...)
	b = time.Now().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":`...)
	b = append(b, data...)
	return append(b, '}')
}

// Decode reads a payload.
func Decode[T any](raw []byte) (event.Message[T], error) {
	var m event.Message[T]
	if pub, seq, at, data, ok := event.ParseHead(raw); ok && event.ParseJSON(data, &m.Data) == nil {
		m.Pub, m.Seq, m.At = string(pub), seq, at
		return m, nil
	}
	m = event.Message[T]{} // the short way may have come half way
	if err := json.Unmarshal(raw, &m); err != nil {
		return event.Message[T]{}, fmt.Errorf("bus: payload %.80q: %w", raw, err)
	}
	return m, nil
}

// Close ends the connection's subscriptions and answers, sees to it that what
// was published is on its way, and closes. It may be called twice.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	subs := make([]*Sub, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	var errs []error
	for _, s := range subs {
		if err := s.Stop(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	close(c.gone)
	c.sub.Close()
	c.pub.Close()
	c.server.mu.Lock()
	delete(c.server.conns, c.name)
	c.server.mu.Unlock()
	return errors.Join(errs...)
}

func closedErr(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) {
		return ErrClosed
	}
	return err
}
