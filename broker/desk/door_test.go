package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func wantCalls(t *testing.T, r *rig, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("calls were %q, want %q", got, want)
	}
}

// in runs a test in a bubble with a rig that is ready.
func in(t *testing.T, fn func(t *testing.T, r *rig), change ...func(*rig, *Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, change...)
		synctest.Wait()
		r.take()
		fn(t, r)
		r.stop(t)
	})
}

func TestAnOrderTakesTheOneWay(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		reply := r.ask(buy("a"))
		if reply.Result != event.Written || reply.OrderID != 151 || reply.Written != 1 || reply.Known {
			t.Errorf("reply %+v", reply)
		}
		wantCalls(t, r, "gate", "journal", "wire", "order sent")
		stored := r.journal.intents["a"]
		if stored.Order == nil || stored.Order.State != order.Intended || stored.OrderID != 151 || stored.Account != "DU1" || !stored.Decision.Allowed {
			t.Errorf("stored %+v", stored)
		}
		ticket := r.session.placed[0]
		if ticket.OrderID != 151 || ticket.Account != "DU1" || ticket.Contract.ConID != 265598 || ticket.Intent.ID != "a" {
			t.Errorf("ticket %+v", ticket)
		}
		v := r.views[0]
		if v.Link != broker.Ready || v.Mode != broker.Active || v.Account != "DU1" || v.Live || v.Position == nil ||
			!v.Position.IsZero() || v.Quote.Last == nil || v.Now.Before(day) || v.Details == nil {
			t.Errorf("view %+v", v)
		}
		if d := r.out.decisions; len(d) != 1 || d[0].Decision.IntentID != "a" || d[0].Decision.At.IsZero() {
			t.Errorf("decisions %+v", d)
		}
	})
}

func TestTheViewCountsWhatWentOut(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		limit := buy("b")
		limit.Type, limit.Limit = order.Limit, market.MustPrice("100").Ptr()
		r.ask(limit)
		r.ask(buy("c"))
		v := r.views[2]
		if len(v.Open) != 2 || v.Open[0].Ref != "a" || len(v.Sent) != 2 || v.SentNotional != market.MustMoney("3745") { // the market stands above the limit
			t.Errorf("view after two orders: open %d, sent %d, notional %v", len(v.Open), len(v.Sent), v.SentNotional)
		}
		done := func(ids ...int64) { // an order without an answer would bar what comes
			for _, id := range ids {
				r.send(status(id, order.CancelDone))
			}
		}
		done(151, 152, 153)
		time.Sleep(61 * time.Second)
		r.ask(buy("d"))
		done(154)
		if v := r.views[3]; len(v.Sent) != 0 || v.SentNotional.IsZero() {
			t.Errorf("view a minute later: sent %d, notional %v", len(v.Sent), v.SentNotional)
		}
		time.Sleep(24 * time.Hour)
		r.ask(buy("e"))
		if v := r.views[4]; !v.SentNotional.IsZero() {
			t.Errorf("notional of the next day is %v", v.SentNotional)
		}
	})
}

