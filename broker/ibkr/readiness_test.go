package ibkr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

// The guard that the trader before this one lacked: whatever a gateway sends,
// and in which order, a session is opened with accounts and a next order id, or
// not at all. Both on their own, many times, empty, or with everything else
// around them, are not enough.
func TestNeverReadyWithoutAccountsOrNextID(t *testing.T) {
	around := []func(*peer){
		func(p *peer) { p.send(said(2104, "Market data farm connection is OK:usfarm")) },
		func(p *peer) { p.send(said(2158, "Sec-def data farm connection is OK:secdefnj")) },
		func(p *peer) { p.send(said(1100, "Connectivity is lost")) },
		func(p *peer) { p.send(openOrder(7, "Submitted"), wire.OrderStatus{OrderID: 7, Status: "Submitted"}) },
		func(p *peer) { p.send(wire.OpenOrderEnd{}) },
		func(p *peer) { p.send(execution(-1, "x"), commission("x")) },
		func(p *peer) { p.send(wire.CurrentTime{Epoch: 5}) },
		func(p *peer) { p.send(wire.ManagedAccts{List: ""}) },
		func(p *peer) { p.send(wire.ManagedAccts{List: ", ,"}) },
		func(p *peer) { p.send(wire.NextValidID{OrderID: 0}) },
		func(p *peer) { p.send(wire.NextValidID{OrderID: -1}) },
		func(p *peer) { p.raw(wire.AppendFrame(nil, []byte("9\x001\x00many\x00"))) },
		func(p *peer) { p.raw(wire.AppendFrame(nil, []byte("15\x00"))) },
		func(p *peer) { time.Sleep(time.Second) },
	}
	rapid.Check(t, func(rt *rapid.T) {
		accounts, nextID := rapid.Bool().Draw(rt, "accounts"), rapid.Bool().Draw(rt, "next id")
		list := rapid.SliceOfN(rapid.SampledFrom(around), 0, 8).Draw(rt, "around")
		insert := func(name string, f func(*peer)) {
			for range rapid.IntRange(1, 2).Draw(rt, name+" times") {
				i := rapid.IntRange(0, len(list)).Draw(rt, name+" at")
				list = append(list[:i:i], append([]func(*peer){f}, list[i:]...)...)
			}
		}
		if accounts {
			insert("accounts", func(p *peer) { p.send(wire.ManagedAccts{List: paper}) })
		}
		if nextID {
			insert("next id", func(p *peer) { p.send(wire.NextValidID{OrderID: 1001}) })
		}
		probe := rapid.Bool().Draw(rt, "a probe")
		synctest.Test(t, func(t *testing.T) {
			cfg := dialled(t, func(p *peer) {
				p.greet()
				done := make(chan struct{})
				go func() { // it may be asked for the accounts meanwhile
					defer close(done)
					p.drain()
				}()
				for _, f := range list {
					f(p)
				}
				<-done
			})
			cfg.HandshakeTimeout = 30 * time.Second
			s, err := New(cfg).Open(t.Context(), broker.OpenConfig{AnyAccount: probe}, nil)
			if (err == nil) != (accounts && nextID) {
				t.Fatalf("accounts %v, next id %v: %v", accounts, nextID, err)
			}
			if err == nil {
				if f := s.Facts(); len(f.Accounts) == 0 || f.NextOrderID <= 0 {
					t.Errorf("ready with %+v", f)
				}
				_ = s.Close(t.Context())
				return
			}
			want := broker.NoIDs
			switch {
			case accounts:
				want = broker.NoNextID
			case nextID:
				want = broker.NoAccounts
			}
			var e *broker.Error
			if !errors.As(err, &e) || e.Failure != want && (want != broker.NoIDs || e.Failure != broker.NoAccounts) { // an empty list is one that was told
				t.Errorf("failed as %q, want %q: %v", e.Failure, want, err)
			}
		})
	})
}

