package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestRefusalsDoNotFillTheDisk: a strategy asks at every tick while trading is
// halted. All are answered; what is stored is bounded, and says what is not.
func TestRefusalsDoNotFillTheDisk(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		halt(t, r)
		ask := func(from, to int) {
			for i := from; i < to; i++ {
				if reply := r.ask(buy(fmt.Sprintf("a%d", i))); reply.Result != event.Refused || reply.Rule != "halted" {
					t.Fatalf("%+v", reply)
				}
			}
		}
		ask(0, 500)
		if n := len(r.journal.intents); n != refusalsAMinute {
			t.Errorf("stored %d of 500 refusals in a minute, want %d", n, refusalsAMinute)
		}
		if reply := r.ask(sell("other", 1)); reply.Rule != "halted" {
			t.Fatalf("%+v", reply)
		}
		if again := r.ask(buy("a400")); !again.Known || again.Result != event.Refused {
			t.Errorf("one that was not stored, asked for again: %+v", again)
		}
		time.Sleep(time.Minute)
		ask(500, 501)
		got := r.journal.intents["a500"].Decision.Reason
		if want := fmt.Sprintf("(%d like it", 500-refusalsAMinute+1); !strings.Contains(got, want) {
			t.Errorf("the reason %q does not say %q", got, want)
		}
	})
}

// TestRefusalKindsAreBounded: names that never come twice do not fill the memory.
func TestRefusalKindsAreBounded(t *testing.T) {
	list, wall := refusals{}, day
	for i := range 10 * keepRefusals {
		rec := broker.IntentRecord{Intent: order.Intent{Strategy: fmt.Sprint(i)}, Decision: order.Decision{Rule: "x"}}
		list.store(&rec, wall)
	}
	if n := len(list); n > keepRefusals+1 {
		t.Errorf("%d kinds are kept", n)
	}
	rec := broker.IntentRecord{Intent: order.Intent{Strategy: "late"}, Decision: order.Decision{Rule: "x"}}
	if !list.store(&rec, wall.Add(time.Minute)) || len(list) > 2 {
		t.Errorf("after a minute: %d kinds", len(list))
	}
}
