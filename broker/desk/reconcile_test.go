package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// knowing is a session that also answers for completed orders and for those of
// other clients.
type knowing struct {
	*fakeSession
	completed []broker.CompletedReport
	foreign   []broker.ExecutionReport
	others    []broker.OrderReport // open, of other clients
}

func (k *knowing) AllOpenOrders(ctx context.Context) (list []broker.OrderReport, err error) {
	err = k.asked(ctx, "all open orders")
	k.venue(func() { list = append(list, k.open...); list = append(list, k.others...) })
	return list, err
}

func (k *knowing) CompletedOrders(ctx context.Context) (list []broker.CompletedReport, err error) {
	err = k.asked(ctx, "completed")
	k.venue(func() { list = k.completed })
	return list, err
}

func (k *knowing) AllExecutions(ctx context.Context) (list []broker.ExecutionReport, err error) {
	err = k.asked(ctx, "all executions")
	k.venue(func() { list = k.foreign })
	return list, err
}

// reconciling runs a test with a session that knows all.
func reconciling(t *testing.T, fn func(t *testing.T, r *rig, k *knowing), change ...func(*rig, *Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, change...)
		k := &knowing{fakeSession: r.session}
		r.serveAs(k)
		r.climbAs(t, k)
		synctest.Wait()
		r.take()
		fn(t, r, k)
		r.stop(t)
	})
}

func (r *rig) serveAs(s broker.Session) {
	r.served = make(chan error, 1)
	go func() { r.served <- r.desk.Serve(context.Background(), s) }()
}

func (r *rig) climbAs(t testing.TB, s broker.Session) {
	t.Helper()
	for _, step := range r.steps() {
		ctx, cancel := context.WithTimeout(context.Background(), step.Deadline)
		if _, err := step.Run(ctx, s); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
		cancel()
	}
	r.desk.LinkChanged(broker.Link{State: broker.Ready})
}

func heldAt(qty string) []order.Position {
	return []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(qty), AvgCost: market.MustPrice("187").Ptr()}}
}

func (r *rig) position() market.Qty {
	for _, p := range r.desk.State(context.Background()).Positions {
		if p.Symbol == "AAPL" {
			return p.Qty
		}
	}
	return market.Qty{}
}

func (r *rig) mode() broker.Mode { return r.desk.mode.Load().Mode }

// TestTheBooksDriftAllDay is field-lessons §2.16: every 30 s the books are held
// against the broker; what differs in two looks and nothing explains takes
// entries away, and says what was looked at.
func TestTheBooksDriftAllDay(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.venue(func() { k.held = heldAt("25") })
		time.Sleep(31 * time.Second)
		if reply := r.ask(buy("a")); reply.Rule != "reconciling" {
			t.Errorf("between the looks: %+v", reply)
		}
		if r.position() != (market.Qty{}) || r.mode() != broker.Active {
			t.Errorf("after one look: %v, %s", r.position(), r.mode())
		}
		time.Sleep(lookSoonAfter)
		s := r.desk.State(context.Background())
		if r.position() != market.Shares(25) || r.mode() != broker.ReduceOnly || len(s.Findings) != 1 || r.out.named("reconciliation_difference") != 1 {
			t.Fatalf("after two looks: %v, %s, findings %+v", r.position(), r.mode(), s.Findings)
		}
		f := s.Findings[0]
		if f.Explained || f.Kind != "position" || f.Ours != "0" || f.Theirs != "25" || !strings.Contains(f.Evidence, "0 executions of all clients") ||
			f.Done == "" || f.At.IsZero() {
			t.Errorf("finding %+v", f)
		}
		stored := 0
		for _, rec := range r.journal.records {
			if rec.Finding != nil && *rec.Finding == f {
				stored++
			}
		}
		if stored != 1 || len(r.out.findings) != 1 || r.out.findings[0] != f || len(k.placed) != 0 {
			t.Errorf("stored %d times, told %+v, placed %+v", stored, r.out.findings, k.placed)
		}
		time.Sleep(5 * time.Minute)
		if n := len(r.out.findings); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestAReportOnItsWayIsNoDifference: the venue counts before it reports.
func TestAReportOnItsWayIsNoDifference(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} })
		time.Sleep(20 * time.Second)
		k.venue(func() { k.held = heldAt("10") })
		time.Sleep(11 * time.Second) // one look sees it
		x := executed(151, "a", "e1", "10")
		k.venue(func() { k.fills, k.open = []broker.ExecutionReport{x}, nil })
		r.send(x)
		time.Sleep(2 * time.Minute)
		if r.mode() != broker.Active || len(r.out.findings) != 0 || r.order("a").State != order.Filled || r.position() != market.Shares(10) {
			t.Errorf("mode %s, findings %+v, order %v", r.mode(), r.out.findings, r.order("a").State)
		}
		if reply := r.ask(buy("b")); reply.Result != event.Written {
			t.Errorf("%+v", reply)
		}
	})
}