func TestWhatDoesNotGoOut(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*rig, *Config)
		act    func(*rig)
		intent order.Intent
		result string
		rule   string
		calls  []string
	}{
		{name: "invalid", intent: order.Intent{ID: "a"}, result: event.Invalid, rule: "invalid"},
		{
			name: "gate", act: func(r *rig) { r.verdict = order.Decision{Rule: "max_notional", Reason: "too much"} },
			intent: buy("a"), result: event.Refused, rule: "max_notional", calls: []string{"gate", "journal"},
		},
		{
			name: "read only", change: func(_ *rig, c *Config) { c.ReadOnly = true },
			intent: buy("a"), result: event.Refused, rule: "read_only", calls: []string{"journal"},
		},
		{
			name: "read only cancel", change: func(_ *rig, c *Config) { c.ReadOnly = true },
			intent: cancelOf("a", "b"), result: event.Refused, rule: "read_only", calls: []string{"journal"},
		},
		{
			name: "link", act: func(r *rig) { r.desk.LinkChanged(broker.Link{State: broker.Waiting}) },
			intent: buy("a"), result: event.Refused, rule: "link", calls: []string{"journal"},
		},
		{
			name: "contract", intent: func() order.Intent { in := buy("a"); in.Symbol = "MSFT"; return in }(),
			result: event.Refused, rule: "contract", calls: []string{"journal"},
		},
		{
			name: "no target", intent: cancelOf("a", "b"), result: event.Refused, rule: "unknown_target", calls: []string{"journal"},
		},
		{
			name: "halted while stored", act: func(r *rig) {
				r.journal.inside = func() { r.desk.mode.Store(&broker.ModeRecord{Mode: broker.Halted}) }
			},
			intent: buy("a"), result: event.Refused, rule: "halted", calls: []string{"gate", "journal", "order dropped"},
		},
		{
			name: "reduce only while stored", act: func(r *rig) {
				r.journal.inside = func() { r.desk.mode.Store(&broker.ModeRecord{Mode: broker.ReduceOnly}) }
			},
			intent: buy("a"), result: event.Refused, rule: "mode", calls: []string{"gate", "journal", "order dropped"},
		},
		{
			name: "degraded while stored", act: func(r *rig) {
				r.journal.inside = func() { r.desk.LinkChanged(broker.Link{State: broker.Degraded}) }
			},
			intent: buy("a"), result: event.Refused, rule: "link", calls: []string{"gate", "journal", "order dropped"},
		},
		{
			name: "link lost while stored", act: func(r *rig) {
				r.journal.inside = func() { r.desk.held.Store(nil) }
			},
			intent: buy("a"), result: event.Refused, rule: "link", calls: []string{"gate", "journal", "order dropped"},
		},
		{
			name: "journal fails", act: func(r *rig) { r.journal.fail = errors.New("disk full") },
			intent: buy("a"), result: event.Refused, rule: "journal", calls: []string{"gate", "journal"},
		},
		{
			name: "not written", act: func(r *rig) {
				r.session.placing = func(broker.Ticket) error { return fmt.Errorf("queue: %w", broker.ErrNotWritten) }
			},
			intent: buy("a"), result: event.Refused, rule: "not_written", calls: []string{"gate", "journal", "wire", "order dropped"},
		},
		{
			name: "outcome unknown", act: func(r *rig) {
				r.session.placing = func(broker.Ticket) error { return fmt.Errorf("half: %w", broker.ErrOutcomeUnknown) }
			},
			intent: buy("a"), result: event.Unknown, calls: []string{"gate", "journal", "wire", "order unknown"},
		},
		{
			name: "an error that says nothing", act: func(r *rig) {
				r.session.placing = func(broker.Ticket) error { return errors.New("odd") }
			},
			intent: buy("a"), result: event.Unknown, calls: []string{"gate", "journal", "wire", "order unknown"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var changes []func(*rig, *Config)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			in(t, func(t *testing.T, r *rig) {
				if tt.act != nil {
					tt.act(r)
				}
				reply := r.ask(tt.intent)
				if reply.Result != tt.result || reply.Rule != tt.rule || reply.Result != event.Written && reply.Reason == "" && tt.name != "gate" {
					t.Errorf("reply %+v, want %s by %q", reply, tt.result, tt.rule)
				}
				if len(r.session.placed) > 0 {
					t.Errorf("placed %+v", r.session.placed)
				}
				wantCalls(t, r, tt.calls...)
				r.journal.fail = nil
			}, changes...)
		})
	}
}

func TestAnIdGoesOutOnce(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		first := r.ask(buy("a"))
		again := r.ask(buy("a"))
		if !again.Known || again.Result != event.Written || again.OrderID != first.OrderID {
			t.Errorf("asked again: %+v", again)
		}
		other := buy("a")
		other.Qty = market.Shares(99)
		if reply := r.ask(other); !reply.Known || !strings.Contains(reply.Reason, "used for another order") {
			t.Errorf("same id, other order: %+v", reply)
		}
		r.verdict = order.Decision{Rule: "x", Reason: "no"}
		r.ask(buy("b"))
		r.verdict = order.Decision{Allowed: true}
		if reply := r.ask(buy("b")); !reply.Known || reply.Result != event.Refused || reply.Rule != "x" {
			t.Errorf("refused id again: %+v", reply)
		}
		if len(r.session.placed) != 1 {
			t.Errorf("placed %d orders", len(r.session.placed))
		}
	})
}

func TestAnIdOfAnEarlierLifeDoesNotGoOut(t *testing.T) {
	for _, gate := range []bool{true, false} {
		for _, tt := range []struct {
			stored broker.IntentRecord
			result string
		}{
			{broker.IntentRecord{Decision: order.Decision{Allowed: true}, Order: &order.Order{Ref: "a", OrderID: 7, State: order.Filled}}, event.Written},
			{broker.IntentRecord{Decision: order.Decision{Allowed: true}, Order: &order.Order{Ref: "a", OrderID: 7, State: order.Intended}}, event.Unknown},
			{broker.IntentRecord{Decision: order.Decision{Rule: "x"}}, event.Refused},
		} {
			in(t, func(t *testing.T, r *rig) {
				r.verdict.Allowed = gate
				tt.stored.Intent = buy("a")
				r.journal.intents["a"] = tt.stored
				if reply := r.ask(buy("a")); !reply.Known || reply.Result != tt.result {
					t.Errorf("gate %v: reply %+v, want %s", gate, reply, tt.result)
				}
				if len(r.session.placed) > 0 {
					t.Errorf("placed %+v", r.session.placed)
				}
			})
		}
	}
}

