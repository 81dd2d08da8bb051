package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// holds fails the test unless the scrape has each of these lines.
func holds(t *testing.T, got string, want ...string) {
	t.Helper()
	lines := strings.Split(got, "\n")
	for _, w := range want {
		if !slices.Contains(lines, w) {
			t.Errorf("metrics lack %q", w)
		}
	}
}

// lacks fails the test when the scrape has a series that begins so.
func lacks(t *testing.T, got string, unwanted ...string) {
	t.Helper()
	for line := range strings.Lines(got) {
		for _, u := range unwanted {
			if strings.HasPrefix(line, u) {
				t.Errorf("what is not known has a figure: %s", line)
			}
		}
	}
}

func TestDeskMetrics(t *testing.T) {
	m := NewMetrics()
	var books event.Desk
	var looks Looks
	m.Desk(func() (event.Desk, bool) { return books, books.Orders != nil }, func() Looks { return looks })
	got := scrape(t, m)
	holds(t, got, "trader_books_known 0", `trader_reconcile_looks_total{result="answered"} 0`)
	lacks(t, got, "trader_orders", "trader_position", "trader_guard", "trader_mode", "trader_reconcile_last")

	since := time.Unix(1_700_000_000, 0)
	looks = Looks{Answered: 3, Failed: 1, Last: 1.7e9}
	books = event.Desk{
		Orders: []order.Order{{State: order.Working}, {State: order.Working}, {State: order.Unknown}, {State: order.Filled}},
		Mode:   event.ModeChange{Mode: broker.Halted, Since: since, Pending: make([]event.Ending, 2)},
	}
	got = scrape(t, m)
	holds(t, got, "trader_books_known 1", `trader_orders{state="working"} 2`, `trader_orders{state="unknown"} 1`, `trader_orders{state="sent"} 0`,
		`trader_mode{mode="halted"} 1`, `trader_mode{mode="active"} 0`, "trader_mode_since_timestamp_seconds 1.7e+09", "trader_mode_orders_to_end 2",
		"trader_mode_flattening 0", "trader_mode_read_only 0", `trader_reconcile_looks_total{result="failed"} 1`, "trader_reconcile_last_look_timestamp_seconds 1.7e+09")
	lacks(t, got, "trader_position", "trader_guard", `trader_orders{state="filled"}`)

	books.Positions = []order.Position{{Symbol: "AAPL", Qty: market.Shares(5), Account: "U1"}, {Symbol: "AAPL", Qty: market.Shares(-2), ConID: 7}}
	books.Guards = []event.GuardState{{Symbol: "AAPL", Covered: true, Since: since}, {Symbol: "MSFT"}}
	for n := range mostSymbols + 3 {
		books.Positions = append(books.Positions, order.Position{Symbol: market.Symbol(fmt.Sprintf("X%03d", n)), Qty: market.Shares(1)})
	}
	got = scrape(t, m)
	holds(t, got, `trader_position_shares{symbol="AAPL"} 3`, `trader_guard_covered{symbol="AAPL"} 1`, `trader_guard_covered{symbol="MSFT"} 0`,
		"trader_guard_uncovered_positions 1", `trader_guard_since_timestamp_seconds{symbol="AAPL"} 1.7e+09`, "trader_metrics_left_out 4")
	if n := strings.Count(got, "trader_position_shares{"); n != mostSymbols {
		t.Errorf("%d symbols have a series, want %d", n, mostSymbols)
	}
}

