package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gws "github.com/gorilla/websocket"

	"robotrader/broker"
	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/market"
	"robotrader/services/diag"
)

// stopsWithin is what users were promised.
const stopsWithin = 10 * time.Second

// stoppedWell fails the test unless the trader ended with exit 0 and left its
// data folder to the next one.
func (tr trader) stoppedWell(t *testing.T) {
	t.Helper()
	tr.ends(t, exitStopped, stopsWithin)
	tr.leavesNoTemp(t)
	left := slices.DeleteFunc(files(t, tr.data), func(s string) bool { return strings.HasPrefix(s, "frames/") })
	recordedWell(t, tr.data)
	want := slices.Clone(leftovers)
	if !slices.Contains(left, "sim-ledger.json") { // the gateway was another program
		left = slices.DeleteFunc(left, func(s string) bool { return s == "probes.jsonl" })
		want = slices.DeleteFunc(want, func(s string) bool { return s == "sim-ledger.json" })
	}
	if !slices.Equal(left, want) {
		t.Errorf("left in the data folder: %v, want %v", left, want)
	}
	f, err := openFolder(tr.data)
	if err != nil {
		t.Fatalf("the folder is not free: %v", err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

// recordedWell fails the test unless all that was said between trader and
// gateway is on disk and that the newest session has its end.
func recordedWell(t *testing.T, data string) {
	t.Helper()
	r, err := recorder.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	newest, ended := uint64(0), true // one that was killed has none
	err = recorder.Select(r, recorder.Filter{}, 0, func(r recorder.Record) error {
		switch {
		case r.Kind == recorder.Begun:
			newest, ended = r.Session, false
		case r.Kind == recorder.Ended:
			ended = ended || r.Session == newest
		case r.Kind == recorder.Gap:
			t.Errorf("frames are missing: %q", r.Fields())
		}
		return nil
	})
	if err != nil || !ended {
		t.Errorf("the recording: error %v, session %d has its end: %v", err, newest, ended)
	}
}

func TestSignalsStopInOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			tr := startTrader(t, "AAPL")
			awaitsReady(t, tr.addr, 5*time.Second)
			page, _, err := gws.DefaultDialer.Dial("ws://"+tr.addr+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer page.Close()
			private(t, tr.data)
			tr.signal(t, s)
			tr.stoppedWell(t)
			if l := ledger(t, tr.data); l.Cash.IsZero() {
				t.Errorf("the ledger tells no cash: %+v", l)
			}
			if code := closeCode(page); code != gws.CloseGoingAway {
				t.Errorf("the dashboard's socket was closed with code %d, want 1001", code)
			}
			if left := sockets(t, gatewayPort(t, tr.process)); len(left) > 0 {
				t.Errorf("sockets are left: %v", left)
			}
		})
	}
}

// closeCode reads a feed to its end.
func closeCode(page *gws.Conn) int {
	_ = page.SetReadDeadline(time.Now().Add(5 * time.Second)) // a past end is seen below
	for {
		if _, _, err := page.ReadMessage(); err != nil {
			var closed *gws.CloseError
			if errors.As(err, &closed) {
				return closed.Code
			}
			return 0
		}
	}
}

// private fails the test when others may read the data folder.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunForAndOneTraderAFolder(t *testing.T) {
	t.Parallel()
	first := startTrader(t, "AAPL")
	second := start(t, "start_trader", "--http", "127.0.0.1:0", "--data", first.data, "AAPL")
	second.ends(t, exitUnexpected, 5*time.Second)
	second.says(t, first.data, "in use by another trader", "--data")
	third := start(t, "start_trader", "--http", first.addr, "--data", filepath.Join(t.TempDir(), "data"), "AAPL")
	third.ends(t, exitUnexpected, 5*time.Second)
	third.says(t, first.addr, "address already in use", "--http")
	first.signal(t, syscall.SIGTERM)
	first.stoppedWell(t)
	began := time.Now()
	next := startTraderOn(t, first.data, "--run-for", "2s", "AAPL") // the folder of a first run serves a second
	next.stoppedWell(t)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("--run-for 2s ended after %v", took)
	}
}

