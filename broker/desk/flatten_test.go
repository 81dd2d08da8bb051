package desk

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/unwind"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
	"robotrader/services/event"
)

func flatten(t *testing.T, r *rig) event.ModeChange {
	t.Helper()
	c, err := r.desk.Flatten(context.Background(), "a person", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trades has the venue execute shares of the newest order, and its own books
// show it; a full one is reported as filled.
func (r *rig) trades(exec string, shares int64) {
	placed := r.orders()
	last := placed[len(placed)-1]
	f := executed(last.OrderID, last.Intent.ID, exec, market.Shares(shares).String())
	f.Fill.Side = last.Intent.Side
	r.session.venue(func() {
		r.session.fills = append(slices.Clone(r.session.fills), f)
		held := slices.Clone(r.session.held) // what was answered stays what it was
		held[0].Qty = held[0].Qty.Add(last.Intent.Side.Signed(market.Shares(shares)))
		r.session.held = held
	})
	r.send(f, status(last.OrderID, order.Acked))
}

// later lets time pass for the next look.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// unlooked keeps the comparison with the broker out of a test whose session
// lists no open orders.
func unlooked(_ *rig, c *Config) { c.ReconcileEvery = time.Hour }

func TestFlattenCancelsThenClosesThenVerifies(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("entry"))
		r.own(sell("stop", 10))
		c := flatten(t, r)
		if !c.Flatten || c.Mode != broker.Halted || len(c.Pending) != 2 {
			t.Errorf("%+v", c)
		}
		if got := r.sent(); len(got) != 2 || len(r.orders()) != 2 {
			t.Fatalf("cancelled %v; %d orders written", got, len(r.orders()))
		}
		r.send(status(151, order.CancelDone))
		if later(time.Second); len(r.orders()) != 2 {
			t.Fatal("it closes while the stop may still sell")
		}
		r.send(status(152, order.CancelDone))
		later(holdEvery)
		placed := r.orders()
		if len(placed) != 3 {
			t.Fatalf("%d orders written", len(placed))
		}
		if got := placed[2].Intent; got.Side != order.Sell || got.Qty != market.Shares(10) || got.Type != order.Market || got.Strategy != "desk" {
			t.Errorf("%+v", got)
		}
		if v := r.views[len(r.views)-1]; !v.Own {
			t.Error("the gate does not see that the desk asks")
		}
		r.send(status(153, order.WorkingNow))
		later(time.Minute)
		if m := r.modeNow(); len(r.orders()) != 3 || m.Closing[0].State != event.ClosingWorks || m.Flat != nil {
			t.Errorf("%d orders, %+v", len(r.orders()), m)
		}
		r.trades("e1", 10)
		later(unwind.Again + holdEvery)
		m := r.modeNow()
		if m.Flatten || m.Mode != broker.Halted || m.Flat == nil || m.Closing[0].State != event.ClosingFlat || !strings.Contains(m.Reason, "; flat since ") {
			t.Errorf("%+v", m)
		}
		if lastMode(r).Flatten || lastMode(r).Mode != broker.Halted || r.out.named("flat") != 1 {
			t.Errorf("stored %+v", lastMode(r))
		}
		if later(time.Minute); len(r.orders()) != 3 {
			t.Error("another order after it was flat")
		}
	}, holds(10), unlooked)
}

func TestFlattenBuysAShortBack(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		if got := r.orders()[0].Intent; got.Side != order.Buy || got.Qty != market.Shares(7) {
			t.Errorf("%+v", got)
		}
	}, holds(-7))
}

// TestAFailedQuestionIsNotFlat is of field-lessons §1: a query for positions
// that failed read as "flat".
func TestAFailedQuestionIsNotFlat(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		r.session.fails("positions", errors.New("no answer"))
		r.trades("e1", 10)
		later(10 * time.Second)
		m := r.modeNow()
		if !m.Flatten || m.Flat != nil || m.Closing[0].State != event.ClosingVerifies || !strings.Contains(m.Closing[0].Detail, "no answer") {
			t.Errorf("%+v", m)
		}
		if _, err := r.desk.Resume(context.Background(), "a person", ""); !errors.Is(err, ErrFlattening) {
			t.Errorf("resume while it is not verified: %v", err)
		}
		if _, err := r.desk.SetMode(context.Background(), broker.ReduceOnly, ""); !errors.Is(err, ErrFlattening) {
			t.Errorf("reduce_only while it is not verified: %v", err)
		}
		if c := halt(t, r); !c.Flatten || lastMode(r).Reason != "flatten by a person" {
			t.Errorf("a halt ended the flatten: %+v", c)
		}
		r.session.fails("positions", nil)
		later(10 * time.Second)
		if m := r.modeNow(); m.Flatten || m.Flat == nil {
			t.Errorf("%+v", m)
		}
		if _, err := r.desk.Resume(context.Background(), "a person", ""); err != nil {
			t.Error(err)
		}
		if m := r.modeNow(); m.Closing != nil || m.Flat != nil || m.Mode != broker.Active {
			t.Errorf("after resume: %+v", m)
		}
	}, holds(10))
}

