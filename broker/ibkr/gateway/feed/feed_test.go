package feed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/gateway/venue/venuetest"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

var versions = []wire.Version{176, 178, 187, 190, 192, 195, 196, 200}

// thursday is 10:00 in New York of an ordinary day.
var thursday = time.Date(2026, 4, 9, 14, 0, 0, 0, time.UTC)

// peer is a session, and what it heard is what it takes.
type peer struct{ *venuetest.Peer }

// take returns what was sent since the last call.
func (p *peer) take() []wire.Message { return p.Heard() }

// rig is a feed over a market that a test plays.
type rig struct {
	t      testing.TB
	v      *venue.Venue
	f      *Feed
	next   tape.Event
	market []tape.Event // played
}

// universe makes symbols on demand, and has AAPL.
func universe(t testing.TB, change func(*tape.SyntheticConfig)) tape.Source {
	t.Helper()
	cfg := tape.SyntheticConfig{Seed: 7, Start: thursday}
	if change != nil {
		change(&cfg)
	}
	u, err := tape.NewUniverse(tape.UniverseConfig{Synthetic: cfg, MaxSymbols: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add("AAPL", cfg.Start); err != nil {
		t.Fatal(err)
	}
	return u
}

func newRig(t testing.TB, src tape.Source, change func(*Config)) *rig {
	t.Helper()
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	x, err := exchange.New(exchange.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	v := &venue.Venue{X: x, Source: src, Zone: zone, At: src.Start()}
	for _, s := range src.Symbols() {
		h, err := src.Hours(s, src.Start())
		if err != nil {
			t.Fatal(err)
		}
		if err := x.List(exchange.StockDetails(s, h.Trading, h.Liquid)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := DefaultConfig()
	cfg.LockStep = true
	if change != nil {
		change(&cfg)
	}
	r := &rig{t: t, v: v, f: New(v, cfg)}
	r.next, _ = src.Next()
	return r
}

func (r *rig) join() *peer {
	p := &peer{venuetest.NewPeer(r.t, 1, 200)}
	r.f.Join(p)
	return p
}

// ask hands a request over as the server does, and returns the answer.
func (r *rig) ask(p *peer, m wire.Message) []wire.Message {
	r.t.Helper()
	if !r.f.Handle(p, p.Asked(m)) {
		r.t.Fatalf("%s is not one of the feed's", wire.ClientName(m.ID()))
	}
	return p.take()
}

func (r *rig) apply(ev tape.Event) {
	if ev.At.After(r.v.At) {
		r.moveTo(ev.At)
	}
	r.v.X.Apply(r.v.At, ev)
	r.f.Publish(ev)
	r.market = append(r.market, ev)
}

func (r *rig) moveTo(at time.Time) {
	r.v.At = at
	r.f.Advance(at)
	r.v.X.Advance(at)
}

// play lets the tape happen for a while of market time.
func (r *rig) play(d time.Duration) {
	end := r.v.At.Add(d)
	for !r.next.At.After(end) {
		r.apply(r.next)
		r.next, _ = r.v.Source.Next()
	}
	r.moveTo(end)
}

func aapl() wire.Contract { return wire.ContractOf(market.USStock("AAPL")) }

func stock(s market.Symbol) wire.Contract { return wire.ContractOf(market.USStock(s)) }

// names lists messages in short form.
func names(list []wire.Message) []string {
	out := []string{}
	for _, m := range list {
		name := wire.Name(m.ID())
		switch m := m.(type) {
		case wire.ErrMsg:
			name += fmt.Sprint(" ", m.Code)
		case wire.MarketDataType:
			name += fmt.Sprint(" ", int(m.Kind))
		case wire.TickPrice:
			name += fmt.Sprint(" ", int(m.Type))
		case wire.TickString:
			name += fmt.Sprint(" ", int(m.Type))
		case wire.TickSize:
			name += fmt.Sprint(" ", int(m.Type))
		case wire.TickGeneric:
			name += fmt.Sprint(" ", int(m.Type), " ", *m.Value)
		}
		out = append(out, name)
	}
	return out
}

// code is the errMsg that is all of an answer, 0 when it is not.
func code(list []wire.Message) int {
	if len(list) != 1 {
		return 0
	}
	m, _ := list[0].(wire.ErrMsg)
	return m.Code
}

// of returns the messages of one type.
func of[M wire.Message](list []wire.Message) (out []M) {
	for _, m := range list {
		if m, ok := m.(M); ok {
			out = append(out, m)
		}
	}
	return out
}

func askBars() wire.ReqHistoricalData {
	return wire.ReqHistoricalData{ReqID: 8, Contract: aapl(), BarSize: "1 min", Duration: "1800 S", WhatToShow: "TRADES", FormatDate: 1}
}

// TestEveryRequestAtEveryVersion asks everything at each version whose layouts
// differ; the peer reads each answer to its last field.
func TestEveryRequestAtEveryVersion(t *testing.T) {
	bars := func(change func(*wire.ReqHistoricalData)) wire.ReqHistoricalData {
		m := askBars()
		change(&m)
		return m
	}
	asks := map[string]struct {
		ask  wire.Message
		want string // among the answers
	}{
		"stream":           {wire.ReqMktData{ReqID: 1, Contract: aapl(), Generic: "221,233,236,293,294,295,318,375"}, "tickReqParams"},
		"snapshot":         {wire.ReqMktData{ReqID: 2, Contract: aapl(), Snapshot: true}, "tickSnapshotEnd"},
		"regulatory":       {wire.ReqMktData{ReqID: 3, Contract: aapl(), Regulatory: true}, "tickSnapshotEnd"},
		"history":          {bars(func(*wire.ReqHistoricalData) {}), "historicalData"},
		"history of bids":  {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "BID" }), "historicalData"},
		"history of asks":  {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "ASK" }), "historicalData"},
		"history of mids":  {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "MIDPOINT" }), "historicalData"},
		"history of both":  {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "BID_ASK" }), "historicalData"},
		"adjusted":         {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "ADJUSTED_LAST" }), "historicalData"},
		"long":             {bars(func(m *wire.ReqHistoricalData) { m.Duration = "2 D" }), "historicalData"},
		"regular hours":    {bars(func(m *wire.ReqHistoricalData) { m.BarSize, m.Duration, m.RegularOnly = "1 hour", "2 D", true }), "historicalData"},
		"months":           {bars(func(m *wire.ReqHistoricalData) { m.BarSize, m.Duration = "1M", "1 M" }), "historicalData"},
		"schedule":         {bars(func(m *wire.ReqHistoricalData) { m.BarSize, m.Duration, m.WhatToShow = "1 day", "5 D", "SCHEDULE" }), "historicalSchedule"},
		"kept":             {bars(func(m *wire.ReqHistoricalData) { m.ReqID, m.KeepUpToDate = 9, true }), "historicalData"},
		"head":             {wire.ReqHeadTimestamp{ReqID: 4, Contract: aapl(), WhatToShow: "TRADES", FormatDate: 1}, "headTimestamp"},
		"head in seconds":  {wire.ReqHeadTimestamp{ReqID: 4, Contract: aapl(), WhatToShow: "BID", FormatDate: 2}, "headTimestamp"},
		"trades":           {wire.ReqHistoricalTicks{ReqID: 5, Contract: aapl(), End: "20260409 10:00:00 US/Eastern", Ticks: 10, WhatToShow: "TRADES"}, "historicalTicksLast"},
		"quotes":           {wire.ReqHistoricalTicks{ReqID: 5, Contract: aapl(), Start: "20260409-13:00:00", Ticks: 10, WhatToShow: "BID_ASK"}, "historicalTicksBidAsk"},
		"mids":             {wire.ReqHistoricalTicks{ReqID: 5, Contract: aapl(), End: "20260409 10:00:00", Ticks: 10, WhatToShow: "MIDPOINT"}, "historicalTicks"},
		"tick by tick":     {wire.ReqTickByTick{ReqID: 6, Contract: aapl(), Kind: "AllLast", Ticks: 5}, "historicalTicksLast"},
		"quote by quote":   {wire.ReqTickByTick{ReqID: 7, Contract: aapl(), Kind: "BidAsk", Ticks: 5}, "historicalTicksBidAsk"},
		"mid by mid":       {wire.ReqTickByTick{ReqID: 10, Contract: aapl(), Kind: "MidPoint", Ticks: 5}, "historicalTicks"},
		"real-time bars":   {wire.ReqRealTimeBars{ReqID: 11, Contract: aapl(), BarSize: 5, WhatToShow: "TRADES"}, ""},
		"bars of mids":     {wire.ReqRealTimeBars{ReqID: 12, Contract: aapl(), BarSize: 5, WhatToShow: "MIDPOINT"}, ""},
		"depth":            {wire.ReqMktDepth{ReqID: 13, Contract: aapl(), Rows: 5}, "marketDepth"},
		"smart depth":      {wire.ReqMktDepth{ReqID: 14, Contract: aapl(), Rows: 5, Smart: true}, "marketDepthL2"},
		"depth exchanges":  {wire.ReqDepthExchanges{}, "mktDepthExchanges"},
		"details":          {wire.ReqContractDetails{ReqID: 15, Contract: aapl()}, "contractData"},
		"details by ISIN":  {wire.ReqContractDetails{ReqID: 15, SecIDType: "ISIN", SecID: "US0378331005"}, "contractData"},
		"rule":             {wire.ReqMarketRule{RuleID: 26}, "marketRule"},
		"symbols":          {wire.ReqMatchingSymbols{ReqID: 16, Pattern: "apple"}, "symbolSamples"},
		"components":       {wire.ReqSmartComponents{ReqID: 17, BBOExchange: bboExchange}, "smartComponents"},
		"options":          {wire.ReqSecDefOptParams{ReqID: 18, Underlying: "AAPL", UnderlyingType: "STK"}, "securityDefinitionOptionParameterEnd"},
		"family codes":     {wire.ReqFamilyCodes{}, "familyCodes"},
		"soft dollars":     {wire.ReqSoftDollarTiers{ReqID: 19}, "softDollarTiers"},
		"kind":             {wire.ReqMarketDataType{Kind: 3}, ""},
		"cancelled head":   {wire.CancelHeadTimestamp{ReqID: 4}, ""},
		"unknown contract": {wire.ReqContractDetails{ReqID: 20, Contract: wire.Contract{Symbol: "AAPL", SecType: "OPT"}}, "errMsg"},
	}
	for _, v := range versions {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork }), nil)
			p := r.join()
			p.V = v
			r.play(time.Minute)
			for name, tt := range asks {
				got := r.ask(p, tt.ask)
				found := tt.want == "" && len(got) == 0
				for _, m := range got {
					found = found || wire.Name(m.ID()) == tt.want
				}
				if !found {
					t.Errorf("%s: %v, want %q", name, names(got), tt.want)
				}
			}
			r.play(time.Minute) // everything that streams is read, too
			got := map[string]bool{}
			for _, m := range p.take() {
				got[wire.Name(m.ID())] = true
			}
			for _, want := range []string{"tickPrice", "tickSize", "tickString", "tickGeneric", "tickByTick", "realTimeBars", "marketDepth", "marketDepthL2", "historicalDataUpdate"} {
				if !got[want] {
					t.Errorf("no %s streamed", want)
				}
			}
		})
	}
}