// What cannot work is said at once, all of it, with the exit code that tells
// what kind of fault it is.
func TestRefusals(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.csv")
	text := "time,open,high,low,close,volume,bid,ask\n2014-06-05T09:30:00-04:00,1,2,0.5,1,10,1,1.01\n2014-06-05T09:31:00-04:00,1,2,x,1,10,1,1.01\n"
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		say  []string
	}{
		"help":         {[]string{"--help"}, exitStopped, []string{"Usage:", "--sim-speed", "Exit:"}},
		"no symbol":    {nil, exitUsage, []string{"no symbol", "Usage:"}},
		"unknown flag": {[]string{"--nonsense", "AAPL"}, exitUsage, []string{"nonsense"}},
		"all faults at once": {
			[]string{"--broker", "ib", "--http", "0.0.0.0:80", "--sim-speed", "fast", "--log-level", "loud", "AA/PL"},
			exitConfig,
			[]string{"broker.name", "0.0.0.0", "fast", "loud", "AA/PL"},
		},
		"unknown strategy":  {[]string{"--strategy", "magic", "AAPL"}, exitConfig, []string{"magic", "sma_cross", "every_tick"}},
		"unknown parameter": {[]string{"--set", "speed=3", "AAPL"}, exitConfig, []string{"speed", "fast"}},
		"bad parameter":     {[]string{"--set", "fast=30", "AAPL"}, exitConfig, []string{"fast=30", "slow=20"}},
		"bad CSV":           {[]string{"--sim-data", "AAPL=" + bad, "AAPL"}, exitConfig, []string{bad, "line 3", "low", `"x"`}},
		"no such CSV":       {[]string{"--sim-data", "nowhere.csv", "AAPL"}, exitConfig, []string{"nowhere.csv"}},
		"no such proxy":     {[]string{"--behind-proxy", "10.0.0.9", "AAPL"}, exitConfig, []string{"is not a range of addresses"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			p := start(t, "start_trader", append([]string{"--http", "off", "--data", data}, tt.args...)...)
			p.ends(t, tt.code, 5*time.Second)
			p.says(t, tt.say...)
			if _, err := os.Stat(data); err == nil {
				t.Error("a trader that never started made its data folder")
			}
		})
	}
}

// A refusal before the first ready ends the program with exit 4 and says what
// a person can do.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, accounts string
		args           []string
		say            []string
	}{
		{"a live account without --live", "U1234567", nil, []string{"U1234567", "--live"}},
		{"an unknown account", "DU1234567", []string{"--account", "DU7777777"}, []string{"DU7777777", "DU1234567"}},
		{"several accounts and none named", "DU1234567,DU1234568", nil, []string{"DU1234567", "DU1234568", "--account"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, gateway := startGateway(t, "127.0.0.1:0", "--accounts", tt.accounts)
			data := filepath.Join(t.TempDir(), "data")
			args := append([]string{"--broker", "ibkr", "--gateway", gateway, "--http", "off", "--data", data}, tt.args...)
			p := start(t, "start_trader", append(args, "AAPL")...)
			p.ends(t, exitRefused, stopsWithin)
			p.says(t, append(tt.say, "advice:")...)
			trader{process: p, data: data}.isFree(t)
		})
	}
	t.Run("a live account with --live", func(t *testing.T) {
		_, gateway := startGateway(t, "127.0.0.1:0", "--accounts", "U1234567")
		tr := startTrader(t, "--broker", "ibkr", "--gateway", gateway, "--live", "--read-only", "AAPL")
		awaitsReady(t, tr.addr, 5*time.Second)
		tr.signal(t, syscall.SIGTERM)
		tr.stoppedWell(t)
	})
}