// TestRiskMetrics: what is not known or off has no series, a symbol has its own,
// and no more symbols than are listed have any.
func TestRiskMetrics(t *testing.T) {
	m := NewMetrics()
	var books event.Desk
	m.Desk(func() (event.Desk, bool) { return books, books.Orders != nil }, func() Looks { return Looks{} })
	lacks(t, scrape(t, m), "trader_risk_")
	share := func(x float64) *float64 { return &x }
	books = event.Desk{Orders: []order.Order{}, Limits: event.LimitState{Limits: []broker.LimitUse{
		{Limit: "max_daily_loss", Share: share(0.25)},
		{Limit: "max_drawdown"},
		{Limit: "max_losing_streak", Share: share(1), Off: true},
		{Limit: "max_gross_notional", Share: share(0)},
		{Limit: "max_position_notional", Symbol: "ZZ"},
	}}}
	for n := range mostSymbols + 2 {
		books.Limits.Limits = append(books.Limits.Limits, broker.LimitUse{Limit: "max_position_notional", Symbol: market.Symbol(fmt.Sprintf("X%03d", n)), Share: share(0.5)})
	}
	got := scrape(t, m)
	holds(t, got, `trader_risk_use_ratio{limit="max_daily_loss",symbol=""} 0.25`, `trader_risk_use_ratio{limit="max_gross_notional",symbol=""} 0`,
		`trader_risk_use_ratio{limit="max_position_notional",symbol="X000"} 0.5`, "trader_metrics_left_out 2")
	lacks(t, got, `trader_risk_use_ratio{limit="max_drawdown"`, `trader_risk_use_ratio{limit="max_losing_streak"`, `trader_risk_use_ratio{limit="max_position_notional",symbol="ZZ"}`)
	if n := strings.Count(got, `limit="max_position_notional"`); n != mostSymbols {
		t.Errorf("%d symbols have a series, want %d", n, mostSymbols)
	}
}

func TestFlowMetrics(t *testing.T) {
	m := NewMetrics()
	for n := range mostRules + 5 {
		m.Decided(event.Decided{Decision: order.Decision{Rule: fmt.Sprintf("rule_%d", n)}})
	}
	m.Decided(event.Decided{Decision: order.Decision{Allowed: true}})
	m.Decided(event.Decided{Decision: order.Decision{Allowed: true, Saw: order.SawOf("link", "ready")}}) // a cancel saw no limits
	for _, s := range []order.State{order.Sent, order.Accepted, order.Accepted, order.Filled, order.Filled} {
		m.Order(order.Order{Ref: "a", State: s})
		m.Order(order.Order{PermID: 7, State: s})
	}
	m.Fill(order.Fill{Side: order.Buy})
	m.Fill(order.Fill{Side: order.Buy, Commission: new(market.Money)})
	m.Finding(broker.Finding{Kind: "position"})
	m.Timed(broker.Timing{Gate: 20 * time.Microsecond, Journal: 3 * time.Millisecond, Wire: 10 * time.Microsecond})
	got := scrape(t, m)
	holds(t, got, `trader_decisions_total{outcome="allowed",rule=""} 2`, `trader_decisions_total{outcome="refused",rule="rule_0"} 1`,
		`trader_decisions_total{outcome="refused",rule="other"} 5`,
		`trader_order_transitions_total{state="sent"} 2`, `trader_order_transitions_total{state="accepted"} 2`, `trader_order_transitions_total{state="filled"} 2`,
		`trader_executions_total{side="BUY"} 1`, `trader_reconcile_differences_total{explained="false",kind="position"} 1`,
		`trader_order_stage_seconds_bucket{stage="journal",le="0.005"} 1`, `trader_order_stage_seconds_bucket{stage="journal",le="0.0025"} 0`)
}

func TestLastStatesAreBounded(t *testing.T) {
	m := NewMetrics()
	for n := range mostOrders + 10 {
		m.Order(order.Order{Ref: fmt.Sprint(n), State: order.Sent})
	}
	if n := len(m.flow.states.of); n != mostOrders || len(m.flow.states.told) != mostOrders {
		t.Errorf("%d orders are remembered, want %d", n, mostOrders)
	}
	m.Order(order.Order{Ref: fmt.Sprint(mostOrders + 9), State: order.Sent})
	holds(t, scrape(t, m), fmt.Sprintf(`trader_order_transitions_total{state="sent"} %d`, mostOrders+10))
}

