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

// TestAFillBeforeTheChangeIsShownLeavesTheOrderWorking: callbacks come in any
// order. What fills the order as it was leaves open what the change added, and a
// halt has to reach that.
func TestAFillBeforeTheChangeIsShownLeavesTheOrderWorking(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		r.ask(changeOf("m1", "a", "20", "181"))
		r.send(executed(151, "a", "x.01", "10"))
		if o := r.order("a"); o.State != order.Partial || o.Change == nil || o.Change.Qty != market.Shares(20) {
			t.Errorf("before the change is shown: %+v", o)
		}
		r.send(restingReport("20", "181"))
		r.terms(t, "20", "181", order.Partial)
		halt(t, r)
		if got := r.sent(); len(got) != 1 {
			t.Errorf("a halt cancels %v", got)
		}
	})
}

// TestARefusedChangeOfAFullOrderEndsIt: what was executed decides once no other
// version can come into force.
func TestARefusedChangeOfAFullOrderEndsIt(t *testing.T) {
	for name, end := range map[string]broker.Event{
		"refused":              broker.Notice{Kind: broker.NoticeWarning, Code: 104, OrderID: 151, Text: "filled"},
		"described as filled":  func() broker.Event { d := restingReport("10", "180"); d.Signal = order.FilledUp; return d }(),
		"called filled, of 10": func() broker.Event { s := status(151, order.FilledUp); s.Filled = market.Shares(10); return s }(),
	} {
		modifying(t, func(t *testing.T, r *rig) {
			r.ask(changeOf("m1", "a", "20", "181"))
			r.send(executed(151, "a", "x.01", "10"))
			r.send(end)
			if o := r.order("a"); o.State != order.Filled || o.Change != nil {
				t.Errorf("%s: %+v", name, o)
			}
		})
	}
}

// TestAFillBeforeACutIsShownFillsTheOrder is the reverse: 8 of 10 are all of it
// once the broker shows that 8 was the quantity.
func TestAFillBeforeACutIsShownFillsTheOrder(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		r.ask(changeOf("m1", "a", "8", "181"))
		r.send(executed(151, "a", "x.01", "8"))
		if o := r.order("a"); o.State != order.Partial {
			t.Errorf("10 may be the quantity still: %+v", o)
		}
		d := restingReport("8", "181")
		d.Signal = order.FilledUp
		r.send(d)
		r.terms(t, "8", "181", order.Filled)
	})
}

// TestARestartBetweenARaiseAndItsDescription: the order that filled as it was
// known is open for what the broker shows.
func TestARestartBetweenARaiseAndItsDescription(t *testing.T) {
	for name, noted := range map[string]*order.Change{
		"the change was noted": {ID: "m1", Qty: market.Shares(20)}, "it was not": nil,
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				time.Sleep(time.Minute)
				if o := r.order("a"); o.State != order.Partial || o.Qty != market.Shares(20) || o.Change != nil || len(r.found()) != 0 {
					t.Errorf("listed as Submitted, 10 of 20: %+v, findings %+v", o, r.found())
				}
			}, func(r *rig, _ *Config) {
				o := described(151, "a", 0).Order
				o.State, o.Change = order.Working, noted
				f := executed(151, "a", "x.01", "10")
				r.journal.past = broker.Books{Orders: []order.Order{o}, Fills: []order.Fill{f.Fill}}
				rep := described(151, "a", order.WorkingNow)
				rep.Order.Qty = market.Shares(20)
				r.session.open, r.session.fills, r.session.held = []broker.OrderReport{rep}, []broker.ExecutionReport{f}, heldAt("10")
			})
		})
	}
}

// TestAStopThatFiresWhileItIsEnlargedHasNoSecond: the guard places no other stop
// beside one that sells on.
func TestAStopThatFiresWhileItIsEnlargedHasNoSecond(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, _ *knowing) {
		time.Sleep(time.Second)
		placed := r.orders()
		if len(placed) != 1 {
			t.Fatalf("placed %+v", placed)
		}
		stop := placed[0]
		shown := func(in order.Intent, sig order.Signal) broker.OrderReport {
			d := described(stop.OrderID, stop.Intent.ID, sig)
			d.Order.Side, d.Order.Type, d.Order.TIF, d.Order.Qty = order.Sell, order.Stop, order.GTC, in.Qty
			d.Order.StopPrice, d.Order.OCA = in.Stop, stop.Intent.ID
			return d
		}
		r.send(shown(stop.Intent, order.Acked))
		r.send(executed(9000, "byhand", "h.01", "100")) // the position grows to 200
		time.Sleep(5 * time.Second)
		placed = r.orders()
		if len(placed) != 2 || placed[1].Intent.Action != order.Modify {
			t.Fatalf("placed %+v", placed)
		}
		x := executed(stop.OrderID, stop.Intent.ID, "s.01", "100")
		x.Fill.Side = order.Sell
		r.send(x)
		r.send(shown(placed[1].Intent, order.WorkingNow))
		time.Sleep(3 * time.Second)
		if placed = r.orders(); len(placed) > 2 {
			t.Errorf("the stop sells the last 100, and another order is beside it: %+v", placed[2:])
		}
	}, func(r *rig, c *Config) { c.Protect = ProtectOn; r.session.held = heldAt("100") })
}

