package bridge

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/event"
)

// What the desk says right before the end is heard outside, and then that the
// trader stops.
func TestLastWordsOfTheDeskAreHeard(t *testing.T) {
	r := listening(t, nil)
	nc, _ := r.guest(t, "watch")
	var orders atomic.Int64
	stopped := make(chan int64, 1)
	hear := func(topic string, fn func(m *nats.Msg)) {
		if _, err := nc.Subscribe(event.Subject("main", topic), fn); err != nil {
			t.Fatal(err)
		}
	}
	hear(event.Order.Name, func(*nats.Msg) { orders.Add(1) })
	hear(event.Bus.Name, func(m *nats.Msg) {
		if strings.Contains(string(m.Data), `"state":"`+event.BusStopped+`"`) {
			stopped <- orders.Load()
		}
	})
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	const n = 2000
	for i := range n {
		r.publishOrder(t, i)
	}
	r.bridge.Refuse()
	if a, err := ask(t, r.dip(t), "main", "dip", intent("dip", "1")); err != nil || a.Rule != ruleClosed {
		t.Errorf("at the end: %+v, %v", a, err)
	}
	for i := range n {
		r.publishOrder(t, n+i)
	}
	if err := r.bridge.Stop(within(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody hears that the trader stops")
	}
	eventually(t, "all orders are heard", func() bool { return orders.Load() == 2*n })
}

func (r *trader) dip(t *testing.T) *nats.Conn {
	t.Helper()
	nc, _ := r.guest(t, "dip")
	return nc
}

// Outside hears of the bridge once a second, also while there is always something
// to write.
func TestTheBeatGoesOnInAFlood(t *testing.T) {
	r := listening(t, nil)
	nc, _ := r.guest(t, "watch")
	beats := make(chan struct{}, 16)
	if _, err := nc.Subscribe(event.Subject("main", event.Bus.Name), func(*nats.Msg) { beats <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with end
		defer close(ended)
		raw := []byte(`{"pub":"desk","seq":1,"at":"2026-04-02T14:30:00Z","data":{}}`)
		subject := event.Subject("main", event.Progress.Name)
		for {
			select {
			case <-end:
				return
			default:
				r.bridge.queue.put(subject, raw)
			}
		}
	}()
	defer func() { close(end); <-ended }()
	began := time.Now()
	for range 3 {
		select {
		case <-beats:
		case <-time.After(10 * time.Second):
			t.Fatal("no beat within 10 s")
		}
	}
	if took := time.Since(began); took > 10*beatEvery {
		t.Errorf("three beats took %v", took)
	}
}