// TestAnEmptyAnswerReadAsFlat is field-lessons §2.14: an answer that failed,
// with whatever list, changes no position and ends no order.
func TestAnEmptyAnswerReadAsFlat(t *testing.T) {
	for _, what := range []string{"open orders", "executions", "positions"} {
		t.Run(what, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				r.ask(buy("a"))
				x := executed(151, "a", "e1", "4")
				r.send(described(151, "a", order.WorkingNow), x)
				k.venue(func() { k.open, k.fills, k.held = nil, nil, nil }) // the lists that come with the error
				k.fails(what, broker.ErrNoAnswer)
				time.Sleep(10 * time.Minute)
				if o := r.order("a"); o.State != order.Partial || r.position() != market.Shares(4) || r.mode() != broker.Active {
					t.Errorf("order is %v, position %v, mode %s", o.State, r.position(), r.mode())
				}
				if n := r.out.named("reconciliation_failed"); n != 1 {
					t.Errorf("told %d times", n)
				}
			})
		})
	}
}

// TestFlatClosesOpenNothing is field-lessons §2.15: a difference is booked with
// its evidence and never traded away.
func TestFlatClosesOpenNothing(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.venue(func() { k.held = heldAt("-40") })
		time.Sleep(time.Minute)
		if len(k.placed) != 0 || len(k.cancelled) != 0 || r.position() != market.Shares(-40) {
			t.Errorf("placed %+v, cancelled %v, position %v", k.placed, k.cancelled, r.position())
		}
	})
}

// TestATradeByHandIsAdopted: with the executions of other clients the
// difference is explained, and by the default policy trading goes on.
func TestATradeByHandIsAdopted(t *testing.T) {
	for policy, mode := range map[string]broker.Mode{ForeignAdopt: broker.Active, ForeignRestrict: broker.ReduceOnly} {
		t.Run(policy, func(t *testing.T) {
			reconciling(t, func(t *testing.T, r *rig, k *knowing) {
				before := executed(3, "", "h0", "7") // is in the positions that were told first
				before.Fill.ClientID, before.Fill.At = 0, day.Add(-time.Hour)
				byHand := executed(4, "", "h1", "25")
				byHand.Fill.ClientID, byHand.Fill.At = 0, day.Add(20*time.Second)
				k.venue(func() { k.foreign = []broker.ExecutionReport{before, byHand} })
				k.venue(func() { k.held = heldAt("25") })
				time.Sleep(40 * time.Second)
				if r.position() != market.Shares(25) || r.mode() != mode || r.out.named("reconciliation_difference") != 0 {
					t.Errorf("position %v, mode %s, notices %+v", r.position(), r.mode(), r.out.notices)
				}
				if len(r.out.findings) != 1 || !r.out.findings[0].Explained || !strings.Contains(r.out.findings[0].Evidence, "h1") {
					t.Errorf("findings %+v", r.out.findings)
				}
				time.Sleep(5 * time.Minute)
				if len(r.out.findings) != 1 || len(r.desk.State(context.Background()).Fills) != 1 {
					t.Errorf("later: findings %+v", r.out.findings)
				}
			}, func(_ *rig, c *Config) { c.Foreign = policy })
		})
	}
}

// TestWorkingOrdersOfTheLastSessionAreAdopted is field-lessons §2.12: an order
// with our reference that the journal lost is ours to cancel.
func TestWorkingOrdersOfTheLastSessionAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, _ *Config) {
			r.session.open = []broker.OrderReport{described(420, "lost-by-the-journal", order.WorkingNow)}
		})
		if o := r.order("lost-by-the-journal"); o.State != order.Working || len(r.out.findings) != 1 || !r.out.findings[0].Explained || r.mode() != broker.Active {
			t.Errorf("%+v, findings %+v", o, r.out.findings)
		}
		if reply := r.ask(cancelOf("c", "lost-by-the-journal")); reply.Result != event.Written || r.session.cancelled[0] != 420 {
			t.Errorf("%+v", reply)
		}
		if reply := r.ask(buy("a")); reply.OrderID != 421 {
			t.Errorf("the next number is %d", reply.OrderID)
		}
		r.stop(t)
	})
}