// TestFlattenTriesAreBounded: each order follows the proven end of the one
// before it, is about what is left, and after the last a person has to look.
func TestFlattenTriesAreBounded(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		r.trades("e1", 4)
		r.send(status(151, order.CancelDone))
		later(unwind.Again + holdEvery)
		if placed := r.orders(); len(placed) != 2 || placed[1].Intent.Qty != market.Shares(6) || placed[1].Intent.ID == placed[0].Intent.ID {
			t.Fatalf("after a part: %+v", placed)
		}
		r.send(status(152, order.Refused))
		later(time.Minute)
		if placed := r.orders(); len(placed) != 2 {
			t.Errorf("%d orders", len(placed))
		}
		if c := r.modeNow().Closing[0]; c.State != event.ClosingGivenUp || c.Tries != 2 {
			t.Errorf("%+v", c)
		}
		flatten(t, r) // a person asks again
		later(holdEvery)
		if placed := r.orders(); len(placed) != 3 || placed[2].Intent.Qty != market.Shares(6) {
			t.Errorf("asked again: %+v", placed)
		}
	}, holds(10), func(_ *rig, c *Config) { c.FlattenTries = 2 })
}

func closed(r *rig, _ *Config) {
	d := &r.session.details["AAPL"][0]
	d.MinTick = market.MustPrice("0.01")
	d.Liquid = market.Hours{{Open: day.Add(time.Hour), Close: day.Add(2 * time.Hour)}}
}

func TestFlattenOutsideTheSession(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		go r.tick("AAPL", "200") // ends when the batch is read
		synctest.Wait()
		flatten(t, r)
		got := r.orders()[0].Intent
		if got.Type != order.Limit || got.Limit == nil || *got.Limit != market.MustPrice("198") || !got.OutsideRTH {
			t.Fatalf("%+v", got)
		}
		r.send(status(151, order.WorkingNow))
		go r.tick("AAPL", "180")
		later(r.desk.cfg.FlattenPatience + holdEvery)
		if got := r.sent(); len(got) != 1 || got[0] != 151 {
			t.Fatalf("after its patience, cancelled %v", got)
		}
		if later(time.Minute); len(r.orders()) != 1 {
			t.Fatal("another order while the first may still trade")
		}
		r.send(status(151, order.CancelDone))
		later(unwind.Again + holdEvery)
		if placed := r.orders(); len(placed) != 2 || *placed[1].Intent.Limit != market.MustPrice("178.2") {
			t.Errorf("%+v", placed)
		}
	}, holds(10), closed)
}

func TestFlattenMayWaitForTheSession(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		later(time.Minute)
		if c := r.modeNow().Closing[0]; len(r.orders()) != 0 || c.State != event.ClosingWaits || !strings.Contains(c.Detail, "flatten_outside") {
			t.Errorf("%d orders, %+v", len(r.orders()), c)
		}
		later(time.Hour)
		if placed := r.orders(); len(placed) != 1 || placed[0].Intent.Type != order.Market {
			t.Errorf("in the session: %+v", placed)
		}
	}, holds(10), closed, func(_ *rig, c *Config) { c.FlattenOutside = FlattenWait })
}

