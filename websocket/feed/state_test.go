package feed

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/websocket/hub"
)

var update = flag.Bool("update", false, "write the golden files")

func TestPutKeepsTheNewestInOrder(t *testing.T) {
	type item struct{ id, at int }
	at := func(x *item) time.Time { return noon.Add(time.Duration(x.at)) }
	for _, tt := range []struct {
		name    string
		in      []item
		v       item
		at      func(*item) time.Time
		want    []item
		changed bool
	}{
		{"into nothing", nil, item{1, 1}, at, []item{{1, 1}}, true},
		{"behind", []item{{1, 1}}, item{2, 2}, at, []item{{1, 1}, {2, 2}}, true},
		{"before", []item{{2, 2}}, item{1, 1}, at, []item{{1, 1}, {2, 2}}, true},
		{"behind its equals", []item{{1, 5}, {2, 5}}, item{3, 5}, at, []item{{1, 5}, {2, 5}, {3, 5}}, true},
		{"the same", []item{{1, 1}, {2, 2}}, item{1, 1}, at, []item{{1, 1}, {2, 2}}, false},
		{"another time keeps its place", []item{{1, 1}, {2, 2}}, item{1, 9}, at, []item{{1, 9}, {2, 2}}, true},
		{"full", []item{{1, 1}, {2, 2}, {3, 3}}, item{4, 4}, at, []item{{2, 2}, {3, 3}, {4, 4}}, true},
		{"full, into the middle", []item{{1, 1}, {3, 3}, {5, 5}}, item{4, 4}, at, []item{{3, 3}, {4, 4}, {5, 5}}, true},
		{"full, second oldest", []item{{1, 1}, {3, 3}, {5, 5}}, item{2, 2}, at, []item{{2, 2}, {3, 3}, {5, 5}}, true},
		{"full and too old", []item{{2, 2}, {3, 3}, {5, 5}}, item{1, 1}, at, []item{{2, 2}, {3, 3}, {5, 5}}, false},
		{"without time, full", []item{{1, 9}, {2, 8}, {3, 7}}, item{4, 0}, nil, []item{{2, 8}, {3, 7}, {4, 0}}, true},
	} {
		got := append([]item(nil), tt.in...)
		changed := put(&got, tt.v, 3, func(x *item) bool { return x.id == tt.v.id }, tt.at)
		if changed != tt.changed || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, changed %v; want %v, %v", tt.name, got, changed, tt.want, tt.changed)
		}
	}
}

// TestAnOrderThatWorksStays: a stop rests for days while others come and end.
// Seen in a soak: it was open at the broker and not on the page.
func TestAnOrderThatWorksStays(t *testing.T) {
	made := func(i int, state order.State) order.Order {
		return order.Order{Ref: fmt.Sprint("r", i), State: state, Created: noon.Add(time.Duration(i) * time.Minute)}
	}
	shown := func(list []order.Order, i int) bool {
		return slices.ContainsFunc(list, func(o order.Order) bool { return o.Ref == fmt.Sprint("r", i) })
	}
	s := newSnapshot("test", noon)
	var all []order.Order
	for i := range 3 * maxOrders {
		state := order.Filled
		if i == 0 || i == 7 {
			state = order.Working
		}
		all = append(all, made(i, state))
		s.putOrder(made(i, state))
	}
	f := New(DefaultConfig(), &nobody{}, silent)
	f.setDesk(event.Desk{Orders: all})
	for name, list := range map[string][]order.Order{"one by one": s.Orders, "the desk's state": f.snap.Orders} {
		if len(list) != maxOrders || !shown(list, 0) || !shown(list, 7) || shown(list, 8) || !shown(list, 3*maxOrders-1) || !slices.IsSortedFunc(list, func(a, b order.Order) int { return a.Created.Compare(b.Created) }) {
			t.Errorf("%s: %d orders, the old one that works is shown: %v, its ended neighbour: %v", name, len(list), shown(list, 0), shown(list, 8))
		}
	}
	if s.putOrder(made(1, order.Filled)) {
		t.Error("one that ended long ago took the place of a newer one")
	}
	for i := range maxOrders { // now all work
		s.putOrder(made(10_000+i, order.Working))
	}
	if s.putOrder(made(20_000, order.Filled)) || s.putOrder(made(-1, order.Working)) || !s.putOrder(made(20_001, order.Working)) || len(s.Orders) != maxOrders {
		t.Error("where all work, the newest of them stay")
	}
}

