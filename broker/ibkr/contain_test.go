package ibkr

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

// brittle is a tap that panics at the first frame of one message.
type brittle struct{ id int }

func (brittle) Begin(string, int, time.Time) uint64 { return 1 }
func (brittle) End(uint64, time.Time, string)       {}
func (b brittle) Frame(_ uint64, out bool, _ wire.Version, _ time.Time, payload []byte) {
	if id, _ := wire.PeekID(payload); !out && id == b.id {
		var none []int
		_ = none[id] // as a slip in a decoder would
	}
}

// broken opens a session, waits for its end and returns it with what the log
// said.
func broken(t *testing.T, cfg Config) (all []broker.Event, e *broker.Error, log string) {
	t.Helper()
	var text bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&text, nil))
	s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := s.Events(t.Context())
		all = append(all, b.Events...)
		if err == nil {
			continue
		}
		if !errors.As(err, &e) || !errors.Is(err, broker.ErrGatewayDown) || e.Failure != broker.SessionBroken || e.Advice == "" {
			t.Fatalf("ended with %v, failure %q", err, e.Failure)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		return all, e, text.String()
	}
}

// A panic on what the gateway sent ends the session, and nothing else: what was
// decoded before is handed on, and the error has the last frames.
func TestAPanicEndsTheSessionAndNotTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			p.send(execution(-1, "kept"), wire.CurrentTime{Epoch: 1}, execution(-1, "lost"))
			p.drain()
			close(closed)
		})
		cfg.Tap = brittle{wire.IDCurrentTime}
		all, e, log := broken(t, cfg)
		if len(all) != 1 || all[0].(broker.ExecutionReport).Fill.ExecID != "kept" {
			t.Errorf("events %+v", all)
		}
		in := slices.DeleteFunc(slices.Clone(e.Frames), func(f broker.Frame) bool { return f.Out })
		if len(in) < 3 || !strings.HasPrefix(string(e.Frames[len(e.Frames)-1].Bytes), "71\x00") {
			t.Errorf("frames %v", e.Frames)
		}
		if !strings.Contains(log, "session_panic") || !strings.Contains(log, "contain_test.go") || !strings.Contains(log, "index out of range") {
			t.Errorf("the log has no stack: %s", log)
		}
		if strings.Contains(log, paper) || !strings.Contains(log, "DU*****21") {
			t.Errorf("the log names the account: %s", log)
		}
		<-closed
	})
}

// The session's lock is held while an answer is taken: a panic there must not
// leave it locked.
func TestAPanicInAnAnswerEndsTheSession(t *testing.T) {
	live(t, func(p *peer) { p.next(); p.send(wire.PositionEnd{}) }, func(t *testing.T, s *Session) {
		err := s.ask(t.Context(), turnKey(turnPositions), "reqPositions", wire.ReqPositions{}, func(wire.Message) (bool, error) { panic("slip") })
		if !errors.Is(err, broker.ErrNoAnswer) || !errors.Is(err, errPanic) || !strings.Contains(err.Error(), "slip") {
			t.Errorf("the question ended with %v", err)
		}
	})
}

func TestAPanicInTheHandshakeFailsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) { p.welcome(); p.drain() })
		cfg.Tap = brittle{wire.IDNextValidID}
		_, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		var e *broker.Error
		if !errors.As(err, &e) || e.Failure != broker.SessionBroken || e.Rung != broker.RungNextValidID || len(e.Frames) == 0 {
			t.Errorf("%v, %+v", err, e)
		}
	})
}

func TestABrokenFramingEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			for range 40 {
				p.send(wire.CurrentTime{Epoch: 5})
			}
			p.send(wire.ErrMsg{RequestID: -1, Code: 2104, Text: strings.Repeat("long ", 300)})
			p.raw([]byte("HTTP/1.1 400 Bad Request"))
			p.drain()
		})
		_, e, log := broken(t, cfg)
		var in, out []broker.Frame
		for _, f := range e.Frames {
			if f.Out {
				out = append(out, f)
				continue
			}
			in = append(in, f)
		}
		if len(in) != keptFrames+1 || len(out) != 2 {
			t.Fatalf("%d frames in and %d out, want the last %d, the rest and 2", len(in), len(out), keptFrames)
		}
		if rest := in[keptFrames]; string(rest.Bytes) != "HTTP/1.1 400 Bad Request" {
			t.Errorf("what broke the framing is told as %v", rest)
		}
		if f := in[keptFrames-1]; len(f.Bytes) != keptBytes || f.Size < 1500 || f.At.IsZero() {
			t.Errorf("a long frame is kept as %d of %d bytes", len(f.Bytes), f.Size)
		}
		if out[0].Bytes[0] != 'A' || !strings.HasPrefix(string(out[1].Bytes), "71\x00") {
			t.Errorf("sent %v", out)
		}
		if !strings.Contains(log, "HTTP/1.1 400") {
			t.Errorf("log %s", log)
		}
	})
}
