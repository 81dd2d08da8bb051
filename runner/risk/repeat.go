package risk

import (
	"fmt"
	"time"

	"robotrader/broker/order"
)

// duplicate refuses what was asked just now, and a second entry while one of
// the strategy is open in the symbol: eight tasks that look at the position at
// one time all find none. What the desk asks for itself is not asked twice.
func (a *asked) duplicate() string {
	if a.v.Own || a.in.Action != order.Place {
		return ""
	}
	if t := a.v.Twin; t.ID != "" && t.ID != a.in.ID {
		if ago := a.v.Now.Sub(t.At); ago >= 0 && ago < a.DuplicateWithin {
			return fmt.Sprintf("%s asked for the same %v ago as %s; wait %v or ask with the same id, or lower risk.duplicate_within",
				a.in.Strategy, ago, t.ID, a.DuplicateWithin)
		}
	}
	for i := range a.v.Open {
		o := &a.v.Open[i]
		// One without a reference was made elsewhere, by no strategy.
		if o.Ref == "" || o.Strategy != a.in.Strategy || o.Symbol != a.in.Symbol || !o.State.Live() || a.against(o) {
			continue
		}
		a.saw.Text("open_entry", o.Ref)
		return fmt.Sprintf("the entry %s of %s in %s is %v and not done; wait for its end, or cancel or modify it", o.Ref, o.Strategy, o.Symbol, o.State)
	}
	return ""
}

// against reports whether an open order takes away from the position.
func (a *asked) against(o *order.Order) bool {
	return a.v.Position != nil && a.v.Position.Sign()*o.Side.Signed(o.Qty).Sign() < 0
}

// churn lets some time pass between an exit and the next entry in its symbol.
func (a *asked) churn() string {
	if a.v.Own || a.in.Action != order.Place || a.v.LastExit.IsZero() {
		return ""
	}
	if ago := a.v.Now.Sub(a.v.LastExit); ago >= 0 && ago < a.ChurnCooldown {
		return fmt.Sprintf("the position of %s was made smaller %v ago; wait %v after an exit or lower risk.churn_cooldown", a.in.Symbol, ago.Truncate(100*time.Millisecond), a.ChurnCooldown)
	}
	return ""
}
