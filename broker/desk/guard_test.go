package desk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestStopFollowsPartialFills: an entry of 2,500 against 1,000 shown fills in
// three parts, and each is covered before the next.
func TestStopFollowsPartialFills(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2500, "100.01")
		first := s.holds(1000, "95")
		s.quote("100")
		s.turn()
		s.holds(2000, "95")
		s.quote("100")
		s.turn()
		if last := s.holds(2500, "95"); last.Ref != first.Ref || last.OrderID != first.OrderID {
			t.Errorf("the stop was %s and is %s: it is changed, not placed again", first.Ref, last.Ref)
		}
		if d := s.state(); len(d.Orders) != 2 || d.Orders[1].Strategy != "desk" || d.Orders[1].Qty != market.Shares(2500) {
			t.Errorf("orders %+v", d.Orders)
		}
		if n := s.out.named("position_naked"); n != 0 {
			t.Errorf("%d notices about a position that was covered at once", n)
		}
	})
}

func TestStopTriggersAndNothingIsTurnedOver(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 500, "")
		s.holds(500, "95")
		s.quote("94.5")
		s.venue.Trade(market.MustPrice("94.5"), market.Shares(100))
		s.turn()
		s.quote("94")
		s.turn()
		s.holds(0, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		s.holds(0, "")
	})
}

func TestShortPositionIsProtectedAbove(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Sell, 300, "")
		s.holds(-300, "104.99") // 99.99 and 5 %, up to the grid
		s.trade(order.Buy, 300, "")
		s.holds(0, "")
	})
}

// TestStopPriceMovesOnlyForThePosition: what is added above the average raises
// the stop of a long position, what is added below does not lower it.
func TestStopPriceMovesOnlyForThePosition(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		s.holds(100, "95")
		s.quote("110")
		s.trade(order.Buy, 100, "")
		s.holds(200, "99.75") // of 105.005
		s.quote("101")
		s.trade(order.Buy, 100, "")
		s.holds(300, "99.75")
	})
}

// TestExitIsOfTheStopsGroup: a whole exit takes the stop away, one for a part
// leaves the rest with a stop anew.
func TestExitIsOfTheStopsGroup(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		stop := s.holds(900, "95")
		if reply := s.trade(order.Sell, 400, ""); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		if in := s.journal.intents["t-2"].Intent; in.OCA != stop.OCA {
			t.Errorf("the exit's group in the journal is %q, want %q", in.OCA, stop.OCA)
		}
		next := s.holds(500, "95") // the price is kept as long as the position lasts
		if next.Ref == stop.Ref {
			t.Errorf("the stop is %s still, of a group that filled", next.Ref)
		}
		s.trade(order.Sell, 500, "")
		s.holds(0, "")
	})
}

// TestRestingExitAndStopShareThePosition: a resting exit leaves the stop as it
// is; after a cancel of it everything is as before.
func TestRestingExitAndStopShareThePosition(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		s.trade(order.Sell, 900, "120")
		s.holds(900, "95")
		s.quote("94")
		s.venue.Trade(market.MustPrice("94"), market.Shares(100))
		s.turn()
		s.holds(0, "") // the stop filled, and the exit went with it
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the exit is %v", o.State)
		}
	})
}

// TestFlattenKeepsTheStopUntilFlat: a flatten takes the resting exit away and
// closes in the stop's group, so that the position is never without it.
func TestFlattenKeepsTheStopUntilFlat(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 900, "")
		s.trade(order.Sell, 400, "120")
		stop := s.holds(900, "95")
		if _, err := s.desk.Flatten(context.Background(), "a test", ""); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s.turn()
		}
		s.holds(0, "")
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the exit is %v", o.State)
		}
		var closed []order.Order
		for _, o := range s.state().Orders {
			if strings.HasPrefix(o.Ref, books.FlattenPrefix) {
				closed = append(closed, o)
			}
		}
		if len(closed) != 1 || closed[0].OCA != stop.OCA || closed[0].Filled != market.Shares(900) {
			t.Errorf("closed by %+v, want one order in group %s", closed, stop.OCA)
		}
		if m := s.state().Mode; m.Flatten || m.Flat == nil || m.Mode != broker.Halted {
			t.Errorf("mode %+v, want halted and flat", m)
		}
		if n := s.out.named("position_naked"); n != 0 {
			t.Errorf("%d notices of a position without a stop", n)
		}
	})
}

