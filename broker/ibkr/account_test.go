package ibkr

import (
	"errors"
	"sync"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func completed(permID int64, account, status string) wire.CompletedOrder {
	o := openOrder(0, status)
	o.OrderID, o.ClientID, o.PermID, o.Account = 0, 0, permID, account
	return wire.CompletedOrder{
		Order: o, FilledQuantity: market.Shares(4).Ptr(), CompletedTime: "20260413 15:27:04 US/Eastern", CompletedStatus: "Cancelled by Trader",
	}
}

func TestCompletedOrders(t *testing.T) {
	live(t, func(p *peer) {
		if m, ok := p.next().(wire.ReqCompletedOrders); !ok || m.APIOnly { // by hand, too
			p.t.Errorf("asked with %#v", m)
		}
		option := completed(3, paper, "Filled")
		option.Order.Contract.SecType = "OPT"
		p.send(completed(1, paper, "Cancelled"), completed(2, "DU2", "Filled"), option, wire.CompletedOrdersEnd{})
	}, func(t *testing.T, s *Session) {
		list, err := s.CompletedOrders(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		r := list[0]
		if r.Order.PermID != 1 || r.Order.Ref != "ref" || r.Order.Filled != market.Shares(4) || r.Order.Qty != market.Shares(10) ||
			!r.Known || r.Signal != order.CancelDone || r.Why != "Cancelled by Trader" || !r.At.Equal(time.Date(2026, 4, 13, 19, 27, 4, 0, time.UTC)) {
			t.Errorf("%+v", r)
		}
	})
}

// Some gateways never answer the question for completed orders, some refuse it
// in read-only mode, with or without naming it. Sheet, section 10.6.
func TestCompletedOrdersThatAreRefusedOrSilent(t *testing.T) {
	for name, tt := range map[string]struct {
		answer []wire.Message
		kind   error
		code   int
		after  time.Duration
	}{
		"silent":             {nil, broker.ErrNoAnswer, 0, 10 * time.Second},
		"cut short":          {[]wire.Message{completed(1, paper, "Filled")}, broker.ErrNoAnswer, 0, 10 * time.Second},
		"read-only":          {[]wire.Message{wire.ErrMsg{RequestID: -1, Code: 321, Text: "Error validating request.-'reqCompletedOrders' : cause - The API interface is currently in Read-Only mode."}}, broker.ErrRequest, 321, 0},
		"cannot be read":     {[]wire.Message{func() wire.Message { o := completed(1, paper, "Filled"); o.Order.Contract.Symbol = "?"; return o }()}, broker.ErrRequest, 0, 0},
		"the session's end":  {nil, broker.ErrNoAnswer, 0, 0},
		"read-only, no name": {[]wire.Message{wire.ErrMsg{RequestID: -1, Code: 321, Text: "Read-Only"}}, broker.ErrNoAnswer, 0, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(p *peer) {
				p.next()
				p.send(tt.answer...)
				if name == "the session's end" {
					p.conn.Close()
				}
			}, func(t *testing.T, s *Session) {
				began := time.Now()
				list, err := s.CompletedOrders(t.Context())
				var e *broker.Error
				if list != nil || !errors.Is(err, tt.kind) || !errors.As(err, &e) || e.Code != tt.code || e.Op != "reqCompletedOrders" {
					t.Errorf("%+v, %v", list, err)
				}
				if d := time.Since(began); d != tt.after {
					t.Errorf("after %v, want %v", d, tt.after)
				}
			})
		})
	}
}

// Of three account summaries at once the venue refuses one: they are asked one
// after the other.
func TestAccountSummariesAreAskedOneAtATime(t *testing.T) {
	held := 0
	live(t, func(p *peer) {
		for m := p.next(); m != nil; m = p.next() {
			switch m := m.(type) {
			case wire.ReqAccountSummary:
				if held++; held > 1 {
					p.t.Errorf("%d at once", held)
				}
				p.send(wire.AccountSummary{ReqID: m.ReqID, Account: paper, Tag: "NetLiquidation", Value: "1"}, wire.AccountSummaryEnd{ReqID: m.ReqID})
			case wire.CancelAccountSummary:
				held--
			}
		}
	}, func(t *testing.T, s *Session) {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if list, err := s.Account(t.Context()); err != nil || len(list) != 1 {
					t.Errorf("%+v, %v", list, err)
				}
			})
		}
		all.Wait()
	})
}