// TestFlattenDoesNotCloseTwice: an order whose outcome nobody knows may have
// closed the position.
func TestFlattenDoesNotCloseTwice(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.venue(func() {
			r.session.placing = func(broker.Ticket) error { return broker.ErrOutcomeUnknown }
		})
		flatten(t, r)
		later(holdEvery)
		r.session.venue(func() { r.session.placing = nil })
		later(time.Minute)
		if c := r.modeNow().Closing[0]; len(r.journal.intents) != 1 || c.State != event.ClosingWaits || !strings.Contains(c.Detail, "nobody knows") {
			t.Errorf("%d intents, %+v", len(r.journal.intents), c)
		}
		open := described(151, slices.Collect(maps.Keys(r.journal.intents))[0], order.WorkingNow)
		open.Order.Side = order.Sell
		r.session.venue(func() { r.session.open = []broker.OrderReport{open} })
		later(3 * unwind.Again)
		if c := r.modeNow().Closing[0]; c.State != event.ClosingWorks || len(r.orders()) != 0 {
			t.Errorf("when the broker knows it: %+v", c)
		}
	}, holds(10))
}

// TestFlattenGoesOnInTheNextLife: with the same ids, so that what an earlier
// life asked is not asked twice.
func TestFlattenGoesOnInTheNextLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, holds(10))
		flatten(t, r)
		if len(r.orders()) != 1 {
			t.Fatal("no order to close it")
		}
		first := r.orders()[0].Intent.ID
		r.stop(t)
		latch := *lastMode(r)
		open := described(151, first, order.WorkingNow)
		open.Order.Side = order.Sell
		next := ready(t, holds(10), func(n *rig, _ *Config) {
			n.journal.past = broker.Books{Mode: &latch, Orders: []order.Order{r.order(first)}}
			n.journal.intents, n.journal.mark = r.journal.intents, 151
			n.session.open = []broker.OrderReport{open}
		})
		later(time.Minute)
		if m := next.modeNow(); !m.Flatten || len(next.orders()) != 0 || len(next.sent()) != 0 || m.Closing[0].State != event.ClosingWorks {
			t.Fatalf("with its order working: %+v, orders %+v", m, next.orders())
		}
		next.session.venue(func() { next.session.open = nil })
		next.send(status(151, order.CancelDone))
		later(2*unwind.Again + holdEvery)
		if placed := next.orders(); len(placed) != 1 || placed[0].Intent.ID == first {
			t.Fatalf("when it ended: %+v", placed)
		}
		next.trades("e1", 10)
		later(2 * unwind.Again)
		if m := next.modeNow(); m.Flatten || m.Flat == nil {
			t.Errorf("%+v", m)
		}
		next.stop(t)
	})
}

// TestFlattenWithoutALink is latched at once and carried out on ready.
func TestFlattenWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, holds(10))
		if c := flatten(t, r); !c.Flatten || lastMode(r) == nil || !lastMode(r).Flatten {
			t.Errorf("%+v, stored %+v", c, lastMode(r))
		}
		r.serve()
		r.climb(t)
		if placed := r.orders(); len(placed) != 1 || placed[0].Intent.Qty != market.Shares(10) {
			t.Errorf("on ready: %+v", placed)
		}
		r.stop(t)
	})
}

// TestFlattenOfASymbolThatIsNotWanted asks for the contract itself.
func TestFlattenOfASymbolThatIsNotWanted(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		flatten(t, r)
		later(unwind.Again + holdEvery)
		if placed := r.orders(); len(placed) != 1 || placed[0].Contract.ConID != 272093 || placed[0].Intent.Symbol != "MSFT" {
			t.Errorf("%+v", placed)
		}
	}, func(r *rig, _ *Config) {
		r.session.held = []order.Position{{Account: "DU1", Symbol: "MSFT", Qty: market.Shares(3)}}
		msft := r.session.details["AAPL"][0]
		msft.Contract.Symbol, msft.Contract.ConID = "MSFT", 272093
		r.session.details["MSFT"] = []market.Details{msft}
	})
}

// TestFlattenLeavesAnothersOrder: an order of another client on the closing
// side would turn the position over, and only its maker can cancel it.
func TestFlattenLeavesAnothersOrder(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		theirs := described(7, "", order.WorkingNow)
		theirs.Order.ClientID, theirs.Order.Side = 0, order.Sell
		r.send(theirs)
		flatten(t, r)
		later(time.Minute)
		if c := r.modeNow().Closing[0]; len(r.orders()) != 0 || len(r.sent()) != 0 || !strings.Contains(c.Detail, "client id 0") {
			t.Errorf("%+v, orders %+v", c, r.orders())
		}
	}, holds(10))
}

