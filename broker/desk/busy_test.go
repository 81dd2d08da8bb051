package desk

import (
	"errors"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// earlier is a journal that knows one intent of an earlier run.
func earlier(r *rig, _ *Config) { r.journal.past.Asked = []string{"earlier"} }

// TestBusyIsNoRefusalOfWhatWasAskedBefore: an order that is on the wire is asked
// for again, as its first answer was late, and the turn does not come. "Refused"
// would have the asker send another.
func TestBusyIsNoRefusalOfWhatWasAskedBefore(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		if reply := r.ask(buy("a")); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		r.desk.turn <- struct{}{}
		again, first, before := r.ask(buy("a")), r.ask(buy("b")), r.ask(buy("earlier"))
		r.desk.give()
		if again.Result != event.Unknown || again.Rule != "busy" {
			t.Errorf("of an order on the wire: %+v", again)
		}
		if first.Result != event.Refused || first.Rule != "busy" {
			t.Errorf("of one that was never begun: %+v", first)
		}
		if before.Result != event.Unknown {
			t.Errorf("of one that an earlier run began: %+v", before)
		}
	}, earlier)
}

// TestARefusalIsUncertainWithoutTheJournal: what an earlier run has sent, only
// the journal knows.
func TestARefusalIsUncertainWithoutTheJournal(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		halt(t, r)
		r.journal.mu.Lock()
		r.journal.fail = errors.New("disk I/O error")
		r.journal.mu.Unlock()
		if reply := r.ask(buy("earlier")); reply.Result != event.Unknown || reply.Rule != "journal" {
			t.Errorf("%+v", reply)
		}
		if reply := r.ask(buy("new")); reply.Result != event.Refused || reply.Rule != "halted" {
			t.Errorf("%+v", reply)
		}
	}, earlier)
}

// TestNobodyElseIsTheDesk: what an order is, its words tell: a working entry that
// calls itself the desk's would outlive a halt, one named like a flatten's order
// a flatten.
func TestNobodyElseIsTheDesk(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"guard-AAPL-1", "flatten-1", "stop-1"} {
			if reply := r.ask(buy(id)); reply.Result != event.Refused || reply.Rule != "reserved" {
				t.Errorf("id %s: %+v", id, reply)
			}
		}
		working := buy("a")
		working.Type, working.Limit = order.Limit, market.MustPrice("180").Ptr()
		working.Strategy = "desk"
		if reply := r.ask(working); reply.Result != event.Refused || reply.Rule != "reserved" {
			t.Errorf("strategy desk: %+v", reply)
		}
		cancel := order.Intent{ID: "c", Action: order.Cancel, Strategy: "desk", Target: "a", At: working.At}
		if reply := r.ask(cancel); reply.Rule != "reserved" {
			t.Errorf("a cancel of strategy desk: %+v", reply)
		}
		if got := r.orders(); len(got) != 0 {
			t.Errorf("written: %+v", got)
		}
	})
}

// TestADuplicateBehindADeadlineStaysWhatItWas: the disk takes its time to say
// that an id is stored already. The order that was made with it then is not
// written over.
func TestADuplicateBehindADeadlineStaysWhatItWas(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		o := described(77, "old", 0).Order
		o.State, o.Filled = order.Filled, market.Shares(10)
		in := buy("old")
		r.journal.intents["old"] = broker.IntentRecord{Intent: in, Decision: order.Decision{Allowed: true}, Order: &o}
		r.journal.inside = func() { time.Sleep(6 * time.Second) }
		if reply := r.ask(in); !reply.Known || reply.OrderID != 77 {
			t.Errorf("%+v, want the order that was made then", reply)
		}
		r.journal.mu.Lock()
		defer r.journal.mu.Unlock()
		for _, rec := range r.journal.records {
			if rec.Order != nil && rec.Order.Ref == "old" {
				t.Errorf("recorded: %+v", *rec.Order)
			}
		}
	})
}
