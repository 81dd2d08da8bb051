package gateway

import (
	"slices"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/feed"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// universe plays any symbol on demand, and AAPL from the start.
func universe(t *testing.T) *tape.Universe {
	t.Helper()
	u, err := tape.NewUniverse(tape.UniverseConfig{Synthetic: tape.SyntheticConfig{Seed: 3, Start: opening}})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add("AAPL", opening); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSymbolOnDemandIsTraded(t *testing.T) {
	s := start(t, universe(t), nil)
	p, id := join(t, s, 200, 1)
	msft := wire.ContractOf(market.USStock("MSFT"))
	buy := marketOrder(id, order.Buy, 10)
	buy.Contract = msft
	p.send(buy)
	if got := names(p.sync()); len(got) == 0 || slices.Contains(got, "errMsg 200") {
		t.Fatalf("an order of a symbol that nobody asked for: %v", got)
	}
	pace := s.Pacer(1)
	for range 200 {
		if _, err := pace.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(p.sync()); !slices.Contains(got, "execDetails") {
		t.Errorf("it was not filled: %v", got)
	}
	p.send(wire.ReqMktData{ReqID: 1, Contract: wire.ContractOf(market.USStock("NOTASYMBOLX"))})
	if got := names(p.sync()); !slices.Contains(got, "errMsg 200") {
		t.Errorf("no ticker: %v", got)
	}
}

// A source tells the hours of some days ahead; a market that is played for
// weeks keeps its nights and its weekends all the same.
func TestHoursAreToldForWeeks(t *testing.T) {
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 3, Start: opening, Sessions: tape.NewYork})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, src, nil)
	p, id := join(t, s, 200, 1)
	for day := range 30 {
		at := opening.AddDate(0, 0, day).Add(14 * time.Hour) // before midnight
		s.Inject(tape.Event{At: at, Symbol: "AAPL", Kind: tape.Trade, Price: market.MustPrice("187"), Size: market.Shares(100)})
		p.send(marketOrder(id+int64(day), order.Buy, 1))
		if got := names(p.sync()); !slices.Contains(got, "errMsg 399") || slices.Contains(got, "execDetails") {
			t.Fatalf("a market order of the night of day %d: %v", day, got)
		}
	}
}

func TestDelayedLogin(t *testing.T) {
	s := start(t, universe(t), func(c *Config) { c.Feed.Data = feed.Delayed })
	p, _ := join(t, s, 200, 1)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	if got := names(p.sync()); len(got) != 1 || got[0] != "errMsg 354" {
		t.Errorf("live data: %v", got)
	}
	p.send(wire.ReqMarketDataType{Kind: wire.MarketDataDelayed})
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	list := p.sync()
	if got := names(list); len(got) < 8 || !slices.Equal(got[:3], []string{"tickReqParams", "errMsg 10167", "marketDataType"}) {
		t.Fatalf("delayed data: %v", got)
	}
	for _, m := range list {
		if stamp, ok := m.(wire.TickString); ok {
			at, _ := stamp.Epoch()
			if late := opening.Unix() - at; stamp.Type != wire.TickDelayedLastTime || late < 15*60 || late > 16*60 {
				t.Errorf("type %d is %d s late", stamp.Type, late)
			}
		}
	}
	pace := s.Pacer(1)
	for range 100 {
		if _, err := pace.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.sync(); len(got) < 50 {
		t.Errorf("%d delayed ticks", len(got))
	}
}

func TestHaltIsTold(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	p.sync()
	s.Inject(tape.Event{At: opening.Add(time.Second), Symbol: "AAPL", Kind: tape.Halt})
	s.Inject(tape.Event{At: opening.Add(2 * time.Second), Symbol: "AAPL", Kind: tape.Resume})
	var told []float64
	for _, m := range p.sync() {
		if g, ok := m.(wire.TickGeneric); ok && g.Type == wire.TickHalted {
			told = append(told, *g.Value)
		}
	}
	if !slices.Equal(told, []float64{1, 0}) {
		t.Errorf("halted is told as %v", told)
	}
}

// slow is a past that takes as long as the test wants.
type slow struct {
	*tape.Universe
	asked   chan struct{} // one for each question that is looked up
	release chan struct{}
}

func (s slow) Bars(q tape.BarsQuery) ([]market.Bar, error) {
	s.asked <- struct{}{}
	<-s.release
	return s.Universe.Bars(q)
}

// TestLongHistoryDoesNotStopTheMarket asks while a long question is in work,
// cancels one, and leaves another behind.
func TestLongHistoryDoesNotStopTheMarket(t *testing.T) {
	src := slow{universe(t), make(chan struct{}, 4), make(chan struct{})}
	s := start(t, src, func(c *Config) { c.Speed = 1 })
	p, _ := join(t, s, 200, 1)
	ask := wire.ReqHistoricalData{ReqID: 1, Contract: aapl(), BarSize: "1 min", Duration: "600 S", WhatToShow: "TRADES", FormatDate: 1}
	p.send(ask)
	ask.ReqID = 2
	p.send(ask)
	<-src.asked
	<-src.asked
	p.send(wire.ReqMktData{ReqID: 3, Contract: aapl()})
	p.send(wire.CancelHistoricalData{ReqID: 2})
	list := p.sync()
	if got := names(list); !slices.Contains(got, "tickReqParams") || !slices.Contains(got, "errMsg 162") || slices.Contains(got, "historicalData") {
		t.Errorf("meanwhile: %v", got)
	}
	gone, _ := join(t, s, 200, 2)
	gone.send(ask)
	gone.sync()
	gone.leave()
	close(src.release)
	for {
		m := p.next()
		if h, ok := m.(wire.HistoricalData); ok {
			if h.ReqID != 1 || len(h.Bars) < 9 {
				t.Errorf("answer %d has %d bars", h.ReqID, len(h.Bars))
			}
			return
		}
	}
}

// TestSnapshotEndsByItself has a snapshot of a market that lacks nothing end
// with no more than the play of time.
func TestSnapshotEndsByItself(t *testing.T) {
	s := start(t, universe(t), func(c *Config) { c.Speed = 1000 })
	p, _ := join(t, s, 200, 1)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl(), Snapshot: true})
	for {
		if _, ok := p.next().(wire.TickSnapshotEnd); ok {
			return
		}
	}
}

// TestKeptBarsOverTheServer sees updates of a bar at speed.
func TestKeptBarsOverTheServer(t *testing.T) {
	for _, v := range versions {
		s := start(t, universe(t), func(c *Config) { c.Speed = 200 })
		p, _ := join(t, s, v, 1)
		p.send(wire.ReqHistoricalData{
			ReqID: 1, Contract: aapl(), BarSize: "1 min", Duration: "600 S", WhatToShow: "TRADES", FormatDate: 2, KeepUpToDate: true,
		})
		answered, updates := false, 0
		for updates < 30 {
			switch m := p.next().(type) {
			case wire.HistoricalData:
				answered = true
			case wire.HistoricalDataUpdate:
				if !answered || m.Bar.Date == "" {
					t.Fatalf("update %+v, answered: %v", m, answered)
				}
				updates++
			}
		}
		p.send(wire.CancelHistoricalData{ReqID: 1})
		for {
			if e, ok := p.next().(wire.ErrMsg); ok && e.Code == 162 {
				break
			}
		}
		if got := p.sync(); len(got) != 0 {
			t.Errorf("version %d, after the end: %v", v, names(got))
		}
	}
}
