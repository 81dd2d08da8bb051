package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var day = time.Date(2014, 6, 5, 13, 30, 0, 0, time.UTC)

func px(s string) market.Price { return market.MustPrice(s) }

// gatekeeper is Ready: open makes it ready, lose ends that.
type gatekeeper struct {
	mu      sync.Mutex
	lost    chan struct{}
	changed chan struct{}
	err     error
}

func newGate() *gatekeeper { return &gatekeeper{changed: make(chan struct{})} }

func (g *gatekeeper) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost = make(chan struct{})
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gatekeeper) lose() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.lost)
	g.lost = nil
}

func (g *gatekeeper) AwaitReady(ctx context.Context) (<-chan struct{}, error) {
	for {
		g.mu.Lock()
		lost, changed, err := g.lost, g.changed, g.err
		g.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if lost != nil {
			return lost, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// told is what the runner told, by Out.
type told struct {
	mu         sync.Mutex
	bars       []event.BarUpdate // closed ones
	forming    int
	strategies []event.StrategyState
	portfolios []event.PortfolioState
	notices    []event.NoticeText
	ask        func() event.Run
}

func (o *told) Bar(b event.BarUpdate) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b.Closed {
		o.bars = append(o.bars, b)
	} else {
		o.forming++
	}
	return nil
}

func (o *told) Strategy(s event.StrategyState) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.strategies = append(o.strategies, s)
	return nil
}

func (o *told) Portfolio(p event.PortfolioState) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.portfolios = append(o.portfolios, p)
	return nil
}

func (o *told) Notice(n event.NoticeText) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, n)
	return nil
}

func (o *told) Serve(fn func() event.Run) (func(context.Context) error, error) {
	o.ask = fn
	return func(context.Context) error { return nil }, nil
}

func (o *told) noticed(name string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.notices {
		if x.Name == name {
			n++
		}
	}
	return n
}

func (o *told) state() event.StrategyState {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.strategies) == 0 {
		return event.StrategyState{}
	}
	return o.strategies[len(o.strategies)-1]
}

func (o *told) closes() (all []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.bars {
		all = append(all, b.Bar.Start.Format("15:04")+" "+b.Bar.Close.String())
	}
	return all
}

// instant is one step of a fake venue's tape.
type instant struct {
	at     time.Time
	prices map[market.Symbol]string
}

// venue is a desk and a gateway in one: it fills what is written to it at the
// newest price when it is settled, or at once when live. Tell delivers.
type venue struct {
	mu        sync.Mutex
	tell      func(any) // in order
	batches   *rand.Rand
	tape      []instant
	next      int
	last      map[market.Symbol]market.Price
	counts    event.Counts
	waiting   []order.Intent
	desk      event.Desk
	speed     float64
	bars      []market.Bar
	barsErr   error
	asked     map[market.Symbol]bool // for bars
	late      bool                   // subscriptions arrive with the first question after them
	fillLive  bool
	intents   []order.Intent
	fills     []order.Fill
	answer    func(in order.Intent) (event.OrderReply, error)                       // nil: written
	past      func(context.Context, event.HistoryQuery) (event.HistoryReply, error) // nil: bars
	histories int
	execs     int
}

func newVenue() *venue {
	return &venue{
		last: map[market.Symbol]market.Price{}, asked: map[market.Symbol]bool{}, tell: func(any) {},
		desk: event.Desk{
			Account: "DU1", Positions: []order.Position{}, Market: day,
			Values:  []broker.AccountValue{{Key: "TotalCashValue", Value: "1000000", Currency: "USD"}},
			Details: map[market.Symbol]market.Details{"AAPL": {Liquid: market.Hours{{Open: day, Close: day.Add(390 * time.Minute)}}}},
		},
	}
}

func (v *venue) Link(context.Context) (broker.Link, error) {
	return broker.Link{Facts: broker.Facts{Speed: v.speed}}, nil
}

func (v *venue) Desk(context.Context) (event.Desk, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.desk
	d.Counts = v.counts
	return d, nil
}

