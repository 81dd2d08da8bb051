package gateway

import (
	"context"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

func itoa(n int) string { return strconv.Itoa(n) }

// versions are those that change a layout, section 6.
var versions = []int{176, 178, 187, 189, 192, 193, 195, 196, 200}

func TestHandshake(t *testing.T) {
	for _, v := range versions {
		t.Run(itoa(v), func(t *testing.T) {
			s := start(t, shortDay(), nil)
			p := dial(t, s)
			if h := p.hello(v); h.Version != v || h.Time != "20260402 09:30:00 EDT" {
				t.Errorf("hello %+v", h)
			}
			p.leave()
			p, next := join(t, s, v, 7)
			if next != 1 {
				t.Errorf("next order id %d", next)
			}
			if got := p.sync(); len(got) != 0 {
				t.Errorf("after the handshake came %v", names(got))
			}
			p.leave()
		})
	}
}

func TestVersionIsTheLesserOfBothMaxima(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.ServerVersion = 187 })
	if h := dial(t, s).hello(226); h.Version != 187 {
		t.Errorf("version %d", h.Version)
	}
}

func TestHelloInBytesAndOneVersionRange(t *testing.T) {
	s := start(t, shortDay(), nil)
	p := dial(t, s)
	for _, b := range []byte("API\x00\x00\x00\x00\x04v176") {
		p.write([]byte{b})
	}
	payload, err := wire.ReadFrame(p.in, nil)
	if err != nil || !strings.HasPrefix(string(payload), "176\x00") {
		t.Errorf("answer %q: %v", payload, err)
	}
}

func TestBadOpeningsAreClosed(t *testing.T) {
	hello := "API\x00\x00\x00\x00\x09v100..200"
	frame := func(payload string) string { return string(wire.AppendFrame(nil, []byte(payload))) }
	for name, bytes := range map[string]string{
		"http":                "GET / HTTP/1.1\r\n\r\n",
		"malformed range":     "API\x00\x00\x00\x00\x08v100.200",
		"zero length range":   "API\x00\x00\x00\x00\x00",
		"huge range":          "API\x00\xff\xff\xff\xff",
		"too old":             "API\x00\x00\x00\x00\x09v100..175",
		"too new":             "API\x00\x00\x00\x00\x09v201..226",
		"request first":       hello + frame("17\x001\x00"),
		"unknown first":       hello + frame("999\x00"),
		"garbage first":       hello + frame("\xff\xfe"),
		"negative client":     hello + frame("71\x002\x00-1\x00\x00"),
		"truncated START_API": hello + frame("71\x002\x00"),
		"zero length frame":   hello + "\x00\x00\x00\x00",
		"oversize frame":      hello + "\x01\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, shortDay(), nil)
			p := dial(t, s)
			p.write([]byte(bytes))
			if strings.HasPrefix(bytes, hello) {
				if _, err := wire.ReadFrame(p.in, nil); err != nil {
					t.Fatalf("no answer to the hello: %v", err)
				}
				p.v = 200
			}
			for _, m := range p.closed() {
				if e, ok := m.(wire.ErrMsg); !ok || e.Code != venue.BadLength {
					t.Errorf("got %s before the close", names([]wire.Message{m}))
				}
			}
			joinable(t, s) // the gateway itself is well
		})
	}
}

// joinable fails unless another client can come and go.
func joinable(t *testing.T, s *Server) {
	t.Helper()
	p, _ := join(t, s, 200, 99)
	p.leave()
}

func TestFramingLostInSession(t *testing.T) {
	for _, n := range []uint32{0, 1 << 24, 1<<32 - 1} {
		s := start(t, shortDay(), nil)
		p, _ := join(t, s, 200, 1)
		p.write(binary.BigEndian.AppendUint32(nil, n))
		list := p.closed()
		if len(list) != 1 || list[0].(wire.ErrMsg).Code != venue.BadLength {
			t.Errorf("length %d: got %v", n, names(list))
		}
		joinable(t, s)
	}
}

func TestMalformedAndUnknownMessagesLeaveTheSessionUp(t *testing.T) {
	s := start(t, shortDay(), nil)
	p, _ := join(t, s, 200, 1)
	for _, tt := range []struct {
		payload string
		code    int
		id      int64
	}{
		{"1\x0011\x00", venue.ServerRead, -1},                                  // reqMktData without its fields
		{"1\x0011\x00nine\x00", venue.ServerRead, -1},                          // an id that is none
		{"3\x0042\x00", venue.ServerRead, 42},                                  // placeOrder that ends early
		{"\x00\x00\x00\x03", venue.ServerRead, -1},                             // a binary id, as from 201 on
		{"10\x005\x0077\x00", venue.ServerRead, -1},                            // reqMktDepth without its fields
		{"9999\x001\x002\x00", venue.Validation, -1},                           // no such message
		{"7\x003\x001\x000\x00\x00\x00\x00\x00\x00\x00", venue.ServerRead, -1}, // reqExecutions without the fields of 200
	} {
		p.write(wire.AppendFrame(nil, []byte(tt.payload)))
		list := p.sync()
		if len(list) != 1 {
			t.Errorf("%q: got %v", tt.payload, names(list))
			continue
		}
		if m := list[0].(wire.ErrMsg); m.Code != tt.code || m.RequestID != tt.id || m.Text == "" {
			t.Errorf("%q: got %+v", tt.payload, m)
		}
	}
}

