package acceptance

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"robotrader/broker/ibkr/wire"
)

// rude is a program without manners, for the judge to be judged.
type rude struct {
	t    *testing.T
	peer *peer
	conn *net.TCPConn
}

func dial(t *testing.T, p *peer) *rude {
	t.Helper()
	c, err := net.Dial("tcp4", p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rude{t, p, c.(*net.TCPConn)}
}

func (r *rude) write(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rude) hello() {
	r.t.Helper()
	b, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(b)
}

func (r *rude) say(m wire.Message) {
	r.t.Helper()
	b, err := wire.AppendMessage(nil, m, 200)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(b)
}

// answered reads as many frames.
func (r *rude) answered(frames int) {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	for range frames {
		if _, err := wire.ReadFrame(r.conn, nil); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestTheJudgeSeesBadManners(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		do         func(t *testing.T, p *peer)
	}{
		{"a bare connection", "bare connection", func(t *testing.T, p *peer) {
			dial(t, p).conn.Close()
		}},
		{"a reset", "reset (RST)", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
			if err := r.conn.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			r.conn.Close()
		}},
		{"no hello", "begins with no hello", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.write([]byte("GET / HTTP/1.1\r\n"))
			r.conn.Close()
		}},
		{"a request before both ids", "reqPositions before both ids", func(t *testing.T, p *peer) {
			p.serve([]string{"handshake"}, false)
			r := dial(t, p)
			r.hello()
			waitFor(t, p, func() bool { return len(p.conns) == 1 && len(p.conns[0].heard) == 1 })
			if err := p.conns[0].sendVersion("200", usualTime); err != nil {
				t.Fatal(err)
			}
			r.answered(1)
			r.say(wire.StartAPI{ClientID: 1})
			r.say(wire.ReqPositions{})
			waitFor(t, p, func() bool { return len(p.conns[0].heard) == 3 })
			r.conn.Close()
		}},
		{"a frame that does not decode", "does not decode", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
			r.write(append(binary.BigEndian.AppendUint32(nil, 4), "71\x00x"...))
			waitFor(t, p, func() bool { return len(p.conns[0].heard) == 2 })
			r.conn.Close()
		}},
		{"two sessions", "two sessions at once", func(t *testing.T, p *peer) {
			a, b := dial(t, p), dial(t, p)
			a.hello()
			a.answered(1)
			b.hello()
			b.answered(1)
			a.conn.Close()
			b.conn.Close()
		}},
		{"an id again at once", "not 1 s", func(t *testing.T, p *peer) {
			a := dial(t, p)
			a.hello()
			a.answered(1)
			a.conn.Close()
			waitFor(t, p, func() bool { return p.conns[0].over == fin })
			b := dial(t, p)
			b.hello()
			b.answered(1)
			b.conn.Close()
		}},
		{"another client id", "client id 2, the one before with 1", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
			r.say(wire.StartAPI{ClientID: 1})
			r.say(wire.StartAPI{ClientID: 2})
			r.answered(4)
			r.conn.Close()
		}},
		{"the time asked twice at once", "time", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
			r.say(wire.StartAPI{ClientID: 1})
			r.answered(2)
			r.say(wire.ReqCurrentTime{})
			r.say(wire.ReqCurrentTime{})
			r.answered(2)
			r.conn.Close()
		}},
		{"never ended", "never ended", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
		}},
		{"nothing bad", "", func(t *testing.T, p *peer) {
			r := dial(t, p)
			r.hello()
			r.answered(1)
			r.say(wire.StartAPI{ClientID: 1})
			r.answered(2)
			r.conn.Close()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := open(defaultMarket)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			p.serve([]string{"all", "handshake"}, true)
			tt.do(t, p)
			waitFor(t, p, func() bool { return len(p.conns) > 0 }) // the kernel may be ahead of the peer
			within := patience
			if tt.want == "never ended" { // waited for to its end
				within = 500 * time.Millisecond
			}
			p.quiet(within)
			got := strings.Join(p.judgeEnds(false), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("judged %q, want %q\n%s", got, tt.want, p.transcript())
			}
		})
	}
}

func waitFor(t *testing.T, p *peer, look func() bool) {
	t.Helper()
	if !p.await(patience, look) {
		t.Fatalf("not in time:\n%s", p.transcript())
	}
}
