package blotter

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Whatever happens, a snapshot with the changes after it is the state, and a
// blotter restored from it, through JSON, answers the same.
func TestStateAndChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		ears := []*ear{r.join(0, 200), r.join(1, 200)}
		kept, keptX := r.b.State(), r.v.X.State()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			step(rt, r, ears)
			keep(t, r, &kept, &keptX)
		}
		var s State
		var sx exchange.State
		roundTrip(t, kept, &s)
		roundTrip(t, keptX, &sx)
		if diff := cmp.Diff(asJSON(t, r.b.State()), asJSON(t, s)); diff != "" {
			rt.Fatalf("snapshot and changes are not the state: %s", diff)
		}
		again := newRig(t, nil)
		again.v.At = r.v.At
		if err := again.v.X.Restore(sx); err != nil {
			rt.Fatal(err)
		}
		if err := again.b.Restore(s); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(answers(r), answers(again)); diff != "" {
			rt.Fatalf("restored, it answers something else: %s", diff)
		}
	})
}

// step does something to the orders.
func step(rt *rapid.T, r *rig, ears []*ear) {
	e := ears[rapid.IntRange(0, 1).Draw(rt, "client")]
	next := r.b.NextID(e.ClientID())
	side := rapid.SampledFrom([]string{"BUY", "SELL"}).Draw(rt, "side")
	at := fmt.Sprintf("%d", rapid.IntRange(185, 190).Draw(rt, "price"))
	switch rapid.IntRange(0, 8).Draw(rt, "what") {
	case 0:
		e.send(asks(next, side, "MKT"))
	case 1, 2:
		e.send(asks(next, side, "LMT", limit(at), tif("GTC")))
	case 3:
		e.send(asks(next, side, "TRAIL", aux("1")))
	case 4:
		e.send(asks(next, side, "LMT", limit(at), hold))
		e.send(asks(next+1, side, "STP", aux(at), parent(next)))
	case 5:
		e.send(asks(rapid.Int64Range(1, next).Draw(rt, "id"), side, "LMT", limit(at)))
	case 6:
		e.send(wire.CancelOrder{OrderID: rapid.Int64Range(1, next).Draw(rt, "id")})
	case 7:
		if _, err := r.b.PlaceManual(asks(1, side, "LMT", limit(at))); err != nil {
			rt.Fatal(err)
		}
		ears[0].send(wire.ReqAutoOpenOrders{AutoBind: rapid.Bool().Draw(rt, "bind")})
	case 8:
		r.quote(at, at)
		r.print(at, 100)
		r.pass(time.Duration(rapid.IntRange(0, 10).Draw(rt, "hours")) * time.Hour)
	}
}

// keep writes down what changed, as a log would.
func keep(t *testing.T, r *rig, s *State, sx *exchange.State) {
	t.Helper()
	if c, ok := r.b.Changes(); ok {
		var line Change
		roundTrip(t, c, &line)
		if err := s.Apply(line); err != nil {
			t.Fatal(err)
		}
	}
	if c, ok := r.v.X.Changes(); ok {
		var line exchange.Change
		roundTrip(t, c, &line)
		if err := sx.Apply(line); err != nil {
			t.Fatal(err)
		}
	}
}

func roundTrip(t *testing.T, v, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(asJSON(t, v)), into); err != nil {
		t.Fatal(err)
	}
}

// answers is what a client hears when it asks for all there is.
func answers(r *rig) []string {
	e := r.join(0, 200)
	e.send(wire.ReqIDs{})
	e.send(wire.ReqOpenOrders{})
	e.send(wire.ReqAllOpenOrders{})
	e.send(wire.ReqCompletedOrders{})
	e.send(wire.ReqExecutions{ReqID: 4, LastNDays: ptr(7)})
	var all []string
	for _, m := range e.heard() {
		all = append(all, asJSON(r.t, m))
	}
	return all
}

func TestRestoreRefusesDamage(t *testing.T) {
	made := func() (State, exchange.State) {
		r := newRig(t, nil)
		r.quote("187.24", "187.26")
		e := r.join(1, 200)
		e.send(asks(1, "BUY", "LMT", limit("180")))
		e.send(asks(2, "BUY", "MKT"))
		return r.b.State(), r.v.X.State()
	}
	for name, damage := range map[string]func(*State){
		"version":           func(s *State) { s.Version = 9 },
		"client id":         func(s *State) { s.Clients[0].ID = -1 },
		"highest":           func(s *State) { s.Clients[0].Highest = 1 << 40 },
		"an order missing":  func(s *State) { s.Orders = s.Orders[1:] },
		"an order twice":    func(s *State) { s.Orders = append(s.Orders, s.Orders[1]) },
		"an open one more":  func(s *State) { s.Orders[1].Order.State = s.Orders[0].Order.State },
		"an ended one open": func(s *State) { s.Orders[0].Order.State = s.Orders[1].Order.State },
		"an unknown symbol": func(s *State) { s.Orders[1].Order.Symbol = "ZZZZ" },
		"what was asked":    func(s *State) { s.Orders[1].Ask = []byte("3\x001\x00") },
	} {
		t.Run(name, func(t *testing.T) {
			s, sx := made()
			damage(&s)
			r := newRig(t, nil)
			if err := r.v.X.Restore(sx); err != nil {
				t.Fatal(err)
			}
			if err := r.b.Restore(s); !errors.Is(err, ErrBadState) {
				t.Errorf("restored with %v", err)
			} else {
				t.Log(err)
			}
		})
	}
	s, _ := made()
	if err := s.Apply(Change{Version: StateVersion, Seq: s.Seq + 2}); !errors.Is(err, ErrBadState) {
		t.Errorf("a change that does not follow: %v", err)
	}
}

// A text that the wire of clients cannot carry does not lose the order.
func TestStateOfAnOddReference(t *testing.T) {
	r := newRig(t, nil)
	e := r.join(1, 200)
	m := asks(1, "BUY", "LMT", limit("180"))
	m.OrderRef = "caf\u00e9"
	r.b.Handle(e, m)
	s, sx := r.b.State(), r.v.X.State()
	again := newRig(t, nil)
	if err := again.v.X.Restore(sx); err != nil {
		t.Fatal(err)
	}
	if err := again.b.Restore(s); err != nil {
		t.Fatal(err)
	}
	if p := again.b.placed[orderKey{1, 1}]; p == nil || *p.ask.LmtPrice != market.MustPrice("180") {
		t.Errorf("restored %+v", p)
	}
}
