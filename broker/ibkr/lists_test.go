package ibkr

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// An option on AAPL carries the symbol AAPL. It must neither pass for shares,
// nor be nothing, nor keep the shares from being told; a stock that cannot be read
// must.
func TestWhatIsNoStockIsHeldByAnotherName(t *testing.T) {
	held := func(kind, symbol string) wire.Position {
		c := wire.ContractOf(market.USStock("AAPL"))
		c.SecType, c.Symbol = kind, symbol
		if kind != "STK" {
			c.ConID = 77
		}
		return wire.Position{Account: paper, Contract: c, Position: market.Shares(5)}
	}
	live(t, func(p *peer) {
		p.next()
		p.send(held("OPT", "AAPL"), held("STK", "AAPL"), held("BOND", "912828C57"), wire.PositionEnd{}, held("OPT", "AAPL"))
		p.next()
		p.send(held("STK", "AAPL"), held("STK", "912828C57"), wire.PositionEnd{})
	}, func(t *testing.T, s *Session) {
		ps, err := s.Positions(t.Context())
		want := []order.Position{
			{Account: paper, Symbol: "AAPL#77", ConID: 77, Qty: market.Shares(5), SecType: "OPT", Unmanaged: true},
			{Account: paper, Symbol: "AAPL", Qty: market.Shares(5)},
			{Account: paper, Symbol: "912828C57#77", ConID: 77, Qty: market.Shares(5), SecType: "BOND", Unmanaged: true},
		}
		if err != nil || !reflect.DeepEqual(ps, want) {
			t.Errorf("positions %+v, %v", ps, err)
		}
		if e, ok := events(t, s, 1)[0].(broker.PositionReport); !ok || !reflect.DeepEqual(e.Position, want[0]) {
			t.Errorf("event %+v", e)
		}
		if ps, err = s.Positions(t.Context()); ps != nil || !errors.Is(err, broker.ErrRequest) {
			t.Errorf("positions with a hole: %+v, %v", ps, err)
		}
	})
}

// An option that was traded with the same client id, by hand or by another
// program, must not keep the day's executions of stocks from being told.
func TestExecutionsOfWhatIsNoStockAreLeftOut(t *testing.T) {
	live(t, func(p *peer) {
		id := p.next().(wire.ReqExecutions).ReqID
		option := execution(id, "option")
		option.Contract.SecType = "OPT"
		p.send(option, execution(id, "stock"), wire.ExecDetailsEnd{ReqID: id})
	}, func(t *testing.T, s *Session) {
		fills, _, err := s.Executions(t.Context())
		if err != nil || len(fills) != 1 || fills[0].Fill.ExecID != "stock" {
			t.Errorf("%+v, %v", fills, err)
		}
		if n, ok := events(t, s, 1)[0].(broker.Notice); !ok || !strings.Contains(n.Text, "not a stock") {
			t.Errorf("nobody is told: %+v", n)
		}
	})
}

// A frame that cannot be read leaves a hole in the list that it is of: the
// position would read as flat, the execution as never made.
func TestAListWithAFrameThatCannotBeReadIsNoAnswer(t *testing.T) {
	garble := func(b []byte) []byte { return bytes.Replace(b, []byte("77777"), []byte("7?777"), 1) }
	live(t, func(p *peer) {
		p.next()
		held := wire.Position{Account: paper, Contract: wire.ContractOf(market.USStock("AAPL")), Position: market.Shares(77777)}
		p.raw(garble(p.frames(held)))
		p.send(wire.PositionEnd{})
		id := p.next().(wire.ReqExecutions).ReqID
		done := execution(id, "a")
		done.Shares = market.Shares(77777)
		p.raw(garble(p.frames(done)))
		p.send(wire.ExecDetailsEnd{ReqID: id})
		p.next() // the end of the garbled list ends no other
		held.Position = market.Shares(5)
		p.send(held, wire.PositionEnd{})
	}, func(t *testing.T, s *Session) {
		if ps, err := s.Positions(t.Context()); ps != nil || !errors.Is(err, broker.ErrRequest) {
			t.Errorf("positions %+v, %v", ps, err)
		}
		if fills, _, err := s.Executions(t.Context()); fills != nil || !errors.Is(err, broker.ErrRequest) {
			t.Errorf("executions %+v, %v", fills, err)
		}
		if ps, err := s.Positions(t.Context()); err != nil || len(ps) != 1 {
			t.Errorf("asked again: %+v, %v", ps, err)
		}
	})
}

// A gateway whose ticks we cannot read tells thousands a minute. What may have
// been a report is told each time all the same.
func TestTicksThatCannotBeReadAreNoFlood(t *testing.T) {
	live(t, func(p *peer) {
		p.next()
		tick := bytes.Replace(p.frames(price("77777", 1, wire.TickLast)), []byte("77777"), []byte("7?777"), 1)
		for range 500 {
			p.raw(tick)
		}
		report := p.frames(openOrder(77777, "Submitted"))
		p.raw(bytes.Replace(report, []byte("77777"), []byte("7?777"), 1))
		p.send(openOrder(5, "Submitted"))
	}, func(t *testing.T, s *Session) {
		if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Fatal(err)
		}
		list := events(t, s, 12)
		if _, last := list[len(list)-1].(broker.OrderReport); !last || len(list) != 12 {
			t.Errorf("%d events, the last %+v", len(list), list[len(list)-1])
		}
	})
}

// The late end of a list that was given up must not end the next one, in
// which case a part would read as the whole; and one that came while nobody
// asked must not make the next one wait for ever.
func TestALateListIsNotTheNextOne(t *testing.T) {
	aapl := wire.Position{Account: paper, Contract: wire.ContractOf(market.USStock("AAPL")), Position: market.Shares(5)}
	ibm, odd := aapl, aapl
	ibm.Contract.Symbol, odd.Contract.Symbol = "IBM", "?"
	for name, tt := range map[string]struct {
		script func(*peer)
		first  error
	}{
		"late, into the next": {func(p *peer) {
			p.next()
			p.next()                        // the first was given up by now
			p.send(ibm, wire.PositionEnd{}) // its tail
			p.send(aapl, ibm, wire.PositionEnd{})
		}, broker.ErrNoAnswer},
		"late, before the next": {func(p *peer) {
			p.next()
			time.Sleep(11 * time.Second)
			p.send(ibm, wire.PositionEnd{})
			p.next()
			p.send(aapl, ibm, wire.PositionEnd{})
		}, broker.ErrNoAnswer},
		"cut by a fault, end into the next": {func(p *peer) {
			p.next()
			p.send(odd)
			p.next()
			p.send(ibm, wire.PositionEnd{}, aapl, ibm, wire.PositionEnd{})
		}, broker.ErrRequest},
		"cut by a fault, end at once": {func(p *peer) {
			p.next()
			p.send(odd, ibm, wire.PositionEnd{})
			p.next()
			p.send(aapl, ibm, wire.PositionEnd{})
		}, broker.ErrRequest},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, tt.script, func(t *testing.T, s *Session) {
				if _, err := s.Positions(t.Context()); !errors.Is(err, tt.first) {
					t.Fatal(err)
				}
				if errors.Is(tt.first, broker.ErrNoAnswer) && strings.Contains(name, "before") {
					time.Sleep(5 * time.Second)
				}
				synctest.Wait()
				if ps, err := s.Positions(t.Context()); err != nil || len(ps) != 2 {
					t.Errorf("positions %+v, %v, want both", ps, err)
				}
				if s.owed != [numTurns]int{} {
					t.Errorf("ends owed: %v", s.owed)
				}
			})
		})
	}
}