// TestFillsAround1100 is field-lessons §2.1: an execution that came while the
// gateway had lost the venue, or that nobody told, is found and counted once.
func TestFillsAround1100(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		x, missed := executed(151, "a", "e1", "4"), executed(151, "a", "e2", "6")
		r.send(x) // in whatever state the link is
		if r.position() != market.Shares(4) {
			t.Errorf("while the venue is lost: %v", r.position())
		}
		k.venue(func() { k.fills, k.held = []broker.ExecutionReport{x, missed}, heldAt("10") })
		r.send(broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102, Text: "back"})
		time.Sleep(2 * time.Minute)
		if o := r.order("a"); o.State != order.Filled || o.Filled != market.Shares(10) || r.position() != market.Shares(10) || len(r.out.findings) != 0 {
			t.Errorf("order %v, %v filled, position %v, findings %+v", o.State, o.Filled, r.position(), r.out.findings)
		}
	})
}

// TestNothingIsAskedOfWhoLostTheVenue: a gateway without its venue answers from
// memory, which proves nothing.
func TestNothingIsAskedOfWhoLostTheVenue(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		var asked atomic.Int32
		k.asking(func(what string) {
			if what == "positions" {
				asked.Add(1)
			}
		})
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		k.venue(func() { k.held = heldAt("25") })
		time.Sleep(10 * time.Minute)
		if n := asked.Load(); n != 0 || r.mode() != broker.Active {
			t.Errorf("asked %d times, mode %s", n, r.mode())
		}
	})
}

// TestALockStepReplayIsComparedAtReadyAlone: nobody asks anything while market
// time stands.
func TestALockStepReplayIsComparedAtReadyAlone(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		var asked atomic.Int32
		k.asking(func(string) { asked.Add(1) })
		time.Sleep(10 * time.Minute)
		if n := asked.Load(); n != 0 {
			t.Errorf("asked %d times", n)
		}
		k.venue(func() { k.held = heldAt("25") })
		if _, err := r.desk.recover(context.Background(), k); err != nil {
			t.Fatal(err)
		}
		if r.position() != market.Shares(25) || r.mode() != broker.ReduceOnly {
			t.Errorf("position %v, mode %s", r.position(), r.mode())
		}
	}, func(r *rig, c *Config) {
		c.Progress = true
		r.session.facts.Speed, r.session.facts.Simulated = 0, true
	})
}

// TestNeverTwoQuestionsAtOnce: a gateway that takes its time is asked the next
// time when it has answered.
func TestNeverTwoQuestionsAtOnce(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		var inside, most, total atomic.Int32
		k.asking(func(string) {
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			total.Add(1)
			time.Sleep(2 * time.Second)
			inside.Add(-1)
		})
		time.Sleep(3 * time.Minute)
		if most.Load() != 1 || total.Load() < 12 {
			t.Errorf("%d at once, %d in all", most.Load(), total.Load())
		}
	})
}

// TestAWedgedQuestionEnds: the look is bounded, and the session's end ends it.
func TestAWedgedQuestionEnds(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		k.venue(func() { k.hang = "positions" })
		time.Sleep(2 * time.Minute)
		if n := r.out.named("reconciliation_failed"); n != 1 {
			t.Errorf("told %d times", n)
		}
		k.venue(func() { k.hang = "" })
		time.Sleep(time.Minute)
		k.venue(func() { k.hang = "executions" })
		time.Sleep(31 * time.Second) // it hangs in the question now, and rig.stop ends the session
	})
}

// TestFindingsAreBounded keeps the newest.
func TestFindingsAreBounded(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		for range 3 * books.KeepFindings {
			r.desk.turn <- struct{}{}
			turn := r.desk.begin()
			r.desk.books.Found(turn, broker.Finding{Kind: books.FindOrder, Explained: true})
			r.desk.follow(turn)
			r.desk.give()
		}
		if n := len(r.desk.State(context.Background()).Findings); n != books.KeepFindings {
			t.Errorf("%d findings", n)
		}
	})
}

var errRefused = errors.New("321: the API interface is in Read-Only mode")