// Sheet section 1.5: with open orders, or the master client id, reports and
// account values come before the ids. Each is kept, in its order.
func TestEarlyMessagesAreKeptInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) {
			p.greet()
			p.send(said(2103, "Market data farm connection is broken:usfarm"), openOrder(900, "Submitted"), wire.OrderStatus{OrderID: 900, Status: "Submitted", ClientID: 7})
			p.send(wire.NextValidID{OrderID: 1001}, execution(-1, "early"), commission("early"))
			p.send(wire.AccountValue{Key: "NetLiquidation", Value: "1", Currency: "USD", Account: paper}, wire.OpenOrderEnd{}, wire.ManagedAccts{List: paper + ","},
				said(2106, "HMDS data farm connection is OK:ushmds"))
			p.drain()
		})
		s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events(t, s.(*Session), 7) {
			got = append(got, fmt.Sprintf("%T", e))
		}
		want := []string{
			"broker.Notice", "broker.OrderReport", "broker.StatusReport", "broker.ExecutionReport", "broker.CommissionReport", "broker.AccountValue", "broker.Notice",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if farms := s.(broker.Vital).Health().Farms; len(farms) != 2 || farms[1].State != broker.PartBroken {
			t.Errorf("what came early is not in the health: %+v", farms)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Sheet section 1.3: the zone is whatever the gateway's machine makes of it,
// and no handshake fails for it.
func TestOddConnectionTimes(t *testing.T) {
	for _, text := range []string{
		"20260405 23:49:26 CET", "20260405 23:49:26 British Summer Time", "20260405 23:49:26 Eastern European Summer Time",
		"20260405 23:49:26 中国标准时间", "20260405 23:49:26 \xd6\xd0\xb9\xfa\xb1\xea\xd7\xbc\xca\xb1\xbc\xe4", "20260405 23:49:26", "", "\xff", "tomorrow",
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := dialled(t, func(p *peer) {
				p.hello()
				p.raw(wire.AppendFrame(nil, []byte("200\x00"+text+"\x00")))
				p.next()
				p.send(wire.NextValidID{OrderID: 1001}, wire.ManagedAccts{List: paper})
				p.drain()
			})
			s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if f := s.Facts(); f.ServerVersion != 200 || text != "" && f.ConnectionTime == "" {
				t.Errorf("%q: %+v", text, f)
			}
			_ = s.Close(t.Context())
		})
	}
}

