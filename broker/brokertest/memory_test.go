package brokertest

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func memory(t *testing.T, v Venue) *Memory {
	m, err := NewMemory(MemoryConfig{Accounts: v.Accounts})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMemoryConforms(t *testing.T) {
	Conformance(t, func(t *testing.T, v Venue) (broker.Adapter, Driver) {
		m := memory(t, v)
		return m, m
	})
}

func TestFaults(t *testing.T) {
	m := memory(t, Venue{})
	s := openSession(t, m, broker.OpenConfig{})
	c := contract(t, s, "AAPL")
	w := watch(t, s, m)
	m.Quote(market.MustPrice("99.99"), market.MustPrice("100"))
	id := s.Facts().NextOrderID
	place := func(ref string) error {
		ticket := market1(s, ref, "AAPL")
		ticket.OrderID, ticket.Contract = id, c
		id++
		return s.(broker.Trader).Place(within(t), ticket)
	}

	m.Fail(Faults{HoldCommissions: true, Repeat: true})
	if err := place("a"); err != nil {
		t.Fatal(err)
	}
	b, err := s.Events(within(t))
	if err != nil {
		t.Fatal(err)
	}
	w.take(b)
	told := 0
	for _, e := range b.Events {
		if _, ok := e.(broker.ExecutionReport); ok {
			told++
		}
	}
	if told != 2 || len(w.fills) != 1 || len(w.costs) != 0 {
		t.Errorf("told %d times of %d fills and %d commissions", told, len(w.fills), len(w.costs))
	}
	m.Fail(Faults{})
	w.until("late commission", func() bool { return len(w.costs) == 1 })

	m.Fail(Faults{Silent: true})
	if err := place("b"); err != nil {
		t.Fatal(err)
	}
	m.Fail(Faults{Place: broker.ErrOutcomeUnknown})
	if err := place("c"); !errors.Is(err, broker.ErrOutcomeUnknown) {
		t.Error(err)
	}
	m.Fail(Faults{Account: broker.ErrNoAnswer})
	if list, err := s.(broker.AccountSource).Positions(within(t)); !errors.Is(err, broker.ErrNoAnswer) || list != nil {
		t.Errorf("a failed query gave %+v, %v", list, err)
	}
	m.Fail(Faults{})
	if execs, _, err := s.(broker.AccountSource).Executions(within(t)); err != nil || len(execs) != 1 {
		t.Errorf("executions %+v, %v", execs, err)
	}

	// A trade that shows up at the limit fills the order that rests there.
	ticket := market1(s, "d", "AAPL")
	ticket.OrderID, ticket.Contract = id, c
	ticket.Intent.Type, ticket.Intent.Limit, ticket.Intent.Side = order.Limit, market.MustPrice("101").Ptr(), order.Sell
	if err := s.(broker.Trader).Place(within(t), ticket); err != nil {
		t.Fatal(err)
	}
	m.Trade(market.MustPrice("101.5"), market.Shares(100))
	w.until("fill by the trade", func() bool { return len(w.fills) == 2 && len(w.costs) == 2 })
	for exec, f := range w.fills {
		if f.Ref == "d" && (f.Price != market.MustPrice("101") || w.costs[exec].RealizedPNL == nil) {
			t.Errorf("fill %+v, commission %+v", f, w.costs[exec])
		}
	}

	m.Lose()
	for {
		if _, err = s.Events(within(t)); err != nil {
			break
		}
	}
	if !errors.Is(err, broker.ErrGatewayDown) || errors.Is(err, broker.ErrClosed) {
		t.Errorf("lost session: %v", err)
	}
	next, err := m.Open(context.Background(), broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil || next.Facts().NextOrderID != id+1 { // d was the newest it heard of
		t.Errorf("next session: %+v, %v; want id %d", next.Facts(), err, id+1)
	}
	_ = next.Close(within(t))
}