func TestClientIDInUse(t *testing.T) {
	s := start(t, shortDay(), nil)
	first, _ := join(t, s, 200, 5)
	second := dial(t, s)
	second.hello(200)
	began := time.Now()
	second.send(wire.StartAPI{ClientID: 5})
	list := second.closed()
	if len(list) != 1 || list[0].(wire.ErrMsg).Code != venue.ClientIDInUse {
		t.Fatalf("got %v", names(list))
	}
	if waited := time.Since(began); waited < claimGrace {
		t.Errorf("refused after %v, before the first could go", waited)
	}
	if got := first.sync(); len(got) != 0 {
		t.Errorf("the first session got %v", names(got))
	}
}

func TestClientIDIsFreedByFINAndByReset(t *testing.T) {
	s := start(t, shortDay(), nil)
	for i := range 20 {
		p, _ := join(t, s, 200, 5)
		if i%2 == 0 {
			if err := p.conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}
		_ = p.conn.Close() // and at once the next with the same id
	}
}

func TestSilentClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s, err := New(lockStep(), shortDay(), quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(l); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"", "API\x00", "API\x00\x00\x00\x00\x09v100..200"} {
			conn := l.dial()
			began := time.Now()
			go func() { _, _ = conn.Write([]byte(words)) }()
			var err error
			for buf := make([]byte, 512); err == nil; {
				_, err = conn.Read(buf)
			}
			if took := time.Since(began); took != s.cfg.HelloTimeout {
				t.Errorf("after %q closed in %v, want %v", words, took, s.cfg.HelloTimeout)
			}
			_ = conn.Close()
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func lockStep() Config {
	c := DefaultConfig()
	c.Speed, c.Instance = 0, 1
	return c
}

// pipeListener accepts in-memory connections, so that a bubble's time runs.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	a, b := net.Pipe()
	l.conns <- b
	return a
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestTooManyClients(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.MaxClients = 2 })
	first, _ := join(t, s, 200, 1)
	join(t, s, 200, 2)
	if list := dial(t, s).closed(); len(list) != 0 {
		t.Errorf("the third got %v", names(list))
	}
	first.leave()
	first.conn.Close()
	joinable(t, s)
}

func TestStopWithClients(t *testing.T) {
	s := start(t, shortDay(), nil)
	ready, _ := join(t, s, 200, 1)
	mute := dial(t, s)
	greeted := dial(t, s)
	greeted.hello(200)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	ready.closed()
	mute.closed()
	greeted.closed()
	for _, p := range []*peer{ready, mute, greeted} {
		_ = p.conn.Close()
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > closeGrace {
		t.Errorf("stop took %v", took)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func TestStopCutsAClientThatDoesNotClose(t *testing.T) {
	s := start(t, shortDay(), nil)
	join(t, s, 200, 1) // never reads, never closes
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTimeRequests(t *testing.T) {
	s := start(t, shortDay(), nil)
	p, _ := join(t, s, 200, 1)
	p.send(wire.ReqCurrentTime{})
	p.send(wire.ReqCurrentTime{}) // within one second: silence
	p.send(wire.ReqTimeInMillis{})
	p.send(wire.ReqManagedAccts{})
	list := p.sync()
	if len(list) != 3 || list[0] != wire.Message(wire.CurrentTime{Epoch: opening.Unix()}) ||
		list[1] != wire.Message(wire.TimeInMillis{Epoch: opening.UnixMilli()}) {
		t.Errorf("got %+v", list)
	}
}

func TestMaxRate(t *testing.T) {
	s := start(t, &script{}, func(c *Config) { c.Speed = 1 })
	p, _ := join(t, s, 200, 1)
	for range 60 {
		p.send(wire.ReqManagedAccts{})
	}
	answers, refused := 0, 0
	for answers+refused < 51 {
		switch m := p.next().(type) {
		case wire.ManagedAccts:
			answers++
		case wire.ErrMsg:
			refused++
			if m.Code != venue.MaxRate {
				t.Errorf("got %+v", m)
			}
		}
	}
	if answers != 50 || refused != 1 {
		t.Errorf("%d answers and %d refusals", answers, refused)
	}
}

func TestRateWindow(t *testing.T) {
	r := newRate(3)
	at := func(ms int) time.Time { return opening.Add(time.Duration(ms) * time.Millisecond) }
	for _, tt := range []struct {
		ms        int
		ok, first bool
	}{
		{0, true, false},
		{400, true, false},
		{800, true, false},
		{999, false, true},
		{999, false, false},
		{1000, true, false}, // the first has left the window
		{1001, false, false},
		{1400, true, false},
		{1999, true, false},
		{1999, false, true}, // a second strike, a second after the first
	} {
		if ok, first := r.allow(at(tt.ms)); ok != tt.ok || first != tt.first {
			t.Errorf("at %d ms: %v %v, want %v %v", tt.ms, ok, first, tt.ok, tt.first)
		}
	}
	if r.strikes != 2 {
		t.Errorf("%d strikes", r.strikes)
	}
}

// A client that has asked for much does not hold up the end: what was read
// ahead of it is left.
func TestStopLeavesWhatWasReadAhead(t *testing.T) {
	var s *Server
	entered, handled := make(chan struct{}, 100), 0
	s = start(t, shortDay(), func(c *Config) {
		c.OnOrder = func(time.Time, int) { // only the reader calls it
			handled++
			entered <- struct{}{}
			<-s.quit
		}
	})
	p, next := join(t, s, MaxVersion, 1)
	var all []byte
	for i := range int64(20) {
		frame, err := wire.AppendMessage(nil, marketOrder(next+i, order.Buy, 1), MaxVersion)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, frame...)
	}
	p.write(all)
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if handled != 1 {
		t.Errorf("%d orders were handled, %d of them after the stop", handled, handled-1)
	}
}
