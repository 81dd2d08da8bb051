package runner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/everytick"
	"robotrader/runner/strategy/smacross"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// wave is a tape of minutes whose price falls and rises, with two symbols.
func wave(minutes int) (tape []instant) {
	for i := range minutes {
		for s := range 3 {
			swing := (i + 5) % 40
			if swing > 20 {
				swing = 40 - swing
			}
			tape = append(tape, instant{
				at: day.Add(time.Duration(i)*time.Minute + time.Duration(s*20)*time.Second),
				prices: map[market.Symbol]string{
					"AAPL": fmt.Sprintf("%d.%02d", 100+swing, s), "MSFT": fmt.Sprintf("%d.%02d", 40+swing, 2*s),
				},
			})
		}
	}
	return tape
}

func describe(in order.Intent) string {
	return fmt.Sprintf("%s %s %s %v (%s) %s", in.At.Format("15:04:05"), in.Symbol, in.Side, in.Qty, in.Reason, in.ID)
}

type result struct {
	Orders, Fills, Bars []string
	Portfolio           string
}

func outcome(v *venue, o *told) (res result) {
	for _, in := range v.intents {
		res.Orders = append(res.Orders, describe(in))
	}
	for _, f := range v.fills {
		res.Fills = append(res.Fills, fmt.Sprint(f.ExecID, f.Ref, f.Symbol, f.Side, f.Qty, f.Price))
	}
	res.Bars = o.closes()
	p := o.ask().Portfolio
	res.Portfolio = fmt.Sprint(p.Cash, p.Equity, p.Realized, p.Commission, p.Pending)
	return res
}

func waitEnded(t *testing.T, r *Runner) {
	t.Helper()
	select {
	case <-r.Ended():
	case <-time.After(2 * time.Minute): // a day of trades is work: seconds with the race detector, and more on a busy machine
		t.Fatal("the replay did not end within 2 minutes")
	}
}

func two(c *Config) { c.Symbols = []market.Symbol{"AAPL", "MSFT"} }

// However the desk's messages are batched, a replay gives the same orders.
func TestReplayTwiceIsTheSame(t *testing.T) {
	var first result
	for run := range uint64(5) {
		v, g := newVenue(), newGate()
		v.tape, v.batches = wave(120), rand.New(rand.NewPCG(run, 1))
		v.desk.Details["MSFT"] = v.desk.Details["AAPL"]
		g.open()
		r, out := begin(t, v, g, v, smacross.Kind(), two)
		waitEnded(t, r)
		end(t, r)
		got := outcome(v, out)
		if len(got.Fills) < 4 {
			t.Fatalf("only %d fills: %v", len(got.Fills), got.Orders)
		}
		if run == 0 {
			first = got
			continue
		}
		if d := cmp.Diff(first, got); d != "" {
			t.Fatalf("run %d differs from the first:\n%s", run, d)
		}
	}
}

// The crosses of the wave are known by hand: these are the orders.
func TestGoldenDay(t *testing.T) {
	v, g := newVenue(), newGate()
	v.tape = wave(390)
	g.open()
	r, out := begin(t, v, g, v, smacross.Kind())
	waitEnded(t, r)
	end(t, r)
	res := outcome(v, out)
	golden(t, "day.golden", strings.Join(append(res.Orders, "portfolio "+res.Portfolio, ""), "\n"))
	run := out.ask()
	if q := run.Portfolio.Positions; len(q) != 1 || !q[0].Qty.IsZero() {
		t.Errorf("the day does not end flat: %+v", q)
	}
	if out.state().State != paused || out.state().Detail != "the replay is over" {
		t.Errorf("the end shows %+v", out.state())
	}
	if len(run.Bars["AAPL"]) != 389 { // nobody saw the last one's end
		t.Errorf("%d bars, want 389", len(run.Bars["AAPL"]))
	}
	if n := len(out.notices); n != 0 {
		t.Errorf("notices: %+v", out.notices)
	}
}

// The portfolio is the fold of the venue's own fills, to the cent.
func TestReplayLedger(t *testing.T) {
	v, g := newVenue(), newGate()
	v.tape = wave(60)
	g.open()
	r, out := begin(t, v, g, v, everytick.Kind())
	waitEnded(t, r)
	end(t, r)
	if len(v.intents) != 180 || len(v.fills) != 180 {
		t.Fatalf("%d orders and %d fills for 180 trades", len(v.intents), len(v.fills))
	}
	cash, held := market.MustMoney("1000000"), market.Qty{}
	for _, f := range v.fills {
		held = held.Add(f.Side.Signed(f.Qty))
		cash = cash.Sub(f.Price.Mul(f.Side.Signed(f.Qty))).Sub(*f.Commission)
		if one := market.Shares(1); held.Abs().Cmp(one) > 0 {
			t.Fatalf("every_tick holds %v", held)
		}
	}
	p := out.ask().Portfolio
	if p.Cash == nil || *p.Cash != cash || p.Pending != 0 || p.Commission != market.MustMoney("180") {
		t.Errorf("cash %v, want %v; commission %v, %d pending", p.Cash, cash, p.Commission, p.Pending)
	}
}

// A strategy without a warm-up sees the first trade, too: no instant happens
// before the gateway has every subscription.
func TestReplayWaitsForSubscriptions(t *testing.T) {
	v, g := newVenue(), newGate()
	v.tape, v.late = wave(2), true
	g.open()
	r, _ := begin(t, v, g, v, everytick.Kind(), two)
	waitEnded(t, r)
	end(t, r)
	if len(v.intents) != 12 {
		t.Fatalf("%d orders for 6 trades in each of two symbols", len(v.intents))
	}
}

