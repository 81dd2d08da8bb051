package desk

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
	"robotrader/services/event"
)

// judged puts the real gate behind the shop, without the rules that are about
// the account's worth and the pace. No stop passes as long as barred is true.
func (s *shop) judged(barred *atomic.Bool) {
	s.t.Helper()
	cfg := risk.DefaultConfig()
	cfg.Off = []string{"equity_known", "max_leverage", "daily_loss", "drawdown", "duplicate_intent", "churn_cooldown", "max_position_notional"}
	g, err := risk.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.judge = g
	s.gate = func(v broker.View, in order.Intent) order.Decision {
		if barred.Load() && in.Type == order.Stop {
			return order.Decision{Rule: "test", Reason: "no stops now"}
		}
		return g.Decide(v, in)
	}
	s.desk.gate = s
}

// Decide asks the shop's gate.
func (s *shop) Decide(v broker.View, in order.Intent) order.Decision { return s.gate(v, in) }

// Sane asks the real one.
func (s *shop) Sane(q market.Quote, recent market.Trades) (bool, string) {
	return s.judge.Sane(q, recent)
}

// walk quotes prices, and prints at them, half a second apart.
func (s *shop) walk(prices ...string) {
	for _, p := range prices {
		s.quote(p)
		s.venue.Trade(market.MustPrice(p), market.Shares(1))
		time.Sleep(500 * time.Millisecond)
	}
}

// TestAStopThatTheMarketHasPassedIsPricedAnew: what kept it from being placed is
// over, and the market has gone through its price meanwhile; on both sides.
func TestAStopThatTheMarketHasPassedIsPricedAnew(t *testing.T) {
	for _, tt := range []struct {
		side     order.Side
		pos      int64
		away     []string
		from, to string
	}{
		{order.Buy, 10, []string{"99", "98", "97", "96", "95", "94", "93", "92", "92", "92", "92", "92", "92"}, "86", "90"},
		{order.Sell, -10, []string{"101", "102", "103", "104", "105", "106", "107", "108", "108", "108", "108", "108"}, "110", "115"},
	} {
		play(t, func(t *testing.T, s *shop) {
			barred := new(atomic.Bool)
			barred.Store(true)
			s.judged(barred)
			if r := s.trade(tt.side, 10, ""); r.Result != event.Written {
				t.Fatalf("%+v", r)
			}
			s.walk(tt.away...)
			if len(s.stops()) != 0 {
				t.Fatalf("stops %+v", s.stops())
			}
			barred.Store(false)
			for range 60 {
				s.walk(tt.away[len(tt.away)-1])
				time.Sleep(time.Second)
			}
			s.turn()
			list := s.stops()
			if len(list) != 1 || list[0].Qty != market.Shares(10) || list[0].StopPrice.Less(market.MustPrice(tt.from)) || market.MustPrice(tt.to).Less(*list[0].StopPrice) {
				t.Errorf("a minute later: position %v, stops %+v, want one between %s and %s; guards %+v", s.position(), list, tt.from, tt.to, s.state().Guards)
			}
		})
	}
}

// TestAnAdditionIsProtectedThoughTheStopCannotMove: its price waits for a market
// that it can wait for, and for a sane one; its quantity does not.
func TestAnAdditionIsProtectedThoughTheStopCannotMove(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		barred := new(atomic.Bool)
		s.judged(barred)
		s.trade(order.Buy, 10, "")
		s.holds(10, "95")
		s.walk("101", "103", "105", "107", "109", "110", "110", "110", "110", "110", "110", "110")
		barred.Store(true)
		if r := s.trade(order.Buy, 100, ""); r.Result != event.Written {
			t.Fatalf("%+v", r)
		}
		s.walk("107", "105", "103", "102", "101", "100", "99", "99", "99", "99", "99", "99") // below 103.6, where the stop is to be
		barred.Store(false)
		for range 20 {
			s.walk("99")
			time.Sleep(time.Second)
		}
		s.turn()
		s.holds(110, "95")
		s.walk("101", "103", "105", "107", "107", "107", "107", "107", "107", "107")
		s.turn()
		if stop := s.stops()[0].StopPrice; !market.MustPrice("103").Less(*stop) {
			t.Errorf("the stop is at %v when the market is above 103.6 again", stop)
		}
	})
	play(t, func(t *testing.T, s *shop) {
		barred := new(atomic.Bool)
		s.judged(barred)
		s.trade(order.Buy, 10, "")
		s.holds(10, "95")
		s.walk("101", "103", "105", "105", "105", "105", "105")
		barred.Store(true)
		if r := s.trade(order.Buy, 100, ""); r.Result != event.Written {
			t.Fatalf("%+v", r)
		}
		s.venue.Quote(market.MustPrice("100"), market.MustPrice("110")) // far apart
		barred.Store(false)
		time.Sleep(20 * time.Second)
		s.turn()
		s.holds(110, "95")
	})
}

// TestAStopWaitsForAQuoteThatCanBeBelieved: the one before was passed by a price
// that may be another symbol's, and no trade tells otherwise.
func TestAStopWaitsForAQuoteThatCanBeBelieved(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		barred := new(atomic.Bool)
		barred.Store(true)
		s.judged(barred)
		s.trade(order.Buy, 10, "")
		s.venue.Quote(market.MustPrice("60"), market.MustPrice("80"))
		barred.Store(false)
		time.Sleep(20 * time.Second)
		s.turn()
		if g := s.state().Guards[0]; len(s.stops()) != 0 || !strings.Contains(g.Cause, "cannot be believed") {
			t.Errorf("stops %+v, guard %+v", s.stops(), g)
		}
		s.quote("80")
		s.turn()
		s.holds(10, "75.99")
	})
}
