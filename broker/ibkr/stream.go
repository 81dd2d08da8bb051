package ibkr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"robotrader/broker/ibkr/wire"
)

const (
	frameHeader = 4        // bytes of a frame's length prefix
	smallBuffer = 4 << 10  // of a handshake; grows as bytes come, never by a length alone
	firstBuffer = 64 << 10 // of a session: a read takes what came while the last was handled
)

// errGarbage means that what came is not a stream of frames. The framing is
// lost; only closing helps.
var errGarbage = errors.New("not the gateway's protocol")

// stream splits what reads of a connection bring into frames. It is not safe
// for concurrent use.
type stream struct {
	conn       net.Conn
	buf        []byte
	start, end int // what is read and not taken yet
}

func newStream(conn net.Conn) *stream { return &stream{conn: conn, buf: make([]byte, smallBuffer)} }

// widen makes room for a session's reads. What is read already is kept.
func (s *stream) widen() {
	if len(s.buf) >= firstBuffer {
		return
	}
	buf := make([]byte, firstBuffer)
	s.start, s.end = 0, copy(buf, s.buf[s.start:s.end])
	s.buf = buf
}

// next returns the payload of the next whole frame, nil when there is none
// before another read. It is good until the next fill.
func (s *stream) next() ([]byte, error) {
	have := s.buf[s.start:s.end]
	if len(have) < frameHeader {
		return nil, nil
	}
	n := uint64(binary.BigEndian.Uint32(have))
	if n == 0 || n > wire.MaxFrame {
		return nil, fmt.Errorf("%w: frame of %d bytes, not between 1 and %d", errGarbage, n, wire.MaxFrame)
	}
	if uint64(len(have)) < frameHeader+n {
		return nil, nil
	}
	s.start += frameHeader + int(n)
	return have[frameHeader : frameHeader+n], nil
}

// fill makes one read and returns how much it brought. What next returned
// before is overwritten.
func (s *stream) fill() (int, error) {
	switch {
	case s.start == s.end:
		s.start, s.end = 0, 0
		if len(s.buf) > 16*firstBuffer { // one great frame is no reason to keep its room
			s.buf = make([]byte, firstBuffer)
		}
	case s.end == len(s.buf) && s.start > 0:
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.conn.Read(s.buf[s.end:])
	s.end += n
	return n, err
}

// rest is what was read and is no whole frame.
func (s *stream) rest() []byte { return s.buf[s.start:s.end] }