// TestAnOldAnswerDoesNotUndoAChange: open orders are asked first. What is written
// and shown while the other answers come is newer.
func TestAnOldAnswerDoesNotUndoAChange(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		resting(t, r)
		k.venue(func() { k.open = []broker.OrderReport{restingReport("10", "180")} })
		done := false
		k.asking(func(what string) {
			if what != "positions" || done {
				return
			}
			done = true
			if reply := r.ask(changeOf("m1", "a", "20", "181")); reply.Result != event.Written {
				t.Errorf("%+v", reply)
			}
			k.venue(func() { k.open = []broker.OrderReport{restingReport("20", "181")} })
			r.session.batches <- broker.Batch{Events: []broker.Event{restingReport("20", "181")}}
			time.Sleep(time.Millisecond) // it is folded
		})
		time.Sleep(31 * time.Second)
		r.terms(t, "20", "181", order.Working)
		r.send(executed(151, "a", "x.01", "10"))
		r.terms(t, "20", "181", order.Partial)
	})
}

// TestAnAnswerFromBeforeAChangeSaysNothingOfIt: neither that it was lost, nor
// that it is there.
func TestAnAnswerFromBeforeAChangeSaysNothingOfIt(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		resting(t, r)
		k.venue(func() { k.open = []broker.OrderReport{restingReport("10", "180")} })
		done := false
		k.asking(func(what string) {
			if what != "positions" || done {
				return
			}
			done = true
			r.session.mu.Lock()
			r.session.placing = func(broker.Ticket) error { return broker.ErrOutcomeUnknown }
			r.session.mu.Unlock()
			r.ask(changeOf("m1", "a", "20", "181"))
		})
		time.Sleep(30*time.Second + time.Millisecond)
		if o := r.order("a"); o.Change == nil {
			t.Errorf("%+v", o)
		}
		time.Sleep(31 * time.Second) // asked again, it is listed as it was
		if o := r.order("a"); o.Change != nil || o.State != order.Working || r.out.named("change_lost") != 1 {
			t.Errorf("%+v", o)
		}
	})
}

// TestAChangeInFlightCountsAsTheWorstOfBoth: for the gate, in what may be reduced,
// and for a halt.
func TestAChangeInFlightCountsAsTheWorstOfBoth(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		for _, change := range []order.Intent{changeOf("m1", "a", "1000", "179"), changeOf("m2", "a", "5", "190")} {
			if reply := r.ask(change); reply.Result != event.Written {
				t.Fatalf("%+v", reply)
			}
			worst := order.Order{Qty: market.Shares(1000), Limit: market.MustPrice("180").Ptr()}
			if change.ID == "m2" {
				worst = order.Order{Qty: market.Shares(1000), Limit: market.MustPrice("190").Ptr()}
			}
			r.ask(buy("b" + change.ID))
			v := r.views[len(r.views)-1]
			if o := v.Open[0]; o.Ref != "a" || o.Qty != worst.Qty || *o.Limit != *worst.Limit {
				t.Errorf("the gate decides the next entry on %v at %v", o.Qty, o.Limit)
			}
			r.send(restingReport("1000", "179"))
			r.terms(t, "1000", "179", order.Working)
		}
	})
	in(t, func(t *testing.T, r *rig) { // 10 are held, 4 are being sold, and may be 9
		exit := sell("a", 4)
		exit.Type, exit.Limit = order.Limit, market.MustPrice("190").Ptr()
		r.ask(exit)
		d := restingReport("4", "190")
		d.Order.Side = order.Sell
		r.send(d)
		change := changeOf("m1", "a", "9", "190")
		change.Side = order.Sell
		if reply := r.ask(change); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		r.ask(sell("b", 5))
		halt(t, r)
		if got := r.sent(); len(got) != 1 || got[0] != 152 {
			t.Errorf("a halt cancels %v: 9 and 5 would turn 10 over", got)
		}
	}, holds(10))
}

// TestALimitIsNotPassedByAChangeAndAnEntry: with the gate that trades.
func TestALimitIsNotPassedByAChangeAndAnEntry(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		g, err := risk.New(risk.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		r.desk.gate = g
		value := broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: "1000000", Currency: "USD"}
		r.send(value)
		if reply := r.ask(changeOf("m1", "a", "260", "181")); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		b := buy("b")
		b.Strategy, b.Qty = "other", market.Shares(250)
		if reply := r.ask(b); reply.Rule != risk.RulePositionNotional {
			t.Errorf("260 and 250 shares at 187 may be held, more than max_position_notional: %+v", reply)
		}
	})
}

