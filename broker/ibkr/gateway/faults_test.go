package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// Each fault that is done to a message on its way to the client.
func TestFaultsOfAMessage(t *testing.T) {
	for _, tt := range []struct {
		name, what string
		bytes      int // to wait for
		want       func(t *testing.T, got []byte, end string)
	}{
		{"drop", "drop it", 20, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 2 {
				t.Errorf("%q", list)
			}
		}},
		{"duplicate", "duplicate it", 58, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 4 || !slices.Equal(list[1], list[2]) || list[1][0] != "15" {
				t.Errorf("%q", list)
			}
		}},
		{"duplicate later", "duplicate it after 30ms", 58, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 4 || !slices.Equal(list[1], list[3]) {
				t.Errorf("%q", list)
			}
		}},
		{"delay", "delay it 30ms", 39, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 3 || list[1][0] != "9" || list[2][0] != "15" {
				t.Errorf("%q", list)
			}
		}},
		{"truncate", "truncate it by 1 field", 29, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 3 || !slices.Equal(list[1], []string{"15", "1"}) {
				t.Errorf("%q", list)
			}
		}},
		{"truncate all", "truncate it by 1000 fields", 27, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 3 || !slices.Equal(list[1], []string{"15"}) {
				t.Errorf("%q", list)
			}
		}},
		{"extra fields", "add 2 fields to it", 43, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); !slices.Equal(list[1], []string{"15", "1", "DU7654321", "0", "0"}) {
				t.Errorf("%q", list)
			}
		}},
		{"change a field", `change field 3 of it to "U9,\xff"`, 34, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); !slices.Equal(list[1], []string{"15", "1", "U9,\xff"}) {
				t.Errorf("%q", list)
			}
		}},
		{"change a field that is not there", `change field 9 of it to "x"`, 39, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); !slices.Equal(list[1], []string{"15", "1", "DU7654321"}) {
				t.Errorf("%q", list)
			}
		}},
		{"garbage inside", "garbage 5 bytes inside it", 39, func(t *testing.T, got []byte, _ string) {
			rest := got[4+len("9\x001\x001\x00"):]
			if n := binary.BigEndian.Uint32(rest); int(n) != len("15\x001\x00DU7654321\x00") || !bytes.HasPrefix(rest[4:], []byte("15\x00")) ||
				!bytes.HasSuffix(rest[:4+n], []byte("54321\x00")) || bytes.Contains(rest[:4+n], []byte("DU")) {
				t.Errorf("%q", got)
			}
		}},
		{"split", "split it at byte 5", 39, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 3 {
				t.Errorf("%q", list)
			}
		}},
		{"reset inside", "reset inside it at byte 9", toTheEnd, func(t *testing.T, got []byte, end string) {
			if len(got) != 4+len("9\x001\x001\x00")+9 || end != "reset" {
				t.Errorf("%q %s", got, end)
			}
		}},
		{"frame of an unknown id", `frame "9999|1|x"`, 52, func(t *testing.T, got []byte, _ string) {
			if list := frames(t, got); len(list) != 4 || !slices.Equal(list[1], []string{"9999", "1", "x"}) {
				t.Errorf("%q", list)
			}
		}},
		{"garbage between frames", "garbage 6 bytes", 45, func(t *testing.T, got []byte, _ string) {
			if rest := got[4+len("9\x001\x001\x00")+6:]; len(frames(t, rest)) != 2 {
				t.Errorf("%q", got)
			}
		}},
		{"oversize length between frames", "oversize length", 43, func(t *testing.T, got []byte, _ string) {
			if rest := got[4+len("9\x001\x001\x00"):]; !bytes.HasPrefix(rest, []byte{1, 0, 0, 0}) {
				t.Errorf("%q", got)
			}
		}},
		{"zero length between frames", "zero length", 43, func(t *testing.T, got []byte, _ string) {
			if rest := got[4+len("9\x001\x001\x00"):]; !bytes.HasPrefix(rest, []byte{0, 0, 0, 0}) {
				t.Errorf("%q", got)
			}
		}},
		{"reset", "reset", toTheEnd, func(t *testing.T, got []byte, end string) {
			if len(frames(t, got)) != 1 || end != "reset" {
				t.Errorf("%q %s", got, end)
			}
		}},
		{"close", "close", toTheEnd, func(t *testing.T, got []byte, end string) {
			if len(frames(t, got)) != 1 || end != "close" && end != "reset" {
				t.Errorf("%q %s", got, end)
			}
		}},
		{"half close", "half close", toTheEnd, func(t *testing.T, got []byte, end string) {
			if len(frames(t, got)) != 1 || end != "close" {
				t.Errorf("%q %s", got, end)
			}
		}},
		{"silence", "silence", 0, func(t *testing.T, got []byte, end string) {
			if len(frames(t, got)) != 1 || end != "open" {
				t.Errorf("%q %s", got, end)
			}
		}},
		{"silence for a while", "silence for 40ms", 39, func(t *testing.T, got []byte, end string) {
			if len(frames(t, got)) != 3 || end != "open" {
				t.Errorf("%q %s", got, end)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The second managedAccts is an answer to reqManagedAccts.
			p, _ := join(t, startFaulty(t, "on the 2nd managedAccts to client: "+tt.what, nil), MaxVersion, 1)
			p.sendAll(wire.ReqIDs{Num: 1}, wire.ReqManagedAccts{}, wire.ReqIDs{Num: 1})
			got, end := p.raw(tt.bytes)
			tt.want(t, got, end)
		})
	}
}

