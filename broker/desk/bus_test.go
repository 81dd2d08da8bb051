package desk

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/brokertest"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// heard collects what the desk tells on the bus.
type heard struct {
	mu     sync.Mutex
	topics []string
	news   chan struct{}
	fills  []order.Fill
	orders []order.Order
}

func (h *heard) take(topic string, raw []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics = append(h.topics, topic)
	switch topic {
	case event.Fill.Name:
		if m, err := bus.Decode[order.Fill](raw); err == nil {
			h.fills = append(h.fills, m.Data)
		}
	case event.Order.Name:
		if m, err := bus.Decode[order.Order](raw); err == nil {
			h.orders = append(h.orders, m.Data)
		}
	}
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// until waits for a condition on what was heard.
func (h *heard) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		h.mu.Lock()
		ok := cond()
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-h.news:
		case <-deadline:
			t.Fatalf("no %s within 30 s; heard %q", what, h.topics)
		}
	}
}

// TestOverTheBus runs the desk as the program does: its own connection, a
// session of an adapter, and somebody on the bus who asks.
func TestOverTheBus(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	server, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	conn, err1 := server.Connect("desk")
	asker, err2 := server.Connect("runner")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	h := &heard{news: make(chan struct{}, 1)}
	if _, err := bus.SubscribeAll(asker, "desk", bus.Keep, h.take); err != nil {
		t.Fatal(err)
	}

	venue, err := brokertest.NewMemory(brokertest.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	journal := &memJournal{trace: &trace{}, intents: map[string]broker.IntentRecord{}}
	allow := gateFunc(func(broker.View, order.Intent) order.Decision { return order.Decision{Allowed: true} })
	d := New(DefaultConfig(), allow, journal, conn, quiet)
	steps := d.Steps([]market.Symbol{venue.Symbol()})
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	session, err := venue.Open(ctx, broker.OpenConfig{}, func(broker.Rung) {})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, session) }()
	venue.Quote(market.MustPrice("99.99"), market.MustPrice("100")) // the subscription tells it
	for _, s := range steps {
		if _, err := s.Run(ctx, session); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
	}
	d.LinkChanged(broker.Link{State: broker.Ready})

	venue.Fail(brokertest.Faults{HoldCommissions: true, Repeat: true})
	intent := buy("bus-1")
	intent.At = time.Now()
	reply, err := bus.Ask(ctx, asker, event.OrderRequest, intent)
	if err != nil || reply.Result != event.Written {
		t.Fatalf("%+v, %v", reply, err)
	}
	h.until(t, "fill, and the stop of what it bought", func() bool {
		return len(h.fills) == 1 && h.orders[len(h.orders)-1].State == order.Accepted
	})
	venue.Fail(brokertest.Faults{})
	h.until(t, "commission", func() bool { return len(h.fills) == 2 })
	if a, b := h.fills[0], h.fills[1]; a.Commission != nil || b.Commission == nil || a.ExecID != b.ExecID || b.Price != market.MustPrice("100") {
		t.Errorf("fills %+v", h.fills)
	}
	state, err := bus.Ask(ctx, asker, event.DeskState, event.Empty{})
	if err != nil || len(state.Orders) != 2 || state.Orders[0].State != order.Filled || len(state.Guards) != 1 || !state.Guards[0].Covered || len(state.Fills) != 1 || len(state.Positions) != 1 || len(state.Details) != 1 ||
		state.Account != "DU7654321" || len(state.Values) < 3 || state.Data[0].State != floor.Live || state.Market.IsZero() {
		t.Errorf("state %+v, %v", state, err)
	}
	history, err := bus.Ask(ctx, asker, event.HistoryRequest, event.HistoryQuery{Symbol: venue.Symbol(), Span: time.Hour, Width: time.Minute})
	if err != nil || history.Error != "" || len(history.Bars) < 10 {
		t.Errorf("history: %d bars, %q, %v", len(history.Bars), history.Error, err)
	}
	if again, err := bus.Ask(ctx, asker, event.OrderRequest, intent); err != nil || !again.Known || again.OrderID != reply.OrderID {
		t.Errorf("again %+v, %v", again, err)
	}
	h.mu.Lock()
	for _, topic := range []string{event.Tick.Name, event.Data.Name, event.Account.Name, event.Decision.Name, event.Position.Name} {
		if !slices.Contains(h.topics, topic) {
			t.Errorf("nothing on %s", topic)
		}
	}
	h.mu.Unlock()

	venue.Lose()
	if err := <-served; !errors.Is(err, broker.ErrGatewayDown) {
		t.Errorf("Serve ended with %v", err)
	}
	if err := d.Stop(ctx); err != nil {
		t.Error(err)
	}
	short, end := context.WithTimeout(ctx, 500*time.Millisecond)
	defer end()
	if late, err := bus.Ask(short, asker, event.OrderRequest, intent); err == nil {
		t.Errorf("after Stop: %+v", late)
	}
}

func TestConfigTellsAllFaults(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Queue: -1}.Validate()
	faults, ok := err.(interface{ Unwrap() []error })
	if !ok || len(faults.Unwrap()) != 19 {
		t.Errorf("%v", err)
	}
}
