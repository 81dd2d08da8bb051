package ibkr

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// anyGateway sends whatever the bytes say, legal or not, and reads what comes.
// One byte is one deed; its seed makes the rest of it.
type anyGateway struct {
	p    *peer
	rand *rand.Rand
}

func (g anyGateway) one(list ...int) int { return list[g.rand.IntN(len(list))] }

// id is one that an error message may name: nothing, an order, a question.
func (g anyGateway) id() int {
	return g.one(-1, 0, 1<<31-1, 1001, 1002, 1<<30, 1<<30+g.rand.IntN(12), -100)
}

func (g anyGateway) code() int {
	return g.one(100, 101, 162, 200, 201, 202, 321, 322, 326, 354, 1100, 1101, 1102, 2103, 2104, 2110, 10147, 10168, 10182, 10197, 10349, g.rand.IntN(11000))
}

// message is a legal frame, which may come at a bad time.
func (g anyGateway) message() wire.Message {
	id := 1<<30 + g.rand.IntN(12)
	stock := wire.ContractOf(market.USStock([]market.Symbol{"AAPL", "TSLA"}[g.rand.IntN(2)]))
	switch g.rand.IntN(16) {
	case 0:
		return wire.ManagedAccts{List: []string{paper, "", ",", paper + ","}[g.rand.IntN(4)]}
	case 1:
		return wire.NextValidID{OrderID: int64(g.one(1001, 1001, 0, -1))}
	case 2, 3, 4:
		return wire.ErrMsg{RequestID: int64(g.id()), Code: g.code(), Text: []string{"", "read-only", "query cancelled", "pacing violation", "reqCompletedOrders"}[g.rand.IntN(5)]}
	case 5:
		return wire.CurrentTime{Epoch: int64(g.one(0, -1, 1775425766, 1<<62))}
	case 6:
		return wire.TimeInMillis{Epoch: int64(g.one(0, 1775425766000, 1<<62))}
	case 7:
		return wire.PositionEnd{}
	case 8:
		return wire.OpenOrderEnd{}
	case 9:
		return wire.ExecDetailsEnd{ReqID: id}
	case 10:
		return wire.AccountSummaryEnd{ReqID: id}
	case 11:
		return wire.ContractDataEnd{ReqID: id}
	case 12:
		return wire.Position{Account: paper, Contract: stock, Position: market.Shares(5)}
	case 13:
		return wire.ContractData{ReqID: id, Contract: stock}
	case 14:
		return wire.CompletedOrdersEnd{}
	}
	t := price("187.25", int64(g.rand.IntN(3)), wire.TickLast)
	t.ReqID = id
	return t
}

// do is one deed; false when it closed the connection.
func (g anyGateway) do(deed byte) bool {
	switch deed % 16 {
	case 0:
		time.Sleep(time.Duration(g.one(1, 900, 2500, 15000)) * time.Millisecond)
	case 1: // a frame of anything
		b := make([]byte, 1+g.rand.IntN(60))
		for i := range b {
			b[i] = byte(g.one(0, '-', '0'+g.rand.IntN(10), g.rand.IntN(256)))
		}
		g.raw(wire.AppendFrame(nil, b))
	case 2: // a legal frame that was cut, or with a byte too many
		if b, err := wire.AppendMessage(nil, g.message(), g.p.v); err == nil {
			b = b[frameHeader:]
			g.raw(wire.AppendFrame(nil, b[:1+g.rand.IntN(len(b))]))
		}
	case 3:
		if g.rand.IntN(4) == 0 {
			g.raw([]byte{0, byte(g.one(0, 255)), 0, 0, 0})
		}
	case 4:
		return g.rand.IntN(8) != 0
	default:
		if b, err := wire.AppendMessage(nil, g.message(), g.p.v); err == nil {
			g.raw(b)
		}
	}
	return true
}

func (g anyGateway) raw(b []byte) { _, _ = g.p.conn.Write(b) }

