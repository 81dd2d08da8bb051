package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// stands returns how AAPL's data stands.
func (r *rig) stands() event.DataState { return r.desk.State(context.Background()).Data[0] }

// subscribed counts the subscriptions since the last call, and forgets the
// other calls.
func (r *rig) subscribed() (n int) {
	for _, c := range r.take() {
		if strings.HasPrefix(c, "subscribe ") {
			n++
		}
	}
	return n
}

func (r *rig) wants(t *testing.T, when, state string, subscribed int) {
	t.Helper()
	synctest.Wait()
	if s := r.stands(); s.State != state {
		t.Errorf("%s: AAPL is %s (%s), want %s", when, s.State, s.Cause, state)
	}
	if n := r.subscribed(); n != subscribed {
		t.Errorf("%s: subscribed %d times, want %d", when, n, subscribed)
	}
}

// calm ticks AAPL once a second for a while.
func (r *rig) calm(d time.Duration) {
	for range int(d / time.Second) {
		time.Sleep(time.Second)
		r.tick("AAPL", "187")
	}
	synctest.Wait()
}

// mute has subscriptions bring no tick.
func (r *rig) mute() { r.session.subscribing(nil) }

// TestAStaleSymbolIsAskedForAgain is field-lessons §2.7: what stops in its
// session is stale, whatever the codes say, and asked for at once, then after
// 30 s, 1, 2, 5 and 5 minutes, until a tick comes. In vain it degrades the link.
func TestAStaleSymbolIsAskedForAgain(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.calm(40 * time.Second)
		r.mute()
		r.take()
		time.Sleep(29 * time.Second)
		r.wants(t, "after 29 s", "live", 0)
		time.Sleep(3 * time.Second)
		r.wants(t, "after 32 s", "stale", 1)
		time.Sleep(8 * time.Second)
		if synctest.Wait(); slices.ContainsFunc(r.take(), func(c string) bool { return strings.HasPrefix(c, "degrade") }) {
			t.Error("degraded before the subscription was in vain")
		}
		time.Sleep(4 * time.Second) // 10 s after the subscription
		synctest.Wait()
		if calls := r.take(); len(calls) != 1 || !strings.HasPrefix(calls[0], "degrade no wanted symbol has data: AAPL stale: no tick since ") {
			t.Errorf("calls %q", calls)
		}
		at := 12 * time.Second // since the subscription
		for i, gap := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
			time.Sleep(gap - at - 2*time.Second)
			r.wants(t, fmt.Sprintf("shortly before wait %d is over", i+1), "stale", 0)
			time.Sleep(4 * time.Second)
			r.wants(t, fmt.Sprintf("when wait %d is over", i+1), "stale", 1)
			at = 2 * time.Second
		}
		r.tick("AAPL", "190")
		synctest.Wait()
		wantCalls(t, r, "recover")
		if f := r.desk.State(context.Background()).Health.Data[0]; f.State != "live" || f.Last == nil || f.Asked != 7 {
			t.Errorf("freshness %+v", f)
		}
	})
}

// TestAFarmBlipIsVerified is field-lessons §2.7 and §2.8: a farm that breaks and
// comes back costs no session and no state; streams that stay dead are found by
// the deadline for data, and asked for under a new id.
func TestAFarmBlipIsVerified(t *testing.T) {
	blip := func(r *rig) {
		r.send(broker.Notice{Kind: broker.NoticeDataDown, Code: 2103, Text: "broken:usfarm"})
		time.Sleep(3 * time.Second)
		r.send(broker.Notice{Kind: broker.NoticeDataUp, Code: 2104, Text: "OK:usfarm"})
	}
	t.Run("streams live", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			r.take()
			blip(r)
			r.calm(12 * time.Second)
			r.wants(t, "after the blip", "live", 0)
		})
	})
	t.Run("streams are dead", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			r.calm(2 * time.Second) // also soon after the first subscription
			r.take()
			blip(r)
			time.Sleep(9 * time.Second)
			r.wants(t, "within the deadline", "live", 0)
			time.Sleep(3 * time.Second)
			r.wants(t, "after it", "live", 1) // the new stream ticks
			if n := len(r.out.states); r.out.states[n-2].State != "stale" || !strings.Contains(r.out.states[n-2].Cause, "2104") {
				t.Errorf("told %+v", r.out.states[n-2])
			}
		})
	})
}

