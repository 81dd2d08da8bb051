package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// settling is reconciling with an order "a" that the venue acknowledged, or never
// did, and that has been unknown for minutes.
func settling(t *testing.T, acked bool, fn func(t *testing.T, r *rig, k *knowing)) {
	t.Helper()
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("completed", errRefused)
		r.ask(buy("a"))
		if acked {
			r.send(described(151, "a", order.WorkingNow))
		}
		time.Sleep(5 * time.Minute)
		if o := r.order("a"); o.State != order.Unknown {
			t.Fatalf("order is %v (%s)", o.State, o.Note)
		}
		fn(t, r, k)
	})
}

func (r *rig) settle(ref, as string) (order.Order, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return r.desk.Settle(ctx, "a person", event.Settling{Ref: ref, As: as, Reason: "seen in TWS"})
}

// TestAPersonSettlesAnUnknownOrder: what would bar its symbol for ever ends by a
// person's word, which is durable before it counts.
func TestAPersonSettlesAnUnknownOrder(t *testing.T) {
	for _, tt := range []struct {
		as    string
		acked bool
		ref   string
		state order.State
	}{
		{event.SettleAbsent, false, "a", order.Dropped},
		{event.SettleCancelled, false, "a", order.Cancelled},
		{event.SettleCancelled, true, "9151", order.Cancelled}, // by its permanent id
	} {
		t.Run(tt.as+" "+tt.ref, func(t *testing.T) {
			settling(t, tt.acked, func(t *testing.T, r *rig, _ *knowing) {
				if reply := r.ask(buy("b")); reply.Rule != "unknown_order" {
					t.Fatalf("%+v", reply)
				}
				var stored order.State // of the order, when who said it was made durable
				r.journal.syncing = func() {
					r.journal.syncing = nil
					stored = r.desk.books.ByRef["a"].State
				}
				o, err := r.settle(tt.ref, tt.as)
				if err != nil || o.State != tt.state || o.Note != "settled as "+tt.as+" by a person: seen in TWS" {
					t.Fatalf("%v (%s), %v", o.State, o.Note, err)
				}
				if stored != order.Unknown {
					t.Errorf("it was %v before the word was durable", stored)
				}
				last := r.journal.records[len(r.journal.records)-2:]
				if f := last[0].Finding; f == nil || f.Ref != "a" || !f.Explained || !strings.Contains(f.Evidence, "by a person: seen in TWS") {
					t.Errorf("stored first %+v", last[0])
				}
				if o := last[1].Order; o == nil || o.State != tt.state || !strings.Contains(o.Note, "by a person") {
					t.Errorf("stored then %+v", last[1])
				}
				if r.out.named("order_settled") != 1 || r.order("a").State != tt.state {
					t.Errorf("told %d times, order %v", r.out.named("order_settled"), r.order("a").State)
				}
				n := len(r.journal.records)
				if o, err := r.settle(tt.ref, tt.as); err != nil || o.State != tt.state || len(r.journal.records) != n {
					t.Errorf("asked twice: %v, %v, %d records more", o.State, err, len(r.journal.records)-n)
				}
				if reply := r.ask(buy("c")); reply.Result != event.Written {
					t.Errorf("an entry after it: %+v", reply)
				}
			})
		})
	}
}

// TestWhatThePositionShowsMayBeCalledFilled: the executions never came, and the
// broker's position has what they would have made.
func TestWhatThePositionShowsMayBeCalledFilled(t *testing.T) {
	settling(t, true, func(t *testing.T, r *rig, k *knowing) {
		if _, err := r.settle("a", event.SettleFilled); !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), "it lacks 10") {
			t.Errorf("without a trace of it: %v", err)
		}
		k.venue(func() { k.held = heldAt("10") })
		time.Sleep(time.Minute) // taken over, and entries are taken away
		if o, err := r.settle("a", event.SettleFilled); err != nil || o.State != order.Filled || !o.Filled.IsZero() {
			t.Errorf("%v, %v filled, %v", o.State, o.Filled, err)
		}
		if r.position() != heldAt("10")[0].Qty {
			t.Errorf("the position is %v", r.position())
		}
	})
}

