// Package hub carries messages to the browsers: it upgrades requests to
// WebSocket connections and sends every client the same bytes in the same
// order.
//
// It promises that a slow or dead client costs nothing but itself: each has a
// bounded queue, and one whose queue is full is closed with code 1013 and the
// reason "too slow". It does not promise delivery; a client that comes back
// gets a fresh snapshot from the feed. It does not judge who may connect; the
// server has done that.
//
// # Design
//
// Each client has two goroutines, which the hub owns: one writes, and reading
// is needed for pongs and closes. A client that is let go gets the reason as
// a close frame behind the message that is being written, and a grace to read
// it; then its socket is closed under it, whatever it does. Its place is free
// when both goroutines have gone, so places bound what clients cost.
//
// Messages are not compressed: they go to this machine, or through a tunnel
// that compresses better, and one deflater holds more memory than all queues.
package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	gws "github.com/gorilla/websocket"
)

// The reasons for which a request gets no connection.
var (
	// ErrFull means that as many clients are connected as are allowed.
	ErrFull = errors.New("hub: too many clients")
	// ErrStopped means that the hub takes no more clients.
	ErrStopped = errors.New("hub: stopped")
)

// Config bounds what clients may cost. A zero field means its default.
type Config struct {
	// Clients is how many may be connected at once; one more gets 503.
	// Default 64.
	Clients int
	// Queue is how many messages wait for one client before it is closed as
	// too slow. It must hold the largest burst of the feed, which tells at
	// most 700 orders and fills at once. Default 1024: with 20 quotes a
	// second, most of a minute.
	Queue int
	// WriteTimeout bounds one write to one client. Default 10 s.
	WriteTimeout time.Duration
	// PingEvery is the interval of pings; a client that answers none of two is
	// closed. Default 20 s.
	PingEvery time.Duration
	// Grace is how long a client that is let go may take to read why. The
	// last write before it may take WriteTimeout, but for a hub that stops.
	// Default 500 ms.
	Grace time.Duration
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		Clients: 64, Queue: 1024,
		WriteTimeout: 10 * time.Second, PingEvery: 20 * time.Second, Grace: 500 * time.Millisecond,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	return Config{
		Clients: cmp.Or(c.Clients, d.Clients), Queue: cmp.Or(c.Queue, d.Queue),
		WriteTimeout: cmp.Or(c.WriteTimeout, d.WriteTimeout), PingEvery: cmp.Or(c.PingEvery, d.PingEvery),
		Grace: cmp.Or(c.Grace, d.Grace),
	}
}

// Hub holds the connected clients. Make one with [New], end it with Stop.
type Hub struct {
	cfg      Config
	log      *slog.Logger
	upgrader gws.Upgrader

	mu      sync.Mutex           // guards what follows
	clients map[*client]struct{} // those that get broadcasts
	leaving map[*client]struct{} // those that were let go and are not gone yet
	taken   int                  // places: clients, leaving, and those that upgrade
	stopped bool
	idle    chan struct{} // closed when stopped and no place is taken
	slow    uint64
	sent    uint64 // broadcasts
}

// New returns a hub without clients.
func New(cfg Config, log *slog.Logger) *Hub {
	return &Hub{
		cfg:     cfg.withDefaults(),
		log:     log,
		clients: map[*client]struct{}{},
		leaving: map[*client]struct{}{},
		idle:    make(chan struct{}),
		upgrader: gws.Upgrader{
			HandshakeTimeout: 5 * time.Second,
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
// add once, with what the client gets first, at an instant after which every
// Broadcast is to reach it. Serve returns when join does. A request that gets
// no connection was answered with the reason, and holds no place.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, join func(add func(first []byte))) error {
	if err := h.take(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return err
	}
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.release()
		return fmt.Errorf("hub: upgrade: %w", err)
	}
	c := newClient(h, conn)
	defer func() {
		if !c.added.Load() { // join gave up, or panicked
			_ = conn.Close()
			h.release()
		}
	}()
	join(func(first []byte) { h.add(c, first) })
	return nil
}

func (h *Hub) take() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return ErrStopped
	case h.taken >= h.cfg.Clients:
		return fmt.Errorf("%w: %d are connected", ErrFull, h.taken)
	}
	h.taken++
	return nil
}

func (h *Hub) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.releaseLocked()
}

func (h *Hub) releaseLocked() {
	h.taken--
	if h.stopped && h.taken == 0 {
		close(h.idle)
	}
}

// add gives the client its first message and every later broadcast. A second
// call for the same client does nothing. One that comes after Stop is told so.
func (h *Hub) add(c *client, first []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.added.Swap(true) {
		return
	}
	c.queue <- first // empty so far, and of one place at least
	h.clients[c] = struct{}{}
	if h.stopped {
		h.drop(c, gws.CloseGoingAway, stopText)
		c.hurry(h.cfg.Grace)
	}
	c.start()
}

// Broadcast queues msg for every client and never waits. It keeps msg, which
// must not be changed any more.
func (h *Hub) Broadcast(msg []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent++
	for c := range h.clients {
		select {
		case c.queue <- msg:
		default:
			h.slow++
			h.drop(c, gws.CloseTryAgainLater, "too slow: connect again for a fresh snapshot")
		}
	}
}

// drop lets c go; the caller holds mu. The writer sends the close frame.
func (h *Hub) drop(c *client, code int, text string) {
	if _, ok := h.clients[c]; !ok {
		return
	}
	delete(h.clients, c)
	h.leaving[c] = struct{}{}
	c.letGo(code, text)
}

func (h *Hub) leave(c *client, code int, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c, code, text)
}

// gone frees the client's place; its goroutines have ended.
func (h *Hub) gone(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.kill != nil {
		c.kill.Stop()
	}
	delete(h.leaving, c)
	h.releaseLocked()
}

// Stats tells how many clients are connected and how many were closed as too
// slow since the start.
func (h *Hub) Stats() (clients int, slow uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients), h.slow
}

const stopText = "the trader stops"

// Stop closes all clients with code 1001 and waits until nothing of them is
// left, at most until ctx ends. A client that does not read has Grace.
func (h *Hub) Stop(ctx context.Context) error {
	h.mu.Lock()
	if !h.stopped {
		h.stopped = true
		if h.taken == 0 {
			close(h.idle)
		}
	}
	for c := range h.clients {
		h.drop(c, gws.CloseGoingAway, stopText)
	}
	for c := range h.leaving {
		c.hurry(h.cfg.Grace)
	}
	h.mu.Unlock()
	select {
	case <-h.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hub: clients did not go in time: %w", ctx.Err())
	}
}