// A tick of an outside venue may say that a price is not there any more; that
// is null, not 0, and not the price before.
func TestTickFoldsUnknownAsNull(t *testing.T) {
	s := newSnapshot("test", noon)
	for _, tick := range []event.TickData{
		bidTick("187.24"),
		{Kind: "ask", Price: market.MustPrice("187.26").Ptr(), At: noon},
		{Kind: "trade", Price: market.MustPrice("187.25").Ptr(), At: noon},
		{Kind: "bid", At: noon.Add(time.Second)},
		{Kind: "trade", Size: market.Shares(5).Ptr(), At: noon.Add(time.Second)}, // a size without a price is no trade
		{Kind: "ask", Price: market.MustPrice("0").Ptr(), At: noon},
	} {
		s.tick("AAPL", tick, noon)
	}
	q := s.Quotes["AAPL"]
	if q.Bid != nil || q.Last == nil || q.Last.String() != "187.25" || !q.LastAt.Equal(noon) {
		t.Errorf("bid %v, last %v at %v", q.Bid, q.Last, q.LastAt)
	}
	if q.Ask == nil || !q.Ask.IsZero() {
		t.Errorf("an ask of 0 became %v", q.Ask)
	}
}

func TestListsAreBounded(t *testing.T) {
	r := &recorder{}
	f := New(DefaultConfig(), r, silent)
	r.join(fresh(t, f))
	var freshness []broker.Freshness
	for i := range 1100 {
		at := noon.Add(time.Duration(i) * time.Minute)
		f.onPortfolio(msg(event.PortfolioState{Equity: market.MustMoney("1").Ptr(), Market: at}))
		if i < 600 {
			f.onOrder(msg(order.Order{Ref: fmt.Sprint("r", i), Created: at}))
			f.onFill(msg(order.Fill{ExecID: fmt.Sprint("x", i), At: at}))
			f.onNotice(msg(event.NoticeText{Name: fmt.Sprint("n", i)}))
			f.onBar(msg(event.BarUpdate{Symbol: "AAPL", Bar: market.Bar{Start: at}}))
		}
		if i < 250 {
			sym := market.Symbol(fmt.Sprint("S", i))
			f.onPosition(msg(order.Position{Symbol: sym}))
			f.onStrategy(msg(event.StrategyState{Symbol: sym}))
			f.onData(msg(event.DataState{Symbol: sym}))
			freshness = append(freshness, broker.Freshness{Symbol: sym})
			f.onHealth(msg(event.HealthState{Data: freshness}))
			f.onTicks(msg(event.Ticks{Symbol: sym, Ticks: []event.TickData{bidTick("1")}}))
			f.onBar(msg(event.BarUpdate{Symbol: sym, Bar: market.Bar{Start: at}}))
		}
	}
	f.onAccount(msg(event.AccountValues{Account: "DU1", Values: manyValues(2000)}))
	f.tellQuotes()
	s := &f.snap
	for what, n := range map[string][2]int{
		"orders": {len(s.Orders), maxOrders}, "fills": {len(s.Fills), maxFills}, "events": {len(s.Events), maxEvents},
		"bars": {len(s.Bars["AAPL"]), maxBars}, "equity": {len(s.Equity), maxEquity}, "positions": {len(s.Positions), maxPositions},
		"strategies": {len(s.Strategies), maxStrategies}, "data": {len(s.Data), maxSymbols}, "quotes": {len(s.Quotes), maxSymbols},
		"bars' symbols": {len(s.Bars), maxSymbols}, "values": {len(s.Account.Values), maxValues},
		"freshness": {len(s.Health.Data), maxSymbols},
	} {
		if n[0] != n[1] {
			t.Errorf("%d %s, want %d", n[0], what, n[1])
		}
	}
	if got := s.Orders[len(s.Orders)-1].Ref; got != "r599" {
		t.Errorf("the newest order is %s", got)
	}
	if err := r.joins[0].check(fresh(t, f)); err != nil { // the page has the same bounds
		t.Error(err)
	}
}

func manyValues(n int) []broker.AccountValue {
	vs := make([]broker.AccountValue, n)
	for i := range vs {
		vs[i] = broker.AccountValue{Account: "DU1", Key: fmt.Sprint("k", i), Value: "1", Currency: "USD"}
	}
	return vs
}

