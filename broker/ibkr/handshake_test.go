package ibkr

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
)

func names(rungs []broker.Rung) []string {
	var list []string
	for _, r := range rungs {
		name := r.Name
		if !r.OK {
			name += "!"
		}
		list = append(list, name)
	}
	return list
}

func hold(p *peer) { p.drain() }

// Every way in which a handshake fails has its rung, its kind and an advice.
func TestHandshakeFailures(t *testing.T) {
	frame := func(payload string) []byte { return wire.AppendFrame(nil, []byte(payload)) }
	for name, tt := range map[string]struct {
		script  func(*peer)
		open    broker.OpenConfig
		rung    string
		kind    error
		code    int
		failure broker.Failure
		says    string // in the error
		after   time.Duration
	}{
		"listen-only wedge": {
			script:  func(p *peer) { p.hello(); hold(p) },
			failure: broker.NoReply, rung: "version", says: "not a byte came back", after: 10 * time.Second,
		},
		"closed before the version": {
			script:  func(p *peer) { p.hello() },
			failure: broker.ClosedEarly, rung: "version", says: "closed before its version reply",
		},
		"closed before the hello": {
			script:  func(*peer) {},
			failure: broker.ClosedEarly, rung: "version",
		},
		"garbage": {
			script:  func(p *peer) { p.hello(); p.raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); hold(p) },
			failure: broker.WrongProtocol, rung: "version", says: "not the gateway's protocol",
		},
		"zero-length frame": {
			script:  func(p *peer) { p.hello(); p.raw(make([]byte, 4)); hold(p) },
			failure: broker.WrongProtocol, rung: "version", says: "frame of 0 bytes",
		},
		"half a reply": {
			script:  func(p *peer) { p.hello(); p.raw([]byte{0, 0, 0, 26, '2', '0'}); hold(p) },
			failure: broker.WrongProtocol, rung: "version", says: "no version came", after: 10 * time.Second,
		},
		"other frames for ever": {
			script:  func(p *peer) { p.hello(); p.raw(frame("news\x00of\x00the day\x00")); hold(p) },
			failure: broker.WrongProtocol, rung: "version", says: "no version came", after: 10 * time.Second,
		},
		"redirect": {
			script:  func(p *peer) { p.hello(); p.reply(-1, "10.0.0.9:4001"); hold(p) },
			failure: broker.Redirected, rung: "version", says: `redirects to "10.0.0.9:4001"`,
		},
		"version too old": {
			script:  func(p *peer) { p.hello(); p.reply(175, "then"); hold(p) },
			failure: broker.WrongVersion, rung: "version", kind: broker.ErrRefused, says: "server version 175",
		},
		"version not offered": {
			script:  func(p *peer) { p.hello(); p.reply(201, "then"); hold(p) },
			failure: broker.WrongVersion, rung: "version", kind: broker.ErrRefused, says: "server version 201",
		},
		"closed after START_API": {
			script:  func(p *peer) { p.greet() },
			failure: broker.ClosedAfterStart, rung: "start_api", says: "closed the connection",
		},
		"closed after START_API with a word": {
			script:  func(p *peer) { p.greet(); p.send(wire.ErrMsg{RequestID: -1, Code: 507, Text: "Bad Message Length"}) },
			failure: broker.ClosedAfterStart, rung: "start_api", code: 507, says: "Bad Message Length",
		},
		"326": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ErrMsg{RequestID: 2147483647, Code: 326, Text: "client id is already in use"})
				hold(p)
			},
			failure: broker.ClientIDInUse, rung: "start_api", code: 326, says: "already in use",
		},
		"326 after the accounts": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ManagedAccts{List: paper}, wire.ErrMsg{RequestID: -1, Code: 326, Text: "in use"})
				hold(p)
			},
			failure: broker.ClientIDInUse, rung: "next_valid_id", code: 326,
		},
		"silence after START_API": {
			script:  func(p *peer) { p.greet(); hold(p) },
			failure: broker.NoIDs, rung: "managed_accounts", says: "neither the accounts nor", after: 10 * time.Second,
		},
		"farm news and no id": {
			script:  func(p *peer) { p.greet(); p.send(wire.ErrMsg{RequestID: -1, Code: 2104, Text: "OK"}); hold(p) },
			failure: broker.NoIDs, rung: "managed_accounts", says: "neither the accounts nor", after: 10 * time.Second,
		},
		"next id and no accounts": {
			script:  func(p *peer) { p.greet(); p.send(wire.NextValidID{OrderID: 5}); hold(p) },
			failure: broker.NoAccounts, rung: "managed_accounts", says: "the list of accounts did not", after: 10 * time.Second,
		},
		"accounts and no next id": {
			script:  func(p *peer) { p.greet(); p.send(wire.ManagedAccts{List: paper}); hold(p) },
			failure: broker.NoNextID, rung: "next_valid_id", says: "the next order id did not", after: 10 * time.Second,
		},
		"next id of zero": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ManagedAccts{List: paper}, wire.NextValidID{OrderID: 0})
				hold(p)
			},
			failure: broker.NoNextID, rung: "next_valid_id", after: 10 * time.Second,
		},
		"closed between the ids": {
			script:  func(p *peer) { p.greet(); p.send(wire.ManagedAccts{List: paper}) },
			failure: broker.ClosedAfterStart, rung: "next_valid_id", says: "closed the connection",
		},
		"accounts stay empty": {
			script:  func(p *peer) { p.greet(); p.send(wire.ManagedAccts{List: ","}, wire.NextValidID{OrderID: 5}); hold(p) },
			failure: broker.NoAccounts, rung: "managed_accounts", says: "stayed empty", after: 10 * time.Second,
		},
		"several accounts and none named": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ManagedAccts{List: "DU1,DU2"}, wire.NextValidID{OrderID: 5})
				hold(p)
			},
			failure: broker.Forbidden, rung: "managed_accounts", kind: broker.ErrRefused, says: "2 accounts and none is named",
		},
		"unknown account": {
			script: func(p *peer) { p.welcome(); hold(p) }, open: broker.OpenConfig{Account: "DU9"},
			failure: broker.Forbidden, rung: "managed_accounts", kind: broker.ErrRefused, says: `"DU9" is not one`,
		},
		"live account without --live": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ManagedAccts{List: "U123"}, wire.NextValidID{OrderID: 5})
				hold(p)
			},
			failure: broker.Forbidden, rung: "managed_accounts", kind: broker.ErrRefused, says: "U123 is not a paper account",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				sess, err := New(dialled(t, tt.script)).Open(t.Context(), tt.open, nil)
				var e *broker.Error
				if sess != nil || !errors.As(err, &e) {
					t.Fatalf("session %v, error %v", sess, err)
				}
				kind := tt.kind
				if kind == nil {
					kind = broker.ErrGatewayDown
				}
				if !errors.Is(err, kind) || e.Rung != tt.rung || e.Code != tt.code || e.Failure != tt.failure || e.Advice == "" {
					t.Errorf("kind %v, rung %q, code %d, failure %q, want %q, advice %q: %v", e.Kind, e.Rung, e.Code, e.Failure, tt.failure, e.Advice, err)
				}
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %q does not say %q", err, tt.says)
				}
				if took := time.Since(began); took != tt.after {
					t.Errorf("took %v, want %v", took, tt.after)
				}
				got := names(e.Rungs)
				if want := broker.Rungs()[:len(got)]; errors.Is(kind, broker.ErrGatewayDown) {
					want = slices.Clone(want)
					want[len(want)-1] += "!"
					if diff := cmp.Diff(want, got); diff != "" || got[len(got)-1] != tt.rung+"!" {
						t.Errorf("rungs %v", got)
					}
				}
			})
		})
	}
}