func TestErrorsByCode(t *testing.T) {
	bars := func(change func(*wire.ReqHistoricalData)) wire.ReqHistoricalData {
		m := askBars()
		change(&m)
		return m
	}
	option := aapl()
	option.SecType = "OPT"
	for name, tt := range map[string]struct {
		ask  wire.Message
		code int
	}{
		"option":           {wire.ReqMktData{ReqID: 1, Contract: option}, 200},
		"not a ticker":     {wire.ReqMktData{ReqID: 1, Contract: stock("TOOLONG")}, 200},
		"generic":          {wire.ReqMktData{ReqID: 1, Contract: aapl(), Generic: "233,999"}, 321},
		"many generics":    {wire.ReqMktData{ReqID: 1, Contract: aapl(), Generic: strings.Repeat("233,", 2000)}, 321},
		"generic snapshot": {wire.ReqMktData{ReqID: 1, Contract: aapl(), Generic: "233", Snapshot: true}, 321},
		"no line":          {wire.CancelMktData{ReqID: 1}, 300},
		"data type":        {wire.ReqMarketDataType{Kind: 5}, 321},
		"bars of both":     {wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), WhatToShow: "BID_ASK"}, 321},
		"no bars":          {wire.CancelRealTimeBars{ReqID: 1}, 300},
		"no query":         {wire.CancelHistoricalData{ReqID: 1}, 366},
		"days":             {bars(func(m *wire.ReqHistoricalData) { m.Duration, m.BarSize = "400 D", "1 day" }), 321},
		"tabs":             {bars(func(m *wire.ReqHistoricalData) { m.Duration = "1\tD" }), 321},
		"kept past":        {bars(func(m *wire.ReqHistoricalData) { m.KeepUpToDate, m.EndDateTime = true, "20260401-00:00:00" }), 321},
		"kept both":        {bars(func(m *wire.ReqHistoricalData) { m.KeepUpToDate, m.WhatToShow = true, "BID_ASK" }), 321},
		"kept seconds":     {bars(func(m *wire.ReqHistoricalData) { m.KeepUpToDate, m.BarSize = true, "1 secs" }), 321},
		"adjusted past":    {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow, m.EndDateTime = "ADJUSTED_LAST", "20260401-00:00:00" }), 321},
		"hourly schedule":  {bars(func(m *wire.ReqHistoricalData) { m.WhatToShow = "SCHEDULE" }), 321},
		"too many bars":    {bars(func(m *wire.ReqHistoricalData) { m.BarSize, m.Duration = "1 secs", "3 D" }), 162},
		"head of options":  {wire.ReqHeadTimestamp{ReqID: 1, Contract: option, WhatToShow: "TRADES", FormatDate: 1}, 200},
		"head of yields":   {wire.ReqHeadTimestamp{ReqID: 1, Contract: aapl(), WhatToShow: "YIELD_BID", FormatDate: 1}, 321},
		"both ends":        {wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Start: "20260409-13:00:00", End: "20260409-14:00:00", Ticks: 1, WhatToShow: "TRADES"}, 321},
		"no end":           {wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Ticks: 1, WhatToShow: "TRADES"}, 321},
		"many ticks":       {wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Start: "20260409-13:00:00", Ticks: 1001, WhatToShow: "TRADES"}, 321},
		"ticks of bars":    {wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Start: "20260409-13:00:00", Ticks: 1, WhatToShow: "BID"}, 321},
		"tick kind":        {wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "Trades"}, 321},
		"no tick stream":   {wire.CancelTickByTick{ReqID: 1}, 300},
		"no rows":          {wire.ReqMktDepth{ReqID: 1, Contract: aapl()}, 321},
		"no book":          {wire.CancelMktDepth{ReqID: 1}, 310},
		"rule":             {wire.ReqMarketRule{RuleID: 7}, 321},
		"empty pattern":    {wire.ReqMatchingSymbols{ReqID: 1}, 321},
		"components":       {wire.ReqSmartComponents{ReqID: 1, BBOExchange: "x"}, 321},
		"foreign exchange": {wire.ReqContractDetails{ReqID: 1, Contract: wire.Contract{Symbol: "AAPL", SecType: "STK", Exchange: "IBIS"}}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, universe(t, nil), nil)
			if got := r.ask(r.join(), tt.ask); code(got) != tt.code {
				t.Errorf("%v, want %d", got, tt.code)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t, universe(t, nil), func(c *Config) { c.Lines, c.Books = 5, 2 })
	p := r.join()
	for name, tt := range map[string]struct {
		ask       func(id int) wire.Message
		limit     int
		many, dup int
	}{
		"lines": {func(id int) wire.Message { return wire.ReqMktData{ReqID: id, Contract: aapl()} }, 5, 101, 102},
		"bars": {func(id int) wire.Message {
			return wire.ReqRealTimeBars{ReqID: id, Contract: aapl(), WhatToShow: "TRADES"}
		}, 5, 101, 102},
		"ticks": {func(id int) wire.Message { return wire.ReqTickByTick{ReqID: id, Contract: aapl(), Kind: "Last"} }, 3, 10190, 102},
		"books": {func(id int) wire.Message { return wire.ReqMktDepth{ReqID: id, Contract: aapl(), Rows: 3} }, 2, 309, 102},
		"kept bars": {func(id int) wire.Message {
			m := askBars()
			m.ReqID, m.KeepUpToDate = id, true
			return m
		}, 50, 162, 322},
	} {
		t.Run(name, func(t *testing.T) {
			for id := range tt.limit {
				if got := r.ask(p, tt.ask(id)); code(got) != 0 {
					t.Fatalf("%d: %v", id, got)
				}
			}
			if got := r.ask(p, tt.ask(0)); code(got) != tt.dup {
				t.Errorf("the same id: %v, want %d", got, tt.dup)
			}
			if got := r.ask(p, tt.ask(99)); code(got) != tt.many {
				t.Errorf("one more: %v, want %d", got, tt.many)
			}
		})
	}
}

