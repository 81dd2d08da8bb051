package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"robotrader/broker/exchange"
	"robotrader/broker/market"
)

// rotates leaves out the one goroutine that lumberjack makes for a file and
// never ends: the price of its rotation, paid once a process.
var rotates = goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")

// leftovers are all files that a trader leaves in its data folder after an
// orderly stop: the journal, whose log is folded into it, and its witness; the lock, which
// nobody holds; the folder for logs with the link's; what it was configured
// with; the simulated gateway's books; the token.
var leftovers = []string{"journal.db", "journal.witness", "lock", "logs/", "logs/broker_debug.log", "settings.json", "sim-ledger.json", "token"}

// A recorded day, traded as fast as the trader can over the real wire: the
// journal, the gateway's own books and an independent recomputation agree to
// the cent, the same day makes the same trades, and nothing is left behind.
func TestDay(t *testing.T) {
	for _, day := range []struct {
		name    string
		files   []string // of ../shared/data; none: of our own making
		symbols []string
	}{
		{name: "made by our own model", symbols: []string{"AAPL"}},
		{name: "two symbols of our own", symbols: []string{"AAPL", "MSFT"}},
		{"AAPL bars", []string{"AAPL-1m-20140605.csv"}, []string{"AAPL"}},
		{"IBM trades", []string{"IBM-trades-20131008.csv"}, []string{"IBM"}},
	} {
		t.Run(day.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--sim-speed", "0", "--headless", "--http", "off"}
			for _, file := range day.files {
				path := shared(t, file)
				if path == "" {
					t.Skipf("../shared/data/%s is not there; the same test has run on days of our own making", file)
				}
				args = append(args, "--sim-data", path)
			}
			if len(day.files) == 0 {
				for i, s := range day.symbols {
					args = append(args, "--sim-data", s+"="+ownDay(t, uint64(i+1)))
				}
			}
			args = append(args, day.symbols...)
			first := tradeDay(t, args)
			again := tradeDay(t, args)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("the same day made other trades (-first +again):\n%s", diff)
			}
			t.Logf("%d executions", len(first))
		})
	}
}

// deal is what has to be the same in each run. Order references and execution
// ids are made new.
type deal struct{ At, Symbol, Side, Qty, Price, Commission string }

// tradeDay runs the day once, judges everything about it and returns its
// trades.
func tradeDay(t *testing.T, args []string) []deal {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, "start_trader", append([]string{"--data", data}, args...)...)
	p.ends(t, exitStopped, time.Minute)
	p.leavesNoTemp(t)
	if diff := cmp.Diff(leftovers, files(t, data)); diff != "" {
		t.Errorf("left in the data folder (-want +got):\n%s", diff)
	}
	for line := range strings.Lines(p.said.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			t.Errorf("an uneventful day logs %s", line)
		}
	}
	if left := sockets(t, gatewayPort(t, p)); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}

	books := ledger(t, data)
	executions := export(t, data, "executions")
	sums := recompute(t, books.StartingCash, executions)
	if sums.RoundTrips < 1 {
		t.Errorf("the day made no round trip: %+v", sums)
	}
	agree(t, books, sums, portfolioOf(t, data))
	rows := table(t, executions)
	sameExecutions(t, books, rows)
	finished(t, table(t, export(t, data, "orders")))
	if diff := cmp.Diff(leftovers, files(t, data)); diff != "" {
		t.Errorf("exports left in the data folder (-want +got):\n%s", diff)
	}
	var deals []deal
	for _, r := range rows {
		deals = append(deals, deal{r["at"], r["symbol"], r["side"], r["qty"], r["price"], r["commission"]})
	}
	return deals
}

var gatewayAddr = regexp.MustCompile(`msg=link_ready .*gateway=127\.0\.0\.1:(\d+)`)

func gatewayPort(t *testing.T, p *process) int {
	t.Helper()
	m := gatewayAddr.FindStringSubmatch(p.said.String())
	if m == nil {
		t.Fatal("the log names no gateway that was ready")
	}
	port, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// ledger reads the simulated gateway's own books of its only account.
func ledger(t *testing.T, dir string) exchange.AccountLedger {
	t.Helper()
	var l exchange.Ledger
	text, err := os.ReadFile(filepath.Join(dir, "sim-ledger.json"))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil || len(l.Accounts) != 1 {
		t.Fatalf("sim-ledger.json: %v, %d accounts", err, len(l.Accounts))
	}
	return l.Accounts[0]
}

// ran runs a program to its end and returns what it wrote to standard output.
func ran(t *testing.T, stdin io.Reader, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, binary(t, name), args...)
	var errs bytes.Buffer
	c.Stdin, c.Stderr = stdin, &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, &errs)
	}
	return out
}

func export(t *testing.T, data, what string) []byte {
	t.Helper()
	return ran(t, nil, "traderctl", "export", what, "--data", data)
}

// table reads CSV with a header.
func table(t *testing.T, text []byte) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("not CSV with a header: %v\n%s", err, text)
	}
	var list []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		list = append(list, m)
	}
	return list
}

