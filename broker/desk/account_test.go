package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestAGatewayThatComesBackAsAnotherAccountIsRefused: what the books hold is the
// first account's, and no stop for it goes out in the other. The first account
// is served again when it comes back.
func TestAGatewayThatComesBackAsAnotherAccountIsRefused(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		_ = r.session.Close(t.Context())
		<-r.served
		other := newSession(r.trace)
		other.facts.Account, other.facts.Accounts = "DU2", []string{"DU2"}
		other.values = []broker.AccountValue{{Account: "DU2", Key: "NetLiquidation", Value: "7", Currency: "USD"}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := r.desk.Serve(ctx, &knowing{fakeSession: other})
		var told *broker.Error
		if !errors.Is(err, broker.ErrRefused) || !errors.As(err, &told) || told.Failure != broker.Forbidden {
			t.Fatalf("a session of another account: %v", err)
		}
		for _, name := range []string{"DU1", "DU2"} {
			if !strings.Contains(err.Error(), name) || !strings.Contains(told.Advice, name) {
				t.Errorf("%s is not named: %v; %s", name, err, told.Advice)
			}
		}
		if s := r.desk.State(t.Context()); s.Account != "DU1" || r.position() != market.Shares(100) || len(other.placed) != 0 {
			t.Errorf("account %s holds %v, and %d orders went to the other one", s.Account, r.position(), len(other.placed))
		}
		r.session = newSession(r.trace)
		r.session.held = heldAt("100")
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") }
		back := &knowing{fakeSession: r.session}
		r.serveAs(back)
		r.climbAs(t, back)
		synctest.Wait()
		if reply := r.ask(buy("a")); reply.Rule != "" {
			t.Errorf("with the first account back: %+v", reply)
		}
	}, func(r *rig, _ *Config) { r.session.held = heldAt("100") })
}

// TestAnotherListingIsNeverTakenForTheTradedContract: the account holds 10 AAPL
// and 500 of a share with the same ticker in Mexico, told before anybody knows
// which of them AAPL is. Stop, exits and flatten are for the 10.
func TestAnotherListingIsNeverTakenForTheTradedContract(t *testing.T) {
	const here, there = 265598, 38708077
	held := func(id int64, qty int64) order.Position {
		return order.Position{Account: "DU1", Symbol: "AAPL", ConID: id, Qty: market.Shares(qty), AvgCost: market.MustPrice("187").Ptr()}
	}
	for name, list := range map[string][]order.Position{
		"ours first":  {held(here, 10), held(there, 500)},
		"ours second": {held(there, 500), held(here, 10)},
		"theirs only": {held(there, 500)},
	} {
		ours := market.Shares(int64(len(list)-1) * 10)
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				time.Sleep(2 * time.Second)
				holds := func(other int64) {
					t.Helper()
					got := map[market.Symbol]market.Qty{}
					for _, p := range r.desk.State(t.Context()).Positions {
						got[p.Symbol] = p.Qty
					}
					if got["AAPL"] != ours || got["AAPL#38708077"] != market.Shares(other) {
						t.Errorf("positions %v", got)
					}
				}
				holds(500)
				for _, o := range k.placed {
					if o.Intent.Qty != ours || o.Contract.ConID != here {
						t.Errorf("%s %v of contract %d", o.Intent.Side, o.Intent.Qty, o.Contract.ConID)
					}
				}
				if want := ours.Sign(); len(k.placed) != want || r.out.named("position_not_traded") != 1 {
					t.Errorf("%d stops, %d notices", len(k.placed), r.out.named("position_not_traded"))
				}
				// An execution, an order by hand and a position update of the other one.
				x, o := executed(5, "", "m1.01", "20"), described(6, "", order.WorkingNow)
				x.Fill.ClientID, x.Fill.ConID, o.Order.ClientID, o.Order.ConID, o.Order.Side = 0, there, 0, there, order.Sell
				r.send(x, o, broker.PositionReport{Position: held(there, 530)})
				k.venue(func() {
					for i := range k.held {
						if k.held[i].ConID == there {
							k.held[i].Qty = market.Shares(540)
						}
					}
				})
				holds(530)
				time.Sleep(40 * time.Second)
				holds(540)
				if r.mode() != broker.Active {
					t.Errorf("the mode is %s: %+v", r.mode(), r.out.findings)
				}
				for _, o := range r.desk.State(t.Context()).Orders {
					if o.OrderID == 6 && o.Symbol != "AAPL#38708077" {
						t.Errorf("the order by hand counts as one of %s", o.Symbol)
					}
				}
				in := sellOrder("exit", "10")
				in.Symbol = "AAPL#38708077"
				if reply := r.ask(in); reply.Result == event.Written {
					t.Errorf("an order for the other listing: %+v", reply)
				}
			}, func(r *rig, c *Config) { c.Protect, r.session.held = ProtectOn, list })
		})
	}
}

// TestARecoveryNeedsNoDisk: with a disk that is full the link becomes ready all
// the same, so that an order that works can be cancelled; numbers go on from
// memory, and a process that never had the journal's mark places nothing before
// it has it.
func TestARecoveryNeedsNoDisk(t *testing.T) {
	full := func(r *rig, err error) {
		r.journal.mu.Lock()
		defer r.journal.mu.Unlock()
		r.journal.fail = err
	}
	again := func(t *testing.T, r *rig) {
		_ = r.session.Close(t.Context())
		<-r.served
		r.session = newSession(r.trace)
		r.session.open = []broker.OrderReport{described(151, "a", order.WorkingNow)}
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") }
		k := &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
	}
	t.Run("later", func(t *testing.T) {
		reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
			r.ask(buy("a"))
			r.send(described(151, "a", order.WorkingNow))
			full(r, errors.New("disk full"))
			again(t, r)
			if reply := r.ask(cancelOf("c", "a")); reply.Result != event.Written || len(r.session.cancelled) != 1 {
				t.Errorf("a cancel: %+v", reply)
			}
			full(r, nil)
			r.send(status(151, order.CancelDone))
			if reply := r.ask(buy("b")); reply.OrderID != 152 {
				t.Errorf("the next order: %+v", reply)
			}
		})
	})
	t.Run("from the start", func(t *testing.T) {
		reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
			full(r, nil)
			if reply := r.ask(buy("a")); reply.Rule != "journal" {
				t.Errorf("without the mark: %+v", reply)
			}
			r.journal.back <- struct{}{}
			time.Sleep(time.Second)
			if reply := r.ask(buy("b")); reply.OrderID != 151 {
				t.Errorf("with the mark: %+v", reply)
			}
		}, func(r *rig, _ *Config) {
			r.journal.fail, r.journal.back = errors.New("disk full"), make(chan struct{}, 1)
		})
	})
}
