package desk

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// again ends the session and climbs with a new one, as after a gateway's
// restart; change is of what that one answers.
func (r *rig) again(t *testing.T, change func(*knowing)) *knowing {
	t.Helper()
	_ = r.session.Close(t.Context())
	<-r.served
	facts := r.session.facts
	r.session = newSession(r.trace)
	r.session.facts = facts
	r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") }
	k := &knowing{fakeSession: r.session}
	change(k)
	r.serveAs(k)
	r.climbAs(t, k)
	return k
}

// TestNoSecondStopBesideOneThatTheGatewayHasNotListedYet: a gateway that has
// just come back answers for open orders in full before it has got them from
// its venue. A stop that is good till cancelled is no less there for that.
func TestNoSecondStopBesideOneThatTheGatewayHasNotListedYet(t *testing.T) {
	o := described(151, "guard-AAPL-151", 0).Order
	o.Side, o.Type, o.TIF, o.State, o.Created, o.Qty, o.StopPrice, o.OCA = order.Sell, order.Stop, order.GTC, order.Working, day.Add(-24*time.Hour), market.Shares(100), market.MustPrice("177").Ptr(), o.Ref
	rep := broker.OrderReport{Order: o, Status: "PreSubmitted", Signal: order.Acked, Known: true}
	reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
		k := r.again(t, func(k *knowing) { k.held = heldAt("100") })
		time.Sleep(5 * time.Minute)
		if got := r.order(o.Ref); got.State != order.Unknown || r.out.named("order_stays_unknown") != 1 {
			t.Errorf("not listed for five minutes, it is %v (%s)", got.State, got.Note)
		}
		k.venue(func() { k.open = []broker.OrderReport{rep} }) // the gateway has got its orders
		time.Sleep(5 * time.Minute)
		if got := r.order(o.Ref); got.State.Final() || got.State == order.Unknown || len(k.placed) != 0 {
			t.Errorf("listed, it is %v (%s); placed beside it: %+v", got.State, got.Note, k.placed)
		}
	}, func(r *rig, c *Config) {
		c.Protect = ProtectOn
		r.session.held = heldAt("100")
		r.session.open = []broker.OrderReport{rep}
		r.journal.past = broker.Books{Orders: []order.Order{o}}
	})
}

// TestAMidnightEndsNoDay: what is not open a minute after it was written is not
// over because the date is another one.
func TestAMidnightEndsNoDay(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("completed", errRefused)
		r.ask(buy("a"))
		time.Sleep(5 * time.Minute)
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("a five minutes old order, completed orders not to be had: %v, %s", o.State, o.Note)
		}
	}, func(r *rig, _ *Config) { r.session.at = time.Date(2026, 4, 1, 3, 59, 50, 0, time.UTC) })
}

// TestADayOrderEndsWithItsSession: an order for the day, the venue knows it, is
// over at the end of the extended hours of the session that it was good for.
func TestADayOrderEndsWithItsSession(t *testing.T) {
	for name, tt := range map[string]struct {
		given string
		tif   order.TIF
		want  order.State
	}{
		"of this session":                       {"2026-04-02T15:00:00Z", order.Day, order.Unknown},
		"of the session before":                 {"2026-04-01T15:00:00Z", order.Day, order.Cancelled},
		"given after the close before":          {"2026-04-01T21:00:00Z", order.Day, order.Unknown},
		"of the session before, till cancelled": {"2026-04-01T15:00:00Z", order.GTC, order.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
				time.Sleep(3 * time.Minute)
				if o := r.order("a"); o.State != tt.want {
					t.Errorf("order is %v (%s)", o.State, o.Note)
				}
			}, func(r *rig, _ *Config) {
				o := described(151, "a", 0).Order
				o.Type, o.Limit, o.TIF, o.State = order.Limit, market.MustPrice("150").Ptr(), tt.tif, order.Working
				o.Created, _ = time.Parse(time.RFC3339, tt.given)
				r.journal.past = broker.Books{Orders: []order.Order{o}}
			})
		})
	}
}

// TestAbsenceTakesASettledSession: looks prove the absence of an order that was
// never acknowledged only when nothing came between the gateway and its venue
// meanwhile.
func TestAbsenceTakesASettledSession(t *testing.T) {
	cut := func(code int, kind broker.NoticeKind) func(*testing.T, *rig) {
		return func(_ *testing.T, r *rig) {
			r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100})
			r.send(broker.Notice{Kind: kind, Code: code})
		}
	}
	for name, between := range map[string]func(*testing.T, *rig){
		"1100 and 1102":   cut(1102, broker.NoticeLinkUp),
		"1100 and 1101":   cut(1101, broker.NoticeDataLost),
		"another session": func(t *testing.T, r *rig) { r.again(t, func(*knowing) {}) },
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
				r.ask(buy("a"))
				time.Sleep(70 * time.Second)
				between(t, r)
				time.Sleep(55 * time.Second)
				if o := r.order("a"); o.State != order.Unknown {
					t.Errorf("55 s after the disturbance it is %v (%s)", o.State, o.Note)
				}
				time.Sleep(80 * time.Second)
				if o := r.order("a"); o.State != order.Dropped || !strings.Contains(o.Note, "proven absent") {
					t.Errorf("after a quiet time it is %v (%s)", o.State, o.Note)
				}
			})
		})
	}
}

// TestTheSimulatorsOrderThatComesLate: behind a dialog an order is not listed
// for a moment, and lives.
func TestTheSimulatorsOrderThatComesLate(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.ask(buy("b"))
		r.send(described(152, "b", order.WorkingNow))
		k.venue(func() { k.open = []broker.OrderReport{described(152, "b", order.WorkingNow)} })
		r.send(broker.Notice{Kind: broker.NoticeNoCancel, Code: 161, OrderID: 152})
		time.Sleep(time.Second)
		if o := r.order("a"); o.State.Final() {
			t.Errorf("a second after the write it is %v (%s)", o.State, o.Note)
		}
		r.send(described(151, "a", order.WorkingNow))
		if o := r.order("a"); o.State != order.Working {
			t.Errorf("described as Submitted, it is %v (%s)", o.State, o.Note)
		}
	}, func(r *rig, _ *Config) { r.session.facts.Simulated = true })
}
