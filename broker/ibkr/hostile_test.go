package ibkr

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
)

// flood has so many messages of a kind wait for room, until the session ends
// or the test does.
func flood(t *testing.T, s *Session, n int, prio pace.Priority) {
	for range n {
		go func() { _ = s.budget.Sends.Take(t.Context(), s.gone, prio) }()
	}
	synctest.Wait()
}

// An answer that comes while the next time request still waits for room is the
// answer to the one before: the request that then goes out is a second's
// distance from its own successor all the same.
func TestALateAnswerIsNotThatOfAQuestionThatWaits(t *testing.T) {
	var at []time.Time
	liveWith(t, func(c *Config) { patient(c); c.ProbeLimit = 2 * time.Second }, func(p *peer) {
		p.next()
		at = append(at, time.Now())
		time.Sleep(2500 * time.Millisecond)
		p.send(wire.TimeInMillis{Epoch: time.Now().UnixMilli()})
		for p.next() != nil {
			at = append(at, time.Now())
			p.send(wire.CurrentTime{Epoch: time.Now().Unix()})
		}
	}, func(t *testing.T, s *Session) {
		if _, err := s.Time(t.Context()); !errors.Is(err, broker.ErrNoAnswer) {
			t.Fatalf("in vain: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		flood(t, s, 45, pace.CancelFirst)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := s.Time(t.Context()); err != nil {
				t.Errorf("the one that waited for room: %v", err)
			}
		}()
		time.Sleep(1200 * time.Millisecond)
		if _, err := s.Time(t.Context()); err != nil {
			t.Errorf("the one behind it: %v", err)
		}
		<-done
		time.Sleep(3 * time.Second)
		if _, err := s.Time(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d < time.Second {
				t.Errorf("time requests %d and %d within %v", i, i+1, d)
			}
		}
		if len(at) != 3 {
			t.Errorf("%d time requests, want 3", len(at))
		}
	})
}

// Our own queue is not the gateway's silence: a time request that waits behind
// hundreds of questions neither holds up an order nor ends the session.
func TestAFloodOfQuestionsIsNotTheGatewaysSilence(t *testing.T) {
	q := answerer{answer: always}
	liveWith(t, patient, q.play, func(t *testing.T, s *Session) {
		s.budget.Sends.Halve()
		time.Sleep(3 * time.Second)
		flood(t, s, 900, pace.DataLast)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := s.Time(t.Context()); err != nil {
				t.Errorf("time: %v", err)
			}
		}()
		synctest.Wait()
		if err := s.Place(t.Context(), buyOne(s)); err != nil {
			t.Errorf("place, with a gateway that answers: %v", err)
		}
		<-done
		time.Sleep(30 * time.Second)
		if h := s.Health(); h.Missed != 0 || s.ended() != nil {
			t.Errorf("missed %d, ended %v", h.Missed, s.ended())
		}
	})
}

// The watch does not count our own queue either, whatever stands in it.
func TestAFullQueueIsNoStrike(t *testing.T) {
	q := answerer{answer: always}
	liveWith(t, func(c *Config) { c.ProbeEvery, c.ProbeLimit = 5*time.Second, 2*time.Second }, q.play, func(t *testing.T, s *Session) {
		s.budget.Sends.Halve()
		flood(t, s, 800, pace.CancelFirst) // half a minute of cancels
		time.Sleep(time.Second)
		go func() { _, _ = s.Time(t.Context()) }()
		time.Sleep(25 * time.Second)
		if h := s.Health(); h.Missed != 0 || s.ended() != nil {
			t.Errorf("missed %d, ended %v", h.Missed, s.ended())
		}
	})
}

// An order that waited for room is written to a gateway that lives then, and
// not to one that lived before the wait.
func TestAnOrderThatWaitedForRoomAsksAgain(t *testing.T) {
	for name, dead := range map[string]bool{"well": false, "frozen meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			q := answerer{}
			q.answer = func(int) bool { return !dead }
			liveWith(t, patient, q.play, func(t *testing.T, s *Session) {
				flood(t, s, 200, pace.CancelFirst) // four seconds
				err := s.Place(t.Context(), buyOne(s))
				synctest.Wait()
				orders := 0
				for _, m := range q.other {
					if _, ok := m.(wire.PlaceOrder); ok {
						orders++
					}
				}
				switch {
				case dead && (!errors.Is(err, broker.ErrNotWritten) || orders != 0):
					t.Errorf("place: %v, %d orders written", err, orders)
				case !dead && (err != nil || orders != 1):
					t.Errorf("place: %v, %d orders written", err, orders)
				}
			})
		})
	}
}

