package ibkr

import (
	"io"
	"net"
	"time"
)

const (
	leastClosing = 100 * time.Millisecond
	mostClosing  = 2 * time.Second
)

// closeWell is the one way in which a connection with a gateway ends, after a
// session and after a handshake that failed: our side first, so that the
// gateway notices; then drain takes what it still sends until it has closed,
// too, because closing with unread bytes would send a reset; then the rest. A
// nil drain drops what comes. It is bounded by what is left, at least 100 ms
// and at most 2 s.
//
// Config.ForceDisconnect, which nobody should need, resets the connection
// instead.
func (c Config) closeWell(conn net.Conn, left time.Duration, drain func()) {
	if c.ForceDisconnect {
		if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0) // then it closes as usual
		}
		_ = conn.Close()
		return
	}
	left = min(max(left, leastClosing), mostClosing)
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		if conn.SetReadDeadline(time.Now().Add(left)) == nil {
			if drain == nil {
				drain = func() { _, _ = io.Copy(io.Discard, conn) }
			}
			drain() // the end, a reset or the deadline: all close
		}
	}
	_ = conn.Close() // nobody can do anything about it
}

// end ends the session for a reason, the first one wins, and sends the reader
// to close the socket well within left.
func (s *Session) end(why error, left time.Duration) {
	s.finish(why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return // the reader knows, and the deadline is its own now
	}
	s.closing, s.closeIn = true, left
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // it must notice; a closed socket does by itself
}

// shut is the reader's end, after its last regular read brought err.
func (s *Session) shut(err error) {
	loss := s.lossOf(err)
	if isBroken(err) && s.ended() == nil {
		loss.Frames = s.lastFrames()
		s.tellFrames(loss.Frames)
	}
	s.finish(loss)
	s.mu.Lock()
	left := mostClosing
	if s.closing {
		left = s.closeIn
	}
	s.closing = true
	s.mu.Unlock()
	var drain func()
	s.parting = nil     // that has had its effect
	if !isBroken(err) { // reports that cross the closing are not lost
		drain = func() { _ = s.contained(s.readAll) }
	}
	s.cfg.closeWell(s.conn, left, drain)
	s.tap.end(s.ended())
}