// TestTheBrokerContradictsAPerson: its answer counts, and nothing is changed by
// the word.
func TestTheBrokerContradictsAPerson(t *testing.T) {
	completed := func(k *knowing, word string, sig order.Signal) {
		o := described(0, "a", 0).Order
		o.ClientID, o.PermID, o.Filled = 0, 9151, o.Qty
		if sig == order.CancelDone {
			o.Filled = o.Filled.Sub(o.Qty)
		}
		k.fail = map[string]error{}
		k.completed = []broker.CompletedReport{{Order: o, Status: word, Signal: sig, Known: true}}
	}
	for _, tt := range []struct {
		name   string
		as     string
		acked  bool
		answer func(*knowing)
		says   string
		state  order.State
	}{
		{"it works", event.SettleAbsent, false, func(k *knowing) { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} }, "the outcome of order \"a\" is known", order.Working},
		{"it was executed", event.SettleCancelled, false, func(k *knowing) {
			k.fills, k.held = []broker.ExecutionReport{executed(151, "a", "e1", "10")}, heldAt("10")
		}, "is known", order.Filled},
		{"it was cancelled", event.SettleFilled, true, func(k *knowing) { completed(k, "Cancelled", order.CancelDone) }, "is known", order.Cancelled},
		{"it is told as filled", event.SettleCancelled, true, func(k *knowing) { completed(k, "Filled", order.FilledUp) }, "has told how it ended", order.Unknown},
		{"it was acknowledged", event.SettleAbsent, true, func(*knowing) {}, "permanent id 9151", order.Unknown},
		{"a part was executed", event.SettleAbsent, false, func(k *knowing) {
			f := executed(151, "a", "e1", "4")
			f.Fill.PermID = 0
			k.fills, k.held = []broker.ExecutionReport{f}, heldAt("4")
		}, "so it was there", order.Unknown},
		{"the position has it", event.SettleAbsent, false, func(k *knowing) { k.held = heldAt("10") }, "has 10 more than the executions account for", order.Unknown},
		{"it does not answer", event.SettleCancelled, true, func(k *knowing) { k.fail = map[string]error{"positions": broker.ErrNoAnswer} }, "did not answer in full", order.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			settling(t, tt.acked, func(t *testing.T, r *rig, k *knowing) {
				k.venue(func() { tt.answer(k) })
				_, err := r.settle("a", tt.as)
				if !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v", err)
				}
				if o := r.order("a"); o.State != tt.state || strings.Contains(o.Note, "settled") || r.out.named("order_settled") != 0 {
					t.Errorf("order is %v (%s)", o.State, o.Note)
				}
			})
		})
	}
}

// TestWhatCannotBeSettled: a word that makes no sense, one that cannot be checked,
// and one that cannot be stored.
func TestWhatCannotBeSettled(t *testing.T) {
	settling(t, true, func(t *testing.T, r *rig, _ *knowing) {
		refused := func(what, ref, as, says string) {
			t.Helper()
			if _, err := r.settle(ref, as); !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("no such word", "a", "gone", "one of absent, filled, cancelled")
		refused("no such order", "zzz", event.SettleCancelled, "no order \"zzz\"")
		r.desk.LinkChanged(broker.Link{State: broker.Waiting})
		refused("the link is down", "a", event.SettleCancelled, "the link does not stand")
		r.desk.LinkChanged(broker.Link{State: broker.Ready})
		r.journal.fail = errors.New("disk full")
		if _, err := r.settle("a", event.SettleCancelled); err == nil || !strings.Contains(err.Error(), "nothing is changed") || r.order("a").State != order.Unknown {
			t.Errorf("on a full disk: %v, order %v", err, r.order("a").State)
		}
		r.journal.fail = nil
		if o, err := r.settle("a", event.SettleCancelled); err != nil || o.State != order.Cancelled {
			t.Errorf("%v, %v", o.State, err)
		}
		refused("it is settled otherwise", "a", event.SettleAbsent, "is known")
	})
}

// TestANewSessionMayNotListItYet: a gateway that has just started lists orders
// before it has got them all.
func TestANewSessionMayNotListItYet(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("completed", errRefused)
		if _, err := r.settle("a", event.SettleCancelled); !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), "ask again in") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Minute)
		if o, err := r.settle("a", event.SettleCancelled); err != nil || o.State != order.Cancelled {
			t.Errorf("%v, %v", o.State, err)
		}
	}, func(r *rig, _ *Config) {
		o := described(11, "a", 0).Order
		o.State, o.Created, o.TIF = order.Unknown, day.Add(-24*time.Hour), order.GTC
		r.journal.past.Orders = []order.Order{o}
	})
}
