package feed

import (
	"strings"

	"robotrader/broker/order"
)

// used are the numbers of a decision that tell how far the limits are used up,
// by the names that the risk gate gives them.
var used = [...]string{
	"day_loss", "drawdown", "losing_streak", "realized_today", "equity", "day_start_equity", "peak_equity",
	"notional_today", "orders_last_minute", "gross", "position_notional",
}

// decided counts a decision and takes over what it tells about the limits. A
// cancel tells nothing.
func (r *Risk) decided(d order.Decision) {
	if d.Allowed {
		r.Allowed++
	} else {
		r.Refused++
	}
	saw := d.Saw.Map()
	limits, ok := saw["limits"]
	if !ok {
		return
	}
	r.Use, r.Limits = map[string]string{}, map[string]string{}
	for _, name := range used {
		if v, ok := saw[name]; ok {
			r.Use[name] = v
		}
	}
	for _, limit := range strings.Fields(limits) {
		if name, v, ok := strings.Cut(limit, "="); ok {
			r.Limits[name] = v
		}
	}
}