// TestLeaveAndCancelsFreeAll leaves nothing in any list.
func TestLeaveAndCancelsFreeAll(t *testing.T) {
	kept := askBars()
	kept.KeepUpToDate = true
	asks := []wire.Message{
		wire.ReqMktData{ReqID: 1, Contract: aapl()},
		wire.ReqMktData{ReqID: 2, Contract: stock("MSFT"), Snapshot: true}, // waits for a trade
		wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), WhatToShow: "BID"},
		wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "Last"},
		wire.ReqMktDepth{ReqID: 1, Contract: aapl(), Rows: 3},
		kept,
	}
	cancels := []wire.Message{
		wire.CancelMktData{ReqID: 1},
		wire.CancelMktData{ReqID: 2},
		wire.CancelRealTimeBars{ReqID: 1},
		wire.CancelTickByTick{ReqID: 1},
		wire.CancelMktDepth{ReqID: 1},
		wire.CancelHistoricalData{ReqID: 8},
	}
	for name, end := range map[string]func(*rig, *peer){
		"leave": func(r *rig, p *peer) { r.f.Leave(p) },
		"drop":  func(r *rig, _ *peer) { r.f.Drop() },
		"cancels": func(r *rig, p *peer) {
			for _, m := range cancels {
				if got := code(r.ask(p, m)); got != 0 && got != 162 {
					t.Errorf("%v: code %d", m, got)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, universe(t, nil), func(c *Config) { c.LockStep = false })
			stays := r.join()
			r.ask(stays, wire.ReqTickByTick{ReqID: 5, Contract: aapl(), Kind: "Last"})
			p := r.join()
			for _, m := range asks {
				r.ask(p, m)
			}
			if got := r.f.Subscribers("AAPL"); got != 6 {
				t.Fatalf("%d streams of AAPL", got)
			}
			end(r, p)
			want := 1
			if name == "drop" {
				want = 0
			}
			if got := r.f.Subscribers("AAPL"); got != want {
				t.Errorf("%d streams of AAPL are left", got)
			}
			if n := r.f.Subscribers("MSFT") + len(r.f.timed) + len(r.f.snapshots) + len(r.f.late); n != 0 {
				t.Errorf("%d things are left", n)
			}
			r.play(time.Minute)
			if got := p.take(); len(got) != 0 {
				t.Errorf("told: %v", names(got))
			}
		})
	}
}

