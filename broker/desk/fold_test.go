package desk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// permute calls fn with every order of list.
func permute[T any](list []T, fn func([]T)) {
	if len(list) < 2 {
		fn(list)
		return
	}
	for i := range list {
		rest := make([]T, 0, len(list)-1)
		rest = append(append(rest, list[:i]...), list[i+1:]...)
		permute(rest, func(p []T) { fn(append([]T{list[i]}, p...)) })
	}
}

// TestReportsInAnyOrder: whatever the order of the reports about an order,
// and whichever comes twice, it ends as one and the same.
func TestReportsInAnyOrder(t *testing.T) {
	one := []broker.Event{
		described(151, "a", order.WorkingNow), status(151, order.FilledUp), executed(151, "a", "e1", "10"), cost("e1"),
	}
	two := []broker.Event{
		described(151, "a", order.Acked), status(151, order.FilledUp),
		executed(151, "a", "e1", "4"), cost("e1"), executed(151, "a", "e2", "6"), cost("e2"),
	}
	in(t, func(t *testing.T, r *rig) {
		n := 0
		for _, reports := range [][]broker.Event{one, two} {
			permute(reports, func(p []broker.Event) {
				r.desk.books = books.New(r.desk.zone)
				r.desk.books.Positions = map[market.Symbol]order.Position{}
				r.desk.books.NextID = 151
				delete(r.journal.intents, "a")
				*r.out = recorder{trace: r.trace}
				r.ask(buy("a"))
				r.send(append(p, p[n%len(p)])...) // one of them twice
				n++
				s := r.desk.State(context.Background())
				o := s.Orders[0]
				if len(s.Orders) != 1 || o.State != order.Filled || o.Filled != market.Shares(10) || o.PermID != 9151 ||
					o.AvgPrice == nil || *o.AvgPrice != market.MustPrice("187.25") {
					t.Fatalf("%T: order is %+v", p, o)
				}
				var qty market.Qty
				for _, f := range s.Fills {
					qty = qty.Add(f.Qty)
					if f.Commission == nil || *f.Commission != market.MustMoney("1") {
						t.Fatalf("%T: fill is %+v", p, f)
					}
				}
				if qty != market.Shares(10) || s.Positions[0].Qty != market.Shares(10) || len(r.out.notices) > 0 {
					t.Fatalf("%T: fills %v, positions %+v, notices %+v", p, qty, s.Positions, r.out.notices)
				}
				if last := r.out.orders[len(r.out.orders)-1]; last.State != order.Filled {
					t.Fatalf("%T: told last: %v", p, last.State)
				}
			})
		}
		t.Logf("%d orders of reports", n)
	})
}

func TestAStatusFillsNothing(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		st := status(151, order.FilledUp)
		st.Filled = market.Shares(10)
		r.send(st)
		if o := r.order("a"); o.State != order.Accepted || !o.Filled.IsZero() {
			t.Errorf("after a status without an execution: %v, %v filled", o.State, o.Filled)
		}
	})
}

func TestWhatIsNotApplied(t *testing.T) {
	wrongRef := described(151, "b", order.CancelDone)
	noRef := described(151, "", order.CancelDone)
	wrongPerm := status(151, order.CancelDone)
	wrongPerm.PermID = 7
	otherAccount := described(151, "a", order.CancelDone)
	otherAccount.Order.Account = "DU2"
	preview := described(151, "a", order.CancelDone)
	preview.WhatIf = true
	oddWord := status(151, order.CancelDone)
	oddWord.Known, oddWord.Status = false, "Pondering"
	sold := executed(151, "a", "e9", "10")
	sold.Fill.Side = order.Sell
	for _, tt := range []struct {
		name, notice string
		report       broker.Event
		fills        int
	}{
		{"another reference", "report_quarantined", wrongRef, 0},
		{"no reference", "report_quarantined", noRef, 0},
		{"another permanent id", "report_quarantined", wrongPerm, 0},
		{"another account", "", otherAccount, 0},
		{"a preview", "", preview, 0},
		{"a word we do not know", "status_unknown", oddWord, 0},
		{"an execution of another order", "report_quarantined", executed(151, "b", "e9", "10"), 1},
		{"an execution of the other side", "report_quarantined", sold, 1},
		{"an execution of nothing", "report_absurd", executed(151, "a", "e9", "0"), 0},
		{"an execution beyond reason", "report_absurd", executed(151, "a", "e9", "90000000000"), 0},
		{"an illegal step", "illegal_step", broker.Notice{Kind: broker.NoticeReject, OrderID: 152, Text: "no"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.ask(buy("a"))
				r.ask(buy("z"))
				r.send(described(151, "a", order.WorkingNow), executed(152, "z", "e1", "10"))
				r.send(tt.report)
				if o := r.order("a"); o.State != order.Working || !o.Filled.IsZero() {
					t.Errorf("order is %v, %v filled", o.State, o.Filled)
				}
				if o := r.order("z"); o.State != order.Filled {
					t.Errorf("the other order is %v", o.State)
				}
				if tt.notice != "" && r.out.named(tt.notice) != 1 {
					t.Errorf("notices %+v, want one %s", r.out.notices, tt.notice)
				}
				// What was executed happened, whosever it is.
				if got := len(r.desk.State(context.Background()).Fills) - 1; got != tt.fills {
					t.Errorf("%d fills, want %d", got, tt.fills)
				}
			})
		})
	}
}

