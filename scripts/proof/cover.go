package main

import (
	"context"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/scripts/rig"
)

const (
	// unknownWait is the longest that the desk may not know what became of an
	// order that was written into a crash, from ready on. It calls one absent
	// that the gateway never acknowledged when two looks of one session do not
	// list it, the second a minute after that session began or later; looks are 5 s
	// apart then, or 30 s (broker/desk). The rest is for a busy machine.
	unknownWait = 2 * time.Minute
	// coverWait is how long a position may be without its stop, after a start
	// and after the last order that might have taken it was known. The desk asks
	// within half a second, and again after 1, 2 and 4 s when it was refused.
	coverWait = 15 * time.Second
	// placeWait is for a trader to come to a place where it is to die: an order
	// of the life before whose outcome is unknown bars entries until it is proven.
	placeWait = 30*time.Second + unknownWait
)

// awaitCovered waits until stops cover what is held at the venue. An order of
// unknown outcome that may take the position keeps the desk from placing a stop,
// which could turn the position over together with it: as long as the trader
// shows one, the wait does not begin. It returns the venue as it is then.
func awaitCovered(ctx context.Context, t *rig.Trader, addr string) (v *rig.Look, err error) {
	since := time.Now()
	var late error
	err = rig.Await(ctx, unknownWait+coverWait, func() error {
		if v, err = rig.Ask(addr); err != nil {
			return err
		}
		bare := rig.CheckCovered(v)
		if bare == nil {
			return nil
		}
		is, err := t.Show(ctx)
		switch {
		case err != nil:
			return err
		case unknownExit(v, is):
			since = time.Now()
		case time.Since(since) > coverWait:
			late = rig.Breach("covered", "not within %v, and no order that may take the position is unknown: %v", coverWait, bare)
			return nil
		}
		return bare
	})
	if late != nil {
		err = late
	}
	return v, err
}

// unknownExit reports whether the trader shows an order of unknown outcome
// against a position at the venue, a stop among them.
func unknownExit(v *rig.Look, is rig.Shown) bool {
	for _, o := range is.Orders {
		qty := v.Positions[o.Symbol]
		if o.State == order.Unknown && qty.Sign()*o.Side.Signed(market.Shares(1)).Sign() < 0 {
			return true
		}
	}
	return false
}
