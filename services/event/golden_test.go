package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var update = flag.Bool("update", false, "write testdata anew")

var (
	wall  = time.Date(2026, 4, 2, 14, 30, 0, 123456789, time.UTC)
	at    = time.Date(2026, 4, 2, 14, 29, 59, 0, time.UTC) // market time
	price = market.MustPrice("187.25")
	qty   = market.Shares(100)
	fee   = market.MustMoney("1.0035")
	bar   = market.Bar{Start: at, Open: price, High: market.MustPrice("187.3"), Low: market.MustPrice("187.2"), Close: price, Volume: qty, Trades: 12}
	value = broker.AccountValue{Account: "DU7654321", Key: "NetLiquidation", Value: "1000000.00", Currency: "USD"}
	mode  = event.ModeChange{
		Mode: broker.Active, Reason: "started", Since: wall, Flatten: true, Flat: &wall,
		Pending: []event.Ending{{OrderID: 17, Ref: "AAPL-1", Symbol: "AAPL", Cancel: event.CancelWritten}},
		Closing: []event.Closing{{
			Symbol: "AAPL", State: event.ClosingWorks, Position: market.Shares(10).Ptr(), Tries: 1, Detail: "SELL 10 AAPL is working",
		}},
		Left: []order.Position{position},
	}
	details = market.Details{
		Contract: market.Contract{
			ConID: 265598, Symbol: "AAPL", SecType: "STK", Exchange: "SMART", PrimaryExchange: "NASDAQ", Currency: "USD",
			LocalSymbol: "AAPL", TradingClass: "NMS",
		},
		LongName: "APPLE INC", MinTick: market.MustPrice("0.01"), SizeStep: market.Shares(1),
		Trading: market.Hours{{Open: at.Add(-6 * time.Hour), Close: at.Add(10 * time.Hour)}},
		Liquid:  market.Hours{{Open: at.Add(-time.Hour), Close: at.Add(5 * time.Hour)}},
	}
	link = broker.Link{
		State: broker.Ready, Rung: broker.RungData, Since: wall, DownSince: &wall, Cause: "all rungs reached", Advice: "nothing to do", Attempt: 1,
		Rungs: []broker.Rung{{Name: broker.RungTCP, OK: true, AtMS: 0.113, Note: "one address"}}, NextRetry: &wall, Adapter: "ibkr",
		Facts: broker.Facts{
			Gateway: "127.0.0.1:4002", ServerVersion: 200, ConnectionTime: "20260402 10:29:58 EST", Accounts: []string{"DU7654321"},
			Account: "DU7654321", ClientID: 1, NextOrderID: 1001, Simulated: true, Speed: 1, Opened: wall, ForceDisconnect: true,
		},
		Failure: broker.NoReply, Phase: broker.RestartPhase, Until: &wall, Sessions: 2, Warnings: []string{"the handshake took 1.2 s"},
		Breaker: broker.Breaker{
			State: broker.BreakerOpen, Wedged: 5, Limit: 5, Tries: 1, MaxTries: 12, Since: &wall, Hung: &wall,
			Evidence: &broker.Evidence{Readable: true, Why: "every field is set here", Late: true, Listening: true, Inode: 4711, UID: 1000, Queue: 2, CloseWait: 3, PID: 812, Process: "java", Started: at},
		},
	}
	rtt    = 0.35
	health = event.HealthState{
		Session: &broker.Health{
			LastFrame: &wall, LastAnswer: &wall, RoundTripMS: &rtt, Missed: 1,
			Venue:       broker.Part{Name: "venue", Kind: "venue", State: broker.PartOK, Code: 1102, Text: "restored", Since: wall},
			Farms:       []broker.Part{{Name: "usfarm", Kind: "market", State: broker.PartBroken, Code: 2103, Text: "broken:usfarm", Since: wall}},
			ReadOnlyAPI: &wall, Competing: &wall,
			Pacing: broker.Pacing{Limit: 45, Reserved: 5, Sent: 3, Waiting: 1, Waited: 12, WaitedMS: 340.5, LongestMS: 80.25, Refused: 1, HalvedUntil: &wall},
			Lines:  broker.Use{Used: 1, Limit: 100}, History: broker.Use{Used: 2, Limit: 60},
			FramesIn: 812, FramesOut: 9, Undecoded: 1, Strays: 4,
		},
		Account: broker.Part{Name: "account", Kind: "account", State: broker.PartBroken, Code: 2100, Text: "replaced", Since: wall},
		Data:    []broker.Freshness{{Symbol: "AAPL", State: "stale", Cause: "no tick for 30s", Since: wall, Last: &wall, Asked: 2}},
		Journal: &broker.JournalFailure{Kind: "full", Since: wall, Cause: "disk full", Advice: "free some space", Mends: true},
		Books:   &broker.Part{Name: "books", Kind: "account", State: broker.PartBroken, Code: 504, Text: "not compared since noon", Since: wall},
	}
	intent = order.Intent{
		ID: "sma_cross-AAPL-7", Action: order.Place, Strategy: "sma_cross", Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: order.Day,
		Qty: qty, Limit: &price, Stop: &price, OCA: "oca-AAPL-1", OutsideRTH: true, Target: "sma_cross-AAPL-6", Reason: "10 crossed 20 from below", At: at, Trace: "mb3k2x1a.AAPL.1042",
	}
	decision = order.Decision{
		IntentID: intent.ID, Allowed: true, Rule: "max_notional", Reason: "18725 is over 10000; ask for less", At: at, Saw: order.SawOf("notional", "18725"),
	}
	ord = order.Order{
		Ref: intent.ID, OrderID: 1001, PermID: 1512054321, ClientID: 1, Account: "DU7654321", Strategy: "sma_cross", Symbol: "AAPL",
		Side: order.Buy, Type: order.Limit, TIF: order.Day, Qty: qty, Limit: &price, StopPrice: &price, OCA: "oca-AAPL-1", State: order.Partial, Filled: market.Shares(40),
		AvgPrice: &price, Reason: intent.Reason, Note: "Submitted", Created: at, Updated: at, Trace: intent.Trace,
		Extended: true, Change: &order.Change{ID: "sma_cross-AAPL-8", Qty: qty, Limit: &price, StopPrice: &price},
		Lost: &order.Change{ID: "sma_cross-AAPL-6", Qty: qty, Limit: &price, StopPrice: &price},
	}
	fill = order.Fill{
		ExecID: "0000e0d5.6592c1a2.01.02", Ref: intent.ID, OrderID: 1001, PermID: 1512054321, ClientID: 1, Account: "DU7654321", Symbol: "AAPL",
		Side: order.Buy, Qty: market.Shares(40), Price: price, Exchange: "NASDAQ", At: at, Commission: &fee, Currency: "USD", RealizedPNL: market.MustMoney("-3.2").Ptr(),
		Replaces: "0000e0d5.6592c1a2.01.01",
	}
	finding = broker.Finding{
		Kind: "position", Symbol: "AAPL", Ref: intent.ID, Ours: "100", Theirs: "140", Explained: true,
		Evidence: "execution 0000e0d5.6592c1a3.01.01 of client 0 bought 40", Done: "taken into the books", At: wall,
	}
	position = order.Position{Account: "DU7654321", Symbol: "AAPL#700", ConID: 700, Qty: market.Shares(-40), AvgCost: &price, SecType: "OPT", Unmanaged: true}
	half     = 0.5
	limits   = event.LimitState{Currency: "USD", Limits: []broker.LimitUse{{
		Rule: "max_position_notional", Limit: "max_position_notional", Symbol: "AAPL", Used: market.MustMoney("25000").Ptr(), Most: market.MustMoney("50000"), Share: &half, Off: true,
	}}}
	guarded = event.GuardState{
		Symbol: "AAPL", Position: qty, Covered: true, Held: qty, StopPrice: &price, Ref: "guard-AAPL-1002", Since: at, Cause: "one",
	}
	data      = event.DataState{Symbol: "AAPL", State: "live", Cause: "ticks come", Since: wall}
	counts    = event.Counts{Ticks: 812, Reports: 9, Written: 3}
	holder    = event.Holder{ID: "q1w2e3r4", Instance: "main", Account: "DU7654321", Host: "trader-1", PID: 812, Since: wall, Held: true}
	strategy  = event.StrategyState{Name: "sma_cross", Symbol: "AAPL", State: "warming", Detail: "12 of 20 bars", Values: map[string]string{"fast": "187.31"}, Market: at}
	portfolio = event.PortfolioState{
		Cash: market.MustMoney("992509").Ptr(), Equity: market.MustMoney("999999").Ptr(), Realized: market.MustMoney("12.5"),
		Unrealized: market.MustMoney("-0.5").Ptr(), Commission: fee, Pending: 1, Market: at,
		Positions: []event.PositionView{{
			Symbol: "AAPL", Qty: market.Shares(40), AvgCost: &price, Last: &price, Unrealized: market.MustMoney("-0.5").Ptr(), Realized: market.MustMoney("12.5"),
		}},
	}
)