// A runner's history that comes after the stream began does not drive out the
// bars of the stream, nor a desk's past the orders of now.
func TestHistoryDoesNotDriveOutTheNewest(t *testing.T) {
	r := &recorder{}
	f := New(DefaultConfig(), r, silent)
	r.join(fresh(t, f))
	bar := func(i int) market.Bar { return market.Bar{Start: noon.Add(time.Duration(i) * time.Minute), Trades: i} }
	for i := 1000; i < 1003; i++ {
		f.onBar(msg(event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: bar(i)}))
		f.onOrder(msg(order.Order{Ref: fmt.Sprint("r", i), Created: bar(i).Start}))
		f.onFill(msg(order.Fill{ExecID: fmt.Sprint("x", i), At: bar(i).Start}))
	}
	run := event.Run{Width: time.Minute, Bars: map[market.Symbol][]market.Bar{}}
	d := event.Desk{Orders: []order.Order{}}
	for i := 500; i < 1000; i++ {
		run.Bars["AAPL"] = append(run.Bars["AAPL"], bar(i))
		d.Orders = append(d.Orders, order.Order{Ref: fmt.Sprint("r", i), Created: bar(i).Start})
		d.Fills = append(d.Fills, order.Fill{ExecID: fmt.Sprint("x", i), At: bar(i).Start})
	}
	before := len(r.all)
	f.setRun(run)
	if n := len(r.all) - before; n != 2 { // bars, account
		t.Errorf("history came as %d deltas", n)
	}
	before = len(r.all)
	f.setDesk(d)
	if n, room := len(r.all)-before, hub.DefaultConfig().Queue; n > room*3/4 {
		t.Errorf("a desk's answer is %d deltas, and a client's queue holds %d", n, room)
	}
	for i := 1000; i < 1003; i++ {
		bars, orders, fills := f.snap.Bars["AAPL"], f.snap.Orders, f.snap.Fills
		back := 1003 - i
		if bars[len(bars)-back].Trades != i || orders[len(orders)-back].Ref != fmt.Sprint("r", i) || fills[len(fills)-back].ExecID != fmt.Sprint("x", i) {
			t.Errorf("%d is not in its place at the end", i)
		}
	}
	if err := r.joins[0].check(fresh(t, f)); err != nil {
		t.Error(err)
	}
}

// Positions of a desk are all that there are: what is not among them is flat.
// Unknown positions stay as they were told.
func TestPositionsOfAnAnswerAreComplete(t *testing.T) {
	r := &recorder{}
	f := New(DefaultConfig(), r, silent)
	r.join(fresh(t, f))
	pos := func(sym market.Symbol, n int64) order.Position {
		return order.Position{Account: "DU1", Symbol: sym, Qty: market.Shares(n), AvgCost: market.MustPrice("10").Ptr()}
	}
	f.setDesk(event.Desk{Positions: []order.Position{pos("AAPL", 100), pos("MSFT", 5)}})
	f.setDesk(event.Desk{Positions: []order.Position{pos("AAPL", 100)}})
	f.setDesk(event.Desk{})
	if p := f.snap.Positions; len(p) != 2 || p[0].Qty != market.Shares(100) || !p[1].Qty.IsZero() || p[1].AvgCost != nil {
		t.Errorf("positions are %+v", p)
	}
	f.owners[deskOwner].told = map[string]struct{}{} // a question goes out
	f.onPosition(msg(pos("AAPL", 50)))
	f.onPosition(msg(pos("IBM", 7)))
	f.setDesk(event.Desk{Positions: []order.Position{pos("AAPL", 100)}}) // the answer is older
	if p := f.snap.Positions; p[0].Qty != market.Shares(50) || p[2].Qty != market.Shares(7) {
		t.Errorf("an older answer made the positions %+v", p)
	}
	if err := r.joins[0].check(fresh(t, f)); err != nil {
		t.Error(err)
	}
}

// golden compares JSON with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got; go test -update accepts it):\n%s", path, diff)
	}
}

