package desk

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestProtectionIsToldWhenItChanges: who listens knows within a second that a
// position is naked, why, and that it is covered again, and hears nothing while
// nothing changes.
func TestProtectionIsToldWhenItChanges(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		var mended atomic.Bool
		s.gate = func(_ broker.View, in order.Intent) order.Decision {
			if !mended.Load() && in.Type == order.Stop {
				return order.Decision{Rule: "test", Reason: "no stops today"}
			}
			return order.Decision{Allowed: true}
		}
		told := func() []event.Protection {
			s.out.mu.Lock()
			defer s.out.mu.Unlock()
			return slices.Clone(s.out.covers)
		}
		settle := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

		s.trade(order.Buy, 100, "100.01")
		settle(time.Second)
		list := told()
		if len(list) == 0 {
			t.Fatal("nothing was told")
		}
		p := list[len(list)-1]
		if p.Off || len(p.Guards) != 1 || p.Guards[0].Covered || !p.Guards[0].Held.IsZero() || !strings.Contains(p.Guards[0].Cause, "no stops today") {
			t.Errorf("naked, and told %+v", p)
		}
		settle(5 * time.Minute)
		if n := len(told()) - len(list); n > 1 {
			t.Errorf("told %d times more while nothing changed: %+v", n, told())
		}
		mended.Store(true)
		settle(2 * time.Minute) // it is tried once a minute at least
		list = told()
		if g := list[len(list)-1].Guards; len(g) != 1 || !g[0].Covered || g[0].Held != market.Shares(100) || g[0].StopPrice == nil || g[0].Cause != "" {
			t.Errorf("covered, and told %+v", g)
		}
	})
}
