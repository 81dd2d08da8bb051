package desk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func sellOrder(id, qty string) order.Intent {
	in := buy(id)
	in.Side, in.Qty = order.Sell, market.MustQty(qty)
	return in
}

// TestAnUnknownOrderBarsEntriesInItsSymbol: reductions and cancels pass, as far
// as the position surely suffices.
func TestAnUnknownOrderBarsEntriesInItsSymbol(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.fails("completed", errRefused)
		r.ask(buy("a"))
		time.Sleep(6 * time.Second)
		if r.order("a").State != order.Unknown {
			t.Fatalf("order is %v", r.order("a").State)
		}
		for _, tt := range []struct {
			in   order.Intent
			rule string
		}{
			{buy("b"), "unknown_order"},
			{sellOrder("c", "21"), "unknown_order"}, // would open a short
			{sellOrder("d", "15"), ""},
			{sellOrder("e", "15"), "unknown_order"}, // both would
			{cancelOf("f", "a"), ""},
		} {
			if reply := r.ask(tt.in); reply.Rule != tt.rule {
				t.Errorf("%s %v: %+v", tt.in.Side, tt.in.Qty, reply)
			}
		}
		r.send(status(151, order.CancelDone))
		if reply := r.ask(buy("g")); reply.Result != event.Written {
			t.Errorf("when it is known: %+v", reply)
		}
	}, func(r *rig, _ *Config) { r.session.held = heldAt("20") })
}

// TestWhatResolvesAnUnknownOrder: open orders, completed orders and executions,
// and nothing else.
func TestWhatResolvesAnUnknownOrder(t *testing.T) {
	done := func(sig order.Signal, word, why, filled string) broker.CompletedReport {
		o := described(0, "a", 0).Order
		o.ClientID, o.PermID, o.Filled = 0, 9151, market.MustQty(filled)
		return broker.CompletedReport{Order: o, Status: word, Signal: sig, Known: true, Why: why}
	}
	for _, tt := range []struct {
		name   string
		answer func(*knowing)
		state  order.State
		note   string
		finds  int
	}{
		{"open", func(k *knowing) {
			k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} })
		}, order.Working, "", 0},
		{"executed", func(k *knowing) {
			k.venue(func() { k.fills, k.held = []broker.ExecutionReport{executed(151, "a", "e1", "10")}, heldAt("10") })
		}, order.Filled, "", 0},
		{"cancelled", func(k *knowing) {
			k.venue(func() {
				k.completed = []broker.CompletedReport{done(order.CancelDone, "Cancelled", "Cancelled by Trader", "0")}
			})
		}, order.Cancelled, "Cancelled by Trader", 0},
		{"rejected", func(k *knowing) {
			k.venue(func() {
				k.completed = []broker.CompletedReport{done(order.HeldBack, "Inactive", "Rejected by System: no", "0")}
			})
		}, order.Rejected, "Rejected", 0},
		{"filled without executions", func(k *knowing) {
			k.venue(func() {
				k.completed, k.held = []broker.CompletedReport{done(order.FilledUp, "Filled", "Filled Size: 10", "10")}, heldAt("10")
			})
		}, order.Filled, "Filled Size", 2}, // and the position, which nothing else explains
		{"another's", func(k *knowing) {
			c := done(order.CancelDone, "Cancelled", "", "0")
			c.Order.Symbol = "MSFT"
			k.venue(func() { k.completed = []broker.CompletedReport{c} })
			k.fails("positions", broker.ErrNoAnswer) // and no proof of absence
		}, order.Unknown, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				r.ask(buy("a"))
				time.Sleep(5500 * time.Millisecond)
				if r.order("a").State != order.Unknown {
					t.Fatalf("order is %v", r.order("a").State)
				}
				tt.answer(k)
				time.Sleep(30 * time.Second)
				if o := r.order("a"); o.State != tt.state || !strings.Contains(o.Note, tt.note) || len(r.out.findings) != tt.finds {
					t.Errorf("order is %v (%s), findings %+v", o.State, o.Note, r.out.findings)
				}
			})
		})
	}
}