// A lost answer spoils the list behind it, because its end could be the lost
// one's; it must not spoil all lists of the session.
func TestALostListDoesNotSpoilAllLists(t *testing.T) {
	live(t, func(p *peer) {
		p.next() // swallowed for good
		for m := p.next(); m != nil; m = p.next() {
			switch m.(type) {
			case wire.ReqPositions:
				p.send(wire.PositionEnd{})
			case wire.ReqCurrentTime, wire.ReqTimeInMillis:
				p.send(wire.CurrentTime{Epoch: time.Now().Unix()})
			}
		}
	}, func(t *testing.T, s *Session) {
		var err error
		for n := range 4 {
			if n == 3 {
				time.Sleep(owedFor) // since the first was given up, at least
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err = s.Positions(ctx)
			cancel()
		}
		if err != nil {
			t.Errorf("the fourth question: %v", err)
		}
	})
}

// Naming a code as our table has it changes nothing.
func TestAConfiguredCodeAsInTheTableStaysWhole(t *testing.T) {
	for n, c := range codes {
		mine, err := codes.with(map[string]string{strconv.Itoa(n): c.kind.String()})
		if err != nil {
			t.Fatal(err)
		}
		if got := mine.lookup(n); got.kind != c.kind || got.ends != c.ends && c.kind != broker.NoticeRequest {
			t.Errorf("code %d: %+v became %+v", n, c, got)
		}
	}
}

// halfOpen is a pipe whose write side can be closed, as a socket's can: what
// comes while it closes is taken.
type halfOpen struct{ net.Conn }

func (halfOpen) CloseWrite() error { return nil }

// What crosses the closing is taken, although nobody fetches, and it is told
// once that nobody does.
func TestClosingWhileTheReaderStandsTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sent = maxPending + 1000
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			b := p.frames(wire.OrderStatus{OrderID: 1001, Status: "Submitted"})
			for range sent {
				p.raw(b)
			}
		})
		dial := cfg.Dial
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			return halfOpen{conn}, err
		}
		got, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := got.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		reports, notices := 0, 0
		for err == nil {
			var b broker.Batch
			b, err = got.Events(t.Context())
			for _, e := range b.Events {
				if _, ok := e.(broker.Notice); ok {
					notices++
					continue
				}
				reports++
			}
		}
		if reports != sent || notices != 1 {
			t.Errorf("%d reports and %d notices, want %d and 1", reports, notices, sent)
		}
	})
}

// A panic of the tap on what we send is an error of the session, and the order
// was not written.
func TestAPanicOnWhatWeSendEndsTheSession(t *testing.T) {
	q := answerer{answer: always}
	liveWith(t, func(c *Config) { c.Tap = clumsy{} }, q.play, func(t *testing.T, s *Session) {
		if err := s.Place(t.Context(), buyOne(s)); !errors.Is(err, broker.ErrNotWritten) || !errors.Is(err, errPanic) {
			t.Errorf("place: %v", err)
		}
		_, _, err := untilEnd(t, s)
		var e *broker.Error
		if !errors.As(err, &e) || e.Failure != broker.SessionBroken {
			t.Errorf("ended with %v", err)
		}
		if len(q.other) != 0 {
			t.Errorf("written: %+v", q.other)
		}
	})
}

// clumsy is a tap that panics at the first order that goes out.
type clumsy struct{}

func (clumsy) Begin(string, int, time.Time) uint64 { return 1 }
func (clumsy) End(uint64, time.Time, string)       {}
func (clumsy) Frame(_ uint64, out bool, v wire.Version, _ time.Time, payload []byte) {
	if m, err := wire.DecodeClient(v, payload); out && err == nil {
		if _, ok := m.(wire.PlaceOrder); ok {
			panic("clumsy")
		}
	}
}

// A gateway that talks without end and never tells both ids takes no memory
// without end.
func TestAHandshakeKeepsABoundedNumberOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrote atomic.Int64
		cfg := dialled(t, func(p *peer) {
			p.greet()
			b := p.frames(wire.OrderStatus{OrderID: 1, Status: "Submitted"})
			for wrote.Load() < 3*maxPending {
				if _, err := p.conn.Write(b); err != nil {
					return
				}
				wrote.Add(1)
			}
		})
		_, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		var e *broker.Error
		if !errors.As(err, &e) || e.Failure != broker.WrongProtocol {
			t.Errorf("open: %v", err)
		}
		synctest.Wait() // the peer has seen the end
		if n := wrote.Load(); n > maxPending+100 {
			t.Errorf("%d messages were taken", n)
		}
	})
}

// What was given up is cancelled at the venue also when the caller's time is
// over and the line is full: of two summaries that stay, the third is refused.
func TestASummaryThatWasGivenUpIsCancelledOnAFullLine(t *testing.T) {
	q := answerer{answer: always}
	liveWith(t, patient, q.play, func(t *testing.T, s *Session) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		time.AfterFunc(1900*time.Millisecond, func() {
			for range 45 {
				_ = s.budget.Sends.Take(t.Context(), s.gone, pace.CancelFirst)
			}
		})
		if _, err := s.Account(ctx); !errors.Is(err, broker.ErrNoAnswer) {
			t.Errorf("account: %v", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(q.other) != 2 {
			t.Errorf("written: %+v, want the question and its cancel", q.other)
		}
	})
}
