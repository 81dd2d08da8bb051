package bridge

import (
	"testing"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestStats sees requests counted by what became of them, and who is connected.
func TestStats(t *testing.T) {
	r := listening(t, nil)
	nc, _ := r.guest(t, "dip")
	foreign := intent("dip", "2")
	foreign.ID = "flood:1"
	for _, tt := range []struct {
		in   order.Intent
		want string
	}{{intent("dip", "1"), event.Written}, {foreign, event.Refused}, {foreign, event.Refused}} {
		if a := mustAsk(t, nc, "main", "dip", tt.in); a.Result != tt.want {
			t.Fatalf("%+v, want %s", a, tt.want)
		}
	}
	s := r.bridge.Stats()
	if s.Handed != 1 || s.Refused[ruleForeign] != 2 || len(s.Refused) != 1 || s.Clients != 1 || s.Waiting != 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	nc.Close()
	eventually(t, "nobody connected", func() bool { return r.bridge.Stats().Clients == 0 })
}
