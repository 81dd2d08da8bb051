package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"robotrader/broker/ibkr/wire"
)

// echo is the other process: it answers each tickPrice with an order's bytes,
// which it is told first, and does nothing else.
func echo(addr string) int {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		return 1
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	first, err := wire.ReadFrame(in, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		return 1
	}
	answer := wire.AppendFrame(nil, first)
	var buf []byte
	for {
		buf, err = wire.ReadFrame(in, buf)
		if errors.Is(err, io.EOF) {
			return 0
		}
		if err == nil {
			if id, _ := wire.PeekID(buf); id == wire.IDTickPrice {
				_, err = conn.Write(answer)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
			return 1
		}
	}
}

// mirror is this side of the echo.
type mirror struct {
	cmd  *exec.Cmd
	conn net.Conn
	tick []byte
	back chan time.Time // arrivals of the answers; closed when the reader ends
}

// startMirror starts the other process and tells it what to answer with.
func startMirror(tick, order []byte) (m *mirror, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	m = &mirror{cmd: exec.Command(exe, "echo", l.Addr().String()), tick: tick, back: make(chan time.Time, 1)}
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(laneWait)); err != nil {
		return nil, errors.Join(err, m.end())
	}
	if m.conn, err = l.Accept(); err != nil {
		return nil, errors.Join(fmt.Errorf("the echo did not connect: %w", err), m.end())
	}
	if _, err := m.conn.Write(order); err != nil {
		return nil, errors.Join(err, m.end())
	}
	go m.read() // ends with the connection
	return m, nil
}

// read notes when each answer was read, as the gateway does with orders.
func (m *mirror) read() {
	defer close(m.back)
	in := bufio.NewReaderSize(m.conn, 16<<10)
	var buf []byte
	var err error
	for {
		if buf, err = wire.ReadFrame(in, buf); err != nil {
			return
		}
		m.back <- time.Now()
	}
}

// round sends one tick and returns how long after it the answer came.
func (m *mirror) round(ctx context.Context) (time.Duration, error) {
	timeout := time.NewTimer(laneWait)
	defer timeout.Stop()
	began := time.Now()
	if _, err := m.conn.Write(m.tick); err != nil {
		return 0, err
	}
	select {
	case at, ok := <-m.back:
		if !ok {
			return 0, errors.New("the echo has ended")
		}
		return at.Sub(began), nil
	case <-timeout.C:
		return 0, fmt.Errorf("no echo within %v", laneWait)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// end ends the other process.
func (m *mirror) end() error {
	if m.conn != nil {
		_ = m.conn.Close() // the echo ends at the end of the stream
	} else {
		_ = m.cmd.Process.Kill()
	}
	return m.cmd.Wait()
}