// TestBackIsNotBelieved: after 1102 the time is asked, orders, executions and
// positions are asked, and every symbol that ticked must tick again.
func TestBackIsNotBelieved(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.calm(40 * time.Second)
		r.mute()
		r.take()
		var mu sync.Mutex
		var asked []string
		r.session.asking(func(what string) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, what)
		})
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		time.Sleep(5 * time.Second)
		r.send(broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102, Text: "restored"})
		for _, what := range []string{"time", "open orders", "executions", "positions"} {
			mu.Lock()
			if !slices.Contains(asked, what) {
				t.Errorf("%s was not asked: %q", what, asked)
			}
			mu.Unlock()
		}
		if s := r.stands(); s.State != "wanted" || !strings.Contains(s.Cause, "1102") {
			t.Errorf("believed: %+v", s)
		}
		time.Sleep(12 * time.Second)
		synctest.Wait()
		// No tick: asked for under a new id, in vain, and then told.
		time.Sleep(12 * time.Second)
		synctest.Wait()
		calls := r.take()
		if len(calls) < 3 || calls[0] != "degrade lost" || calls[1] != "subscribe AAPL" && calls[2] != "subscribe AAPL" {
			t.Errorf("calls %q", calls)
		}
		if last := calls[len(calls)-1]; !strings.HasPrefix(last, "degrade no wanted symbol has data: AAPL stale") {
			t.Errorf("calls %q", calls)
		}
		r.tick("AAPL", "1")
		synctest.Wait()
		wantCalls(t, r, "recover")
	})
}

// TestDataLostAwaitsTheFirstTick: after 1101 all is subscribed anew, and what
// stays silent is blocked and asked for again.
func TestDataLostAwaitsTheFirstTick(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.calm(40 * time.Second)
		r.mute()
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		r.take()
		r.send(broker.Notice{Kind: broker.NoticeDataLost, Code: 1101, Text: "data lost"})
		r.wants(t, "at once", "wanted", 1)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if s := r.stands(); s.State != "blocked" || s.Cause != floor.CauseRenewed {
			t.Errorf("without a tick: %+v", s)
		}
		r.take()
		time.Sleep(20 * time.Second)
		r.wants(t, "after 32 s", "blocked", 1)
		r.tick("AAPL", "1")
		r.wants(t, "with a tick", "live", 0)
	})
}

// TestOneSymbolThatLivesIsEnough: the link is worse only when no wanted symbol
// has data, and each symbol is judged for itself.
func TestOneSymbolThatLivesIsEnough(t *testing.T) {
	two := func(r *rig, _ *Config) {
		msft := r.session.details["AAPL"][0]
		msft.Contract.Symbol, msft.Contract.ConID = "MSFT", 272093
		r.session.details["MSFT"] = []market.Details{msft}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, two)
		r.desk.Steps([]market.Symbol{"AAPL", "MSFT"})
		r.serve()
		r.climb(t)
		r.mute()
		r.calm(40 * time.Second) // AAPL
		synctest.Wait()
		list := r.desk.State(context.Background()).Data
		if list[0].State != "live" || list[1].State != "stale" {
			t.Errorf("%+v", list)
		}
		for _, c := range r.take() {
			if strings.HasPrefix(c, "degrade") {
				t.Errorf("call %s", c)
			}
		}
		r.stop(t)
	})
}

// TestOutsideTheSessionNothingIsStale: at the close data is closed, without an
// alarm; at the next opening the first tick is awaited.
func TestOutsideTheSessionNothingIsStale(t *testing.T) {
	hours := func(r *rig, _ *Config) {
		r.session.details["AAPL"][0].Liquid = market.Hours{
			{Open: day.Add(-time.Hour), Close: day.Add(10 * time.Minute)},
			{Open: day.Add(time.Hour), Close: day.Add(3 * time.Hour)},
		}
	}
	in(t, func(t *testing.T, r *rig) {
		r.calm(9 * time.Minute)
		r.mute()
		r.take()
		time.Sleep(20 * time.Minute)
		r.wants(t, "after the close", "closed", 0) // between the last tick and the close it was stale once
		time.Sleep(30 * time.Minute)
		r.wants(t, "shortly before the opening", "closed", 0)
		time.Sleep(time.Minute + 30*time.Second)
		if s := r.stands(); s.State != "wanted" || s.Cause != floor.CauseOpened {
			t.Errorf("after the opening: %+v", s)
		}
		time.Sleep(time.Minute)
		r.wants(t, "a minute without a tick", "stale", 1)
		r.tick("AAPL", "3")
		r.wants(t, "with a tick", "live", 0)
	}, hours, func(r *rig, c *Config) { c.StaleAfter, r.uncal = 5*time.Minute, true })
}

// TestAHaltedSymbolIsNotStale: no ticks are what a halt is.
func TestAHaltedSymbolIsNotStale(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		halt := func(n int64) {
			r.session.batches <- broker.Batch{Ticks: []market.Tick{{Symbol: "AAPL", Kind: market.TickHalted, Known: true, Size: market.Shares(n)}}}
		}
		r.take()
		halt(1)
		time.Sleep(10 * time.Minute)
		r.wants(t, "halted", "live", 0)
		if s := r.stands(); s.Cause != floor.CauseHalted {
			t.Errorf("cause %q", s.Cause)
		}
		halt(0)
		time.Sleep(2 * time.Second)
		r.wants(t, "trading again without a tick", "live", 1)
	})
}