func TestSymbolsOnDemandAreBounded(t *testing.T) {
	r := newRig(t, universe(t, nil), nil) // four, and AAPL is one
	p := r.join()
	if got := of[wire.SymbolSamples](r.ask(p, wire.ReqMatchingSymbols{ReqID: 1, Pattern: "msft"})); len(got) != 1 || len(got[0].Samples) != 1 || got[0].Samples[0].ConID != exchange.StockDetails("MSFT", nil, nil).Contract.ConID {
		t.Errorf("search: %+v", got)
	}
	if n := len(r.v.X.Listed()); n != 1 {
		t.Fatalf("a search listed symbols: %d", n)
	}
	for _, s := range []market.Symbol{"MSFT", "SPY", "BRK.B"} {
		got := of[wire.ContractData](r.ask(p, wire.ReqContractDetails{ReqID: 2, Contract: stock(s)}))
		if len(got) != 1 || got[0].Contract.Symbol != string(s) {
			t.Errorf("%s: %+v", s, got)
		}
	}
	if got := r.ask(p, wire.ReqMktData{ReqID: 3, Contract: stock("IBM")}); code(got) != 200 {
		t.Errorf("a fifth: %v", names(got))
	}
	if got := r.ask(p, wire.ReqMktData{ReqID: 3, Contract: stock("SPY")}); code(got) != 0 {
		t.Errorf("SPY: %v", names(got))
	}
	r.play(time.Minute)
	if got := of[wire.TickPrice](p.take()); len(got) < 20 {
		t.Errorf("%d prices in a minute", len(got))
	}
	id := of[wire.ContractData](r.ask(p, wire.ReqContractDetails{ReqID: 2, Contract: stock("SPY")}))[0].Contract.ConID
	byID := of[wire.ContractData](r.ask(p, wire.ReqContractDetails{ReqID: 2, Contract: wire.Contract{ConID: id}}))
	if len(byID) != 1 || byID[0].Contract.Symbol != "SPY" {
		t.Errorf("by id: %+v", byID)
	}
}

