package bridge

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

func payload[T any](t testing.TB, seq uint64, data T) []byte {
	t.Helper()
	raw, err := json.Marshal(event.Message[T]{Pub: "desk", Seq: seq, At: time.Unix(0, 0).UTC(), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func price(n int) *market.Price {
	p := market.MustPrice(fmt.Sprint(n))
	return &p
}

// TestQueueConflatesQuotesAndKeepsTrades has a symbol's ticks wait.
func TestQueueConflatesQuotesAndKeepsTrades(t *testing.T) {
	q := newQueue("main")
	q.come()
	subject := event.Subject("main", event.Tick.Name, "AAPL")
	const n = 3 * ticksMost
	one := market.Shares(1)
	for i := range n {
		q.put(subject, payload(t, uint64(i+1), event.Ticks{Symbol: "AAPL", Frames: uint64(i + 1), Ticks: []event.TickData{
			{Kind: "bid", Price: price(i + 1), Size: &one}, {Kind: "trade", Price: price(i + 1), Size: &one},
		}}))
	}
	q.put(event.Subject("main", event.Order.Name), payload(t, 1, order.Order{Ref: "a"}))
	if m, ok := q.take(); !ok || m.subject != event.Subject("main", event.Order.Name) {
		t.Errorf("an order waits behind ticks: %q", m.subject)
	}
	trades, bid, last := 0, 0, uint64(0)
	messages := 0
	for m, ok := q.take(); ok; m, ok = q.take() {
		messages++
		d, err := bus.Decode[event.Ticks](m.raw)
		if err != nil {
			t.Fatal(err)
		}
		if d.Seq <= last {
			t.Errorf("number %d after %d", d.Seq, last)
		}
		last = d.Seq
		for _, k := range d.Data.Ticks {
			switch {
			case k.Kind == "bid":
				bid = int(k.Price.Float())
			case int(k.Price.Float()) != trades+1:
				t.Fatalf("trade %v comes as number %d", k.Price, trades+1)
			default:
				trades++
			}
		}
	}
	if trades != n || bid != n || last != n || messages > ticksMost {
		t.Errorf("%d trades, bid %d, number %d in %d messages; want %d in at most %d", trades, bid, last, messages, n, ticksMost)
	}
}

func TestConflateHasABound(t *testing.T) {
	list := make([]event.TickData, tradesMost)
	one := market.Shares(1)
	for i := range list {
		list[i] = event.TickData{Kind: "trade", Price: price(i + 1), Size: &one}
	}
	old := payload(t, 1, event.Ticks{Symbol: "AAPL", Ticks: list})
	raw, lost, err := conflate([][]byte{old, payload(t, 2, event.Ticks{Symbol: "AAPL", Ticks: list[:10]})})
	if err != nil {
		t.Fatal(err)
	}
	m, err := bus.Decode[event.Ticks](raw)
	if err != nil || lost != 10 || len(m.Data.Ticks) != tradesMost || *m.Data.Ticks[0].Price != *price(11) || m.Seq != 2 {
		t.Errorf("%d lost, %d there, number %d, %v", lost, len(m.Data.Ticks), m.Seq, err)
	}
	if _, _, err := conflate([][]byte{[]byte("{")}); err == nil {
		t.Error("garbage was combined")
	}
}

// TestQueueWhenAway: what must not drop waits, up to its bound, and the oldest
// goes; the rest does not wait.
func TestQueueWhenAway(t *testing.T) {
	q := newQueue("main")
	orders := event.Subject("main", event.Order.Name)
	q.put(event.Subject("main", event.Tick.Name, "AAPL"), payload(t, 1, event.Ticks{Symbol: "AAPL"}))
	q.put(event.Subject("main", event.Health.Name), payload(t, 1, event.HealthState{}))
	q.put(event.Subject("main", event.Bus.Name), payload(t, 1, event.BusState{}))
	q.put("other.subject", []byte("{}"))
	const more = 10
	for i := range keptMost + more {
		q.put(orders, fmt.Appendf(nil, `{"pub":"desk","seq":%d,"at":"2026-04-02T14:30:00Z","data":{}}`, i+1))
	}
	newest, dropped, ok := q.told()
	if newest[event.Order.Name] != keptMost+more || dropped != more || ok {
		t.Errorf("newest %v, dropped %d, ok %v", newest, dropped, ok)
	}
	m, _ := q.take()
	if _, seq, _ := bus.Head(m.raw); seq != more+1 {
		t.Errorf("the oldest that waits is %d, want %d", seq, more+1)
	}
	big := make([]byte, oneMessage)
	for range keptBytes/oneMessage + 2 {
		q.put(orders, big)
	}
	if q.bytes > keptBytes+oneMessage+keptOverhead || len(q.kept) < 2 {
		t.Errorf("%d bytes wait in %d messages", q.bytes, len(q.kept))
	}
	q.put(orders, append(big, 0))
	q.forget()
	if _, ok := q.take(); ok || q.bytes != 0 {
		t.Errorf("something waits after it was forgotten; %d bytes", q.bytes)
	}
}

// TestQueueNeverLosesKept: whatever breaks between take, confirm and rewind,
// each kept message is taken at least once after it was put, in order but for
// what is repeated, and the bytes are counted right.
func TestQueueNeverLosesKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue("main")
		subject := event.Subject("main", event.Order.Name)
		put, confirmed, writtenTo := 0, 0, 0 // numbers
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				put++
				q.put(subject, fmt.Appendf(nil, `{"pub":"desk","seq":%d,"at":"2026-04-02T14:30:00Z","data":{}}`, put))
			case 2:
				m, ok := q.take()
				if !ok {
					if writtenTo != put {
						t.Fatalf("nothing waits at %d of %d", writtenTo, put)
					}
					continue
				}
				_, seq, err := bus.Head(m.raw)
				if err != nil || int(seq) != writtenTo+1 {
					t.Fatalf("number %d after %d, %v", seq, writtenTo, err)
				}
				writtenTo++
			case 3:
				n := q.unconfirmed()
				q.confirm(n)
				confirmed += n
				if confirmed != writtenTo {
					t.Fatalf("%d confirmed of %d written", confirmed, writtenTo)
				}
			case 4:
				q.rewind()
				writtenTo = confirmed
			}
		}
		sum := 0
		for _, m := range append(q.sent, q.kept...) {
			sum += len(m.raw) + keptOverhead
		}
		if sum != q.bytes {
			t.Fatalf("%d bytes are counted, %d are there", q.bytes, sum)
		}
	})
}

// TestHolderOrder: of two processes both judge alike, and one goes before.
func TestHolderOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(id string) event.Holder {
			return event.Holder{ID: id, Held: rapid.Bool().Draw(t, "held"), Since: time.Unix(rapid.Int64Range(0, 2).Draw(t, "since"), 0)}
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		if a.Before(b) == b.Before(a) || a.Before(a) {
			t.Fatalf("%+v and %+v", a, b)
		}
		if a.Before(b) && b.Before(c) && !a.Before(c) {
			t.Fatalf("%+v, %+v, %+v", a, b, c)
		}
	})
}
