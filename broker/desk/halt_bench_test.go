package desk

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/journal"
)

// timed is a session that notes when each cancel's last byte had gone to the
// socket.
type timed struct {
	*ibkr.Session
	mu    sync.Mutex // guards wrote
	wrote []time.Time
}

func (s *timed) Cancel(ctx context.Context, id int64) error {
	err := s.Session.Cancel(ctx, id)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wrote = append(s.wrote, time.Now())
	}
	return err
}

func (s *timed) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wrote)
}

// BenchmarkHalt halts a desk with 100 working orders: over TCP to a simulated
// gateway, with a journal on the disk and the pacing of every session. It tells
// how long after the call its answer came, and the 40th and the 100th cancel
// were on the wire, each the most of all rounds. scripts/bench judges them.
//
//	go test ./broker/desk -run '^$' -bench '^BenchmarkHalt$' -benchtime 5x
func BenchmarkHalt(b *testing.B) {
	const orders = 100
	server, session := venue(b)
	defer stopping(b, server.Stop)
	store, err := journal.Open(filepath.Join(b.TempDir(), "journal.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer stopping(b, store.Close)
	allow := gateFunc(func(broker.View, order.Intent) order.Decision { return order.Decision{Allowed: true} })
	d := newDesk(DefaultConfig(), allow, store, &recorder{trace: &trace{}}, quiet)
	steps := d.Steps([]market.Symbol{"AAPL"})
	if err := d.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer stopping(b, d.Stop)
	served := make(chan error, 1)
	go func() { served <- d.Serve(context.Background(), session) }() // ends with the session
	defer func() { <-served }()
	defer stopping(b, session.Close)
	for _, step := range steps {
		if _, err := step.Run(b.Context(), session); err != nil {
			b.Fatalf("%s: %v", step.Name, err)
		}
	}
	d.LinkChanged(broker.Link{State: broker.Ready})

	var answered, fortieth, last time.Duration
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		if _, err := d.Resume(b.Context(), "a benchmark", ""); err != nil {
			b.Fatal(err)
		}
		fill(b, d, round, orders)
		quietLine(b)
		before := session.count()
		b.StartTimer()
		began := time.Now()
		if _, err := d.Halt(b.Context(), "a benchmark", ""); err != nil {
			b.Fatal(err)
		}
		answered = max(answered, time.Since(began))
		until(b, func() bool { return session.count() >= before+orders })
		b.StopTimer()
		session.mu.Lock()
		fortieth = max(fortieth, session.wrote[before+39].Sub(began))
		last = max(last, session.wrote[before+orders-1].Sub(began))
		session.mu.Unlock()
		until(b, func() bool { return len(d.State(b.Context()).Mode.Pending) == 0 })
		b.StartTimer()
	}
	ms := func(t time.Duration) float64 { return float64(t.Microseconds()) / 1000 }
	b.ReportMetric(ms(answered), "ms-to-answer")
	b.ReportMetric(ms(fortieth), "ms-to-40th-cancel")
	b.ReportMetric(ms(last), "ms-to-100th-cancel")
	b.ReportMetric(0, "ns/op")
}

// venue starts a simulated gateway and opens a session with it.
func venue(b *testing.B) (*gateway.Server, *timed) {
	b.Helper()
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Start: time.Now()})
	if err != nil {
		b.Fatal(err)
	}
	gc := gateway.DefaultConfig()
	gc.Listen = "127.0.0.1:0"
	server, err := gateway.New(gc, src, quiet)
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	ic := ibkr.DefaultConfig()
	ic.Gateway, ic.Simulated, ic.Log = server.Addr().String(), true, quiet
	s, err := ibkr.New(ic).Open(b.Context(), broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil {
		b.Fatal(err)
	}
	return server, &timed{Session: s.(*ibkr.Session)}
}

func stopping(b *testing.B, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		b.Error(err)
	}
}

// fill places orders that work, and returns when the venue says so of all.
func fill(b *testing.B, d *Desk, round, orders int) {
	b.Helper()
	limit := market.MustPrice("100")
	for i := range orders {
		in := buy(fmt.Sprintf("h%d-%d", round, i))
		in.Type, in.Limit, in.Qty, in.At = order.Limit, &limit, market.Shares(1), time.Now()
		if reply := d.request(b.Context(), in); reply.Result != event.Written {
			b.Fatalf("%+v", reply)
		}
	}
	until(b, func() bool {
		n := 0
		for _, o := range d.State(b.Context()).Orders {
			if o.State == order.Working {
				n++
			}
		}
		return n == orders
	})
}

// quietLine waits until the orders before do not count any more in the second
// of the pacing: a halt comes into a line as it mostly is.
func quietLine(b *testing.B) {
	select {
	case <-time.After(1200 * time.Millisecond):
	case <-b.Context().Done():
	}
}

func until(b *testing.B, ok func() bool) {
	b.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			b.Fatal("not within 20 s")
		}
	}
}
