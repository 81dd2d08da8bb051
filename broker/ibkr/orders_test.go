package ibkr

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func ticket(id int64) broker.Ticket {
	return broker.Ticket{
		OrderID: id, Account: paper, Contract: market.USStock("AAPL"),
		Intent: order.Intent{
			ID: "every_tick-1", Action: order.Place, Strategy: "s", Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: order.Day,
			Qty: market.Shares(3), Limit: market.MustPrice("187.25").Ptr(), At: time.Unix(1, 0),
		},
	}
}

func TestPlaceAndCancelOnTheWire(t *testing.T) {
	live(t, func(p *peer) {
		o, ok := p.next().(wire.PlaceOrder)
		if !ok || o.OrderID != 1001 || o.Action != "BUY" || o.OrderType != "LMT" || *o.LmtPrice != market.MustPrice("187.25") ||
			*o.TotalQuantity != market.Shares(3) || o.TIF != "DAY" || o.OrderRef != "every_tick-1" || !o.Transmit || o.OutsideRTH || o.Account != paper {
			p.t.Errorf("placed %+v", o)
		}
		if c, ok := p.next().(wire.CancelOrder); !ok || c.OrderID != 1001 || c.Incomplete {
			p.t.Errorf("cancelled %+v", c)
		}
	}, func(t *testing.T, s *Session) {
		for name, spoil := range map[string]func(*broker.Ticket){
			"account":  func(k *broker.Ticket) { k.Account = "DU2" },
			"order id": func(k *broker.Ticket) { k.OrderID = 0 },
			"request":  func(k *broker.Ticket) { k.OrderID = int64(s.ids.Next()) },
			"quantity": func(k *broker.Ticket) { k.Intent.Qty = market.Qty{} },
			"text":     func(k *broker.Ticket) { k.Contract.Symbol = "A\x00B" },
		} {
			bad := ticket(1001)
			spoil(&bad)
			if err := s.Place(t.Context(), bad); !errors.Is(err, broker.ErrNotWritten) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Place(t.Context(), ticket(1001)); err != nil {
			t.Error(err)
		}
		if err := s.Cancel(t.Context(), 1001); err != nil {
			t.Error(err)
		}
	})
}

func TestStopGroupAndChangeOnTheWire(t *testing.T) {
	stop := ticket(1001)
	in := &stop.Intent
	in.ID, in.Side, in.Type, in.TIF, in.Limit = "guard-AAPL-1001", order.Sell, order.Stop, order.GTC, nil
	in.Stop, in.OCA, in.OutsideRTH = market.MustPrice("177.88").Ptr(), "guard-AAPL-1001", true
	change := stop
	change.Intent.ID, change.Intent.Action, change.Intent.Target = "change-1", order.Modify, in.ID
	change.Intent.Qty = market.Shares(5)
	live(t, func(p *peer) {
		for _, qty := range []int64{3, 5} { // the same number and reference: a change is no second order
			o, ok := p.next().(wire.PlaceOrder)
			if !ok || o.OrderID != 1001 || o.OrderRef != "guard-AAPL-1001" || o.OrderType != "STP" || o.TIF != "GTC" || !o.OutsideRTH ||
				o.AuxPrice == nil || *o.AuxPrice != market.MustPrice("177.88") || o.LmtPrice != nil ||
				o.OCAGroup != "guard-AAPL-1001" || o.OCAType != 2 || *o.TotalQuantity != market.Shares(qty) {
				p.t.Errorf("placed %+v", o)
			}
		}
	}, func(t *testing.T, s *Session) {
		if err := s.Place(t.Context(), stop); err != nil {
			t.Error(err)
		}
		if err := s.Place(t.Context(), change); err != nil {
			t.Error(err)
		}
	})
}

// cutConn lets a number of bytes of a write through, then fails it.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.left < 0 {
		return c.Conn.Write(b)
	}
	n := min(c.left, len(b))
	c.left = 0
	if n > 0 {
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	return n, io.ErrShortWrite
}

func TestWriteFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		bytes int
		kind  error
		not   error
	}{
		"nothing went out": {0, broker.ErrNotWritten, broker.ErrOutcomeUnknown},
		"a part went out":  {20, broker.ErrOutcomeUnknown, broker.ErrNotWritten},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(p *peer) { _, _ = io.Copy(io.Discard, p.in) }, func(t *testing.T, s *Session) {
				s.out.Lock()
				s.conn = &cutConn{s.conn, tt.bytes}
				s.out.Unlock()
				err := s.Place(t.Context(), ticket(1001))
				if !errors.Is(err, tt.kind) || errors.Is(err, tt.not) {
					t.Errorf("place: %v", err)
				}
				if _, err := s.Events(t.Context()); !errors.Is(err, broker.ErrGatewayDown) {
					t.Errorf("a session whose stream is cut goes on: %v", err)
				}
				if err := s.Place(t.Context(), ticket(1002)); !errors.Is(err, broker.ErrNotWritten) {
					t.Errorf("the next order: %v", err)
				}
			})
		})
	}
}

func TestAGatewayThatStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cfg := dialled(t, func(p *peer) { p.welcome(); <-release })
		opened, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = opened.(*Session).Place(t.Context(), ticket(1001))
		if !errors.Is(err, broker.ErrNotWritten) || !errors.Is(err, errWriteStuck) || time.Since(began) != writeTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		_, err = opened.Events(t.Context())
		var e *broker.Error
		if !errors.As(err, &e) || e.Failure != broker.GatewaySilent {
			t.Errorf("the session ended with %v", err)
		}
		close(release)
		if err := opened.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