// TestAbsenceIsProven: three reconciliations over a minute, each asked long
// enough after the write, with three confirmed answers that hold nothing of it.
func TestAbsenceIsProven(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		time.Sleep(10 * time.Second) // not long enough after the write
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("too early: %v", o.State)
		}
		time.Sleep(30 * time.Second) // nor a session that has settled
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("too early: %v", o.State)
		}
		time.Sleep(80 * time.Second)
		o := r.order("a")
		if o.State != order.Dropped || len(r.out.findings) != 1 || !r.out.findings[0].Explained || !strings.Contains(r.out.findings[0].Evidence, "completed orders") {
			t.Fatalf("order is %v (%s), findings %+v", o.State, o.Note, r.out.findings)
		}
		if reply := r.ask(buy("a")); !reply.Known || len(k.placed) != 1 {
			t.Errorf("the same id again: %+v", reply)
		}
		if reply := r.ask(buy("b")); reply.Result != event.Written {
			t.Errorf("a new one: %+v", reply)
		}
		r.send(described(151, "a", order.WorkingNow)) // the venue is right all the same
		if o := r.order("a"); o.State != order.Working {
			t.Errorf("reported after all, it is %v", o.State)
		}
	})
}

// TestWithoutCompletedOrdersNothingIsProven: a gateway that refuses the question
// or never answers it leaves the order unknown, and a person is told the way
// out.
func TestWithoutCompletedOrdersNothingIsProven(t *testing.T) {
	for name, change := range map[string]func(*knowing){
		"refused": func(k *knowing) { k.fails("completed", errRefused) },
		"silent":  func(k *knowing) { k.venue(func() { k.hang = "completed" }) },
	} {
		t.Run(name, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				change(k)
				r.ask(buy("a"))
				time.Sleep(5 * time.Minute)
				if o := r.order("a"); o.State != order.Unknown || r.out.named("order_stays_unknown") != 1 {
					t.Errorf("order is %v, notices %+v", o.State, r.out.notices)
				}
				r.desk.turn <- struct{}{}
				r.desk.books.ByRef["a"].Created = day.Add(-24 * time.Hour)
				r.desk.give()
				time.Sleep(time.Minute) // its day is over, and it is not open
				if o := r.order("a"); o.State != order.Cancelled || !strings.Contains(o.Note, "day is over") {
					t.Errorf("the next day: %v (%s)", o.State, o.Note)
				}
			})
		})
	}
}

// TestAnAcknowledgedOrderIsNotProvenAbsent: the venue knew it.
func TestAnAcknowledgedOrderIsNotProvenAbsent(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		time.Sleep(10 * time.Minute)
		if o := r.order("a"); o.State != order.Unknown || r.out.named("order_stays_unknown") != 1 || len(r.out.findings) != 0 {
			t.Errorf("order is %v, findings %+v", o.State, r.out.findings)
		}
	})
}

// TestOrdersDroppedInTheDisconnectWindow is field-lessons §2.27: written as the
// session ended, it is unknown, bars the symbol over the reconnection, and is
// settled by what the broker answers.
func TestOrdersDroppedInTheDisconnectWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
		r.session.placing = func(broker.Ticket) error { return broker.ErrOutcomeUnknown }
		if reply := r.ask(buy("a")); reply.Result != event.Unknown {
			t.Errorf("%+v", reply)
		}
		_ = r.session.Close(context.Background())
		<-r.served
		r.session = newSession(r.trace)
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "11") }
		k = &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
		if reply := r.ask(buy("b")); reply.Rule != "unknown_order" {
			t.Errorf("after the reconnection: %+v", reply)
		}
		x := executed(151, "a", "e1", "10") // it had been filled
		k.venue(func() { k.fills, k.held = []broker.ExecutionReport{x}, heldAt("10") })
		time.Sleep(31 * time.Second)
		if o := r.order("a"); o.State != order.Filled || r.position() != market.Shares(10) || len(r.out.findings) != 0 || len(r.session.placed) != 0 {
			t.Errorf("order %v, position %v, findings %+v", o.State, r.position(), r.out.findings)
		}
		r.stop(t)
	})
}