func TestHandshakeSucceeds(t *testing.T) {
	both := []wire.Message{wire.ManagedAccts{List: paper + ","}, wire.NextValidID{OrderID: 1001}}
	for name, tt := range map[string]struct {
		script func(*peer)
		time   string
		events int
		after  time.Duration
	}{
		"15 before 9": {script: func(p *peer) { p.greet(); p.send(both[0]); p.send(both[1]) }},
		"9 before 15": {script: func(p *peer) { p.greet(); p.send(both[1]); p.send(both[0]) }},
		"both in one write, news behind": {
			script: func(p *peer) {
				p.greet()
				p.send(both[0], both[1], wire.ErrMsg{RequestID: -1, Code: 2104, Text: "farm OK"}, wire.ErrMsg{RequestID: -1, Code: 2158, Text: "OK"})
			},
			events: 2,
		},
		"reports before the ids": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ErrMsg{RequestID: -1, Code: 2104, Text: "farm OK"},
					openOrder(900, "Submitted"), wire.OrderStatus{OrderID: 900, Status: "Submitted", ClientID: 7}, wire.OpenOrderEnd{})
				p.send(both...)
			},
			events: 3,
		},
		"byte by byte": {
			script: func(p *peer) {
				p.hello()
				reply, _ := wire.ServerHello{Version: 200, Time: "20260405 23:49:26 CET"}.Append(nil)
				for _, b := range wire.AppendFrame(nil, reply) {
					p.raw([]byte{b})
					time.Sleep(time.Millisecond)
				}
				p.next()
				for _, b := range p.frames(both...) {
					p.raw([]byte{b})
				}
			},
			after: 30 * time.Millisecond,
		},
		"frames that are no reply first": {
			script: func(p *peer) {
				p.hello()
				p.raw(wire.AppendFrame(nil, []byte("14\x001\x00some\x00news\x00")))
				p.reply(200, "20260405 23:49:26 CET")
				p.next()
				p.send(both...)
			},
		},
		"connection time in GBK without a zone": {
			script: func(p *peer) {
				p.hello()
				p.reply(200, "20260405 23:49:26 \xd6\xd0\xb9\xfa\xb1\xea\xd7\xbc\xca\xb1\xbc\xe4")
				p.next()
				p.send(both...)
			},
			time: "20260405 23:49:26 ",
		},
		"empty accounts, then filled": {
			script: func(p *peer) {
				p.greet()
				p.send(wire.ManagedAccts{}, both[1])
				for range 3 { // asked once a second
					at := time.Now()
					if _, ok := p.next().(wire.ReqManagedAccts); !ok {
						p.t.Error("the accounts were not asked for again")
					}
					if d := time.Since(at); d != time.Second {
						p.t.Errorf("asked after %v, want 1s", d)
					}
					p.send(wire.ManagedAccts{})
				}
				p.send(both[0])
			},
			after: 3 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var rungs []broker.Rung
				cfg := dialled(t, func(p *peer) { tt.script(p); p.drain() })
				sess, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, func(r broker.Rung) { rungs = append(rungs, r) })
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(broker.Rungs()[:5], names(rungs)); diff != "" {
					t.Error(diff)
				}
				if !slices.IsSortedFunc(rungs, func(a, b broker.Rung) int { return int(1000 * (a.AtMS - b.AtMS)) }) {
					t.Errorf("rungs out of time: %+v", rungs)
				}
				if took := time.Since(began); took < tt.after || took > tt.after+time.Millisecond {
					t.Errorf("took %v, want %v", took, tt.after)
				}
				f := sess.Facts()
				if f.Account != paper || f.NextOrderID != 1001 || f.ServerVersion != 200 || f.ClientID != 7 || !strings.HasPrefix(f.ConnectionTime, tt.time) {
					t.Errorf("facts %+v", f)
				}
				synctest.Wait()
				if tt.events > 0 {
					b, err := sess.Events(t.Context())
					if err != nil || len(b.Events) != tt.events {
						t.Errorf("%d early events, want %d: %+v, %v", len(b.Events), tt.events, b.Events, err)
					}
				}
				if err := sess.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) { p.hello(); p.drain() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		began := time.Now()
		_, err := New(cfg).Open(ctx, broker.OpenConfig{}, nil)
		if d := time.Since(began); d != 2*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("after %v: %v", d, err)
		}
		var e *broker.Error
		if errors.As(err, &e) && e.Failure.Wedged() {
			t.Error("our own giving up is told as a wedge")
		}
	})
}