// TestHaltedModeStillProtects: the guard may act in every mode.
func TestHaltedModeStillProtects(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 2000, "100.01")
		s.holds(1000, "95")
		if _, err := s.desk.SetMode(context.Background(), broker.Halted, "test"); err != nil {
			t.Fatal(err)
		}
		s.quote("100")
		s.turn()
		s.holds(2000, "95")
		if reply := s.request(order.Sell, 10, ""); reply.Rule != "halted" {
			t.Errorf("%+v", reply)
		}
	})
}

// TestGuardsWordsAreItsOwn: nobody on the bus takes its ids, changes or cancels
// its stops or joins its groups by name; without protection nobody looks after a
// stop of an earlier life, so anybody may cancel it.
func TestGuardsWordsAreItsOwn(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 100, "")
		stop := s.holds(100, "95")
		in := buy("guard-AAPL-9")
		group := buy("x")
		group.OCA = stop.OCA
		change := buy("y")
		change.Action, change.Target = order.Modify, stop.Ref
		for _, in := range []order.Intent{in, group, change, cancelOf("z", stop.Ref)} {
			if reply := s.desk.request(context.Background(), in); reply.Result != event.Refused || reply.Rule != "reserved" {
				t.Errorf("%+v: %+v", in, reply)
			}
		}
		s.holds(100, "95")
		s.desk.cfg.Protect = ProtectOff
		if reply := s.desk.request(context.Background(), cancelOf("zz", stop.Ref)); reply.Result != event.Written {
			t.Errorf("without protection: %+v", reply)
		}
	})
}

// TestPositionMadeElsewhere: it is protected as well, and one that lost more
// than the stop allows is not sold because the trader starts.
func TestPositionMadeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, c *Config) {
			c.Protect = ProtectOn
			r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(70), AvgCost: market.MustPrice("250").Ptr()}}
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(written(r.session)); n != 1 {
			t.Fatalf("%d orders", n)
		}
		if in := written(r.session)[0].Intent; in.Qty != market.Shares(70) || *in.Stop != market.MustPrice("177.88") { // of 187.25, the market
			t.Errorf("stop %+v", in)
		}
		r.stop(t)
	})
}

// TestPositionOfASymbolThatIsNotWanted: it is shown as naked, and nothing is
// written for a contract that nobody described.
func TestPositionOfASymbolThatIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, c *Config) {
			c.Protect = ProtectOn
			r.session.held = []order.Position{{Account: "DU1", Symbol: "MSFT", ConID: 272093, Qty: market.Shares(7), AvgCost: market.MustPrice("250").Ptr()}}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		g := r.desk.State(context.Background()).Guards
		if len(g) != 1 || g[0].Covered || !strings.Contains(g[0].Cause, "start it with that symbol") || r.out.named("position_naked") != 1 {
			t.Errorf("guards %+v, told %d times", g, r.out.named("position_naked"))
		}
		if len(written(r.session))+len(r.journal.intents) != 0 {
			t.Errorf("%d orders, %d intents", len(written(r.session)), len(r.journal.intents))
		}
		r.stop(t)
	})
}

// TestStopStaysWhenTheTraderStops: also where an orderly stop cancels what
// works, because nobody watches afterwards.
func TestStopStaysWhenTheTraderStops(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.desk.cfg.OnStop = CancelWorking
		s.trade(order.Buy, 100, "")
		s.trade(order.Buy, 50, "90")
		if err := s.desk.WindDown(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.turn()
		s.holds(100, "95")
		if o := s.orderOf("t-2"); o.State != order.Cancelled {
			t.Errorf("the entry is %v", o.State)
		}
	})
}