// The pieces in which bytes come.
func TestFaultsOfTheStream(t *testing.T) {
	// pieces reads a segment at a time: what is written apart comes apart.
	pieces := func(p *peer, until int) (sizes []int) {
		buf := make([]byte, 64<<10)
		for sum := 0; sum < until; {
			n, err := p.conn.Read(buf)
			if err != nil {
				p.t.Fatalf("after %v: %v", sizes, err)
			}
			sizes = append(sizes, n)
			sum += n
		}
		return sizes
	}
	t.Run("drip", func(t *testing.T) {
		p := dial(t, startFaulty(t, "on connection 1: drip 5 bytes every 10ms", nil))
		p.offer()
		if got := pieces(p, helloBytes); len(got) < 4 {
			t.Errorf("the hello came in %v", got)
		}
	})
	t.Run("drip for a while", func(t *testing.T) {
		p := dial(t, startFaulty(t, "on connection 1: drip 1 byte every 1ms for 1ms", nil))
		p.offer()
		if got := pieces(p, helloBytes); len(got) > 10 {
			t.Errorf("the hello came in %v", got)
		}
	})
	t.Run("split every frame", func(t *testing.T) {
		p := dial(t, startFaulty(t, "on connection 1: split every frame at byte 3", nil))
		p.offer()
		if got := pieces(p, helloBytes); !slices.Equal(got, []int{3, helloBytes - 3}) {
			t.Errorf("the hello came in %v", got)
		}
	})
	t.Run("join", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqManagedAccts from client: join 4 frames within 5s", nil), MaxVersion, 1)
		for range 4 {
			p.send(wire.ReqManagedAccts{})
		}
		frame := 4 + len("15\x001\x00DU7654321\x00")
		if got := pieces(p, 4*frame); len(got) != 1 {
			t.Errorf("the answers came in %v", got)
		}
	})
	t.Run("join within", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqManagedAccts from client: join 60 frames within 60ms", nil), MaxVersion, 1)
		began := time.Now()
		p.send(wire.ReqManagedAccts{})
		p.next()
		if took := time.Since(began); took < 50*time.Millisecond {
			t.Errorf("the answer came after %v", took)
		}
	})
	t.Run("delay everything", func(t *testing.T) {
		p := dial(t, startFaulty(t, "on connection 1: delay everything 60ms", nil))
		began := time.Now()
		p.offer()
		pieces(p, helloBytes)
		if took := time.Since(began); took < 50*time.Millisecond {
			t.Errorf("the hello came after %v", took)
		}
	})
}

// What the client sends, and the end of its connection.
func TestFaultsOfTheReader(t *testing.T) {
	t.Run("drop a request", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqManagedAccts from client: drop it", nil), MaxVersion, 1)
		p.send(wire.ReqManagedAccts{})
		if list := p.sync(); len(list) != 0 {
			t.Errorf("got %v", names(list))
		}
	})
	t.Run("duplicate a request", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqManagedAccts from client: duplicate it", nil), MaxVersion, 1)
		p.send(wire.ReqManagedAccts{})
		if list := p.sync(); len(list) != 2 {
			t.Errorf("got %v", names(list))
		}
	})
	t.Run("delay a request", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqManagedAccts from client: delay it 60ms", nil), MaxVersion, 1)
		began := time.Now()
		p.send(wire.ReqManagedAccts{})
		p.sync()
		if took := time.Since(began); took < 50*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
	})
	t.Run("answer lost with the session", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "after the 1st reqManagedAccts from client: reset", nil), MaxVersion, 1)
		p.send(wire.ReqManagedAccts{})
		if got, end := p.raw(toTheEnd); len(frames(t, got)) != 1 || end != "reset" {
			t.Errorf("%q %s", got, end)
		}
	})
	t.Run("stop reading", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqIds from client: stop reading for 120ms", nil), MaxVersion, 1)
		began := time.Now() // before it stops
		p.send(wire.ReqIDs{Num: 1})
		p.next()
		p.send(wire.ReqManagedAccts{})
		p.next()
		if took := time.Since(began); took < 120*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
	})
	t.Run("stop reading for good does not hold up the end", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqIds from client: stop reading", nil), MaxVersion, 1)
		p.send(wire.ReqIDs{Num: 1})
		p.next()
	})
	t.Run("keep client id", func(t *testing.T) {
		s := startFaulty(t, "on connection 1: keep client id for 2s", nil)
		first, _ := join(t, s, MaxVersion, 5)
		_ = first.conn.Close()
		second := dial(t, s)
		second.hello(MaxVersion)
		second.send(wire.StartAPI{ClientID: 5})
		if got := codes(second.closed()); !slices.Equal(got, []int{326}) {
			t.Errorf("got %v", got)
		}
		joinable(t, s)
	})
}