func TestOrdersMadeElsewhereAreShown(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		rep := described(5, "", order.WorkingNow)
		rep.Order.ClientID = 0
		ex := executed(5, "", "e1", "10")
		ex.Fill.ClientID = 0
		r.send(rep, ex)
		s := r.desk.State(context.Background())
		if len(s.Orders) != 1 || s.Orders[0].Ref != "" || s.Orders[0].State != order.Filled || s.Positions[0].Qty != market.Shares(10) {
			t.Errorf("state %+v %+v", s.Orders, s.Positions)
		}
		if reply := r.ask(buy("a")); reply.OrderID != 151 {
			t.Errorf("number %d", reply.OrderID)
		}
	})
}

func TestSilence(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.ask(buy("b"))
		r.send(status(152, order.Acked))
		time.Sleep(4 * time.Second)
		if o := r.order("a"); o.State != order.Sent {
			t.Errorf("after 4 s: %v", o.State)
		}
		time.Sleep(2 * time.Second)
		if o := r.order("a"); o.State != order.Unknown || o.Note == "" || r.out.named("order_silent") != 1 {
			t.Errorf("after 6 s: %v, notices %+v", o.State, r.out.notices)
		}
		if o := r.order("b"); o.State != order.Accepted {
			t.Errorf("the answered one: %v", o.State)
		}
		if reply := r.ask(buy("a")); reply.Result != event.Unknown || !reply.Known || len(r.session.placed) != 2 {
			t.Errorf("asked again: %+v", reply)
		}
		r.send(executed(151, "a", "e1", "10")) // it was there after all
		if o := r.order("a"); o.State != order.Filled {
			t.Errorf("after the execution: %v", o.State)
		}
	})
}

func TestLostLinkMakesSentUnknown(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.ask(buy("b"))
		r.send(status(152, order.WorkingNow))
		_ = r.session.Close(context.Background())
		if err := <-r.served; !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
		r.served = nil
		if a, b := r.order("a").State, r.order("b").State; a != order.Unknown || b != order.Working {
			t.Errorf("a is %v, b is %v", a, b)
		}
		if reply := r.ask(buy("c")); reply.Rule != "link" {
			t.Errorf("without a session: %+v", reply)
		}
		if d := r.desk.State(context.Background()).Data[0]; d.State != floor.Lost {
			t.Errorf("data %+v", d)
		}
	})
}