// TestOrderBesideTheGuard: what others sell leaves that much less for a stop,
// and a stop of theirs is cover.
func TestOrderBesideTheGuard(t *testing.T) {
	for _, tt := range []struct {
		kind    order.Type
		qty     int64
		stops   int
		covered bool
	}{{order.Limit, 70, 0, false}, {order.Limit, 40, 1, false}, {order.Stop, 70, 0, true}} {
		synctest.Test(t, func(t *testing.T) {
			r := ready(t, func(r *rig, c *Config) {
				c.Protect = ProtectOn
				r.session.held = []order.Position{{Account: "DU1", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(70), AvgCost: market.MustPrice("180").Ptr()}}
				o := described(7, "", order.WorkingNow)
				o.Order.ClientID, o.Order.Side, o.Order.Type, o.Order.Qty = 0, order.Sell, tt.kind, market.Shares(tt.qty)
				r.session.open = []broker.OrderReport{o}
			})
			time.Sleep(3 * time.Second)
			synctest.Wait()
			g := r.desk.State(context.Background()).Guards[0]
			if len(written(r.session)) != tt.stops || g.Covered != tt.covered || g.Covered == (g.Cause != "") {
				t.Errorf("%+v: %d stops, %+v", tt, len(written(r.session)), g)
			}
			if tt.stops == 1 && written(r.session)[0].Intent.Qty != market.Shares(70-tt.qty) {
				t.Errorf("stop %+v", written(r.session)[0].Intent)
			}
			r.stop(t)
		})
	}
}

// TestNoOrderTurnsOverAProtectedPosition: what it fills in part is taken off the
// stop by its share, which leaves a stop that is larger than the position. Also
// not by a change.
func TestNoOrderTurnsOverAProtectedPosition(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.trade(order.Buy, 13, "")
		s.holds(13, "95")
		if r := s.request(order.Sell, 24, "104"); r.Rule != "turns_over" || !strings.Contains(r.Reason, "ask for 13 to close it") {
			t.Errorf("24 against 13: %+v", r)
		}
		if r := s.trade(order.Sell, 13, "104"); r.Result != event.Written {
			t.Fatalf("13 against 13: %+v", r)
		}
		raise := changeOf("m", "t-3", "14", "104")
		raise.Side = order.Sell
		if r := s.desk.request(context.Background(), raise); r.Rule != "turns_over" {
			t.Errorf("raised to 14: %+v", r)
		}
		s.desk.request(context.Background(), cancelOf("c", "t-3"))
		s.turn()
		s.desk.cfg.Protect = ProtectOff // nothing rests beside it then
		if r := s.request(order.Sell, 24, "104"); r.Result != event.Written {
			t.Errorf("without protection: %+v", r)
		}
	})
}

// TestAnEntryWaitsForAStopThatProtectsNothing: the position was closed elsewhere,
// and its stop may execute beside the entry until the broker says that it ended.
func TestAnEntryWaitsForAStopThatProtectsNothing(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
		time.Sleep(time.Second)
		placed := r.orders()
		if len(placed) != 1 {
			t.Fatalf("placed %+v", placed)
		}
		stop := described(placed[0].OrderID, placed[0].Intent.ID, order.Acked)
		stop.Order.Side, stop.Order.Type, stop.Order.TIF, stop.Order.OCA = order.Sell, order.Stop, order.GTC, placed[0].Intent.OCA
		stop.Order.Qty, stop.Order.StopPrice = placed[0].Intent.Qty, placed[0].Intent.Stop
		r.send(stop)
		x := executed(9000, "byhand", "h.01", "100")
		x.Fill.Side = order.Sell
		r.send(x)
		if reply := r.ask(buy("early")); reply.Rule != "stop_ends" || !strings.Contains(reply.Reason, stop.Order.Ref) {
			t.Errorf("beside the stop: %+v", reply)
		}
		time.Sleep(time.Second) // the guard has it cancelled
		r.send(status(stop.Order.OrderID, order.CancelDone))
		if reply := r.ask(buy("late")); reply.Result != event.Written {
			t.Errorf("when the stop has ended: %+v", reply)
		}
	}, func(r *rig, c *Config) { c.Protect = ProtectOn; r.session.held = heldAt("100") })
}