// TestReductionsInTheSecondOfARestart is field-lessons §2.3. The supervisor
// degrades the link 90 s before the gateway's daily restart, by its calendar, so
// that the gate refuses entries; what only reduces goes out, and when the session
// dies under it, its outcome is unknown until the next one tells.
func TestReductionsInTheSecondOfARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(r *rig, _ *Config) { r.session.held = heldAt("20") })
		r.desk.gate = gateFunc(func(v broker.View, in order.Intent) order.Decision {
			if v.Link == broker.Degraded && in.Side == order.Buy {
				return order.Decision{Rule: "link", Reason: "the gateway restarts soon"}
			}
			return order.Decision{Allowed: true}
		})
		k := &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
		r.desk.LinkChanged(broker.Link{State: broker.Degraded})
		if reply := r.ask(buy("entry")); reply.Rule != "link" || len(k.placed) != 0 {
			t.Errorf("an entry: %+v", reply)
		}
		if reply := r.ask(sellOrder("exit", "20")); reply.Result != event.Written {
			t.Errorf("a reduction: %+v", reply)
		}
		_ = r.session.Close(context.Background()) // the gateway restarts
		<-r.served
		if o := r.order("exit"); o.State != order.Unknown {
			t.Errorf("after the restart it is %v", o.State)
		}
		r.session = newSession(r.trace)
		r.session.held = heldAt("20")
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "11") }
		k = &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
		if reply := r.ask(sellOrder("again", "20")); reply.Rule != "unknown_order" {
			t.Errorf("the same again, which may be the second: %+v", reply)
		}
		time.Sleep(2 * time.Minute)
		if o := r.order("exit"); o.State != order.Dropped || r.position() != market.Shares(20) {
			t.Errorf("proven absent it is %v, position %v", o.State, r.position())
		}
		if reply := r.ask(sellOrder("once-more", "20")); reply.Result != event.Written {
			t.Errorf("after the proof: %+v", reply)
		}
		r.stop(t)
	})
}

// TestDuplicateOrdersOnRestart is field-lessons §2.11: what a program that died
// around the write may have sent is not sent again, under whatever id it is
// asked for.
func TestDuplicateOrdersOnRestart(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		if reply := r.ask(buy("died")); !reply.Known || reply.Result != event.Unknown {
			t.Errorf("the same intent: %+v", reply)
		}
		if reply := r.ask(buy("another")); reply.Rule != "unknown_order" {
			t.Errorf("another: %+v", reply)
		}
		k.venue(func() { k.open = []broker.OrderReport{described(11, "died", order.WorkingNow)} })
		time.Sleep(31 * time.Second)
		if o := r.order("died"); o.State != order.Working || len(k.placed) != 0 {
			t.Errorf("order is %v, placed %+v", o.State, k.placed)
		}
	}, func(r *rig, _ *Config) {
		o := described(11, "died", 0).Order
		o.State, o.PermID, o.Created = order.Intended, 0, day
		r.journal.past.Orders = []order.Order{o}
	})
}