// TestARaiseIsCountedIntoTheDay: what a change adds, and that it went out.
func TestARaiseIsCountedIntoTheDay(t *testing.T) {
	modifying(t, func(t *testing.T, r *rig) {
		n, before := r.rates()
		if reply := r.ask(changeOf("m1", "a", "1000", "181")); reply.Result != event.Written {
			t.Fatalf("%+v", reply)
		}
		// At the newest price, 187.25, 990 more.
		if m, after := r.rates(); m != n+1 || after.Sub(before) != market.MustMoney("185377.5") {
			t.Errorf("the day's notional rose from %v to %v, the minute's orders from %d to %d", before, after, n, m)
		}
		r.send(restingReport("1000", "181"))
		r.session.placing = func(broker.Ticket) error { return broker.ErrNotWritten }
		n, before = r.rates()
		r.ask(changeOf("m2", "a", "2000", "181"))
		if m, after := r.rates(); m != n || after != before || r.order("a").Change != nil {
			t.Errorf("a change that did not go out is counted: %d, %v; %+v", m, after, r.order("a"))
		}
	})
}

func (r *rig) rates() (int, market.Money) {
	r.desk.turn <- struct{}{}
	defer r.desk.give()
	sent, notional := r.desk.books.Rates(r.desk.floor.Now(time.Now()))
	return len(sent), notional
}

// TestAChangeThatEnlargesPassesTheBarsOfAnEntry: what an entry may not do, a
// change of one may not do either. Less of it, or later, may always be asked for.
func TestAChangeThatEnlargesPassesTheBarsOfAnEntry(t *testing.T) {
	for _, tt := range []struct {
		name, rule string
		begin      func(t *testing.T, r *rig, k *knowing)
		change     []func(*rig, *Config)
	}{
		{"an order is unknown", "unknown_order", func(t *testing.T, r *rig, k *knowing) {
			k.fails("completed", errRefused)
			r.ask(buy("lost"))
			time.Sleep(6 * time.Second)
		}, nil},
		{"the position differs", "reconciling", func(t *testing.T, r *rig, k *knowing) {
			k.venue(func() { k.held = heldAt("25") })
			time.Sleep(31 * time.Second)
		}, nil},
		{"no stop rests", "unprotected", func(t *testing.T, r *rig, k *knowing) {
			r.send(executed(151, "a", "x.01", "4"))
		}, []func(*rig, *Config){func(_ *rig, c *Config) { c.Protect = ProtectOn }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				resting(t, r)
				k.venue(func() { k.open = []broker.OrderReport{restingReport("10", "180")} })
				tt.begin(t, r, k)
				for i, c := range []struct{ qty, limit, rule string }{
					{"1000", "180", tt.rule}, {"10", "181", tt.rule}, {"9", "179", ""},
				} {
					if reply := r.ask(changeOf(string(rune('m'+i)), "a", c.qty, c.limit)); reply.Rule != c.rule || (c.rule == "") != (reply.Result == event.Written) {
						t.Errorf("to %s at %s: %+v", c.qty, c.limit, reply)
					}
				}
			}, tt.change...)
		})
	}
	in(t, func(t *testing.T, r *rig) { // an exit may be enlarged within the position
		exit := sell("a", 4)
		exit.Type, exit.Limit = order.Limit, market.MustPrice("190").Ptr()
		r.ask(exit)
		d := restingReport("4", "190")
		d.Order.Side = order.Sell
		r.send(d)
		r.ask(buy("lost"))
		time.Sleep(6 * time.Second)
		for _, tt := range [][2]string{{"11", "unknown_order"}, {"10", ""}} {
			qty, rule := tt[0], tt[1]
			change := changeOf("m"+qty, "a", qty, "189")
			change.Side = order.Sell
			if reply := r.ask(change); reply.Rule != rule {
				t.Errorf("an exit for %s of 10: %+v", qty, reply)
			}
		}
	}, holds(10))
}

// TestAChangeKeepsTheHours: it alters quantity and prices only, whatever the
// asker repeats, and so it is over a restart and for an order made elsewhere.
func TestAChangeKeepsTheHours(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		in := buy("a")
		in.Type, in.Limit, in.OutsideRTH = order.Limit, market.MustPrice("180").Ptr(), true
		r.ask(in)
		r.send(restingReport("10", "180"))
		d := described(77, "", order.WorkingNow)
		d.Order.Ref, d.Order.Type, d.Order.Limit, d.Order.Extended = "b", order.Limit, market.MustPrice("180").Ptr(), true
		r.send(d)
		regular := buy("c")
		regular.Type, regular.Limit = order.Limit, market.MustPrice("180").Ptr()
		r.ask(regular)
		c := restingReport("10", "180")
		c.Order.Ref, c.Order.OrderID, c.Order.PermID = "c", 152, 9152
		r.send(c)
		for _, target := range []string{"a", "b", "c"} {
			change := changeOf("m-"+target, target, "10", "181")
			change.OutsideRTH = target == "c"
			if reply := r.ask(change); reply.Result != event.Written {
				t.Fatalf("%+v", reply)
			}
			if last := k.placed[len(k.placed)-1].Intent; last.OutsideRTH != (target != "c") || r.journal.intents[last.ID].Intent.OutsideRTH != last.OutsideRTH {
				t.Errorf("a change of order %s: outside the regular session %v", target, last.OutsideRTH)
			}
		}
	})
}
