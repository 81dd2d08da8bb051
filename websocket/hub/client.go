package hub

import (
	"sync/atomic"
	"time"

	gws "github.com/gorilla/websocket"
)

// client is one connection and its queue.
type client struct {
	hub   *Hub
	conn  *gws.Conn
	queue chan []byte
	added atomic.Bool // the hub has it, and frees its place

	quit chan struct{} // closed by letGo
	code int           // why, set before quit is closed
	text string
	read chan struct{} // closed when the reader has ended
	kill *time.Timer   // guarded by Hub.mu: closes the socket; nil when nobody hurries
}

func newClient(h *Hub, conn *gws.Conn) *client {
	return &client{
		hub: h, conn: conn,
		queue: make(chan []byte, max(1, h.cfg.Queue)), quit: make(chan struct{}), read: make(chan struct{}),
	}
}

// start begins to write and to read. Both goroutines end when the client is
// let go or fails, and then its place is free.
func (c *client) start() {
	go c.readAll()
	go c.writeAll()
}

// letGo tells the writer to say why and to end. It is called once, under
// Hub.mu.
func (c *client) letGo(code int, text string) {
	c.code, c.text = code, text
	close(c.quit)
}

// hurry closes the socket after d, whatever the client does: a write that
// hangs in it fails then. It is called under Hub.mu.
func (c *client) hurry(d time.Duration) {
	if c.kill == nil {
		c.kill = time.AfterFunc(d, func() { _ = c.conn.NetConn().Close() })
	}
}

// writeAll owns the connection's write side, and closes the connection.
func (c *client) writeAll() {
	if c.writeQueue() {
		grace := c.hub.cfg.Grace
		_ = c.conn.WriteControl(gws.CloseMessage, gws.FormatCloseMessage(c.code, c.text), time.Now().Add(grace))
		// The client answers a close with a close. A socket that is closed
		// before that may be reset, and the reason lost on the way.
		timer := time.NewTimer(grace)
		select {
		case <-c.read:
		case <-timer.C:
		}
		timer.Stop()
	}
	_ = c.conn.Close()
	<-c.read // which ends with its socket
	c.hub.gone(c)
}

// writeQueue writes what is queued until the client is let go; false means
// that it could not be written to.
func (c *client) writeQueue() bool {
	cfg := c.hub.cfg
	ping := time.NewTicker(cfg.PingEvery)
	defer ping.Stop()
	for {
		select {
		case <-c.quit: // before whatever waits
			return true
		default:
		}
		var err error
		select {
		case <-c.quit:
			return true
		case msg := <-c.queue:
			_ = c.conn.SetWriteDeadline(time.Now().Add(cfg.WriteTimeout))
			err = c.conn.WriteMessage(gws.TextMessage, msg)
		case <-ping.C:
			err = c.conn.WriteControl(gws.PingMessage, nil, time.Now().Add(cfg.WriteTimeout))
		}
		if err != nil {
			c.hub.leave(c, gws.CloseGoingAway, "")
			return false
		}
	}
}

// readAll owns the read side: clients have nothing to say but pongs, and what
// they say is read and forgotten.
func (c *client) readAll() {
	defer close(c.read)
	cfg := c.hub.cfg
	c.conn.SetReadLimit(1 << 10)
	alive := func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(2*cfg.PingEvery + cfg.WriteTimeout))
	}
	c.conn.SetPongHandler(alive)
	_ = alive("")
	for {
		if _, _, err := c.conn.NextReader(); err != nil { // which skips what is left of the message before
			c.hub.leave(c, gws.CloseGoingAway, "no answer to pings")
			return
		}
	}
}