func TestContractData(t *testing.T) {
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork }), nil)
	p := r.join()
	d := of[wire.ContractData](r.ask(p, wire.ReqContractDetails{ReqID: 1, Contract: aapl()}))[0]
	got := []any{d.Contract.ConID, d.MinTick.String(), d.LongName, d.Industry, d.StockType, d.TimeZoneID, d.SecIDs[0].Value, d.MarketRuleIDs}
	want := []any{int64(265598), "0.01", "APPLE INC", "Technology", "COMMON", "US/Eastern", "US0378331005", "26,26,26,26,26,26,26"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	hours, err := market.ParseHours(d.LiquidHours, r.v.Zone)
	if err != nil {
		t.Fatal(err)
	}
	if in, known := hours.Contains(thursday); !in || !known {
		t.Errorf("%s is not open in %q", thursday, d.LiquidHours)
	}
	const weekend = "20260411:CLOSED;20260412:CLOSED;20260413:0930-20260413:1600"
	if !containsText(d.LiquidHours, weekend) {
		t.Errorf("no %s in %q", weekend, d.LiquidHours)
	}
	d = of[wire.ContractData](r.ask(p, wire.ReqContractDetails{ReqID: 1, Contract: wire.Contract{Symbol: "AAPL", SecType: "STK", Exchange: "ARCA"}}))[0]
	if d.Contract.Exchange != "ARCA" {
		t.Errorf("exchange %s", d.Contract.Exchange)
	}
}

func TestISIN(t *testing.T) {
	for _, known := range isins { // the check digits of real ones
		if got := checkDigit([]byte(known[:11])); got != known[11] {
			t.Errorf("%s: check digit %c", known, got)
		}
	}
	if a, b := isin("ZZZ"), isin("ZZY"); len(a) != 12 || a == b || a != isin("ZZZ") {
		t.Errorf("%s and %s", a, b)
	}
}
