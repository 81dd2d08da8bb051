package gateway

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// door is a listener that a fault script can close for a while: nobody listens
// then on the port, and afterwards it is the same one again.
type door struct {
	log *slog.Logger

	mu    sync.Mutex // guards the fields below
	l     net.Listener
	addr  net.Addr
	until time.Time     // shut until then
	moved chan struct{} // closed and renewed when until or closed changes
	done  bool
}

func newDoor(l net.Listener, log *slog.Logger) *door {
	return &door{l: l, addr: l.Addr(), log: log, moved: make(chan struct{})}
}

// shut closes the port until a wall time.
func (d *door) shut(until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	if until.After(d.until) {
		d.until = until
	}
	if d.l != nil {
		_ = d.l.Close()
		d.l = nil
	}
	d.tell()
}

// isShut reports whether nobody listens.
func (d *door) isShut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.l == nil
}

func (d *door) tell() {
	close(d.moved)
	d.moved = make(chan struct{})
}

// reopenWait is the time between two attempts to listen again.
const reopenWait = 50 * time.Millisecond

// Accept waits for a connection, and while the door is shut.
func (d *door) Accept() (net.Conn, error) {
	for {
		l, err := d.open()
		if err != nil {
			return nil, err
		}
		nc, err := l.Accept()
		if err == nil {
			return nc, nil
		}
		d.mu.Lock()
		still := d.l == l && !d.done
		d.mu.Unlock()
		if still {
			return nil, err
		}
	}
}

// open returns the listener, when there is one again.
func (d *door) open() (net.Listener, error) {
	failed := false
	for {
		d.mu.Lock()
		l, done, moved, wait := d.l, d.done, d.moved, time.Until(d.until)
		if l == nil && !done && wait <= 0 {
			again, err := net.Listen(d.addr.Network(), d.addr.String())
			if err == nil {
				d.l, l = again, again
			} else if !failed {
				failed = true
				d.log.Warn("fault_port_not_reopened", "address", d.addr.String(), "error", err)
			}
			wait = reopenWait
		}
		d.mu.Unlock()
		switch {
		case done:
			return nil, net.ErrClosed
		case l != nil:
			return l, nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-moved:
		}
		t.Stop()
	}
}

// Close ends it.
func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
	d.tell()
	if d.l == nil {
		return nil
	}
	return d.l.Close()
}

// Addr is the address, also while the door is shut.
func (d *door) Addr() net.Addr { return d.addr }
