package ibkr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// What the gateway says about our rate holds over the session's end, as what it
// has counted does.
func TestTheBudgetOutlivesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []int
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			for m := p.next(); m != nil; m = p.next() {
				if q, ok := m.(wire.ReqMktData); ok {
					ids = append(ids, q.ReqID)
				}
			}
		})
		a := New(cfg)
		for range 2 {
			opened, err := a.Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := opened.(*Session)
			if s.budget != a.budget {
				t.Error("the session has a budget of its own")
			}
			if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		if h := a.budget.Sends.Health(); h.Sent != 4 {
			t.Errorf("two START_API and two subscriptions are %d messages", h.Sent)
		}
		if want := []int{1 << 30, 1<<30 + 1}; !slices.Equal(ids, want) {
			t.Errorf("request ids %d, want %d", ids, want)
		}
	})
}

// The same through a session that is restoring its subscriptions and asking
// questions while the halt comes: what the gateway sees, and when.
func TestAHaltOfAHundredOrdersOnTheWire(t *testing.T) {
	var mu sync.Mutex
	var cancels []time.Time
	var others int
	note := func(m wire.Message) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := m.(wire.CancelOrder); ok {
			cancels = append(cancels, time.Now())
		} else if len(cancels) == 0 {
			others++
		}
	}
	live(t, func(p *peer) {
		for m := p.next(); m != nil; m = p.next() {
			note(m)
			if q, ok := m.(wire.ReqContractDetails); ok {
				p.send(wire.ContractDataEnd{ReqID: q.ReqID})
			}
		}
	}, func(t *testing.T, s *Session) {
		var all sync.WaitGroup
		for i := range 90 {
			all.Go(func() { _, _ = s.Details(t.Context(), market.USStock(market.Symbol(fmt.Sprintf("S%d", i)))) })
			time.Sleep(30 * time.Millisecond)
		}
		halt := time.Now()
		for id := range 100 {
			all.Go(func() {
				if err := s.Cancel(t.Context(), int64(1+id)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if len(cancels) != 100 || others < 80 {
			t.Fatalf("%d cancels behind %d other messages", len(cancels), others)
		}
		if first, fortieth, last := cancels[0].Sub(halt), cancels[39].Sub(halt), cancels[99].Sub(halt); first != 0 || fortieth > time.Second || last > 3*time.Second {
			t.Errorf("the first cancel after %v, 40 after %v, all after %v", first, fortieth, last)
		}
	})
}

// A replay in lock-step is not paced: wall time means nothing there.
func TestLockStepIsNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) { p.welcome(); p.drain() })
		cfg.Simulated, cfg.Speed = true, 0
		opened, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for id := range 500 {
			if err := opened.(*Session).Cancel(t.Context(), int64(1+id)); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("500 messages took %v", d)
		}
		if err := opened.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// Code 100 reaches the pacer, whatever it is about.
func TestCode100ReachesThePacer(t *testing.T) {
	live(t, func(p *peer) {
		p.send(wire.ErrMsg{RequestID: -1, Code: 100, Text: "Max rate of messages per second has been exceeded"})
	}, func(t *testing.T, s *Session) {
		if n, ok := events(t, s, 1)[0].(broker.Notice); !ok || n.Kind != broker.NoticePacing {
			t.Errorf("told as %+v", n)
		}
		if h := s.budget.Sends.Health(); h.Limit != 22 || h.HalvedUntil == nil {
			t.Errorf("%+v", h)
		}
	})
}

// Through the session: a pacing violation holds back that contract alone for 15
// seconds and is one that can be tried again, also in the next session; a
// question that nobody waits for any more is taken back.
func TestPacingViolationOfHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			for m := p.next(); m != nil; m = p.next() {
				mu.Lock()
				switch m := m.(type) {
				case wire.ReqHistoricalData:
					got = append(got, m.Contract.Symbol)
					switch m.Contract.Symbol {
					case "AAPL":
						p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 162, Text: "Historical Market Data Service error message:Historical data request pacing violation"})
					case "IBM":
						p.send(wire.HistoricalData{ReqID: m.ReqID})
					}
				case wire.CancelHistoricalData:
					got = append(got, "cancel")
					p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 162, Text: "API historical data query cancelled: 9"})
				}
				mu.Unlock()
			}
		})
		a := New(cfg)
		open := func() *Session {
			s, err := a.Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return s.(*Session)
		}
		ask := func(s *Session, symbol market.Symbol, hours int) error {
			_, err := s.Bars(t.Context(), broker.BarsQuery{Contract: market.USStock(symbol), Span: time.Duration(hours) * time.Hour, Width: time.Minute})
			return err
		}
		s := open()
		var e *broker.Error
		err := ask(s, "AAPL", 1)
		if !errors.Is(err, broker.ErrPacing) || !broker.Retryable(err) || !errors.As(err, &e) || e.Code != 162 || e.RetryAfter < 15*time.Second {
			t.Errorf("a pacing violation: %v", err)
		}
		if err := ask(s, "IBM", 1); err != nil {
			t.Errorf("another contract: %v", err)
		}
		if err := ask(s, "GE", 1); !errors.Is(err, broker.ErrNoAnswer) {
			t.Errorf("silence: %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s = open()
		soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = s.Bars(soon, broker.BarsQuery{Contract: market.USStock("AAPL"), Span: time.Hour, Width: time.Hour})
		if !errors.As(err, &e) || e.Code != 0 || !errors.Is(err, broker.ErrPacing) || e.RetryAfter <= 0 || e.RetryAfter > 15*time.Second {
			t.Errorf("ten seconds later: %v", err)
		}
		if use := s.Health().History; use.Used != 3 {
			t.Errorf("%+v", use)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if want := []string{"AAPL", "IBM", "GE", "cancel"}; !slices.Equal(got, want) {
			t.Errorf("the venue saw %q, want %q", got, want)
		}
	})
}