func (g anyGateway) play(deeds []byte, early bool) {
	if early { // the deeds are the handshake
		greeted(g.p, 200)
	} else {
		g.p.hello()
		g.p.reply(200, "20260405 23:49:26 CET")
		g.p.next()
		g.p.send(wire.ManagedAccts{List: paper}, wire.NextValidID{OrderID: 1001})
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, g.p.in)
	}()
	for _, deed := range deeds {
		if !g.do(deed) {
			break
		}
	}
	if g.rand.IntN(2) == 0 {
		_ = g.p.conn.Close()
	}
	<-read
}

// questions are all that a session can be asked.
func questions(s *Session) map[string]func(context.Context) error {
	aapl := market.USStock("AAPL")
	return map[string]func(context.Context) error{
		"time":        func(ctx context.Context) error { _, err := s.Time(ctx); return err },
		"positions":   func(ctx context.Context) error { _, err := s.Positions(ctx); return err },
		"orders":      func(ctx context.Context) error { _, err := s.OpenOrders(ctx); return err },
		"completed":   func(ctx context.Context) error { _, err := s.CompletedOrders(ctx); return err },
		"executions":  func(ctx context.Context) error { _, _, err := s.Executions(ctx); return err },
		"account":     func(ctx context.Context) error { _, err := s.Account(ctx); return err },
		"details":     func(ctx context.Context) error { _, err := s.Details(ctx, aapl); return err },
		"subscribe":   func(ctx context.Context) error { return s.Subscribe(ctx, aapl) },
		"resubscribe": func(ctx context.Context) error { return s.Resubscribe(ctx, market.USStock("TSLA")) },
		"watch":       s.WatchAccount,
		"place":       func(ctx context.Context) error { return s.Place(ctx, buyOne(s)) },
		"cancel":      func(ctx context.Context) error { return s.Cancel(ctx, 1001) },
		"bars": func(ctx context.Context) error {
			_, err := s.Bars(ctx, broker.BarsQuery{Contract: aapl, Span: time.Hour, Width: time.Minute})
			return err
		},
	}
}

// FuzzSession has a gateway send whatever it likes, in the handshake and after:
// no panic escapes, nobody waits beyond his deadline, the session ends, and no
// goroutine stays, or the bubble would not end.
func FuzzSession(f *testing.F) {
	f.Add(uint64(1), false, []byte{5, 6, 7, 8, 9, 0, 1, 2, 3, 4})
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		deeds := make([]byte, 10+r.IntN(300))
		for i := range deeds {
			deeds[i] = byte(r.IntN(256))
		}
		f.Add(seed, seed%4 == 0, deeds)
	}
	f.Fuzz(func(t *testing.T, seed uint64, early bool, deeds []byte) {
		if len(deeds) > 2000 {
			t.Skip("longer says no more")
		}
		synctest.Test(t, func(t *testing.T) {
			cfg := dialled(t, func(p *peer) { anyGateway{p, rand.New(rand.NewPCG(seed, 2))}.play(deeds, early) })
			began := time.Now()
			got, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
			if took := time.Since(began); took > cfg.HandshakeTimeout+mostClosing {
				t.Errorf("open took %v", took)
			}
			if err != nil {
				var e *broker.Error
				if !errors.As(err, &e) || e.Failure == broker.NoFailure || e.Advice == "" {
					t.Errorf("open: %v, without a word or an advice", err)
				}
				return
			}
			endure(t, got.(*Session))
		})
	})
}

// endure asks a session all there is, fetches what comes, and closes it.
func endure(t *testing.T, s *Session) {
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Events(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	asked := make(chan struct{}, len(questions(s)))
	for name, ask := range questions(s) {
		go func() {
			for range 3 {
				began := time.Now()
				err := ask(t.Context())
				if took := time.Since(began); took > 2*s.cfg.RequestTimeout+pace.SameSpan {
					t.Errorf("%s took %v: %v", name, took, err)
				}
			}
			asked <- struct{}{}
		}()
	}
	for range cap(asked) {
		<-asked
	}
	began := time.Now()
	if err := s.Close(t.Context()); err != nil || time.Since(began) > mostClosing {
		t.Errorf("close: %v after %v", err, time.Since(began))
	}
	if err := <-ended; err == nil {
		t.Error("it ended without a reason")
	}
}
