package desk

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// day is a Thursday inside the regular session in New York.
var day = time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)

// trace notes who was called, in order.
type trace struct {
	mu    sync.Mutex
	calls []string
}

func (t *trace) note(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, what)
}

func (t *trace) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.calls
	t.calls = nil
	return list
}

// recorder is an outlet that keeps everything.
type recorder struct {
	*trace
	behind    atomic.Bool // who listens has no room
	taken     atomic.Uint64
	mu        sync.Mutex
	ticksSeen []event.Ticks
	orders    []order.Order
	fills     []order.Fill
	positions []order.Position
	values    []event.AccountValues
	decisions []event.Decided
	states    []event.DataState
	modes     []event.ModeChange
	notices   []event.NoticeText
	counts    []event.Counts
	healths   []event.HealthState
	findings  []broker.Finding
	covers    []event.Protection
	uses      []event.LimitState
}

func keepIn[T any](r *recorder, list *[]T, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, v)
}

func (r *recorder) room() (bool, uint64) { return !r.behind.Load(), r.taken.Load() }

func (r *recorder) ticks(v event.Ticks) {
	v.Ticks = slices.Clone(v.Ticks)
	keepIn(r, &r.ticksSeen, v)
}

func (r *recorder) order(v order.Order)           { r.note("order " + v.State.String()); keepIn(r, &r.orders, v) }
func (r *recorder) fill(v order.Fill)             { r.note("fill"); keepIn(r, &r.fills, v) }
func (r *recorder) position(v order.Position)     { keepIn(r, &r.positions, v) }
func (r *recorder) account(v event.AccountValues) { keepIn(r, &r.values, v) }
func (r *recorder) decision(v event.Decided)      { keepIn(r, &r.decisions, v) }
func (r *recorder) data(v event.DataState)        { keepIn(r, &r.states, v) }
func (r *recorder) mode(v event.ModeChange)       { keepIn(r, &r.modes, v) }
func (r *recorder) notice(v event.NoticeText)     { keepIn(r, &r.notices, v) }
func (r *recorder) progress(v event.Counts)       { r.note("progress"); keepIn(r, &r.counts, v) }

func (r *recorder) health(v event.HealthState) { keepIn(r, &r.healths, v) }
func (r *recorder) finding(v broker.Finding)   { keepIn(r, &r.findings, v) }

func (r *recorder) protection(v event.Protection) { keepIn(r, &r.covers, v) }
func (r *recorder) limits(v event.LimitState)     { keepIn(r, &r.uses, v) }

func (r *recorder) named(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, v := range r.notices {
		if v.Name == name {
			n++
		}
	}
	return n
}

// gateFunc is a gate.
type gateFunc func(broker.View, order.Intent) order.Decision

func (g gateFunc) Decide(v broker.View, in order.Intent) order.Decision { return g(v, in) }

// memJournal keeps in memory what a journal keeps.
type memJournal struct {
	*trace
	mu      sync.Mutex
	intents map[string]broker.IntentRecord
	records []broker.Record
	past    broker.Books
	mark    int64
	fail    error
	back    chan struct{} // made before the desk starts
	trouble *broker.JournalFailure
	inside  func() // called while an allowed intent is being stored
	syncing func() // called inside Sync
}

func (j *memJournal) Trouble() *broker.JournalFailure {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.trouble
}

func (j *memJournal) Restored() <-chan struct{} { return j.back }

func (j *memJournal) Intend(_ context.Context, r broker.IntentRecord) error {
	j.note("journal")
	if j.inside != nil && r.Decision.Allowed {
		j.inside()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	if stored, ok := j.intents[r.Intent.ID]; ok {
		return &broker.DuplicateIntentError{Stored: stored}
	}
	if r.Order != nil {
		o := *r.Order
		r.Order = &o
	}
	j.intents[r.Intent.ID] = r
	return nil
}

func (j *memJournal) Record(_ context.Context, rs ...broker.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, rs...)
	return j.fail
}

func (j *memJournal) Lookup(_ context.Context, id string) (broker.IntentRecord, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.intents[id]
	return r, ok, j.fail
}

func (j *memJournal) HighWater(context.Context, string, int) (int64, error) { return j.mark, j.fail }

func (j *memJournal) Load(context.Context, string, int) (broker.Books, error) {
	return j.past, nil
}

func (j *memJournal) Sync(context.Context) error {
	j.note("sync")
	if j.syncing != nil {
		j.syncing()
	}
	return j.fail
}

// rig is a desk with a session, all steps done, and a link that is ready.
type rig struct {
	*trace
	desk    *Desk
	out     *recorder
	journal *memJournal
	session *fakeSession
	served  chan error
	link    *fakeLink
	views   []broker.View
	verdict order.Decision // of the gate
	uncal   bool           // there is no calendar: the venue's hours stand alone
}

type fakeLink struct{ *trace }

func (l fakeLink) Degrade(cause, _ string) { l.note("degrade " + cause) }
func (l fakeLink) Recover()                { l.note("recover") }

