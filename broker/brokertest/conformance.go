package brokertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/broker/market"
)

// patience bounds every wait of the suite. Wall time; generous, as it is only
// spent when something is wrong.
const patience = 10 * time.Second

// Venue says what a test needs of a venue.
type Venue struct {
	Accounts []string // of the login
}

// Driver makes the market of an adapter's venue move.
type Driver interface {
	// Symbol is one that the venue lists, and that trades now.
	Symbol() market.Symbol
	// Move makes something happen in its market. Where the market moves by
	// itself it does nothing.
	Move()
}

// Conformance holds an adapter against the port. Open gives a new venue and the
// adapter for it; what it starts, it ends with t.Cleanup.
func Conformance(t *testing.T, open func(t *testing.T, v Venue) (broker.Adapter, Driver)) {
	paper := Venue{Accounts: []string{"DU7654321"}}
	for _, tt := range []struct {
		name  string
		venue Venue
		run   func(t *testing.T, a broker.Adapter, d Driver)
	}{
		{"open climbs the rungs in order", paper, opens},
		{"open that is cancelled leaves nothing", paper, cancelled},
		{"a live account needs live", Venue{Accounts: []string{"U1234567"}}, live},
		{"an unknown account is refused", paper, unknownAccount},
		{"an account that is not allowed is refused", paper, notAllowed},
		{"several accounts need a name", Venue{Accounts: []string{"DU1111111", "DU2222222"}}, several},
		{"the end", paper, ends},
		{"signs of life", paper, vital},
		{"requests end with their context", paper, cancelledRequests},
		{"time and contract", paper, asks},
		{"ticks", paper, ticks},
		{"a subscription is renewed", paper, renews},
		{"history", paper, bars},
		{"account", paper, accounts},
		{"a market order fills", paper, fills},
		{"a limit order rests and is cancelled", paper, rests},
		{"an order that is not there is not cancelled", paper, noCancel},
		{"a stop rests and is changed", paper, stops},
		{"of a group one fills", paper, groups},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, d := open(t, tt.venue)
			tt.run(t, a, d)
		})
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// session opens one, and closes it when the test ends.
func openSession(t *testing.T, a broker.Adapter, cfg broker.OpenConfig) broker.Session {
	t.Helper()
	s, err := a.Open(within(t), cfg, func(broker.Rung) {})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func opens(t *testing.T, a broker.Adapter, _ Driver) {
	var names []string
	last := 0.0
	s, err := a.Open(within(t), broker.OpenConfig{}, func(r broker.Rung) {
		names = append(names, r.Name)
		if !r.OK || r.AtMS < last {
			t.Errorf("rung %+v after %v ms", r, last)
		}
		last = r.AtMS
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(within(t))
	if want := broker.Rungs()[:5]; !slices.Equal(names, want) {
		t.Errorf("rungs %q, want %q", names, want)
	}
	f := s.Facts()
	if !slices.Contains(f.Accounts, "DU7654321") || f.Account != "DU7654321" || f.NextOrderID < 1 || f.Opened.IsZero() || f.Gateway == "" {
		t.Errorf("facts %+v", f)
	}
	if a.Name() == "" {
		t.Error("the adapter has no name")
	}
}

func cancelled(t *testing.T, a broker.Adapter, _ Driver) {
	// What the venue itself runs is not the adapter's: it is there before.
	_ = openSession(t, a, broker.OpenConfig{}).Close(within(t))
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err := a.Open(ctx, broker.OpenConfig{}, func(broker.Rung) {})
	if err == nil {
		_ = s.Close(within(t))
		t.Fatal("open with a cancelled context gave a session")
	}
	if !errors.Is(err, broker.ErrGatewayDown) || errors.Is(err, broker.ErrRefused) {
		t.Errorf("error %v is not about the gateway being out of reach", err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// refused checks an error of a guard.
func refused(t *testing.T, a broker.Adapter, cfg broker.OpenConfig) {
	t.Helper()
	var rungs []broker.Rung
	s, err := a.Open(within(t), cfg, func(r broker.Rung) { rungs = append(rungs, r) })
	if err == nil {
		_ = s.Close(within(t))
		t.Fatalf("open with %+v gave a session for %s", cfg, s.Facts().Account)
	}
	var e *broker.Error
	if !errors.Is(err, broker.ErrRefused) || broker.Retryable(err) || !errors.As(err, &e) {
		t.Fatalf("open with %+v: %v is not refused for good", cfg, err)
	}
	if e.Failure != broker.Forbidden {
		t.Errorf("the failure is named %q", e.Failure)
	}
	if e.Rung != broker.RungManagedAccounts || e.Advice == "" || len(e.Rungs) == 0 {
		t.Errorf("error tells rung %q, advice %q, rungs %+v", e.Rung, e.Advice, e.Rungs)
	}
}

func live(t *testing.T, a broker.Adapter, _ Driver) {
	refused(t, a, broker.OpenConfig{})
	refused(t, a, broker.OpenConfig{Account: "U1234567"})
	if s := openSession(t, a, broker.OpenConfig{Live: true}); s.Facts().Account != "U1234567" {
		t.Errorf("account %q", s.Facts().Account)
	}
}

func unknownAccount(t *testing.T, a broker.Adapter, _ Driver) {
	refused(t, a, broker.OpenConfig{Account: "DU0000001"})
	openSession(t, a, broker.OpenConfig{Account: "DU0000001", AnyAccount: true})
}

func notAllowed(t *testing.T, a broker.Adapter, _ Driver) {
	refused(t, a, broker.OpenConfig{Allowed: []string{"DU0000001"}})
	refused(t, a, broker.OpenConfig{Account: "DU7654321", Allowed: []string{"DU0000001", "DU0000002"}})
	if s := openSession(t, a, broker.OpenConfig{Allowed: []string{"DU0000001", "DU7654321"}}); s.Facts().Account != "DU7654321" {
		t.Errorf("account %q", s.Facts().Account)
	}
}

func several(t *testing.T, a broker.Adapter, _ Driver) {
	refused(t, a, broker.OpenConfig{})
	if s := openSession(t, a, broker.OpenConfig{Account: "DU2222222"}); s.Facts().Account != "DU2222222" {
		t.Errorf("account %q", s.Facts().Account)
	}
}

// ends checks what is left of a session after Close: errors, at once.
func ends(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	waiting := make(chan error, 1)
	go func() { // ends with the session
		for {
			if _, err := s.Events(context.Background()); err != nil {
				waiting <- err
				return
			}
		}
	}()
	for range 2 {
		if err := s.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	select {
	case err := <-waiting:
		if !errors.Is(err, broker.ErrClosed) {
			t.Errorf("Events ended with %v, want ErrClosed", err)
		}
	case <-within(t).Done():
		t.Fatal("Events hangs after Close")
	}
	if _, err := s.Events(within(t)); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Events again: %v, want ErrClosed", err)
	}
	began := time.Now()
	for name, err := range requests(within(t), s, d.Symbol()) {
		if err == nil {
			t.Errorf("%s after Close: no error", name)
		}
	}
	if err := s.(broker.Trader).Place(within(t), market1(s, "late", d.Symbol())); !errors.Is(err, broker.ErrNotWritten) {
		t.Errorf("Place after Close: %v, want ErrNotWritten", err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("requests after Close took %v", took)
	}
}

// vital checks the health of a session that tells it.
func vital(t *testing.T, a broker.Adapter, _ Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	v, ok := s.(broker.Vital)
	if !ok {
		t.Skip("this session does not tell its health")
	}
	if h := v.Health(); h.Missed != 0 || h.ReadOnlyAPI != nil || h.Competing != nil || h.Farms == nil {
		t.Errorf("a new session's health %+v", h)
	}
	began := time.Now()
	for range 3 { // however often it is asked, it does not miss an answer
		if _, err := s.Time(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	h := v.Health()
	if h.LastAnswer == nil || h.LastFrame == nil || h.RoundTripMS == nil || *h.RoundTripMS < 0 || h.Missed != 0 {
		t.Fatalf("health after an answer %+v", h)
	}
	if h.LastAnswer.Before(began.Add(-time.Second)) || h.LastAnswer.After(time.Now()) || h.FramesIn == 0 || h.FramesOut == 0 {
		t.Errorf("health after an answer %+v", h)
	}
	if err := s.Close(within(t)); err != nil {
		t.Error(err)
	}
	if after := v.Health(); after.FramesIn < h.FramesIn {
		t.Errorf("after the end %+v", after)
	}
}

func cancelledRequests(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, err := range requests(ctx, s, d.Symbol()) {
		// These two are only written: there is no answer to wait for.
		if err == nil && name != "WatchAccount" && name != "Subscribe" {
			t.Errorf("%s with a cancelled context: no error", name)
		}
	}
	if _, err := s.Time(within(t)); err != nil {
		t.Errorf("the session does not live on: %v", err)
	}
}

// requests asks everything that is answered, and returns the errors by name.
func requests(ctx context.Context, s broker.Session, sym market.Symbol) map[string]error {
	c := market.USStock(sym)
	errs := map[string]error{}
	_, errs["Time"] = s.Time(ctx)
	_, errs["Details"] = s.(broker.ContractSource).Details(ctx, c)
	_, errs["Bars"] = s.(broker.HistorySource).Bars(ctx, broker.BarsQuery{Contract: c, Span: time.Hour, Width: time.Minute})
	acc := s.(broker.AccountSource)
	_, errs["Positions"] = acc.Positions(ctx)
	_, errs["OpenOrders"] = acc.OpenOrders(ctx)
	_, _, errs["Executions"] = acc.Executions(ctx)
	_, errs["Account"] = acc.Account(ctx)
	errs["WatchAccount"] = acc.WatchAccount(ctx)
	errs["Subscribe"] = s.(broker.MarketData).Subscribe(ctx, c)
	return errs
}

func asks(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	at, err := s.Time(within(t))
	if err != nil || at.Year() < 1980 {
		t.Errorf("time %v, %v", at, err)
	}
	c := contract(t, s, d.Symbol())
	if c.ConID == 0 || c.Symbol != d.Symbol() || c.Currency == "" {
		t.Errorf("contract %+v", c)
	}
	list, err := s.(broker.ContractSource).Details(within(t), market.USStock("NOSUCH"))
	if len(list) > 0 || err != nil && !errors.Is(err, broker.ErrRequest) {
		t.Errorf("details of a symbol that is not there: %+v, %v", list, err)
	}
}

// contract returns the venue's contract of a symbol.
func contract(t *testing.T, s broker.Session, sym market.Symbol) market.Contract {
	t.Helper()
	list, err := s.(broker.ContractSource).Details(within(t), market.USStock(sym))
	if err != nil || len(list) != 1 {
		t.Fatalf("details of %s: %+v, %v", sym, list, err)
	}
	if list[0].MinTick.Sign() <= 0 {
		t.Errorf("details of %s: the price grid is %v", sym, list[0].MinTick)
	}
	return list[0].Contract
}

func ticks(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	c := contract(t, s, d.Symbol())
	if err := s.(broker.MarketData).Subscribe(within(t), c); err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, d)
	w.until("bid, ask and trade ticks", func() bool {
		return w.quote.Bid != nil && w.quote.Ask != nil && w.quote.Last != nil
	})
	if w.quote.Ask.Less(*w.quote.Bid) || w.quote.LastAt.IsZero() {
		t.Errorf("quote %+v", w.quote)
	}
	if w.frames == 0 {
		t.Error("ticks came in no frames")
	}
	if err := s.(broker.MarketData).Unsubscribe(within(t), d.Symbol()); err != nil {
		t.Errorf("unsubscribe: %v", err)
	}
}

// renews checks that a subscription can be renewed, twice, and that the market
// is told anew each time.
func renews(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	r, ok := s.(broker.Resubscriber)
	if !ok {
		t.Skip("this adapter's sessions renew no subscription")
	}
	c := contract(t, s, d.Symbol())
	for _, what := range []string{"without one", "of the first", "of the second"} {
		if err := r.Resubscribe(within(t), c); err != nil {
			t.Fatalf("renewal %s: %v", what, err)
		}
		w := watch(t, s, d)
		w.until("ticks after the renewal "+what, func() bool { return w.quote.Bid != nil || w.quote.Last != nil })
	}
}

func bars(t *testing.T, a broker.Adapter, d Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	now, err := s.Time(within(t))
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.(broker.HistorySource).Bars(within(t), broker.BarsQuery{
		Contract: contract(t, s, d.Symbol()), Span: 2 * time.Hour, Width: time.Minute,
	})
	if err != nil || len(list) < 10 {
		t.Fatalf("%d bars, %v", len(list), err)
	}
	for i, b := range list {
		if b.High.Less(b.Low) || b.Close.Less(b.Low) || b.High.Less(b.Close) || b.Low.Sign() <= 0 {
			t.Errorf("bar %+v", b)
		}
		if i > 0 && b.Start.Sub(list[i-1].Start) < time.Minute {
			t.Errorf("bar at %v follows one at %v", b.Start, list[i-1].Start)
		}
	}
	// A minute more, because the venue tells whole seconds and time goes on.
	if end := list[len(list)-1].Start.Add(time.Minute); end.After(now.Add(time.Minute)) {
		t.Errorf("the newest bar ends at %v, and it is %v: it is not closed", end, now)
	}
}

func accounts(t *testing.T, a broker.Adapter, _ Driver) {
	s := openSession(t, a, broker.OpenConfig{})
	acc := s.(broker.AccountSource)
	values, err := acc.Account(within(t))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, v := range values {
		keys[v.Key] = true
		if v.Value == "" || v.Account != s.Facts().Account {
			t.Errorf("value %+v", v)
		}
	}
	for _, k := range []string{"NetLiquidation", "TotalCashValue", "BuyingPower"} {
		if !keys[k] {
			t.Errorf("no %s among %v", k, keys)
		}
	}
	if err := acc.WatchAccount(within(t)); err != nil {
		t.Errorf("watch the account: %v", err)
	}
	if list, err := acc.Positions(within(t)); err != nil || len(list) != 0 {
		t.Errorf("positions of a new venue: %+v, %v", list, err)
	}
}