// loopback plays a script on a real socket.
func loopback(t *testing.T, script func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			script(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("counts /proc/self/fd, which only linux has")
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A failed open leaves no goroutine (goleak) and no descriptor, and the
// gateway sees our end of the connection and no reset.
func TestFailedOpenLeavesNothingAndClosesWell(t *testing.T) {
	ended := make(chan error, 100)
	toEnd := func(c net.Conn) {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			if _, err := c.Read(make([]byte, 1024)); err != nil {
				_ = c.Close() // before it is told: the descriptors are counted then
				ended <- err
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		script  func(net.Conn)
		timeout time.Duration // of the handshake; closing has what is left of it
	}{
		"wedge":    {toEnd, 150 * time.Millisecond},
		"garbage":  {func(c net.Conn) { _, _ = c.Write(make([]byte, 100_000)); toEnd(c) }, 20 * time.Second},
		"redirect": {func(c net.Conn) { _, _ = c.Write([]byte("\x00\x00\x00\x09-1\x00other\x00")); toEnd(c) }, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			address := loopback(t, tt.script)
			cfg := DefaultConfig()
			cfg.Gateway, cfg.HandshakeTimeout, cfg.Log = address, tt.timeout, quiet()
			before := descriptors(t)
			for range 5 {
				if _, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil); !errors.Is(err, broker.ErrGatewayDown) {
					t.Fatal(err)
				}
				if err := <-ended; errors.Is(err, syscall.ECONNRESET) || isTimeout(err) {
					t.Errorf("the gateway saw %v, want our end", err)
				}
			}
			if after := descriptors(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

func TestClosedPortIsTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	facts, rungs, err := Prober{Log: quiet()}.Probe(t.Context(), address, 9999, time.Second)
	var e *broker.Error
	if !errors.As(err, &e) || e.Rung != "tcp" || e.Failure != broker.NobodyListens || !strings.Contains(e.Advice, "nothing listens") || facts.Gateway != address {
		t.Errorf("%+v, %+v, %v", facts, rungs, err)
	}
	if _, _, err := (Prober{}).Probe(t.Context(), "nonsense", 1, time.Second); !errors.Is(err, ErrBadGateway) || errors.As(err, &e) {
		t.Errorf("a gateway that is none: %v", err)
	}
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var gateway sync.WaitGroup
		gateway.Go(func() { // never closes, never stops sending
			for {
				if _, err := theirs.Write(binary.BigEndian.AppendUint32(nil, 0)); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		began := time.Now()
		DefaultConfig().closeWell(halfOpen{ours}, 0, nil)
		if took := time.Since(began); took != leastClosing {
			t.Errorf("closing took %v, want %v", took, leastClosing)
		}
		gateway.Wait()
	})
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"gateway-paper": "127.0.0.1:4002", "gateway-live": "127.0.0.1:4001", "tws-paper": "127.0.0.1:7497", "tws-live": "127.0.0.1:7496",
		"host:1": "host:1", "[::1]:4002": "[::1]:4002",
		"": "", "host": "", ":4002": "", "host:0": "", "host:65536": "", "host:http": "", "a b:1": "",
	} {
		got, err := Address(in)
		if got != want || (want == "") != errors.Is(err, ErrBadGateway) {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
}

// The end of the caller's time is a timeout, whether it comes in a read or
// between two: else a gateway that is late passes for one that closed.
func TestTheEndOfTimeBetweenTwoReadsIsATimeout(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	over := make(chan struct{})
	close(over)
	h := &handshake{conn: ours, quit: over, sess: newSession(DefaultConfig(), quiet(), ours, pace.NewBudget(45, 5))}
	if _, err := h.frame(time.Now().Add(time.Hour)); !isTimeout(err) {
		t.Errorf("%v is no timeout", err)
	}
}
