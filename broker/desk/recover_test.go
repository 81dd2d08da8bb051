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
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestRecovery(t *testing.T) {
	past := func(ref string, id int64, state order.State) order.Order {
		o := described(id, ref, 0).Order
		o.State, o.PermID = state, 0
		return o
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(r *rig, _ *Config) {
			r.journal.past = broker.Books{
				Orders: []order.Order{
					past("working", 11, order.Working), past("filled-away", 12, order.Sent), past("gone", 13, order.Working),
					past("never-written", 14, order.Intended), past("old", 10, order.Filled),
					past("written-and-died", 15, order.Intended), past("filled-and-died", 16, order.Intended),
				},
				Fills: []order.Fill{executed(10, "old", "e0", "10").Fill},
				Sent:  []broker.SentRecord{{At: day.Add(-10 * time.Second), Notional: market.MustMoney("500")}},
			}
			s := r.session
			s.open = []broker.OrderReport{described(11, "working", order.WorkingNow), described(15, "written-and-died", order.WorkingNow)}
			s.fills = []broker.ExecutionReport{executed(10, "old", "e0", "10"), executed(12, "filled-away", "e1", "10"), executed(16, "filled-and-died", "e2", "10")}
			s.costs = []broker.CommissionReport{cost("e0"), cost("e1")}
			s.held = []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(20), AvgCost: market.MustPrice("187").Ptr()}}
		})
		if s := r.desk.State(context.Background()); s.Positions != nil || len(s.Orders) != 7 || len(s.Fills) != 1 {
			t.Errorf("before the first session: %d orders, positions %v", len(s.Orders), s.Positions)
		}
		r.serve()
		if _, err := r.desk.stepClock(context.Background(), r.session); err != nil {
			t.Fatal(err)
		}
		note, err := r.desk.recover(context.Background(), r.session)
		if err != nil || note != "2 working, 2 unknown to the broker, 1 positions" {
			t.Errorf("note %q, %v", note, err)
		}
		for ref, want := range map[string]order.State{
			"working": order.Working, "filled-away": order.Filled, "gone": order.Unknown,
			"never-written": order.Unknown, "old": order.Filled,
			"written-and-died": order.Working, "filled-and-died": order.Filled,
		} {
			if o := r.order(ref); o.State != want {
				t.Errorf("order %s is %v, want %v", ref, o.State, want)
			}
		}
		if len(r.out.notices) > 0 {
			t.Errorf("notices %+v", r.out.notices)
		}
		s := r.desk.State(context.Background())
		if len(s.Positions) != 1 || s.Positions[0].Qty != market.Shares(20) {
			t.Errorf("positions %+v: the executions are in the venue's answer already", s.Positions)
		}
		if len(s.Fills) != 3 || s.Fills[0].Commission == nil {
			t.Errorf("fills %+v", s.Fills)
		}
		r.climb(t)
		if reply := r.ask(buy("early")); reply.Rule != "unknown_order" {
			t.Errorf("with unknown orders: %+v", reply)
		}
		r.send(status(13, order.CancelDone), status(14, order.CancelDone)) // the broker tells
		if reply := r.ask(buy("next")); reply.OrderID != 151 {             // the journal's mark is 150
			t.Errorf("number %d", reply.OrderID)
		}
		if v := r.views[0]; len(v.Sent) != 1 || v.SentNotional != market.MustMoney("500") || len(v.Open) != 2 {
			t.Errorf("view: sent %v, notional %v, open %d", v.Sent, v.SentNotional, len(v.Open))
		}
		r.stop(t)
	})
}

// TestASimulatedGatewayForgetsNothing: what it does not list has ended, when a
// second look finds the same.
func TestASimulatedGatewayForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, _ *Config) {
			r.session.facts.Simulated = true
			o := described(11, "a", 0).Order
			o.State = order.Working
			r.journal.past.Orders = []order.Order{o}
			r.journal.past.Sent = []broker.SentRecord{{At: day, Notional: market.MustMoney("5")}}
		})
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("order %v", o.State)
		}
		time.Sleep(30 * time.Second)
		if o := r.order("a"); o.State != order.Cancelled {
			t.Errorf("order %v", o.State)
		}
		r.ask(buy("b"))
		if v := r.views[0]; len(v.Sent) != 0 || !v.SentNotional.IsZero() {
			t.Errorf("another run counts: %v, %v", v.Sent, v.SentNotional)
		}
		r.stop(t)
	})
}