// TestCompetingSession is field-lessons §2.21: it is shown with the way out, and
// asked again every minute.
func TestCompetingSession(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		compete := broker.Notice{Kind: broker.NoticeCompeting, Code: 10197, Text: "No market data during competing live session", Symbol: "AAPL"}
		r.session.subscribing(func(market.Symbol) {
			go func() { r.session.batches <- broker.Batch{Events: []broker.Event{compete}} }() // ends when it is read
		})
		r.take()
		r.send(compete)
		if s := r.stands(); s.State != "blocked" || !strings.Contains(s.Cause, "user name of its own") {
			t.Errorf("%+v", s)
		}
		if calls := r.take(); len(calls) != 1 || !strings.HasPrefix(calls[0], "degrade no wanted symbol has data: AAPL blocked: another session") {
			t.Errorf("calls %q", calls)
		}
		for range 5 {
			time.Sleep(time.Minute + time.Second)
			r.wants(t, "a minute later", "blocked", 1)
		}
		r.session.subscribing(func(s market.Symbol) { go r.tick(s, "5") })
		time.Sleep(time.Minute + time.Second)
		r.wants(t, "when it is over", "live", 1)
	})
}

// TestExecutionsWhileTheVenueIsLost is field-lessons §2.1: entries are refused,
// and what comes is folded all the same.
func TestExecutionsWhileTheVenueIsLost(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		r.desk.LinkChanged(broker.Link{State: broker.Degraded}) // as the supervisor does
		r.send(executed(151, "a", "e1", "10"))
		if o := r.order("a"); o.State != order.Filled {
			t.Errorf("the order is %v", o.State)
		}
		r.ask(buy("b"))
		if v := r.views[len(r.views)-1]; v.Link != broker.Degraded || v.Link.Trades() {
			t.Errorf("the gate sees a link that is %v", v.Link)
		}
	})
}

// TestInformationEndsNoOrder is field-lessons §2.18: news about an order, known
// or not, changes nothing of it; a refused cancel ends the cancel.
func TestInformationEndsNoOrder(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(status(151, order.WorkingNow))
		for _, n := range []broker.Notice{
			{Kind: broker.NoticeInfo, Code: 10349},
			{Kind: broker.NoticeWarning, Code: 399},
			{Kind: broker.NoticeWarning, Code: 99999},
			{Kind: broker.NoticeCancelled, Code: 202}, // its status is authoritative
		} {
			n.OrderID, n.Text = 151, "news"
			r.send(n)
			if o := r.order("a"); o.State != order.Working {
				t.Errorf("after %d it is %v", n.Code, o.State)
			}
		}
		r.session.open = []broker.OrderReport{described(151, "a", order.WorkingNow)}
		r.ask(cancelOf("c", "a"))
		r.send(broker.Notice{Kind: broker.NoticeNoCancel, Code: 10148, OrderID: 151, Text: "cannot be cancelled"})
		if o := r.order("a"); o.State != order.Working {
			t.Errorf("after a refused cancel it is %v", o.State)
		}
	})
}

// TestDialogSuspect is field-lessons §2.22: an order that the socket took and
// the gateway does not describe within 3 s.
func TestDialogSuspect(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.ask(buy("b"))
		r.send(status(152, order.Acked))
		time.Sleep(2900 * time.Millisecond)
		if n := r.out.named("dialog_suspect"); n != 0 {
			t.Error("too early")
		}
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		if o := r.order("a"); r.out.named("dialog_suspect") != 1 || !strings.Contains(o.Note, "the gateway may show a dialog") || o.State != order.Sent {
			t.Errorf("told %d times, %v: %s", r.out.named("dialog_suspect"), o.State, o.Note)
		}
		time.Sleep(time.Minute)
		if n := r.out.named("dialog_suspect"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestReadOnlyAPI: 321 refuses places with the way out, lets cancels pass, and
// ends with the session.
func TestReadOnlyAPI(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(status(151, order.WorkingNow))
		r.send(broker.Notice{Kind: broker.NoticeReadOnly, Code: 321, Text: "The API interface is currently in Read-Only mode."})
		if reply := r.ask(buy("b")); reply.Rule != "read_only_api" || !strings.Contains(reply.Reason, "untick Read-Only API") {
			t.Errorf("%+v", reply)
		}
		if reply := r.ask(cancelOf("c", "a")); reply.Result != event.Written {
			t.Errorf("a cancel: %+v", reply)
		}
		_ = r.session.Close(context.Background())
		<-r.served
		r.session = newSession(r.trace)
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "11") }
		r.session.open = []broker.OrderReport{described(151, "a", order.CancelSent)}
		r.serve()
		r.climb(t)
		if reply := r.ask(buy("d")); reply.Result != event.Written {
			t.Errorf("in the next session: %+v", reply)
		}
	})
}