func TestWorkMetrics(t *testing.T) {
	m := NewMetrics()
	lacks(t, scrape(t, m), "trader_strategy", "trader_portfolio")
	m.Strategy(event.StrategyState{Name: "sma_cross", Symbol: "AAPL", State: "warming"})
	m.Strategy(event.StrategyState{Name: "sma_cross", Symbol: "AAPL", State: "running"})
	for n := range mostStrategies + 5 {
		m.Strategy(event.StrategyState{Name: fmt.Sprint(n), State: "failed"})
	}
	m.Portfolio(event.PortfolioState{Cash: market.MustMoney("12.5").Ptr(), Realized: market.MustMoney("-3"), Pending: 2})
	got := scrape(t, m)
	holds(t, got, `trader_strategy_state{state="running",strategy="sma_cross",symbol="AAPL"} 1`, `trader_strategy_state{state="warming",strategy="sma_cross",symbol="AAPL"} 0`,
		"trader_portfolio_cash 12.5", "trader_portfolio_realized -3", "trader_portfolio_fills_without_commission 2")
	lacks(t, got, "trader_portfolio_equity", "trader_portfolio_unrealized")
	if n := strings.Count(got, `state="running"`); n != mostStrategies {
		t.Errorf("%d strategies have a series, want %d", n, mostStrategies)
	}
}

func TestBusMetrics(t *testing.T) {
	m := NewMetrics()
	m.Bus(func() ([]BusPublisher, []BusSubscriber) {
		return []BusPublisher{{Name: "desk", Published: 7, Undecodable: 1}}, []BusSubscriber{
			{Name: "feed", Topic: "desk.order", Delivered: 3, Dropped: 1, Lost: 1, Pending: 2},
			{Name: "feed", Topic: "desk.order", Delivered: 4}, // heard twice: a scrape with a series twice fails as a whole
		}
	})
	out := BusOutside{Kept: 1, Ticks: 2, Dropped: 3, Clients: -1, Refused: map[string]uint64{"busy": 4}}
	tell := m.Outside(func() BusOutside { return out })
	got := scrape(t, m)
	holds(t, got, `trader_bus_published_total{publisher="desk"} 7`, `trader_bus_undecodable_total{subscriber="desk"} 1`,
		`trader_bus_delivered_total{subscriber="feed",topic="desk.order"} 7`, `trader_bus_pending{subscriber="feed",topic="desk.order"} 2`,
		`trader_bus_dropped_total{subscriber="feed",topic="desk.order"} 1`, `trader_bus_lost_total{subscriber="feed",topic="desk.order"} 1`,
		`trader_bus_outside_waiting{kind="ticks"} 2`, "trader_bus_outside_dropped_total 3", `trader_bus_outside_refused_total{rule="busy"} 4`)
	lacks(t, got, "trader_bus_outside_state", "trader_bus_outside_clients")
	tell(event.BusState{State: event.BusLost, Since: time.Unix(1_700_000_000, 0)})
	out.Clients = 0
	holds(t, scrape(t, m), `trader_bus_outside_state{state="lost"} 1`, `trader_bus_outside_state{state="up"} 0`,
		"trader_bus_outside_state_since_timestamp_seconds 1.7e+09", "trader_bus_outside_clients 0")
}

func TestStoredFeedAndBuildMetrics(t *testing.T) {
	m := NewMetrics()
	m.Stored(func() Stored {
		return Stored{
			Rows: 9, Behind: 2, Waiting: 1, Failures: 1, Files: map[string]int64{"log": 4096},
			Commits: map[string]Spans{"intent": {Count: 3, Sum: 0.5, Buckets: map[float64]uint64{0.1: 2}}},
		}
	})
	m.Feed(func() Feed { return Feed{Clients: 2, Slow: 1, Behind: 5, Queue: 1024, Sent: 77} })
	m.Build("v1", "abc\xff", "go1", "sim")
	got := scrape(t, m)
	holds(t, got, "trader_journal_rows_total 9", "trader_journal_witness_behind_rows 2", "trader_journal_failures_total 1",
		`trader_journal_file_bytes{file="log"} 4096`, `trader_journal_commit_seconds_bucket{kind="intent",le="0.1"} 2`,
		`trader_journal_commit_seconds_count{kind="intent"} 3`, "trader_feed_clients 2", "trader_feed_behind 5", "trader_feed_slow_total 1",
		"trader_feed_messages_total 77", `trader_build_info{broker="sim",commit="abc?",goversion="go1",version="v1"} 1`)
	problems, err := promlint.New(strings.NewReader(got)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %+v", err, problems)
	}
}
