package rig

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// ErrFeedClosed means that the trader closed the feed.
var ErrFeedClosed = errors.New("feed: the trader closed it")

// Dashboard is a connection to the feed as a browser makes it, as far as the
// protocol (RFC 6455) asks for it. The WebSocket library is the hub's alone.
// Nothing is read but by Read, so a dashboard can be as slow as it likes.
type Dashboard struct {
	conn *net.TCPConn
	in   *bufio.Reader
}

// OpenDashboard connects to the trader at addr. A buffer above 0 bounds what the
// kernel keeps for a dashboard that does not read, in bytes.
func OpenDashboard(ctx context.Context, addr string, buffer int) (*Dashboard, error) {
	dial := net.Dialer{Timeout: 5 * time.Second}
	c, err := dial.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("feed: %T is no TCP connection", c), c.Close())
	}
	if buffer > 0 {
		err = conn.SetReadBuffer(buffer)
	}
	d := &Dashboard{conn: conn, in: bufio.NewReader(conn)}
	err = errors.Join(err, conn.SetDeadline(time.Now().Add(5*time.Second)))
	if err == nil {
		err = upgrade(conn, d.in, addr)
	}
	if err = errors.Join(err, conn.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return d, nil
}

// Read returns the next message, and answers pings on the way. It ends with
// ctx, whose error it then returns.
func (d *Dashboard) Read(ctx context.Context) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = d.conn.SetReadDeadline(time.Unix(1, 0)) })() // a closed connection needs none
	for {
		opcode, payload, err := readMessage(d.in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, fmt.Errorf("feed: %w", err)
		case opcode == opClose:
			return nil, fmt.Errorf("%w: %q", ErrFeedClosed, payload)
		case opcode == opPing:
			if err := writeControl(d.conn, opPong, payload); err != nil {
				return nil, err
			}
		case opcode != opPong:
			return payload, nil
		}
	}
}

// Close ends it as a page that is left.
func (d *Dashboard) Close() error {
	return errors.Join(writeControl(d.conn, opClose, nil), d.conn.Close())
}

// Drop ends it without a word, with a reset.
func (d *Dashboard) Drop() error {
	return errors.Join(d.conn.SetLinger(0), d.conn.Close())
}

// Follow reads the feed and gives each message to visit, until ctx ends; the
// error is then ctx's.
func Follow(ctx context.Context, addr string, visit func(message []byte)) error {
	d, err := OpenDashboard(ctx, addr, 0)
	if err != nil {
		return err
	}
	for messages := 0; ; messages++ {
		message, err := d.Read(ctx)
		switch {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), d.Close())
		case err != nil:
			return errors.Join(fmt.Errorf("after %d messages: %w", messages, err), d.conn.Close())
		}
		visit(message)
	}
}

func upgrade(conn net.Conn, in *bufio.Reader, addr string) error {
	var key [16]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	_, err := fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", addr, addr, base64.StdEncoding.EncodeToString(key[:]))
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return fmt.Errorf("feed: upgrade: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("feed: upgrade: %s", resp.Status)
	}
	return nil
}

const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// readMessage reads one frame; a server's are not masked.
func readMessage(in *bufio.Reader) (opcode byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, nil, err
	}
	opcode = head[0] & 0xf
	size := uint64(head[1] & 0x7f)
	switch size {
	case 126:
		_, err = io.ReadFull(in, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(in, head[:8])
		size = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return 0, nil, err
	}
	const most = 64 << 20
	if size > most {
		return 0, nil, fmt.Errorf("a message of %d bytes", size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(in, payload)
	return opcode, payload, err
}

// writeControl writes a frame of at most 125 bytes, masked with zeros, as a
// client may.
func writeControl(conn net.Conn, opcode byte, payload []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	frame := append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := conn.Write(frame)
	return err
}

// Poke writes what needs no answer (a pong that nobody asked for). It fails, at the
// second time at the latest, when the trader has let the connection go: one that
// does not read may not hear of that.
func (d *Dashboard) Poke() error { return writeControl(d.conn, opPong, nil) }
