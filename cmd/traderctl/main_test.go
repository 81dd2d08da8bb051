package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		say  string
	}{
		{"", 0, "probe"},
		{"--help", 0, "export"},
		{"probe --help", 0, "Exit: 0 ready"},
		{"version", 0, "TWS server versions 176..200"},
		{"version --json", 0, `"server_versions":"176..200"`},
		{"nonsense", 2, "nonsense"},
		{"status --nonsense", 2, "nonsense"},
		{"orders AAPL", 2, "AAPL"},
		{"probe --timeout 0s", 2, "--timeout"},
		{"probe --gateway nowhere", 2, "nowhere"},
		{"status --data /nowhere", 1, "no trader runs with the data folder /nowhere"},
	} {
		out, errs, code := told(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(out+errs, tt.say) {
			t.Errorf("%q: exit %d, want %d, and says %s%s", tt.args, code, tt.code, out, errs)
		}
	}
}

// snapshot is what a trader answers; unknown is null.
const snapshot = `{"type":"snapshot","epoch":"e","seq":1,"at":"2026-04-02T09:00:00Z","data":{
	"link":{"state":"waiting","since":"2026-04-02T09:00:00Z","cause":"nobody listens","advice":"log in","rungs":[{"name":"tcp","ok":false,"at_ms":0.2}],
		"facts":{"gateway":"127.0.0.1:4002","simulated":true}},
	"mode":{"mode":"active","reason":"start"},"positions":null,
	"orders":[{"ref":"AAPL-1","symbol":"AAPL","side":"BUY","type":"LMT","qty":"10","limit":"187.25","state":"accepted","filled":"0","avg_price":null}],
	"events":[{"at":"2026-04-02T08:59:00Z","level":"error","source":"desk","name":"reconciliation_difference","text":"the books had 10","symbol":"AAPL"}],
	"strategies":[{"name":"sma_cross","symbol":"AAPL","state":"running","detail":"long"}],
	"account":{"portfolio":{"cash":null,"equity":"1000.5","realized":"0","unrealized":null,"commission":"0"}}}}`

func TestAsksTheTrader(t *testing.T) {
	answer := snapshot
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/state" || answer == "" {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, answer)
	}))
	defer srv.Close()
	srv.Config.SetKeepAlivesEnabled(false) // the end of a command closes its connections; a test goes on
	addr := srv.Listener.Addr().String()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "trader.json"), []byte(`{"pid":1,"http":"`+addr+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		say  []string
	}{
		{"status --data " + dir, []string{"waiting", "nobody listens", "log in", "SIMULATED", "FAILED", "sma_cross", "1000.5", "cash -", "difference", "the books had 10"}},
		{"orders --data " + dir, []string{"AAPL-1", "BUY", "187.25", "accepted", "-"}},
		{"positions --http " + addr, []string{"unknown: the broker has not answered yet"}},
		{"positions --json --http " + addr, []string{"null"}},
		{"orders --json --http " + addr, []string{`"limit": "187.25"`, `"avg_price": null`}},
	} {
		out, errs, code := told(t, strings.Fields(tt.args)...)
		for _, say := range tt.say {
			if code != 0 || !strings.Contains(out, say) {
				t.Errorf("%s: exit %d, nothing about %q in %s%s", tt.args, code, say, out, errs)
			}
		}
	}
	srv.Close()
	for _, command := range []string{"status --data " + dir, "bundle --data " + dir + " --frames 0 --out " + filepath.Join(dir, "b.tgz")} {
		if out, errs, _ := told(t, strings.Fields(command)...); !strings.Contains(out+errs, "nobody answers at "+addr) {
			t.Errorf("%s of a trader that was killed: %s%s", command, out, errs)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	answer := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answer == "" {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, answer)
	}))
	defer srv.Close()
	srv.Config.SetKeepAlivesEnabled(false) // the end of a command closes its connections; a test goes on
	addr := srv.Listener.Addr().String()
	for bad, say := range map[string]string{"": "503", "{": "not understood"} {
		answer = bad
		if _, errs, code := told(t, "status", "--http", addr); code != 1 || !strings.Contains(errs, say) {
			t.Errorf("answer %q: exit %d, %s", bad, code, errs)
		}
	}
}

// A probe says which rung was reached, by its exit code too, and keeps a
// record where there is a data folder.
func TestProbe(t *testing.T) {
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: first})
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	sim, err := gateway.New(cfg, src, nil)
	if err == nil {
		err = sim.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sim.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()

	dir := t.TempDir()
	for _, tt := range []struct {
		name, addr, failedAt string
		code                 int
	}{
		{"ready", sim.Addr().String(), "", 0},
		{"nobody listens", free.Addr().String(), "tcp", 10},
		{"a gateway that hangs", silent.Addr().String(), "version", 11},
	} {
		out, errs, code := told(t, "probe", "--json", "--gateway", tt.addr, "--timeout", "1s", "--data", dir)
		var p struct {
			Gateway, Result, Error, Advice string
			FailedAt                       string `json:"failed_at"`
			Rungs                          []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(out), &p); err != nil || code != tt.code || p.Gateway != tt.addr || p.FailedAt != tt.failedAt {
			t.Errorf("%s: exit %d, %s%s (%v)", tt.name, code, out, errs, err)
		}
		if ready := tt.code == 0; ready != (p.Result == "ready") || ready != (p.Advice == "") || ready != (len(p.Rungs) == 5) {
			t.Errorf("%s: %+v", tt.name, p)
		}
		if out, _, code := told(t, "probe", "--gateway", tt.addr, "--timeout", "1s", "--data", filepath.Join(dir, "none")); code != tt.code || !strings.Contains(out, tt.addr) {
			t.Errorf("%s in words: exit %d, %s", tt.name, code, out)
		}
	}
	records, err := os.ReadFile(filepath.Join(dir, "probes.jsonl"))
	if err != nil || strings.Count(string(records), "\n") != 3 {
		t.Errorf("probes.jsonl: %s (%v)", records, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a probe made a data folder")
	}
}