// scene tells a feed one of everything.
func scene(f *Feed) {
	usd := func(s string) *market.Money { return market.MustMoney(s).Ptr() }
	price := func(s string) *market.Price { return market.MustPrice(s).Ptr() }
	retry := noon.Add(2 * time.Second)
	f.onLink(msg(broker.Link{
		State: broker.Waiting, Rung: broker.RungVersion, Rungs: []broker.Rung{{Name: broker.RungTCP, OK: true, AtMS: 0.11}, {Name: broker.RungVersion, AtMS: 2000, Note: "silence"}},
		Since: noon, Cause: "the gateway hangs", Advice: "restart it", Attempt: 2, NextRetry: &retry, Adapter: "ibkr",
		Facts: broker.Facts{Gateway: "127.0.0.1:4002", Accounts: []string{"DU7654321"}, Simulated: true, Speed: 1},
	}))
	f.setDesk(event.Desk{
		Mode: event.ModeChange{Mode: broker.Active, Reason: "started", Since: noon}, ReadOnly: true, Account: "DU7654321",
		Orders: []order.Order{{
			Ref: "sma-1", OrderID: 1001, PermID: 9, ClientID: 1, Account: "DU7654321", Strategy: "sma_cross", Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: "DAY",
			Qty: market.Shares(100), Limit: price("187.26"), State: order.Working, Reason: "fast crossed slow", Created: noon, Updated: noon,
		}},
		Positions: []order.Position{{Account: "DU7654321", Symbol: "AAPL", ConID: 265598, Qty: market.Shares(-5)}},
		Values:    []broker.AccountValue{{Account: "DU7654321", Key: "NetLiquidation", Value: "100000.00", Currency: "USD"}},
		Data:      []event.DataState{{Symbol: "AAPL", State: "live", Since: noon}},
	})
	f.onProtection(msg(event.Protection{Guards: []event.GuardState{{
		Symbol: "AAPL", Position: market.Shares(-5), Held: market.Shares(3), StopPrice: price("196.61"), Ref: "guard-AAPL-1002", Since: noon, Cause: "stops hold 3 of 5",
	}}}))
	f.onFinding(msg(broker.Finding{
		Kind: "position", Symbol: "AAPL", Ours: "0", Theirs: "-5", Evidence: "no execution accounts for it", Done: "the broker's is taken; the mode is reduce_only", At: noon,
	}))
	f.onTicks(msg(event.Ticks{Symbol: "AAPL", Ticks: []event.TickData{
		bidTick("187.24"),
		{Kind: "ask", Price: price("187.26"), Size: market.Shares(300).Ptr(), At: noon},
		{Kind: "trade", Price: price("187.25"), Size: market.Shares(10).Ptr(), At: noon.Add(30 * time.Millisecond)},
		{Kind: "volume", Size: market.MustQty("12345.5").Ptr(), At: noon},
	}}))
	f.onTicks(msg(event.Ticks{Symbol: "BRK.B", Ticks: []event.TickData{{Kind: "bid", At: noon}}}))
	f.onFill(msg(order.Fill{ExecID: "0001.01", Ref: "sma-1", Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(100), Price: *price("187.26"), Exchange: "SIM", At: noon}))
	f.onFill(msg(order.Fill{
		ExecID: "0000.02", Ref: "sma-0", Symbol: "AAPL", Side: order.Sell, Qty: market.Shares(1), Price: *price("187.2"), Exchange: "SIM",
		At: noon.Add(-time.Minute), Commission: usd("1"), Currency: "USD", RealizedPNL: usd("-0.35"),
	}))
	f.onDecision(msg(event.Decided{Decision: order.Decision{Allowed: true}}))
	f.onDecision(msg(event.Decided{
		Intent:   order.Intent{ID: "sma-2", Action: order.Place, Symbol: "AAPL", Side: order.Buy, Type: order.Market, Qty: market.Shares(1e6), At: noon},
		Decision: order.Decision{IntentID: "sma-2", Rule: "max_notional", Reason: "187000000 is above 50000", At: noon},
	}))
	f.onBar(msg(event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: market.Bar{Start: noon, Open: *price("187"), High: *price("188"), Low: *price("186.5"), Close: *price("187.25"), Volume: market.Shares(10), Trades: 1}}))
	f.setRun(event.Run{
		Width:      time.Minute,
		Strategies: []event.StrategyState{{Name: "sma_cross", Symbol: "AAPL", State: "running", Detail: "20 of 20 bars", Values: map[string]string{"fast": "187.1", "slow": "187"}, Market: noon}},
		Bars:       map[market.Symbol][]market.Bar{"AAPL": {{Start: noon.Add(-time.Minute), Open: *price("187"), High: *price("187"), Low: *price("187"), Close: *price("187"), Volume: market.Shares(1), Trades: 1}}},
		Portfolio: event.PortfolioState{
			Cash: usd("81274"), Equity: usd("100000.25"), Commission: *usd("1.35"), Pending: 1, Market: noon.Add(90 * time.Second),
			Positions: []event.PositionView{{Symbol: "AAPL", Qty: market.Shares(99)}},
		},
	})
	f.onHealth(msg(event.HealthState{
		Session: &broker.Health{
			LastFrame: &noon, RoundTripMS: new(float64), Missed: 1, Venue: broker.Part{Name: "venue", Kind: "venue", State: broker.PartOK, Code: 1102, Text: "restored", Since: noon},
			Farms:  []broker.Part{{Name: "usfarm", Kind: "market", State: broker.PartBroken, Code: 2103, Text: "broken:usfarm", Since: noon}},
			Pacing: broker.Pacing{Limit: 22, Reserved: 5, Sent: 3, Waiting: 1, HalvedUntil: &retry}, Lines: broker.Use{Used: 1, Limit: 100}, History: broker.Use{Limit: 60},
		},
		Account: broker.Part{Name: "account", Kind: "account", State: broker.PartOK, Since: noon},
		Data:    []broker.Freshness{{Symbol: "AAPL", State: "stale", Cause: "no tick for 30s", Since: noon, Last: &noon, Asked: 2}},
	}))
	f.onSim(msg(event.SimState{Simulated: true, Source: "synthetic AAPL, seed 1", Speed: 1, Market: noon}))
	alerts := event.AlertState{
		Targets: []event.AlertTarget{{Name: "ntfy", Where: "ntfy.sh", State: "working", Since: noon, Delivered: 1}},
		On:      []event.AlertOn{{Kind: "mode", Title: "Trading is stopped", Cause: "the mode is halted", Advice: "resume", Since: noon}},
		Sent:    []event.AlertSent{{At: noon, Kind: "mode", Title: "[host] Trading is stopped", Text: "the mode is halted", Urgent: true}},
		Counts:  []event.AlertCount{{Kind: "mode", Said: 1, Delivered: 1}},
	}
	f.onAlert(msg(alerts))
	f.onAlert(msg(alerts)) // told again for who came late: no news here
	f.onNotice(msg(event.NoticeText{Level: "warning", Source: "gateway", Name: "farm_broken", Code: 2103, Text: "a <farm> is broken", Symbol: "AAPL"}))
	f.tellQuotes()
	f.tell("beat", nil)
}

