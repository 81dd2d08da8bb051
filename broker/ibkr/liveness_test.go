package ibkr

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// answerer plays a gateway that answers the n-th time request (from 1) when
// answer says so, and notes when each came.
type answerer struct {
	answer func(n int) bool
	at     []time.Time
	other  []wire.Message
}

func (q *answerer) play(p *peer) {
	for m := p.next(); m != nil; m = p.next() {
		switch m.(type) {
		case wire.ReqCurrentTime, wire.ReqTimeInMillis:
			q.at = append(q.at, time.Now())
			if q.answer(len(q.at)) {
				p.send(wire.CurrentTime{Epoch: time.Now().Unix()})
			}
		default:
			q.other = append(q.other, m)
		}
	}
}

func never(int) bool  { return false }
func always(int) bool { return true }

// untilEnd fetches until the session ends, and notes when which notice came.
func untilEnd(t *testing.T, s *Session) (at map[broker.NoticeKind]time.Duration, lived time.Duration, err error) {
	t.Helper()
	began := time.Now()
	at = map[broker.NoticeKind]time.Duration{}
	for {
		b, err := s.Events(t.Context())
		if err != nil {
			return at, time.Since(began), err
		}
		for _, e := range b.Events {
			if n, ok := e.(broker.Notice); ok {
				at[n.Kind] = time.Since(began)
			}
		}
	}
}

func isSilent(t *testing.T, err error) {
	t.Helper()
	var e *broker.Error
	if !errors.As(err, &e) || !errors.Is(err, broker.ErrGatewayDown) || e.Failure != broker.GatewaySilent || e.Advice == "" {
		t.Errorf("ended with %v", err)
	}
}

// field-lessons 2.28 and sheet section 10.8: a gateway that was stopped looks
// connected for ever. It is told after one strike and closed after two.
func TestAFrozenGatewayIsNoticedWhileIdle(t *testing.T) {
	q := answerer{answer: never}
	live(t, q.play, func(t *testing.T, s *Session) {
		at, lived, err := untilEnd(t, s)
		if got := at[broker.NoticeSilent]; got != 40*time.Second {
			t.Errorf("told after %v, want 30 s and the 10 s of the limit", got)
		}
		if lived != 50*time.Second {
			t.Errorf("lived for %v, want 50 s", lived)
		}
		isSilent(t, err)
		synctest.Wait()
		if len(q.at) != strikes {
			t.Errorf("asked at %v", q.at)
		}
	})
}