func (v *venue) History(ctx context.Context, q event.HistoryQuery) (event.HistoryReply, error) {
	if v.past != nil {
		return v.past(ctx, q)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.histories++
	v.asked[q.Symbol] = true
	if v.barsErr != nil {
		return event.HistoryReply{Error: v.barsErr.Error()}, nil
	}
	return event.HistoryReply{Bars: v.bars}, nil
}

func (v *venue) Order(_ context.Context, in order.Intent) (event.OrderReply, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.intents = append(v.intents, in)
	if v.answer != nil {
		return v.answer(in)
	}
	v.counts.Written++
	if v.fillLive {
		v.fill(in)
	} else {
		v.waiting = append(v.waiting, in)
	}
	return event.OrderReply{IntentID: in.ID, Result: event.Written, Written: v.counts.Written}, nil
}

// fill tells an order's way as four reports.
func (v *venue) fill(in order.Intent) {
	v.execs++
	f := order.Fill{
		ExecID: fmt.Sprint("e", v.execs), Ref: in.ID, Symbol: in.Symbol, Side: in.Side, Qty: in.Qty,
		Price: v.last[in.Symbol], At: in.At, Currency: "USD",
	}
	paid := f
	paid.Commission = market.MustMoney("1").Ptr()
	v.fills = append(v.fills, paid)
	o := order.Order{Ref: in.ID, Symbol: in.Symbol, Side: in.Side, Qty: in.Qty, State: order.Working}
	filled := o
	filled.State, filled.Filled = order.Filled, in.Qty
	for _, e := range []any{o, f, filled, paid} {
		v.counts.Reports++
		v.say(e)
	}
}

// say tells one thing, and now and then how far the desk is, as batches do.
func (v *venue) say(e any) {
	v.tell(e)
	if v.batches != nil && v.batches.IntN(2) == 0 {
		v.tell(v.counts)
	}
}

func (v *venue) Next(context.Context) (broker.Instant, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next == len(v.tape) {
		return broker.Instant{}, io.EOF
	}
	now := v.tape[v.next]
	v.next++
	for _, s := range slices.Sorted(maps.Keys(now.prices)) {
		text := now.prices[s]
		v.last[s] = px(text)
		if v.late && !v.asked[s] {
			continue
		}
		v.counts.Ticks++
		v.say(trade(s, now.at, text, v.counts.Ticks))
	}
	v.tell(v.counts)
	return broker.Instant{At: now.at, Ticks: v.counts.Ticks, Reports: v.counts.Reports}, nil
}

func (v *venue) Settle(_ context.Context, written uint64) (broker.Instant, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if written != v.counts.Written {
		return broker.Instant{}, fmt.Errorf("settle %d of %d", written, v.counts.Written)
	}
	for _, in := range v.waiting {
		v.fill(in)
	}
	v.waiting = nil
	v.tell(v.counts)
	return broker.Instant{At: v.tape[v.next-1].at, Ticks: v.counts.Ticks, Reports: v.counts.Reports}, nil
}

func trade(s market.Symbol, at time.Time, price string, frames uint64) event.Ticks {
	return event.Ticks{Symbol: s, Frames: frames, Ticks: []event.TickData{
		{Kind: "trade", Price: px(price).Ptr(), Size: market.Shares(100).Ptr(), At: at},
	}}
}

// Listen delivers on a goroutine of its own, as the bus does.
func (v *venue) Listen(fn func(Heard)) (func(context.Context) error, error) {
	queue, done := make(chan any, 100_000), make(chan struct{})
	v.mu.Lock()
	v.tell = func(e any) { queue <- e }
	v.mu.Unlock()
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e := <-queue:
				fn(Heard{At: time.Now(), Data: e})
			case <-stop:
				return
			}
		}
	}()
	return func(ctx context.Context) error {
		v.mu.Lock()
		v.tell = func(any) {}
		v.mu.Unlock()
		close(stop)
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, nil
}

// script is a strategy made of functions; nil ones do nothing.
type script struct {
	need   int
	onBar  func(strategy.Context, market.Bar)
	onTick func(strategy.Context, market.Tick)
	onFill func(strategy.Context, order.Fill)
}

func (s *script) Need() int { return s.need }

func (s *script) OnBar(c strategy.Context, b market.Bar) {
	if s.onBar != nil {
		s.onBar(c, b)
	}
}

func (s *script) OnTick(c strategy.Context, t market.Tick) {
	if s.onTick != nil {
		s.onTick(c, t)
	}
}

func (s *script) OnFill(c strategy.Context, f order.Fill) {
	if s.onFill != nil {
		s.onFill(c, f)
	}
}

func (s *script) kind() strategy.Kind {
	return strategy.Kind{Name: "script", New: func(market.Symbol, strategy.Values) strategy.Strategy { return s }}
}

var errNo = errors.New("no")

// begin starts a runner over v that the test stops.
func begin(t *testing.T, v *venue, g *gatekeeper, pace Pace, k strategy.Kind, change ...func(*Config)) (*Runner, *told) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Strategy, cfg.Symbols = k.Name, []market.Symbol{"AAPL"}
	for _, f := range change {
		f(&cfg)
	}
	out := &told{}
	r, err := New(cfg, Parts{Ready: g, Pace: pace, In: v, Out: out, Kinds: []strategy.Kind{k}})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	return r, out
}

func end(t *testing.T, r *Runner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
