package desk

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestARestThatNobodyCanOrderBarsNoSide: a fraction that is less than an order can
// be about has no stop that could turn over, and cannot be closed before. It would
// bar the other side for ever.
func TestARestThatNobodyCanOrderBarsNoSide(t *testing.T) {
	for _, tt := range []struct {
		held string
		rule string
	}{{"0.4", ""}, {"1.4", "turns_over"}} {
		synctest.Test(t, func(t *testing.T) {
			r := ready(t, func(r *rig, c *Config) {
				c.Protect = ProtectOn
				r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.MustQty(tt.held), AvgCost: market.MustPrice("180").Ptr()}}
			})
			time.Sleep(3 * time.Second)
			in := buy("a")
			in.Side = order.Sell
			reply := r.ask(in)
			if reply.Rule != tt.rule || (reply.Result == event.Written) != (tt.rule == "") {
				t.Errorf("sell 10 of %s: %+v", tt.held, reply)
			}
			if tt.rule != "" && !strings.Contains(reply.Reason, "ask for 1 to close it") {
				t.Errorf("sell 10 of %s: %s", tt.held, reply.Reason)
			}
			r.stop(t)
		})
	}
}
