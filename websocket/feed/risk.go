package feed

import (
	"maps"
	"strings"
	"time"

	"robotrader/broker/order"
)

// used are the numbers of a decision that tell how far the limits are used up,
// by the names that the risk gate gives them.
var used = [...]string{
	"day_loss", "drawdown", "losing_streak", "realized_today", "equity", "day_start_equity", "peak_equity",
	"notional_today", "orders_last_minute", "gross", "position_notional",
}

// decided counts a decision and takes over what it tells about the limits at a
// wall time. A cancel tells nothing, and an order that only makes a position
// smaller nothing of losses, which it passes: those stay as they were told.
func (r *Risk) decided(d order.Decision, at time.Time) {
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
	use := maps.Clone(r.Use) // the one before may be on its way to clients
	if use == nil {
		use = map[string]string{}
	}
	r.Use, r.Limits = use, limitsOf(limits)
	r.Currency, r.At = saw["currency"], &at
	for _, name := range used {
		if v, ok := saw[name]; ok {
			use[name] = v
		}
	}
}

// limitsOf reads name=value pairs.
func limitsOf(text string) map[string]string {
	limits := map[string]string{}
	for _, limit := range strings.Fields(text) {
		if name, v, ok := strings.Cut(limit, "="); ok {
			limits[name] = v
		}
	}
	return limits
}