// golden is one payload with its file.
type golden struct {
	file string
	full any              // an event.Message with every field set
	none any              // the same type, nothing set
	back func([]byte) any // reads it
}

func message[T any](file, pub string, v T) golden {
	return golden{
		file: file,
		full: event.Message[T]{Pub: pub, Seq: 7, At: wall, Data: v},
		none: event.Message[T]{},
		back: func(b []byte) any {
			var m event.Message[T]
			d := json.NewDecoder(bytes.NewReader(b))
			d.DisallowUnknownFields()
			if err := d.Decode(&m); err != nil {
				return err
			}
			return m
		},
	}
}

func topic[T any](t event.Topic[T], pub string, v T) golden { return message(t.Name, pub, v) }

func query[Q, A any](q event.Query[Q, A], question Q, answer A) []golden {
	return []golden{message(q.Name+".question", "dashboard", question), message(q.Name+".answer", "desk", answer)}
}

func goldens() []golden {
	return slices.Concat([]golden{
		topic(event.Link, "link", link),
		topic(event.Tick, "desk", event.Ticks{
			Symbol: "AAPL", Frames: 812, Ticks: []event.TickData{{Kind: "trade", Price: &price, Size: &qty, At: at, Delayed: true}},
		}),
		topic(event.Order, "desk", ord),
		topic(event.Fill, "desk", fill),
		topic(event.Position, "desk", position),
		topic(event.Account, "desk", event.AccountValues{Account: "DU7654321", Values: []broker.AccountValue{value}}),
		topic(event.Mode, "desk", mode),
		topic(event.Decision, "desk", event.Decided{Intent: intent, Decision: decision}),
		topic(event.Data, "desk", data),
		topic(event.Progress, "desk", counts),
		topic(event.Health, "desk", health),
		topic(event.Finding, "desk", finding),
		topic(event.Protected, "desk", event.Protection{Off: true, Guards: []event.GuardState{guarded}}),
		topic(event.Limits, "desk", limits),
		topic(event.Bar, "runner", event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: bar, Closed: true}),
		topic(event.Strategy, "runner", strategy),
		topic(event.Portfolio, "runner", portfolio),
		topic(event.Notice, "desk", event.NoticeText{
			Level: "warning", Source: "gateway", Name: "farm_broken", Code: 2103, Text: "market data farm connection is broken", Symbol: "AAPL", Ref: intent.ID,
		}),
		topic(event.Sim, "sim", event.SimState{Simulated: true, Source: "synthetic AAPL, seed 1", Speed: 1, Market: at, Ended: true, Faults: []event.SimFault{{Line: 3, Text: "on connection 1: wedge", Times: 1, Last: at}}}),
		topic(event.Alert, "alert", event.AlertState{
			Targets: []event.AlertTarget{{
				Name: "ntfy", Where: "ntfy.sh", State: "failing", Cause: "ntfy: ntfy.sh did not answer in time", Since: wall, Delivered: 3, Lost: 1, Waiting: 2,
			}},
			On: []event.AlertOn{{
				Kind: "mode", Key: "x", Title: "Trading is stopped", Cause: "the mode is halted: by ops", Advice: "look why, then traderctl resume", Since: wall, Untold: true,
			}},
			Sent:   []event.AlertSent{{At: wall, Kind: "mode", Title: "[host] Trading is stopped", Text: "the mode is halted: by ops", Urgent: true}},
			Counts: []event.AlertCount{{Kind: "mode", Said: 1, Held: 2, Delivered: 3, Failed: 4}},
		}),
		topic(event.Bus, "bus", event.BusState{
			State: event.BusLost, Since: wall, Cause: "no node of the cluster answers", Life: "q1w2e3r4", Account: "DU7654321", Newest: map[string]uint64{"desk.order": 7}, Dropped: 1,
		}),
	},
		query(event.OrderRequest, intent, event.OrderReply{
			IntentID: intent.ID, Result: event.Refused, Rule: "max_notional", Reason: "18725 is over 10000; ask for less", OrderID: 1001, Known: true, Written: 3,
		}),
		query(event.HistoryRequest, event.HistoryQuery{Symbol: "AAPL", End: at, Span: 24 * time.Hour, Width: time.Minute, RegularOnly: true},
			event.HistoryReply{Bars: []market.Bar{bar}, Error: "no data of type EODChart is available"}),
		query(event.LinkState, event.Empty{}, link),
		query(event.DeskState, event.Empty{}, event.Desk{
			Mode: mode, ReadOnly: true, Account: "DU7654321", Orders: []order.Order{ord}, Fills: []order.Fill{fill},
			Positions: []order.Position{position}, Values: []broker.AccountValue{value}, Data: []event.DataState{data},
			Details: map[market.Symbol]market.Details{"AAPL": details}, Market: at, Counts: counts, Health: health,
			Guards:   []event.GuardState{guarded},
			Findings: []broker.Finding{finding}, Limits: limits,
		}),
		query(event.Claim, holder, holder),
		query(event.RunState, event.Empty{}, event.Run{
			Strategies: []event.StrategyState{strategy}, Portfolio: portfolio, Bars: map[market.Symbol][]market.Bar{"AAPL": {bar}}, Width: time.Minute,
		}),
	)
}