func TestAGatewayThatAnswersIsAskedOnceInAWhile(t *testing.T) {
	q := answerer{answer: always}
	live(t, q.play, func(t *testing.T, s *Session) {
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if len(q.at) != 20 {
			t.Errorf("asked %d times in ten minutes, want 20", len(q.at))
		}
		h := s.Health()
		if h.LastAnswer == nil || h.RoundTripMS == nil || h.Missed != 0 || time.Since(*h.LastAnswer) > time.Second+time.Millisecond {
			t.Errorf("health %+v", h)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if b, err := s.Events(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("events %+v, %v", b, err)
		}
	})
}

func TestOneMissIsToldAndForgiven(t *testing.T) {
	q := answerer{answer: func(n int) bool { return n != 2 }}
	live(t, q.play, func(t *testing.T, s *Session) {
		time.Sleep(69 * time.Second)
		if h := s.Health(); h.Missed != 0 {
			t.Errorf("missed %d before the limit", h.Missed)
		}
		got := events(t, s, 2)
		if n := got[0].(broker.Notice); n.Kind != broker.NoticeSilent || !strings.Contains(n.Text, "does not answer since") {
			t.Errorf("%+v", n)
		}
		if n := got[1].(broker.Notice); n.Kind != broker.NoticeAnswers {
			t.Errorf("%+v", n)
		}
		if h := s.Health(); h.Missed != 0 || s.ended() != nil {
			t.Errorf("health %+v, ended %v", h, s.ended())
		}
		synctest.Wait()
		if d := q.at[2].Sub(q.at[1]); d != 10*time.Second {
			t.Errorf("asked again after %v, want at once after the limit", d)
		}
	})
}

// sheet section 9: a gateway may stream data and be dead to questions.
func TestDataIsNoAnswer(t *testing.T) {
	q := answerer{answer: never}
	live(t, func(p *peer) {
		p.next() // the subscription
		done := make(chan struct{})
		go func() {
			defer close(done)
			b := p.frames(price("187.25", 1, wire.TickLast))
			for {
				if _, err := p.conn.Write(b); err != nil {
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		}()
		q.play(p)
		<-done
	}, func(t *testing.T, s *Session) {
		if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Fatal(err)
		}
		at, lived, err := untilEnd(t, s)
		if at[broker.NoticeSilent] != 40*time.Second || lived != 50*time.Second {
			t.Errorf("told at %v, lived %v", at, lived)
		}
		isSilent(t, err)
	})
}

func TestOthersQuestionsCountAsProbes(t *testing.T) {
	q := answerer{answer: always}
	live(t, q.play, func(t *testing.T, s *Session) {
		for range 30 {
			if _, err := s.Time(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		synctest.Wait()
		if len(q.at) != 30 {
			t.Errorf("%d requests, want the 30 that were asked for", len(q.at))
		}
	})
}

// sheet section 10.9: of two time requests within a second the gateway answers
// only the first. Whoever asks, and whatever is answered, there are never two;
// everybody gets an answer or an error in time, and a session ends only for two
// misses.
func TestNeverTwoTimeRequestsInASecond(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		answered := rapid.SliceOfN(rapid.Bool(), 40, 40).Draw(rt, "answered")
		waits := rapid.SliceOfN(rapid.IntRange(0, 4000), 1, 12).Draw(rt, "waits")
		q := answerer{answer: func(n int) bool { return n <= len(answered) && answered[n-1] }}
		liveWith(t, func(c *Config) { c.ProbeEvery = 5 * time.Second }, q.play, func(t *testing.T, s *Session) {
			var askers sync.WaitGroup
			for i, wait := range waits {
				askers.Go(func() {
					time.Sleep(time.Duration(wait) * time.Millisecond)
					began := time.Now()
					var err error
					if i%2 == 0 {
						_, err = s.Time(t.Context())
					} else {
						err = s.proveAlive(t.Context())
					}
					if took := time.Since(began); took > 10*time.Second || err == nil && took > 5*time.Second {
						t.Errorf("asker %d: %v after %v", i, err, took)
					}
				})
			}
			askers.Wait()
			time.Sleep(time.Minute)
			synctest.Wait()
			for i := 1; i < len(q.at); i++ {
				if d := q.at[i].Sub(q.at[i-1]); d < time.Second {
					t.Errorf("two time requests within %v", d)
				}
			}
			misses, most := 0, 0
			for _, ok := range answered[:min(len(answered), len(q.at))] {
				if misses++; ok {
					misses = 0
				}
				most = max(most, misses)
			}
			if err := s.ended(); err != nil && (most < strikes || !errors.Is(err, errSilent)) {
				t.Errorf("with %v answered it ended: %v", answered[:len(q.at)], err)
			}
		})
	})
}

func buyOne(s *Session) broker.Ticket {
	return broker.Ticket{
		OrderID: 1001, Account: s.facts.Account, Contract: market.USStock("AAPL"),
		Intent: order.Intent{
			ID: "one", Action: order.Place, Strategy: "test", Symbol: "AAPL", Side: order.Buy, Type: order.Market,
			TIF: order.Day, Qty: market.Shares(1), At: time.Unix(1775425766, 0),
		},
	}
}

// sheet section 10.8: before an order goes to a gateway from which nothing came
// for a while, it has to answer.
func TestAnOrderWaitsForASignOfLife(t *testing.T) {
	q := answerer{answer: always}
	live(t, q.play, func(t *testing.T, s *Session) {
		place := func() {
			if err := s.Place(t.Context(), buyOne(s)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		place()
		time.Sleep(2 * time.Second)
		place()
		if len(q.at) != 0 || len(q.other) != 2 {
			t.Fatalf("%d time requests and %d orders; the handshake is 2 s old", len(q.at), len(q.other))
		}
		time.Sleep(time.Second)
		place()
		place() // the answer is fresh
		if len(q.at) != 1 || len(q.other) != 4 {
			t.Errorf("%d time requests and %d orders, want 1 and 4", len(q.at), len(q.other))
		}
	})
}

func TestNoOrderIsWrittenToASilentGateway(t *testing.T) {
	q := answerer{answer: never}
	live(t, q.play, func(t *testing.T, s *Session) {
		time.Sleep(5 * time.Second)
		for _, want := range []time.Duration{2 * time.Second, 0, 0} {
			began := time.Now()
			err := s.Place(t.Context(), buyOne(s))
			if !errors.Is(err, broker.ErrNotWritten) || errors.Is(err, broker.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("place: %v", err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("refused after %v, want %v", took, want)
			}
		}
		if err := s.Cancel(t.Context(), 1001); err != nil { // it can only help
			t.Error(err)
		}
		synctest.Wait()
		if len(q.other) != 1 {
			t.Errorf("written: %+v", q.other)
		}
		// The doubt is looked into, long before the next probe would be due.
		at, lived, err := untilEnd(t, s)
		if at[broker.NoticeSilent] != 8*time.Second || lived != 18*time.Second {
			t.Errorf("after the doubt told at %v and ended after %v", at, lived)
		}
		isSilent(t, err)
	})
}

// In a lock-step replay wall time means nothing.
func TestLockStepIsNotProbed(t *testing.T) {
	q := answerer{answer: never}
	liveWith(t, func(c *Config) { c.Simulated, c.Speed = true, 0 }, q.play, func(t *testing.T, s *Session) {
		time.Sleep(time.Hour)
		if err := s.Place(t.Context(), buyOne(s)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(q.at) != 0 || len(q.other) != 1 || s.ended() != nil {
			t.Errorf("%d probes, %+v, %v", len(q.at), q.other, s.ended())
		}
	})
}