func TestCancelPassesWhenHalted(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("a"))
		r.send(described(151, "a", order.WorkingNow))
		ctx := context.Background()
		if _, err := r.desk.SetMode(ctx, broker.Halted, "a person said so"); err != nil {
			t.Fatal(err)
		}
		r.take()
		if reply := r.ask(buy("b")); reply.Result != event.Refused || reply.Rule != "halted" {
			t.Errorf("order while halted: %+v", reply)
		}
		r.take()
		reply := r.ask(cancelOf("c", "a"))
		if reply.Result != event.Written || reply.OrderID != 151 || reply.Written != 2 {
			t.Errorf("cancel: %+v", reply)
		}
		wantCalls(t, r, "gate", "journal", "wire cancel", "order cancelling")
		if v := r.views[len(r.views)-1]; len(v.Open) != 1 || v.Quote.Last == nil {
			t.Errorf("the gate saw %+v", v)
		}
		if again := r.ask(cancelOf("c", "a")); !again.Known || len(r.session.cancelled) != 1 {
			t.Errorf("cancel again: %+v, %v", again, r.session.cancelled)
		}
		r.send(status(151, order.CancelDone))
		if reply := r.ask(cancelOf("d", "a")); reply.Rule != "already_ended" {
			t.Errorf("cancel of a cancelled order: %+v", reply)
		}
	}, holds(-10)) // so that the halt itself leaves the order, which reduces
}

func TestModeOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		if _, err := r.desk.SetMode(context.Background(), "odd", ""); err == nil {
			t.Error("an odd mode was taken")
		}
		change, err := r.desk.SetMode(context.Background(), broker.ReduceOnly, "why")
		if err != nil || change.Mode != broker.ReduceOnly || len(r.out.modes) != 1 {
			t.Errorf("%+v, %v, told %d", change, err, len(r.out.modes))
		}
		r.stop(t)
		last := r.journal.records[len(r.journal.records)-1].Mode
		next := ready(t, func(r *rig, _ *Config) { r.journal.past.Mode = last })
		if m := next.desk.State(context.Background()).Mode; m.Mode != broker.ReduceOnly || m.Reason != "why" {
			t.Errorf("after the restart: %+v", m)
		}
		next.stop(t)
	})
}

func TestAModeThatIsNotDurable(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.journal.fail = errors.New("disk full")
		if _, err := r.desk.SetMode(context.Background(), broker.Halted, ""); err == nil {
			t.Error("no error")
		}
		if m := r.desk.mode.Load().Mode; m != broker.Halted {
			t.Errorf("a halt that could not be stored does not hold: %v", m)
		}
		if _, err := r.desk.SetMode(context.Background(), broker.Active, ""); err == nil {
			t.Error("no error")
		}
		if m := r.desk.mode.Load().Mode; m != broker.Halted {
			t.Errorf("a resume that could not be stored holds: %v", m)
		}
		r.journal.fail = nil
	})
}

// TestNothingGoesOutAfterAHalt asks from many sides while a halt comes: what
// was written was written before the halt was acknowledged.
func TestNothingGoesOutAfterAHalt(t *testing.T) {
	r := ready(t)
	defer r.stop(t)
	var halted, late sync.Map
	r.session.placing = func(t broker.Ticket) error {
		if _, ok := halted.Load("acknowledged"); ok {
			late.Store(t.OrderID, t.Intent.ID)
		}
		return nil
	}
	var all sync.WaitGroup
	replies := make([]event.OrderReply, 200)
	for i := range replies {
		all.Go(func() { replies[i] = r.ask(buy(fmt.Sprintf("i%d", i/2))) }) // each id twice
	}
	all.Go(func() {
		if _, err := r.desk.SetMode(context.Background(), broker.Halted, "now"); err != nil {
			t.Error(err)
		}
		halted.Store("acknowledged", true)
	})
	all.Go(func() {
		for i := range 50 {
			r.session.batches <- broker.Batch{Events: []broker.Event{status(int64(151+i), order.Acked)}}
			r.desk.State(context.Background())
		}
	})
	all.Wait()
	late.Range(func(k, v any) bool { t.Errorf("order %v (%v) went out after the halt", k, v); return true })
	ids := map[int64]string{}
	for _, p := range r.session.placed {
		if was, twice := ids[p.OrderID]; twice {
			t.Errorf("number %d was used for %s and %s", p.OrderID, was, p.Intent.ID)
		}
		for id, ref := range ids {
			if ref == p.Intent.ID {
				t.Errorf("intent %s went out as %d and %d", ref, id, p.OrderID)
			}
		}
		ids[p.OrderID] = p.Intent.ID
	}
}

