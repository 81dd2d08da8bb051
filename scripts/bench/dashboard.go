package main

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

// watch is a dashboard for a while; it returns how many messages came.
func watch(ctx context.Context, addr string, d time.Duration) (messages int, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err = follow(ctx, addr, func([]byte) { messages++ })
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		return messages, err
	case messages == 0:
		return 0, fmt.Errorf("no message came over the feed within %v", d)
	}
	return messages, nil
}

// follow reads the feed as a browser would, as far as the protocol (RFC 6455)
// asks for, and gives each message to visit, until ctx ends; the error is then
// ctx's. The WebSocket library is the hub's alone.
func follow(ctx context.Context, addr string, visit func(message []byte)) error {
	dial := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dial.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })() // a closed connection needs none
	in := bufio.NewReader(conn)
	if err := upgrade(conn, in, addr); err != nil {
		return err
	}
	messages := 0
	for {
		opcode, payload, err := readMessage(in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return errors.Join(ctx.Err(), writeControl(conn, opClose, nil))
		case err != nil:
			return fmt.Errorf("feed: after %d messages: %w", messages, err)
		case opcode == opClose:
			return fmt.Errorf("feed: the trader closed it after %d messages: %q", messages, payload)
		case opcode == opPing:
			if err := writeControl(conn, opPong, payload); err != nil {
				return err
			}
		case opcode != opPong:
			messages++
			visit(payload)
		}
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
