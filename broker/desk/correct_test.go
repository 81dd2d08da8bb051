package desk

import (
	"context"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestVersionOf(t *testing.T) {
	for _, tt := range []struct {
		id, base string
		version  int
		ok       bool
	}{
		{"0000e0d5.6560d3c8.01.01", "0000e0d5.6560d3c8.01.", 1, true},
		{"0000e0d5.6560d3c8.01.12", "0000e0d5.6560d3c8.01.", 12, true},
		{"0000e0d5.6560d3c8.01.00", "0000e0d5.6560d3c8.01.", 0, false},
		{"0000e0d5.6560d3c8.01.1x", "0000e0d5.6560d3c8.01.", 0, false},
		{"e1", "", 0, false},
		{"", "", 0, false},
	} {
		if base, v, ok := versionOf(tt.id); ok != tt.ok || ok && (base != tt.base || v != tt.version) {
			t.Errorf("%q: %q %d %v", tt.id, base, v, ok)
		}
	}
}

// A correction, a bust and a late first version of an execution that is in the
// books fill nothing a second time.
func TestACorrectionIsNoFill(t *testing.T) {
	const first, second = "0000e0d5.6560d3c8.01.01", "0000e0d5.6560d3c8.01.02"
	other := executed(151, "a", second, "10")
	other.Fill.Price = market.MustPrice("187.30")
	for _, tt := range []struct {
		name    string
		known   broker.ExecutionReport
		comes   broker.ExecutionReport
		notices int
	}{
		{"another price", executed(151, "a", first, "10"), other, 1},
		{"taken back", executed(151, "a", first, "10"), executed(151, "a", second, "0"), 1},
		{"the first version late", other, executed(151, "a", first, "10"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.ask(buy("a"))
				r.send(described(151, "a", order.WorkingNow), tt.known)
				r.send(tt.comes)
				r.send(tt.comes) // told again, as after a reconnection
				s := r.desk.State(context.Background())
				if o := r.order("a"); o.State != order.Filled || o.Filled != market.Shares(10) {
					t.Errorf("order is %v, %v filled", o.State, o.Filled)
				}
				if len(s.Fills) != 1 || s.Positions[0].Qty != market.Shares(10) {
					t.Errorf("fills %+v, positions %+v", s.Fills, s.Positions)
				}
				if n := r.out.named("execution_corrected"); n != tt.notices || r.out.named("overfilled") != 0 {
					t.Errorf("notices %+v", r.out.notices)
				}
			})
		})
	}
}
