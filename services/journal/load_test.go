package journal

import (
	"fmt"
	"testing"

	"robotrader/broker"
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