func BenchmarkOrder(b *testing.B) {
	r := ready(b)
	r.desk.journal = noJournal{}
	r.desk.out = noOutlet{}
	r.desk.gate = gateFunc(func(broker.View, order.Intent) order.Decision { return order.Decision{Allowed: true} })
	s := r.session
	ids := make([]order.Intent, b.N)
	for i := range ids {
		ids[i] = buy(fmt.Sprintf("b%d", i))
		ids[i].At = day.Add(time.Duration(i) * time.Second)
	}
	h := r.desk.held.Load()
	h.trader = noTrader{}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if reply := r.desk.request(context.Background(), ids[i]); reply.Result != event.Written {
			b.Fatal(reply)
		}
		if err := r.desk.take(context.Background()); err != nil {
			b.Fatal(err)
		}
		r.desk.books.Place(done(r.desk.books.ByRef[ids[i].ID])) // keep the book small
		r.desk.give()
	}
	b.StopTimer()
	h.trader = s
	r.stop(b)
}

func done(e *books.Entry) *books.Entry { e.State = order.Filled; return e }

type noTrader struct{}

func (noTrader) Place(context.Context, broker.Ticket) error { return nil }
func (noTrader) Cancel(context.Context, int64) error        { return nil }

type noJournal struct{}

func (noJournal) Intend(context.Context, broker.IntentRecord) error { return nil }
func (noJournal) Record(context.Context, ...broker.Record) error    { return nil }
func (noJournal) Lookup(context.Context, string) (r broker.IntentRecord, ok bool, err error) {
	return r, false, nil
}
func (noJournal) HighWater(context.Context, string, int) (int64, error) { return 0, nil }
func (noJournal) Load(context.Context, string, int) (broker.Books, error) {
	return broker.Books{}, nil
}
func (noJournal) Sync(context.Context) error { return nil }

type noOutlet struct{}

func (noOutlet) room() (bool, uint64)        { return true, 0 }
func (noOutlet) ticks(event.Ticks)           {}
func (noOutlet) order(order.Order)           {}
func (noOutlet) fill(order.Fill)             {}
func (noOutlet) position(order.Position)     {}
func (noOutlet) account(event.AccountValues) {}
func (noOutlet) decision(event.Decided)      {}
func (noOutlet) data(event.DataState)        {}
func (noOutlet) mode(event.ModeChange)       {}
func (noOutlet) notice(event.NoticeText)     {}
func (noOutlet) progress(event.Counts)       {}
func (noOutlet) health(event.HealthState)    {}
func (noOutlet) finding(broker.Finding)      {}
func (noOutlet) protection(event.Protection) {}
func (noOutlet) limits(event.LimitState)     {}

func BenchmarkTicks(b *testing.B) {
	d := newDesk(DefaultConfig(), nil, noJournal{}, noOutlet{}, quiet)
	d.floor.Want([]market.Symbol{"AAPL"}, day)
	d.floor.Set(day, 1, false, time.Now())
	tick := market.Tick{Symbol: "AAPL", Kind: market.TickTrade, Known: true, Price: market.MustPrice("187.25"), Size: market.Shares(1), At: day}
	read := broker.Batch{Ticks: []market.Tick{tick, tick, tick, tick}}
	var buf holding
	b.ReportAllocs()
	for b.Loop() {
		d.takeTicks(&buf, read)
	}
}

// TestAnOrderIsNotWrittenAfterItsDeadline has the disk stand still: when the
// commit comes back, the asker has gone and the price is another one.
func TestAnOrderIsNotWrittenAfterItsDeadline(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.journal.inside = func() { time.Sleep(time.Minute) }
		reply := r.ask(buy("a"))
		if reply.Result != event.Refused || reply.Rule != "deadline" || len(r.session.placed) != 0 {
			t.Errorf("%+v, placed %v", reply, r.session.placed)
		}
		if o := r.order("a"); o.State != order.Dropped {
			t.Errorf("the order is %v", o.State)
		}
		r.journal.inside = nil
		if reply := r.ask(buy("b")); reply.Result != event.Written || reply.OrderID != 152 {
			t.Errorf("the next one: %+v", reply)
		}
	})
}