// recomputed is what scripts/recompute prints.
type recomputed struct {
	Cash        market.Money
	Commission  market.Money
	RealizedPNL market.Money `json:"realized_pnl"`
	RoundTrips  int          `json:"round_trips"`
	Symbols     []struct {
		Symbol string
		Qty    market.Qty
	}
}

func recompute(t *testing.T, cash market.Money, executions []byte) (r recomputed) {
	t.Helper()
	out := ran(t, bytes.NewReader(executions), "recompute", "--cash", cash.String())
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("recompute printed %s: %v", out, err)
	}
	return r
}

// portfolioOf is traderctl's portfolio by item, or item and symbol.
func portfolioOf(t *testing.T, data string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, row := range table(t, export(t, data, "portfolio")) {
		m[strings.TrimSpace(row["item"]+" "+row["symbol"])] = row["value"]
	}
	return m
}

// agree holds the three books against each other.
func agree(t *testing.T, books exchange.AccountLedger, sums recomputed, exported map[string]string) {
	t.Helper()
	for _, x := range []struct {
		item               string
		ledger, recomputed market.Money
	}{
		{"starting_cash", books.StartingCash, books.StartingCash},
		{"cash", books.Cash, sums.Cash},
		{"commission", books.Commissions, sums.Commission},
		{"realized_pnl_before_commission", books.RealizedPNLBeforeCommission, sums.RealizedPNL},
		{"realized_pnl_after_commission", books.RealizedPNLAfterCommission, sums.RealizedPNL.Sub(sums.Commission)},
	} {
		own, err := market.ParseMoney(exported[x.item])
		if err != nil {
			t.Errorf("portfolio: %s: %v", x.item, err)
		}
		if x.ledger.Round(2) != own.Round(2) || x.recomputed.Round(2) != own.Round(2) {
			t.Errorf("%s: the gateway's books %v, recomputed %v, exported %v", x.item, x.ledger, x.recomputed, own)
		}
	}
	held := map[string]market.Qty{}
	for _, p := range books.Positions {
		held[string(p.Symbol)] = p.Qty
	}
	if len(sums.Symbols) == 0 {
		t.Error("nothing was traded")
	}
	for _, s := range sums.Symbols {
		if own := exported["position "+s.Symbol]; own != s.Qty.String() || held[s.Symbol] != s.Qty {
			t.Errorf("position of %s: the gateway's books %v, recomputed %v, exported %s", s.Symbol, held[s.Symbol], s.Qty, own)
		}
		delete(held, s.Symbol)
	}
	if len(held) > 0 {
		t.Errorf("positions without an execution in the journal: %v", held)
	}
}

// sameExecutions holds the journal's executions against the gateway's.
func sameExecutions(t *testing.T, books exchange.AccountLedger, rows []map[string]string) {
	t.Helper()
	var theirs, ours []string
	for _, f := range books.Executions {
		theirs = append(theirs, strings.Join([]string{f.ExecID, f.Ref, string(f.Side), f.Qty.String(), f.Price.String(), f.Commission.String()}, " "))
	}
	for _, r := range rows {
		ours = append(ours, strings.Join([]string{r["exec_id"], r["ref"], r["side"], r["qty"], r["price"], r["commission"]}, " "))
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the journal's executions are not the gateway's (-gateway +journal):\n%s", diff)
	}
}

// finished fails the test when an order is not at its end after a whole day.
func finished(t *testing.T, orders []map[string]string) {
	t.Helper()
	if len(orders) == 0 {
		t.Error("the journal has no orders")
	}
	stops := 0
	for _, o := range orders {
		if strings.HasPrefix(o["ref"], "guard-") && o["state"] == "cancelled" && o["filled"] == "0" {
			stops++
			continue // the stop of a position that a strategy closed
		}
		if o["state"] != "filled" || o["filled"] != o["qty"] {
			t.Errorf("order %s ended the day %s with %s of %s", o["ref"], o["state"], o["filled"], o["qty"])
		}
	}
	if stops == 0 {
		t.Error("no position had a stop at the broker")
	}
}

// The program's own goroutines are gone when run returns: seen from inside,
// where the end of the process does not hide them.
func TestLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for name, args := range map[string][]string{
		"a day in lock-step": {"--sim-data", ownDay(t, 1), "--sim-speed", "0", "--http", "off"},
		"a live market":      {"--http", "127.0.0.1:0", "--run-for", "1s"},
		"no gateway":         {"--http", "127.0.0.1:0", "--run-for", "1s", "--broker", "ibkr", "--gateway", freeAddr(t)},
	} {
		var out, errs transcript
		args = append(args, "--headless", "--data", filepath.Join(t.TempDir(), "data"), "AAPL")
		if code := run(t.Context(), args, nil, &out, &errs); code != exitStopped {
			t.Fatalf("%s: exit %d\n%s", name, code, tail(errs.String(), 4000))
		}
		if err := goleak.Find(before, rotates); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