func TestGolden(t *testing.T) {
	var files []string
	for _, g := range goldens() {
		path := filepath.Join("testdata", g.file+".json")
		files = append(files, path)
		t.Run(g.file, func(t *testing.T) {
			got, err := json.MarshalIndent(g.full, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; run go test ./services/event -update, and look at the difference", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("what leaves the process has changed. A field keeps its meaning; when this adds one, run with -update.\ngot\n%s\nwant\n%s", got, want)
			}
			back := g.back(want)
			if again, err := json.MarshalIndent(back, "", "  "); err != nil || !bytes.Equal(append(again, '\n'), want) {
				t.Errorf("read and written again it is %s, %v (%v)", again, err, back)
			}
		})
	}
	there, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	if !slices.Equal(files, there) {
		t.Errorf("testdata holds %v, the topics and queries are %v", there, files)
	}
}

// TestEveryTopicHasAGolden reads the source, so that a new topic cannot be
// forgotten.
func TestEveryTopicHasAGolden(t *testing.T) {
	src, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, g := range goldens() {
		have = append(have, strings.TrimSuffix(strings.TrimSuffix(g.file, ".question"), ".answer"))
	}
	found := 0
	for line := range strings.Lines(string(src)) {
		if !strings.Contains(line, "= Topic[") && !strings.Contains(line, "= Query[") {
			continue
		}
		found++
		_, name, _ := strings.Cut(line, `"`)
		name, _, _ = strings.Cut(name, `"`)
		if !slices.Contains(have, name) {
			t.Errorf("%s has no golden file", name)
		}
	}
	if found < 20 {
		t.Errorf("only %d topics and queries were found: has the source another form now?", found)
	}
}

