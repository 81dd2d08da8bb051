package diag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/services/host"
)

// told is a machine that says what a test wants.
type told struct {
	Host
	ports []host.Port
}

func (h told) Listener(_ context.Context, address string) broker.Evidence {
	for _, p := range h.ports {
		if strings.HasSuffix(address, fmt.Sprintf(":%d", p.Port)) {
			return broker.Evidence{Readable: true, Listening: true}
		}
	}
	return broker.Evidence{Readable: true}
}

func (h told) Gateways(context.Context, string) ([]host.Gateway, error) { return nil, nil }
func (h told) Sockets(context.Context, string) (host.Sockets, error)    { return host.Sockets{}, nil }
func (h told) Listening(context.Context, ...int) ([]host.Port, error)   { return h.ports, nil }
func (h told) LockHolder(context.Context, string) (pid int, err error)  { return 0, nil }
func (h told) Unit(context.Context, string) (host.Unit, error) {
	return host.Unit{}, errors.ErrUnsupported
}
func (h told) Clock() (host.Clock, error) { return host.Clock{}, nil }

// script is a gateway's answers, by what was asked.
type script struct {
	began time.Time
	asked []string
	well  string // the question that is answered well
	fails broker.Error
}

func (s *script) Probe(_ context.Context, gateway string, id int, timeout time.Duration) (broker.Facts, []broker.Rung, error) {
	q := fmt.Sprintf("%s id %d %v", gateway, id, timeout)
	s.asked = append(s.asked, fmt.Sprintf("%v: %s", time.Since(s.began), q))
	if q == s.well {
		return broker.Facts{Gateway: gateway}, nil, nil
	}
	err := s.fails
	return broker.Facts{Gateway: gateway}, nil, &err
}

// Further handshakes are made only when they are asked for and can help, one
// at a time with a second between, and no more than needed.
func TestAlternatives(t *testing.T) {
	hangs := broker.Error{Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.NoReply, Advice: "restart"}
	closed := broker.Error{Kind: broker.ErrGatewayDown, Rung: broker.RungStartAPI, Failure: broker.ClosedAfterStart, Advice: "wait"}
	inUse := broker.Error{Kind: broker.ErrGatewayDown, Rung: broker.RungStartAPI, Failure: broker.ClientIDInUse, Advice: "wait"}
	nobody := broker.Error{Kind: broker.ErrGatewayDown, Rung: broker.RungTCP, Failure: broker.NobodyListens, Advice: "start it"}
	for _, tt := range []struct {
		name  string
		q     Question
		fails broker.Error
		well  string
		want  []string // handshakes, with their times
		exit  int
	}{
		{"none is asked for", Question{}, hangs, "", []string{"0s: 127.0.0.1:4002 id 1 5s"}, 11},
		{"ids", Question{TryIDs: true}, hangs, "", []string{
			"0s: 127.0.0.1:4002 id 1 5s", "1s: 127.0.0.1:4002 id 9999 5s", "2s: 127.0.0.1:4002 id 10000 5s",
		}, 11},
		{"ids, to the first success", Question{TryIDs: true}, closed, "127.0.0.1:4002 id 9999 5s", []string{
			"0s: 127.0.0.1:4002 id 1 5s", "1s: 127.0.0.1:4002 id 9999 5s",
		}, 13},
		{"timeouts above the one that failed", Question{TryTimeouts: true}, hangs, "127.0.0.1:4002 id 1 30s", []string{
			"0s: 127.0.0.1:4002 id 1 5s", "1s: 127.0.0.1:4002 id 1 10s", "2s: 127.0.0.1:4002 id 1 30s",
		}, 11},
		{"more time does not help", Question{TryTimeouts: true}, closed, "", []string{"0s: 127.0.0.1:4002 id 1 5s"}, 13},
		{"other ports that are listened on", Question{TryTWS: true}, nobody, "127.0.0.1:7497 id 9999 5s", []string{
			"0s: 127.0.0.1:4002 id 1 5s", "1s: 127.0.0.1:4001 id 9999 5s", "2s: 127.0.0.1:7497 id 9999 5s",
		}, 10},
		{"an id in use needs no word", Question{}, inUse, "127.0.0.1:4002 id 9999 5s", []string{
			"0s: 127.0.0.1:4002 id 1 5s", "1s: 127.0.0.1:4002 id 9999 5s",
		}, 13},
		{"nothing after a success", Question{TryIDs: true, TryTimeouts: true, TryTWS: true}, hangs, "127.0.0.1:4002 id 1 5s", []string{"0s: 127.0.0.1:4002 id 1 5s"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t)
			synctest.Test(t, func(t *testing.T) {
				s := &script{began: time.Now(), well: tt.well, fails: tt.fails}
				q := tt.q
				q.Gateway, q.ClientID, q.SpareID, q.Timeout, q.Folder = "127.0.0.1:4002", 1, 9999, 5*time.Second, dir
				r := Doctor{Prober: s, Host: told{ports: []host.Port{{Port: 4001}, {Port: 7497}}}}.Examine(t.Context(), q)
				if diff := cmp.Diff(tt.want, s.asked); diff != "" {
					t.Error(diff)
				}
				// The code is the handshake's; where that is well, the port in
				// the table that is not listened on is a fault of this fake.
				if tt.exit != 0 && r.Exit != tt.exit {
					t.Errorf("exit %d, want %d", r.Exit, tt.exit)
				}
			})
		})
	}
}

// A person who is impatient ends a doctor at once, and no further handshake is
// made.
func TestDoctorIsEnded(t *testing.T) {
	dir := folder(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		s := &script{began: time.Now(), fails: broker.Error{Rung: broker.RungVersion, Failure: broker.NoReply}}
		q := Question{Gateway: "127.0.0.1:4002", ClientID: 1, SpareID: 9999, Timeout: time.Second, Folder: dir, TryIDs: true, TryTWS: true}
		Doctor{Prober: s, Host: told{ports: []host.Port{{Port: 4001}}}}.Examine(ctx, q)
		if len(s.asked) != 1 || time.Since(s.began) != 500*time.Millisecond {
			t.Errorf("%v after %v", s.asked, time.Since(s.began))
		}
	})
}

// What cannot be read is told as such, and is no reason to stop.
func TestDoctorOfAnotherMachine(t *testing.T) {
	h := unreadable{}
	s := &script{began: time.Now(), well: "10.0.0.9:4002 id 1 1s"}
	q := Question{Gateway: "10.0.0.9:4002", ClientID: 1, SpareID: 9999, Timeout: time.Second, Folder: folder(t)}
	r := Doctor{Prober: s, Host: h}.Examine(t.Context(), q)
	if r.Exit != 0 {
		t.Errorf("exit %d", r.Exit)
	}
	for _, name := range []string{"gateway_process", "sockets"} {
		i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
		if c := r.Checks[i]; c.Verdict != VerdictSkipped || !strings.Contains(c.Found[0], "another machine") {
			t.Errorf("%+v", c)
		}
	}
}

type unreadable struct{ told }

func (unreadable) Listener(context.Context, string) broker.Evidence {
	return broker.Evidence{Why: "the gateway is on another machine"}
}

func (unreadable) Clock() (host.Clock, error) { return host.Clock{}, errors.New("not told") }