// The golden files hold the shape that clients rely on: every field, its name,
// and null for what is unknown. The stream is folded by the page's own tests,
// too.
func TestGoldenSnapshotAndStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for a clock that stands still
		r := &recorder{}
		f := New(Config{Version: "test"}, r, silent)
		unknown := fresh(t, f)
		golden(t, "unknown.json", unknown)
		scene(f)
		full := fresh(t, f)
		golden(t, "snapshot.json", full)
		stream := append([]byte("["), unknown...)
		for _, m := range append(r.all, full) {
			stream = append(append(stream, ','), m...)
		}
		golden(t, "stream.json", append(stream, ']'))
	})
}

func TestUnknownIsNull(t *testing.T) {
	f := New(DefaultConfig(), &recorder{}, silent)
	data := decode(fresh(t, f)).Data.(obj)
	for _, name := range []string{"link", "health", "mode", "positions", "orders", "fills", "sim", "alerts"} {
		if v, ok := data[name]; !ok || v != nil {
			t.Errorf("%s is %v, want null", name, v)
		}
	}
	account := data["account"].(obj)
	if account["values"] != nil || account["portfolio"] != nil || data["risk"].(obj)["last"] != nil {
		t.Errorf("account %v, risk %v", account, data["risk"])
	}
	f.onTicks(msg(event.Ticks{Symbol: "AAPL", Ticks: []event.TickData{{Kind: "high", At: noon}}}))
	q := decode(fresh(t, f)).Data.(obj)["quotes"].(obj)["AAPL"].(obj)
	for _, name := range []string{"bid", "ask", "last", "bid_at", "ask_at", "last_at", "bid_size", "ask_size", "last_size", "volume"} {
		if v, ok := q[name]; !ok || v != nil {
			t.Errorf("%s is %v, want null", name, v)
		}
	}
}

// The names of the contract, in the golden file that is the shape.
func TestGoldenSnapshotHasTheContractsNames(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	m := obj{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	has := func(what string, v any, names ...string) {
		t.Helper()
		for _, n := range names {
			if _, ok := v.(obj)[n]; !ok {
				t.Errorf("%s has no %s", what, n)
			}
		}
	}
	has("the message", m, "type", "epoch", "seq", "at", "data")
	data := m["data"].(obj)
	has("data", data, "link", "mode", "quotes", "positions", "orders", "fills", "account", "risk", "strategies", "sim")
	has("link", data["link"], "state", "rungs", "since", "cause", "advice")
	aapl := data["quotes"].(obj)["AAPL"].(obj)
	has("a quote", aapl, "bid", "ask", "last", "bid_at", "ask_at", "last_at")
	if aapl["bid"] != "187.24" || aapl["ask"] != "187.26" || aapl["last"] != "187.25" {
		t.Errorf("prices are %v %v %v, want strings", aapl["bid"], aapl["ask"], aapl["last"])
	}
	if at := timeOf(aapl["last_at"]); !at.Equal(noon.Add(30 * time.Millisecond)) {
		t.Errorf("last_at is %v", at)
	}
}