// TestGoldenIsWhole: a field that the golden value leaves out is not guarded.
func TestGoldenIsWhole(t *testing.T) {
	for _, g := range goldens() {
		walk(t, g.file, reflect.ValueOf(g.full))
	}
}

func walk(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.IsZero() && v.Type() != reflect.TypeFor[event.Empty]() {
		t.Errorf("%s is not set", path)
		return
	}
	if _, ok := v.Interface().(json.Marshaler); ok {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		walk(t, path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				walk(t, path+"."+f.Name, v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(t, fmt.Sprint(path, "[", i, "]"), v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(t, fmt.Sprint(path, "[", k, "]"), v.MapIndex(k))
		}
	}
}

// TestUnknownIsNull: a number that nobody told leaves as null, never as 0, and
// comes back as unknown.
func TestUnknownIsNull(t *testing.T) {
	pointers := 0
	for _, g := range goldens() {
		b, err := json.Marshal(g.none)
		if err != nil {
			t.Fatal(err)
		}
		var raw any
		if err := json.Unmarshal(b, &raw); err != nil {
			t.Fatal(err)
		}
		pointers += nulls(t, g.file, reflect.TypeOf(g.none), raw)
		back := g.back(b)
		if !reflect.DeepEqual(back, g.none) {
			t.Errorf("%s: nothing comes back as %+v", g.file, back)
		}
	}
	// These are inside lists, which are empty above.
	for file, v := range map[string]any{"TickData": event.TickData{}, "PositionView": event.PositionView{}, "Fill": order.Fill{}, "Order": order.Order{}} {
		b, _ := json.Marshal(v)
		var raw any
		if err := json.Unmarshal(b, &raw); err != nil {
			t.Fatal(err)
		}
		pointers += nulls(t, file, reflect.TypeOf(v), raw)
	}
	if pointers < 12 {
		t.Errorf("only %d numbers that may be unknown were found", pointers)
	}
}

// nulls wants null in raw wherever typ has a pointer, unless the field may be
// left out, and returns how many it found.
func nulls(t *testing.T, path string, typ reflect.Type, raw any) (n int) {
	t.Helper()
	fields, ok := raw.(map[string]any)
	if !ok || typ.Kind() != reflect.Struct {
		return 0
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		got, there := fields[name]
		if f.Type.Kind() == reflect.Pointer {
			n++
			if strings.Contains(opts, "omitempty") {
				there, got = true, nil
			}
			if !there || got != nil {
				t.Errorf("%s.%s: unknown is %v", path, name, got)
			}
			continue
		}
		n += nulls(t, path+"."+name, f.Type, got)
	}
	return n
}