// Another run over the same tape has other ids, the same run the same.
func TestRunIDs(t *testing.T) {
	ids := func(run string) string {
		v, g := newVenue(), newGate()
		v.tape = wave(3)
		g.open()
		r, _ := begin(t, v, g, v, everytick.Kind(), func(c *Config) { c.RunID = run })
		waitEnded(t, r)
		end(t, r)
		var all []string
		for _, in := range v.intents {
			if err := in.Validate(); err != nil {
				t.Fatal(err)
			}
			all = append(all, in.ID)
		}
		return strings.Join(all, " ")
	}
	if a, b, c := ids("one"), ids("one"), ids("two"); a != b || a == c || a == "" {
		t.Errorf("ids:\n%s\n%s\n%s", a, b, c)
	}
}

// What does not come is named; the books are read anew and the replay goes on.
func TestInstantIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, g := newVenue(), newGate()
		v.tape = wave(2)
		v.counts.Ticks = 0
		g.open()
		r, out := begin(t, v, g, liar{v}, everytick.Kind())
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if out.noticed("instant_incomplete") != 1 {
			t.Errorf("notices: %+v", out.notices)
		}
		want := "instant 2014-06-05T13:30:00Z: 2 of 7 tick frames and 0 of 0 reports came within 10s"
		if len(out.notices) > 0 && out.notices[0].Text != want {
			t.Errorf("text %q, want %q", out.notices[0].Text, want)
		}
		end(t, r)
	})
}

// liar is a pace that claims more than it wrote.
type liar struct{ *venue }

func (l liar) Next(ctx context.Context) (broker.Instant, error) {
	i, err := l.venue.Next(ctx)
	i.Ticks += 5
	return i, err
}

// A replay whose session is lost goes on after the next, with counts anew.
func TestReplayOverTwoSessions(t *testing.T) {
	v, g := newVenue(), newGate()
	v.tape = wave(30)
	g.open()
	cut := false
	s := &script{onBar: func(_ strategy.Context, b market.Bar) {
		if cut || b.Start.Before(day.Add(10*time.Minute)) {
			return
		}
		cut = true
		g.lose()
		v.mu.Lock()
		v.counts = event.Counts{}
		v.mu.Unlock()
		g.open()
	}}
	r, out := begin(t, v, g, v, s.kind())
	waitEnded(t, r)
	end(t, r)
	if n := len(out.bars); n != 29 || !cut {
		t.Errorf("%d bars, want 29: %v", n, out.closes())
	}
}

// The same replay over the real bus, with the desk as a stranger on it.
func TestReplayOverTheBus(t *testing.T) {
	want := func() result {
		v, g := newVenue(), newGate()
		v.tape = wave(60)
		g.open()
		r, out := begin(t, v, g, v, smacross.Kind())
		waitEnded(t, r)
		end(t, r)
		return outcome(v, out)
	}()

	srv, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer func() {
		if err := srv.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	desk, runs, page := connect(t, srv, "desk"), connect(t, srv, "runner"), connect(t, srv, "page")

	v, g := newVenue(), newGate()
	v.tape, v.batches = wave(60), rand.New(rand.NewPCG(7, 7))
	v.tell = func(e any) { publish(t, desk, e) }
	answer(t, desk, event.DeskState, func() event.Desk { d, _ := v.Desk(ctx); return d })
	answer(t, desk, event.LinkState, func() broker.Link { l, _ := v.Link(ctx); return l })
	reply(t, desk, event.HistoryRequest, v.History)
	reply(t, desk, event.OrderRequest, v.Order)

	out := &told{}
	if _, err := bus.Subscribe(page, event.Bar, bus.Keep, func(m event.Message[event.BarUpdate]) { _ = out.Bar(m.Data) }); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Symbols = []market.Symbol{"AAPL"}
	r, err := New(cfg, Parts{
		Ready: g, Pace: v, In: OverBus(runs), Out: OverBus(runs),
		Kinds: []strategy.Kind{everytick.Kind(), smacross.Kind()},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.open()
	r.Start()
	waitEnded(t, r)
	run, err := bus.Ask(ctx, page, event.RunState, event.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	out.ask = func() event.Run { return run }
	end(t, r)
	if err := page.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got := outcome(v, out)
	got.Bars, want.Bars = nil, nil // published behind the end; the run's state has them
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(run.Bars["AAPL"]) != 59 || run.Width != time.Minute || len(run.Strategies) != 1 {
		t.Errorf("state: %d bars of %v, %d strategies", len(run.Bars["AAPL"]), run.Width, len(run.Strategies))
	}
}

func connect(t *testing.T, s *bus.Server, name string) *bus.Conn {
	t.Helper()
	c, err := s.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer[A any](t *testing.T, c *bus.Conn, q event.Query[event.Empty, A], fn func() A) {
	t.Helper()
	if _, err := bus.Reply(c, q, func(context.Context, event.Empty) A { return fn() }); err != nil {
		t.Fatal(err)
	}
}

func reply[Q, A any](t *testing.T, c *bus.Conn, q event.Query[Q, A], fn func(context.Context, Q) (A, error)) {
	t.Helper()
	if _, err := bus.Reply(c, q, func(ctx context.Context, question Q) A { a, _ := fn(ctx, question); return a }); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, c *bus.Conn, e any) {
	var err error
	switch e := e.(type) {
	case event.Ticks:
		err = bus.Publish(c, event.Tick, e, string(e.Symbol))
	case event.Counts:
		err = bus.Publish(c, event.Progress, e)
	case order.Order:
		err = bus.Publish(c, event.Order, e)
	case order.Fill:
		err = bus.Publish(c, event.Fill, e)
	default:
		err = fmt.Errorf("the fake cannot tell a %T", e)
	}
	if err != nil {
		t.Error(err)
	}
}