// TestAnOrderThatTheBrokerListsAfterItsEndIsOpenedAgain: an event that was
// overtaken opens nothing, two confirmed lists do, and a person has to look. What
// is open again is in reach of a halt.
func TestAnOrderThatTheBrokerListsAfterItsEndIsOpenedAgain(t *testing.T) {
	for _, end := range []order.Signal{order.CancelDone, order.Refused} {
		reconciling(t, func(t *testing.T, r *rig, k *knowing) {
			r.ask(buy("a"))
			r.send(described(151, "a", order.WorkingNow), executed(151, "a", "x.01", "4"))
			r.send(status(151, end))
			ended := r.order("a").State
			r.send(described(151, "a", order.Acked)) // was overtaken
			k.venue(func() {
				k.open = []broker.OrderReport{described(151, "a", order.Acked)}
				k.fills, k.held = []broker.ExecutionReport{executed(151, "a", "x.01", "4")}, heldAt("4")
			})
			time.Sleep(31 * time.Second)
			synctest.Wait()
			if o := r.order("a"); o.State != ended || len(r.found()) != 0 {
				t.Errorf("after one list: %v, %+v", o.State, r.found())
			}
			time.Sleep(lookSoonAfter)
			synctest.Wait()
			if o := r.order("a"); o.State != order.Cancelling || o.Remaining() != market.Shares(6) { // as reduce_only ends entries
				t.Errorf("after two: %+v", o)
			}
			if len(r.found()) != 1 || r.found()[0].Explained || r.found()[0].Ref != "a" || r.mode() != broker.ReduceOnly {
				t.Errorf("findings %+v, mode %s", r.found(), r.mode())
			}
			halt(t, r)
			if got := r.sent(); len(got) != 1 || got[0] != 151 {
				t.Errorf("a halt cancels %v", got)
			}
		})
	}
}

// TestAListThatIsLateOpensNothing: one list may have been made before the end.
func TestAListThatIsLateOpensNothing(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow), status(151, order.CancelDone))
		k.venue(func() { k.open = []broker.OrderReport{described(151, "a", order.WorkingNow)} })
		time.Sleep(31 * time.Second)
		k.venue(func() { k.open = nil })
		time.Sleep(5 * time.Minute)
		if o := r.order("a"); o.State != order.Cancelled || len(r.found()) != 0 {
			t.Errorf("%v, %+v", o.State, r.found())
		}
	})
}

// TestAFullOrderThatTheBrokerListsIsTold: executions say what was filled; that
// the list says otherwise is told once.
func TestAFullOrderThatTheBrokerListsIsTold(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		r.ask(buy("a"))
		f := executed(151, "a", "x.01", "10")
		r.send(described(151, "a", order.WorkingNow), f)
		k.venue(func() {
			k.fills, k.held, k.open = []broker.ExecutionReport{f}, heldAt("10"), []broker.OrderReport{described(151, "a", order.WorkingNow)}
		})
		time.Sleep(10 * time.Minute)
		if o := r.order("a"); o.State != order.Filled || len(r.found()) != 1 || r.mode() != broker.ReduceOnly {
			t.Errorf("%v, findings %+v, mode %s", o.State, r.found(), r.mode())
		}
	})
}

// TestMoreThanAnOrderAskedForIsRaised is the overfill guard of field-lessons
// §2.13: broker and books agree about the position, so that nothing else says
// it. With a change in flight the larger quantity counts.
func TestMoreThanAnOrderAskedForIsRaised(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		resting(t, r)
		r.ask(changeOf("m1", "a", "20", "180"))
		fills := []broker.ExecutionReport{executed(151, "a", "x.01", "15"), executed(151, "a", "y.01", "10")}
		r.send(fills[0])
		if r.mode() != broker.Active || len(r.found()) != 0 {
			t.Errorf("15 of perhaps 20: %s, %+v", r.mode(), r.found())
		}
		r.send(fills[1])
		if len(r.found()) != 1 || r.found()[0].Explained || r.found()[0].Ref != "a" || r.mode() != broker.ReduceOnly || r.position() != market.Shares(25) {
			t.Errorf("25 of at most 20: %s, %+v", r.mode(), r.found())
		}
	})
}

// found returns the findings that were told, once nothing moves.
func (r *rig) found() []broker.Finding {
	synctest.Wait()
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	return slices.Clone(r.out.findings)
}