func TestAFlattenThatIsNotDurableDoesNotBegin(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.journal.fail = errors.New("disk full")
		if _, err := r.desk.Flatten(context.Background(), "a person", ""); err == nil {
			t.Error("no error")
		}
		later(time.Minute)
		r.journal.fail = nil
		later(time.Minute)
		if m := r.modeNow(); m.Mode != broker.Halted || m.Flatten || len(r.orders()) != 0 {
			t.Errorf("%+v, orders %+v", m, r.orders())
		}
	}, holds(10))
}

// TestAFlattenGoesOnWithTheTriesOfItsEarlierLife: its orders count, its cancels
// do not, whether memory has the orders or the journal alone; and a cancel's
// number that was used is passed over.
func TestAFlattenGoesOnWithTheTriesOfItsEarlierLife(t *testing.T) {
	for _, remembered := range []bool{true, false} {
		var past *memJournal
		var mode broker.ModeRecord
		in(t, func(t *testing.T, r *rig) {
			go r.tick("AAPL", "200")
			synctest.Wait()
			flatten(t, r)
			for i := range 3 { // a limit, its cancel, a limit, its cancel, a limit
				o := r.orders()[i]
				r.send(status(o.OrderID, order.WorkingNow))
				if i < 2 {
					later(31 * time.Second)
				}
				if len(r.sent()) != min(i+1, 2) {
					t.Fatalf("cancelled %v", r.sent())
				}
				r.send(status(o.OrderID, order.CancelDone))
				if i < 2 {
					later(3 * time.Second)
				}
			}
			past, mode = r.journal, *r.desk.mode.Load()
		}, holds(10), unlooked, closed)
		in(t, func(t *testing.T, r *rig) {
			go r.tick("AAPL", "200")
			later(20 * time.Second)
			if m := r.modeNow(); len(r.orders()) != 1 || m.Closing[0].Tries != 3 {
				t.Fatalf("remembered %v: %d orders, %+v", remembered, len(r.orders()), m.Closing)
			}
			r.send(status(r.orders()[0].OrderID, order.WorkingNow))
			for range 40 {
				if later(time.Second); len(r.sent()) > 0 {
					break // in 5 s without an answer it is written again
				}
			}
			if got := r.sent(); len(got) != 1 {
				t.Errorf("remembered %v: cancelled %v", remembered, got)
			}
			r.send(status(r.orders()[0].OrderID, order.CancelDone))
		}, holds(10), unlooked, closed, func(r *rig, _ *Config) {
			if remembered {
				r.journal.past = pastOf(past)
			}
			r.journal.past.Mode = &mode
			r.journal.intents, r.journal.mark = past.intents, 200
		})
	}
}

// TestAFlattensLimitHasItsOwnCollar: the gate's is about slips of the hand.
func TestAFlattensLimitHasItsOwnCollar(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		g, err := risk.New(risk.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		r.desk.gate = g
		go r.tick("AAPL", "200")
		synctest.Wait()
		flatten(t, r)
		if list := r.orders(); len(list) != 1 || *list[0].Intent.Limit != market.MustPrice("186") {
			t.Errorf("%+v, %+v", list, r.modeNow().Closing)
		}
	}, holds(10), unlooked, closed, func(_ *rig, c *Config) { c.FlattenCollar = market.MustPercent("7") })
}

// TestAFlattenDoesNotWaitForAnUnknownEntry: an order that can only add to the
// position is no reason to keep it. What it may have filled is closed after that;
// it is not called flat before the broker has told.
func TestAFlattenDoesNotWaitForAnUnknownEntry(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.venue(func() {
			r.session.placing = func(broker.Ticket) error { return broker.ErrOutcomeUnknown }
		})
		if reply := r.ask(buy("lost")); reply.Result != event.Unknown {
			t.Fatalf("%+v", reply)
		}
		r.session.venue(func() { r.session.placing = nil })
		flatten(t, r)
		later(5 * time.Second)
		list := r.orders()
		if len(list) != 1 || list[0].Intent.Side != order.Sell || list[0].Intent.Qty != market.Shares(10) {
			t.Fatalf("written %+v, closing %+v", list, r.modeNow().Closing)
		}
		r.trades("e1", 10)
		later(5 * time.Second)
		if m := r.modeNow(); m.Flat != nil || len(m.Closing) != 1 || m.Closing[0].State != event.ClosingWaits {
			t.Errorf("with an order that may fill: %+v", m)
		}
	}, holds(10), unlooked)
}
