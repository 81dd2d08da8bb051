// Package hub carries messages to the browsers: it upgrades requests to
// WebSocket connections and sends every client the same bytes in the same
// order.
//
// It promises that a slow or dead client costs nothing but itself: each has a
// bounded queue, and one whose queue is full is closed with code 1013 and the
// reason "too slow". It does not promise delivery; a client that comes back
// gets a fresh snapshot from the feed. It does not judge who may connect; the
// server has done that.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	gws "github.com/gorilla/websocket"
)

// ErrFull means that as many clients are connected as are allowed.
var ErrFull = errors.New("hub: too many clients")

// Config bounds what clients may cost.
type Config struct {
	// Clients is how many may be connected at once; one more gets 503.
	// Default 64.
	Clients int
	// Queue is how many messages wait for one client before it is closed as
	// too slow. Default 512: with 20 quotes a second, about 20 seconds.
	Queue int
	// WriteTimeout bounds one write to one client. Default 10 s.
	WriteTimeout time.Duration
	// PingEvery is the interval of pings; a client that answers none of two is
	// closed. Default 20 s.
	PingEvery time.Duration
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{Clients: 64, Queue: 512, WriteTimeout: 10 * time.Second, PingEvery: 20 * time.Second}
}

// Hub holds the connected clients. Make one with [New], end it with Stop.
type Hub struct {
	cfg      Config
	log      *slog.Logger
	upgrader gws.Upgrader
	wg       sync.WaitGroup // of the clients' goroutines

	mu      sync.Mutex // guards what follows
	clients map[*client]struct{}
	taken   int // clients that are connected or upgrading
	stopped bool
	slow    uint64
}

type client struct {
	conn  *gws.Conn
	queue chan *gws.PreparedMessage
	quit  chan struct{} // closed once, under Hub.mu, when the client is dropped
	code  int           // why, set before quit is closed
	text  string
}

// New returns a hub without clients.
func New(cfg Config, log *slog.Logger) *Hub {
	return &Hub{
		cfg:     cfg,
		log:     log,
		clients: map[*client]struct{}{},
		upgrader: gws.Upgrader{
			HandshakeTimeout:  5 * time.Second,
			EnableCompression: true,
			// The server refuses foreign origins before it asks for an upgrade.
			CheckOrigin: func(*http.Request) bool { return true },
			Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
				http.Error(w, reason.Error(), status)
			},
		},
	}
}

// Serve upgrades the request and keeps the client until it goes, is too slow,
// or the hub stops. It calls join when the connection stands: join must call
// add exactly once, with what the client gets first, at an instant after
// which every Broadcast is to reach it. Serve returns at once.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, join func(add func(first []byte))) error {
	h.mu.Lock()
	if h.stopped || h.taken >= h.cfg.Clients {
		h.mu.Unlock()
		http.Error(w, fmt.Sprintf("too many dashboards are open: %d", h.cfg.Clients), http.StatusServiceUnavailable)
		return ErrFull
	}
	h.taken++
	h.mu.Unlock()

	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.release()
		return fmt.Errorf("hub: upgrade: %w", err)
	}
	c := &client{conn: conn, queue: make(chan *gws.PreparedMessage, h.cfg.Queue), quit: make(chan struct{})}
	join(func(first []byte) { h.add(c, first) })
	return nil
}

func (h *Hub) release() {
	h.mu.Lock()
	h.taken--
	h.mu.Unlock()
}

func (h *Hub) add(c *client, first []byte) {
	msg, err := gws.NewPreparedMessage(gws.TextMessage, first)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || h.stopped {
		h.taken--
		_ = c.conn.Close()
		return
	}
	c.queue <- msg // empty so far
	h.clients[c] = struct{}{}
	h.wg.Add(2)
	go h.write(c)
	go h.read(c)
}

// Broadcast queues msg for every client and never waits.
func (h *Hub) Broadcast(msg []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) == 0 {
		return
	}
	prepared, err := gws.NewPreparedMessage(gws.TextMessage, msg)
	if err != nil {
		h.log.Error("feed_message_not_prepared", "error", err)
		return
	}
	for c := range h.clients {
		select {
		case c.queue <- prepared:
		default:
			h.slow++
			h.drop(c, gws.CloseTryAgainLater, "too slow: connect again for a fresh snapshot")
		}
	}
}

// drop removes c; the caller holds mu. The writer sends the close frame.
func (h *Hub) drop(c *client, code int, text string) {
	if _, ok := h.clients[c]; !ok {
		return
	}
	delete(h.clients, c)
	h.taken--
	c.code, c.text = code, text
	close(c.quit)
}

func (h *Hub) leave(c *client, code int, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c, code, text)
}

// write owns the connection's write side, and closes the connection.
func (h *Hub) write(c *client) {
	defer h.wg.Done()
	defer c.conn.Close()
	ping := time.NewTicker(h.cfg.PingEvery)
	defer ping.Stop()
	for {
		select {
		case msg := <-c.queue:
			_ = c.conn.SetWriteDeadline(time.Now().Add(h.cfg.WriteTimeout))
			if err := c.conn.WritePreparedMessage(msg); err != nil {
				h.leave(c, gws.CloseAbnormalClosure, "")
				return
			}
		case <-ping.C:
			if err := c.conn.WriteControl(gws.PingMessage, nil, time.Now().Add(h.cfg.WriteTimeout)); err != nil {
				h.leave(c, gws.CloseAbnormalClosure, "")
				return
			}
		case <-c.quit:
			deadline := time.Now().Add(time.Second)
			_ = c.conn.WriteControl(gws.CloseMessage, gws.FormatCloseMessage(c.code, c.text), deadline)
			return
		}
	}
}

// read owns the read side: clients have nothing to say but pongs, and what
// they say is read and forgotten.
func (h *Hub) read(c *client) {
	defer h.wg.Done()
	c.conn.SetReadLimit(1 << 10)
	alive := func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(2*h.cfg.PingEvery + h.cfg.WriteTimeout))
	}
	c.conn.SetPongHandler(alive)
	_ = alive("")
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			h.leave(c, gws.CloseNormalClosure, "")
			return
		}
	}
}

// Stats tells how many clients are connected and how many were closed as too
// slow since the start.
func (h *Hub) Stats() (clients int, slow uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients), h.slow
}

// Stop closes all clients and waits for their goroutines, at most until ctx
// ends.
func (h *Hub) Stop(ctx context.Context) error {
	h.mu.Lock()
	h.stopped = true
	for c := range h.clients {
		h.drop(c, gws.CloseGoingAway, "the trader stops")
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); h.wg.Wait() }() // ends when the clients' goroutines have
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hub: clients did not go in time: %w", ctx.Err())
	}
}