func TestAPositionThatTheVenueTells(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		tell := func(qty string) broker.PositionReport {
			return broker.PositionReport{Position: order.Position{
				Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(qty), AvgCost: market.MustPrice("187.35").Ptr(),
			}}
		}
		r.ask(buy("a"))
		r.send(tell("10"), executed(151, "a", "e1", "10")) // the position overtakes the execution
		time.Sleep(3 * time.Second)
		p := r.desk.State(context.Background()).Positions[0]
		if p.Qty != market.Shares(10) || *p.AvgCost != market.MustPrice("187.35") || len(r.out.notices) > 0 {
			t.Errorf("position %+v, notices %+v", p, r.out.notices)
		}
		r.session.venue(func() {
			r.session.held = []order.Position{tell("25").Position}
			r.session.fills = []broker.ExecutionReport{executed(151, "a", "e1", "10")}
		})
		r.send(tell("25")) // by another hand
		time.Sleep(time.Second)
		if p := r.desk.State(context.Background()).Positions[0]; p.Qty != market.Shares(10) {
			t.Errorf("taken over too early: %+v", p)
		}
		time.Sleep(2 * time.Second)
		if p := r.desk.State(context.Background()).Positions[0]; p.Qty != market.Shares(25) || r.out.named("reconciliation_difference") != 1 {
			t.Errorf("position %+v, notices %+v", p, r.out.notices)
		}
	})
}

func TestProgressFollowsTheReports(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		synctest.Wait()
		r.take()
		r.session.batches <- broker.Batch{
			Ticks:  []market.Tick{{Symbol: "AAPL", Kind: market.TickTrade, Known: true, At: day}},
			Events: []broker.Event{described(151, "a", order.WorkingNow), executed(151, "a", "e1", "10")}, TickFrames: 8, ReportFrames: 2,
		}
		r.send()
		wantCalls(t, r, "order working", "fill", "order filled", "progress", "progress")
		if c := r.out.counts[len(r.out.counts)-2]; c != (event.Counts{Ticks: 8, Reports: 2, Written: 1}) {
			t.Errorf("counts %+v", c)
		}
	}, func(_ *rig, c *Config) { c.Progress = true })
}

func TestTicksOfOneReadTravelTogether(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		before := len(r.out.ticksSeen)
		r.session.batches <- broker.Batch{TickFrames: 9, Ticks: []market.Tick{
			{Symbol: "AAPL", Kind: market.TickBid, Known: true, Price: market.MustPrice("10"), Size: market.Shares(1), At: day},
			{Symbol: "MSFT", Kind: market.TickVolume, Known: true, Size: market.Shares(5), At: day},
			{Symbol: "AAPL", Kind: market.TickAsk, At: day},
			{Symbol: "AAPL", Kind: market.TickHigh, Known: true, Price: market.MustPrice("11"), At: day},
		}}
		r.send()
		got := r.out.ticksSeen[before:]
		want := []event.Ticks{
			{Symbol: "AAPL", Frames: 9, Ticks: []event.TickData{
				{Kind: "bid", Price: market.MustPrice("10").Ptr(), Size: market.Shares(1).Ptr(), At: day},
				{Kind: "ask", At: day}, // not there now: null, not 0
				{Kind: "high", Price: market.MustPrice("11").Ptr(), At: day},
			}},
			{Symbol: "MSFT", Frames: 9, Ticks: []event.TickData{{Kind: "volume", Size: market.Shares(5).Ptr(), At: day}}},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(market.Price{}, market.Qty{})); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTicksPassWhileAnOrderWaitsForTheDisk is the reason of the desk's two
// ways.
func TestTicksPassWhileAnOrderWaitsForTheDisk(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		fsync := make(chan struct{})
		r.journal.inside = func() { <-fsync }
		answered := make(chan event.OrderReply, 1)
		go func() { answered <- r.ask(buy("a")) }()
		synctest.Wait()
		r.send(executed(77, "", "e1", "1")) // and a report that has to wait
		before := len(r.out.ticksSeen)
		for range 5 {
			r.tick("AAPL", "188")
		}
		r.send()
		if got := len(r.out.ticksSeen) - before; got != 5 {
			t.Errorf("%d ticks passed", got)
		}
		if len(r.out.fills) != 0 {
			t.Error("a report was folded in another's turn")
		}
		close(fsync)
		if reply := <-answered; reply.Result != event.Written {
			t.Errorf("%+v", reply)
		}
		r.send()
		if len(r.out.fills) != 1 {
			t.Error("the report was lost")
		}
	})
}