// TestInformationIsNoCancel is field-lessons §2.18: a message about an order
// that is no refusal leaves it alive, and 10147 ends nothing by itself.
func TestInformationIsNoCancel(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		r.session.open = []broker.OrderReport{described(151, "a", order.WorkingNow)}
		for _, n := range []broker.Notice{
			{Kind: broker.NoticeInfo, Code: 10349, Text: "Order TIF was set to DAY based on order preset."},
			{Kind: broker.NoticeWarning, Code: 399, Text: "your order will not be placed at the exchange until"},
			{Kind: broker.NoticeCancelled, Code: 202, Text: "Order Canceled - reason:"},
			{Kind: broker.NoticeNoCancel, Code: 10147, Text: "OrderId that needs to be cancelled is not found."},
		} {
			n.OrderID = 151
			r.send(n)
			if o := r.order("a"); o.State != order.Working && o.State != order.Accepted {
				t.Errorf("after %d it is %v", n.Code, o.State)
			}
		}
	})
}

// TestReusedOrderIdIsNotCrossAttributed is field-lessons §2.2: a gateway that
// forgot its sequence gives numbers again. What it reports under them is held
// against the venue's number and the reference.
func TestReusedOrderIdIsNotCrossAttributed(t *testing.T) {
	stranger := func(e broker.Event) broker.Event {
		switch e := e.(type) {
		case broker.OrderReport:
			e.Order.PermID = 77
			return e
		case broker.StatusReport:
			e.PermID = 77
			return e
		case broker.ExecutionReport:
			e.Fill.PermID = 77
			return e
		}
		return e
	}
	for _, tt := range []struct {
		name     string
		report   broker.Event
		position string
	}{
		{"a description", stranger(described(151, "b", order.CancelDone)), "0"},
		{"a description without reference", stranger(described(151, "", order.CancelDone)), "0"},
		{"a status", stranger(status(151, order.CancelDone)), "0"},
		{"an execution", stranger(executed(151, "b", "e9", "10")), "10"},
		{"an execution without reference", stranger(executed(151, "", "e9", "10")), "10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.ask(buy("a"))
				r.send(described(151, "a", order.WorkingNow))
				r.send(tt.report)
				if o := r.order("a"); o.State != order.Working || !o.Filled.IsZero() || r.out.named("report_quarantined") != 1 {
					t.Errorf("order is %v, %v filled, notices %+v", o.State, o.Filled, r.out.notices)
				}
				if got := r.position(); got != market.MustQty(tt.position) { // what was executed happened
					t.Errorf("position %v", got)
				}
			})
		})
	}
	t.Run("the older order of a number is found by its permanent id", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			old := described(151, "old", 0).Order
			old.State, old.PermID = order.Working, 500
			r.desk.books.Add(old, time.Now())
			r.desk.books.NextID = 151
			r.ask(buy("new"))
			r.send(described(151, "new", order.WorkingNow))
			st := status(151, order.CancelDone)
			st.PermID = 500
			x := executed(151, "old", "e1", "3")
			x.Fill.PermID = 500
			r.send(x, st)
			if o, n := r.order("old"), r.order("new"); o.State != order.Cancelled || o.Filled != market.Shares(3) || n.State != order.Working || !n.Filled.IsZero() {
				t.Errorf("old %v %v, new %v %v", o.State, o.Filled, n.State, n.Filled)
			}
		})
	})
}

// TestOrderIdsOnlyRise: above the gateway's next, the journal's mark and
// whatever number a report of our client id carries.
func TestOrderIdsOnlyRise(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		next := func(id string) int64 { return r.ask(buy(id)).OrderID }
		if n := next("a"); n != 151 {
			t.Errorf("first %d", n)
		}
		r.send(status(300, order.Acked))
		r.send(status(1<<30+5, order.Acked)) // a request's number
		other := status(900, order.Acked)
		other.ClientID = 7
		r.send(status(151, order.Acked), other)
		if n := next("b"); n != 301 {
			t.Errorf("after a status of 300: %d", n)
		}
		r.send(executed(400, "", "e1", "1"))
		if n := next("c"); n != 401 {
			t.Errorf("after an execution of 400: %d", n)
		}
		r.send(described(500, "elsewhere", order.WorkingNow))
		if n := next("d"); n != 501 {
			t.Errorf("after an order 500: %d", n)
		}
	})
}
