package sim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 30 * time.Second

func adapter(t *testing.T, change func(*Config)) *Adapter {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Instance, cfg.Log = 1, slog.New(slog.DiscardHandler)
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	a := New(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return a
}

func open(t *testing.T, a *Adapter) broker.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var rungs []string
	s, err := a.Open(ctx, broker.OpenConfig{}, func(r broker.Rung) { rungs = append(rungs, r.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rungs, " "), "tcp version start_api managed_accounts next_valid_id"; got != want {
		t.Errorf("rungs %q, want %q", got, want)
	}
	return s
}

func closeSession(t *testing.T, s broker.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestOpensItsOwnGatewayAgainAndAgain(t *testing.T) {
	a := adapter(t, nil)
	if a.Name() != "sim" || a.Gateway() != "" {
		t.Errorf("name %q, gateway %q before the start", a.Name(), a.Gateway())
	}
	for range 3 {
		s := open(t, a)
		f := s.Facts()
		if !f.Simulated || f.Speed != 1 || f.Account != "DU7654321" || f.ServerVersion != gateway.MaxVersion || f.Gateway != a.Gateway() {
			t.Errorf("facts %+v", f)
		}
		closeSession(t, s)
	}
	if st := a.State(); !st.Simulated || st.Source == "" || st.Market.IsZero() || st.Ended || st.Speed != 1 {
		t.Errorf("state %+v", st)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(t.Context(), broker.OpenConfig{}, func(broker.Rung) {}); !errors.Is(err, broker.ErrRefused) {
		t.Errorf("open after stop: %v", err)
	}
}

func TestBadDataRefusesForGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "AAPL-bad.csv")
	if err := os.WriteFile(file, []byte("no header at all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := adapter(t, func(c *Config) { c.Data = []string{file} })
	_, err := a.Open(t.Context(), broker.OpenConfig{}, func(broker.Rung) {})
	var e *broker.Error
	if !errors.As(err, &e) || !errors.Is(err, broker.ErrRefused) || e.Advice == "" || !strings.Contains(err.Error(), "AAPL-bad.csv") {
		t.Errorf("open: %v", err)
	}
}

func TestValidateTellsAllFaults(t *testing.T) {
	c := Config{Data: []string{"=", "lower case!=x.csv", "AAPL=/nowhere.csv"}, Speed: -1, Faults: "f.yaml", ClientID: -1}
	err := c.Validate()
	for _, want := range []string{`"="`, "lower case!", "/nowhere.csv", "speed -1", "f.yaml", "client id -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
}

func TestParseData(t *testing.T) {
	for _, tt := range []struct {
		text, symbol, path string // path == "" means an error
	}{
		{"day.csv", "", "day.csv"},
		{"AAPL=day.csv", "AAPL", "day.csv"},
		{"aapl=day.csv", "AAPL", "day.csv"},
		{"./a=b/day.csv", "", "./a=b/day.csv"}, // an equals sign in a folder's name
		{"AAPL=", "", ""},
		{"", "", ""},
		{"=day.csv", "", "day.csv"},
		{"1X=day.csv", "", ""},
	} {
		symbol, path, err := ParseData(tt.text)
		if (err != nil) != (tt.path == "") || err == nil && (string(symbol) != tt.symbol || path != tt.path) {
			t.Errorf("%q: %q %q %v", tt.text, symbol, path, err)
		}
	}
}

// day writes an hour of the seeded market as a file of bars.
func day(t *testing.T) string {
	t.Helper()
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "AAPL-1m.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(tape.WriteBars(f, "AAPL", 7, time.Date(2026, 4, 2, 0, 0, 0, 0, zone)), f.Close())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// trader drives a session in lock-step: an order every so many instants, and
// every frame taken in before the next instant.
type trader struct {
	t         *testing.T
	s         broker.Session
	pace      *Pacer
	written   uint64
	executed  []order.Fill
	costs     map[string]market.Money
	tradeTick int
	seen      broker.Batch
	at        time.Time
}

// take reads events until the session has counted what the pacer told.
func (d *trader) take(at broker.Instant) {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	for d.seen.TickFrames < at.Ticks || d.seen.ReportFrames < at.Reports {
		b, err := d.s.Events(ctx)
		if err != nil {
			d.t.Fatalf("waiting for %+v, have %d and %d: %v", at, d.seen.TickFrames, d.seen.ReportFrames, err)
		}
		d.seen = b
		for _, tick := range b.Ticks {
			if tick.Kind == market.TickTrade {
				d.tradeTick++
			}
		}
		for _, e := range b.Events {
			switch e := e.(type) {
			case broker.ExecutionReport:
				d.executed = append(d.executed, e.Fill)
			case broker.CommissionReport:
				d.costs[e.ExecID] = e.Commission
			case broker.Notice:
				if e.OrderID > 0 && e.Code != 399 { // a note about an order before the opening
					d.t.Errorf("order %d: %d %s", e.OrderID, e.Code, e.Text)
				}
			}
		}
	}
	d.at = at.At
	if d.seen.TickFrames != at.Ticks || d.seen.ReportFrames != at.Reports {
		d.t.Fatalf("the session counted %d and %d, the gateway %+v", d.seen.TickFrames, d.seen.ReportFrames, at)
	}
}

func (d *trader) order(id int64, side order.Side) {
	d.t.Helper()
	c := market.USStock("AAPL")
	in := order.Intent{Symbol: "AAPL", Action: order.Place, Side: side, Type: order.Market, TIF: order.Day, Qty: market.Shares(10), ID: "t-" + string(side), At: d.at}
	if err := d.s.(broker.Trader).Place(d.t.Context(), broker.Ticket{OrderID: id, Account: d.s.Facts().Account, Contract: c, Intent: in}); err != nil {
		d.t.Fatal(err)
	}
	d.written++
	at, err := d.pace.Settle(d.t.Context(), d.written)
	if err != nil {
		d.t.Fatal(err)
	}
	d.take(at)
}

// playDay trades a whole file and returns its executions.
func playDay(t *testing.T, file string, every int) []order.Fill {
	t.Helper()
	state := t.TempDir()
	a := adapter(t, func(c *Config) { c.Data, c.Speed, c.StateDir = []string{"AAPL=" + file}, 0, state })
	if _, err := a.Pacer().Next(t.Context()); !errors.Is(err, ErrNoTrader) {
		t.Errorf("paced before the start: %v", err)
	}
	s := open(t, a)
	defer closeSession(t, s)
	if err := s.(broker.MarketData).Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
		t.Fatal(err)
	}
	d := &trader{t: t, s: s, pace: a.Pacer(), costs: map[string]market.Money{}}
	next, side := s.Facts().NextOrderID, order.Buy
	instants := 0
	for {
		at, err := d.pace.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		d.take(at)
		if instants++; instants%every == 0 {
			d.order(next, side)
			next++
			side = map[order.Side]order.Side{order.Buy: order.Sell, order.Sell: order.Buy}[side]
		}
	}
	<-a.Ended()
	if !a.State().Ended {
		t.Error("the state does not say that the tape has ended")
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instants, %d trade ticks, %d executions", instants, d.tradeTick, len(d.executed))
	checkLedger(t, state, d)
	return d.executed
}

// checkLedger compares the gateway's books with what the session heard.
func checkLedger(t *testing.T, dir string, d *trader) {
	t.Helper()
	books := readLedger(t, dir).Accounts[0]
	if len(books.Executions) != len(d.executed) || len(d.executed) == 0 {
		t.Fatalf("the books have %d executions, the session heard %d", len(books.Executions), len(d.executed))
	}
	cash := books.StartingCash
	for _, f := range d.executed {
		cost, ok := d.costs[f.ExecID]
		if !ok {
			t.Errorf("no commission for %s", f.ExecID)
		}
		cash = cash.Sub(f.Price.Mul(f.Side.Signed(f.Qty))).Sub(cost)
	}
	if cash != books.Cash {
		t.Errorf("cash %v by the executions, %v by the books", cash, books.Cash)
	}
}

func TestReplayOverTheWire(t *testing.T) {
	file := day(t)
	first, second := playDay(t, file, 150), playDay(t, file, 150)
	if len(first) != len(second) {
		t.Fatalf("%d and %d executions", len(first), len(second))
	}
	for i := range first {
		if first[i].Price != second[i].Price || !first[i].At.Equal(second[i].At) || first[i].ExecID != second[i].ExecID {
			t.Fatalf("execution %d: %+v and %+v", i, first[i], second[i])
		}
	}
}

func TestReplayOfRealDays(t *testing.T) {
	for _, name := range []string{"AAPL-1m-20140605.csv", "IBM-trades-20131008.csv"} {
		file := filepath.Join("..", "..", "..", "shared", "data", name)
		if _, err := os.Stat(file); err != nil {
			t.Skipf("no real data beside the repository: %v", err)
		}
		playDay(t, file, 500)
	}
}

func readLedger(t *testing.T, dir string) exchange.Ledger {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, gateway.LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	var l exchange.Ledger
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheSyntheticMarketBeginsWhereItIsTold(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Start, cfg.Sessions = "2026-11-27T12:59:00", "new_york" // an early close
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	src, err := cfg.Source(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ev, ok := src.Next()
	if want := time.Date(2026, 11, 27, 17, 59, 0, 0, time.UTC); !ok || ev.At.Before(want) || ev.At.Sub(want) > time.Minute {
		t.Errorf("the first event is at %v, want %v", ev.At, want)
	}
	hours, err := src.Hours(DefaultSymbol, ev.At)
	if err != nil {
		t.Fatal(err)
	}
	for at, open := range map[time.Duration]bool{0: true, 2 * time.Minute: false} {
		if in, _ := hours.Liquid.Contains(ev.At.Add(at)); in != open {
			t.Errorf("%v after the start open is %v", at, in)
		}
	}
	for _, bad := range []func(*Config){
		func(c *Config) { c.Start = "noon" },
		func(c *Config) { c.Sessions = "" },
		func(c *Config) { c.Data = []string{"sim_test.go"} },
	} {
		c := cfg
		bad(&c)
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