// TestExecutionsWhilePositionsAreAsked: each is counted once, whether it came
// before or after the venue counted.
func TestExecutionsWhilePositionsAreAsked(t *testing.T) {
	for when, question := range []string{"open orders", "positions"} {
		t.Run("during "+question, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				s := r.session
				asked := 0
				s.between = func(q string) {
					if q != question {
						return
					}
					if asked++; asked == 1 {
						ex := executed(77, "", "e1", "5")
						s.fills = append(slices.Clone(s.fills), ex)
						if when == 0 { // counted; else the answer is older than the execution
							s.held = []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(5)}}
						}
						r.send(ex)
					} else {
						s.held = []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(5)}}
					}
				}
				if _, err := r.desk.recover(context.Background(), s); err != nil {
					t.Fatal(err)
				}
				if p := r.desk.State(context.Background()).Positions; len(p) != 1 || p[0].Qty != market.Shares(5) {
					t.Errorf("positions %+v", p)
				}
			})
		})
	}
	t.Run("after all answers", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			n := 0
			r.session.between = func(q string) {
				if n++; q == "executions" && n == 4 { // the last question; its answer does not hold it
					r.send(executed(77, "", "e1", "5"))
				}
			}
			if _, err := r.desk.recover(context.Background(), r.session); err != nil || n != 4 {
				t.Fatal(n, err)
			}
			if p := r.desk.State(context.Background()).Positions; len(p) != 1 || p[0].Qty != market.Shares(5) {
				t.Errorf("positions %+v", p)
			}
		})
	})
}

func TestAFailedAnswerFailsTheRung(t *testing.T) {
	for _, tt := range []struct{ what, step string }{
		{"time", "clock"},
		{"account", "account"},
		{"watch", "account"},
		{"open orders", "recovered"},
		{"executions", "recovered"},
		{"positions", "recovered"},
		{"details AAPL", "data"},
		{"subscribe AAPL", "data"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.session.fail[tt.what] = broker.ErrNoAnswer
				for _, s := range r.steps() {
					if s.Name != tt.step {
						continue
					}
					if note, err := s.Run(context.Background(), r.session); !errors.Is(err, broker.ErrNoAnswer) {
						t.Errorf("rung %s: %q, %v", s.Name, note, err)
					}
				}
			})
		})
	}
	in(t, func(t *testing.T, r *rig) {
		r.session.values = nil
		if _, err := r.desk.stepAccount(context.Background(), r.session); err == nil {
			t.Error("an account without values passed")
		}
	})
}

func TestTheClockTellsSkew(t *testing.T) {
	for _, tt := range []struct {
		off       time.Duration
		simulated bool
		warns     bool
	}{{0, false, false}, {-1500 * time.Millisecond, false, false}, {10 * time.Second, false, true}, {-time.Hour, false, true}, {time.Hour, true, false}} {
		in(t, func(t *testing.T, r *rig) {
			r.session.at = time.Now().Add(tt.off)
			r.session.facts.Simulated = tt.simulated
			note, err := r.desk.stepClock(context.Background(), r.session)
			if err != nil || strings.Contains(note, "warning") != tt.warns {
				t.Errorf("off by %v: %q, %v", tt.off, note, err)
			}
		})
	}
}

func TestLockStepTimeMovesWithTicksAndIntentsOnly(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		now := func() time.Time { return r.desk.State(context.Background()).Market }
		time.Sleep(time.Minute)
		if got := now(); !got.Equal(day) {
			t.Errorf("market time went to %v by itself", got)
		}
		intent := buy("a")
		intent.At = day.Add(time.Second)
		r.ask(intent)
		if got := r.views[0].Now; !got.Equal(intent.At) {
			t.Errorf("the gate saw %v", got)
		}
		r.session.at = day.Add(3 * time.Second)
		r.tick("AAPL", "1")
		r.send()
		if got := now(); !got.Equal(r.session.at) {
			t.Errorf("market time is %v after a tick", got)
		}
	}, func(r *rig, _ *Config) {
		r.session.facts.Speed, r.session.facts.Simulated = 0, true
	})
}

func TestTheGatewayLosesTheVenue(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		var watched atomic.Int32
		r.session.between = func(what string) {
			if what == "watch" {
				watched.Add(1)
			}
		}
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "connectivity lost"})
		wantCalls(t, r, "degrade connectivity lost")
		r.session.fails("open orders", broker.ErrNoAnswer)
		r.session.fills = []broker.ExecutionReport{executed(77, "", "e1", "5")}
		r.send(broker.Notice{Kind: broker.NoticeDataLost, Code: 1101, Text: "data lost"})
		time.Sleep(time.Second)
		wantCalls(t, r) // as long as the truth is not known, it stays degraded
		r.session.fails("open orders", nil)
		time.Sleep(choreRetry)
		if n := watched.Load(); n != 1 {
			t.Errorf("the account was watched %d times after its subscription was lost", n)
		}
		wantCalls(t, r, "fill", "subscribe AAPL", "recover")
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Text: "again"}, broker.Notice{Kind: broker.NoticeLinkUp})
		wantCalls(t, r, "degrade again") // that data is back is not believed
		r.tick("AAPL", "12")
		synctest.Wait()
		wantCalls(t, r, "recover")
	})
}

