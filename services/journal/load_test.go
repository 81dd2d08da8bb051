package journal

import (
	"fmt"
	"testing"

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
