package desk

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
	"robotrader/services/event"
)

// gone is the venue's word that nothing is held any more, as after a person
// closed it elsewhere: executions of other clients do not come to this one.
func gone(r *rig) {
	r.session.venue(func() { r.session.held = nil })
	r.send(broker.PositionReport{Position: order.Position{Account: "DU1", Symbol: "AAPL"}})
}

// TestAFlattenClosesNothingThatTheBrokerToldIsGone: before the difference is
// looked into, while it is, and when the broker was never heard of it before.
func TestAFlattenClosesNothingThatTheBrokerToldIsGone(t *testing.T) {
	for name, away := range map[string]func(*rig){
		"told":    gone,
		"suspect": func(r *rig) { gone(r); later(2500 * time.Millisecond) },
		"silent":  func(r *rig) { r.session.venue(func() { r.session.held = nil }) },
	} {
		for _, qty := range []int64{10, -10} {
			in(t, func(t *testing.T, r *rig) {
				away(r)
				flatten(t, r)
				later(30 * time.Second)
				if list := r.orders(); len(list) != 0 {
					t.Errorf("%s: %s %v goes out, and the broker holds nothing", name, list[0].Intent.Side, list[0].Intent.Qty)
				}
				if m := r.modeNow(); m.Flat == nil {
					t.Errorf("%s: %+v", name, m)
				}
			}, holds(qty))
		}
	}
}

// TestAFlattenGoesByTheBooksWhenTheBrokerDoesNotAnswer: a person wants out.
func TestAFlattenGoesByTheBooksWhenTheBrokerDoesNotAnswer(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.fails("positions", broker.ErrNoAnswer)
		flatten(t, r)
		later(time.Second)
		if list := r.orders(); len(list) != 1 || list[0].Intent.Qty != market.Shares(10) {
			t.Errorf("orders %+v, %+v", list, r.modeNow().Closing)
		}
	}, holds(10))
}

// TestAnExitIsHeldAgainstWhatTheBrokerToldLast: of what is gone by the broker's
// word nothing is sold, of what is left the rest; on both sides, with the real
// gate.
func TestAnExitIsHeldAgainstWhatTheBrokerToldLast(t *testing.T) {
	for _, tt := range []struct {
		holds, told, exit int64
		passes            bool
	}{{10, 0, 10, false}, {10, -5, 5, false}, {10, 4, 10, false}, {10, 4, 4, true}, {10, 30, 10, true}, {-10, 0, 10, false}, {-10, -4, 4, true}} {
		in(t, func(t *testing.T, r *rig) {
			g, err := risk.New(risk.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			r.desk.gate = g
			told := order.Position{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(tt.told)}
			r.session.venue(func() { r.session.held = []order.Position{told} })
			r.send(broker.PositionReport{Position: told})
			exit := sell("x", tt.exit)
			if tt.holds < 0 {
				exit.Side = order.Buy
			}
			for range 4 { // told, then a suspect
				if reply := r.ask(exit); (reply.Result == event.Written) != tt.passes {
					t.Fatalf("%+v: %+v", tt, reply)
				}
				later(600 * time.Millisecond)
				exit.ID += "x"
				if tt.passes {
					break
				}
			}
		}, holds(tt.holds))
	}
}