// Faults of the whole gateway.
func TestFaultsOfTheGateway(t *testing.T) {
	refused := func(t *testing.T, s *Server) bool {
		t.Helper()
		c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
		if err == nil {
			_ = c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	t.Run("reset on a connection", func(t *testing.T) {
		s := startFaulty(t, "on connection 1: reset", nil)
		c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
		if err == nil {
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v", err)
		}
		joinable(t, s)
	})
	t.Run("refuse", func(t *testing.T) {
		s := startFaulty(t, "at start: refuse for 1500ms", nil)
		if !refused(t, s) {
			t.Error("the port is open")
		}
		reopens(t, s)
	})
	t.Run("refuse for good", func(t *testing.T) {
		if s := startFaulty(t, "at start: refuse", nil); !refused(t, s) {
			t.Error("the port is open")
		}
	})
	t.Run("restart", func(t *testing.T) {
		s := startFaulty(t, "on the 1st reqIds from client: restart down 1500ms with ids back by 2", nil)
		p, next := join(t, s, MaxVersion, 1)
		q, _ := join(t, s, MaxVersion, 2)
		for i := range int64(3) {
			p.send(marketOrder(next+i, order.Buy, 1))
		}
		p.await(wire.IDCommissionReport)
		p.send(wire.ReqIDs{Num: 1})
		for _, c := range []*peer{p, q} {
			if _, end := c.raw(toTheEnd); end != "reset" {
				t.Errorf("ended with %s", end)
			}
		}
		if !refused(t, s) {
			t.Error("the port is open")
		}
		reopens(t, s)
		if _, again := join(t, s, MaxVersion, 1); again != next+1 {
			t.Errorf("next id %d after three orders from %d, and two forgotten", again, next)
		}
	})
	t.Run("freeze", func(t *testing.T) {
		p, _ := join(t, startFaulty(t, "on the 1st reqIds from client: freeze for 150ms", nil), MaxVersion, 1)
		began := time.Now()
		p.send(wire.ReqIDs{Num: 1})
		p.send(wire.ReqManagedAccts{})
		p.await(wire.IDManagedAccts)
		if took := time.Since(began); took < 100*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
	})
	t.Run("half dead", func(t *testing.T) {
		s := startFaulty(t, "on the 1st reqIds from client: half dead", nil)
		p, _ := join(t, s, MaxVersion, 1)
		p.sync()
		p.sync() // it is served
		q := dial(t, s)
		q.offer()
		if got, end := q.raw(0); len(got) > 0 || end != "open" {
			t.Errorf("a new handshake: %q %s", got, end)
		}
	})
	t.Run("half dead reversed", func(t *testing.T) {
		s := startFaulty(t, "on the 1st reqIds from client: half dead reversed", nil)
		p, _ := join(t, s, MaxVersion, 1)
		p.send(wire.ReqIDs{Num: 1})
		if got, end := p.raw(0); len(got) > 0 || end != "open" {
			t.Errorf("the session: %q %s", got, end)
		}
		join(t, s, MaxVersion, 2)
	})
	t.Run("wedge of all", func(t *testing.T) {
		s := startFaulty(t, `on the 1st reqIds from client: frame "8888|now" then wedge`, nil)
		p, _ := join(t, s, MaxVersion, 1)
		p.send(wire.ReqIDs{Num: 1})
		p.next() // the mark of the script: it has fired
		q := dial(t, s)
		q.offer()
		for _, c := range []*peer{p, q} {
			if got, end := c.raw(0); len(got) > 0 || end != "open" {
				t.Errorf("%q %s", got, end)
			}
		}
	})
}

// reopens waits until the port is open again.
func reopens(t *testing.T, s *Server) {
	t.Helper()
	until := time.Now().Add(patience)
	for {
		c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the port stays closed: %v", err)
		}
	}
}
