package desk

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
)

// TestTroubleEndsWithItsSession: bad news that is folded after its session has
// ended says nothing about the next one, which would stay degraded, and have no
// silent symbol asked for again, until somebody said that it is over.
func TestTroubleEndsWithItsSession(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		if err := r.desk.take(t.Context()); err != nil { // an order is on its way to the disk
			t.Fatal(err)
		}
		r.session.batches <- broker.Batch{Events: []broker.Event{
			broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"},
			broker.Notice{Kind: broker.NoticeSilent, Text: "silent"},
			broker.Notice{Kind: broker.NoticeRequest, Code: 354, Text: "not subscribed", Symbol: "AAPL"},
			broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: "1", Currency: "USD"},
		}}
		_ = r.session.Close(t.Context())
		synctest.Wait()
		r.desk.give()
		<-r.served
		if s := r.stands(); s.State != floor.Lost {
			t.Errorf("without a session AAPL is %s (%s)", s.State, s.Cause)
		}
		if p := r.desk.State(t.Context()).Health.Account; p.State != "" {
			t.Errorf("without a session the account's stream is %q", p.State)
		}
		r.session = newSession(r.trace)
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") } // ends when the batch is read
		r.serve()
		r.climb(t)
		r.calm(40 * time.Second)
		r.mute()
		r.take()
		if r.desk.cutOff() {
			t.Error("the new session counts as cut off from the venue")
		}
		time.Sleep(32 * time.Second)
		r.wants(t, "silent in the new session", floor.Stale, 1)
	})
}

// TestABarredSymbolStaysBarred: neither a tick that was on its way nor a next
// session, nor one that tells of the old contract, brings it back.
func TestABarredSymbolStaysBarred(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.session.details["AAPL"][0].Contract.ConID = 999
		if _, err := r.desk.describe(t.Context(), r.session, "AAPL"); err != nil {
			t.Fatal(err)
		}
		r.tick("AAPL", "187")
		r.wants(t, "with a late tick", floor.Blocked, 0)
		_ = r.session.Close(t.Context())
		<-r.served
		r.session = newSession(r.trace) // the old contract
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") }
		r.serve()
		r.climb(t)
		r.wants(t, "in the next session", floor.Blocked, 0)
		if s := r.stands(); !strings.Contains(s.Cause, "999 now and was 265598") {
			t.Errorf("cause %q", s.Cause)
		}
		r.send(broker.Notice{Kind: broker.NoticeDataLost, Code: 1101, Text: "data lost"})
		r.wants(t, "after 1101", floor.Blocked, 0)
	})
}

// TestNotReadyWithoutATick: after 1102 no order enters before a tick has come,
// also when none comes in time and the symbol is asked for again.
func TestNotReadyWithoutATick(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.calm(40 * time.Second)
		r.mute()
		r.take()
		r.send(broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "lost"})
		r.send(broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102, Text: "restored"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if calls := r.take(); slices.Contains(calls, "recover") {
			t.Errorf("recovered without a tick: %q", calls)
		}
		r.tick("AAPL", "1")
		synctest.Wait()
		wantCalls(t, r, "recover")
	})
}

// TestWhatIsNotAskedDoesNotCount: a subscription that there was no time for is
// none, and does not lengthen the wait for the next.
func TestWhatIsNotAskedDoesNotCount(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		before := r.desk.floor.Freshness()[0]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.desk.floor.Move("AAPL", floor.Stale, "silent", time.Now())
		r.desk.renew(ctx, r.desk.held.Load(), []market.Symbol{"AAPL"})
		if l := r.desk.floor.Freshness()[0]; l.Asked != before.Asked {
			t.Errorf("asked %d times after %d", l.Asked, before.Asked)
		}
	})
}

// TestWhatTicksIsNotAskedAgain: a chore that waited behind another one leaves a
// symbol alone that has come back meanwhile.
func TestWhatTicksIsNotAskedAgain(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.desk.renew(t.Context(), r.desk.held.Load(), []market.Symbol{"AAPL"})
		r.wants(t, "alive", floor.Live, 0)
	})
}

// TestTheSilenceBeforeTheOpeningDoesNotCount: a stock that ticked in the early
// trading, and not in its last seconds, is not stale when its session opens.
func TestTheSilenceBeforeTheOpeningDoesNotCount(t *testing.T) {
	hours := func(r *rig, _ *Config) {
		r.uncal = true
		r.session.details["AAPL"][0].Liquid = market.Hours{{Open: day.Add(time.Minute), Close: day.Add(time.Hour)}}
	}
	in(t, func(t *testing.T, r *rig) {
		r.calm(35 * time.Second)
		r.mute()
		r.take()
		time.Sleep(34 * time.Second) // 9 s after the opening
		r.wants(t, "soon after the opening", floor.Wanted, 0)
		time.Sleep(54 * time.Second)
		r.wants(t, "63 s after it", floor.Stale, 1)
	}, hours)
}

// TestARetryAsksForTheRestOnly: after 1101 a symbol that ticks again is left
// alone while another's contract does not come.
func TestARetryAsksForTheRestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(r *rig, _ *Config) {
			msft := r.session.details["AAPL"][0]
			msft.Contract.Symbol, msft.Contract.ConID = "MSFT", 272093
			r.session.details["MSFT"] = []market.Details{msft}
		})
		r.desk.Steps([]market.Symbol{"AAPL", "MSFT"})
		r.serve()
		r.climb(t)
		synctest.Wait()
		r.take()
		r.session.fails("details MSFT", broker.ErrNoAnswer)
		r.send(broker.Notice{Kind: broker.NoticeDataLost, Code: 1101, Text: "data lost"})
		for range 30 {
			time.Sleep(time.Second)
			r.tick("AAPL", "187")
		}
		synctest.Wait()
		if calls := slices.DeleteFunc(r.take(), func(c string) bool { return !strings.HasPrefix(c, "subscribe") }); !slices.Equal(calls, []string{"subscribe AAPL"}) {
			t.Errorf("calls %q, want AAPL's once", calls)
		}
		r.session.fails("details MSFT", nil)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if calls := slices.DeleteFunc(r.take(), func(c string) bool { return !strings.HasPrefix(c, "subscribe") }); !slices.Equal(calls, []string{"subscribe MSFT"}) {
			t.Errorf("calls %q, want MSFT's once", calls)
		}
		r.stop(t)
	})
}