// TestASilentGatewayDegrades: the first missed time request does, before the
// session is given up.
func TestASilentGatewayDegrades(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.send(broker.Notice{Kind: broker.NoticeSilent, Text: "no answer since 15:00"})
		wantCalls(t, r, "degrade no answer since 15:00")
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Text: "lost"}, broker.Notice{Kind: broker.NoticeAnswers})
		wantCalls(t, r, "degrade no answer since 15:00", "degrade lost")
	})
}

// TestAContractThatChanged blocks the symbol: what is held is of the other one.
func TestAContractThatChanged(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		_ = r.session.Close(context.Background())
		<-r.served
		r.session = newSession(r.trace)
		r.session.details["AAPL"][0].Contract.ConID = 999
		r.serve()
		r.climb(t)
		if s := r.stands(); s.State != "blocked" || !strings.Contains(s.Cause, "999 now and was 265598") || r.out.named("contract_changed") != 1 {
			t.Errorf("%+v, told %d times", s, r.out.named("contract_changed"))
		}
		r.take()
		time.Sleep(20 * time.Minute)
		r.wants(t, "later", "blocked", 0)
	})
	in(t, func(t *testing.T, r *rig) { // an answer about another symbol is none
		r.session.details["AAPL"][0].Contract.Symbol = "NVDA"
		if err := r.desk.subscribe(context.Background(), r.session, "AAPL", false); err != nil || r.stands().State != "blocked" {
			t.Errorf("%+v, %v", r.stands(), err)
		}
	})
}

// TestHoursAreAskedEachDay: sessions roll over midnight in New York.
func TestHoursAreAskedEachDay(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		var asked atomic.Int32
		r.session.asking(func(what string) {
			if what == "details AAPL" {
				asked.Add(1)
			}
		})
		next := day.Add(22*time.Hour + 30*time.Minute) // 9:30 of the day after; Good Friday, so the venue's word is held against none
		r.session.details["AAPL"][0].Liquid = append(r.session.details["AAPL"][0].Liquid, market.Span{Open: next, Close: next.Add(time.Hour)})
		time.Sleep(12 * time.Hour) // 23:00 in New York
		if asked.Load() != 0 {
			t.Errorf("asked %d times on the same day", asked.Load())
		}
		r.session.fails("details AAPL", broker.ErrNoAnswer)
		time.Sleep(time.Hour + 2*time.Second)
		r.session.fails("details AAPL", nil)
		if asked.Load() != 1 || r.out.named("hours_not_read") != 1 {
			t.Errorf("after midnight asked %d times, told %d times that it failed", asked.Load(), r.out.named("hours_not_read"))
		}
		time.Sleep(floor.HoursAgain + 2*time.Second)
		synctest.Wait()
		if got := r.desk.State(context.Background()).Details["AAPL"].Liquid; asked.Load() != 2 || len(got) != 2 {
			t.Errorf("asked %d times, hours %v", asked.Load(), got)
		}
		r.mute()
		time.Sleep(9*time.Hour + 15*time.Minute)
		r.take()
		time.Sleep(11*time.Minute + 15*time.Second)
		r.wants(t, "at the opening of the next day", "stale", 1)
	}, func(r *rig, _ *Config) { r.uncal = true })
}

// TestEveryQuestionHasADeadline is field-lessons §2.19 and §10.6 of the protocol
// sheet: a session that answers nothing fails each rung by its name and deadline,
// and holds nobody for ever.
func TestEveryQuestionHasADeadline(t *testing.T) {
	for question, rung := range map[string]string{
		"time": broker.RungClock, "account": broker.RungAccount, "watch": broker.RungAccount,
		"open orders": broker.RungRecovered, "executions": broker.RungRecovered, "positions": broker.RungRecovered,
		"details AAPL": broker.RungData,
	} {
		t.Run(question, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.session.hang = question
				r.serve()
				for _, step := range r.desk.Steps([]market.Symbol{"AAPL"}) {
					ctx, cancel := context.WithTimeout(context.Background(), step.Deadline)
					began := time.Now()
					_, err := step.Run(ctx, r.session)
					cancel()
					if (err != nil) != (step.Name == rung) {
						t.Errorf("%s: %v", step.Name, err)
					}
					if err != nil {
						if took := time.Since(began); took != step.Deadline {
							t.Errorf("%s took %v, its deadline is %v: %v", step.Name, took, step.Deadline, err)
						}
						break
					}
				}
				r.stop(t)
			})
		})
	}
}