// A port that refuses and a machine that cannot be reached are told apart.
func TestDialFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		dial    error // nil: no answer at all
		failure broker.Failure
		says    string // in error or advice
		after   time.Duration
	}{
		"refused":      {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, broker.NobodyListens, "start IB Gateway", 0},
		"no route":     {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}, broker.Unreachable, "reachable", 0},
		"no such name": {&net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}, broker.Unreachable, "check the host name", 0},
		"no answer":    {nil, broker.Unreachable, "firewall", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := DefaultConfig()
				cfg.Log = quiet()
				cfg.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
					if tt.dial != nil {
						return nil, tt.dial
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}
				began := time.Now()
				_, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
				var e *broker.Error
				if !errors.As(err, &e) || e.Failure != tt.failure || e.Rung != broker.RungTCP || !strings.Contains(err.Error()+e.Advice, tt.says) {
					t.Errorf("%v, failure %q, advice %q", err, e.Failure, e.Advice)
				}
				if took := time.Since(began); took != tt.after {
					t.Errorf("took %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// clinging is a pipe with a half to close, at whose other end nobody notices:
// a gateway that hangs.
type clinging struct{ net.Conn }

func (clinging) CloseWrite() error { return nil }

// Each failure is named within the handshake's time and the 100 ms of closing,
// also by a gateway that does not close when we do.
func TestEveryFailureIsNamedInTime(t *testing.T) {
	hang := func(f func(*peer)) func(*peer) { return func(p *peer) { f(p); p.drain() } }
	for want, script := range map[broker.Failure]func(*peer){
		broker.NoReply:          hang(func(p *peer) { p.hello() }),
		broker.WrongProtocol:    hang(func(p *peer) { p.hello(); p.raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }),
		broker.Redirected:       hang(func(p *peer) { p.hello(); p.reply(-1, "10.0.0.9:4001") }),
		broker.WrongVersion:     hang(func(p *peer) { p.hello(); p.reply(175, "then") }),
		broker.ClientIDInUse:    hang(func(p *peer) { p.greet(); p.send(said(326, "in use")) }),
		broker.NoIDs:            hang(func(p *peer) { p.greet() }),
		broker.NoAccounts:       hang(func(p *peer) { p.greet(); p.send(wire.NextValidID{OrderID: 1}) }),
		broker.NoNextID:         hang(func(p *peer) { p.greet(); p.send(wire.ManagedAccts{List: paper}) }),
		broker.Forbidden:        hang(func(p *peer) { p.greet(); p.send(wire.ManagedAccts{List: "U1"}, wire.NextValidID{OrderID: 1}) }),
		broker.ClosedEarly:      func(p *peer) { p.hello() },
		broker.ClosedAfterStart: func(p *peer) { p.greet() },
	} {
		for _, limit := range []time.Duration{200 * time.Millisecond, 10 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				cfg := dialled(t, script)
				cfg.HandshakeTimeout = limit
				dial := cfg.Dial
				cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
					c, err := dial(ctx, address)
					return clinging{c}, err
				}
				began := time.Now()
				_, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
				var e *broker.Error
				if !errors.As(err, &e) || e.Failure != want {
					t.Errorf("%s: %v, failure %q", want, err, e.Failure)
				}
				if took := time.Since(began); took > limit+100*time.Millisecond {
					t.Errorf("%s: took %v with %v to do it", want, took, limit)
				}
			})
		}
	}
}

// field-lessons 2.10 and sheet section 1.6: whether the gateway says so or just
// closes, the next attempt is made with the same client id.
func TestTheClientIDIsNeverChanged(t *testing.T) {
	for name, refusal := range map[string][]wire.Message{"326": {said(326, "client id is already in use")}, "a plain close": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				cfg := dialled(t, func(p *peer) {
					tries++
					p.greet() // which wants client id 7
					p.send(refusal...)
				})
				a := New(cfg)
				for range 3 {
					_, err := a.Open(t.Context(), broker.OpenConfig{}, nil)
					var e *broker.Error
					if !errors.As(err, &e) || !strings.Contains(e.Advice, "7") || (e.Failure == broker.ClientIDInUse) != (refusal != nil) {
						t.Errorf("%v, failure %q, advice %q", err, e.Failure, e.Advice)
					}
				}
				if tries != 3 {
					t.Errorf("%d tries", tries)
				}
			})
		})
	}
}

// An account that is not on the list is refused, whatever it is.
func TestAccountsThatAreNotAllowed(t *testing.T) {
	for name, tt := range map[string]struct {
		open broker.OpenConfig
		ok   bool
	}{
		"the only one, allowed":     {broker.OpenConfig{Allowed: []string{"DU1", paper}}, true},
		"the only one, not allowed": {broker.OpenConfig{Allowed: []string{"DU1"}}, false},
		"named, not allowed":        {broker.OpenConfig{Account: paper, Allowed: []string{"DU1"}}, false},
		"a part of the name":        {broker.OpenConfig{Allowed: []string{paper[:5]}}, false},
		"a probe":                   {broker.OpenConfig{Allowed: []string{"DU1"}, AnyAccount: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := New(dialled(t, func(p *peer) { p.welcome(); p.drain() })).Open(t.Context(), tt.open, nil)
				var e *broker.Error
				if (err == nil) != tt.ok || err != nil && (!errors.As(err, &e) || e.Failure != broker.Forbidden || !strings.Contains(e.Advice, "broker.accounts")) {
					t.Errorf("%v", err)
				}
				if s != nil {
					_ = s.Close(t.Context())
				}
			})
		})
	}
}
