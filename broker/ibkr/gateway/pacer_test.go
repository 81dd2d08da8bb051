package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// count counts frames as the other end does: by their id.
func count(list []wire.Message) (ticks, reports uint64) {
	for _, m := range list {
		switch m.ID() {
		case 1, 2, 45, 46:
			ticks++
		case 3, 5, 11, 59:
			reports++
		}
	}
	return ticks, reports
}

// replay trades a script in lock-step, an order at every instant, and returns
// every byte that came and what the pacer told.
func replay(t *testing.T, script *script) (bytes []byte, told []broker.Instant) {
	t.Helper()
	s := start(t, script, nil)
	p, next := join(t, s, 200, 1)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	all := p.sync()
	pace := s.Pacer(1)
	for written := uint64(0); ; written++ {
		at, err := pace.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		side := order.Buy
		if written%2 == 1 {
			side = order.Sell
		}
		p.send(marketOrder(next+int64(written), side, 10))
		settled, err := pace.Settle(t.Context(), written+1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.sync()...)
		ticks, reports := count(all)
		if settled.Ticks != ticks || settled.Reports != reports || settled.At != at.At {
			t.Fatalf("pacer says %+v after %+v, the client counted %d and %d", settled, at, ticks, reports)
		}
		told = append(told, at, settled)
	}
	select {
	case <-s.Ended():
	default:
		t.Error("the tape has ended and nobody was told")
	}
	return p.seen, told
}

func TestReplayIsAFunctionOfItsInput(t *testing.T) {
	bytes1, told1 := replay(t, shortDay())
	bytes2, told2 := replay(t, shortDay())
	if string(bytes1) != string(bytes2) {
		t.Error("the same script wrote other bytes the second time")
	}
	if diff := cmp.Diff(told1, told2); diff != "" {
		t.Error(diff)
	}
	if len(told1) != 6 || !told1[0].At.Equal(opening) || !told1[4].At.Equal(opening.Add(2*time.Second)) {
		t.Errorf("instants %+v", told1)
	}
}

func TestPacerWithoutTrader(t *testing.T) {
	s := start(t, shortDay(), nil)
	pace := s.Pacer(1)
	if _, err := pace.Next(t.Context()); !errors.Is(err, ErrNoTrader) {
		t.Errorf("next: %v", err)
	}
	if _, err := pace.Settle(t.Context(), 0); !errors.Is(err, ErrNoTrader) {
		t.Errorf("settle: %v", err)
	}
	join(t, s, 200, 2) // somebody else
	if _, err := pace.Next(t.Context()); !errors.Is(err, ErrNoTrader) {
		t.Errorf("next with another client: %v", err)
	}
	p, _ := join(t, s, 200, 1)
	at, err := pace.Next(t.Context())
	if err != nil || !at.At.Equal(opening) {
		t.Errorf("market time moved while nobody listened: %+v, %v", at, err)
	}
	settled := make(chan error, 1)
	go func() { _, err := pace.Settle(t.Context(), 1); settled <- err }()
	p.leave()
	if err := <-settled; !errors.Is(err, ErrNoTrader) {
		t.Errorf("the trader left: %v", err)
	}
}

func TestSettleIsBounded(t *testing.T) {
	s := start(t, shortDay(), nil)
	join(t, s, 200, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Pacer(1).Settle(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("settle: %v", err)
	}
}

func TestSettleCountsRefusedAndCancelledOrders(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(limitOrder(1, order.Buy, 1, "187.111")) // refused
	p.send(limitOrder(2, order.Buy, 1, "180"))
	p.send(wire.CancelOrder{OrderID: 2})
	p.send(wire.CancelOrder{OrderID: 2, Incomplete: true}) // dropped in silence, and yet handled
	p.write(wire.AppendFrame(nil, []byte("3\x0042\x00")))  // malformed
	if _, err := s.Pacer(1).Settle(t.Context(), 5); err != nil {
		t.Error(err)
	}
}

func TestOnlyLockStepIsPaced(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.Speed = 1 })
	join(t, s, 200, 1)
	if _, err := s.Pacer(1).Next(t.Context()); err == nil {
		t.Error("a gateway that runs by itself was paced")
	}
}

func TestSpeedPlaysTheTape(t *testing.T) {
	for _, speed := range []float64{20, 1000} {
		s := start(t, shortDay(), func(c *Config) { c.Speed = speed })
		p, _ := join(t, s, 200, 1)
		p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
		select {
		case <-s.Ended():
		case <-time.After(patience):
			t.Fatal("the tape did not end")
		}
		list := p.sync()
		i := slices.Index(names(list), "tickPrice 4 187.3")
		if i < 0 {
			t.Errorf("speed %v: the last trade did not come: %v", speed, names(list))
		}
		if now := s.Now(); now.Before(opening.Add(2 * time.Second)) {
			t.Errorf("speed %v: market time %v", speed, now)
		}
		p.send(marketOrder(1, order.Buy, 1)) // the gateway stays up
		if got := names(p.sync()); !slices.Contains(got, "execDetails") {
			t.Errorf("speed %v: after the end: %v", speed, got)
		}
	}
}

func TestDayOrderExpiresWithMarketTime(t *testing.T) {
	late := &script{events: []tape.Event{quote(0, "187.24", "187.26"), trade(11*time.Hour, "187.3")}}
	s := start(t, late, nil)
	p, _ := join(t, s, 200, 1)
	pace := s.Pacer(1)
	if _, err := pace.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.send(limitOrder(1, order.Buy, 1, "180"))
	p.sync()
	if _, err := pace.Next(t.Context()); err != nil { // 20:30
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"orderStatus Cancelled", "errMsg 202"}, names(p.sync())); diff != "" {
		t.Error(diff)
	}
}

func TestAClientThatDoesNotReadIsClosedAndHurtsNobody(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.QueueBytes = 1 << 16 })
	stuck, _ := join(t, s, 200, 1)
	stuck.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	stuck.sync()
	well, _ := join(t, s, 200, 2)
	for range 400_000 { // more than any kernel's buffers hold
		s.Inject(trade(0, "187.25"))
		s.mu.Lock()
		gone := s.clients[1] == nil
		s.mu.Unlock()
		if gone {
			if got := well.sync(); len(got) != 0 {
				t.Errorf("the other client got %v", names(got))
			}
			return
		}
	}
	t.Error("a client that does not read was kept")
}

func TestOnOrderIsCalledForEachOrder(t *testing.T) {
	calls := make(chan int, 2)
	_, p := opened(t, 200, func(c *Config) {
		c.OnOrder = func(received time.Time, client int) {
			if !received.IsZero() {
				calls <- client
			}
		}
	})
	p.send(marketOrder(1, order.Buy, 1))
	p.send(wire.CancelOrder{OrderID: 1})
	p.sync()
	if len(calls) != 1 || <-calls != 1 {
		t.Errorf("%d calls more than one", len(calls))
	}
}

func TestLedgerIsWrittenWhole(t *testing.T) {
	dir := t.TempDir()
	s, p := opened(t, 200, func(c *Config) { c.StateDir = dir })
	p.send(marketOrder(1, order.Buy, 100))
	p.sync()
	p.leave()
	for range 2 { // stopping twice is harmless
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	var books exchange.Ledger
	if err := json.Unmarshal(text, &books); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	if written, err := json.Marshal(books); err != nil || string(written) != string(again) {
		t.Errorf("the file says %s, the books %s", written, again)
	}
	if n := len(books.Accounts[0].Executions); n != 1 {
		t.Errorf("%d executions", n)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
}