// TestWhateverIsReported folds any reports in any order, duplicates and
// nonsense among them, and holds the books against plain sums over the
// executions that can be real.
func TestWhateverIsReported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := &trace{}
		out := &recorder{trace: tr}
		d := newDesk(DefaultConfig(), nil, &memJournal{trace: tr, intents: map[string]broker.IntentRecord{}}, out, quiet)
		h := &held{facts: broker.Facts{Account: "DU1", ClientID: 1}, chores: make(chan chore, 1)}
		d.books.Positions = map[market.Symbol]order.Position{}
		refs := []string{"", "a", "b"}
		for id := range 3 {
			d.books.Add(order.Order{
				Ref: refs[id], OrderID: int64(id), ClientID: 1, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10),
				State: order.State(rapid.IntRange(0, int(order.Dropped)).Draw(t, "state")),
			}, day)
		}
		execs := map[string]order.Fill{}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			id := rapid.Int64Range(0, 3).Draw(t, "id")
			ref := rapid.SampledFrom(refs).Draw(t, "ref")
			sig := order.Signal(rapid.IntRange(0, int(order.Silent)).Draw(t, "signal"))
			var e broker.Event
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				e = described(id, ref, sig)
			case 1:
				e = status(id, sig)
			case 2, 3:
				x := executed(id, ref, rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "exec"), rapid.SampledFrom([]string{"0", "1", "7", "90000000000"}).Draw(t, "qty"))
				if _, ok := execs[x.Fill.ExecID]; !ok && x.Fill.ExecID != "" && x.Fill.Qty.Sign() > 0 && x.Fill.Qty.Less(market.Shares(1000)) {
					execs[x.Fill.ExecID] = x.Fill
				}
				e = x
			case 4:
				e = cost(rapid.SampledFrom([]string{"1", "9"}).Draw(t, "exec"))
			default:
				kind := broker.NoticeKind(rapid.IntRange(0, int(broker.NoticeSession)+1).Draw(t, "notice"))
				e = broker.Notice{Kind: kind, OrderID: id, Text: "x"}
			}
			d.fold(h, []broker.Event{e})
		}
		var all, mine market.Qty
		for _, f := range execs {
			all = all.Add(f.Qty)
		}
		for _, list := range d.books.ByRef {
			mine = mine.Add(list.Filled)
		}
		if p := d.books.Positions["AAPL"]; p.Qty != all || len(d.books.Fills) != len(execs) {
			t.Fatalf("position %v of executions of %v", p.Qty, all)
		}
		if all.Less(mine) {
			t.Fatalf("orders have %v filled of executions of %v", mine, all)
		}
		for _, e := range d.books.ByRef {
			inLive := false
			for _, l := range d.books.Live["AAPL"] {
				inLive = inLive || l == e
			}
			kept := 0
			for _, l := range d.books.All() {
				if l == e {
					kept++
				}
			}
			if e.State.Final() == inLive || kept != 1 {
				t.Fatalf("order %s is %v, among the live: %v", e.Ref, e.State, inLive)
			}
			if e.State == order.Filled && e.AvgPrice == nil && e.Filled.Sign() > 0 {
				t.Fatalf("order %s filled %v at no price", e.Ref, e.Filled)
			}
		}
	})
}

// TestAWordThatEndsNothingIsNoAnswer is field-lessons §2.18: a code that nobody
// knows leaves a sent order without an answer, so that its outcome is unknown in
// time, the broker is asked, and entries in its symbol wait.
func TestAWordThatEndsNothingIsNoAnswer(t *testing.T) {
	for code, kind := range map[int]broker.NoticeKind{10999: broker.NoticeWarning, 399: broker.NoticeWarning, 10349: broker.NoticeInfo} {
		reconciling(t, func(t *testing.T, r *rig, k *knowing) {
			k.fails("completed", errRefused)
			r.ask(buy("a"))
			time.Sleep(time.Second)
			r.send(broker.Notice{Kind: kind, Code: code, OrderID: 151, Text: "who knows"})
			if o := r.order("a"); o.State != order.Sent || o.Note != "who knows" {
				t.Errorf("code %d: %+v", code, o)
			}
			time.Sleep(5 * time.Second)
			if o := r.order("a"); o.State != order.Unknown {
				t.Errorf("code %d: five seconds later it is %v", code, o.State)
			}
			if reply := r.ask(buy("b")); reply.Rule != "unknown_order" {
				t.Errorf("code %d: an entry: %+v", code, reply)
			}
		})
	}
}