// newRig returns a rig that is not served yet.
func newRig(t testing.TB, change ...func(*rig, *Config)) *rig {
	tr := &trace{}
	r := &rig{
		trace: tr, out: &recorder{trace: tr}, link: &fakeLink{tr},
		journal: &memJournal{trace: tr, intents: map[string]broker.IntentRecord{}, mark: 150},
		session: newSession(tr), verdict: order.Decision{Allowed: true},
	}
	cfg := DefaultConfig()
	cfg.Protect = ProtectOff // its own tests switch it on: it would answer every fill with an order
	for _, c := range change {
		c(r, &cfg)
	}
	r.desk = newDesk(cfg, gateFunc(func(v broker.View, _ order.Intent) order.Decision {
		r.note("gate")
		r.views = append(r.views, v)
		return r.verdict
	}), r.journal, r.out, quiet)
	if r.uncal {
		r.desk.hours = &floor.Hours{}
	}
	r.desk.SetLink(r.link)
	r.desk.Steps([]market.Symbol{"AAPL"})
	r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") } // ends when the batch is read
	if err := r.desk.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// ready serves the session and climbs the rungs.
func ready(t testing.TB, change ...func(*rig, *Config)) *rig {
	r := newRig(t, change...)
	r.serve()
	r.climb(t)
	r.take()
	return r
}

func (r *rig) serve() {
	r.served = make(chan error, 1)
	go func() { r.served <- r.desk.Serve(context.Background(), r.session) }()
}

func (r *rig) climb(t testing.TB) {
	t.Helper()
	for _, step := range r.steps() {
		ctx, cancel := context.WithTimeout(context.Background(), step.Deadline)
		if _, err := step.Run(ctx, r.session); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
		cancel()
	}
	r.desk.LinkChanged(broker.Link{State: broker.Ready})
}

func (r *rig) steps() []broker.Step {
	d := r.desk
	return []broker.Step{
		{Name: "clock", Deadline: time.Second, Run: d.stepClock},
		{Name: "account", Deadline: time.Second, Run: d.stepAccount},
		{Name: "recovered", Deadline: time.Second, Run: d.recover},
		{Name: "data", Deadline: time.Second, Run: d.stepData},
	}
}

// stop ends session and desk.
func (r *rig) stop(t testing.TB) {
	t.Helper()
	if r.served != nil {
		_ = r.session.Close(context.Background())
		if err := <-r.served; !errors.Is(err, broker.ErrClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.desk.Stop(ctx); err != nil && r.journal.fail == nil {
		t.Error(err)
	}
}

// send gives a batch and waits until it is folded. It needs a bubble.
func (r *rig) send(events ...broker.Event) {
	r.session.batches <- broker.Batch{Events: events}
	synctest.Wait()
}

func (r *rig) tick(s market.Symbol, price string) {
	select {
	case r.session.batches <- broker.Batch{Ticks: []market.Tick{{
		Symbol: s, Kind: market.TickTrade, Known: true, Price: market.MustPrice(price), Size: market.Shares(100), At: r.session.at,
	}}, TickFrames: 1}:
	case <-r.session.closed:
	}
}

func (r *rig) ask(in order.Intent) event.OrderReply {
	return r.desk.request(context.Background(), in)
}

func (r *rig) order(ref string) order.Order {
	for _, o := range r.desk.State(context.Background()).Orders {
		if o.Ref == ref {
			return o
		}
	}
	return order.Order{}
}

func buy(id string) order.Intent {
	return order.Intent{
		ID: id, Action: order.Place, Strategy: "test", Symbol: "AAPL", Side: order.Buy, Type: order.Market,
		TIF: order.Day, Qty: market.Shares(10), At: day,
	}
}

func cancelOf(id, target string) order.Intent {
	return order.Intent{ID: id, Action: order.Cancel, Strategy: "test", Target: target, At: day}
}

// The venue's words about the order with number id.

func described(id int64, ref string, sig order.Signal) broker.OrderReport {
	return broker.OrderReport{Order: order.Order{
		Ref: ref, OrderID: id, PermID: 9000 + id, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy,
		Type: order.Market, TIF: order.Day, Qty: market.Shares(10),
	}, Status: "x", Signal: sig, Known: true}
}

func status(id int64, sig order.Signal) broker.StatusReport {
	return broker.StatusReport{OrderID: id, PermID: 9000 + id, ClientID: 1, Status: "x", Signal: sig, Known: true}
}

func executed(id int64, ref, exec, qty string) broker.ExecutionReport {
	return broker.ExecutionReport{Fill: order.Fill{
		ExecID: exec, Ref: ref, OrderID: id, PermID: 9000 + id, ClientID: 1, Account: "DU1", Symbol: "AAPL",
		Side: order.Buy, Qty: market.MustQty(qty), Price: market.MustPrice("187.25"), At: day, Currency: "USD",
	}}
}

func cost(exec string) broker.CommissionReport {
	return broker.CommissionReport{ExecID: exec, Commission: market.MustMoney("1"), Currency: "USD"}
}