// isFree fails the test when the data folder is not free for the next trader.
func (tr trader) isFree(t *testing.T) {
	t.Helper()
	f, err := openFolder(tr.data)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

// A gateway that is down is no end: the service says so and takes it up when
// it comes, again and again.
func TestGatewayComesAndGoes(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	began := begin()
	tr := startTrader(t, "--broker", "ibkr", "--gateway", addr, "AAPL")
	r := awaitsNotReady(t, tr.addr, 2*time.Second)
	if began.over(2 * time.Second) {
		t.Errorf("it told of it %v after its start, want 2 s", began.took())
	}
	if r.Rung != "tcp" || !strings.Contains(r.Cause, addr) {
		t.Errorf("without a gateway: %+v", r)
	}
	if status, _ := get(tr.addr, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d while the gateway is down", status)
	}
	for round := range 2 {
		gateway, _ := startGateway(t, addr)
		awaitsReady(t, tr.addr, 10*time.Second) // the backoff of the first failures is below
		gateway.killed(t)
		awaitsNotReady(t, tr.addr, 3*time.Second)
		if tr.gone() {
			t.Fatalf("round %d: the trader ended with its gateway", round)
		}
	}
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
	// Its own handshakes are records, without the retries that ended alike.
	records, broken, err := diag.Records(tr.data)
	if err != nil || broken != 0 || len(records) < 2 || len(records) > 6 {
		t.Fatalf("records %+v, %d broken, %v", records, broken, err)
	}
	if p := records[0]; p.FailedAt != "tcp" || p.Gateway != addr || p.Source != diag.FromTrader || p.Failure != broker.NobodyListens {
		t.Errorf("the first record is %+v", p)
	}
	if p := records[1]; p.Result != diag.Ready || p.ServerVersion != 200 || p.ClientID != 1 || len(p.Rungs) != 5 || p.NextValidID == 0 {
		t.Errorf("the second record is %+v", p)
	}
}

// A gateway that accepts and never answers must not hold up the end.
func TestStopsInMidHandshake(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts; nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tr := startTrader(t, "--broker", "ibkr", "--gateway", ln.Addr().String(), "AAPL")
	awaits(t, "handshaking", 3*time.Second, func() (string, bool) {
		status, r := ready(tr.addr)
		return fmt.Sprintf("%d %+v", status, r), r.State == "handshaking"
	})
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}

// A read-only trader asks and is refused; nothing reaches the gateway.
func TestReadOnlySendsNoOrder(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, "start_trader", "--read-only", "--data", data, "--headless", "--http", "off",
		"--sim-data", "AAPL="+ownDay(t, 1), "--sim-speed", "0", "AAPL")
	p.ends(t, exitStopped, 30*time.Second)
	l := ledger(t, data)
	if len(l.Executions) > 0 || l.Cash != l.StartingCash {
		t.Errorf("a read-only trader traded: %d executions, cash %v", len(l.Executions), l.Cash)
	}
	intents := table(t, export(t, data, "intents"))
	if len(intents) == 0 {
		t.Error("the strategy asked for nothing, so nothing was tested")
	}
	for _, in := range intents {
		if in["allowed"] != "false" || in["rule"] != "read_only" {
			t.Errorf("intent %s: allowed %s by rule %q", in["id"], in["allowed"], in["rule"])
		}
	}
}

// A trader that died without a word leaves a folder that can be exported and
// taken over.
func TestKilledTrader(t *testing.T) {
	t.Parallel()
	tr := startTrader(t, "--strategy", "every_tick", "--sim-speed", "5", "AAPL")
	awaits(t, "a fill in the journal while the trader runs", 10*time.Second, func() (string, bool) {
		rows := table(t, export(t, tr.data, "executions"))
		return fmt.Sprint(rows), len(rows) > 0 && rows[0]["commission"] != ""
	})
	tr.killed(t)
	exported := portfolioOf(t, tr.data)
	starting, err := market.ParseMoney(exported["starting_cash"])
	if err != nil {
		t.Fatalf("starting cash of a dead trader: %v", err)
	}
	sums := recompute(t, starting, export(t, tr.data, "executions"))
	if exported["cash"] != sums.Cash.String() || sums.Cash == starting {
		t.Errorf("cash of a dead trader: exported %s, recomputed %v", exported["cash"], sums.Cash)
	}
	next := startTraderOn(t, tr.data, "--run-for", "1s", "AAPL")
	next.stoppedWell(t)
}

// A made-up market in lock-step, which is in session from its first instant:
// the trader does not wait for a tick that waits for the trader.
func TestLockStepWithoutAFile(t *testing.T) {
	t.Parallel()
	tr := startTrader(t, "--sim-speed", "0", "AAPL")
	var first time.Time
	awaits(t, "five minutes of market time", 15*time.Second, func() (string, bool) {
		s, text := stateOf(tr.addr)
		if s.Data.Sim == nil {
			return tail(text, 300), false
		}
		market := s.Data.Sim.Market
		if first.IsZero() {
			first = market
		}
		return fmt.Sprint(first, market), market.Sub(first) >= 5*time.Minute
	})
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}
