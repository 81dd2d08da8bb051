package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

var _ venue.Peer = (*conn)(nil)

// conn is one session with a client. Its reader is serve, its writer the
// queue's.
type conn struct {
	s     *Server
	net   net.Conn
	in    *bufio.Reader
	queue *queue
	rate  *rate
	gone  chan struct{} // closed when the session has left its client id

	fault *faulty // what the fault script does to it, nil without one

	version wire.Version // since the hello
	paced   bool         // it asked to be paced rather than refused

	// Guarded by the server's mutex.
	client    *client   // since START_API; never changes after
	ready     bool      // both ids are told
	isStuck   bool      // it was cut off because its queue passed the bound
	dirty     bool      // frames wait that the writer was not told of
	ticks     uint64    // market-data frames queued
	reports   uint64    // order-report frames queued
	orders    uint64    // placeOrder and cancelOrder messages handled
	timeAsked time.Time // wall time of the last reqCurrentTime that was answered
}

// sendBuffer is what the kernel may hold for one client: what is in it cannot
// be conflated any more.
const sendBuffer = 256 << 10

func newConn(s *Server, nc net.Conn) *conn {
	limit, conflate := s.cfg.MaxRate, s.cfg.ConflateAbove
	if s.cfg.Speed == 0 {
		limit, conflate = 0, 0
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	return &conn{
		s: s, net: nc, in: bufio.NewReaderSize(nc, 16<<10), queue: newQueue(s.cfg.QueueBytes, conflate),
		rate: newRate(limit), gone: make(chan struct{}),
	}
}

// serve runs the session from its first byte to its close.
func (c *conn) serve() {
	defer c.s.wg.Done()
	written := make(chan error, 1)
	go func() {
		err := c.queue.writeTo(c.net, c.s.cfg.WriteTimeout)
		if err != nil {
			c.cut() // the reader waits for a client that is gone or stuck
		}
		written <- err
	}()
	err := c.talk()
	c.s.leave(c)
	c.finish(err, written)
	c.s.left(c)
}

// errFinished ends a session after a message that says why.
var errFinished = errors.New("the gateway ends the session")

// finish closes the socket well: what is queued is written, the client told,
// and what it still sends is read, because closing with unread bytes would
// reset the connection and could lose what was written last.
func (c *conn) finish(cause error, written <-chan error) {
	const drain = time.Second
	c.queue.end()
	werr := <-written // bounded by the write's deadline, and by Stop
	if errors.Is(cause, wire.ErrBadHello) {
		if tcp, ok := c.net.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0) // a real gateway resets here
		}
	} else if half, ok := c.net.(interface{ CloseWrite() error }); ok && werr == nil {
		if half.CloseWrite() == nil && !errors.Is(cause, io.EOF) {
			_ = c.net.SetReadDeadline(time.Now().Add(drain))
			_, _ = io.Copy(io.Discard, c.net)
		}
	}
	_ = c.net.Close()
	c.logEnd(cause, werr)
}

func (c *conn) logEnd(cause, werr error) {
	id := -1
	if c.client != nil {
		id = c.client.id
	}
	attrs := []any{"peer", c.net.RemoteAddr().String(), "client_id", id}
	switch {
	case errors.Is(cause, io.EOF) && werr == nil:
		c.s.log.Debug("gateway_client_left", attrs...)
	default:
		c.s.log.Info("gateway_client_closed", append(attrs, "cause", cause, "write_error", werr)...)
	}
}

// cut ends the session without ceremony.
func (c *conn) cut() { _ = c.net.Close() }

// deadline sets the reader's, unless the server is stopping. A zero time is
// none.
func (c *conn) deadline(at time.Time) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.stopping {
		return os.ErrDeadlineExceeded
	}
	return c.net.SetReadDeadline(at)
}

// ClientID implements [venue.Peer].
func (c *conn) ClientID() int { return c.client.id }

// Version implements [venue.Peer].
func (c *conn) Version() wire.Version { return c.version }

// Send queues a message. Called under the server's mutex. A message that
// cannot be encoded is a fault of ours: it is logged and left out.
func (c *conn) Send(m wire.Message) {
	if c.fault.sends(m) {
		return
	}
	var err error
	fits := c.queue.put(classOf(m), func(dst []byte) []byte {
		dst, err = wire.AppendMessage(dst, m, c.version)
		return dst
	})
	if err != nil {
		c.s.log.Error("gateway_encode", "message", wire.Name(m.ID()), "error", err)
		return
	}
	if !fits {
		c.stuck()
		return
	}
	c.count(m.ID())
	c.mark()
}

// count counts a frame that was queued, for a [Pacer].
func (c *conn) count(id int) {
	switch id {
	case wire.IDTickPrice, wire.IDTickSize, wire.IDTickGeneric, wire.IDTickString:
		c.ticks++
	case wire.IDOrderStatus, wire.IDOpenOrder, wire.IDExecDetails, wire.IDCommissionReport:
		c.reports++
	}
}

// stuck cuts off a client that does not take what it asked for: leaving out a
// part of it would break the order of its reports. Called under the server's
// mutex.
func (c *conn) stuck() {
	if c.isStuck {
		return
	}
	c.isStuck = true
	id := -1
	if c.client != nil {
		id = c.client.id
	}
	c.s.log.Warn("gateway_client_stuck", "peer", c.net.RemoteAddr().String(), "client_id", id,
		"queue_bytes", c.s.cfg.QueueBytes, "cause", "it does not read what it asked for, and only quotes may be left out")
	c.cut()
}

// mark notes that the writer must be told. Called under the server's mutex.
func (c *conn) mark() {
	if !c.dirty {
		c.dirty = true
		c.s.dirty = append(c.s.dirty, c)
	}
}

// Fail queues an errMsg. id is a request's or an order's, or [venue.NoID].
// Called under the server's mutex.
func (c *conn) Fail(id int64, code int, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if id == venue.NoID {
		id = int64(c.s.cfg.NoRequestID)
	}
	c.Send(wire.ErrMsg{RequestID: id, Code: code, Text: text, Time: c.s.v.Now().UnixMilli()})
}
