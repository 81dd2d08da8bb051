package feed

import (
	"fmt"
	"log/slog"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestRiskCountsDecisions(t *testing.T) {
	var r Risk
	r.decided(order.Decision{Allowed: true, Saw: order.SawOf("limits", "max_daily_loss=2000 off=")}, noon)
	r.decided(order.Decision{Saw: order.SawOf("link", "ready")}, noon.Add(1)) // a cancel
	if r.Allowed != 1 || r.Refused != 1 || r.NewestAt == nil || !r.NewestAt.Equal(noon) {
		t.Errorf("%+v", r)
	}
}

// TestLimitsAsTheyAre: what the desk tells now is shown; its older answer changes
// nothing, and no answer of a desk that knows none.
func TestLimitsAsTheyAre(t *testing.T) {
	f := New(DefaultConfig(), &recorder{}, slog.New(slog.DiscardHandler))
	own := &f.owners[deskOwner]
	state := func(share float64) event.LimitState {
		s := event.LimitState{Currency: "USD", Limits: []broker.LimitUse{{Rule: "daily_loss", Share: &share}}}
		for n := range maxSymbols {
			s.Limits = append(s.Limits, broker.LimitUse{Symbol: market.Symbol(fmt.Sprint("S", n))})
		}
		return s
	}
	f.setLimits(own, event.LimitState{})
	if f.snap.Risk.Use != nil {
		t.Errorf("unknown became %+v", f.snap.Risk.Use)
	}
	f.setLimits(own, state(0.1))
	f.onLimits(msg(state(0.2)))
	own.told = map[string]struct{}{"limits ": {}}
	f.setLimits(own, state(0.1))
	if use := f.snap.Risk.Use; len(use) != maxSymbols || *use[0].Share != 0.2 || f.snap.Risk.Currency != "USD" {
		t.Errorf("%d limits, the first %+v", len(use), use[0])
	}
}
