package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/websocket/feed"
	"robotrader/websocket/hub"
	"robotrader/websocket/server"
	"robotrader/websocket/web"
)

// stage is a dashboard whose trader is a test: what it publishes, the page
// shows.
type stage struct {
	t    *testing.T
	conn *bus.Conn
	url  string
}

func newStage(t *testing.T) stage {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	srv, err := bus.Start(bus.DefaultConfig())
	must(t, err)
	conn, err := srv.Connect("test")
	must(t, err)
	h := hub.New(hub.DefaultConfig(), silent)
	cfg := feed.DefaultConfig()
	f := feed.New(cfg, h, silent)
	f.Start()
	heard, err := srv.Connect("feed")
	must(t, err)
	src, err := f.Connect(heard)
	must(t, err)
	pages, _ := web.Pages()
	s := server.New(server.Config{Listen: "127.0.0.1:0"}, server.Parts{Feed: f, Hub: h, Health: health.New(), Pages: pages}, silent)
	must(t, s.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, stop := range []func(context.Context) error{s.Stop, src.Close, f.Stop, h.Stop, srv.Stop} {
			if err := stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return stage{t: t, conn: conn, url: "http://" + s.Addr() + "/"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tells[T any](s stage, topic event.Topic[T], v T, parts ...string) {
	s.t.Helper()
	must(s.t, bus.Publish(s.conn, topic, v, parts...))
}

// says waits until the elements that q finds say all of the texts.
func (p *tab) says(t *testing.T, q string, texts ...string) {
	t.Helper()
	awaits(t, fmt.Sprintf("%s says %q", q, texts), 10*time.Second, func() (string, bool) {
		text := asks(t, p, chromedp.Evaluate[string](fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText).join("\n")`, q)))
		for _, want := range texts {
			if !strings.Contains(text, want) {
				return text, false
			}
		}
		return text, true
	})
}

// lacks waits until q finds nothing.
func (p *tab) lacks(t *testing.T, q string) {
	t.Helper()
	awaits(t, "no "+q, 10*time.Second, func() (string, bool) {
		n := asks(t, p, chromedp.Evaluate[int](fmt.Sprintf(`document.querySelectorAll(%q).length`, q)))
		return fmt.Sprint(n), n == 0
	})
}

func covered(since time.Time, held int64, cause string) event.Protection {
	g := event.GuardState{Symbol: "AAPL", Position: market.Shares(50), Held: market.Shares(held), Covered: held == 50, Since: since, Cause: cause}
	if held > 0 {
		g.StopPrice = market.MustPrice("182.1").Ptr()
	}
	return event.Protection{Guards: []event.GuardState{g}}
}

// limitsUsed are all limits as the gate measures them, with as much used as is
// told, and unknown otherwise.
func limitsUsed(s stage, used map[string]float64) event.LimitState {
	gate, err := risk.New(risk.DefaultConfig())
	must(s.t, err)
	u := event.LimitState{Currency: "USD", Limits: gate.Use(broker.Sight{Symbols: []broker.SymbolSight{{Symbol: "AAPL"}}})}
	for i := range u.Limits {
		l := &u.Limits[i]
		l.Used, l.Share = nil, nil
		if x, ok := used[l.Rule]; ok {
			share := x / l.Most.Float()
			l.Used, l.Share = market.MustMoney(fmt.Sprint(x)).Ptr(), &share
		}
	}
	return u
}

// How a position is protected is told where it is held, and a lost stop in the
// head, with what to do; what is not managed is called so.
func TestPageShowsProtection(t *testing.T) {
	browser(t)
	t.Parallel()
	s := newStage(t)
	p := openPage(t, s.url)
	tells(s, event.Link, broker.Link{State: broker.Ready, Since: time.Now()})
	tells(s, event.Position, order.Position{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(50), AvgCost: market.MustPrice("187.2").Ptr()})
	p.says(t, `tr[data-symbol="AAPL"][data-cover="unknown"]`, "protection unknown")
	tells(s, event.Protected, covered(time.Now(), 50, ""))
	tells(s, event.Position, order.Position{Account: "DU1", Symbol: market.Symbol("AAPL").Other(700), Qty: market.Shares(2)})
	p.says(t, `tr[data-symbol="AAPL"][data-cover="covered"]`, "covered 50 of 50 at 182.10")
	p.says(t, `tr[data-cover="unmanaged"]`, "AAPL#700", "held, not managed")
	p.lacks(t, "#naked, #matters")
	p.pictures(t, "covered")
	p.does(t, chromedp.EmulateViewport(wideX, wideY))

	tells(s, event.Protected, covered(time.Now().Add(-3*time.Second), 20, "the broker refused stop guard-AAPL-7"))
	p.says(t, "#naked", "1 position NOT covered")
	p.says(t, `tr[data-cover="naked"]`, "NOT covered since", "20 of 50 are, at 182.10", "the broker refused stop guard-AAPL-7", "place a stop in TWS by hand")
	p.says(t, "#matters", "has no confirmed stop")
	tells(s, event.Order, order.Order{Ref: "r1", OrderID: 1007, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(5), State: order.Unknown, Note: "no answer for 5s", Updated: time.Now(), Created: time.Now()})
	tells(s, event.Finding, broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "50", Theirs: "45", Evidence: "no execution accounts for it", Done: "the broker's is taken", At: time.Now()})
	p.says(t, "header", "1 order unknown", "1 difference to the broker")
	p.says(t, "#matters", "Outcome unknown: BUY 5 AAPL", "no answer for 5s", "order 1007 in TWS", "The books had 50, the broker has 45", "press Resume")
	p.pictures(t, "naked")
	p.does(t, chromedp.EmulateViewport(wideX, wideY))

	tells(s, event.Order, order.Order{Ref: "r1", OrderID: 1007, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(5), State: order.Filled, Updated: time.Now(), Created: time.Now()})
	tells(s, event.Finding, broker.Finding{Kind: "position", Symbol: "AAPL", Explained: true, At: time.Now()})
	tells(s, event.Protected, covered(time.Now(), 50, ""))
	p.lacks(t, "#naked, #matters, #lost-orders, #differs")
	p.clean(t)
}

// Each limit tells how much of it is used, unknown until that is known; near and
// hit are words, too.
func TestPageShowsRiskUse(t *testing.T) {
	browser(t)
	t.Parallel()
	s := newStage(t)
	p := openPage(t, s.url)
	tells(s, event.Limits, limitsUsed(s, nil))
	p.says(t, `[data-limit="daily_loss"][data-state="unknown"]`, "use unknown", "– of 2,000")
	tells(s, event.Mode, event.ModeChange{Mode: broker.ReduceOnly, Reason: "risk rule daily_loss: today's round trips lost 2000.5", Since: time.Now()})
	tells(s, event.Limits, limitsUsed(s, map[string]float64{"daily_loss": 1650, "drawdown": 0, "notional_per_day": 12000, "max_position_notional": 1000}))
	p.says(t, `[data-limit="daily_loss"][data-state="hit"]`, "limit hit", "Entries are refused")
	p.says(t, `[data-limit="max_position_notional"][data-state="calm"]`, "Position AAPL", "1,000.00 of 50,000 USD")
	tells(s, event.Mode, event.ModeChange{Mode: broker.Active, Reason: "resumed by the dashboard at 127.0.0.1", Since: time.Now()})
	p.says(t, `[data-limit="daily_loss"][data-state="near"]`, "near: 82 %", "1,650.00 of 2,000 USD")
	p.says(t, `[data-limit="max_gross_notional"][data-state="unknown"]`, "use unknown")
	p.says(t, "#risk", "Active", "by the dashboard at 127.0.0.1")
	tells(s, event.Limits, limitsUsed(s, map[string]float64{"daily_loss": 0, "orders_per_minute": 30, "notional_per_day": 450000}))
	p.says(t, `#risk li:first-of-type[data-limit="orders_per_minute"][data-state="hit"]`, "limit hit", "until the minute has passed")
	p.says(t, `[data-limit="notional_per_day"][data-state="near"]`, "near: 90 %")
	p.says(t, "#hits", "orders a minute")
	p.pictures(t, "risk")
	p.clean(t)
}

// watch counts frames and long tasks from now on.
const watch = `(() => { window.__long = []; new PerformanceObserver((l) => l.getEntries().forEach((e) => window.__long.push(e.duration))).observe({ type: "longtask" }); window.__frames = 0; const f = () => { window.__frames++; requestAnimationFrame(f); }; f(); return 0; })()`

// A hundred symbols at ten ticks a second each, beside 500 orders: the page still
// shows the newest price. How long its tasks took is told.
func TestPageKeepsUpWithManySymbols(t *testing.T) {
	browser(t) // not in parallel: other browsers would be measured, too
	s := newStage(t)
	p := openPage(t, s.url)
	symbols := make([]market.Symbol, 100)
	for i := range symbols {
		symbols[i] = market.Symbol(fmt.Sprintf("S%02d", i))
	}
	for i := range 500 {
		at := time.Now().Add(-time.Duration(500-i) * time.Second)
		tells(s, event.Order, order.Order{Ref: fmt.Sprint("r", i), OrderID: int64(i + 1), Symbol: symbols[i%100], Side: order.Buy, Qty: market.Shares(5), State: order.Working, Created: at, Updated: at})
	}
	p.awaits(t, "the newest orders", 20*time.Second, func(v shown) bool { return v.Orders == 200 })
	asks(t, p, chromedp.Evaluate[int](watch))
	const rounds = 40
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range rounds {
		<-tick.C
		for j, sym := range symbols {
			price := market.MustPrice(fmt.Sprintf("%d.%02d", 100+j, i))
			tells(s, event.Tick, event.Ticks{Symbol: sym, Ticks: []event.TickData{{Kind: "trade", Price: &price, Size: market.Shares(1).Ptr(), At: time.Now()}}}, string(sym))
		}
		o := order.Order{Ref: fmt.Sprint("r", 499-i), OrderID: int64(500 - i), Symbol: "S00", Side: order.Buy, Qty: market.Shares(5), State: order.Filled}
		o.Created = time.Now().Add(-time.Duration(i+1) * time.Second)
		tells(s, event.Order, o)
	}
	p.says(t, "#last", fmt.Sprintf("100.%02d", rounds-1))
	type figures struct {
		Long   []float64
		Frames int
	}
	got := asks(t, p, chromedp.Evaluate[figures](`({Long: window.__long, Frames: window.__frames})`))
	sum := 0.0
	for _, d := range got.Long {
		sum += d
	}
	// A figure of this machine while it is as busy as it is: told, not judged.
	t.Logf("%d frames in %v; %d tasks over 50 ms, %.0f ms together: %.0f", got.Frames, time.Since(began), len(got.Long), sum, got.Long)
	p.clean(t)
}