func TestHistory(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		ask := func(s market.Symbol) event.HistoryReply {
			return r.desk.history(context.Background(), event.HistoryQuery{Symbol: s, Span: time.Hour, Width: time.Minute})
		}
		if reply := ask("AAPL"); reply.Error != "" || len(reply.Bars) != 1 {
			t.Errorf("%+v", reply)
		}
		if reply := ask("MSFT"); !strings.Contains(reply.Error, "MSFT") || reply.Bars != nil {
			t.Errorf("%+v", reply)
		}
		r.session.fail["bars"] = broker.ErrNoAnswer
		if reply := ask("AAPL"); !strings.Contains(reply.Error, "no answer") {
			t.Errorf("%+v", reply)
		}
	})
}

func TestAccountValuesAreToldWhenTheyChange(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		v := r.session.values[0]
		before := len(r.out.values)
		r.send(v) // as it was
		changed, other := v, v
		changed.Value, other.Account = "2000", "DU2"
		r.send(changed, other)
		if got := r.out.values[before:]; len(got) != 1 || len(got[0].Values) != 1 || got[0].Values[0].Value != "2000" {
			t.Errorf("told %+v", got)
		}
	})
}

// TestTheVenueIsLostAgainWhileCatchingUp has the link flap, as it does at
// night: the end of the first loss is not the end of the second.
func TestTheVenueIsLostAgainWhileCatchingUp(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		var hold atomic.Bool
		hold.Store(true)
		r.session.between = func(what string) {
			if what == "positions" && hold.Load() {
				time.Sleep(2 * time.Second)
			}
		}
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"}, broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102})
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost again"})
		time.Sleep(3 * time.Second) // the gateway answers from what it remembers
		wantCalls(t, r, "degrade lost", "degrade lost again")
		hold.Store(false)
		r.send(broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102})
		r.tick("AAPL", "12")
		synctest.Wait()
		wantCalls(t, r, "recover")
	})
}

// TestARefusedCancelAsksHowTheOrderStands: "no such order" to the cancel of an
// order whose outcome is unknown does not make it one that works.
func TestARefusedCancelAsksHowTheOrderStands(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"a", "b"} {
			r.ask(buy(id))
		}
		time.Sleep(2 * DefaultConfig().SilenceAfter)
		if a, b := r.order("a"), r.order("b"); a.State != order.Unknown || b.State != order.Unknown {
			t.Fatalf("silent orders are %v and %v", a.State, b.State)
		}
		r.session.venue(func() { r.session.open = []broker.OrderReport{described(152, "b", order.WorkingNow)} })
		for i, id := range []string{"a", "b"} {
			r.ask(cancelOf("c"+id, id))
			r.send(broker.Notice{Kind: broker.NoticeNoCancel, Code: 10147, OrderID: 151 + int64(i), Text: "not found"})
		}
		if a, b := r.order("a"), r.order("b"); a.State != order.Unknown || b.State != order.Working {
			t.Errorf("the one that is not there is %v, the one that is listed %v", a.State, b.State)
		}
	})
}

// A link must not be ready before the desk has its session: Serve and the
// steps run side by side.
func TestStepsWaitForServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := r.desk.stepClock(short, r.session); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "served") {
			t.Errorf("without Serve: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := r.desk.stepClock(context.Background(), r.session)
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		r.serve()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.stop(t)
	})
}

// A simulated account begins anew with each process, also over a data folder
// that remembers an earlier one; a real account's memory stays.
func TestAnEphemeralAccountBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past := func(ref, account string, id int64, s order.State) order.Order {
			return order.Order{
				Ref: ref, OrderID: id, ClientID: 1, Account: account, Symbol: "AAPL", Side: order.Buy, Type: order.Market,
				TIF: order.Day, Qty: market.Shares(10), State: s,
			}
		}
		r := newRig(t, func(r *rig, c *Config) {
			c.Ephemeral = "DU1"
			r.journal.past = broker.Books{
				Orders: []order.Order{past("gone", "DU1", 7, order.Working), past("ended", "DU1", 8, order.Filled), past("real", "DU2", 9, order.Working)},
				Fills: []order.Fill{
					{ExecID: "a", Account: "DU1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10), Price: market.MustPrice("1")},
					{ExecID: "b", Account: "DU2", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10), Price: market.MustPrice("1")},
				},
			}
		})
		s := r.desk.State(context.Background())
		if len(s.Orders) != 1 || s.Orders[0].Ref != "real" || len(s.Fills) != 1 || s.Fills[0].ExecID != "b" {
			t.Errorf("orders %+v, fills %+v", s.Orders, s.Fills)
		}
		if n := len(r.journal.records); n != 1 || r.journal.records[0].Order.Ref != "gone" || r.journal.records[0].Order.State != order.Cancelled {
			t.Errorf("%d records: %+v", n, r.journal.records)
		}
		r.stop(t)
	})
}
