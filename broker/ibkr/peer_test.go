package ibkr

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a scripted gateway at the other end of a pipe.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	v    wire.Version
}

func (p *peer) raw(b []byte) {
	if _, err := p.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Errorf("peer write: %v", err)
	}
}

func (p *peer) frames(messages ...wire.Message) []byte {
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = wire.AppendMessage(b, m, p.v); err != nil {
			p.t.Errorf("peer: %T: %v", m, err)
		}
	}
	return b
}

func (p *peer) send(messages ...wire.Message) { p.raw(p.frames(messages...)) }

// hello reads the client's first words.
func (p *peer) hello() {
	b := make([]byte, 17)
	if _, err := io.ReadFull(p.in, b); err != nil {
		p.t.Errorf("peer: hello: %v", err)
		return
	}
	h, n, err := wire.ParseHello(b)
	if err != nil || n != len(b) || h.Min != 100 || h.Max != 200 {
		p.t.Errorf("hello %q: %+v, %v", b, h, err)
	}
}

func (p *peer) reply(version int, text string) {
	b, err := wire.ServerHello{Version: version, Time: text}.Append(nil)
	if err != nil {
		p.t.Error(err)
	}
	p.v = wire.Version(version)
	p.raw(wire.AppendFrame(nil, b))
}

// next reads the client's next message; nil at the end.
func (p *peer) next() wire.Message {
	b, err := wire.ReadFrame(p.in, nil)
	if err != nil {
		return nil
	}
	m, err := wire.DecodeClient(p.v, b)
	if err != nil {
		p.t.Errorf("peer: %v", err)
	}
	return m
}

// greet plays everything up to START_API.
func (p *peer) greet() {
	p.hello()
	p.reply(200, "20260405 23:49:26 CET")
	if m, ok := p.next().(wire.StartAPI); !ok || m.ClientID != 7 {
		p.t.Errorf("after the version came %#v, want START_API of client 7", m)
	}
}

const paper = "DU7654321"

// welcome plays a whole handshake.
func (p *peer) welcome() {
	p.greet()
	p.send(wire.ManagedAccts{List: paper + ","}, wire.NextValidID{OrderID: 1001})
}

// drain reads until the client closes.
func (p *peer) drain() {
	for p.next() != nil {
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// dialled returns a configuration whose gateway is the script. The script's
// end closes its side.
func dialled(t *testing.T, script func(*peer)) Config {
	cfg := DefaultConfig()
	cfg.ClientID, cfg.Log = 7, quiet()
	cfg.Dial = func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		p := &peer{t: t, conn: theirs, in: bufio.NewReader(theirs), v: 200}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			script(p)
		}()
		t.Cleanup(func() { theirs.Close(); <-done })
		return ours, nil
	}
	return cfg
}

// live opens a session with a scripted gateway in a bubble; after says what
// the gateway does after the handshake.
func live(t *testing.T, after func(*peer), test func(*testing.T, *Session)) {
	t.Helper()
	liveWith(t, func(*Config) {}, after, test)
}

// patient is for gateways that answer no time request for minutes.
func patient(c *Config) { c.ProbeEvery = 10 * time.Minute }

// liveWith is live with another configuration.
func liveWith(t *testing.T, edit func(*Config), after func(*peer), test func(*testing.T, *Session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			if after != nil {
				after(p)
			}
			p.drain()
		})
		edit(&cfg)
		sess, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		test(t, sess.(*Session))
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := sess.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		synctest.Wait()
	})
}
