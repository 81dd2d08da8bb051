package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/wire"
)

const (
	// handshakeLimit is what our handshake may take, over one that is written by
	// hand.
	handshakeLimit = 1.5
	handshakeWait  = 5 * time.Second
)

// handshakes measures from the TCP connect until both ids are there, against
// one and the same peer: by hand, which is the least that it can be, and by
// the adapter. They take turns, so that both share the machine's noise.
func handshakes(ctx context.Context, p plan) (s section, err error) {
	s.title = fmt.Sprintf("handshake over loopback, %d of each", p.opens)
	peer, err := newPeer()
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, peer.close()) }()
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.Log = peer.addr, slog.New(slog.DiscardHandler)
	adapter := ibkr.New(cfg)
	var hand, ours sample
	for i := range p.opens + warmUp {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		byHand, err := peer.byHand()
		if err != nil {
			return s, fmt.Errorf("by hand: %w", err)
		}
		byUs, err := open(ctx, adapter)
		if err != nil {
			return s, fmt.Errorf("adapter: %w", err)
		}
		if i >= warmUp {
			hand, ours = append(hand, byHand), append(ours, byUs)
		}
	}
	ratio := float64(ours.median()) / float64(hand.median())
	s.add("by hand", hand.String())
	s.add("adapter", ours.String())
	s.judge("median over median", fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.1f", handshakeLimit), ratio <= handshakeLimit)
	s.note("From before the connect until both ids are decoded; closing is not in it. The peer is the same: 20 lines that answer.")
	return s, nil
}

// open makes one session and closes it well.
func open(ctx context.Context, adapter *ibkr.Adapter) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeWait)
	defer cancel()
	began := time.Now()
	session, err := adapter.Open(ctx, broker.OpenConfig{}, nil)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	return took, session.Close(ctx)
}

// peer answers handshakes and nothing else.
type peer struct {
	listener          net.Listener
	addr              string
	hello             []byte // what a client opens with
	start             []byte
	version, accounts []byte
	next              []byte
	served            chan struct{} // closed when the listener's goroutine has gone
}

func newPeer() (*peer, error) {
	p := &peer{served: make(chan struct{})}
	var errs []error
	frame := func(b []byte, err error) []byte {
		errs = append(errs, err)
		return b
	}
	v := wire.MaxVersion
	p.hello = frame(wire.Hello{Min: 100, Max: int(v)}.Append(nil))
	p.start = frame(wire.AppendMessage(nil, wire.StartAPI{ClientID: 1}, v))
	p.version = wire.AppendFrame(nil, frame(wire.ServerHello{Version: int(v), Time: "20260405 23:49:26 CET"}.Append(nil)))
	p.accounts = frame(wire.AppendMessage(nil, wire.ManagedAccts{List: "DU7654321"}, v))
	p.next = frame(wire.AppendMessage(nil, wire.NextValidID{OrderID: 1001}, v))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.listener, p.addr = l, l.Addr().String()
	go p.serve()
	return p, nil
}

// serve takes one client after the other; it ends with the listener.
func (p *peer) serve() {
	defer close(p.served)
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		_ = p.answer(conn) // the client tells
		_ = conn.Close()
	}
}

func (p *peer) answer(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeWait)); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if _, err := io.ReadFull(in, make([]byte, len(p.hello))); err != nil {
		return err
	}
	if _, err := conn.Write(p.version); err != nil {
		return err
	}
	if _, err := io.ReadFull(in, make([]byte, len(p.start))); err != nil {
		return err
	}
	if _, err := conn.Write(p.accounts); err != nil {
		return err
	}
	if _, err := conn.Write(p.next); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in) // to the client's end
	return err
}

// byHand is a client that knows what comes: it sends the bytes and reads as
// many as there are.
func (p *peer) byHand() (time.Duration, error) {
	began := time.Now()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(began.Add(handshakeWait)); err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for _, turn := range []struct{ say, hear []byte }{{p.hello, p.version}, {p.start, append(append([]byte{}, p.accounts...), p.next...)}} {
		if _, err := conn.Write(turn.say); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, buf[:len(turn.hear)]); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func (p *peer) close() error {
	err := p.listener.Close()
	<-p.served
	return err
}
