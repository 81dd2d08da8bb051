package server

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The bounds of connections. Each costs a file descriptor, of which the session
// with the broker and the journal need some, too; and who opens many and asks
// nothing is not to keep others out.
const (
	connsMost = 1024 // of all; this machine's and the proxies' have room beyond: to halt must be possible
	connsEach = 64   // of one address
	connsNear = 256  // of one address of this machine, or of a proxy, which speaks for many
	connsSaid = time.Minute
)

// bounded is a listener that closes at once what comes beyond the bounds. It is
// safe for concurrent use.
type bounded struct {
	net.Listener
	near func(netip.Addr) bool // beside this machine's
	log  *slog.Logger

	mu   sync.Mutex // guards what follows
	by   map[netip.Addr]int
	all  int
	said time.Time // when the log was told last
}

// Accept implements [net.Listener].
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var addr netip.Addr // those of which none is known are counted as one
		if t, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			addr = t.AddrPort().Addr().Unmap().WithZone("")
		}
		whose := owner(addr)
		if b.admit(whose, addr.IsLoopback() || b.near(addr)) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { b.leave(whose) })}, nil
		}
		_ = c.Close() // nobody has asked anything on it
	}
}

// admit counts a connection, or reports that there is no room.
func (b *bounded) admit(whose netip.Addr, near bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := connsEach
	if near {
		most = connsNear
	}
	if b.by[whose] >= most || !near && b.all >= connsMost {
		if now := time.Now(); now.Sub(b.said) >= connsSaid {
			b.said = now
			b.log.Warn("http_connections_refused", "remote", whose, "open", b.by[whose], "all", b.all)
		}
		return false
	}
	b.by[whose]++
	b.all++
	return true
}

func (b *bounded) leave(whose netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all--
	if b.by[whose]--; b.by[whose] == 0 {
		delete(b.by, whose)
	}
}

// counted is a connection that leaves room when it ends.
type counted struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
