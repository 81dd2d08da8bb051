package journal

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// TestLoadTellsAllFillsOfTheOrdersItTells: a venue tells the whole day again
// after a restart, and what is not known as counted would be counted twice.
func TestLoadTellsAllFillsOfTheOrdersItTells(t *testing.T) {
	j := open(t, file(t))
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Intend(t.Context(), placed(2)))
	rec := []broker.Record{{Wall: wall0, Order: became(1, order.Partial)}, {Wall: wall0, Fill: execution(1, "early")}}
	for n := range 9 {
		rec = append(rec, broker.Record{Wall: wall0, Fill: execution(2, fmt.Sprint("later ", n))})
	}
	must(t, j.Record(t.Context(), rec...))
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(2, order.Filled)}))
	var got []string
	b := load(t, j, 3)
	for _, f := range b.Fills {
		got = append(got, f.ExecID)
	}
	if len(got) != 10 || got[0] != "early" || got[9] != "later 8" {
		t.Errorf("%d orders are told with the executions %q", len(b.Orders), got)
	}
}

// What only reduces, and what the desk asks itself, takes nothing from the rates
// after a restart either.
func TestSentLeavesOutWhatReduces(t *testing.T) {
	j := open(t, file(t))
	for n, key := range []string{"", "reduction", "own"} {
		r := placed(n + 1)
		r.Decision.Saw = order.SawOf("notional", "100")
		if key != "" {
			r.Decision.Saw.Bool(key, true)
		}
		if err := j.Intend(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if b := load(t, j, 10); len(b.Orders) != 3 || len(b.Sent) != 1 || b.Sent[0].Notional != market.MustMoney("100") {
		t.Errorf("%d orders, sent %+v, want the first alone", len(b.Orders), b.Sent)
	}
}

// TestSentIsTheWholeDay: a limit a day that a restart resets is none. Every order
// of the newest market day counts, however many, with what a change added, at the
// market time of the decision: the asker's own time may be anything.
func TestSentIsTheWholeDay(t *testing.T) {
	const orders = 700 // more than a restart tells of ended ones
	j := open(t, file(t))
	intend := func(n int, wall time.Time, change func(*broker.IntentRecord)) {
		r := placed(n)
		r.Wall, r.Decision.At = wall, wall
		r.Intent.At = wall0.AddDate(1, 0, 0) // a clock of its own
		r.Decision.Saw = order.SawOf("notional", "100")
		change(&r)
		must(t, j.Intend(t.Context(), r))
	}
	for n := range 40 {
		intend(n+1, wall0.Add(-30*time.Hour), func(*broker.IntentRecord) {})
	}
	for n := range orders {
		intend(n+101, wall0.Add(time.Duration(n)*time.Second), func(r *broker.IntentRecord) {
			switch {
			case n%100 == 1:
				r.Intent.Action, r.Intent.Target, r.Order = order.Modify, "a", nil
				r.Decision.Saw = order.SawOf("notional", "1000", "grows", "40")
			case n%100 == 2:
				r.Intent.Action, r.Intent.Target, r.Order = order.Cancel, "a", nil
			}
		})
	}
	b := load(t, j, 3)
	var sum market.Money
	for _, s := range b.Sent {
		sum = sum.Add(s.Notional)
		if s.At.Before(wall0) || s.At.After(wall0.Add(time.Hour)) {
			t.Fatalf("counted at %v", s.At)
		}
	}
	if len(b.Sent) != orders-7 || sum != market.MustMoney("68880") { // 686 orders, 7 changes, no cancel
		t.Errorf("%d sent for %v", len(b.Sent), sum)
	}
}
