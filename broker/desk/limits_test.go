package desk

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// measuring is a gate that passes all and tells of each sight how many symbols
// and orders it saw.
type measuring struct {
	gateFunc
	mu   sync.Mutex
	seen broker.Sight // the newest
}

func (m *measuring) Use(s broker.Sight) []broker.LimitUse {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = s
	used := market.MustMoney(strconv.Itoa(len(s.Sent))).Ptr()
	return []broker.LimitUse{{Limit: "orders_per_minute", Used: used}, {Limit: "max_position_notional", Used: s.Symbols[0].Exposure.Price.Mul(s.Symbols[0].Exposure.Worst()).Ptr()}}
}

func (m *measuring) last() broker.Sight {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}

// TestLimitsAreToldAsTheyAre: without any order in between, what is held is
// measured at the newest price and the minute passes; nothing is told while
// nothing changes, and who asks is told the same.
func TestLimitsAreToldAsTheyAre(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		g := &measuring{gateFunc: func(broker.View, order.Intent) order.Decision { return order.Decision{Allowed: true} }}
		s.desk.turn <- struct{}{}
		s.desk.gate = g
		s.desk.give()
		told := func() (n int, sent, held string) {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			s.out.mu.Lock()
			defer s.out.mu.Unlock()
			last := s.out.uses[len(s.out.uses)-1].Limits
			return len(s.out.uses), last[0].Used.String(), last[1].Used.String()
		}
		s.trade(order.Buy, 100, "100.01")
		_, sent, held := told()
		if sent != "1" || held != "9999" { // at the newest price; its stop takes nothing more
			t.Errorf("%s sent, %s held", sent, held)
		}
		if x := g.last(); !x.Known || x.Now.IsZero() || len(x.Symbols) != 1 || x.Symbols[0].Exposure.Held != market.Shares(100) || x.Symbols[0].Exposure.Sells != market.Shares(100) || x.Symbols[0].Symbol != s.venue.Symbol() {
			t.Errorf("saw %+v", x)
		}
		s.quote("110")
		if _, _, held = told(); held != "10999" {
			t.Errorf("%s held at 109.99", held)
		}
		time.Sleep(time.Minute)
		before, sent, _ := told()
		if sent != "0" {
			t.Errorf("%s sent after a minute", sent)
		}
		time.Sleep(time.Minute)
		if n, _, _ := told(); n != before {
			t.Errorf("told %d times more while nothing changed", n-before)
		}
		if l := s.state().Limits.Limits; len(l) != 2 || l[1].Used.String() != "10999" {
			t.Errorf("who asks is told %+v", l)
		}
	})
}

// TestWhoLooksOnBeginsNoDay: the page and the alerts look at the limits each second,
// also at midnight. The day's first equity is the first that is told in it, as it
// is after a restart.
func TestWhoLooksOnBeginsNoDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t)
		defer r.stop(t)
		told := func(equity string) {
			r.send(broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: equity, Currency: "USD"})
		}
		at := r.desk.floor.Now(time.Now()).In(r.desk.zone)
		told("1000000")
		r.desk.floor.Set(time.Date(at.Year(), at.Month(), at.Day(), 23, 59, 58, 0, r.desk.zone), 1, true, time.Now())
		time.Sleep(5 * time.Second)
		l := r.desk.State(context.Background()).Limits.Limits
		told("900000") // overnight
		r.desk.turn <- struct{}{}
		defer r.desk.give()
		if s := r.desk.score.Standing(); *s.DayStart != market.MustMoney("900000") || len(l) == 0 {
			t.Errorf("the day began with %v, %q; %d limits were told", s.DayStart, s.Note, len(l))
		}
	})
}
